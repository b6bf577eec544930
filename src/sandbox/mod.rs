//! The sandbox: an embedded Kubernetes API server with stand-ins for controllers, so that the main job needs
//! nothing but the binary, and so that tests can script faults.
//!
//! *Invariants:* listens on loopback only; it knows nothing of the engine (stack, plan, state, apply) and the
//! engine talks to it over HTTP alone; where it differs from kube-apiserver, for a request it accepts, it is
//! wrong; what it does not serve it refuses and says so; an answered write survives a crash.
//!
//! Data flows down this list: `http` (front) → `verbs` (what one request does) → `admission` of the kind
//! (`kinds`, `custom`) and `ownership` (managedFields) → `storage` (one ordered log). `controllers` are
//! clients of `verbs` like any other.

mod controllers;
mod custom;
mod discovery;
mod error;
mod fault;
#[cfg(feature = "faults")]
mod faults;
mod http;
mod kinds;
mod local_api;
mod meta;
mod openapi;
mod ownership;
mod patch;
mod resource;
mod schema;
mod seed;
mod selector;
mod server;
mod storage;
mod table;
mod verbs;

pub use controllers::parse_sources;
pub use server::{Options, Running, StartError, start};
