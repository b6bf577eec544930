//! Reviews: questions about the user who asks, answered and not stored. Every user of a sandbox may do everything.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Answer, Request, metadata};
use crate::fields::FieldSet;
use crate::sandbox::error::{ApiError, Cause};
use crate::sandbox::fault;
use crate::sandbox::http::Decoded;
use crate::sandbox::ownership;
use crate::sandbox::resource::{Draw, Endpoint, FieldValidation, Resource, Strategy};
use crate::sandbox::schema::Schema;
use crate::sandbox::server::Server;
use crate::schema;

/// The reviews that are served.
pub(in crate::sandbox) fn resources() -> Vec<Resource> {
    [
        ("authentication.k8s.io", "SelfSubjectReview"),
        ("authorization.k8s.io", "SelfSubjectAccessReview"),
        ("authorization.k8s.io", "SelfSubjectRulesReview"),
    ]
    .map(|(group, kind)| Resource {
        group: group.into(),
        version: "v1".into(),
        kind: kind.into(),
        list_kind: String::new(),
        plural: format!("{}s", kind.to_lowercase()),
        singular: kind.to_lowercase(),
        short_names: Vec::new(),
        categories: Vec::new(),
        namespaced: false,
        verbs: vec!["create".into()],
        status: false,
        scale: None,
        selectable: Vec::new(),
        schema: Schema::BuiltIn(schema::root_of(&format!("{group}/v1"), kind)),
        strategy: Arc::new(Review),
        custom: None,
    })
    .into()
}

/// Whether a POST is a question.
pub(super) fn is_review(resource: &Resource) -> bool {
    matches!(resource.group.as_str(), "authentication.k8s.io" | "authorization.k8s.io")
}

/// Answers a question.
///
/// # Errors
/// 400 for another kind, 422 for a question that asks nothing.
pub(super) fn answer(
    server: &Server,
    resource: &Resource,
    request: &Request,
    body: Decoded,
) -> Result<Answer, ApiError> {
    let mut object = super::decode::decode(resource, request, body)?;
    if resource.kind != "SelfSubjectReview" && object["spec"].is_null() {
        object["spec"] = json!({});
    }
    let spec = object["spec"].clone();
    let mut object = request.as_writer(server, resource, false, |writer| {
        ownership::update(&resource.schema, None, object, writer)
    });
    match resource.kind.as_str() {
        "SelfSubjectReview" => {
            metadata::set(&mut object, "creationTimestamp", server.now().into());
            let groups = ["system:masters", "system:authenticated"];
            object["status"] = json!({ "userInfo": { "username": request.user, "groups": groups } });
        }
        "SelfSubjectAccessReview" => {
            let asked = ["resourceAttributes", "nonResourceAttributes"];
            if asked.iter().filter(|field| !spec[**field].is_null()).count() != 1 {
                let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
                let cause = fault::invalid("spec", &spec["nonResourceAttributes"], why);
                return Err(ApiError::invalid(&resource.group, "", "", vec![cause]));
            }
            object["status"] = json!({ "allowed": true });
        }
        _ => {
            let all = json!(["*"]);
            object["spec"] = json!({});
            object["status"] = json!({
                "resourceRules": [{ "verbs": all, "apiGroups": all, "resources": all }],
                "nonResourceRules": [{ "verbs": all, "nonResourceURLs": all }],
                "incomplete": false,
            });
        }
    }
    Ok(Answer { code: 201, object })
}

/// Nothing of a review is stored, so that there is nothing to prepare.
#[derive(Debug)]
struct Review;

impl Strategy for Review {
    fn decode(
        &self,
        _resource: &Resource,
        _object: &mut Value,
        _duplicates: &[String],
        _validation: FieldValidation,
    ) -> Result<Vec<String>, ApiError> {
        Ok(Vec::new())
    }

    fn default(&self, _object: &mut Value) {}

    fn prepare_create(&self, _object: &mut Value, _draw: &dyn Draw) {}

    fn prepare_update(&self, _object: &mut Value, _old: &Value, _endpoint: Endpoint, _draw: &dyn Draw) {}

    fn validate_create(&self, _object: &Value) -> Vec<Cause> {
        Vec::new()
    }

    fn validate_update(&self, _object: &Value, _old: &Value, _endpoint: Endpoint) -> Vec<Cause> {
        Vec::new()
    }

    fn reset_fields(&self, _endpoint: Endpoint) -> FieldSet {
        FieldSet::default()
    }

    fn is_new_generation(&self, _object: &Value, _old: &Value) -> bool {
        false
    }
}
