//! What an apply shows while it runs: live on a terminal, line by line elsewhere, or JSON lines.
//!
//! All three read the one stream of [`Event`]s and a clock that is passed in. They cannot stop a run: when
//! the reader of the output goes away, the run goes on to its end unseen.

mod board;
mod lines;
mod live;
mod pauses;

pub use lines::{JsonLines, Lines};
pub use live::Live;
pub use pauses::Pauses;

use std::time::Duration;

use crate::apply::Event;

/// Shows a run.
pub trait ApplyView {
    /// Something happened.
    fn event(&mut self, event: &Event);

    /// Called about every 100 ms with the time since the start of the run.
    fn tick(&mut self, elapsed: Duration);
}

#[cfg(test)]
mod tests;
