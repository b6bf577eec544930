//! A few kinds without rules of their own, until `kinds` serves them.

use std::sync::Arc;

use serde_json::Value;

use super::error::{ApiError, Cause};
use super::resource::{Draw, Endpoint, FieldValidation, Resource, Strategy};
use super::schema::Schema;
use crate::fields::FieldSet;

#[derive(Debug)]
struct Plain;

impl Strategy for Plain {
    fn decode(
        &self,
        _: &Resource,
        _: &mut Value,
        _: &[String],
        _: FieldValidation,
    ) -> Result<Vec<String>, ApiError> {
        Ok(Vec::new())
    }
    fn default(&self, _: &mut Value) {}
    fn prepare_create(&self, _: &mut Value, _: &dyn Draw) {}
    fn prepare_update(&self, _: &mut Value, _: &Value, _: Endpoint, _: &dyn Draw) {}
    fn validate_create(&self, _: &Value) -> Vec<Cause> {
        Vec::new()
    }
    fn validate_update(&self, _: &Value, _: &Value, _: Endpoint) -> Vec<Cause> {
        Vec::new()
    }
    fn reset_fields(&self, _: Endpoint) -> FieldSet {
        FieldSet::default()
    }
    fn is_new_generation(&self, _: &Value, _: &Value) -> bool {
        false
    }
}

/// Namespace and `ConfigMap`.
pub(super) fn built_in() -> Vec<Resource> {
    let resource = |kind: &str, plural: &str, namespaced| Resource {
        group: String::new(),
        version: "v1".into(),
        kind: kind.into(),
        list_kind: format!("{kind}List"),
        plural: plural.into(),
        singular: kind.to_lowercase(),
        short_names: Vec::new(),
        categories: Vec::new(),
        namespaced,
        verbs: ["create", "delete", "get"].map(str::to_owned).to_vec(),
        status: false,
        scale: None,
        selectable: Vec::new(),
        schema: Schema::BuiltIn(crate::schema::root_of("v1", kind)),
        strategy: Arc::new(Plain),
        custom: None,
    };
    vec![resource("Namespace", "namespaces", false), resource("ConfigMap", "configmaps", true)]
}
