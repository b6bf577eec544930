//! What storage knows: the objects, and the latest changes in order.

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

use super::{CommitError, Compacted, Event, Key, Scope, Stored};

/// So many changes are remembered for watches and for lists of the past.
const HISTORY: usize = 10_000;

/// And not more than about so many bytes of objects that are kept for the history alone.
const HISTORY_BYTES: usize = 64 << 20;

/// The revision before the first change.
pub(super) const FIRST: u64 = 1;

/// Objects and history.
#[derive(Debug)]
pub(super) struct State {
    revision: u64,
    objects: BTreeMap<Key, Stored>,
    /// Every change after `oldest`, and what it costs to remember it.
    history: VecDeque<(Event, usize)>,
    cost: usize,
    oldest: u64,
}

impl Default for State {
    fn default() -> Self {
        Self::at(FIRST, BTreeMap::new())
    }
}

impl State {
    /// Objects without a history.
    pub(super) fn at(revision: u64, objects: BTreeMap<Key, Stored>) -> Self {
        Self { revision, objects, history: VecDeque::new(), cost: 0, oldest: revision }
    }

    /// The revision of the latest change.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// All objects, in order.
    pub(super) fn objects(&self) -> &BTreeMap<Key, Stored> {
        &self.objects
    }

    /// The revision and all objects, by counted references.
    pub(super) fn now(&self) -> (u64, BTreeMap<Key, Stored>) {
        (self.revision, self.objects.clone())
    }

    /// One object.
    pub(super) fn get(&self, key: &Key) -> Option<&Stored> {
        self.objects.get(key)
    }

    /// The objects of a scope, in order.
    pub(super) fn list(&self, scope: Scope<'_>) -> Vec<(Key, Stored)> {
        self.range(scope).map(|(key, stored)| (key.clone(), stored.clone())).collect()
    }

    /// The objects of a scope as they were at `revision`, which is not in the future.
    pub(super) fn list_at(&self, scope: Scope<'_>, revision: u64) -> Result<Vec<(Key, Stored)>, Compacted> {
        let mut then: BTreeMap<&Key, Option<&Stored>> = BTreeMap::new();
        for event in self.since(revision)?.rev().filter(|event| scope.contains(&event.key)) {
            then.insert(&event.key, event.before.as_ref());
        }
        if then.is_empty() {
            return Ok(self.list(scope));
        }
        for (key, stored) in self.range(scope) {
            then.entry(key).or_insert(Some(stored));
        }
        let present = then.into_iter().filter_map(|(key, stored)| Some((key.clone(), stored?.clone())));
        Ok(present.collect())
    }

    /// The changes after `revision` of keys that are `wanted`.
    pub(super) fn changes(
        &self,
        revision: u64,
        wanted: impl Fn(&Key) -> bool,
    ) -> Result<Vec<Event>, Compacted> {
        Ok(self.since(revision)?.filter(|event| wanted(&event.key)).cloned().collect())
    }

    /// Takes in changes, the first of which has the next revision.
    pub(super) fn absorb(&mut self, events: Vec<Event>) {
        for event in events {
            match &event.after {
                Some(after) => self.objects.insert(event.key.clone(), after.clone()),
                None => self.objects.remove(&event.key),
            };
            self.revision = event.revision;
            let cost = event.before.as_ref().map_or(0, |before| bytes(&before.object));
            self.cost += cost;
            self.history.push_back((event, cost));
        }
        while self.history.len() > HISTORY || self.cost > HISTORY_BYTES {
            let Some((event, cost)) = self.history.pop_front() else { break };
            self.cost -= cost;
            self.oldest = event.revision;
        }
    }

    fn since(&self, revision: u64) -> Result<impl DoubleEndedIterator<Item = &Event>, Compacted> {
        if revision < self.oldest {
            return Err(Compacted { oldest: self.oldest });
        }
        let first = self.history.partition_point(|(event, _)| event.revision <= revision);
        Ok(self.history.range(first..).map(|(event, _)| event))
    }

    fn range<'a>(&'a self, scope: Scope<'a>) -> impl Iterator<Item = (&'a Key, &'a Stored)> {
        let start = Key {
            group: scope.group.into(),
            plural: scope.plural.into(),
            namespace: scope.namespace.unwrap_or_default().into(),
            name: String::new(),
        };
        self.objects.range(start..).take_while(move |(key, _)| scope.contains(key))
    }
}

/// About how much memory a value takes.
fn bytes(value: &Value) -> usize {
    /// A leaf of a B-tree of names and values: eleven of both, however few are used.
    const LEAF: usize = 11 * (size_of::<String>() + size_of::<Value>()) + 16;
    let of_content = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(bytes).sum(),
        Value::Object(map) if map.is_empty() => 0,
        Value::Object(map) => {
            let content: usize = map.iter().map(|(name, value)| name.len() + bytes(value)).sum();
            content + LEAF.max(map.len() * LEAF / 6)
        }
    };
    of_content + size_of::<Value>()
}

/// Changes that go to disk together. Each is checked against those before it.
#[derive(Debug, Default)]
pub(super) struct Batch {
    events: Vec<Event>,
    changed: BTreeMap<Key, Option<Stored>>,
}

impl Batch {
    /// Adds a change; see [`super::Storage::commit`].
    ///
    /// # Errors
    /// The object is not at the revision named.
    pub(super) fn add(
        &mut self,
        state: &State,
        key: Key,
        expected: Option<u64>,
        object: Option<Value>,
    ) -> Result<Stored, CommitError> {
        let before = match self.changed.get(&key) {
            Some(changed) => changed.clone(),
            None => state.get(&key).cloned(),
        };
        if before.as_ref().map(|stored| stored.revision) != expected {
            return Err(CommitError::Stale);
        }
        let revision = self.events.last().map_or(state.revision(), |event| event.revision) + 1;
        let after = object.map(|object| Stored::stamped(object, revision));
        let answer = match (&after, &before) {
            (Some(after), _) => after.clone(),
            (None, Some(before)) => Stored::stamped(Value::clone(&before.object), revision),
            (None, None) => return Err(CommitError::Stale),
        };
        self.changed.insert(key.clone(), after.clone());
        self.events.push(Event { revision, key, before, after });
        Ok(answer)
    }

    /// The changes, in order.
    pub(super) fn into_events(self) -> Vec<Event> {
        self.events
    }

    /// The changes, in order.
    pub(super) fn events(&self) -> &[Event] {
        &self.events
    }
}
