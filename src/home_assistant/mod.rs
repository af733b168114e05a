//! Home Assistant: what it keeps in its storage, and what is done with that.

pub mod handover;
pub mod sign_in;
pub mod stored;
