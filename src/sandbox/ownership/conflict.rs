//! What an apply is refused for (`apimachinery`, `pkg/util/managedfields/internal/conflict.go`).

use std::collections::BTreeMap;

use super::go;
use super::managers::Identity;
use super::set::Set;
use crate::path::FieldPath;
use crate::sandbox::error::{ApiError, Cause, Details};

/// Fields that an apply would take from others. The API server lists the others in no certain order; here it is
/// that of the message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Conflicts(BTreeMap<Identity, Set>);

impl Conflicts {
    /// Notes what would be taken from one of them.
    pub(super) fn add(&mut self, from: &Identity, set: Set) {
        if !set.is_empty() {
            self.0.insert(from.clone(), set);
        }
    }

    /// Whether nothing would be taken.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What would be taken from one of them.
    pub(super) fn of(&self, from: &Identity) -> Option<&Set> {
        self.0.get(from)
    }

    /// Leaves `fields` out.
    pub(super) fn without(mut self, fields: &Set) -> Self {
        self.0.retain(|_, set| {
            set.remove_all(fields);
            !set.is_empty()
        });
        self
    }

    /// The 409.
    pub(super) fn to_error(&self) -> ApiError {
        let mut sorted: Vec<(&Identity, Vec<FieldPath>)> =
            self.0.iter().map(|(identity, set)| (identity, set.paths())).collect();
        sorted.sort_by_cached_key(|(identity, _)| identity.order());
        let count: usize = sorted.iter().map(|(_, paths)| paths.len()).sum();
        let cause = |identity: &Identity, path: &FieldPath| Cause {
            reason: "FieldManagerConflict",
            message: format!("conflict with {}", identity.shown()),
            field: go::path(&path.0),
        };
        let causes: Vec<Cause> = sorted
            .iter()
            .flat_map(|(identity, paths)| paths.iter().map(|path| cause(identity, path)))
            .collect();
        let message = if let [only] = causes.as_slice() {
            format!("Apply failed with 1 conflict: {}: {}", only.message, only.field)
        } else {
            let lines: Vec<String> = sorted
                .iter()
                .flat_map(|(identity, paths)| {
                    let head = format!("conflicts with {}:", identity.shown());
                    std::iter::once(head).chain(paths.iter().map(|path| format!("- {}", go::path(&path.0))))
                })
                .collect();
            format!("Apply failed with {count} conflicts: {}", lines.join("\n"))
        };
        let details = Details { causes, ..Details::default() };
        ApiError::new(409, "Conflict", message).with(details)
    }
}
