//! From what is left and what is live to a state: nothing is asked here, and nothing written.

use std::collections::{BTreeMap, BTreeSet};

use super::search::{Live, Look};
use super::secrets;
use super::{Entry, NotTaken, Seen};
use crate::address::{Address, ObjectKey};
use crate::fields::{self, Entry as Manager};
use crate::object::{FIELD_MANAGER, Mark, Object};
use crate::path::FieldPath;
use crate::stack::{self, MANIFEST, Stack};
use crate::state::{
    Begin, Digest, FormerStatus, Found, OpenBegin, Operation, Outcome, Owned, Salvage, State, record, settle,
};

/// What is known beside the rest of the state.
pub(super) struct Facts<'a> {
    pub(super) salvage: &'a Salvage,
    pub(super) stack: Option<&'a Stack>,
    pub(super) live: &'a Live,
    pub(super) known: &'a BTreeMap<ObjectKey, Look>,
}

/// A state, and why each object is in it or not.
pub(super) struct Rebuilt {
    pub(super) state: State,
    pub(super) entries: Vec<Entry>,
    pub(super) not_taken: Vec<NotTaken>,
}

/// Where an address was found, the surer the later.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// Nothing names the object: its address is made up.
    Nothing,
    Revision(u64),
    Stack,
}

/// What a file or the stack says of an object that the rest of the state does not have.
struct Named {
    source: Source,
    address: Address,
    depends_on: Vec<Address>,
}

pub(super) fn rebuild(rest: State, open: &[OpenBegin], facts: &Facts<'_>) -> Rebuilt {
    let mark = rest.mark();
    let is_ours = |object: &&Object| object.mark().as_ref() == Some(&mark);
    let ours: BTreeMap<ObjectKey, &Object> =
        facts.live.marked.iter().filter(is_ours).map(|object| (object.key(), object)).collect();
    let mut state = rest;
    let mut from = sources(&state, facts.salvage);
    let mut not_taken = Vec::new();
    drop_absent(&mut state, &ours, facts, &mut not_taken);
    for OpenBegin { begin, .. } in open {
        let live = match (ours.get(&begin.key), facts.known.get(&begin.key)) {
            (Some(object), _) => Some(*object),
            (None, Some(Look::There(object))) => Some(object),
            (None, Some(Look::Absent)) => None,
            // It stays as it was known; nothing is concluded from not having looked.
            (None, Some(Look::Unread(_)) | None) => continue,
        };
        let outcome = settle(begin, &state, live);
        if outcome == Outcome::Gone && state.objects().any(|(key, ..)| *key == begin.key) {
            not_taken.push(NotTaken {
                address: Some(begin.address.clone()),
                object: begin.key.clone(),
                why: "the run that was interrupted had let go of it, or deleted it".to_owned(),
            });
        }
        if matches!(outcome, Outcome::Owned(_)) {
            from.insert(begin.key.clone(), "the journal, where it has no end".to_owned());
        }
        record(&mut state, begin, &outcome);
    }
    let serial = facts.salvage.next_serial();
    take_in(&mut state, &ours, facts, serial, &mut from);
    refresh(&mut state, &ours, facts.stack);
    not_taken.extend(foreign(facts, &mark));
    let entries = entries(&state, &ours, facts, &from);
    Rebuilt { state, entries, not_taken }
}

/// Which file an object is known from.
fn sources(state: &State, salvage: &Salvage) -> BTreeMap<ObjectKey, String> {
    let of = |found: &Found<State>, key: &ObjectKey| {
        let content = found.content().filter(|content| content.lineage == state.lineage);
        content.is_some_and(|content| content.objects().any(|(other, ..)| other == key))
    };
    let source = |key: &ObjectKey| match () {
        () if of(&salvage.state, key) => "the state",
        () if of(&salvage.previous, key) => "the previous copy",
        () => "the journal",
    };
    state.objects().map(|(key, ..)| (key.clone(), source(key).to_owned())).collect()
}

