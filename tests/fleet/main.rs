//! provisor against a real Keycloak, as its users run it: manifests in, the program's own output, exit codes, and the
//! realm's state out (KC-1, KC-2, KC-3; REC-4 to REC-11, REC-13).

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "a test that cannot go on fails"
)]

mod adoption;
mod clients;
mod crash;
mod devices;
mod plans;
#[path = "../support/run.rs"]
mod run;
mod secrets;
mod world;
