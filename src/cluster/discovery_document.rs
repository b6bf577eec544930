//! Discovery documents, both of the forms that servers answer with.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Api, ServedBy};

pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn array<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn verbs(value: &Value) -> Vec<String> {
    let mut verbs: Vec<String> =
        array(value, "/verbs").filter_map(Value::as_str).map(str::to_owned).collect();
    verbs.sort();
    verbs
}

pub(super) fn is_aggregated(document: &Value) -> bool {
    text(document, "/kind") == "APIGroupDiscoveryList"
}

/// Kinds, and the groups and versions whose server did not answer.
pub(super) fn read_aggregated(document: &Value) -> (Vec<Api>, BTreeSet<String>) {
    let mut apis = Vec::new();
    let mut unavailable = BTreeSet::new();
    for group in array(document, "/items") {
        let name = text(group, "/metadata/name");
        for version in array(group, "/versions") {
            let number = text(version, "/version");
            if text(version, "/freshness") == "Stale" {
                unavailable.insert(format!("{name}/{number}"));
            }
            for resource in array(version, "/resources") {
                let kind = text(resource, "/responseKind/kind");
                if kind.is_empty() {
                    continue;
                }
                apis.push(Api {
                    group: name.to_owned(),
                    version: number.to_owned(),
                    kind: kind.to_owned(),
                    plural: text(resource, "/resource").to_owned(),
                    namespaced: text(resource, "/scope") == "Namespaced",
                    scalable: array(resource, "/subresources").any(|s| text(s, "/subresource") == "scale"),
                    verbs: verbs(resource),
                    served_by: ServedBy::Aggregated,
                });
            }
        }
    }
    (apis, unavailable)
}

pub(super) fn read_plain(document: &Value, group: &str, version: &str) -> Vec<Api> {
    let scalable: BTreeSet<&str> = array(document, "/resources")
        .filter_map(|resource| text(resource, "/name").strip_suffix("/scale"))
        .collect();
    array(document, "/resources")
        .filter(|resource| !text(resource, "/name").contains('/'))
        .map(|resource| Api {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: text(resource, "/kind").to_owned(),
            plural: text(resource, "/name").to_owned(),
            namespaced: resource.get("namespaced").and_then(Value::as_bool).unwrap_or_default(),
            scalable: scalable.contains(text(resource, "/name")),
            verbs: verbs(resource),
            served_by: ServedBy::Aggregated,
        })
        .collect()
}
