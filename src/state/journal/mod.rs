//! The journal: what was begun and how it ended, since the state file was written last.
//!
//! One JSON line per record, each with a checksum that covers the one before. The first line says which
//! state it continues. A `begin` is durable before its request leaves; an `end` may be lost in a crash,
//! which leaves its `begin` open, to be settled by what the cluster says.

mod writer;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::envelope::{seal_line, unseal_line};
use super::ledger::Ledger;
use super::model::{FORMAT_VERSION, Owned, State};
use crate::address::{Address, ObjectKey};
use crate::cluster::ClusterIdentity;
use crate::path::FieldPath;

pub(super) use writer::{End, Writer};

/// What is done to an object. A replace is a delete and a create, each with its own records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// The object is made.
    Create,
    /// Fields of our object change.
    Update,
    /// A foreign object becomes ours.
    Adopt,
    /// Our object is deleted; also one that the address had before.
    Delete,
    /// We stop owning the object; it stays.
    Forget,
}

/// An operation that is about to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// What is done.
    pub operation: Operation,
    /// For which resource.
    pub address: Address,
    /// To which object.
    pub key: ObjectKey,
    /// The version it is written with.
    pub api_version: String,
    /// Its uid; none for a create.
    pub uid: Option<String>,
    /// The fields we will own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldPath>,
    /// Those whose value is a secret, or was one before.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<FieldPath>,
    /// Whether it will be protected.
    pub protect: bool,
    /// Its dependencies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Address>,
}

/// Names a `begin` until it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BeginId(pub(super) u64);

/// What an operation did to what we own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "object")]
pub enum Outcome {
    /// The object is ours, as described. Its `former` is ignored.
    Owned(Box<Owned>),
    /// The object is not ours any more: deleted, absent, or forgotten.
    Gone,
    /// As before: the server refused, or the request never left.
    Unchanged,
}

/// A `begin` without an `end`: only the cluster knows whether it took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenBegin {
    /// For [`super::LockedStore::end`].
    pub id: BeginId,
    /// What was begun.
    pub begin: Begin,
}

/// First line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    /// Format of the file.
    pub(super) format_version: u32,
    /// Lineage of the state it continues.
    pub(super) lineage: String,
    /// Serial of the state it continues; 0 = there was none.
    pub(super) base_serial: u64,
    /// The cluster that the operations are about: a first apply has no state yet that could say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cluster: Option<ClusterIdentity>,
}

impl Header {
    pub(super) fn new(lineage: &str, base_serial: u64, cluster: Option<ClusterIdentity>) -> Self {
        Self { format_version: FORMAT_VERSION, lineage: lineage.to_owned(), base_serial, cluster }
    }
}

/// One line behind the header.
#[expect(clippy::large_enum_variant, reason = "half of them are begins, and none lives long")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "record")]
pub(super) enum Record {
    Begin { seq: BeginId, begin: Begin },
    End { seq: BeginId, outcome: Outcome },
}

/// A journal as read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Journal {
    pub(super) header: Header,
    pub(super) records: Vec<Record>,
    /// Bytes that count; what follows them was never finished.
    pub(super) valid: u64,
    /// Checksum of the last line, which the next one continues.
    pub(super) sum: String,
}

/// Why bytes are no journal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    Damaged(String),
    Newer(u32),
}

