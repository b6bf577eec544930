//! Why nothing happens before there is a plan to show.

use std::time::{Duration, Instant};

use super::board::in_pause;
use crate::cluster::Retrying;

/// A shorter pause is over before it is read about.
const WORTH: Duration = Duration::from_secs(1);
/// Time between two lines: sixteen requests under way are refused for one reason.
const BETWEEN: Duration = Duration::from_secs(10);

/// Which repeated requests are worth a line.
#[derive(Debug, Default)]
pub struct Pauses {
    last: Option<Instant>,
}

impl Pauses {
    /// The line for a repeated request. What the server said is left out: it may hold what is secret, and
    /// nothing that filters it is at hand yet.
    pub fn line(&mut self, retrying: &Retrying, now: Instant) -> Option<String> {
        let again = self.last.is_some_and(|last| now.duration_since(last) < BETWEEN);
        if again || retrying.pause < WORTH {
            return None;
        }
        self.last = Some(now);
        let Retrying { what, why, pause, .. } = retrying;
        Some(format!("{why}: trying again{} ({what})", in_pause(*pause)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_pause_is_told_once_in_a_while_without_the_servers_words() {
        let retrying = |millis| Retrying {
            what: "GET configmaps home/app".to_owned(),
            why: "the API server asks to slow down".to_owned(),
            said: "canary".to_owned(),
            pause: Duration::from_millis(millis),
        };
        let (mut pauses, start) = (Pauses::default(), Instant::now());
        assert_eq!(pauses.line(&retrying(800), start), None);
        assert_eq!(
            pauses.line(&retrying(30_000), start).as_deref(),
            Some("the API server asks to slow down: trying again in 30s (GET configmaps home/app)")
        );
        assert_eq!(pauses.line(&retrying(30_000), start + Duration::from_secs(9)), None);
        assert!(pauses.line(&retrying(30_000), start + Duration::from_secs(10)).is_some());
    }
}
