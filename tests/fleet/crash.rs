//! `kill -9` at any moment: the next apply converges, with no duplicate and no lost secret (REC-13).

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::devices::device;
use crate::world::World;

const MOMENTS: u64 = 50;
const DEVICES: usize = 40;

/// Each moment starts from an empty fleet that is half there; every device's sink must hold what Keycloak knows.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn killed_at_fifty_moments_the_next_apply_converges() {
    let world = World::with_all_rights();
    std::fs::create_dir(world.path("sinks")).unwrap();
    let fleet = |generation: u64| -> Vec<Value> {
        (0..DEVICES)
            .map(|number| {
                let mut device = device(number, json!({"secretTo": {"file": format!("sinks/{number}")}}));
                device["spec"]["displayName"] = json!(format!("generation {generation}"));
                device
            })
            .collect()
    };
    world.declare(&fleet(0));
    // One whole run says how long one takes; the moments are spread over it.
    let started = std::time::Instant::now();
    world.apply(&[]).exits(0);
    let whole = started.elapsed();
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut interrupted = 0;
    for moment in 0..MOMENTS {
        for number in (0..DEVICES).filter(|number| (number + usize::try_from(moment).unwrap()) % 4 == 0) {
            let id = world.client(&format!("iot-{number:04}"))["id"].as_str().map(str::to_owned);
            if let Some(id) = id {
                world.realm_delete(&format!("clients/{id}"));
            }
        }
        world.declare(&fleet(moment + 1));
        let mut child = world
            .command(&["apply", "-f", "fleet.yaml", "--yes"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(whole.mul_f64(f64::from(u32::try_from(seed >> 40).unwrap()) / f64::from(1_u32 << 24)));
        let running = child.try_wait().unwrap().is_none();
        child.kill().unwrap();
        child.wait().unwrap();
        interrupted += u32::from(running);
        world.converge();
        let clients = world.realm_get("clients?max=1000");
        let ours: Vec<&Value> = clients
            .as_array()
            .unwrap()
            .iter()
            .filter(|client| client["clientId"].as_str().unwrap().starts_with("iot-"))
            .collect();
        assert_eq!(ours.len(), DEVICES);
        for client in ours {
            let number: usize = client["clientId"].as_str().unwrap()[4..].parse().unwrap();
            let held = std::fs::read_to_string(world.path(&format!("sinks/{number}"))).unwrap();
            assert_eq!(client["secret"], json!(held), "the secret of {number} is lost");
        }
        let left: Vec<_> =
            std::fs::read_dir(world.path("sinks")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), DEVICES, "something is left beside the sinks: {left:?}");
    }
    assert!(interrupted >= 20, "only {interrupted} of {MOMENTS} runs were still going when they were killed");
}

/// Two applies at once: the second waits for the first, and both end well.
#[test]
#[ignore = "needs a Keycloak: make test"]
fn two_applies_at_once_make_one_fleet() {
    let world = World::with_all_rights();
    world.declare(&(0..20).map(|number| device(number, json!({}))).collect::<Vec<_>>());
    let start = || {
        world
            .command(&["apply", "-f", "fleet.yaml", "--yes", "-o", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let (one, two) = (start(), {
        std::thread::sleep(Duration::from_millis(50));
        start()
    });
    for child in [one, two] {
        crate::world::Run::from(child.wait_with_output().unwrap()).exits(0);
    }
    world.plan(&["--detailed-exitcode"]).exits(0);
}
