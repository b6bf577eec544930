//! What a change of a resource starts from: its facts, its body, and the body a dry-run may see.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::address::Address;
use crate::cluster::Api;
use crate::diff::Veil;
use crate::fields;
use crate::manifest::Unknown;
use crate::object::Object;
use crate::path::FieldPath;
use crate::plan::assess::{Assessor, Subject};
use crate::plan::show::Mask;
use crate::plan::{Action, Change, Write, owned, refuse};
use crate::schema::Node;
use crate::status;

impl Assessor<'_> {
    /// The body for a dry-run: secrets that differ from what is live, and values not known yet, are stood in
    /// for by texts of the same length; a value of unknown type is left out.
    pub(super) fn probe_body(subject: &Subject<'_>, body: &Value, live: Option<&Object>) -> Value {
        let mut body = body.clone();
        for path in &subject.desired.secret {
            let canonical = Self::canonical(subject, path);
            let live = live.and_then(|live| canonical.get(&live.0));
            if let Some(value) = path.get_mut(&mut body)
                && live != Some(&*value)
            {
                *value = placeholder(path, value);
            }
        }
        for (path, unknown) in subject.desired.unknown.iter().rev() {
            match unknown {
                Unknown::AfterApply { placeholder: Some(text) } => {
                    set(&mut body, path, Value::String(text.clone()));
                }
                Unknown::AfterApply { placeholder: None } => drop(path.remove(&mut body)),
                // What was not read is taken to be what is live: no change is claimed, and none is denied.
                Unknown::NotRead => {
                    let canonical = Self::canonical(subject, path);
                    let live = live.and_then(|live| canonical.get(&live.0)).cloned();
                    set(&mut body, path, live.unwrap_or_else(|| Value::String("bm90LXJlYWQ=".to_owned())));
                }
            }
        }
        body
    }

    pub(super) fn canonical(subject: &Subject<'_>, path: &FieldPath) -> FieldPath {
        fields::canonical_path(Self::root(subject), &subject.desired.body, path)
    }

    /// The structure of the resource's kind.
    pub(super) fn root(subject: &Subject<'_>) -> Node {
        owned::structure(&subject.resource.api_version, &subject.resource.kind)
    }

    /// The fields whose value is a secret, now or when we wrote it last.
    pub(super) fn secrets(subject: &Subject<'_>) -> BTreeSet<FieldPath> {
        let desired = subject.desired.secret.iter().map(|path| Self::canonical(subject, path));
        let written = subject.prior.into_iter().flat_map(|prior| prior.secrets.iter().cloned());
        desired.chain(written).collect()
    }

    /// What is written at apply. Ignored paths, proofs and drift were settled by the caller.
    pub(super) fn write(subject: &Subject<'_>, body: Value) -> Write {
        Write {
            body,
            unknown: subject.desired.unknown.keys().cloned().collect(),
            secret: Self::secrets(subject),
            force: Vec::new(),
            remove: Vec::new(),
            adopt_managers: Vec::new(),
        }
    }

    pub(super) fn mask(&self, subject: &Subject<'_>) -> Mask<'_> {
        let late = |(path, unknown): (&FieldPath, &Unknown)| {
            matches!(unknown, Unknown::AfterApply { .. }).then(|| path.clone())
        };
        let late = subject.desired.unknown.iter().filter_map(late).collect();
        Mask {
            veil: Veil::new(&subject.desired.body, &Self::secrets(subject), &late),
            redactor: self.input.redactor,
        }
    }

    pub(super) fn clean(&self, text: &str) -> String {
        self.input.redactor.redact(text).into_owned()
    }

    /// A change of this resource with nothing decided yet.
    pub(super) fn change(&self, subject: &Subject<'_>, action: Action, api: Option<&Api>) -> Change {
        let resource = subject.resource;
        let depends_on: BTreeMap<Address, String> = self
            .stack
            .graph
            .dependencies(&resource.address)
            .filter(|(to, _)| self.stack.resources.contains_key(*to))
            .map(|(to, reasons)| (to.clone(), reasons.first().map(refuse::reason).unwrap_or_default()))
            .collect();
        let timeout = resource.timeout.unwrap_or_else(|| status::default_timeout(&subject.desired.body));
        Change {
            moved_from: subject.moved_from.clone(),
            api: api.cloned(),
            wait: resource.wait.clone(),
            timeout: timeout.as_secs(),
            protect: subject.protect,
            depends_on,
            location: Some(self.stack.sources_map.location(&resource.span)),
            ..Change::new(resource.address.clone(), subject.desired.key.clone(), action)
        }
    }
}

/// A name no object has, for dry-runs: `arrplan-` and eight hex digits drawn from what it stands for, so that
/// the same plan sends the same requests.
pub(super) fn probe_name(of: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(of.as_bytes());
    let number = digest.iter().take(4).fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    format!("arrplan-{number:08x}")
}

/// A text that stands in for a secret at `path`, of the same length, and valid where it stands.
pub(super) fn placeholder(path: &FieldPath, value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(crate::secrets::placeholder(path, text)),
        other => other.clone(),
    }
}

/// Puts `value` at `path`, making the maps on the way; a list element that is not there is left alone.
pub(super) fn set(body: &mut Value, path: &FieldPath, value: Value) {
    let Some(parent) = path.parent() else { return };
    if parent.get(body).is_none() {
        set(body, &parent, Value::Object(serde_json::Map::new()));
    }
    match (parent.get_mut(body), path.0.last()) {
        (Some(Value::Object(map)), Some(crate::path::Segment::Key(key))) => {
            map.insert(key.clone(), value);
        }
        (Some(Value::Array(items)), Some(crate::path::Segment::Index(at))) => {
            if let Some(item) = items.get_mut(*at) {
                *item = value;
            }
        }
        _ => {}
    }
}
