//! What differs between two runs of the same requests by nature, and is therefore not compared as it is: it is named instead, so
//! that what was the same stays the same.

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use regex::{Captures, Regex};
use serde_json::{Map, Value, json};

use crate::server::{Answer, Ask};

static UID: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b").expect("a pattern")
});
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d( UTC)?)").expect("a pattern")
});
static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b\d+\b").expect("a pattern"));
static AGE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(\d+[smh])+$").expect("a pattern"));
/// Versions in messages that may be newer than any the case saw.
static STORE_VERSION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(too old resource version: \d+ \(|Too large resource version: \d+, current: )\d+")
        .expect("a pattern")
});

/// The names given so far to what one server drew in one case.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    sent: String,
    uids: Vec<String>,
    versions: Vec<String>,
    /// Names, addresses and ports.
    drawn: Vec<(String, String)>,
}

impl Labels {
    /// What a request says is not drawn by the server when it comes back.
    pub(crate) fn sent(&mut self, ask: &Ask) {
        self.sent.push_str(&ask.path);
        self.sent.push('\n');
        self.sent.push_str(&String::from_utf8_lossy(&ask.body));
        self.sent.push('\n');
    }

    /// All that is compared of an answer.
    pub(crate) fn show(&mut self, answer: &Answer) -> Value {
        let content_type: String =
            answer.content_type.chars().filter(|character| !character.is_whitespace()).collect();
        let warnings: Vec<String> = answer.warnings.iter().map(|text| self.text(text)).collect();
        json!({
            "status": answer.status,
            "contentType": content_type.to_ascii_lowercase(),
            "warnings": warnings,
            "retryAfter": answer.retry_after,
            "body": self.value(&answer.body),
        })
    }

