//! Applying a plan: the only caller of the writer.

mod dispatcher;
mod event;
mod fill;
mod managed;

pub use event::*;
