//! What `kubectl get` shows: `Table`.
//!
//! Columns and cells are the API server's (`k8s.io/kubernetes` `pkg/printers/internalversion`,
//! `k8s.io/apiextensions-apiserver` `tableconvertor`).

mod age;
mod amounts;
mod cells;
mod cluster;
mod custom;
mod network;
mod path;
mod pod;
#[cfg(test)]
mod tests;
mod text;
mod volumes;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::resource::Resource;

/// Columns of built-in kinds: group, version and plural, then what they are as JSON
/// (`tests/conformance/columns.rs` makes the file).
const COLUMNS: &str = include_str!("../data/columns.txt");

/// What stands beside the cells of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Include {
    /// The object's metadata.
    Metadata,
    /// The whole object.
    Object,
    /// Nothing.
    Nothing,
}

impl Include {
    /// Reads `includeObject`; `None` for a word that is none.
    pub(super) fn read(word: &str) -> Option<Self> {
        match word {
            "" | "Metadata" => Some(Self::Metadata),
            "Object" => Some(Self::Object),
            "None" => Some(Self::Nothing),
            _ => None,
        }
    }
}

/// The table of an object or a list. `version` is that of `meta.k8s.io`; `headers`: whether columns are told.
pub(super) fn of(
    resource: &Resource,
    value: &Value,
    include: Include,
    headers: bool,
    version: &str,
    now: Timestamp,
) -> Value {
    let (list, metadata) = match value["items"].as_array() {
        Some(items) => (items.iter().collect(), list_metadata(&value["metadata"])),
        None => (vec![value], json!({ "resourceVersion": value["metadata"]["resourceVersion"] })),
    };
    let mut rows: Vec<Value> =
        list.into_iter().map(|object| row(resource, object, include, version, now)).collect();
    if resource.plural == "storageclasses"
        && let Some(default) = value["items"].as_array().and_then(|items| volumes::default_class(items))
        && let Some(row) = rows.iter_mut().find(|row| row["cells"][0] == default)
    {
        row["cells"][0] = format!("{default} (default)").into();
    }
    // A kind without a printer of its own shows no rows where others show none.
    let rows = if rows.is_empty() && cells::is_plain(resource) { Value::Null } else { rows.into() };
    let columns = if headers { columns(resource) } else { Value::Null };
    json!({
        "kind": "Table",
        "apiVersion": format!("meta.k8s.io/{version}"),
        "metadata": metadata,
        "columnDefinitions": columns,
        "rows": rows,
    })
}

fn list_metadata(metadata: &Value) -> Value {
    let mut shown = metadata.clone();
    if let Value::Object(shown) = &mut shown {
        shown.retain(|_, value| *value != "");
    }
    shown
}

fn columns(resource: &Resource) -> Value {
    if resource.custom.is_some() {
        return custom::columns(resource);
    }
    let wanted = |group: &str, version: &str, plural: &str| {
        group == resource.group && version == resource.version && plural == resource.plural
    };
    let line = COLUMNS.lines().find_map(|line| {
        let mut words = line.splitn(4, ' ');
        let (group, version, plural) = (words.next()?, words.next()?, words.next()?);
        let group = if group == "core" { "" } else { group };
        wanted(group, version, plural).then(|| words.next()).flatten()
    });
    line.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_else(custom::plain_columns)
}

fn row(resource: &Resource, object: &Value, include: Include, version: &str, now: Timestamp) -> Value {
    let cells = if resource.custom.is_some() {
        custom::cells(resource, object, now)
    } else {
        cells::of(resource, object, now)
    };
    let mut row = json!({ "cells": cells });
    let conditions = pod::row_conditions(resource, object);
    if !conditions.is_null() {
        row["conditions"] = conditions;
    }
    row["object"] = match include {
        Include::Nothing => Value::Null,
        Include::Object => whole(resource, object),
        Include::Metadata => json!({
            "kind": "PartialObjectMetadata",
            "apiVersion": format!("meta.k8s.io/{version}"),
            "metadata": object["metadata"],
        }),
    };
    row
}

/// An object of a list says what it is here.
fn whole(resource: &Resource, object: &Value) -> Value {
    let mut whole = object.clone();
    if whole.get("kind").is_none() {
        whole["kind"] = resource.kind.as_str().into();
        whole["apiVersion"] = if resource.group.is_empty() {
            resource.version.as_str().into()
        } else {
            format!("{}/{}", resource.group, resource.version).into()
        };
    }
    whole
}
