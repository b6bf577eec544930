//! Applying a plan: the only caller of the writer.

mod event;

pub use event::*;
