//! Ctrl-C, SIGTERM and SIGHUP: the first one asks to stop, the second one leaves.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::error::Exit;

/// A token that the first signal cancels. The second one ends the process at once: what was written is in
/// the journal, so nothing is lost.
///
/// # Errors
/// When the system gives no signal handlers.
pub(super) fn watch() -> std::io::Result<CancellationToken> {
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
                leave();
            }
            asked.cancel();
        }
    });
    Ok(token)
}

#[expect(clippy::exit, reason = "the user asked twice; nothing waits for anything any more")]
fn leave() {
    std::process::exit(i32::from(Exit::Interrupted.code()));
}
