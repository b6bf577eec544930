//! What an undisturbed command comes to, to the last field: a function of the stack and of what was there before.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::drift::base64;
use crate::intent::{Decl, EXTRA, Edge, Intent, Kind};
use crate::ledger::Entry;
use crate::render;
use crate::world::Seen;

/// What becomes of an object.
#[derive(Debug)]
pub(crate) enum Fate<'i> {
    /// It is as declared.
    Declared(&'i Decl),
    /// Protected: it stays, and stays ours.
    Kept,
    /// It stays, and nothing of us stays in it.
    Freed,
    /// Nobody touches it.
    Untouched,
    Gone,
}

/// What becomes of every object there is, or is to be.
pub(crate) fn fates<'i>(intent: &'i Intent, before: &Seen) -> BTreeMap<String, Fate<'i>> {
    let mut fates: BTreeMap<String, Fate<'i>> =
        before.objects.keys().map(|key| (key.clone(), Fate::Untouched)).collect();
    let wanted = intent.keys();
    let now = addresses(intent, before);
    for entry in before.owned() {
        if wanted.contains_key(&entry.key) {
            continue;
        }
        let released = intent.released.contains(&now[&entry.address]);
        if let Some(fate) = leaving(before, &entry, released) {
            fates.insert(entry.key, fate);
        }
    }
    fates.extend(wanted.into_iter().map(|(key, decl)| (key, Fate::Declared(decl))));
    // What goes takes along all that is in it, unless something in it is protected.
    for (holder, inside) in [
        (format!("Namespace/{EXTRA}"), format!("/{EXTRA}/")),
        (
            format!("CustomResourceDefinition.apiextensions.k8s.io/{}", crate::intent::GEARS),
            "Gear.".to_owned(),
        ),
    ] {
        if !matches!(fates.get(&holder), Some(Fate::Gone)) {
            continue;
        }
        let within: Vec<String> = fates.keys().filter(|key| key.contains(&inside)).cloned().collect();
        let stays = |key: &String| {
            let live = before.objects.get(key);
            matches!(fates[key], Fate::Kept) || live.is_some_and(|live| before.is_protected(live))
        };
        if within.iter().any(stays) {
            fates.insert(holder, Fate::Kept);
        } else {
            fates.extend(within.into_iter().map(|key| (key, Fate::Gone)));
        }
    }
    fates
}

/// What `state rm` of an address comes to.
pub(crate) fn released(address: &str, before: &Seen) -> BTreeMap<String, Fate<'static>> {
    let mut fates: BTreeMap<String, Fate<'static>> =
        before.objects.keys().map(|key| (key.clone(), Fate::Untouched)).collect();
    for entry in before.owned().into_iter().filter(|entry| entry.address == address) {
        let live = before.objects.get(&entry.key);
        if live.is_some_and(|live| live["metadata"]["uid"] == entry.uid) {
            fates.insert(entry.key, Fate::Freed);
        }
    }
    fates
}

/// The address that each address of the state has after `[[moved]]`.
fn addresses(intent: &Intent, before: &Seen) -> BTreeMap<String, String> {
    let mut now: BTreeMap<String, String> =
        before.owned().into_iter().map(|entry| (entry.address.clone(), entry.address)).collect();
    for (from, to) in &intent.moved {
        if !now.values().any(|address| address == to)
            && let Some(address) = now.values_mut().find(|address| *address == from)
        {
            address.clone_from(to);
        }
    }
    now
}

/// What becomes of an object of the state that is not wanted any more; `None`: it is not there.
fn leaving(before: &Seen, entry: &Entry, released: bool) -> Option<Fate<'static>> {
    let live = before.objects.get(&entry.key)?;
    Some(if live["metadata"]["uid"] != entry.uid {
        Fate::Untouched
    } else if !before.is_marked(live) {
        Fate::Freed
    } else if before.is_protected(live) || entry.protect {
        Fate::Kept
    } else if released {
        Fate::Freed
    } else {
        Fate::Gone
    })
}

