//! What people and programs see: plans, progress, diagnostics and listings, as text or JSON.
//!
//! *Invariants:* pure functions of data, width and clock passed in; every text that came from a stack or a
//! cluster passes [`sanitize::clean`] on its way into a line; legible without colour; nothing in the engine
//! imports this module.

pub mod describe;
pub mod diagnostics;
pub mod graph;
pub mod help;
pub mod json;
mod listing;
pub mod page;
pub mod plan;
pub mod problem;
pub mod progress;
mod recover;
mod rollback;
pub mod sanitize;
mod stood_in;
pub mod time;
pub mod value;
pub mod yaml;

pub use listing::{histories, histories_json, outputs, resource, resources};
pub use recover::believed;
pub use rollback::still_says;
pub use stood_in::stood_in;
