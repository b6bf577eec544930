//! The thread that makes changes durable: it takes all that wait, writes them, syncs once, then tells.

use std::io;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use serde_json::Value;
use tokio::sync::oneshot;

use super::log::Log;
use super::state::Batch;
use super::{CommitError, Key, Shared, Stored};

/// The thread's handle. Ends it when dropped, after what waits is done.
#[derive(Debug)]
pub(super) struct LogThread {
    /// `None` only while it is dropped.
    queue: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Request {
    key: Key,
    expected: Option<u64>,
    object: Option<Value>,
    answer: oneshot::Sender<Result<Stored, CommitError>>,
}

impl LogThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub(super) fn start(log: Log, shared: Arc<Shared>) -> io::Result<Self> {
        let (queue, requests) = mpsc::channel();
        let name = "sandbox-log".to_owned();
        let thread = std::thread::Builder::new().name(name).spawn(move || run(log, &shared, &requests))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// See [`super::Storage::commit`].
    ///
    /// # Errors
    /// As there.
    pub(super) async fn commit(
        &self,
        key: Key,
        expected: Option<u64>,
        object: Option<Value>,
    ) -> Result<Stored, CommitError> {
        let (answer, answered) = oneshot::channel();
        let request = Request { key, expected, object, answer };
        let sent = self.queue.as_ref().is_some_and(|queue| queue.send(request).is_ok());
        if !sent {
            return Err(stopped());
        }
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }
}

impl Drop for LogThread {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A panic was printed by the thread itself, and every commit since then has failed.
            thread.join().ok();
        }
    }
}

fn stopped() -> CommitError {
    CommitError::Io(io::Error::other("the thread that writes it has stopped"))
}

fn run(mut log: Log, shared: &Shared, requests: &mpsc::Receiver<Request>) {
    while let Ok(first) = requests.recv() {
        let mut batch = Batch::default();
        let mut waiting = Vec::new();
        let state = shared.lock();
        for Request { key, expected, object, answer } in std::iter::once(first).chain(requests.try_iter()) {
            waiting.push((answer, batch.add(&state, key, expected, object)));
        }
        drop(state);
        let written = if batch.events().is_empty() { Ok(()) } else { log.append(batch.events()) };
        if written.is_ok() {
            shared.publish(batch.into_events());
        }
        for (answer, result) in waiting {
            let result = match (&written, result) {
                (Err(error), Ok(_)) => Err(CommitError::Io(io::Error::new(error.kind(), error.to_string()))),
                (_, result) => result,
            };
            // Whoever asked may have gone away.
            answer.send(result).ok();
        }
        if log.is_long() {
            let (revision, objects) = shared.lock().now();
            // Where that fails the log goes on as it is, complete, and says when to try again.
            log.rewrite(revision, &objects).ok();
        }
    }
}