/// Compares objects and state with what was to come of them.
pub(crate) fn check(fates: &BTreeMap<String, Fate<'_>>, before: &Seen, after: &Seen, what: &str) {
    for (key, fate) in fates {
        let (old, new) = (before.objects.get(key), after.objects.get(key));
        let wrong = match (fate, new) {
            (Fate::Gone, None) => None,
            (Fate::Gone, Some(_)) => Some("it is still there".to_owned()),
            (_, None) => Some("it is not there".to_owned()),
            (Fate::Declared(decl), Some(new)) => as_declared(decl, old, new, before, after),
            (Fate::Kept, Some(new)) => {
                same(old, new).or_else(|| (!after.is_marked(new)).then(|| "the mark is gone".to_owned()))
            }
            (Fate::Freed, Some(new)) => same_but_mark(old, new),
            (Fate::Untouched, Some(new)) => same(old, new),
        };
        if let Some(wrong) = wrong {
            let show = |object: Option<&Value>| {
                let Some(object) = object else { return "nothing".to_owned() };
                let managers: Vec<String> = managers(object)
                    .map(|entry| format!("{} {} {}", entry["manager"], entry["operation"], entry["fieldsV1"]))
                    .collect();
                format!("{}\n  {}", content(object), managers.join("\n  "))
            };
            panic!("{what}: {key}, {fate:?}: {wrong}\nbefore: {}\nafter: {}", show(old), show(new));
        }
    }
    if let Some(key) = after.objects.keys().find(|key| !fates.contains_key(*key)) {
        panic!("{what}: nobody asked for {key}: {:#}", after.objects[key]);
    }
}

