//! Fields that others added to our objects: invisible to a dry-run (measured), so they are read from the
//! managers' entries.

use std::collections::BTreeSet;

use crate::cluster::Api;
use crate::diff;
use crate::object::Object;
use crate::path::{FieldPath, Segment};
use crate::plan::assess::{Assessed, Assessor, Subject};
use crate::plan::{Action, Change, FieldCause, FieldChange, NotOurs, Shown, owned};

impl Assessor<'_> {
    /// Adds what others set and this plan leaves alone; where `--take` names it, the plan removes it.
    pub(super) fn with_not_ours(
        &self,
        subject: &Subject<'_>,
        api: &Api,
        live: &Object,
        mut change: Change,
    ) -> Assessed {
        let mut not_ours = Vec::new();
        let mut taken = Vec::new();
        for found in self.foreign_fields(subject, live) {
            if self.input.options.takes(&subject.resource.address, &found.path) {
                taken.push(found);
            } else {
                not_ours.push(found);
            }
        }
        if !taken.is_empty() {
            if change.action == Action::NoOp {
                change.action = Action::Update;
                change.api = Some(api.clone());
                change.write = Some(Self::write(subject, subject.desired.body.clone()));
            }
            for found in taken {
                if let Some(write) = &mut change.write {
                    write.remove.push(found.path.clone());
                }
                let cause = FieldCause::Taken { manager: found.manager };
                change.fields.push(FieldChange {
                    path: found.path,
                    before: found.value,
                    after: Shown::Absent,
                    cause,
                });
            }
            change.fields.sort_by(|a, b| a.path.cmp(&b.path));
        }
        Assessed { change: Some(change), problems: Vec::new(), not_ours }
    }

    /// Fields that ordinary managers hold and this manifest does not set. What it sets is not foreign even
    /// while another manager holds it: that is drift, shown as a change.
    pub(super) fn foreign_fields(&self, subject: &Subject<'_>, live: &Object) -> Vec<NotOurs> {
        let entries = owned::entries(live);
        let mut ours = owned::ours(live);
        ours.extend(owned::manifest_leaves(Self::root(subject), &subject.desired.body));
        let all: BTreeSet<FieldPath> = entries.iter().flat_map(owned::leaves).collect();
        let key = live.key();
        let mask = self.mask(subject);
        let mut found = Vec::new();
        for entry in entries.iter().filter(|e| !owned::is_ours(e) && owned::is_plain_update(e)) {
            for path in owned::leaves(entry) {
                let ignored = subject.resource.ignore.iter().any(|ignore| path.starts_with(ignore));
                if ignored
                    || ours.contains(&path)
                    || is_parent(&path, &ours)
                    || is_parent(&path, &all)
                    || is_server_owned(&path)
                    || diff::controller_filled(&key.group, &key.kind, &path, &live.0)
                {
                    continue;
                }
                let path = whole_element(path, &ours);
                let Some(value) = path.get(&live.0) else { continue };
                found.push(NotOurs {
                    address: subject.resource.address.clone(),
                    value: mask.before(&path, Some(value)),
                    effect: effect(&path, value),
                    path,
                    manager: entry.manager.clone(),
                    time: entry.time.clone(),
                });
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found.dedup_by(|a, b| a.path == b.path);
        found
    }
}

/// The list element that the path leads into, where nothing of it is ours: without its key, or half of it, the
/// rest would be invalid.
fn whole_element(path: FieldPath, ours: &BTreeSet<FieldPath>) -> FieldPath {
    let element = (1..path.0.len()).map(|end| FieldPath(path.0[..end].to_vec())).find(|prefix| {
        matches!(prefix.0.last(), Some(Segment::Select(_)))
            && !ours.contains(prefix)
            && !is_parent(prefix, ours)
    });
    element.unwrap_or(path)
}

/// Whether others hold what lies in it: an entry that has only the map itself holds nothing of its content.
fn is_parent(path: &FieldPath, leaves: &BTreeSet<FieldPath>) -> bool {
    let after = (std::ops::Bound::Excluded(path), std::ops::Bound::Unbounded);
    leaves.range::<FieldPath, _>(after).next().is_some_and(|next| next.starts_with(path))
}

/// Status, and metadata that only the server and finalizer owners write.
fn is_server_owned(path: &FieldPath) -> bool {
    let key = |at: usize| match path.0.get(at) {
        Some(Segment::Key(key)) => Some(key.as_str()),
        _ => None,
    };
    match key(0) {
        Some("status") => true,
        Some("metadata") => !matches!(key(1), Some("labels" | "annotations")),
        _ => false,
    }
}

/// What a foreign field means for the plan, where it means anything.
fn effect(path: &FieldPath, value: &serde_json::Value) -> Option<String> {
    let stops = matches!(path.to_string().as_str(), "spec.suspend" | "spec.paused");
    (stops && *value == serde_json::Value::Bool(true))
        .then(|| "while it stands, changes have no effect".to_owned())
}
