//! The stack language: TOML text in, a valid [`Stack`] and diagnostics out.

mod model;

pub use model::*;
