//! A built-in kind as the verbs see it.

use std::fmt;

use serde_json::Value;

use super::decode::{Found, decode};
use super::fill::{as_stored, fill};
use super::needed;
use super::rules::{Counts, Rules, of_kind};
use super::types::{StructId, Types};
use crate::fields::FieldSet;
use crate::path::FieldPath;
use crate::sandbox::error::{ApiError, Cause};
use crate::sandbox::meta::{self, At, Causes, same};
use crate::sandbox::resource::{Draw, Endpoint, FieldValidation, Propagation, Resource, Strategy};

/// The strategy of one built-in kind.
pub(super) struct BuiltIn {
    id: StructId,
    namespaced: bool,
    rules: Rules,
}

impl fmt::Debug for BuiltIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BuiltIn({})", Types::get().of(self.id).name)
    }
}

impl BuiltIn {
    /// The strategy of a kind that the table of types has.
    pub(super) fn new(api_version: &str, kind: &str, namespaced: bool) -> Self {
        let id =
            Types::get().kind(api_version, kind).expect("the table of types has every kind of resources.txt");
        Self { id, namespaced, rules: of_kind(kind) }
    }

    /// What a write through this endpoint does not change.
    fn resets(&self, endpoint: Endpoint) -> &'static [&'static [&'static str]] {
        match endpoint {
            Endpoint::Main | Endpoint::Scale if self.rules.resets_status => &[&["status"]],
            Endpoint::Main | Endpoint::Scale => &[],
            Endpoint::Status => self.rules.status_resets,
        }
    }

    /// Into the form that a read gives: what was taken away is filled in again as it is from storage.
    fn settle(&self, object: &mut Value) {
        as_stored(self.id, object);
        fill(self.id, object);
    }
}

/// Takes a field from the old object.
fn keep(object: &mut Value, old: &Value, path: &[&str]) {
    let [above @ .., field] = path else { return };
    let (mut to, mut from) = (object, old);
    for key in above {
        (to, from) = (&mut to[*key], &from[*key]);
    }
    match (from.get(*field), to.as_object_mut()) {
        (Some(value), Some(map)) => {
            map.insert((*field).to_owned(), value.clone());
        }
        (None, Some(map)) => {
            map.remove(*field);
        }
        (_, None) => {}
    }
}

impl Strategy for BuiltIn {
    fn decode(
        &self,
        resource: &Resource,
        object: &mut Value,
        duplicates: &[String],
        validation: FieldValidation,
    ) -> Result<Vec<String>, ApiError> {
        let refuse = |why: &str| {
            let (kind, version) = (&resource.kind, &resource.version);
            let message = format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}");
            Err(ApiError::bad_request(message))
        };
        let Found { unknown, error } = decode(self.id, object);
        if let Some(error) = error {
            return refuse(&error);
        }
        let unknown = unknown.iter().map(|path| format!("unknown field \"{path}\""));
        let duplicates = duplicates.iter().map(|path| format!("duplicate field \"{path}\""));
        let problems: Vec<String> = unknown.chain(duplicates).collect();
        match validation {
            FieldValidation::Ignore => Ok(Vec::new()),
            FieldValidation::Strict if !problems.is_empty() => {
                refuse(&format!("strict decoding error: {}", problems.join(", ")))
            }
            FieldValidation::Strict | FieldValidation::Warn => Ok(problems),
        }
    }

    fn default(&self, object: &mut Value) {
        fill(self.id, object);
    }

    fn prepare_create(&self, object: &mut Value, draw: &dyn Draw) {
        if self.rules.resets_status
            && let Some(map) = object.as_object_mut()
        {
            map.remove("status");
        }
        (self.rules.prepare_create)(object, draw);
        self.settle(object);
    }

    fn prepare_update(&self, object: &mut Value, old: &Value, endpoint: Endpoint, draw: &dyn Draw) {
        for path in self.resets(endpoint) {
            keep(object, old, path);
        }
        (self.rules.prepare_update)(object, old, endpoint, draw);
        self.settle(object);
    }

    fn validate_create(&self, object: &Value) -> Vec<Cause> {
        let mut causes = Causes::default();
        let at = At::new("metadata");
        meta::check(&mut causes, &object["metadata"], &at, self.namespaced, self.rules.name);
        meta::qualified_finalizers(&mut causes, &object["metadata"]);
        (self.rules.validate)(&mut causes, object, None);
        if causes.len() == 0 {
            meta::check(&mut causes, &object["metadata"], &at, self.namespaced, meta::path_segment);
        }
        needed::or_missing(causes.into_vec(), object)
    }

    fn validate_update(&self, object: &Value, old: &Value, endpoint: Endpoint) -> Vec<Cause> {
        let mut causes = Causes::default();
        meta::check_update(&mut causes, &object["metadata"], &old["metadata"], self.namespaced);
        meta::qualified_finalizers(&mut causes, &object["metadata"]);
        match endpoint {
            Endpoint::Main | Endpoint::Scale => (self.rules.validate)(&mut causes, object, Some(old)),
            Endpoint::Status => (self.rules.validate_status)(&mut causes, object, old),
        }
        match endpoint {
            Endpoint::Main | Endpoint::Scale => needed::or_missing(causes.into_vec(), object),
            Endpoint::Status => causes.into_vec(),
        }
    }

    fn reset_fields(&self, endpoint: Endpoint) -> FieldSet {
        self.resets(endpoint).iter().map(|path| FieldPath::keys(path.iter().copied())).collect()
    }

    fn is_new_generation(&self, object: &Value, old: &Value) -> bool {
        let is_changed = |field: &str| !same(&object[field], &old[field]);
        let is_meta_changed = |field: &str| !same(&object["metadata"][field], &old["metadata"][field]);
        match self.rules.counts {
            Counts::Never | Counts::Once => false,
            Counts::Spec => is_changed("spec"),
            Counts::SpecAndAnnotations => is_changed("spec") || is_meta_changed("annotations"),
            Counts::AllAndLabels => {
                is_meta_changed("labels")
                    || Types::get()
                        .of(self.id)
                        .fields
                        .iter()
                        .any(|field| field.name != "metadata" && is_changed(field.name))
            }
        }
    }

    fn default_propagation(&self) -> Propagation {
        self.rules.propagation
    }

    fn grace_period(&self, object: &Value) -> u64 {
        (self.rules.grace_period)(object)
    }

    fn counts_generation(&self) -> bool {
        !matches!(self.rules.counts, Counts::Never)
    }

    fn admit(&self, object: &Value, old: Option<&Value>, draw: &dyn Draw) -> Result<(), ApiError> {
        (self.rules.admit)(object, old, draw)
    }

    fn warnings(&self, object: &Value, old: Option<&Value>, endpoint: Endpoint) -> Vec<String> {
        if endpoint == Endpoint::Status { Vec::new() } else { (self.rules.warnings)(object, old) }
    }
}
