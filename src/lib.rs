//! provisor: a declarative reconciler for the identities of a home or a fleet.
//!
//! The layers, lowest first; a module may use only modules of lower layers, and `tests/layers.rs` keeps it so:
//!
//! 0. ground: [`secret`], [`id`], [`clock`], [`diagnostic`], [`http`], [`path`], [`process`]
//! 1. systems: [`home_assistant`], [`keycloak`], [`otpk`], [`hub`]; each knows one outside system or one craft
//! 2. core: [`manifest`] (what is declared), [`reconcile`] (the engine)
//! 3. providers: [`providers`], what a manifest wants against what a system has
//! 4. edge: [`cli`]

pub mod cli;
pub mod clock;
pub mod diagnostic;
pub mod home_assistant;
pub mod http;
pub mod hub;
pub mod id;
pub mod keycloak;
pub mod manifest;
pub mod otpk;
pub mod path;
pub mod process;
pub mod providers;
pub mod reconcile;
pub mod secret;
