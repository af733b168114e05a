//! Killed at any moment, Home Assistant or provisor: the next apply converges, with no second entry (REC-13).

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::world::{World, account, todo};

fn fleet(generation: u32) -> Vec<Value> {
    let lists =
        (0..12).map(|number| todo(&format!("list-{number:02}"), &json!({"title": format!("{number}/{generation}")})));
    lists.chain([account("home", &json!({}))]).collect()
}

#[test]
#[ignore = "needs a Home Assistant: make test"]
fn provisor_killed_at_any_moment() {
    let world = World::new();
    world.credential("home", "canary-first");
    world.declare(&fleet(0));
    let begun = Instant::now();
    world.apply(&[]).exits(0);
    let whole = begun.elapsed();
    let mut interrupted = 0;
    for moment in 1..=10 {
        world.declare(&fleet(moment));
        let mut child = world.command(&["apply", "-f", "home.yaml", "--yes"]);
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(f64::from(moment) / 10.0));
        interrupted += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        world.converge(&[]);
        assert_eq!((world.of_domain("local_todo").len(), world.of_domain("provisor_rotator").len()), (12, 1));
    }
    assert!(interrupted >= 4, "only {interrupted} were still going");
}

#[test]
#[ignore = "needs a Home Assistant: make test"]
fn home_assistant_killed_at_any_moment() {
    let mut world = World::new();
    world.credential("home", "canary-first");
    for moment in 0..4 {
        world.declare(&fleet(moment));
        let mut child = world.command(&["apply", "-f", "home.yaml", "--yes"]);
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(150 + 300 * u64::from(moment)));
        world.kill();
        child.wait().unwrap();
        world.start();
        world.converge(&[]);
        assert_eq!((world.stored_of("local_todo").len(), world.stored_of("provisor_rotator").len()), (12, 1));
    }
    assert_eq!(world.stored_of("provisor_rotator")[0]["data"]["token"]["refresh_token"], "canary-first");
}
