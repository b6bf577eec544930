//! Ctrl-C, SIGTERM and SIGHUP: the first one asks to stop, the second one leaves.

use std::io::Write as _;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::error::Exit;

/// What a command that writes says when it leaves at once.
pub(super) const LEFT: &str =
    "\nLeft at once. What was under way is in the journal: the next run finds out what became of it.\n";

/// A token that the first signal cancels. The second one ends the process at once, after `farewell`: what was
/// written is in the journal, so nothing is lost.
///
/// # Errors
/// When the system gives no signal handlers.
pub(super) fn watch(farewell: &'static str) -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let asked = token.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            if asked.is_cancelled() {
                leave(farewell);
            }
            asked.cancel();
        }
    });
    Ok(token)
}

#[expect(clippy::exit, reason = "the user asked twice; nothing waits for anything any more")]
fn leave(farewell: &str) {
    // Whoever hung up does not read it.
    let _gone = std::io::stderr().write_all(farewell.as_bytes());
    std::process::exit(i32::from(Exit::Interrupted.code()));
}