impl Journal {
    /// Reads a journal. An unfinished last line is left out: nothing was sent on its account.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        let damaged = |line: usize, why: &str| Err(Unreadable::Damaged(format!("line {line} {why}")));
        let mut valid = 0;
        let mut sum = String::new();
        let mut header = None;
        let mut records = Vec::new();
        for (at, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
            let number = at + 1;
            let Some(content) = line.strip_suffix(b"\n") else {
                break;
            };
            let Some((json, next)) = unseal_line(content, &sum) else {
                if header.is_some() && never_written(&bytes[valid..]) {
                    break;
                }
                return damaged(number, "does not match its checksum");
            };
            if header.is_none() {
                header = Some(parse_header(&json)?);
            } else {
                match serde_json::from_str(&json) {
                    Ok(record) => records.push(record),
                    Err(_) => return damaged(number, "is no record of this format"),
                }
            }
            sum = next;
            valid += line.len();
        }
        let Some(header) = header else {
            return damaged(1, "is incomplete");
        };
        check_order(&records).map_err(Unreadable::Damaged)?;
        Ok(Self { header, records, valid: valid as u64, sum })
    }

    /// The longest beginning that can be read; none without a sound first line.
    pub(super) fn beginning(bytes: &[u8]) -> Option<Self> {
        let ends: Vec<usize> =
            bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
        // Damage is near the end as a rule.
        ends.into_iter().rev().find_map(|end| Self::parse(&bytes[..end]).ok())
    }

    /// How many operations began.
    pub(super) fn begins(&self) -> usize {
        self.records.iter().filter(|record| matches!(record, Record::Begin { .. })).count()
    }

    /// The text of a journal with these records, and its last checksum.
    pub(super) fn render<'r>(
        header: &Header,
        records: impl IntoIterator<Item = &'r Record>,
    ) -> (String, String) {
        let (mut text, mut sum) = seal_line(&json(header), "");
        for record in records {
            let (line, next) = record_line(record, &sum);
            text.push_str(&line);
            sum = next;
        }
        (text, sum)
    }

    /// The first number no record has.
    pub(super) fn next(&self) -> u64 {
        let begins = self.records.iter().filter_map(|record| match record {
            Record::Begin { seq, .. } => Some(seq.0),
            Record::End { .. } => None,
        });
        begins.max().unwrap_or(0) + 1
    }

    /// The operations that have no end, in order.
    pub(super) fn open(&self) -> BTreeMap<BeginId, Begin> {
        let mut open = BTreeMap::new();
        for record in &self.records {
            match record {
                Record::Begin { seq, begin } => drop(open.insert(*seq, begin.clone())),
                Record::End { seq, .. } => drop(open.remove(seq)),
            }
        }
        open
    }

    /// Plays the records onto the ledger. A journal without any says nothing, also not about which cluster.
    pub(super) fn play(&self, ledger: &mut Ledger) {
        if !self.records.is_empty()
            && let Some(cluster) = &self.header.cluster
        {
            ledger.about(cluster);
        }
        let mut open = BTreeMap::new();
        for record in &self.records {
            match record {
                Record::Begin { seq, begin } => drop(open.insert(*seq, begin)),
                Record::End { seq, outcome } => {
                    if let Some(begin) = open.remove(seq) {
                        ledger.record(begin, outcome);
                    }
                }
            }
        }
    }
}

/// The state after the journal's records, and what is open. `journal` is the content of a journal file.
///
/// # Errors
/// What is wrong with the journal.
pub fn replay(state: State, journal: &[u8]) -> Result<(State, Vec<OpenBegin>), String> {
    let journal = Journal::parse(journal).map_err(|unreadable| match unreadable {
        Unreadable::Damaged(reason) => reason,
        Unreadable::Newer(found) => format!("it has format {found}"),
    })?;
    let mut ledger = Ledger::new(state);
    journal.play(&mut ledger);
    Ok((ledger.into_state(), open_list(&journal.open())))
}

pub(super) fn open_list(open: &BTreeMap<BeginId, Begin>) -> Vec<OpenBegin> {
    open.iter().map(|(id, begin)| OpenBegin { id: *id, begin: begin.clone() }).collect()
}

/// One record as a line, and the line's checksum.
fn record_line(record: &Record, previous: &str) -> (String, String) {
    seal_line(&json(record), previous)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("records have text keys and no failing parts")
}

/// A newer header is told from a damaged one by its format alone.
fn parse_header(json: &str) -> Result<Header, Unreadable> {
    #[derive(Deserialize)]
    struct Format {
        format_version: u32,
    }
    match serde_json::from_str(json) {
        Ok(Format { format_version }) if format_version > FORMAT_VERSION => {
            Err(Unreadable::Newer(format_version))
        }
        _ => serde_json::from_str(json).map_err(|_| Unreadable::Damaged("line 1 is no header".to_owned())),
    }
}

/// After a power cut a file can have grown over blocks that were never written; they read as zeros, which no
/// line contains. They were never synced, and neither was anything behind them, because the next batch of
/// lines waits for the sync of the one before.
fn never_written(tail: &[u8]) -> bool {
    tail.windows(8).any(|w| w == [0; 8])
}

fn check_order(records: &[Record]) -> Result<(), String> {
    let mut open = BTreeSet::new();
    let mut last = None;
    for record in records {
        match record {
            Record::Begin { seq, .. } => {
                if last >= Some(*seq) {
                    return Err(format!("record {} is out of order", seq.0));
                }
                last = Some(*seq);
                open.insert(*seq);
            }
            Record::End { seq, .. } if !open.remove(seq) => {
                return Err(format!("record {} ends without a begin", seq.0));
            }
            Record::End { .. } => {}
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests;
