//! Watching: a list, then its changes, for ever. Never ends by itself: what goes wrong is told and tried again.

use std::collections::VecDeque;
use std::time::Duration;

use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::answer::echoed;
use super::classify::{Asked, classify};
use super::error::Error;
use super::reader::{Listed, Reader, what};
use super::retry;
use super::transport::{Call, IDLE, Opened};
use super::url::{self, Query};
use super::{Api, ServedBy};
use crate::object::Object;

/// How long the server is asked to keep one watch open, seconds. Shorter than [`IDLE`], which ends a connection
/// that died without a word.
const OPEN_FOR: &str = "120";
/// Pause between reads where watching is not allowed.
const POLL: Duration = Duration::from_secs(2);
/// Longest line: an object is at most a few MiB.
const LONGEST_LINE: usize = 64 << 20;

/// A change of what is watched.
#[derive(Debug, Clone, PartialEq)]
pub enum ListObservation {
    /// All there is; what was seen before and is not in it is gone.
    All(Vec<Object>),
    /// Made or changed.
    Changed(Object),
    /// Gone, or no longer selected; as it was last.
    Gone(Object),
    /// The cluster did not answer as it should. The watch goes on by itself.
    Trouble(Error),
}

/// A change of one object.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// It is like this.
    Present(Object),
    /// There is none.
    Absent,
    /// The cluster did not answer as it should. The watch goes on by itself.
    Trouble(Error),
}

/// A watch of many objects; made by [`Reader::watch_list`].
pub struct ListWatch {
    reader: Reader,
    api: Api,
    namespace: Option<String>,
    /// With it, one object is watched.
    name: Option<String>,
    query: Query,
    state: State,
    /// Watching is not allowed, or tells too little: read again and again.
    polling: bool,
    /// Listing is not allowed either: read the one object.
    by_get: bool,
    failures: u32,
    pause_until: Option<Instant>,
}

enum State {
    List,
    Watch { from: String },
    Reading { from: String, lines: Lines, since: Instant },
}

/// A watch of one object; made by [`Reader::watch_object`].
pub struct ObjectWatch {
    feed: ListWatch,
    waiting: VecDeque<Observation>,
}

impl Reader {
    /// Watches one object: first how it is, then every change.
    #[must_use]
    pub fn watch_object(&self, api: &Api, namespace: Option<&str>, name: &str) -> ObjectWatch {
        let query = Query::default().with("fieldSelector", &format!("metadata.name={name}"));
        ObjectWatch { feed: self.feed(api, namespace, Some(name), query), waiting: VecDeque::new() }
    }

    /// Watches the objects of a kind, in one namespace or all: first all of them, then every change.
    #[must_use]
    pub fn watch_list(&self, api: &Api, namespace: Option<&str>, label_selector: Option<&str>) -> ListWatch {
        let query = Query::default().maybe("labelSelector", label_selector);
        self.feed(api, namespace, None, query)
    }

    fn feed(&self, api: &Api, namespace: Option<&str>, name: Option<&str>, query: Query) -> ListWatch {
        ListWatch {
            reader: self.clone(),
            api: api.clone(),
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
            query,
            state: State::List,
            // Cozystack's aggregated API loses what happens between its list and its watch (measured: the end of
            // an object that was being deleted was never told).
            polling: !api.can("watch") || api.served_by == ServedBy::Aggregated,
            by_get: false,
            failures: 0,
            pause_until: None,
        }
    }
}

impl ObjectWatch {
    /// The next observation. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Observation {
        loop {
            if let Some(observation) = self.waiting.pop_front() {
                return observation;
            }
            let name = self.feed.name.clone().unwrap_or_default();
            match self.feed.next().await {
                ListObservation::All(objects) => {
                    // A server that does not select by name sends them all.
                    let own = objects.into_iter().find(|object| object.name() == name);
                    self.waiting.push_back(own.map_or(Observation::Absent, Observation::Present));
                }
                ListObservation::Changed(object) if object.name() == name => {
                    return Observation::Present(object);
                }
                ListObservation::Gone(object) if object.name() == name => return Observation::Absent,
                ListObservation::Changed(_) | ListObservation::Gone(_) => {}
                ListObservation::Trouble(error) => return Observation::Trouble(error),
            }
        }
    }
}

/// What a line of a watch says.
enum Line {
    Tell(ListObservation),
    /// Only how far we are.
    Bookmark,
    /// What we know is too old: list anew.
    Expired,
    Trouble(Error),
}

impl ListWatch {
    /// The next observation. Dropping the future loses nothing.
    pub async fn next(&mut self) -> ListObservation {
        loop {
            if let Some(until) = self.pause_until {
                tokio::time::sleep_until(until).await;
                self.pause_until = None;
            }
            match &mut self.state {
                State::List => {
                    if let Some(told) = self.list().await {
                        return told;
                    }
                }
                State::Watch { from } => {
                    let from = from.clone();
                    if let Some(told) = self.open(from).await {
                        return told;
                    }
                }
                State::Reading { from, lines, since } => {
                    let line = timeout(IDLE, lines.next()).await;
                    let lived = since.elapsed();
                    let from_now = from.clone();
                    match line {
                        Ok(Ok(Some(line))) => {
                            let (line, version) = self.understand(&line);
                            if let State::Reading { from, .. } = &mut self.state
                                && let Some(version) = version
                            {
                                *from = version;
                            }
                            match line {
                                Line::Tell(told) => {
                                    self.failures = 0;
                                    return told;
                                }
                                Line::Bookmark => self.failures = 0,
                                Line::Expired => self.state = State::List,
                                Line::Trouble(error) => {
                                    self.state = State::List;
                                    self.back_off();
                                    return ListObservation::Trouble(error);
                                }
                            }
                        }
                        // The end of a watch is nothing special, unless it comes at once each time.
                        Ok(Ok(None)) if lived >= Duration::from_secs(1) => {
                            self.state = State::Watch { from: from_now };
                        }
                        Ok(_) => {
                            self.state = State::Watch { from: from_now };
                            self.back_off();
                        }
                        Err(_) => self.state = State::Watch { from: from_now },
                    }
                }
            }
        }
    }

