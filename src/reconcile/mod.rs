//! The engine: observe, compare, plan, apply, verify; it knows no system and no manifest kind by name.

pub mod decide;
pub mod declared;
pub mod engine;
mod index;
pub mod lock;
pub mod options;
mod orphans;
pub mod ownership;
pub mod plan;
pub mod provider;
pub mod session;
