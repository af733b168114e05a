//! Home Assistant: what is known of it without asking one.
//!
//! The module knows nothing of manifests and plans.

pub mod catalog;
