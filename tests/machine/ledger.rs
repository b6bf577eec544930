//! What is ours by what is on disk: the state file, played on by the journal, and what is open settled by what is live.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::world::Seen;

/// An object that is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) address: String,
    pub(crate) key: String,
    pub(crate) uid: String,
    /// Of a former object: whether it is kept.
    pub(crate) protect: bool,
    /// The address has another object now.
    pub(crate) former: bool,
    /// Addresses that it depended on when it was written last.
    pub(crate) needs: BTreeSet<String>,
}

impl Seen {
    /// All that is ours, former objects included.
    pub(crate) fn owned(&self) -> Vec<Entry> {
        let mut owned = Vec::new();
        for (address, resource) in self.state["resources"].as_object().into_iter().flatten() {
            owned.push(entry(address, resource, None));
            for former in resource["former"].as_array().into_iter().flatten() {
                let kept = former["status"] == "kept";
                owned.push(Entry { protect: kept, former: true, ..entry(address, former, None) });
            }
        }
        let mut open = BTreeMap::new();
        for record in &self.journal {
            let seq = record["seq"].as_u64().unwrap();
            if record["record"] == "begin" {
                open.insert(seq, &record["begin"]);
            } else if let Some(begin) = open.remove(&seq) {
                match record["outcome"]["is"].as_str().unwrap() {
                    "owned" => {
                        put(&mut owned, entry(&text(&begin["address"]), &record["outcome"]["object"], None));
                    }
                    "gone" => remove(&mut owned, begin),
                    _ => {}
                }
            }
        }
        for begin in open.into_values() {
            self.settle(&mut owned, begin);
        }
        owned
    }

    /// Whether an interrupted command left something open.
    pub(crate) fn is_unsettled(&self) -> bool {
        let count = |what: &str| self.journal.iter().filter(|record| record["record"] == what).count();
        count("begin") > count("end")
    }

    fn settle(&self, owned: &mut Vec<Entry>, begin: &Value) {
        let live = self.objects.get(begin["key"].as_str().unwrap());
        let uid = live.map(|live| text(&live["metadata"]["uid"]));
        let same = uid.is_some() && uid.as_deref() == begin["uid"].as_str();
        match begin["operation"].as_str().unwrap() {
            "create" | "adopt" if live.is_some_and(|live| self.is_marked(live)) => {
                put(owned, entry(&text(&begin["address"]), begin, uid));
            }
            "delete" if !same => remove(owned, begin),
            "forget" => {
                let entries =
                    live.map(|live| live["metadata"]["managedFields"].to_string()).unwrap_or_default();
                if !same || !entries.contains("\"manager\":\"arrplan\"") {
                    remove(owned, begin);
                }
            }
            _ => {}
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn entry(address: &str, object: &Value, uid: Option<String>) -> Entry {
    Entry {
        address: address.to_owned(),
        key: text(&object["key"]),
        uid: uid.unwrap_or_else(|| text(&object["uid"])),
        protect: object["protect"] == true,
        former: false,
        needs: object["depends_on"].as_array().into_iter().flatten().map(text).collect(),
    }
}

/// An object becomes the current one of its address.
fn put(owned: &mut Vec<Entry>, new: Entry) {
    owned.retain(|entry| entry.key != new.key);
    for old in owned.iter_mut().filter(|entry| entry.address == new.address) {
        old.former = true;
        old.needs.clear();
    }
    owned.push(new);
}

/// An object is not ours any more; where it was the current one, a former one takes its place.
fn remove(owned: &mut Vec<Entry>, begin: &Value) {
    let uid = begin["uid"].as_str();
    let goes = |entry: &Entry| entry.key == begin["key"] && uid.is_none_or(|uid| uid == entry.uid);
    let Some(at) = owned.iter().position(goes) else { return };
    let gone = owned.remove(at);
    let next = owned.iter_mut().find(|entry| !gone.former && entry.address == gone.address);
    if let Some(next) = next {
        next.former = false;
    }
}
