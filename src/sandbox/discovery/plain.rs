//! The plain form: `APIVersions`, `APIGroupList`, `APIGroup`, `APIResourceList`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Kind, of_version, order, subresources, verbs};
use crate::sandbox::resource::{Resource, Served};

/// `/api`.
pub(super) fn core(served: &Served, address: &str) -> Value {
    let versions: Vec<&str> = if of_version(served, "", "v1").is_empty() { Vec::new() } else { vec!["v1"] };
    json!({
        "kind": "APIVersions",
        "versions": versions,
        "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": address }],
    })
}

/// `/apis`.
pub(super) fn groups(served: &Served) -> Value {
    let groups: Vec<Value> =
        order::groups(served).iter().map(|(group, versions)| of_group(group, versions)).collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// `/apis/GROUP`.
pub(super) fn group(served: &Served, group: &str) -> Option<Value> {
    let groups = order::groups(served);
    let (group, versions) = groups.iter().find(|(name, _)| *name == group)?;
    let mut body = json!({ "kind": "APIGroup", "apiVersion": "v1" });
    if let (Some(body), Value::Object(about)) = (body.as_object_mut(), of_group(group, versions)) {
        body.extend(about);
    }
    Some(body)
}

fn of_group(group: &str, versions: &[&str]) -> Value {
    let version =
        |version: &&str| json!({ "groupVersion": format!("{group}/{version}"), "version": version });
    let versions: Vec<Value> = versions.iter().map(version).collect();
    json!({ "name": group, "preferredVersion": versions.first(), "versions": versions })
}

/// `/api/v1` and `/apis/GROUP/VERSION`.
pub(super) fn resources(served: &Served, group: &str, version: &str) -> Option<Value> {
    let of_version = of_version(served, group, version);
    if of_version.is_empty() {
        return None;
    }
    let resources: Vec<Value> = of_version.into_iter().flat_map(entries).collect();
    let mut body = json!({ "kind": "APIResourceList", "resources": resources });
    if group.is_empty() {
        body["groupVersion"] = version.into();
    } else {
        // The core group's list alone says no version of its own.
        body["apiVersion"] = "v1".into();
        body["groupVersion"] = format!("{group}/{version}").into();
    }
    Some(body)
}

fn entries(resource: &Resource) -> Vec<Value> {
    let mut entry = json!({
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": verbs(resource),
    });
    for (key, names) in [("shortNames", &resource.short_names), ("categories", &resource.categories)] {
        if !names.is_empty() {
            entry[key] = names.clone().into();
        }
    }
    if resource.verbs.iter().any(|verb| verb == "list" || verb == "watch") {
        entry["storageVersionHash"] = storage_hash(resource).into();
    }
    let below = subresources(resource).into_iter().map(|sub| {
        let mut entry = json!({
            "name": format!("{}/{}", resource.plural, sub.name),
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": sub.verbs,
        });
        if let Kind::Scale = sub.kind {
            entry["group"] = "autoscaling".into();
            entry["version"] = "v1".into();
            entry["kind"] = "Scale".into();
        }
        entry
    });
    std::iter::once(entry).chain(below).collect()
}

/// Tells in which version objects are stored (`k8s.io/apiserver` `StorageVersionHash`).
fn storage_hash(resource: &Resource) -> String {
    let stored = resource.custom.as_ref().and_then(|definition| {
        let mut versions = definition["spec"]["versions"].as_array()?.iter();
        versions.find(|version| version["storage"] == true)?["name"].as_str()
    });
    let version = match resource.kind.as_str() {
        // The API server stores definitions in an older version than it serves.
        "CustomResourceDefinition" => "v1beta1",
        _ => stored.unwrap_or(&resource.version),
    };
    let digest = Sha256::digest(format!("{}/{version}/{}", resource.group, resource.kind));
    STANDARD.encode(&digest[..8])
}
