//! The corpus' stacks as text, and its objects as the API server has them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;

use serde_json::Value;
use support::{ControlPlane, User};

/// One line: its text from each round on.
#[derive(Debug)]
struct Line {
    address: Option<String>,
    variants: Vec<(u32, bool, String)>,
}

/// A stack with all its rounds.
#[derive(Debug)]
pub(super) struct Variants {
    pub(super) name: String,
    lines: Vec<Line>,
}

impl Variants {
    pub(super) fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/live/corpus/{name}.toml"));
        let text = std::fs::read_to_string(&path).unwrap();
        let mut address = None;
        let lines = text
            .lines()
            .map(|line| {
                let variants = variants(line);
                if let Some(header) = header(&variants[0].2) {
                    address = Some(header).filter(|header| !header.is_empty());
                }
                Line { address: address.clone(), variants }
            })
            .collect();
        Self { name: name.to_owned(), lines }
    }

    /// Takes out the objects whose text names this, and says which they were.
    pub(super) fn leave_out(&mut self, what: &str) -> BTreeSet<String> {
        let named = |line: &&Line| line.variants.iter().any(|(.., text)| text.contains(what));
        let out: BTreeSet<String> =
            self.lines.iter().filter(named).filter_map(|line| line.address.clone()).collect();
        self.lines.retain(|line| line.address.as_ref().is_none_or(|address| !out.contains(address)));
        out
    }

    pub(super) fn text(&self, round: u32) -> String {
        let line = |line: &Line| {
            let mut now = line.variants.iter().filter(|(from, ..)| *from <= round);
            now.next_back().map_or_else(String::new, |(.., text)| format!("{text}\n"))
        };
        self.lines.iter().map(line).collect()
    }

    pub(super) fn last_round(&self) -> u32 {
        let rounds = self.lines.iter().flat_map(|line| &line.variants);
        rounds.map(|(from, ..)| *from).max().unwrap()
    }

    /// The addresses that change in a round, and those that are only spelled in another way.
    pub(super) fn mutated(&self, round: u32) -> (BTreeSet<String>, BTreeSet<String>) {
        let marked = |same: bool| -> BTreeSet<String> {
            let lines = self.lines.iter();
            lines
                .filter(|line| line.variants[1..].iter().any(|v| v.0 == round && v.1 == same))
                .map(|line| line.address.clone().expect("only resources change"))
                .collect()
        };
        let changed = marked(false);
        let respelled = &marked(true) - &changed;
        (changed, respelled)
    }
}

/// `(round, whether it means the same, text)`, the first for round 0.
fn variants(line: &str) -> Vec<(u32, bool, String)> {
    let mut found = Vec::new();
    let (mut round, mut same, mut rest) = (0, false, line);
    loop {
        let next = rest
            .match_indices('#')
            .find(|(at, _)| {
                let marker = rest.as_bytes().get(at + 1..at + 3);
                let alone = *at == 0 || rest[..*at].ends_with(' ');
                alone && marker.is_some_and(|m| matches!(m[0], b'~' | b'=') && m[1].is_ascii_digit())
            })
            .map(|(at, _)| at);
        let text = next.map_or(rest, |at| &rest[..at]);
        // The blank before a marker is not part of a multi-line string's line; the one at its start is.
        let text = if next.is_some() { text.strip_suffix(' ').unwrap_or(text) } else { text };
        found.push((round, same, text.to_owned()));
        let Some(at) = next else { return found };
        same = rest.as_bytes()[at + 1] == b'=';
        round = u32::from(rest.as_bytes()[at + 2] - b'0');
        rest = rest[at + 3..].strip_prefix(' ').unwrap_or(&rest[at + 3..]);
    }
}

/// The address a table's header is of; empty for tables that are no resource, none for other lines.
fn header(line: &str) -> Option<String> {
    let inside = line.trim_start_matches('[');
    if inside.len() == line.len() {
        return None;
    }
    let mut parts = inside.split([']', '.']);
    let (table, name) = (parts.next()?, parts.next()?);
    if matches!(table, "stack" | "defaults") {
        return Some(String::new());
    }
    Some(format!("{table}.{name}"))
}

/// Where the API server has the object of a change: `Kind.group/namespace/name`, without the namespace where the kind has none.
pub(super) fn path(plane: &ControlPlane, change: &Value) -> String {
    static PLURALS: Mutex<BTreeMap<(String, String), String>> = Mutex::new(BTreeMap::new());
    let api_version = api_version(change);
    let key: Vec<&str> = change["object"].as_str().unwrap().split('/').collect();
    let kind = key[0].split('.').next().unwrap();
    let root = root(api_version);
    let known = PLURALS.lock().unwrap().get(&(api_version.to_owned(), kind.to_owned())).cloned();
    let plural = known.unwrap_or_else(|| {
        let list = plane.request(User::Admin, "GET", &root, None).ok();
        let resources = list["resources"].as_array().unwrap();
        let found =
            resources.iter().find(|r| r["kind"] == kind && !r["name"].as_str().unwrap().contains('/'));
        let found = found.unwrap_or_else(|| panic!("{api_version} {kind} is not served"));
        let plural = found["name"].as_str().unwrap().to_owned();
        PLURALS.lock().unwrap().insert((api_version.to_owned(), kind.to_owned()), plural.clone());
        plural
    });
    match key[1..] {
        [name] => format!("{root}/{plural}/{name}"),
        [namespace, name] => format!("{root}/namespaces/{namespace}/{plural}/{name}"),
        _ => panic!("{key:?}"),
    }
}

fn api_version(change: &Value) -> &str {
    let told = change["api_version"].as_str();
    told.or_else(|| change["manifest"]["apiVersion"].as_str()).unwrap()
}

fn root(api_version: &str) -> String {
    let root = if api_version.contains('/') { "apis" } else { "api" };
    format!("/{root}/{api_version}")
}

/// The object as it is now. A kind that a plan is yet to define has none.
pub(super) fn live(plane: &ControlPlane, change: &Value) -> Option<Value> {
    let served = plane.request(User::Admin, "GET", &root(api_version(change)), None);
    if served.status != 200 {
        return None;
    }
    let reply = plane.request(User::Admin, "GET", &path(plane, change), None);
    (reply.status == 200).then_some(reply.body)
}
