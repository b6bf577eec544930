//! Variables: declarations, where their values come from, types.
//!
//! *Invariant:* the value of a secret variable is never kept, never shown, and never part of the digest; a
//! message about one names its key alone.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diag::{Diagnostic, Diagnostics, Span};

use super::closed::{closed, text_of};
use super::given::{env_file, environment, flag, var_file};
use super::model::{Charset, SecretSource};
use super::secret_source::source;
use super::suggest::nearest;
use super::syntax::{Key, Node, Raw, Table};
use super::{LoadRequest, read::Files};

/// What a variable is.
#[derive(Debug, Clone)]
pub(super) enum Given {
    Plain(Value),
    Secret(Source),
    /// A mistake that was reported.
    Bad,
}

/// Where a secret comes from; a generated one gets its home when the resources are known.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Known(SecretSource),
    Generate(usize, Charset),
}

#[derive(Debug, Clone)]
pub(super) struct Declared {
    pub description: Option<String>,
    pub span: Span,
    pub value: Given,
}

const TYPES: &[&str] = &["string", "integer", "number", "bool", "list", "map"];

/// A declaration, before it is known which value counts.
pub(super) struct Entry {
    pub kind: Option<&'static str>,
    pub secret: bool,
    default: Option<Value>,
    from: Option<Source>,
    description: Option<String>,
    pub span: Span,
    broken: bool,
}

/// Gives every declared variable its value, the strongest source first:
/// `--var`, `--var-file`, `ARRPLAN_VAR_*`, `--env` file, `from`, `default`.
pub(super) fn resolve(
    request: &LoadRequest,
    declared: &BTreeMap<String, (Span, Table)>,
    files: &mut Files,
    diags: &mut Diagnostics,
) -> BTreeMap<String, Declared> {
    let entries: BTreeMap<&str, Entry> = declared
        .iter()
        .map(|(name, (span, table))| (name.as_str(), entry(name, span, table, files, diags)))
        .collect();
    let mut given: BTreeMap<&str, Given> = BTreeMap::new();
    if let Some(env) = &request.env
        && let Some(path) = env_file(request, env, diags)
    {
        var_file(&path, &format!("--env {env}"), &entries, files, diags, &mut given);
    }
    environment(request, &entries, diags, &mut given);
    for path in &request.var_files {
        let shown = format!("--var-file {}", path.display());
        var_file(path, &shown, &entries, files, diags, &mut given);
    }
    for text in &request.vars {
        flag(text, &entries, diags, &mut given);
    }
    let mut all = BTreeMap::new();
    for (name, entry) in entries {
        let value = given.remove(name);
        let value = value.unwrap_or_else(|| fallback(name, &entry, diags));
        if let Given::Plain(value) = &value {
            files.digest_value(&format!("var.{name}"), value);
        }
        let value = if entry.broken { Given::Bad } else { value };
        let declared = Declared { description: entry.description, span: entry.span, value };
        all.insert(name.to_owned(), declared);
    }
    all
}

fn fallback(name: &str, entry: &Entry, diags: &mut Diagnostics) -> Given {
    if entry.broken {
        return Given::Bad;
    }
    match (&entry.from, &entry.default, entry.secret) {
        (Some(source), _, true) => Given::Secret(source.clone()),
        // Whether it is set is found out when secrets are resolved, which `validate` does not do.
        (None, _, true) => Given::Secret(Source::Known(SecretSource::Env(format!("ARRPLAN_VAR_{name}")))),
        (_, Some(value), false) => Given::Plain(value.clone()),
        (_, None, false) => {
            diags.push(
                Diagnostic::error("E103", format!("variable `{name}` has no value"))
                    .at(entry.span.clone(), "it has no default")
                    .help(format!(
                        "give one by `--var {name}=…`, by `ARRPLAN_VAR_{name}`, or by `default` here"
                    )),
            );
            Given::Bad
        }
    }
}

