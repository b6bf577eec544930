//! What a change to a live object was decided by, kept so that it can be told later what became of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::object::Object;
use crate::path::FieldPath;
use crate::plan::assess::{Assessor, Subject};
use crate::plan::{Change, Shown, Take, guard, owned};
use crate::state::{Digest, HashKey};

/// Lines of a difference that are shown at most.
const MOST: usize = 10;
/// Characters of a value that are shown at most.
const WIDE: usize = 60;

/// A live field as it was read when the plan was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Its value as it may be shown.
    pub shown: Shown,
    /// [`HashKey::field`] of its value, `null` where there was none.
    pub digest: Digest,
}

impl Assessor<'_> {
    /// The fields that decide about a change of `live`.
    pub(super) fn seen(
        &self,
        subject: &Subject<'_>,
        live: &Object,
        force: &[Take],
    ) -> BTreeMap<FieldPath, Seen> {
        let mask = self.mask(subject);
        let address = &subject.resource.address;
        let seen = |path: FieldPath| {
            let value = path.get(&live.0);
            let digest = self.input.key.field(address, &path, value.unwrap_or(&Value::Null));
            (path.clone(), Seen { shown: mask.before(&path, value), digest })
        };
        guard::deciding(live, force).into_iter().map(seen).collect()
    }
}

/// What became of the fields that decided `change`: for each that is another one in `live`, its value at plan
/// time, its value now, and who holds it. Secrets are not shown, `written` among them: where they were when the
/// object was written last. A caller filters the lines by what it knows.
#[must_use]
pub fn differences(
    change: &Change,
    key: &HashKey,
    live: &Object,
    written: Option<&BTreeSet<FieldPath>>,
) -> Vec<String> {
    let force = change.write.as_ref().map_or(&[][..], |write| &write.force);
    let mut paths: BTreeSet<FieldPath> = change.seen.keys().cloned().collect();
    // Without a record every field of ours would look new.
    if !change.seen.is_empty() {
        paths.extend(guard::deciding(live, force));
    }
    let entries = owned::entries(live);
    let mut lines = Vec::new();
    let removed = change.write.as_ref().map_or(&[][..], |write| &write.remove);
    for path in paths.into_iter().filter(|path| !removed.contains(path)) {
        let now = path.get(&live.0);
        let before = change.seen.get(&path);
        let digest = key.field(&change.address, &path, now.unwrap_or(&Value::Null));
        if before.is_some_and(|before| before.digest == digest) {
            continue;
        }
        let was = before.map_or(&Shown::Absent, |before| &before.shown);
        if *was == Shown::Absent && now.is_none() {
            continue;
        }
        let by = entries.iter().find(|entry| !owned::is_ours(entry) && owned::holds(entry, &path));
        let by = by.map(|entry| format!(", by {}", entry.manager)).unwrap_or_default();
        let secret = *was == Shown::Masked || is_secret(change, written, &path);
        let was = match was {
            Shown::Absent => "absent".to_owned(),
            Shown::Plain(value) if !secret => text(value),
            _ => "a secret".to_owned(),
        };
        let now = match now {
            None => "absent".to_owned(),
            Some(value) if !secret => text(value),
            Some(_) => "another secret".to_owned(),
        };
        lines.push(format!("{path}: {was} when planned, {now} now{by}"));
    }
    if lines.len() > MOST {
        let more = lines.len() - MOST;
        lines.truncate(MOST);
        lines.push(format!("and {more} more"));
    }
    lines
}

fn is_secret(change: &Change, written: Option<&BTreeSet<FieldPath>>, path: &FieldPath) -> bool {
    let secrets = change.write.as_ref().map(|write| &write.secret).into_iter().chain(written);
    change.key.kind == "Secret" && change.key.group.is_empty()
        || secrets.flatten().any(|secret| path.starts_with(secret) || secret.starts_with(path))
}

fn text(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= WIDE {
        return text;
    }
    let cut: String = text.chars().take(WIDE).collect();
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{Address, ObjectKey};
    use crate::plan::Action;
    use serde_json::json;

    fn live(kind: &str, data: &Value, holder: &str) -> Object {
        let fields = data.as_object().unwrap().keys().map(|key| (format!("f:{key}"), json!({})));
        let fields = Value::Object(fields.collect());
        Object(json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a", "managedFields": [
            {"manager": holder, "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
             "fieldsV1": {"f:data": fields}},
        ]}, "data": data}))
    }

    fn changed(kind: &str, before: &Value, now: &Value) -> Vec<String> {
        let key = HashKey::from_bytes(&[1; 32]).unwrap();
        let object = ObjectKey::new("", kind, Some("ns"), "a");
        let mut change = Change::new(Address::new("t", "a"), object, Action::Update);
        for (name, value) in before.as_object().unwrap() {
            let path = FieldPath::keys(["data", name]);
            let digest = key.field(&change.address, &path, value);
            change.seen.insert(path, Seen { shown: Shown::Plain(value.clone()), digest });
        }
        differences(&change, &key, &live(kind, now, "kubectl"), None)
    }

    #[test]
    fn each_field_that_is_another_one_is_told_with_both_values_and_its_holder() {
        let before = json!({"a": "1", "b": "2", "c": "3"});
        let now = json!({"a": "1", "b": "4"});
        assert_eq!(
            changed("ConfigMap", &before, &now),
            ["data.b: \"2\" when planned, \"4\" now, by kubectl", "data.c: \"3\" when planned, absent now"]
        );
        assert_eq!(
            changed("Secret", &before, &now),
            [
                "data.b: a secret when planned, another secret now, by kubectl",
                "data.c: a secret when planned, absent now"
            ]
        );
        assert_eq!(changed("ConfigMap", &before, &before), [""; 0]);
    }

    #[test]
    fn long_values_and_long_lists_are_cut() {
        let many = |value: &str| -> Value {
            (0..20).map(|n| (format!("k{n:02}"), json!(value))).collect::<serde_json::Map<_, _>>().into()
        };
        let lines = changed("ConfigMap", &many("x"), &many(&"y".repeat(200)));
        assert_eq!(lines.len(), MOST + 1);
        assert_eq!(lines[MOST], "and 10 more");
        assert!(lines[0].len() < 140 && lines[0].contains('…'), "{}", lines[0]);
    }
}
