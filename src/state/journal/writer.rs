//! Appends to the journal, with one sync for all `begin`s that wait at the same time.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::{Record, record_line};
use crate::failpoint;
use crate::state::Error;
use crate::state::disk::Open;

/// Most records that share a sync: bounds the memory of one write, not the wait.
const BATCH: usize = 1024;

/// The thread that owns the journal file. After the first failure it writes nothing more: a sync that
/// failed once may lie the next time.
#[derive(Debug)]
pub(in crate::state) struct Writer {
    path: PathBuf,
    sender: Option<Sender<Message>>,
    failure: Arc<OnceLock<String>>,
    thread: Option<JoinHandle<Option<End>>>,
}

/// Where a journal ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::state) struct End {
    /// Bytes that count.
    pub(in crate::state) valid: u64,
    /// Checksum of the last line.
    pub(in crate::state) sum: String,
    /// Syncs made by this writer.
    pub(in crate::state) syncs: u64,
}

#[cfg_attr(test, expect(clippy::large_enum_variant, reason = "the small one is for tests"))]
enum Message {
    Append {
        record: Record,
        /// Answered once the record, and all before it, are durable.
        durable: Option<oneshot::Sender<()>>,
    },
    /// Answered once all before it is written, for tests that count file operations.
    #[cfg(test)]
    Written(Sender<()>),
}

impl Writer {
    /// Starts the thread, which goes on at the end of `file`.
    pub(in crate::state) fn start(path: PathBuf, file: Box<dyn Open>, end: End) -> Result<Self, Error> {
        let (sender, receiver) = channel();
        let failure = Arc::new(OnceLock::new());
        let shared = failure.clone();
        let thread = std::thread::Builder::new()
            .name("arrplan-journal".to_owned())
            .spawn(move || run(&receiver, file, end, &shared))
            .map_err(|source| Error::Io { action: "start the writer of", path: path.clone(), source })?;
        Ok(Self { path, sender: Some(sender), failure, thread: Some(thread) })
    }

    /// Appends a record; the answer comes when it is durable. [`Self::failed`] tells why none came.
    pub(in crate::state) fn append_durably(&self, record: Record) -> Result<oneshot::Receiver<()>, Error> {
        let (sender, receiver) = oneshot::channel();
        self.send(record, Some(sender))?;
        Ok(receiver)
    }

    /// Appends a record; it is durable with the next durable one.
    pub(in crate::state) fn append(&self, record: Record) -> Result<(), Error> {
        self.send(record, None)
    }

    fn send(&self, record: Record, durable: Option<oneshot::Sender<()>>) -> Result<(), Error> {
        let sent = match (&self.sender, self.failure.get()) {
            (Some(sender), None) => sender.send(Message::Append { record, durable }).is_ok(),
            _ => false,
        };
        if sent { Ok(()) } else { Err(self.failed()) }
    }

    /// The error for a record that was not written.
    pub(in crate::state) fn failed(&self) -> Error {
        let reason = self.failure.get().map_or("its writer has ended", String::as_str);
        Error::Journal { path: self.path.clone(), reason: reason.to_owned() }
    }

    /// Writes what is waiting and ends; where the journal ends now, unless it failed.
    pub(in crate::state) fn finish(mut self) -> Option<End> {
        self.stop()
    }

    /// Waits until everything appended so far is written, or failed.
    #[cfg(test)]
    pub(in crate::state) fn wait_until_written(&self) {
        let (sender, receiver) = channel();
        // Without an answer the writer has ended.
        if let Some(writer) = &self.sender {
            writer.send(Message::Written(sender)).ok();
        }
        receiver.recv().ok();
    }

    fn stop(&mut self) -> Option<End> {
        self.sender = None;
        // A panic of the thread has been reported by the panic hook; its journal counts as failed.
        self.thread.take()?.join().ok().flatten()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(
    receiver: &Receiver<Message>,
    mut file: Box<dyn Open>,
    mut end: End,
    failure: &OnceLock<String>,
) -> Option<End> {
    let mut lines = String::new();
    let mut waiting = Vec::new();
    #[cfg(test)]
    let mut watching = Vec::new();
    while let Ok(first) = receiver.recv() {
        lines.clear();
        let more = std::iter::from_fn(|| receiver.try_recv().ok());
        for message in std::iter::once(first).chain(more).take(BATCH) {
            match message {
                Message::Append { record, durable } => {
                    let (line, sum) = record_line(&record, &end.sum);
                    lines.push_str(&line);
                    end.sum = sum;
                    waiting.extend(durable);
                }
                #[cfg(test)]
                Message::Written(sender) => watching.push(sender),
            }
        }
        if !lines.is_empty() {
            failpoint::hit("record.writing");
            let written = file.append(lines.as_bytes()).and_then(|()| {
                failpoint::hit("record.written");
                if waiting.is_empty() {
                    return Ok(());
                }
                end.syncs += 1;
                file.sync()?;
                failpoint::hit("record.synced");
                Ok(())
            });
            if let Err(error) = written {
                // Set before the waiting senders are dropped: whoever wakes up finds the reason.
                failure.get_or_init(|| error.to_string());
                return None;
            }
        }
        end.valid += lines.len() as u64;
        for sender in waiting.drain(..) {
            // Nobody may be waiting any more; the record is durable all the same.
            sender.send(()).ok();
        }
        #[cfg(test)]
        for sender in watching.drain(..) {
            sender.send(()).unwrap();
        }
    }
    Some(end)
}