/// Compares the state with the stack and with what is there.
pub(crate) fn check_state(fates: &BTreeMap<String, Fate<'_>>, after: &Seen, what: &str) {
    let mut expected: BTreeSet<(String, String, String)> = BTreeSet::new();
    let mut kept: BTreeSet<(String, String)> = BTreeSet::new();
    for (key, fate) in fates {
        let uid = after.uid(key).unwrap_or_default().to_owned();
        match fate {
            Fate::Declared(decl) => drop(expected.insert((decl.address(), key.clone(), uid))),
            Fate::Kept => drop(kept.insert((key.clone(), uid))),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    for entry in after.owned() {
        // Where something kept stands, only the state knows.
        if !kept.remove(&(entry.key.clone(), entry.uid.clone())) {
            assert!(!entry.former, "{what}: {entry:?} is left in the state: {:#}", after.state);
            found.insert((entry.address, entry.key, entry.uid));
        }
    }
    assert!(kept.is_empty(), "{what}: kept, and not in the state: {kept:?}\n{:#}", after.state);
    assert_eq!(found, expected, "{what}: state and stack");
    assert!(after.journal.is_empty(), "{what}: the journal is still there: {:?}", after.journal);
}

/// An object without what the server and its controllers keep by themselves.
fn content(object: &Value) -> Value {
    let mut content = object.clone();
    let map = content.as_object_mut().unwrap();
    map.remove("status");
    if map["kind"] == "PersistentVolumeClaim" {
        map.remove("spec");
        if let Some(annotations) = map["metadata"]["annotations"].as_object_mut() {
            annotations.retain(|key, _| !key.contains("kubernetes.io/"));
        }
    }
    let metadata = map["metadata"].as_object_mut().unwrap();
    for own in ["managedFields", "resourceVersion", "generation"] {
        metadata.remove(own);
    }
    for field in ["labels", "annotations"] {
        if metadata.get(field).and_then(Value::as_object).is_some_and(serde_json::Map::is_empty) {
            metadata.remove(field);
        }
    }
    content
}

fn same(old: Option<&Value>, new: &Value) -> Option<String> {
    let old = old.map(content);
    (old != Some(content(new))).then(|| "it changed".to_owned())
}

fn same_but_mark(old: Option<&Value>, new: &Value) -> Option<String> {
    let mut old = old?.clone();
    let metadata = &mut old["metadata"];
    for (field, key) in [
        ("labels", "arrplan.dev/stack"),
        ("annotations", "arrplan.dev/lineage"),
        ("annotations", "arrplan.dev/protect"),
    ] {
        metadata[field].as_object_mut().and_then(|map| map.remove(key));
        if metadata[field].is_null() {
            metadata.as_object_mut().unwrap().remove(field);
        }
    }
    if managers(new).any(|entry| entry["manager"] == "arrplan") {
        return Some("an entry of ours is left in its managedFields".to_owned());
    }
    same(Some(&old), new)
}

fn managers(object: &Value) -> impl Iterator<Item = &Value> {
    object["metadata"]["managedFields"].as_array().into_iter().flatten()
}

/// Whether somebody else owns a field: `f:data`, `f:k0`.
fn is_theirs(object: &Value, path: [&str; 2]) -> bool {
    managers(object).any(|entry| entry["manager"] != "arrplan" && holds(entry, path))
}

/// Whether nobody owns a field that is there: we did, and let go of the object.
fn is_nobodys(object: &Value, path: [&str; 2]) -> bool {
    !managers(object).any(|entry| holds(entry, path))
}

/// Whether we own a port of a Service: a letting go leaves them to nobody.
fn is_our_port(object: &Value, port: u16) -> bool {
    let key = json!({"port": port, "protocol": "TCP"}).to_string();
    let ours = |entry: &&Value| entry["manager"] == "arrplan";
    managers(object)
        .filter(ours)
        .any(|entry| entry["fieldsV1"]["f:spec"]["f:ports"].get(format!("k:{key}")).is_some())
}

fn holds(entry: &Value, path: [&str; 2]) -> bool {
    entry["fieldsV1"][path[0]].get(path[1]).is_some()
}

fn as_declared(decl: &Decl, old: Option<&Value>, new: &Value, before: &Seen, after: &Seen) -> Option<String> {
    let metadata = &new["metadata"];
    let is = |at: &Value, expected: &str| at.as_str() == Some(expected);
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            wrong.push(what.to_owned());
        }
    };
    must(metadata["deletionTimestamp"].is_null(), "it is being deleted");
    must(after.is_marked(new), "it has no mark");
    // What somebody else put on holds, as long as the stack does not say otherwise.
    let protects = |entry: &Value| {
        entry["manager"] != "arrplan"
            && entry["fieldsV1"]["f:metadata"]["f:annotations"].get("f:arrplan.dev/protect").is_some()
    };
    let by_hand = managers(new).any(protects);
    must(after.is_protected(new) == (decl.protect || by_hand), "protection");
    for (needed, edge) in &decl.needs {
        let Some(name) = render::annotation(needed, *edge) else { continue };
        let entry = after.owned().into_iter().find(|entry| !entry.former && entry.address == *needed);
        let expected = entry.map(|entry| {
            if *edge == Edge::Uid { entry.uid } else { entry.key.rsplit('/').next().unwrap().to_owned() }
        });
        let found = &metadata["annotations"][&name];
        must(
            found.as_str() == expected.as_deref(),
            &format!("annotation {name}: {found} is not {expected:?}"),
        );
    }
    let value = format!("v{}", decl.value);
    match decl.kind {
        Kind::Map | Kind::Sealed | Kind::Secret => {
            let shown = if decl.kind == Kind::Secret { base64(&value) } else { value };
            let declared: BTreeSet<String> = render::keys(decl).collect();
            for key in ["k0", "k1", "k2"] {
                let found = &new["data"][key];
                if declared.contains(key) {
                    must(is(found, &shown), &format!("data.{key}: {found} is not {shown}"));
                } else {
                    let path = ["f:data", &format!("f:{key}")];
                    let not_ours = old.is_some_and(|old| is_theirs(old, path) || is_nobodys(old, path));
                    must(found.is_null() || not_ours, &format!("data.{key} is still there"));
                }
            }
        }
        _ => must(is(&metadata["labels"]["v"], &value), "label v"),
    }
    match decl.kind {
        Kind::Sealed => must(new["immutable"] == true, "immutable"),
        Kind::Secret => {
            let drawn = new["data"]["token"].as_str().unwrap_or_default();
            must(drawn.len() == 44, "the token is not 32 letters");
            let kept = old.filter(|old| before.is_marked(old)).and_then(|old| old["data"]["token"].as_str());
            must(kept.is_none_or(|kept| kept == drawn), "the token was drawn again");
        }
        Kind::Service => {
            let ports: Vec<&Value> = new["spec"]["ports"].as_array().into_iter().flatten().collect();
            let named = |port: u16| ports.iter().any(|entry| entry["port"] == port);
            must(named(render::port(decl.value)), "the port");
            let mut others = (0..4).filter(|other| *other != decl.value).map(render::port);
            let was_ours = |port: u16| old.is_none_or(|old| is_our_port(old, port));
            must(!others.any(|port| named(port) && was_ours(port)), "another port of ours");
        }
        Kind::Gear => {
            must(new["spec"] == json!({"size": decl.value, "note": format!("v{}", decl.value)}), "spec");
        }
        _ => {}
    }
    if let Some(old) = old {
        let replaced = decl.kind == Kind::Sealed && is_sealed_otherwise(decl, old);
        let same = old["metadata"]["uid"] == metadata["uid"];
        must(same != replaced, if same { "it was to be replaced" } else { "it was made anew" });
        let theirs = &old["metadata"]["annotations"]["theirs"];
        must(!same || theirs == &metadata["annotations"]["theirs"], "their annotation");
        must(!same || old["data"]["x"] == new["data"]["x"], "their key");
    }
    (!wrong.is_empty()).then(|| wrong.join("; "))
}

/// Whether the data of an immutable object would change.
fn is_sealed_otherwise(decl: &Decl, old: &Value) -> bool {
    let mut data = old["data"].as_object().cloned().unwrap_or_default();
    let stays = |path: [&str; 2]| is_theirs(old, path) || is_nobodys(old, path);
    data.retain(|key, _| stays(["f:data", &format!("f:{key}")]));
    data.extend(render::keys(decl).map(|key| (key, json!(format!("v{}", decl.value)))));
    old["immutable"] == true && Some(&data) != old["data"].as_object().or(Some(&serde_json::Map::new()))
}