/// Drops what is proven to be gone.
fn drop_absent(
    state: &mut State,
    ours: &BTreeMap<ObjectKey, &Object>,
    facts: &Facts<'_>,
    not_taken: &mut Vec<NotTaken>,
) {
    let known: Vec<(ObjectKey, Address, String)> =
        state.objects().map(|(key, address, uid)| (key.clone(), address.clone(), uid.to_owned())).collect();
    for (key, address, uid) in known {
        if ours.contains_key(&key) || !matches!(facts.known.get(&key), Some(Look::Absent)) {
            continue;
        }
        record(state, &gone(&key, &address, &uid), &Outcome::Gone);
        not_taken.push(NotTaken {
            address: Some(address),
            object: key,
            why: "it is not in the cluster any more".to_owned(),
        });
    }
}

fn gone(key: &ObjectKey, address: &Address, uid: &str) -> Begin {
    Begin {
        operation: Operation::Delete,
        address: address.clone(),
        key: key.clone(),
        api_version: String::new(),
        uid: Some(uid.to_owned()),
        fields: Vec::new(),
        secrets: BTreeSet::new(),
        protect: false,
        depends_on: Vec::new(),
    }
}

/// Takes in what carries our mark and is not known yet. What a newer source names comes later, so that it is the
/// current object of an address, and what an older one names a former one.
fn take_in(
    state: &mut State,
    ours: &BTreeMap<ObjectKey, &Object>,
    facts: &Facts<'_>,
    serial: u64,
    from: &mut BTreeMap<ObjectKey, String>,
) {
    let known: BTreeSet<ObjectKey> = state.objects().map(|(key, ..)| key.clone()).collect();
    let mut missing: Vec<(Option<Named>, ObjectKey)> =
        ours.keys().filter(|key| !known.contains(*key)).map(|key| (named(key, facts), key.clone())).collect();
    let source = |named: &Option<Named>| named.as_ref().map_or(Source::Nothing, |named| named.source.clone());
    missing.sort_by_cached_key(|(named, key)| (source(named), key.clone()));
    let mut taken: BTreeSet<Address> = state.resources.keys().cloned().collect();
    taken.extend(missing.iter().filter_map(|(named, _)| Some(named.as_ref()?.address.clone())));
    for (named, key) in missing {
        let object = ours[&key];
        from.insert(
            key.clone(),
            match source(&named) {
                Source::Nothing => "its mark alone: the address is made up, and what the stack does not declare the next plan deletes".to_owned(),
                Source::Revision(serial) => format!("its mark, and revision {serial}"),
                Source::Stack => "its mark, and the stack file".to_owned(),
            },
        );
        let named = named.unwrap_or_else(|| Named {
            source: Source::Nothing,
            address: made_up(&key, &mut taken),
            depends_on: Vec::new(),
        });
        let owned = Owned {
            protect: object.is_protected(),
            depends_on: named.depends_on,
            since_serial: serial,
            owned: our_fields(object),
            ..Owned::new(key.clone(), written_as(object), object.uid())
        };
        let begin = Begin { operation: Operation::Create, uid: None, ..gone(&key, &named.address, "") };
        record(state, &begin, &Outcome::Owned(Box::new(owned)));
    }
}

/// Who names an object: the stack as it is now, else the newest revision that has it.
fn named(key: &ObjectKey, facts: &Facts<'_>) -> Option<Named> {
    let mut resources = facts.stack.into_iter().flat_map(|stack| stack.resources.values());
    if let Some(resource) = resources.find(|resource| resource.key() == *key) {
        let stack = facts.stack?;
        let wants = stack.graph.dependencies(&resource.address).map(|(on, _)| on);
        return Some(Named {
            source: Source::Stack,
            address: resource.address.clone(),
            depends_on: wants.filter(|on| stack.resources.contains_key(on)).cloned().collect(),
        });
    }
    facts.salvage.sound_revisions().find_map(|revision| {
        let (address, recorded) = revision
            .resources
            .iter()
            .find(|(_, recorded)| Object(recorded.manifest.value.clone()).key() == *key)?;
        let depends_on = recorded.depends_on.iter().filter(|on| revision.resources.contains_key(on));
        Some(Named {
            source: Source::Revision(revision.serial),
            address: address.clone(),
            depends_on: depends_on.cloned().collect(),
        })
    })
}

