//! `x-kubernetes-list-type` and its keys.

use serde_json::Value;

use super::structural::{elements, flag, text};
use crate::sandbox::error::Cause;
use crate::sandbox::fault;

/// What is wrong with how a schema tells elements of a list apart.
pub(super) fn check(schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let at = |key: &str| format!("{path}.{key}");
    let list = schema["x-kubernetes-list-type"].as_str();
    let items = schema.get("items").filter(|items| items.is_object());
    let keys: Vec<&str> =
        elements(schema, "x-kubernetes-list-map-keys").filter_map(|(_, key)| key.as_str()).collect();
    if list.is_some() && text(schema, "type") != "array" {
        let told = "must be array if x-kubernetes-list-type is specified";
        causes.push(match text(schema, "type") {
            "" => fault::required(at("type"), told),
            kind => fault::invalid_text(at("type"), kind, told),
        });
    } else if let (Some("set"), Some(items)) = (list, items) {
        atomic_elements(items, path, causes);
    }
    if let Some(other) = list.filter(|list| !matches!(*list, "atomic" | "set" | "map")) {
        let place = at("x-kubernetes-list-type");
        causes.push(fault::not_supported(place, &other.into(), &["atomic", "set", "map"]));
    }
    if !keys.is_empty() && list != Some("map") {
        let told = "must be map if x-kubernetes-list-map-keys is non-empty";
        causes.push(match list {
            None => fault::required(at("x-kubernetes-list-type"), told),
            Some(list) => fault::invalid_text(at("x-kubernetes-list-type"), list, told),
        });
    }
    if list == Some("map") {
        of_map(schema, &keys, path, causes);
    }
    if let (Some(list @ ("set" | "map")), Some(items)) = (list, items) {
        nullable(items, list, &keys, path, causes);
    }
}

fn atomic_elements(items: &Value, path: &str, causes: &mut Vec<Cause>) {
    let told = "must be atomic as item of a list with x-kubernetes-list-type=set";
    let (key, fits) = match text(items, "type") {
        "array" => (
            "x-kubernetes-list-type",
            items["x-kubernetes-list-type"].as_str().is_none_or(|kind| kind == "atomic"),
        ),
        "object" => ("x-kubernetes-map-type", items["x-kubernetes-map-type"] == "atomic"),
        _ => return,
    };
    if !fits {
        // The API server shows the list type in both cases.
        let shown = items.get("x-kubernetes-list-type").cloned().unwrap_or_default();
        causes.push(fault::invalid(format!("{path}.items.{key}"), &shown, told));
    }
}

fn of_map(schema: &Value, keys: &[&str], path: &str, causes: &mut Vec<Cause>) {
    let at = |key: &str| format!("{path}.{key}");
    if keys.is_empty() {
        let told = "must not be empty if x-kubernetes-list-type is map";
        causes.push(fault::required(at("x-kubernetes-list-map-keys"), told));
    }
    let Some(items) = schema.get("items") else {
        causes.push(fault::required(at("items"), "must have a schema if x-kubernetes-list-type is map"));
        return;
    };
    if !items.is_object() {
        let told = "must only have a single schema if x-kubernetes-list-type is map";
        causes.push(fault::invalid(at("items"), items, told));
        return;
    }
    let kind = text(items, "type");
    if kind != "object" {
        let told = "must be object if parent array's x-kubernetes-list-type is map";
        causes.push(fault::invalid_text(at("items.type"), kind, told));
        return;
    }
    for (index, key) in keys.iter().enumerate() {
        match items["properties"].get(key) {
            Some(field) if matches!(text(field, "type"), "array" | "object") => {
                let told = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                causes.push(fault::invalid_text(at(&format!("items.properties[{key}].type")), kind, told));
            }
            Some(_) => {}
            None => {
                let told = "entries must all be names of item properties";
                causes.push(fault::invalid(at("x-kubernetes-list-map-keys"), &keys.into(), told));
            }
        }
        if keys[..index].contains(key) {
            let told = "must not contain duplicate entries";
            causes.push(fault::invalid(at("x-kubernetes-list-map-keys"), &keys.into(), told));
        }
    }
}

fn nullable(items: &Value, list: &str, keys: &[&str], path: &str, causes: &mut Vec<Cause>) {
    let at = |key: &str| format!("{path}.items.{key}");
    if flag(items, "nullable") {
        let told = format!("cannot be nullable when x-kubernetes-list-type is {list}");
        causes.push(fault::forbidden(at("nullable"), &told));
    }
    if list != "map" {
        return;
    }
    let is_required = |key: &str| elements(items, "required").any(|(_, name)| name == key);
    for key in keys {
        let Some(field) = items["properties"].get(key) else {
            continue;
        };
        if !is_required(key) && field.get("default").is_none() {
            let told = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required \
                        property";
            causes.push(fault::required(at(&format!("properties[{key}].default")), told));
        }
        if flag(field, "nullable") {
            let told = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            causes.push(fault::forbidden(at(&format!("properties[{key}].nullable")), told));
        }
    }
}
