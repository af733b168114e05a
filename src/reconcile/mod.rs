//! The engine: observe, compare, plan, apply, verify; it knows no system and no manifest kind by name.

pub mod plan;
