//! provisor on a real Home Assistant: manifests in, the program's own output and what is stored out.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod apply;
mod crash;
#[path = "../support/run.rs"]
mod run;
mod startup;
mod tokens;
mod whose;
mod world;
