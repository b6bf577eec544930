//! `metadata.managedFields`: reading, writing, and the order of its entries
//! (`apimachinery`, `pkg/util/managedfields/internal/managedfields.go`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::set::Set;
use crate::sandbox::fault::quote;

/// Who writes: what tells one entry from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    /// The name the writer gave.
    pub(super) manager: String,
    /// Whether the entry is about server-side apply.
    pub(super) applied: bool,
    /// The version it writes in; empty for an applier, who has one entry for all.
    pub(super) api_version: String,
    /// The subresource it writes through; empty for the object itself.
    pub(super) subresource: String,
}

/// What somebody owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owned {
    /// The fields.
    pub(super) set: Set,
    /// The version whose structure `set` is about.
    pub(super) api_version: String,
    /// When it last changed, RFC 3339.
    pub(super) time: Option<String>,
}

/// Everybody who owns something.
pub(super) type Managers = BTreeMap<Identity, Owned>;

impl Identity {
    /// As conflicts name it.
    pub(super) fn shown(&self) -> String {
        let mut text = quote(&self.manager);
        if !self.subresource.is_empty() {
            text.push_str(" with subresource ");
            text.push_str(&quote(&self.subresource));
        }
        if !self.applied {
            text.push_str(" using ");
            text.push_str(&self.api_version);
        }
        text
    }

    fn operation(&self) -> &'static str {
        if self.applied { "Apply" } else { "Update" }
    }
}

/// Reads entries; `Null` has none.
///
/// # Errors
/// What about them is illegal, as the API server words it.
pub(super) fn decode(entries: &Value) -> Result<Managers, String> {
    let mut managers = Managers::new();
    let Value::Array(entries) = entries else { return Ok(managers) };
    for (at, entry) in entries.iter().enumerate() {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        let applied = match text("operation") {
            "Apply" => true,
            "Update" => false,
            _ => return Err("operation must be `Apply` or `Update`".into()),
        };
        let api_version = text("apiVersion");
        if api_version.is_empty() {
            return Err("apiVersion must not be empty".into());
        }
        match text("fieldsType") {
            "FieldsV1" => {}
            "" => return Err(format!("missing fieldsType in managed fields entry {at}")),
            other => {
                return Err(format!("invalid fieldsType {} in managed fields entry {at}", quote(other)));
            }
        }
        let empty = Value::Object(Map::new());
        let set = Set::from_fields_v1(entry.get("fieldsV1").unwrap_or(&empty))
            .map_err(|error| error.to_string())?;
        let identity = Identity {
            manager: text("manager").to_owned(),
            applied,
            api_version: if applied { String::new() } else { api_version.to_owned() },
            subresource: text("subresource").to_owned(),
        };
        let time = entry.get("time").and_then(Value::as_str).map(in_utc);
        managers.insert(identity, Owned { set, api_version: api_version.to_owned(), time });
    }
    Ok(managers)
}

/// A time as the API server writes it: seconds, in UTC.
fn in_utc(time: &str) -> String {
    match time.parse::<jiff::Timestamp>() {
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Err(_) => time.to_owned(),
    }
}

/// Writes entries: appliers first, then by time, name, version and subresource.
pub(super) fn encode(managers: &Managers) -> Value {
    let mut entries: Vec<(&Identity, &Owned)> = managers.iter().collect();
    entries.sort_by(|(a, a_owned), (b, b_owned)| {
        let key = |identity: &Identity, owned: &Owned| (!identity.applied, owned.time.clone());
        key(a, a_owned)
            .cmp(&key(b, b_owned))
            .then_with(|| a.manager.cmp(&b.manager))
            .then_with(|| a_owned.api_version.cmp(&b_owned.api_version))
            .then_with(|| a.subresource.cmp(&b.subresource))
    });
    entries.into_iter().map(|(identity, owned)| entry(identity, owned)).collect()
}

fn entry(identity: &Identity, owned: &Owned) -> Value {
    let mut entry = json!({
        "apiVersion": owned.api_version,
        "fieldsType": "FieldsV1",
        "fieldsV1": owned.set.to_fields_v1(),
        "manager": identity.manager,
        "operation": identity.operation(),
    });
    if !identity.subresource.is_empty() {
        entry["subresource"] = identity.subresource.as_str().into();
    }
    if let Some(time) = &owned.time {
        entry["time"] = time.as_str().into();
    }
    entry
}

/// Whether a client asks to drop all entries: an empty list, or one with an empty entry.
pub(super) fn is_reset(entries: &Value) -> bool {
    match entries.as_array().map(Vec::as_slice) {
        Some([]) => true,
        Some([Value::Object(only)]) => only.values().all(|value| value.is_null() || value == ""),
        _ => false,
    }
}

/// The entries of an object as they stand in it.
pub(super) fn entries_of(object: &Value) -> &Value {
    object.pointer("/metadata/managedFields").unwrap_or(&Value::Null)
}

/// Puts entries into an object; without any, it has no such field.
pub(super) fn put(object: &mut Value, managers: &Managers) {
    if managers.is_empty() {
        take(object);
        return;
    }
    let metadata = &mut object["metadata"];
    if metadata.is_null() {
        *metadata = Value::Object(Map::new());
    }
    metadata["managedFields"] = encode(managers);
}

/// Takes the entries out of an object.
pub(super) fn take(object: &mut Value) {
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.remove("managedFields");
    }
}

/// At most this many entries are about updates.
const MOST_UPDATERS: usize = 10;

/// Joins the oldest entries of updates until there are few enough, one bucket for each version
/// (`internal/capmanagers.go`).
pub(super) fn cap(managers: &mut Managers) {
    let mut updaters: Vec<Identity> = managers.keys().filter(|identity| !identity.applied).cloned().collect();
    let mut count = updaters.len();
    if count <= MOST_UPDATERS {
        return;
    }
    updaters.sort_by_cached_key(|identity| {
        (managers.get(identity).and_then(|owned| owned.time.clone()), identity.order())
    });
    let mut first_of: BTreeMap<String, Identity> = BTreeMap::new();
    for updater in updaters {
        if count <= MOST_UPDATERS {
            break;
        }
        let Some(version) = managers.get(&updater).map(|owned| owned.api_version.clone()) else { continue };
        let Some(first) = first_of.get(&version) else {
            first_of.insert(version, updater);
            continue;
        };
        let bucket = Identity {
            manager: "ancient-changes".into(),
            applied: false,
            api_version: version,
            subresource: String::new(),
        };
        if !managers.contains_key(&bucket)
            && let Some(owned) = managers.remove(first)
        {
            managers.insert(bucket.clone(), owned);
        }
        if let Some(merged) = managers.remove(&updater) {
            count -= 1;
            if let Some(owned) = managers.get_mut(&bucket) {
                owned.set.add(merged.set);
                owned.time = merged.time;
            }
        }
    }
}

impl Identity {
    /// The order of the API server: that of the entry's JSON text without what changes.
    pub(super) fn order(&self) -> (String, bool, String, String) {
        (quote(&self.manager), !self.applied, self.api_version.clone(), self.subresource.clone())
    }
}
