//! The hub: farms, their one-time provisioning keys, and the record of what was done with them.
//!
//! [`Hub`] is what a hub does, independent of HTTP: a reconciler opens it in-process over the store's folder, and a
//! server puts it behind its interfaces. The [`store`] decides every race in SQL, never in the process, so that
//! several processes may share one store; the `audit` chain is written in the transaction of what it records.
//!
//! What must always hold: a key's text leaves [`Hub::issue_key`] once and is never stored; a store that is opened to
//! be read is not written, not even by side files; a failed read is an error and never "there is none".

mod audit;
mod directory;
mod error;
mod hasher;
mod issue;
mod model;
mod service;
pub mod store;

pub use error::Error;
pub use model::{Farm, FarmChange, FarmState, Farmer, IssuedKey, Key, KeyState, Mark, NewFarm, NewKey, Presented};
pub use service::{Hub, Mode, OpenOptions};
