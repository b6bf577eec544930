//! Watching a run.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;

use crate::apply::Event;
use crate::cli::host::Host;
use crate::views::progress::{ApplyView, JsonLines, Lines, Live};

/// How often a view is told what time it is.
const TICK: Duration = Duration::from_millis(100);

/// Shows the run: JSON lines on standard output, else live or line by line on standard error. A run that
/// has nothing to do has nothing to show.
pub(super) fn view<'h>(
    json: bool,
    quiet: bool,
    destroy: bool,
    host: &'h mut Host,
) -> Box<dyn ApplyView + 'h> {
    let layout = host.err_layout();
    if json {
        Box::new(JsonLines::new(host.out()))
    } else if quiet {
        Box::new(Lines::new(std::io::sink(), layout, destroy))
    } else if host.is_live() {
        host.say("\n");
        Box::new(Live::new(layout, destroy))
    } else {
        host.say("\n");
        Box::new(Lines::new(host.err(), layout, destroy))
    }
}

/// Feeds the view until the run is over.
pub(super) async fn watch(mut events: UnboundedReceiver<Event>, mut view: Box<dyn ApplyView + '_>) {
    let start = Instant::now();
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => view.event(&event),
                None => return,
            },
            _ = tick.tick() => view.tick(start.elapsed()),
        }
    }
}
