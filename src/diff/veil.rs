//! What of an object may be shown.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::drawn::drawn_by_server;
use crate::address::split_api_version;
use crate::fields::{canonical_path, value_at};
use crate::object::Object;
use crate::path::{FieldPath, Segment};
use crate::plan::Shown;
use crate::schema::{self, Node};

/// What stands for a secret inside a larger value.
pub const HIDDEN: &str = "(secret)";

/// What stands, inside a larger value, for a part that is known only after apply.
const DRAWN: &str = "(known after apply)";

/// Hides the secrets of one object, and what is known only after apply.
pub struct Veil {
    group: String,
    kind: String,
    root: Node,
    desired: Value,
    secrets: BTreeSet<FieldPath>,
    late: BTreeSet<FieldPath>,
}

/// A veil holds the manifest.
impl fmt::Debug for Veil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Veil")
            .field("kind", &self.kind)
            .field("secrets", &self.secrets)
            .field("late", &self.late)
            .finish_non_exhaustive()
    }
}

impl Veil {
    /// A veil over an object whose manifest is `desired`, with the paths in it whose values are secrets, and
    /// those whose values are not known yet. Elements of lists may be named by position. For an object that is
    /// not desired, `desired` is the live one.
    #[must_use]
    pub fn new(desired: &Value, secrets: &BTreeSet<FieldPath>, late: &BTreeSet<FieldPath>) -> Self {
        let text = |name: &str| desired.get(name).and_then(Value::as_str).unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        let root = schema::root_of(api_version, kind);
        let canonical = |paths: &BTreeSet<FieldPath>| {
            paths.iter().map(|path| canonical_path(root, desired, path)).collect()
        };
        Self {
            group: split_api_version(api_version).0.to_owned(),
            kind: kind.to_owned(),
            root,
            secrets: canonical(secrets),
            late: canonical(late),
            desired: desired.clone(),
        }
    }

    /// A veil that hides what is secret in any object of the live one's kind.
    #[must_use]
    pub fn of_live(object: &Object) -> Self {
        Self::new(&object.0, &BTreeSet::new(), &BTreeSet::new())
    }

    /// The value at `path` before the change, as it may be shown.
    #[must_use]
    pub fn before(&self, path: &FieldPath, value: Option<&Value>) -> Shown {
        self.shown(path, value, false)
    }

    /// The value at `path` after the change, as it may be shown.
    #[must_use]
    pub fn after(&self, path: &FieldPath, value: Option<&Value>) -> Shown {
        self.shown(path, value, true)
    }

    fn shown(&self, path: &FieldPath, value: Option<&Value>, planned: bool) -> Shown {
        // What the manifest leaves open comes; what the server would draw comes only if there is such a field.
        if planned && self.is_late(path) && (value.is_some() || !self.is_drawn(path)) {
            return Shown::KnownAfterApply;
        }
        let Some(value) = value else {
            return Shown::Absent;
        };
        if self.is_secret(path) {
            return Shown::Masked;
        }
        let mut value = value.clone();
        let mut path = path.clone();
        let node = path.0.iter().try_fold(self.root, Node::step);
        self.cover(node.unwrap_or_else(Node::any), &mut path, &mut value, planned);
        Shown::Plain(value)
    }

    /// Whether the value at `path` is a secret, or inside one.
    #[must_use]
    pub fn is_secret(&self, path: &FieldPath) -> bool {
        let secret_data = self.group.is_empty()
            && self.kind == "Secret"
            && matches!(&path.0[..], [Segment::Key(top), _, ..] if top == "data" || top == "stringData");
        // What `kubectl apply` was given, Secrets in full.
        let last_applied =
            FieldPath::keys(["metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"]);
        secret_data
            || path.starts_with(&last_applied)
            || self.secrets.iter().any(|secret| inside(path, secret))
    }

    /// Whether the value at `path` will be known only after apply.
    #[must_use]
    pub fn is_late(&self, path: &FieldPath) -> bool {
        self.is_drawn(path) || self.late.iter().any(|late| inside(path, late))
    }

    fn is_drawn(&self, path: &FieldPath) -> bool {
        drawn_by_server(&self.group, &self.kind, path) && value_at(self.root, &self.desired, path).is_none()
    }

    fn cover(&self, node: Node, path: &mut FieldPath, value: &mut Value, planned: bool) {
        let named = match value {
            Value::Array(items) => super::compare::named(node.node_type(), items)
                .map(|named| named.into_iter().map(|(segment, _)| segment).collect::<Vec<_>>()),
            _ => None,
        };
        let children: Vec<(Segment, &mut Value)> = match value {
            Value::Object(map) => {
                map.iter_mut().map(|(key, value)| (Segment::Key(key.clone()), value)).collect()
            }
            Value::Array(items) => items
                .iter_mut()
                .enumerate()
                .map(|(at, value)| {
                    let name = named.as_ref().and_then(|named| named.get(at).cloned());
                    (name.unwrap_or(Segment::Index(at)), value)
                })
                .collect(),
            _ => return,
        };
        for (segment, child) in children {
            let below = node.step(&segment).unwrap_or_else(Node::any);
            path.0.push(segment);
            if self.is_secret(path) {
                *child = Value::from(HIDDEN);
            } else if planned && self.is_late(path) {
                *child = Value::from(DRAWN);
            } else {
                self.cover(below, path, child, planned);
            }
            path.0.pop();
        }
    }
}

/// Whether `path` is `place` or inside it. A position stands for every position: where an element of an atomic
/// list is a secret now, the same element may have stood elsewhere before. For the same reason what is above is
/// not enough to compare: a list as a whole is looked into.
fn inside(path: &FieldPath, place: &FieldPath) -> bool {
    path.0.len() >= place.0.len()
        && place.0.iter().zip(&path.0).all(|(wanted, actual)| match (wanted, actual) {
            (Segment::Index(_), Segment::Index(_)) => true,
            _ => wanted == actual,
        })
}
