//! What runs now, and the lines that events leave behind: shared by the live and the line view.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::address::Address;
use crate::apply::{Event, EventKind, Summary};
use crate::plan::Action;
use crate::views::page::{Layout, Page, Text, Tone};
use crate::views::time::{exact, whole};

/// Column at which durations end.
const COLUMN: usize = 60;

/// A change that runs.
#[derive(Debug)]
pub(super) struct Row {
    action: Action,
    started: Duration,
    waits: Option<String>,
    usual: Option<Duration>,
}

/// The running changes, and what the whole run is about.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) layout: Layout,
    pub(super) running: BTreeMap<Address, Row>,
    /// `destroy` says "Deleted" at the end.
    destroy: bool,
    total: usize,
    ended: usize,
    /// Of a destroy: what was left in the cluster, no longer ours.
    forgotten: usize,
}

impl Board {
    pub(super) fn new(layout: Layout, destroy: bool) -> Self {
        Self { layout, running: BTreeMap::new(), destroy, total: 0, ended: 0, forgotten: 0 }
    }

    /// Takes the event in; what it leaves on the page for good, if anything.
    pub(super) fn take(&mut self, event: &Event) -> Option<String> {
        let mut page = Page::new(self.layout);
        match &event.kind {
            EventKind::Started { total } => self.total = *total,
            EventKind::ChangeStarted { address, action, usual } => {
                let row = Row { action: *action, started: event.elapsed, waits: None, usual: *usual };
                self.running.insert(address.clone(), row);
            }
            EventKind::Written { address } => {
                let going = self.running.get(address).is_some_and(|row| row.action == Action::Delete);
                let what = if going { "accepted, not gone yet" } else { "accepted, not ready yet" };
                self.waits(address, what);
            }
            EventKind::Waiting { address, what } => self.waits(address, what),
            EventKind::Retrying { address, why, pause } => {
                self.waits(address, &format!("trying again{}: {why}", in_pause(*pause)));
            }
            EventKind::Done { address, action, took, detail } => {
                self.end(address);
                self.forgotten += usize::from(self.destroy && *action == Action::Forget);
                let detail = detail.as_deref().map_or_else(
                    || Text::tone(Tone::Dim, done(*action)),
                    |detail| Text::tone(Tone::Dim, detail),
                );
                page_line(&mut page, "ok", Tone::Good, address, *took, &detail);
            }
            EventKind::Failed { address, took, lines, .. } => {
                self.end(address);
                let text = Text::tone(Tone::Danger, "FAILED")
                    .add(Tone::Plain, "  ")
                    .add(Tone::Strong, &address.to_string());
                page.columns(2, &text, COLUMN - 6, &Text::plain(&format!("after {}", whole(*took))));
                for line in lines.iter().flat_map(|line| line.lines()) {
                    let indent = line.len() - line.trim_start().len();
                    page.wrapped(6 + indent, 8 + indent, &Text::plain(line.trim_start()));
                }
            }
            EventKind::Skipped { address, cause } => {
                self.end(address);
                let text = Text::tone(Tone::Change, "skipped")
                    .add(Tone::Plain, " ")
                    .add(Tone::Strong, &address.to_string());
                page.columns(2, &text, 0, &Text::plain(&format!("because {cause} failed")));
            }
            EventKind::Interrupted { address, written, in_doubt } => {
                let waited = self.running.get(address).is_some_and(|row| row.action == Action::NoOp);
                self.end(address);
                let text = Text::tone(Tone::Change, "stopped")
                    .add(Tone::Plain, " ")
                    .add(Tone::Strong, &address.to_string());
                let what = match (written, waited) {
                    _ if *in_doubt => "in doubt: no answer; the next run finds out",
                    (true, _) => "applied, readiness not observed",
                    (false, true) => "not waited for any longer",
                    (false, false) => "not started",
                };
                page.columns(2, &text, 0, &Text::plain(what));
            }
            EventKind::Stopping => page.wrapped(
                2,
                4,
                &Text::tone(Tone::Change, "stopping: nothing new starts, requests in flight are finished")
                    .add(Tone::Plain, " (again to leave at once; nothing is lost)"),
            ),
            EventKind::Finished { summary } => {
                self.running.clear();
                page.wrapped(0, 2, &self.summary(summary, event.elapsed));
            }
        }
        let text = page.finish();
        (!text.is_empty()).then_some(text)
    }

    fn waits(&mut self, address: &Address, what: &str) {
        if let Some(row) = self.running.get_mut(address) {
            row.waits = Some(what.to_owned());
        }
    }

