//! `provisor ha oauth` with a service that misbehaves, which a real one cannot be made to do.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::run::{Run, provisor};
use crate::support::stub::{Answer, Stub};

async fn device(stub: &Stub, more: &'static [&'static str]) -> Run {
    let url = stub.url.clone();
    let run = move || {
        let folder = tempfile::tempdir().unwrap();
        let (device, token) = (url.join("device").unwrap(), url.join("token").unwrap());
        let arguments = [
            "ha",
            "oauth",
            "house",
            "--client-id",
            "home",
            "--device-url",
            device.as_str(),
            "--token-url",
            token.as_str(),
        ];
        provisor(folder.path(), &[&arguments[..], more].concat())
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn code() -> Answer {
    Answer::json(
        200,
        json!({"device_code": "canary-device", "user_code": "7BQ5ZQ", "verification_uri": "https://house.example/device",
            "expires_in": 300, "interval": 1}),
    )
}

fn refuse(reason: &str) -> Answer {
    Answer::json(400, json!({"error": reason, "error_description": "canary-said"}))
}

const CANARIES: &[&str] = &["canary-device", "canary-said", "canary-access"];

#[tokio::test]
async fn ha_11_a_service_that_is_asked_too_often_is_asked_five_seconds_less_often() {
    let stub = Stub::start(|seen, before| match (seen.line.contains("/device"), before) {
        (true, _) => code(),
        (false, 0) => refuse("slow_down"),
        (false, _) => Answer::json(200, json!({"access_token": "canary-access", "refresh_token": "r-1"})),
    })
    .await;
    let from = Instant::now();
    let run = device(&stub, &["--scope", "a", "--scope", "b"]).await.exits(0).silent_about(CANARIES);
    assert_eq!(run.out, "r-1");
    assert!(from.elapsed() > Duration::from_secs(7), "1 s, then 6 s: {:?}", from.elapsed());
    let seen = stub.seen();
    assert!(seen[0].text.ends_with("client_id=home&scope=a+b"), "{}", seen[0].text);
    assert!(run.err.contains("https://house.example/device") && run.err.contains("7BQ5ZQ"), "{}", run.err);
}

#[tokio::test]
async fn ha_11_what_a_service_says_wrong_is_an_error_that_quotes_nothing() {
    for (answer, said) in [
        (refuse("invalid_client"), "provisor::sign_in::refused"),
        (refuse("canary-said"), "an unknown reason"),
        (refuse("expired_token"), "provisor::sign_in::expired"),
        (Answer::json(200, json!({"access_token": "canary-access"})), "provisor::sign_in::no_refresh_token"),
        (Answer::json(200, json!({"refresh_token": ""})), "provisor::sign_in::no_refresh_token"),
        (Answer::json(200, json!({"refresh_token": ["canary-said"]})), "provisor::sign_in::unexpected_response"),
        (Answer::Reply(500, "", "canary-said".to_owned()), "with status 500"),
        (Answer::Reply(302, "location: http://127.0.0.1:1/\r\n", String::new()), "with status 302"),
    ] {
        let stub =
            Stub::start(move |seen, _| if seen.line.contains("/device") { code() } else { answer.clone() }).await;
        let run = device(&stub, &[]).await.exits(1).silent_about(CANARIES);
        assert!(run.out.is_empty() && run.err.contains(said), "{said}: {}", run.err);
    }
    for uri in ["javascript:alert(1)", "no address", "file:///etc/passwd"] {
        let issued =
            json!({"device_code": "canary-device", "user_code": "7", "verification_uri": uri, "expires_in": 9});
        let stub = Stub::start(move |_, _| Answer::json(200, issued.clone())).await;
        let run = device(&stub, &[]).await.exits(1).silent_about(CANARIES);
        assert!(run.err.contains("provisor::sign_in::unexpected_response"), "{uri}: {}", run.err);
    }
}

#[test]
fn ha_11_a_sign_in_that_cannot_work_ends_before_anybody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let known = ["--client-id", "home"];
    let code = ["--authorize-url", "https://a.example/", "--token-url", "https://a.example/"];
    for (arguments, exit, said) in [
        (&["unheard_of"][..], 64, "the service behind `unheard_of` is not known"),
        (&["spotify"], 64, "has no client for everybody"),
        (&["tado", "--flow", "code"], 1, "the sign-in needs `--authorize-url`"),
        (&["spotify", "--flow", "device", known[0], known[1]], 1, "the sign-in needs `--device-url`"),
        (&["tado", "--token-url", "http://tado.example/token"], 1, "`http://tado.example` is not encrypted"),
        (&["tado", "--out", "token.age"], 64, "--recipient"),
        (&["tado", "--recipient", "age1nobody", "--out", "token.age"], 1, "recipient 1 of `token.age`"),
        (
            &["x", code[0], code[1], code[2], code[3], "--client-id", "c", "--client-secret-file", "no"],
            1,
            "does not exist",
        ),
        (&["x", code[0], code[1], code[2], code[3], "--client-id", "c", "--ca-file", "no"], 1, "cannot be used"),
    ] {
        let run = provisor(folder.path(), &[&["ha", "oauth"], arguments].concat()).exits(exit);
        assert!(run.err.contains(said), "{arguments:?}: {}", run.err);
        assert!(!run.err.contains("Open this address"), "{arguments:?}");
    }
}

/// With `script`, which every Debian has, as the terminal.
#[test]
fn ha_11_a_token_is_not_printed_on_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let command = format!("{} ha oauth tado", env!("CARGO_BIN_EXE_provisor"));
    let output = std::process::Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .current_dir(folder.path())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("provisor::sign_in::terminal") && text.contains("--recipient"), "{text}");
}

#[tokio::test]
async fn ha_11_a_token_that_nobody_takes_is_a_failure() {
    let stub = Stub::start(|seen, _| {
        let issued = json!({"refresh_token": "canary-access"});
        if seen.line.contains("/device") { code() } else { Answer::json(200, issued) }
    })
    .await;
    let (device, token) = (stub.url.join("device").unwrap(), stub.url.join("token").unwrap());
    let run = move || {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["ha", "oauth", "house", "--client-id", "home", "--device-url", device.as_str(), "--token-url"];
        let mut child =
            crate::run::command(folder.path(), &[&arguments[..], &[token.as_str()]].concat()).spawn().unwrap();
        drop(child.stdout.take());
        child.wait_with_output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("provisor::output") && !said.contains("canary"), "{said}");
}
