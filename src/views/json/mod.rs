//! JSON for programs: one versioned schema for the plan, one for the stream of an apply.
//!
//! *Invariants:* additive only within a `format_version`; deterministic for the same inputs; no secret value;
//! nothing that moves a terminal's cursor;
//! `plan.schema.json` and `events.schema.json` describe exactly what is written (a test holds them to it).

mod event;
mod plan;

pub use event::{event, outputs, plan_line};
pub use plan::plan;

use serde_json::{Value, json};

use crate::diag::{Diagnostics, Severity, SourceMap, Span};
use crate::stack::Stack;
use crate::views::sanitize;

/// Version of the plan's and the stream's format.
pub const FORMAT_VERSION: u32 = 1;

/// JSON Schema of `plan --json`.
pub const PLAN_SCHEMA: &str = include_str!("plan.schema.json");

/// JSON Schema of a line of `apply --json`.
pub const EVENTS_SCHEMA: &str = include_str!("events.schema.json");

/// JSON Schema of the file that `plan --out` writes.
pub const SAVED_PLAN_SCHEMA: &str = include_str!("saved-plan.schema.json");

/// Diagnostics, sorted. Lines and columns are counted from 1, columns in characters.
#[must_use]
pub fn diagnostics(diagnostics: &Diagnostics, sources: Option<&SourceMap>) -> Value {
    let place = |span: &Span, sources: &SourceMap| {
        let (line, column) = sources.position(span);
        json!({ "file": sources.path(span.file).display().to_string(), "line": line, "column": column })
    };
    let list = diagnostics.clone().sorted().into_iter().map(|d| {
        let labels = d.labels.iter().map(|label| {
            let place = sources.map_or(Value::Null, |sources| place(&label.span, sources));
            json!({ "place": place, "text": label.text })
        });
        json!({
            "severity": match d.severity { Severity::Error => "error", Severity::Warning => "warning" },
            "code": d.code,
            "message": d.message,
            "labels": labels.collect::<Vec<_>>(),
            "notes": d.notes,
            "help": d.help,
        })
    });
    Value::Array(list.collect())
}

/// What `validate --json` says.
#[must_use]
pub fn validation(stack: Option<&Stack>, problems: &Value) -> Value {
    json!({
        "format_version": FORMAT_VERSION,
        "valid": stack.is_some(),
        "stack": stack.map(|stack| &stack.name),
        "resources": stack.map(|stack| stack.resources.keys().collect::<Vec<_>>()),
        "problems": problems,
    })
}

/// The document, indented, ended by a line break.
#[must_use]
pub fn pretty(value: &Value) -> String {
    format!("{}\n", sanitize::json(&format!("{value:#}")))
}

/// The document on one line, ended by a line break.
#[must_use]
pub fn line(value: &Value) -> String {
    format!("{}\n", sanitize::json(&value.to_string()))
}

#[cfg(test)]
mod tests;