    fn back_off(&mut self) {
        self.failures = self.failures.saturating_add(1);
        let pause = retry::pause(self.failures, None, retry::random());
        self.pause_until = Some(Instant::now() + pause);
    }

    async fn list(&mut self) -> Option<ListObservation> {
        let listed = match (&self.name, self.by_get) {
            (Some(name), true) => {
                let got = self.reader.get(&self.api, self.namespace.as_deref(), name).await;
                got.map(|object| Listed {
                    objects: object.into_iter().collect(),
                    resource_version: String::new(),
                })
            }
            _ => self.reader.list_all(&self.api, self.namespace.as_deref(), &self.query).await,
        };
        match listed {
            Ok(listed) => {
                self.failures = 0;
                if self.polling {
                    self.pause_until = Some(Instant::now() + POLL);
                } else {
                    self.state = State::Watch { from: listed.resource_version };
                }
                Some(ListObservation::All(listed.objects))
            }
            Err(Error::Forbidden(_)) if self.name.is_some() && !self.by_get => {
                self.by_get = true;
                self.polling = true;
                None
            }
            Err(error) => {
                self.back_off();
                Some(ListObservation::Trouble(error))
            }
        }
    }

    async fn open(&mut self, from: String) -> Option<ListObservation> {
        let asked = self.asked();
        let query = self
            .query
            .clone()
            .with("watch", "1")
            .with("allowWatchBookmarks", "true")
            .with("timeoutSeconds", OPEN_FOR)
            .with("resourceVersion", &from);
        let call = Call::get(
            query.on(&url::collection(&self.api, self.namespace.as_deref())),
            what("WATCH", &asked),
        );
        let error = match self.reader.open(&call).await {
            Ok(Opened::Stream(body)) => {
                self.state = State::Reading {
                    from,
                    lines: Lines { body, buffer: Vec::new(), searched: 0 },
                    since: Instant::now(),
                };
                return None;
            }
            Ok(Opened::Refused(reply)) => classify(&reply, &asked),
            Err(error) => error,
        };
        match error {
            Error::Other { status: 410, .. } => {
                self.state = State::List;
                self.back_off();
                None
            }
            Error::Forbidden(_) | Error::Other { status: 405, .. } => {
                self.polling = true;
                self.state = State::List;
                self.pause_until = Some(Instant::now() + POLL);
                None
            }
            error => {
                self.back_off();
                Some(ListObservation::Trouble(error))
            }
        }
    }

    fn asked(&self) -> Asked<'_> {
        Asked { api: &self.api, namespace: self.namespace.as_deref(), name: "" }
    }

    /// Reads a line, and the resourceVersion it brings us to.
    fn understand(&self, line: &[u8]) -> (Line, Option<String>) {
        let nonsense = |text: &str| {
            let error = Error::Nonsense(format!("the watch of {}: {text}", self.api.plural));
            (Line::Trouble(error), None)
        };
        let Ok(Value::Object(mut event)) = serde_json::from_slice(line) else {
            return nonsense("a line that is no JSON");
        };
        let object = event.remove("object").unwrap_or_default();
        let kind = event.get("type").and_then(Value::as_str).unwrap_or_default();
        if kind == "ERROR" {
            if object.get("code").and_then(Value::as_u64) == Some(410) {
                return (Line::Expired, None);
            }
            let message =
                object.get("message").and_then(Value::as_str).unwrap_or("an error without a message");
            return (Line::Trouble(Error::Unavailable(message.to_owned())), None);
        }
        let object = Object(object);
        let version = Some(object.resource_version().to_owned()).filter(|version| !version.is_empty());
        if kind == "BOOKMARK" {
            return (Line::Bookmark, version);
        }
        let (namespace, name) = (object.namespace().map(str::to_owned), object.name().to_owned());
        let asked = Asked {
            api: &self.api,
            namespace: self.namespace.as_deref().or(namespace.as_deref()),
            name: &name,
        };
        let object = match echoed(object.0, &asked) {
            Ok(object) if !name.is_empty() => object,
            Ok(_) => return nonsense("an object without a name"),
            Err(error) => return (Line::Trouble(error), None),
        };
        match kind {
            "ADDED" | "MODIFIED" => (Line::Tell(ListObservation::Changed(object)), version),
            "DELETED" => (Line::Tell(ListObservation::Gone(object)), version),
            _ => nonsense("an event of no known type"),
        }
    }
}

/// The lines of a body.
struct Lines {
    body: Body,
    buffer: Vec<u8>,
    /// How much of the buffer holds no newline.
    searched: usize,
}

impl Lines {
    /// The next line; `None` at a clean end. Safe to drop: what arrived stays in the buffer.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, ()> {
        loop {
            if let Some(at) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(self.searched + at + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                self.searched = 0;
                line.pop();
                if line.is_empty() {
                    continue;
                }
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > LONGEST_LINE {
                return Err(());
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(_)) => return Err(()),
            }
        }
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
