//! Field selectors: `k8s.io/apimachinery/pkg/fields`, and which fields a kind can be selected by.

use std::borrow::Cow;

use serde_json::Value;

use crate::sandbox::resource::Resource;

/// Terms, all of which must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::sandbox) struct Fields(Vec<Term>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    field: String,
    is_equal: bool,
    value: String,
}

impl Fields {
    /// Reads a selector as a query has it; which fields a kind has is for [`Fields::check`].
    ///
    /// # Errors
    /// The API server's text about what is wrong.
    pub(in crate::sandbox) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = split_terms(text);
        parts.sort_unstable();
        let terms = parts.into_iter().filter(|part| !part.is_empty()).map(|part| {
            let (field, is_equal, value) = split_term(part)
                .ok_or_else(|| format!("invalid selector: '{text}'; can't understand '{part}'"))?;
            Ok(Term { field: field.to_owned(), is_equal, value: unescape(value)? })
        });
        terms.collect::<Result<_, String>>().map(Self)
    }

    /// Checks that the kind can be selected by these fields, and gives them their own names.
    ///
    /// # Errors
    /// The API server's text about what is wrong.
    pub(in crate::sandbox) fn check(mut self, resource: &Resource) -> Result<Self, String> {
        for term in &mut self.0 {
            if (resource.kind.as_str(), term.field.as_str()) == ("Pod", "spec.host") {
                "spec.nodeName".clone_into(&mut term.field);
            } else if !is_known(resource, &term.field) {
                return Err(unknown(resource, &term.field));
            }
        }
        Ok(self)
    }

    /// Whether everything matches.
    pub(in crate::sandbox) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one value that a field must have.
    pub(in crate::sandbox) fn exact(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|term| term.is_equal && term.field == field).map(|term| term.value.as_str())
    }

    /// Whether an object of this resource matches.
    pub(in crate::sandbox) fn matches(&self, resource: &Resource, object: &Value) -> bool {
        self.0
            .iter()
            .all(|term| (value(resource, object, &term.field) == term.value.as_str()) == term.is_equal)
    }
}

/// Kinds with field labels of their own refuse all others, in their own words.
fn has_own_labels(resource: &Resource) -> bool {
    resource.custom.is_some() || !resource.selectable.is_empty()
}

fn is_known(resource: &Resource, field: &str) -> bool {
    match field {
        "metadata.name" => true,
        "metadata.namespace" => resource.namespaced || !has_own_labels(resource),
        _ => resource.selectable.iter().any(|known| known == field),
    }
}

fn unknown(resource: &Resource, field: &str) -> String {
    if resource.kind == "Job" && resource.custom.is_none() {
        format!("field label \"{field}\" not supported for Job")
    } else if has_own_labels(resource) {
        format!("field label not supported: {field}")
    } else {
        format!("\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
    }
}

/// What an object says in a field; empty where it says nothing.
fn value<'a>(resource: &Resource, object: &'a Value, field: &str) -> Cow<'a, str> {
    let at = |path: &str| path.split('.').fold(object, |value, name| &value[name]);
    if resource.custom.is_none() {
        // Where Go's type says something else than the path of the label.
        match (resource.kind.as_str(), field) {
            ("Pod", "spec.hostNetwork") | ("Node", "spec.unschedulable") => {
                return if at(field) == &Value::Bool(true) { "true".into() } else { "false".into() };
            }
            ("Pod", "status.podIP") => return text(&object["status"]["podIPs"][0]["ip"]),
            ("Pod", "status.podIPs") => return Cow::Borrowed(""),
            ("Event", "source") => {
                let component = text(&object["source"]["component"]);
                return if component.is_empty() { text(&object["reportingComponent"]) } else { component };
            }
            ("Job", "status.successful") => return number(&object["status"]["succeeded"]),
            ("ReplicationController", "status.replicas") => return number(&object["status"]["replicas"]),
            _ => {}
        }
    }
    text(at(field))
}

fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Number(number) => Cow::Owned(number.to_string()),
        Value::Bool(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
        Value::Null | Value::Array(_) | Value::Object(_) => Cow::Borrowed(""),
    }
}

fn number(value: &Value) -> Cow<'_, str> {
    if value.is_number() { text(value) } else { Cow::Borrowed("0") }
}

/// What stands between commas that no backslash precedes.
fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut is_escaped) = (0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b',' => {
                terms.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

/// The field, whether it is to be equal, and the value, at the first operator.
fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    term.char_indices().find_map(|(at, _)| {
        let (field, rest) = term.split_at(at);
        let operators = [("!=", false), ("==", true), ("=", true)];
        operators
            .iter()
            .find_map(|(operator, is_equal)| Some((field, *is_equal, rest.strip_prefix(operator)?)))
    })
}

fn unescape(value: &str) -> Result<String, String> {
    let mut text = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '\\') {
            (_, true) => match letters.next() {
                Some(escaped @ ('\\' | ',' | '=')) => text.push(escaped),
                other => {
                    let sequence: String = std::iter::once('\\').chain(other).collect();
                    return Err(format!("invalid field selector: invalid escape sequence: {sequence}"));
                }
            },
            (',' | '=', _) => {
                let code = u32::from(letter);
                return Err(format!("invalid field selector: unescaped character in value: {code}"));
            }
            _ => text.push(letter),
        }
    }
    Ok(text)
}
