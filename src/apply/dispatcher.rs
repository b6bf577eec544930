//! The loop that decides what starts: one owner of the truth about what runs, one `select!`.
//!
//! *Invariants:* a node starts only when all its dependencies are done; each node ends exactly once (done,
//! failed, skipped by the name of the failure that is the cause, or interrupted); nothing starts after a
//! cancel, and what had started is awaited. No barriers, no polling.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::graph::{self, Graph, ReadyQueue};

/// The right to have a write in flight. Given back while a unit only waits, so that `--parallelism` counts
/// writes and never waits.
#[derive(Debug)]
pub(super) struct Slot {
    semaphore: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Slot {
    /// Lets another write start.
    pub(super) fn release(&mut self) {
        self.permit = None;
    }

    /// Waits for the right to write; nothing to do for who has it.
    pub(super) async fn take(&mut self) {
        if self.permit.is_none() {
            // The semaphore is never closed; without a permit the write would only be uncounted.
            self.permit = Arc::clone(&self.semaphore).acquire_owned().await.ok();
        }
    }
}

/// What the dispatcher runs.
pub(super) trait Units<'a> {
    /// What a unit returns.
    type Output: 'a;

    /// Whether the node sends writes, so that it has to wait for a slot.
    fn writes(&self, node: usize) -> bool;

    /// Starts the node.
    fn start(&mut self, node: usize, slot: Slot) -> LocalBoxFuture<'a, Self::Output>;

    /// Takes in the result of a node; says whether its dependents may start.
    fn finished(&mut self, node: usize, output: Self::Output) -> graph::Outcome;

    /// The node is never started, because `cause` failed.
    fn skipped(&mut self, node: usize, cause: usize);

    /// The node is never started, because of a cancel.
    fn interrupted(&mut self, node: usize);

    /// A cancel was seen.
    fn stopping(&mut self);
}

/// Runs every node of the graph.
pub(super) async fn dispatch<'a, U: Units<'a>>(
    graph: &Graph<usize>,
    parallelism: usize,
    cancel: &CancellationToken,
    units: &mut U,
) {
    let semaphore = Arc::new(Semaphore::new(parallelism.max(1)));
    let mut queue = ReadyQueue::new(graph);
    let mut running = FuturesUnordered::new();
    let mut writers: VecDeque<usize> = VecDeque::new();
    let mut stopping = false;
    loop {
        if cancel.is_cancelled() && !stopping {
            stopping = true;
            units.stopping();
            let handed_out: Vec<usize> = writers.drain(..).collect();
            let left = queue.drain();
            for node in handed_out {
                queue.finish(&node, graph::Outcome::Failed);
                units.interrupted(node);
            }
            for node in left {
                units.interrupted(node);
            }
        }
        while let Some(node) = queue.pop() {
            if units.writes(node) {
                writers.push_back(node);
            } else {
                let slot = Slot { semaphore: Arc::clone(&semaphore), permit: None };
                running.push(tagged(node, units.start(node, slot)));
            }
        }
        if running.is_empty() && writers.is_empty() {
            return;
        }
        tokio::select! {
            biased;
            () = cancel.cancelled(), if !stopping => {}
            Some((node, output)) = running.next(), if !running.is_empty() => {
                let outcome = units.finished(node, output);
                for blocked in queue.finish(&node, outcome) {
                    units.skipped(blocked, node);
                }
            }
            permit = Arc::clone(&semaphore).acquire_owned(), if !writers.is_empty() => {
                if let Some(node) = writers.pop_front() {
                    let slot = Slot { semaphore: Arc::clone(&semaphore), permit: permit.ok() };
                    running.push(tagged(node, units.start(node, slot)));
                }
            }
        }
    }
}

async fn tagged<T>(node: usize, unit: LocalBoxFuture<'_, T>) -> (usize, T) {
    (node, unit.await)
}

#[cfg(test)]
mod tests;
