//! Answers are taken for what was asked, or not at all.

use serde_json::Value;

use super::classify::Asked;
use super::error::Error;
use crate::object::Object;

pub(super) fn parse(body: &[u8], what: &str) -> Result<Value, Error> {
    serde_json::from_slice(body).map_err(|_| {
        let start: String = String::from_utf8_lossy(body).chars().take(60).collect();
        // A body cut short is no text of the user's: only what a proxy's page starts with is shown.
        let page = start.trim_start().starts_with('<');
        let shown = if page { format!(", it starts with {start:?}") } else { String::new() };
        Error::Nonsense(format!("{what}: {} bytes that are no JSON{shown}", body.len()))
    })
}

/// Takes an answer for the object asked for, or not.
pub(super) fn echoed(value: Value, asked: &Asked<'_>) -> Result<Object, Error> {
    let object = Object(value);
    let api = asked.api;
    let namespace = asked.namespace.filter(|_| api.namespaced);
    let same = object.name() == asked.name
        && object.namespace().filter(|n| !n.is_empty()) == namespace
        && object.kind() == api.kind
        && object.api_version() == api.api_version();
    if same {
        return Ok(object);
    }
    let got = if object.kind().is_empty() {
        "something without a kind".to_owned()
    } else {
        object.key().to_string()
    };
    Err(Error::Nonsense(format!("asked for {}, got {got}", api.key(namespace, asked.name))))
}

/// Takes an item of a list. Items of built-in kinds come without apiVersion and kind.
pub(super) fn item_of(mut item: Value, asked: &Asked<'_>) -> Result<Object, Error> {
    let api = asked.api;
    if let Some(map) = item.as_object_mut() {
        map.entry("apiVersion").or_insert_with(|| Value::String(api.api_version()));
        map.entry("kind").or_insert_with(|| Value::String(api.kind.clone()));
    }
    let name = Object(item);
    let namespace = match asked.namespace.filter(|_| api.namespaced) {
        Some(namespace) => Some(namespace.to_owned()),
        None => name.namespace().map(str::to_owned),
    };
    let own = name.name().to_owned();
    if own.is_empty() {
        return Err(Error::Nonsense(format!("the list of {} has an item without a name", api.plural)));
    }
    let item = Asked { api, namespace: namespace.as_deref(), name: &own };
    echoed(name.0, &item)
}
