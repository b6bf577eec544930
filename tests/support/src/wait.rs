//! Waiting for what another process will do.

use std::time::{Duration, Instant};

/// Asks `probe` until it has an answer, for at most a minute.
///
/// # Panics
/// With `what`, when the minute is over.
#[track_caller]
pub fn eventually<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    eventually_within(Duration::from_mins(1), what, probe)
}

/// Asks `probe` until it has an answer, for at most `limit`.
///
/// # Panics
/// With `what`, when the time is over.
#[track_caller]
pub fn eventually_within<T>(limit: Duration, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    let mut pause = Duration::from_millis(20);
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(started.elapsed() < limit, "waited {} s for: {what}", limit.as_secs());
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(300));
    }
}

/// Whether the full counts are asked for, which take minutes: `ARRPLAN_SOAK=1`.
#[must_use]
pub fn soak() -> bool {
    std::env::var_os("ARRPLAN_SOAK").is_some()
}
