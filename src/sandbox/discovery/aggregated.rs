//! The aggregated form: `APIGroupDiscoveryList`.

use serde_json::{Value, json};

use super::{Kind, of_version, order, subresources, verbs};
use crate::sandbox::resource::{Resource, Served};

/// `/api`.
pub(super) fn core(served: &Served) -> Value {
    let versions = vec![version(served, "", "v1")];
    list(&[json!({ "metadata": {}, "versions": versions })])
}

/// `/apis`.
pub(super) fn groups(served: &Served) -> Value {
    let group = |(group, versions): &(&str, Vec<&str>)| {
        let versions: Vec<Value> = versions.iter().map(|name| version(served, group, name)).collect();
        json!({ "metadata": { "name": group }, "versions": versions })
    };
    let groups: Vec<Value> = order::groups(served).iter().map(group).collect();
    list(&groups)
}

fn list(items: &[Value]) -> Value {
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    })
}

fn version(served: &Served, group: &str, version: &str) -> Value {
    let resources: Vec<Value> = of_version(served, group, version).into_iter().map(entry).collect();
    json!({ "version": version, "resources": resources, "freshness": "Current" })
}

fn entry(resource: &Resource) -> Value {
    let is_custom = resource.custom.is_some();
    // Only definitions' kinds say their group and version here.
    let own = |kind: &str| {
        if is_custom {
            json!({ "group": resource.group, "version": resource.version, "kind": kind })
        } else {
            json!({ "group": "", "version": "", "kind": kind })
        }
    };
    let mut entry = json!({
        "resource": resource.plural,
        "responseKind": own(&resource.kind),
        "scope": if resource.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": resource.singular,
        "verbs": verbs(resource),
    });
    for (key, names) in [("shortNames", &resource.short_names), ("categories", &resource.categories)] {
        if !names.is_empty() {
            entry[key] = names.clone().into();
        }
    }
    let below: Vec<Value> = subresources(resource)
        .into_iter()
        .map(|sub| {
            let kind = match sub.kind {
                Kind::Own => own(&resource.kind),
                Kind::Scale => json!({ "group": "autoscaling", "version": "v1", "kind": "Scale" }),
            };
            json!({ "subresource": sub.name, "responseKind": kind, "verbs": sub.verbs })
        })
        .collect();
    if !below.is_empty() {
        entry["subresources"] = below.into();
    }
    entry
}