/// An address that nothing has, after the object's own name.
fn made_up(key: &ObjectKey, taken: &mut BTreeSet<Address>) -> Address {
    let table = stack::by_kind(&key.group, &key.kind).map_or(MANIFEST, |row| row.table);
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '-' };
    let name: String = key.name.chars().map(plain).collect();
    let first = std::iter::once(name.clone());
    let names = first.chain((2..).map(|n: u64| format!("{name}-{n}")));
    let mut addresses = names.map(|name| Address::new(table, name));
    let address = addresses
        .find(|address| !taken.contains(address))
        .unwrap_or_else(|| Address::new(table, name.clone()));
    taken.insert(address.clone());
    address
}

/// The fields that our own entry holds: what the server says that we own.
fn our_fields(object: &Object) -> BTreeMap<FieldPath, Option<Digest>> {
    let managers: Vec<Manager> = fields::managers(object).unwrap_or_default();
    let ours = fields::owned_by(&managers, FIELD_MANAGER);
    ours.into_iter().flat_map(|entry| entry.fields.leaves()).map(|path| (path.clone(), None)).collect()
}

/// The version that we wrote it with; the one it was read in, where the server keeps no record.
fn written_as(object: &Object) -> String {
    let managers: Vec<Manager> = fields::managers(object).unwrap_or_default();
    let ours = fields::owned_by(&managers, FIELD_MANAGER).map(|entry| entry.api_version.clone());
    ours.filter(|version| !version.is_empty()).unwrap_or_else(|| object.api_version().to_owned())
}

/// What was written after the state at hand is not known from it: of an object that changed since only what the server
/// says is kept.
fn refresh(state: &mut State, ours: &BTreeMap<ObjectKey, &Object>, stack: Option<&Stack>) {
    let mark = state.mark();
    for owned in state.resources.values_mut() {
        let Some(object) = ours.get(&owned.key) else { continue };
        let same = owned.uid == object.uid();
        if same && owned.resource_version.as_deref() == Some(object.resource_version()) {
            continue;
        }
        object.uid().clone_into(&mut owned.uid);
        owned.resource_version = None;
        owned.desired_hash = None;
        owned.owned = our_fields(object);
        owned.protect = object.is_protected();
        let mut resources = stack.into_iter().flat_map(|stack| stack.resources.values());
        let declared = resources.find(|resource| resource.key() == owned.key);
        owned.secrets.extend(secrets::possible(owned, declared, &mark));
    }
    for former in state.resources.values_mut().flat_map(|owned| &mut owned.former) {
        if let Some(object) = ours.get(&former.key) {
            object.uid().clone_into(&mut former.uid);
            if object.is_protected() {
                former.status = FormerStatus::Kept;
            }
        }
    }
}

/// What carries the stack's name and another lineage.
fn foreign<'a>(facts: &'a Facts<'_>, mark: &'a Mark) -> impl Iterator<Item = NotTaken> + 'a {
    facts.live.marked.iter().filter_map(move |object| {
        let theirs = object.mark().filter(|theirs| theirs != mark)?;
        Some(NotTaken {
            address: None,
            object: object.key(),
            why: format!("it is of another state: lineage {}", theirs.lineage),
        })
    })
}

fn entries(
    state: &State,
    ours: &BTreeMap<ObjectKey, &Object>,
    facts: &Facts<'_>,
    from: &BTreeMap<ObjectKey, String>,
) -> Vec<Entry> {
    let before: BTreeMap<ObjectKey, String> = {
        let (rest, _) = facts.salvage.rest(&state.lineage);
        rest.objects().map(|(key, _, uid)| (key.clone(), uid.to_owned())).collect()
    };
    let entry = |(key, address, _): (&ObjectKey, &Address, &str)| Entry {
        address: address.clone(),
        object: key.clone(),
        former: state.resources.get(address).is_some_and(|owned| owned.key != *key),
        known_from: from.get(key).cloned().unwrap_or_default(),
        seen: match (ours.get(key), facts.known.get(key)) {
            (Some(object), _) if before.get(key).is_some_and(|uid| uid != object.uid()) => Seen::MadeAnew,
            (Some(_), _) => Seen::Live,
            (None, Some(Look::Unread(why))) => Seen::Unread(why.clone()),
            (None, _) => Seen::Unmarked,
        },
    };
    state.objects().map(entry).collect()
}
