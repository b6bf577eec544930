//! `ConfigMap` and Secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{At, Causes, config_key, same};

/// All that one object may hold.
const MOST_BYTES: u32 = 1 << 20;

const REDACTED: &str = "<secret contents redacted>";

/// Checks a `ConfigMap`.
pub(super) fn validate_config_map(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    if let Some(old) = old {
        frozen(causes, object, old, &["data", "binaryData"]);
    }
    let (data, binary) = (At::new("data"), At::new("binaryData"));
    let mut size = 0;
    for (key, value) in object.entries("data") {
        causes.each_invalid(&data.key(key), key, &config_key(key));
        if object.entries("binaryData").any(|(other, _)| other == key) {
            causes.invalid(&data.key(key), key, "duplicate of key present in binaryData");
        }
        size += value.as_str().map_or(0, str::len);
    }
    for (key, value) in object.entries("binaryData") {
        causes.each_invalid(&binary.key(key), key, &config_key(key));
        size += decoded_length(value);
    }
    if size > MOST_BYTES as usize {
        causes.too_long(&At::new(""), MOST_BYTES);
    }
}

/// What is marked immutable stays as it is.
fn frozen(causes: &mut Causes, object: &Value, old: &Value, fields: &[&str]) {
    const WHY: &str = "field is immutable when `immutable` is set";
    if !old.flag("immutable") {
        return;
    }
    if !object.flag("immutable") {
        causes.forbidden(&At::new("immutable"), WHY);
    }
    for field in fields {
        if !same(&object[*field], &old[*field]) {
            causes.forbidden(&At::new(field), WHY);
        }
    }
}

/// Checks a Secret.
pub(super) fn validate_secret(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    if let Some(old) = old {
        causes.immutable(&At::new("type"), &object["type"], &old["type"]);
        frozen(causes, object, old, &["data"]);
    }
    let at = At::new("data");
    let mut size = 0;
    for (key, value) in object.entries("data") {
        causes.each_invalid(&at.key(key), key, &config_key(key));
        size += decoded_length(value);
    }
    if size > MOST_BYTES as usize {
        causes.too_long(&at, MOST_BYTES);
    }
    let data = |key: &str| object["data"].get(key);
    let required = |causes: &mut Causes, key: &str| causes.required(&at.key(key), "");
    match object.text("type") {
        "kubernetes.io/service-account-token" => {
            const NAME: &str = "kubernetes.io/service-account.name";
            if object["metadata"]["annotations"].text(NAME).is_empty() {
                causes.required(&At::new("metadata.annotations").key(NAME), "");
            }
        }
        "kubernetes.io/dockercfg" => docker(causes, &at, ".dockercfg", data(".dockercfg")),
        "kubernetes.io/dockerconfigjson" => {
            docker(causes, &at, ".dockerconfigjson", data(".dockerconfigjson"));
        }
        "kubernetes.io/basic-auth" if data("username").is_none() && data("password").is_none() => {
            required(causes, "username");
            required(causes, "password");
        }
        "kubernetes.io/ssh-auth" if data("ssh-privatekey").is_none_or(|value| value.as_str() == Some("")) => {
            required(causes, "ssh-privatekey");
        }
        "kubernetes.io/tls" => {
            for key in ["tls.crt", "tls.key"] {
                if data(key).is_none() {
                    required(causes, key);
                }
            }
        }
        _ => {}
    }
}

/// Warnings about a Secret: a certificate that is none.
pub(super) fn secret_warnings(object: &Value, _: Option<&Value>) -> Vec<String> {
    if object.text("type") != "kubernetes.io/tls" {
        return Vec::new();
    }
    let has_pem = |key: &str| {
        let text = STANDARD.decode(object["data"].text(key)).unwrap_or_default();
        String::from_utf8_lossy(&text).contains("-----BEGIN ")
    };
    let missing = [("tls.crt", "certificate"), ("tls.key", "key")].into_iter().find(|(key, _)| !has_pem(key));
    missing.map(|(_, what)| format!("tls: failed to find any PEM data in {what} input")).into_iter().collect()
}

fn docker(causes: &mut Causes, at: &At, key: &str, value: Option<&Value>) {
    let Some(value) = value else { return causes.required(&at.key(key), "") };
    let text = STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default();
    let why = match serde_json::from_slice::<Value>(&text) {
        Ok(Value::Object(_) | Value::Null) => return,
        Ok(other) => {
            let kind = match other {
                Value::Array(_) => "array",
                Value::String(_) => "string",
                Value::Bool(_) => "bool",
                _ => "number",
            };
            format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}")
        }
        Err(_) => not_json(&text),
    };
    causes.invalid(&at.key(key), REDACTED, &why);
}

/// Go's words for a text that is not JSON, as far as its first letter tells.
fn not_json(text: &[u8]) -> String {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        None | Some(b'{' | b'[') => "unexpected end of JSON input".to_owned(),
        Some(byte) => {
            format!("invalid character '{}' looking for beginning of value", char::from(*byte))
        }
    }
}

fn decoded_length(value: &Value) -> usize {
    let text = value.as_str().unwrap_or_default();
    text.len() / 4 * 3 - text.bytes().rev().take_while(|byte| *byte == b'=').count()
}
