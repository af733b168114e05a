//! Tokens of Home Assistant's integrations: taken out of its storage, got by signing in, written back when rotated.
//!
//! The program itself runs, at the most talkative level; no output may ever hold a secret.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot be set up fails")]

#[path = "../support/mod.rs"]
mod support;

mod browser;
mod export;
mod extract;
mod house;
mod run;
mod sign_in;
mod sign_in_faults;
mod whole;
