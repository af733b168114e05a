//! What several test files share: a realm of one's own on the real Keycloak, and a stub server that misbehaves.
#![allow(dead_code, unreachable_pub, reason = "each test file is a crate of its own and uses its part")]

pub mod keycloak;
pub mod stub;
