//! The view on a terminal: a line per running change, what ended above them.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::ApplyView;
use super::board::Board;
use crate::apply::Event;
use crate::views::page::{Layout, Text};

/// Running changes that have their own line; more are counted.
const ROWS: usize = 12;

/// Draws on the terminal behind standard error.
#[derive(Debug)]
pub struct Live {
    board: Board,
    multi: MultiProgress,
    bars: Vec<ProgressBar>,
    drawn: Duration,
    color: bool,
}

impl Live {
    /// `destroy` words the last line.
    #[must_use]
    pub fn new(layout: Layout, destroy: bool) -> Self {
        Self::on(ProgressDrawTarget::stderr(), layout, destroy)
    }

    /// Draws on `target`.
    #[must_use]
    pub fn on(target: ProgressDrawTarget, layout: Layout, destroy: bool) -> Self {
        Self {
            color: layout.color,
            board: Board::new(layout, destroy),
            multi: MultiProgress::with_draw_target(target),
            bars: Vec::new(),
            drawn: Duration::ZERO,
        }
    }

    fn draw(&mut self, elapsed: Duration) {
        self.drawn = elapsed;
        let mut rows = self.board.rows(elapsed);
        if rows.len() > ROWS {
            let rest = rows.split_off(ROWS - 1).len();
            rows.push(Text::plain(&format!("..  and {rest} more running")));
        }
        if !rows.is_empty() {
            rows.push(Text::plain(&self.board.progress()));
        }
        while self.bars.len() > rows.len() {
            if let Some(bar) = self.bars.pop() {
                bar.finish_and_clear();
                self.multi.remove(&bar);
            }
        }
        while self.bars.len() < rows.len() {
            let bar = ProgressBar::new_spinner().with_style(style());
            self.bars.push(self.multi.add(bar));
        }
        for (bar, row) in self.bars.iter().zip(&rows) {
            let text = row.render(self.color);
            if bar.message() != text {
                bar.set_message(text);
                bar.tick();
            }
        }
    }
}

/// One line, cut at the terminal's width: a wrapped one would not be cleared again.
fn style() -> ProgressStyle {
    ProgressStyle::with_template("  {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl ApplyView for Live {
    fn event(&mut self, event: &Event) {
        let text = self.board.take(event);
        // First the rows, so that what ended is gone from them when its line appears above.
        self.draw(event.elapsed);
        if let Some(text) = text {
            // A terminal that went away takes nothing; the run goes on.
            let _gone = self.multi.println(text.trim_end_matches('\n'));
        }
    }

    fn tick(&mut self, elapsed: Duration) {
        if elapsed.saturating_sub(self.drawn) >= Duration::from_millis(250) {
            self.draw(elapsed);
        }
    }
}
