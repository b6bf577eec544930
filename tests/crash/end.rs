//! What a command comes to: the objects there are and what arrplan believes of them, less what no two runs share.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::redact;

use crate::stage::Stage;

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct End(Value);

impl End {
    /// Reads it. `draws`: key, lineage and secret are nobody else's.
    ///
    /// # Panics
    /// When something of a run is still open: a journal, a temporary file, a revision that is missing.
    #[track_caller]
    pub(crate) fn read(stage: &Stage, draws: bool) -> Self {
        let namespace = &stage.namespace;
        let mut objects = BTreeMap::new();
        for kind in ["configmaps", "secrets"] {
            let list = stage.get(&format!("/api/v1/namespaces/{namespace}/{kind}")).unwrap();
            for object in list["items"].as_array().unwrap() {
                let name = object["metadata"]["name"].as_str().unwrap();
                if name != "kube-root-ca.crt" {
                    objects.insert(format!("{kind}/{name}"), common_object(object.clone(), draws));
                }
            }
        }
        for name in [namespace.clone(), format!("{namespace}-extra")] {
            if let Some(object) = stage.get(&format!("/api/v1/namespaces/{name}")) {
                objects.insert(format!("namespaces/{name}"), common_object(object, draws));
            }
        }
        let left: Vec<String> = std::fs::read_dir(stage.folder.join("state"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| [".tmp", ".journal"].iter().any(|ending| name.ends_with(ending)))
            .collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        let state = stage.state().expect("a state");
        let serial = state["serial"].as_u64().unwrap();
        let revision = stage.state_path(&format!("revisions/{serial}.json"));
        let revision = std::fs::read_to_string(&revision)
            .unwrap_or_else(|error| panic!("revision {serial} of {}: {error}", revision.display()));
        let revision: Value = serde_json::from_str(&revision).unwrap();
        let text = json!({
            "objects": objects,
            "state": common_state(state, draws),
            "revision": common_revision(revision, draws),
        });
        // Last, so that a name that holds the namespace's is the same everywhere.
        let text = redact(&text.to_string()).replace(namespace.as_str(), "NS");
        Self(serde_json::from_str(&text).unwrap())
    }

    /// What differs from `other`, leaf by leaf: here and there. Empty if nothing does.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let (here, there) = (leaves(&self.0), leaves(&other.0));
        let paths: std::collections::BTreeSet<&String> = here.keys().chain(there.keys()).collect();
        let differ = paths.into_iter().filter(|path| here.get(*path) != there.get(*path));
        differ
            .map(|path| format!("{path}: {:?}, uninterrupted {:?}", here.get(path), there.get(path)))
            .collect()
    }
}

fn leaves(value: &Value) -> BTreeMap<String, String> {
    fn walk(at: &str, value: &Value, leaves: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                map.iter().for_each(|(key, value)| walk(&format!("{at}/{key}"), value, leaves));
            }
            Value::Array(items) if !items.is_empty() => {
                items.iter().enumerate().for_each(|(n, value)| walk(&format!("{at}/{n}"), value, leaves));
            }
            leaf => drop(leaves.insert(at.to_owned(), leaf.to_string())),
        }
    }
    let mut found = BTreeMap::new();
    walk("", value, &mut found);
    found
}

fn common_object(mut object: Value, draws: bool) -> Value {
    let map = object.as_object_mut().unwrap();
    if let Some(data) = map.get_mut("data").and_then(Value::as_object_mut)
        && draws
        && data.contains_key("token")
    {
        data.insert("token".to_owned(), json!("[drawn]"));
    }
    let metadata = map["metadata"].as_object_mut().unwrap();
    for own in ["uid", "resourceVersion", "creationTimestamp"] {
        assert!(metadata.remove(own).is_some(), "{own}");
    }
    if let Some(entries) = metadata.get_mut("managedFields").and_then(Value::as_array_mut) {
        for entry in entries.iter_mut() {
            entry["time"].take();
        }
        entries.sort_by_key(Value::to_string);
    }
    object
}

fn common_state(mut state: Value, draws: bool) -> Value {
    let map = state.as_object_mut().unwrap();
    for own in ["serial", "checksum"] {
        assert!(map.remove(own).is_some(), "{own}");
    }
    if draws {
        map.remove("key_id");
    }
    for (address, resource) in map["resources"].as_object_mut().unwrap() {
        let resource = resource.as_object_mut().unwrap();
        for own in ["uid", "resource_version", "since_serial"] {
            assert!(resource.remove(own).is_some(), "{address} {own}");
        }
        // Nobody measured what was interrupted.
        resource.remove("durations");
        if draws {
            resource.get_mut("desired_hash").map(Value::take);
            let digests = resource["owned"].as_object_mut().unwrap();
            for digest in digests.values_mut().filter(|digest| digest.is_string()) {
                *digest = json!("[digest]");
            }
        }
    }
    state
}

fn common_revision(mut revision: Value, draws: bool) -> Value {
    let map = revision.as_object_mut().unwrap();
    // What was left to be done, and how long it took, is another matter after an interrupt.
    for own in ["serial", "checksum", "at", "took", "changes"] {
        assert!(map.remove(own).is_some(), "{own}");
    }
    if draws {
        map.remove("key_id");
        for resource in map["resources"].as_object_mut().unwrap().values_mut() {
            if let Some(secrets) = resource.get_mut("secrets").and_then(Value::as_object_mut) {
                secrets.values_mut().for_each(|digest| *digest = json!("[digest]"));
            }
        }
    }
    revision
}
