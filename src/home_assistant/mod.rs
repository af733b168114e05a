//! Home Assistant: what it keeps in its storage.

pub mod stored;