    /// A tree with all of it named.
    pub(crate) fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::Object(map) => Value::Object(self.object(map)),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::String(text) => Value::String(self.text(text)),
            other => other.clone(),
        }
    }

    fn object(&mut self, map: &Map<String, Value>) -> Map<String, Value> {
        // Of these the version is the whole store's, in which others write too.
        let of_store = map.contains_key("items")
            || map.contains_key("rows")
            || map.get("metadata").is_some_and(|metadata| metadata.get("continue").is_some());
        let is_bookmark = map.get("type").is_some_and(|kind| kind == "BOOKMARK");
        let mut shown = Map::new();
        for (key, value) in map {
            let value = match (key.as_str(), value) {
                ("metadata", Value::Object(metadata)) => Value::Object(self.metadata(metadata, of_store)),
                ("object", Value::Object(object)) if is_bookmark => {
                    let mut object = self.object(object);
                    if let Some(metadata) = object.get_mut("metadata") {
                        metadata["resourceVersion"] = "<rv>".into();
                    }
                    Value::Object(object)
                }
                ("clusterIP", Value::String(text)) => self.draw("ip", text).into(),
                ("clusterIPs", Value::Array(items)) => {
                    items.iter().map(|item| self.draw("ip", item.as_str().unwrap_or_default())).collect()
                }
                ("nodePort" | "healthCheckNodePort", Value::Number(number)) => {
                    self.draw("port", &number.to_string()).into()
                }
                // Go walks the map of managers in any order.
                ("causes", Value::Array(causes)) if causes.iter().all(is_conflict) => {
                    let mut causes: Vec<Value> = causes.iter().map(|cause| self.value(cause)).collect();
                    causes.sort_by_key(|cause| [cause["field"].to_string(), cause["message"].to_string()]);
                    Value::Array(causes)
                }
                ("serverAddress", Value::String(_)) => "<address>".into(),
                ("causes", Value::Array(causes)) => self.causes(causes),
                ("cells", Value::Array(cells)) => cells.iter().map(|cell| self.cell(cell)).collect(),
                (_, value) => self.value(value),
            };
            shown.insert(self.text(key), value);
        }
        shown
    }

    fn metadata(&mut self, map: &Map<String, Value>, of_store: bool) -> Map<String, Value> {
        let text = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default();
        let (name, prefix) = (text("name"), text("generateName"));
        if !prefix.is_empty() && name.starts_with(prefix) && !self.sent.contains(name) {
            self.name(name, &format!("{prefix}<drawn>"));
        }
        let mut shown = Map::new();
        for (key, value) in map {
            let value = match (key.as_str(), value) {
                ("resourceVersion", Value::String(_)) if of_store => "<rv>".into(),
                ("resourceVersion", Value::String(version)) if !version.is_empty() => {
                    format!("<rv {}>", number(&mut self.versions, version)).into()
                }
                ("continue", Value::String(token)) if !token.is_empty() => "<continue>".into(),
                ("managedFields", Value::Array(entries)) => self.managed_fields(entries),
                (_, value) => self.value(value),
            };
            shown.insert(key.clone(), value);
        }
        shown
    }

    /// The server orders them by time, which is not the same second for both servers.
    fn managed_fields(&mut self, entries: &[Value]) -> Value {
        let mut shown: Vec<Value> = entries.iter().map(|entry| self.value(entry)).collect();
        let key = |entry: &Value| {
            ["operation", "manager", "subresource", "apiVersion"].map(|field| entry[field].to_string())
        };
        shown.sort_by_key(key);
        Value::Array(shown)
    }

    /// kube-apiserver lists conflicts with several managers in no certain order.
    fn causes(&mut self, causes: &[Value]) -> Value {
        let mut shown: Vec<Value> = causes.iter().map(|cause| self.value(cause)).collect();
        if causes.iter().all(|cause| cause["reason"] == "FieldManagerConflict") {
            shown.sort_by_key(|cause| ["message", "field"].map(|key| cause[key].to_string()));
        }
        Value::Array(shown)
    }

    fn cell(&mut self, cell: &Value) -> Value {
        match cell {
            Value::String(text) if AGE.is_match(text) => "<age>".into(),
            other => self.value(other),
        }
    }

    /// An address or port, if the server drew it.
    fn draw(&mut self, what: &str, text: &str) -> String {
        if text.is_empty() || text == "None" || self.sent.contains(text) {
            return text.to_owned();
        }
        if let Some((_, label)) = self.drawn.iter().find(|(drawn, _)| drawn == text) {
            return label.clone();
        }
        let number =
            self.drawn.iter().filter(|(_, label)| label.starts_with(&format!("<{what}"))).count() + 1;
        let label = format!("<{what} {number}>");
        self.name(text, &label);
        label
    }

    fn name(&mut self, drawn: &str, label: &str) {
        if !self.drawn.iter().any(|(known, _)| known == drawn) {
            self.drawn.push((drawn.to_owned(), label.to_owned()));
        }
    }

    fn text(&mut self, text: &str) -> String {
        let mut shown = UID
            .replace_all(text, |captures: &Captures<'_>| {
                format!("<uid {}>", number(&mut self.uids, &captures[0]))
            })
            .into_owned();
        shown = TIME.replace_all(&shown, |captures: &Captures<'_>| time(captures)).into_owned();
        for (drawn, label) in &self.drawn {
            // A port is a short number: only where it is all there is.
            let whole = drawn.bytes().all(|byte| byte.is_ascii_digit());
            if &shown == drawn || (!whole && shown.contains(drawn.as_str())) {
                shown = shown.replace(drawn.as_str(), label);
            }
        }
        if shown.to_ascii_lowercase().replace(' ', "").contains("resourceversion") {
            shown = STORE_VERSION.replace_all(&shown, "$1<rv>").into_owned();
            shown = NUMBER
                .replace_all(&shown, |captures: &Captures<'_>| {
                    let known = self.versions.iter().position(|version| version == &captures[0]);
                    known.map_or_else(|| captures[0].to_owned(), |index| format!("<rv {}>", index + 1))
                })
                .into_owned();
        }
        shown
    }
}

fn is_conflict(cause: &Value) -> bool {
    cause["reason"] == "FieldManagerConflict"
}

/// The 1-based place of `text` among `known`, where it is put if it is new.
fn number(known: &mut Vec<String>, text: &str) -> usize {
    if let Some(index) = known.iter().position(|one| one == text) {
        return index + 1;
    }
    known.push(text.to_owned());
    known.len()
}

/// A time of about now is the server's; any other was in a request.
fn time(captures: &Captures<'_>) -> String {
    let text = &captures[0];
    let parsed = text.trim_end_matches(" UTC").replacen(' ', "T", 1).parse::<Timestamp>();
    let recent =
        parsed.is_ok_and(|time| Timestamp::now().duration_since(time).abs() < SignedDuration::from_hours(1));
    match captures.get(1) {
        _ if !recent => text.to_owned(),
        Some(_) => "<time with a fraction>".to_owned(),
        None => "<time>".to_owned(),
    }
}
