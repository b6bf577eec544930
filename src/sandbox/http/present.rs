//! An object or list in the form a client wants.

use serde_json::{Value, json};

use super::negotiate::Form;
use super::query::Query;
use crate::sandbox::error::ApiError;
use crate::sandbox::resource::Resource;
use crate::sandbox::server::Server;
use crate::sandbox::table::{self, Include};

/// How a client wants its tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    include: Include,
    now: jiff::Timestamp,
}

impl Look {
    /// Reads the query.
    ///
    /// # Errors
    /// 400: `includeObject` is no word for it.
    pub(super) fn read(server: &Server, query: &Query) -> Result<Self, ApiError> {
        let word = query.get("includeObject").unwrap_or_default();
        let include = Include::read(word).ok_or_else(|| {
            let quoted = crate::sandbox::fault::quote(word);
            let message = format!(
                "Invalid value for query parameter 'includeObject': {quoted}, must be 'Object', 'Metadata', 'None', or empty"
            );
            ApiError::bad_request(message)
        })?;
        Ok(Self { include, now: server.time() })
    }

    /// The table of an object or a list.
    pub(super) fn table(self, resource: &Resource, value: &Value, headers: bool, version: &str) -> Value {
        table::of(resource, value, self.include, headers, version, self.now)
    }
}

/// `value`, an object or list of the resource or a `Status`, in a form. `version` is that of `meta.k8s.io`.
///
/// # Errors
/// 406: a list was asked for in the form of an object, or the other way round.
pub(super) fn present(
    resource: &Resource,
    value: Value,
    form: Form,
    version: &str,
    look: Look,
) -> Result<Value, ApiError> {
    if value["kind"] == "Status" {
        return Ok(value);
    }
    let is_list =
        value["items"].is_array() && value["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match form {
        Form::Whole => Ok(value),
        Form::Table => Ok(look.table(resource, &value, true, version)),
        Form::Metadata if is_list => Err(not_acceptable(&format!(
            "you requested PartialObjectMetadata, but the requested object is a list ({})",
            go_type(resource, true)
        ))),
        Form::Metadata => Ok(metadata(value, version)),
        Form::MetadataList if !is_list => Err(not_acceptable(&format!(
            "you requested PartialObjectMetadataList, but the requested object is not a list ({})",
            go_type(resource, false)
        ))),
        Form::MetadataList => Ok(metadata_list(value, version)),
    }
}

/// What a collection's `Accept` means for one event of a watch: the object in it.
pub(super) fn metadata(mut object: Value, version: &str) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": format!("meta.k8s.io/{version}"),
        "metadata": object["metadata"].take(),
    })
}

fn metadata_list(mut list: Value, version: &str) -> Value {
    let items = match list["items"].take() {
        Value::Array(items) => items,
        _ => Vec::new(),
    };
    let items: Vec<Value> = items.into_iter().map(|item| metadata(item, version)).collect();
    // Lists of custom objects say so even where they do not go on.
    if let Value::Object(metadata) = &mut list["metadata"] {
        metadata.retain(|_, value| *value != "");
    }
    json!({
        "kind": "PartialObjectMetadataList",
        "apiVersion": format!("meta.k8s.io/{version}"),
        "metadata": list["metadata"].take(),
        "items": items,
    })
}

/// What Go calls the type.
fn go_type(resource: &Resource, is_list: bool) -> String {
    let suffix = if is_list { "List" } else { "" };
    if resource.custom.is_some() {
        return format!("*unstructured.Unstructured{suffix}");
    }
    let package = match resource.group.split('.').next() {
        Some("") | None => "core",
        Some(package) => package,
    };
    format!("*{package}.{}{suffix}", resource.kind)
}

fn not_acceptable(message: &str) -> ApiError {
    ApiError::new(406, "NotAcceptable", message)
}
