//! Views for anything that is not a terminal: lines with a heartbeat, and JSON lines.

use std::io::Write;
use std::time::Duration;

use super::ApplyView;
use super::board::Board;
use crate::apply::{Event, EventKind};
use crate::views::json;
use crate::views::page::{Layout, Page};

/// Silence after which the running changes are named again.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A line for everything that ends, and every ten silent seconds one for everything that runs.
#[derive(Debug)]
pub struct Lines<W> {
    out: W,
    board: Board,
    last: Duration,
}

impl<W: Write> Lines<W> {
    /// Writes to `out`; `destroy` words the last line.
    pub fn new(out: W, layout: Layout, destroy: bool) -> Self {
        Self { out, board: Board::new(layout, destroy), last: Duration::ZERO }
    }

    fn write(&mut self, text: &str, at: Duration) {
        self.last = at;
        // Whoever read this may be gone; the run goes on.
        let _gone = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

impl<W: Write> ApplyView for Lines<W> {
    fn event(&mut self, event: &Event) {
        if let Some(text) = self.board.take(event) {
            self.write(&text, event.elapsed);
        }
    }

    fn tick(&mut self, elapsed: Duration) {
        if self.board.running.is_empty() || elapsed.saturating_sub(self.last) < HEARTBEAT {
            return;
        }
        let mut page = Page::new(self.board.layout);
        for row in self.board.rows(elapsed) {
            page.wrapped(2, 6, &row);
        }
        self.write(&page.finish(), elapsed);
    }
}

/// One JSON object a line, see [`json::EVENTS_SCHEMA`].
#[derive(Debug)]
pub struct JsonLines<W> {
    out: W,
    last: Option<(String, String)>,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, last: None }
    }
}

impl<W: Write> ApplyView for JsonLines<W> {
    fn event(&mut self, event: &Event) {
        // Controllers touch their objects often: the same wait is not told twice in a row.
        let wait = match &event.kind {
            EventKind::Waiting { address, what } => Some((address.to_string(), what.clone())),
            _ => None,
        };
        if wait.is_some() && wait == self.last {
            return;
        }
        self.last = wait;
        let line = json::line(&json::event(event));
        // Whoever read this may be gone; the run goes on.
        let _gone = self.out.write_all(line.as_bytes()).and_then(|()| self.out.flush());
    }

    fn tick(&mut self, _elapsed: Duration) {}
}