    fn end(&mut self, address: &Address) {
        self.running.remove(address);
        self.ended += 1;
    }

    /// One line per running change, oldest first.
    pub(super) fn rows(&self, elapsed: Duration) -> Vec<Text> {
        let mut rows: Vec<(&Address, &Row)> = self.running.iter().collect();
        rows.sort_by_key(|(address, row)| (row.started, *address));
        rows.into_iter().map(|(address, row)| row.text(address, elapsed)).collect()
    }

    /// `3 of 5 done`.
    pub(super) fn progress(&self) -> String {
        format!("{} of {} done", self.ended, self.total)
    }

    fn summary(&self, summary: &Summary, elapsed: Duration) -> Text {
        let what = if self.destroy { "Deleted" } else { "Applied" };
        // A short run is told by tenths, a long one by seconds.
        let took = if elapsed.as_secs() < 10 { exact(elapsed) } else { whole(elapsed) };
        let state = format!("serial {}", summary.serial);
        if summary.failed + summary.skipped + summary.interrupted == 0 {
            let forgotten = match self.forgotten {
                0 => String::new(),
                n => format!(", forgot {n}"),
            };
            let done = summary.done.saturating_sub(self.forgotten);
            let total = self.total.max(summary.done).saturating_sub(self.forgotten);
            let text = format!("{what} {done} of {total}{forgotten} in {took}.");
            return Text::tone(Tone::Good, &text).add(Tone::Dim, &format!(" {state}"));
        }
        let tone = if summary.failed > 0 { Tone::Danger } else { Tone::Change };
        let saved = format!(" State saved, {state}.");
        if summary.interrupted > 0 {
            let mut parts = vec![format!("{} done", summary.done)];
            let unseen = summary.interrupted.saturating_sub(summary.in_doubt + summary.not_started);
            for (n, word) in
                [(summary.failed, "failed"), (summary.skipped, "skipped"), (unseen, "not waited for")]
            {
                if n > 0 {
                    parts.push(format!("{n} {word}"));
                }
            }
            parts.push(format!("{} in doubt", summary.in_doubt));
            parts.push(format!("{} not started", summary.not_started));
            return Text::tone(tone, &format!("Interrupted after {took}: {}.", parts.join(", ")))
                .add(Tone::Plain, &saved);
        }
        let mut parts = vec![format!("{what} {}", summary.done.saturating_sub(self.forgotten))];
        for (n, word) in
            [(self.forgotten, "forgot"), (summary.failed, "failed"), (summary.skipped, "skipped")]
        {
            if n > 0 {
                parts.push(format!("{word} {n}"));
            }
        }
        Text::tone(tone, &format!("{} in {took}.", parts.join(", "))).add(Tone::Plain, &saved)
    }
}

impl Row {
    fn text(&self, address: &Address, elapsed: Duration) -> Text {
        let took = whole(elapsed.saturating_sub(self.started));
        let what = self.waits.as_deref().unwrap_or(match self.action {
            Action::Delete => "deleting",
            Action::NoOp => "not ready yet",
            _ => "writing",
        });
        let mut text = Text::tone(Tone::Note, "..")
            .add(Tone::Plain, "  ")
            .add(Tone::Strong, &address.to_string())
            .add(Tone::Plain, &format!("  {took}  "))
            .add(Tone::Plain, what);
        if let Some(usual) = self.usual {
            text = text.add(Tone::Dim, &format!("  (usually {})", whole(usual)));
        }
        text
    }
}

/// ` in 2s`, where it is long enough to be asked about.
pub(super) fn in_pause(pause: Duration) -> String {
    if pause < Duration::from_secs(1) { String::new() } else { format!(" in {}", whole(pause)) }
}

/// What is said of a change that has nothing more to say.
fn done(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Update => "changed",
        Action::Replace => "replaced",
        Action::Delete => "gone",
        Action::Adopt => "adopted",
        Action::Forget => "forgotten",
        Action::Keep => "kept",
        Action::NoOp => "works",
    }
}

fn page_line(page: &mut Page, word: &str, tone: Tone, address: &Address, took: Duration, detail: &Text) {
    let took = exact(took);
    let name = address.to_string();
    // The duration is right-aligned in front of the detail, as long as the name leaves room.
    let room = COLUMN.saturating_sub(2 + word.len() + 2 + name.chars().count());
    let gap = room.saturating_sub(took.len()).max(2);
    let text = Text::tone(tone, word)
        .add(Tone::Plain, "  ")
        .add(Tone::Strong, &name)
        .add(Tone::Plain, &" ".repeat(gap))
        .add(Tone::Plain, &took);
    page.columns(2, &text, 0, detail);
}
