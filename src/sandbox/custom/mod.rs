//! Custom kinds: their definitions, and what the API server does with their objects.

mod check;
mod decode;
mod definition;
mod field_path;
mod formats;
mod lists;
mod meta;
mod names;
mod node;
mod number;
mod rule;
mod rules;
mod strategy;
mod structure;
#[cfg(test)]
mod tests;
mod typed;

use std::sync::Arc;

use serde_json::Value;

use super::discovery::compare_versions;
use super::resource::{FieldValidation, Resource, Scale};
use node::Node;

pub(in crate::sandbox) use definition::{COMPLETED, PENDING, definition, status, terminating};

/// Flux's definitions, one in a line (`tests/conformance/flux.rs` makes the file).
const FLUX: &str = include_str!("../data/flux.jsonl");

/// The definitions that a sandbox comes with.
///
/// # Panics
/// Never: a test holds that the file is read.
pub(in crate::sandbox) fn embedded() -> Vec<Value> {
    FLUX.lines().map(|line| serde_json::from_str(line).expect("a definition in every line")).collect()
}

/// The kinds a definition serves: one per served version, if its names were accepted.
pub(in crate::sandbox) fn resources(definition: &Value) -> Vec<Resource> {
    if !has_condition(definition, "Established") {
        return Vec::new();
    }
    let definition = Arc::new(definition.clone());
    let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
    versions
        .filter(|version| version["served"] == true)
        .map(|version| resource(&definition, version))
        .collect()
}

/// Whether a condition of the definition is true.
pub(in crate::sandbox) fn has_condition(definition: &Value, name: &str) -> bool {
    let conditions = definition["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == name && condition["status"] == "True")
}

/// What is said of a version that its definition calls deprecated.
pub(in crate::sandbox) fn deprecation(resource: &Resource) -> Option<String> {
    let spec = &resource.custom.as_ref()?["spec"];
    let versions = || spec["versions"].as_array().into_iter().flatten();
    let own = versions().find(|version| version["name"] == resource.version.as_str())?;
    if own["deprecated"] != true {
        return None;
    }
    if let Some(warning) = own["deprecationWarning"].as_str() {
        return Some(warning.to_owned());
    }
    let (group, kind) = (&resource.group, &resource.kind);
    let told = format!("{group}/{} {kind} is deprecated", resource.version);
    let newer = versions()
        .filter(|version| version["served"] == true && version["deprecated"] != true)
        .filter_map(|version| version["name"].as_str())
        .filter(|name| compare_versions(&resource.version, name).is_lt())
        .max_by(|a, b| compare_versions(a, b));
    Some(match newer {
        Some(newer) => format!("{told}; use {group}/{newer} {kind}"),
        None => told,
    })
}

/// Brings a stored object into the form its definition has by now.
pub(in crate::sandbox) fn reshape(resource: &Resource, object: &mut Value) {
    // What was stored once is read, whatever became of its definition.
    drop(resource.strategy.decode(resource, object, &[], FieldValidation::Ignore));
}

fn resource(definition: &Arc<Value>, version: &Value) -> Resource {
    let spec = &definition["spec"];
    let names = &definition["status"]["acceptedNames"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let texts = |value: &Value| -> Vec<String> { value.as_array().into_iter().flatten().map(text).collect() };
    let node = Arc::new(Node::read(&version["schema"]["openAPIV3Schema"]));
    let subresources = &version["subresources"];
    let scale = subresources.get("scale").map(|scale| Scale {
        spec_path: text(&scale["specReplicasPath"]),
        status_path: text(&scale["statusReplicasPath"]),
        selector_path: scale["labelSelectorPath"].as_str().map(str::to_owned),
    });
    let status = subresources.get("status").is_some();
    let terminating = has_condition(definition, "Terminating");
    let (group, version_name, kind) = (text(&spec["group"]), text(&version["name"]), text(&names["kind"]));
    let verbs: &[&str] = if terminating {
        &["delete", "deletecollection", "get", "list", "watch"]
    } else {
        &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    };
    let selectable = version["selectableFields"].as_array().into_iter().flatten();
    Resource {
        strategy: Arc::new(strategy::Custom {
            node: Arc::clone(&node),
            kind: kind.clone(),
            api_version: format!("{group}/{version_name}"),
            status,
            scale: scale.clone(),
            namespaced: spec["scope"] == "Namespaced",
        }),
        schema: structure::root(&node),
        group,
        version: version_name,
        kind,
        list_kind: text(&names["listKind"]),
        plural: text(&names["plural"]),
        singular: text(&names["singular"]),
        short_names: texts(&names["shortNames"]),
        categories: texts(&names["categories"]),
        namespaced: spec["scope"] == "Namespaced",
        verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        status,
        scale,
        selectable: selectable
            .map(|field| text(&field["jsonPath"]).trim_start_matches('.').to_owned())
            .collect(),
        custom: Some(Arc::clone(definition)),
    }
}