fn entry(name: &str, span: &Span, table: &Table, files: &Files, diags: &mut Diagnostics) -> Entry {
    let what = format!("variable `{name}`");
    let before = diags.0.len();
    closed(diags, &what, table, &["type", "default", "description", "secret", "from"]);
    let secret = match table.get("secret").map(|node| (&node.raw, &node.span)) {
        None => false,
        Some((Raw::Bool(secret), _)) => *secret,
        Some((Raw::Bad, _)) => true,
        Some((_, span)) => {
            diags.push(
                Diagnostic::error("E011", format!("`secret` of {what} must be `true` or `false`"))
                    .at(span.clone(), ""),
            );
            true
        }
    };
    let mut kind = None;
    if let Some((text, span)) = text_of(diags, &what, table, "type") {
        kind = type_name(&what, text, span, diags);
    }
    let default = table.entry("default").and_then(|(key, node)| default(&what, key, node, secret, diags));
    if let (Some(kind), Some(value)) = (kind, &default)
        && !fits(kind, value)
    {
        let node = table.get("default").map_or(span, |node| &node.span);
        diags.push(
            Diagnostic::error(
                "E102",
                format!("the default of {what} is {}, its type is {kind}", type_of(value)),
            )
            .at(node.clone(), ""),
        );
    }
    let from = table.entry("from").and_then(|(key, node)| {
        if !secret {
            diags.push(
                Diagnostic::error("E106", format!("`from` of {what} is for secret variables"))
                    .at(key.span.clone(), "")
                    .help("add `secret = true`, or give the value by `default`, `--var` or a variable file"),
            );
            return None;
        }
        source(&what, node, files, diags)
    });
    if let (true, Some(wrong)) = (secret, kind.filter(|k| *k != "string")) {
        diags.push(
            Diagnostic::error("E106", format!("{what} is secret, so it is text, not {wrong}"))
                .at(span.clone(), ""),
        );
    }
    let description = text_of(diags, &what, table, "description").map(|(text, _)| text.to_owned());
    let inferred = default.as_ref().map_or("string", type_of_default);
    Entry {
        kind: Some(kind.unwrap_or(inferred)),
        secret,
        default,
        from,
        description,
        span: span.clone(),
        broken: diags.0.len() > before || table.entries.iter().any(|(_, node)| matches!(node.raw, Raw::Bad)),
    }
}

fn type_name(what: &str, text: &str, span: &Span, diags: &mut Diagnostics) -> Option<&'static str> {
    if let Some(kind) = TYPES.iter().find(|kind| **kind == text) {
        return Some(kind);
    }
    let meant = match text.to_lowercase().as_str() {
        "str" | "text" => Some("string"),
        "int" => Some("integer"),
        "float" | "double" => Some("number"),
        "boolean" => Some("bool"),
        "array" | "tuple" | "set" => Some("list"),
        "object" | "table" | "dict" => Some("map"),
        lower if lower.starts_with("list(") || lower.starts_with("set(") => Some("list"),
        lower if lower.starts_with("map(") => Some("map"),
        lower => nearest(lower, TYPES.iter().copied()),
    };
    let help = match meant {
        Some(meant) => format!("did you mean `\"{meant}\"`?"),
        None => "the types are string, integer, number, bool, list and map".to_owned(),
    };
    diags.push(
        Diagnostic::error("E106", format!("`{text}` is not a type of a variable"))
            .at(span.clone(), what.to_owned())
            .help(help),
    );
    None
}

fn default(what: &str, key: &Key, node: &Node, secret: bool, diags: &mut Diagnostics) -> Option<Value> {
    if secret {
        diags.push(
            Diagnostic::error("E106", format!("{what} is secret and cannot have a default"))
                .at(key.span.clone(), "it would stand in the file for all to read")
                .help("use `from = { env = \"…\" }`, `{ file = \"…\" }`, `{ command = […] }` or `{ generate = { … } }`"),
        );
        return None;
    }
    let mut reference = None;
    node.references(&mut |_, span| {
        reference.get_or_insert_with(|| span.clone());
    });
    if let Some(span) = reference {
        diags.push(
            Diagnostic::error(
                "E114",
                format!("the default of {what} is a plain value and cannot refer to anything"),
            )
            .at(span, "")
            .help("put what is computed below `[locals]`; write `$${` where `${` is meant as it stands"),
        );
        return None;
    }
    node_json(node, diags)
}

/// A tree without references as JSON.
fn node_json(node: &Node, diags: &mut Diagnostics) -> Option<Value> {
    Some(match &node.raw {
        Raw::Text(text) => text.clone().into(),
        Raw::Integer(n) => (*n).into(),
        Raw::Float(n) => serde_json::Number::from_f64(*n)?.into(),
        Raw::Bool(b) => (*b).into(),
        Raw::List(items) => {
            items.iter().map(|item| node_json(item, diags)).collect::<Option<Vec<_>>>()?.into()
        }
        Raw::Table(table) => {
            let mut map = serde_json::Map::new();
            for (key, node) in &table.entries {
                map.insert(key.name.clone(), node_json(node, diags)?);
            }
            Value::Object(map)
        }
        Raw::Date(text) => {
            diags.push(super::eval::date(text, &node.span));
            return None;
        }
        Raw::Template(_) | Raw::Bad => return None,
    })
}

/// The type of a JSON value in the language's words.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a bool",
        Value::Number(n) if n.is_f64() => "a number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

fn type_of_default(value: &Value) -> &'static str {
    match value {
        Value::Null | Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::Array(_) => "list",
        Value::Object(_) => "map",
    }
}

/// Whether a value is of a type.
pub(super) fn fits(kind: &str, value: &Value) -> bool {
    match kind {
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "bool" => value.is_boolean(),
        "list" => value.is_array(),
        "map" => value.is_object(),
        _ => value.is_string(),
    }
}
