//! What the metadata of every kind is checked for, and the words the API server has for what is wrong.
//!
//! After `k8s.io/apimachinery/pkg/api/validation/objectmeta.go`; the entries of `managedFields` are checked
//! where they are read.

mod check;
mod names;

pub(super) use check::{At, Causes, same};
pub(super) use names::{
    config_key, dns_label, dns_subdomain, in_range, label_key, label_value, path_segment, percent, port,
    port_name, variable, wildcard_subdomain,
};

use serde_json::Value;

use super::error::Cause;
use super::fault;
use super::kinds::Look as _;
use super::resource::Resource;

/// What is wrong with a name; nothing if it is a name.
pub(super) type NameRule = fn(&str) -> Vec<String>;

/// All that may be said of annotations.
const MOST_ANNOTATION_BYTES: u32 = 256 << 10;

/// What is wrong with the metadata of a new object, whatever its kind.
pub(super) fn validate_create(resource: &Resource, object: &Value) -> Vec<Cause> {
    let mut causes = Causes::default();
    check(&mut causes, &object["metadata"], &At::new("metadata"), resource.namespaced, path_segment);
    causes.into_vec()
}

/// What is wrong with the change of an object's metadata, whatever its kind.
pub(super) fn validate_update(resource: &Resource, object: &Value, old: &Value) -> Vec<Cause> {
    let mut causes = Causes::default();
    check_update(&mut causes, &object["metadata"], &old["metadata"], resource.namespaced);
    causes.into_vec()
}

/// Checks metadata as a create does.
pub(super) fn check(causes: &mut Causes, meta: &Value, at: &At, namespaced: bool, rule: NameRule) {
    let (name, prefix) = (meta.text("name"), meta.text("generateName"));
    if !prefix.is_empty() {
        // A prefix may end in `-`: what follows it will not.
        let shown = match prefix.strip_suffix('-') {
            Some(rest) if !rest.is_empty() => {
                let mut chars = rest.chars();
                chars.next_back();
                format!("{}a", chars.as_str())
            }
            _ => prefix.to_owned(),
        };
        causes.each_invalid(&at.child("generateName"), prefix, &rule(&shown));
    }
    if name.is_empty() {
        causes.required(&at.child("name"), "name or generateName is required");
    } else {
        causes.each_invalid(&at.child("name"), name, &rule(name));
    }
    let namespace = meta.text("namespace");
    match (namespaced, namespace.is_empty()) {
        (true, true) => causes.required(&at.child("namespace"), ""),
        (true, false) => causes.each_invalid(&at.child("namespace"), namespace, &dns_label(namespace)),
        (false, true) => {}
        (false, false) => causes.forbidden(&at.child("namespace"), "not allowed on this type"),
    }
    causes.non_negative(&at.child("generation"), meta.int("generation"));
    common(causes, meta, at);
    finalizers(causes, meta, &at.child("finalizers"));
}

/// Labels, annotations and owners, in the order of the API server.
fn common(causes: &mut Causes, meta: &Value, at: &At) {
    labels(causes, &meta["labels"], &at.child("labels"));
    annotations(causes, &meta["annotations"], &at.child("annotations"));
    owners(causes, meta, &at.child("ownerReferences"));
}

/// Checks metadata as every update does.
pub(super) fn check_update(causes: &mut Causes, meta: &Value, old: &Value, namespaced: bool) {
    let at = At::new("metadata");
    check(causes, meta, &at, namespaced, path_segment);
    if !old["deletionTimestamp"].is_null() {
        let known = old.items("finalizers");
        let mut added: Vec<String> = meta
            .items("finalizers")
            .iter()
            .filter(|name| !known.contains(name))
            .filter_map(|name| name.as_str().map(fault::quote))
            .collect();
        added.sort();
        added.dedup();
        if !added.is_empty() {
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                added.join(", ")
            );
            causes.forbidden(&at.child("finalizers"), &detail);
        }
    }
    if meta.text("resourceVersion").is_empty() {
        causes.invalid(&at.child("resourceVersion"), "", "must be specified for an update");
    }
    let generation = meta.int("generation").unwrap_or_default();
    causes.non_negative(&at.child("generation"), Some(generation));
    if generation < old.int("generation").unwrap_or_default() {
        causes.invalid(&at.child("generation"), generation, "must not be decremented");
    }
    for field in
        ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"]
    {
        causes.immutable(&at.child(field), &meta[field], &old[field]);
    }
    common(causes, meta, &at);
}

/// Checks labels.
pub(super) fn labels(causes: &mut Causes, labels: &Value, at: &At) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        causes.each_invalid(at, key, &label_key(key));
        let value = value.as_str().unwrap_or_default();
        causes.each_invalid(at, value, &label_value(value));
    }
}

/// Checks annotations.
pub(super) fn annotations(causes: &mut Causes, annotations: &Value, at: &At) {
    let mut size = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        causes.each_invalid(at, key, &label_key(&key.to_lowercase()));
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > MOST_ANNOTATION_BYTES as usize {
        causes.too_long(at, MOST_ANNOTATION_BYTES);
    }
}

fn owners(causes: &mut Causes, meta: &Value, at: &At) {
    let mut controller = String::new();
    let owners = meta.items("ownerReferences");
    for (index, owner) in owners.iter().enumerate() {
        let at_owner = at.index(index);
        let version = owner.text("apiVersion");
        if version.is_empty() {
            causes.required(&at_owner.child("apiVersion"), "must not be empty");
        } else if version.split('/').count() > 2 || version.ends_with('/') {
            causes.invalid(&at_owner.child("apiVersion"), version, "must be <group>/<version> or <version>");
        }
        for field in ["kind", "name", "uid"] {
            if owner.text(field).is_empty() {
                causes.required(&at_owner.child(field), "must not be empty");
            }
        }
        if version == "v1" && owner.text("kind") == "Event" {
            causes.invalid(&at_owner, owner.clone(), "/v1, Kind=Event is disallowed from being an owner");
        }
        if owner.flag("controller") {
            let this = format!("{}/{}", owner.text("kind"), owner.text("name"));
            if controller.is_empty() {
                controller = this;
            } else {
                let detail = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for \
                     {controller} and {this}"
                );
                causes.invalid(at, Value::from(owners), &detail);
            }
        }
    }
}

fn finalizers(causes: &mut Causes, meta: &Value, at: &At) {
    let names = || meta.items("finalizers").iter().filter_map(Value::as_str);
    for name in names() {
        causes.each_invalid(at, name, &label_key(name));
    }
    if names().any(|name| name == "orphan") && names().any(|name| name == "foregroundDeletion") {
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        causes.invalid(at, Value::from(meta.items("finalizers")), detail);
    }
}

/// The rule of built-in kinds for finalizers beyond the common one: a standard name or one with a domain. After
/// `ValidateFinalizerName` of `pkg/apis/core/validation`.
pub(super) fn qualified_finalizers(causes: &mut Causes, meta: &Value) {
    const STANDARD: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];
    let at = At::new("metadata.finalizers");
    for (index, name) in meta.items("finalizers").iter().filter_map(Value::as_str).enumerate() {
        if !name.contains('/') && !STANDARD.contains(&name) {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            causes.invalid(&at.index(index), name, detail);
        }
    }
}
