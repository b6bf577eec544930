//! How many requests are under way at once: additive increase, multiplicative decrease on 429.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// One burst of refusals counts once: all its requests were under way with the same limit.
const SAME_BURST: Duration = Duration::from_secs(1);

/// The limit. *Invariant:* 1 ≤ limit ≤ max, and permits out plus permits free minus debt = limit.
#[derive(Debug)]
pub(crate) struct Limiter {
    permits: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    max: usize,
    limit: usize,
    /// Permits to take out of circulation as soon as they come back.
    debt: usize,
    /// Successes since the last increase.
    credit: usize,
    decreased: Option<Instant>,
}

impl Limiter {
    pub(crate) fn new(max: usize) -> Self {
        let max = max.max(1);
        Self {
            permits: Arc::new(Semaphore::new(max)),
            state: Mutex::new(State { max, limit: max, debt: 0, credit: 0, decreased: None }),
        }
    }

    /// Waits for a turn. Hand the permit back with [`Limiter::done`]; dropping it is a plain return.
    pub(crate) async fn turn(&self) -> OwnedSemaphorePermit {
        self.permits.clone().acquire_owned().await.expect("the semaphore is never closed")
    }

    /// Ends a turn: `refused` if the server answered 429.
    pub(crate) fn done(&self, permit: OwnedSemaphorePermit, refused: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if refused {
            state.credit = 0;
            if state.decreased.is_none_or(|at| at.elapsed() >= SAME_BURST) {
                state.decreased = Some(Instant::now());
                let lower = (state.limit / 2).max(1);
                let less = state.limit - lower;
                state.debt += less - self.permits.forget_permits(less);
                state.limit = lower;
            }
        } else if state.limit < state.max {
            state.credit += 1;
            if state.credit >= state.limit {
                state.credit = 0;
                state.limit += 1;
                if state.debt > 0 {
                    state.debt -= 1;
                } else {
                    self.permits.add_permits(1);
                }
            }
        }
        if state.debt > 0 {
            state.debt -= 1;
            permit.forget();
        }
    }

    #[cfg(test)]
    pub(crate) fn limit(&self) -> usize {
        self.state.lock().unwrap().limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_refusals_halves_once_and_successes_raise_slowly() {
        let limiter = Limiter::new(16);
        let mut turns = Vec::new();
        for _ in 0..16 {
            turns.push(limiter.turn().await);
        }
        for turn in turns {
            limiter.done(turn, true);
        }
        assert_eq!(limiter.limit(), 8);
        assert_eq!(limiter.permits.available_permits(), 8);
        for _ in 0..8 {
            let turn = limiter.turn().await;
            limiter.done(turn, false);
        }
        assert_eq!(limiter.limit(), 9);
        for _ in 0..6 {
            tokio::time::advance(SAME_BURST).await;
            let turn = limiter.turn().await;
            limiter.done(turn, true);
        }
        assert_eq!(limiter.limit(), 1);
        assert_eq!(limiter.permits.available_permits(), 1);
        for _ in 0..1000 {
            let turn = limiter.turn().await;
            limiter.done(turn, false);
        }
        assert_eq!(limiter.limit(), 16);
        assert_eq!(limiter.permits.available_permits(), 16);
    }
}
