//! The engine arguments of a resource: what is about the object, not in it.

use std::time::Duration;

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::path::FieldPath;
use crate::schema;

use super::cell::{Cell, Data};
use super::model::{Target, Wait};
use super::suggest::nearest;

/// What a resource says about itself.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    pub depends_on: Vec<(Target, Span)>,
    pub protect: Option<bool>,
    pub timeout: Option<Duration>,
    pub wait: Option<Wait>,
    pub ignore: Vec<FieldPath>,
    pub replace_immutable: bool,
}

fn wrong(diags: &mut Diagnostics, name: &str, what: &str, cell: &Cell) {
    if let Data::Late(_) = cell.data {
        diags.push(
            Diagnostic::error("E026", format!("{name} must be known from the files"))
                .at(cell.span.clone(), "known only after apply"),
        );
    } else if !cell.is_bad() {
        diags.push(
            Diagnostic::error("E011", format!("{name} must be {what}, not {}", cell.type_name()))
                .at(cell.span.clone(), ""),
        );
    }
}

pub(super) fn text(diags: &mut Diagnostics, name: &str, cell: &Cell) -> Option<String> {
    if let Some(text) = cell.text() {
        return Some(text.to_owned());
    }
    wrong(diags, &format!("`{name}`"), "text", cell);
    None
}

pub(super) fn protect(diags: &mut Diagnostics, cell: &Cell) -> Option<bool> {
    match &cell.data {
        Data::Bool(protect) => return Some(*protect),
        Data::Text(text) if matches!(text.as_str(), "true" | "false") => diags.push(
            Diagnostic::error("E011", "`protect` must be `true` or `false`, not a string")
                .at(cell.span.clone(), "")
                .help(format!("write `protect = {text}`")),
        ),
        _ => wrong(diags, "`protect`", "`true` or `false`", cell),
    }
    None
}

pub(super) fn timeout(diags: &mut Diagnostics, cell: &Cell) -> Option<Duration> {
    let text = match &cell.data {
        Data::Text(text) => text.clone(),
        Data::Number(n) => n.to_string(),
        _ => {
            wrong(diags, "`timeout`", "a duration such as \"10m\"", cell);
            return None;
        }
    };
    let (Data::Text(_), Ok(duration)) = (&cell.data, schema::parse_duration(&text)) else {
        diags.push(
            Diagnostic::error("E044", format!("`{text}` is not a duration"))
                .at(cell.span.clone(), "")
                .help(super::scalar::duration_hint(&text, &["s", "m", "h"])),
        );
        return None;
    };
    if duration.is_zero() {
        diags.push(
            Diagnostic::error("E013", "`timeout` must be longer than nothing").at(cell.span.clone(), ""),
        );
        return None;
    }
    Some(duration)
}

pub(super) fn wait(diags: &mut Diagnostics, cell: &Cell) -> Option<Wait> {
    let rule = "it is `\"ready\"`, `\"applied\"` or `{ cel = \"…\" }`";
    match &cell.data {
        Data::Text(text) => match text.as_str() {
            "ready" => return Some(Wait::Ready),
            "applied" => return Some(Wait::Applied),
            other => {
                let diagnostic = Diagnostic::error("E013", format!("`{other}` is nothing to wait for"))
                    .at(cell.span.clone(), "");
                diags.push(match nearest(other, ["ready", "applied"]) {
                    Some(meant) => diagnostic.help(format!("did you mean `\"{meant}\"`?")),
                    None => diagnostic.help(rule),
                });
            }
        },
        Data::Map(map) => match map.get("cel") {
            Some((_, expression)) if map.len() == 1 => {
                let text = text(diags, "cel", expression)?;
                match cel::Program::compile(&text) {
                    Ok(_) => return Some(Wait::Cel(text)),
                    Err(error) => {
                        let first = cel_reason(&error.to_string());
                        diags.push(
                            Diagnostic::error("E055", "this is not a CEL expression")
                                .at(expression.span.clone(), "")
                                .note(first)
                                .help("for example `{ cel = \"status.phase == 'Bound'\" }`"),
                        );
                    }
                }
            }
            _ => diags.push(
                Diagnostic::error("E013", "`wait` as a table has one key, `cel`")
                    .at(cell.span.clone(), "")
                    .help(rule),
            ),
        },
        Data::Bool(_) => diags
            .push(Diagnostic::error("E013", "`wait` is not a boolean").at(cell.span.clone(), "").help(rule)),
        _ => wrong(diags, "`wait`", "`\"ready\"`, `\"applied\"` or `{ cel = \"…\" }`", cell),
    }
    None
}

/// The parser's own words without its prefix and its list of all tokens.
fn cel_reason(text: &str) -> String {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let reason = first.split_once("error: ").map_or(first, |(_, reason)| reason);
    reason.split(" expecting ").next().unwrap_or(reason).to_owned()
}

pub(super) fn on_immutable(diags: &mut Diagnostics, cell: &Cell) -> bool {
    match cell.text() {
        Some("replace") => return true,
        Some("error") => {}
        Some(other) => {
            let diagnostic = Diagnostic::error("E013", format!("`on_immutable` cannot be `{other}`"))
                .at(cell.span.clone(), "");
            diags.push(match nearest(other, ["error", "replace"]) {
                Some(meant) => diagnostic.help(format!("did you mean `\"{meant}\"`?")),
                None => diagnostic.help("it is `\"error\"` or `\"replace\"`"),
            });
        }
        None => wrong(diags, "`on_immutable`", "`\"error\"` or `\"replace\"`", cell),
    }
    false
}

/// The texts of a list, with their places.
fn texts<'c>(diags: &mut Diagnostics, name: &str, cell: &'c Cell) -> Vec<(&'c str, &'c Span)> {
    let Data::List(items) = &cell.data else {
        if let Data::Text(text) = &cell.data {
            diags.push(
                Diagnostic::error("E011", format!("`{name}` must be a list"))
                    .at(cell.span.clone(), "")
                    .help(format!("write `{name} = [\"{text}\"]`")),
            );
        } else {
            wrong(diags, &format!("`{name}`"), "a list of texts", cell);
        }
        return Vec::new();
    };
    let mut found = Vec::new();
    for item in items {
        match item.text() {
            Some(text) => found.push((text, &item.span)),
            None => wrong(diags, &format!("an element of `{name}`"), "text", item),
        }
    }
    found
}

pub(super) fn ignore(diags: &mut Diagnostics, cell: &Cell, api_version: &str, kind: &str) -> Vec<FieldPath> {
    let mut paths = Vec::new();
    for (text, span) in texts(diags, "ignore", cell) {
        let path = match text.parse::<FieldPath>() {
            Ok(path) if !path.is_root() => path,
            Ok(_) => {
                diags.push(
                    Diagnostic::error("E056", "`ignore` cannot leave out the whole object")
                        .at(span.clone(), ""),
                );
                continue;
            }
            Err(error) => {
                diags.push(
                    Diagnostic::error("E056", format!("`{text}` is not a path to a field"))
                        .at(span.clone(), error.reason)
                        .help("for example `spec.replicas` or `metadata.annotations['team.io/x']`"),
                );
                continue;
            }
        };
        if let Some(known) = schema::lookup(api_version, kind)
            && let Some(problem) = unknown_path(known, &path)
        {
            diags.push(problem.at(span.clone(), ""));
            continue;
        }
        paths.push(path);
    }
    paths
}

/// Why `path` leads nowhere in a kind, if so.
fn unknown_path(kind: schema::Kind, path: &FieldPath) -> Option<Diagnostic> {
    let mut node = kind.root;
    for (at, segment) in path.0.iter().enumerate() {
        if let Some(next) = node.step(segment) {
            node = next;
        } else {
            let here = FieldPath(path.0[..=at].to_vec());
            let diagnostic = Diagnostic::error("E056", format!("{} has no field `{here}`", kind.kind));
            let crate::path::Segment::Key(name) = segment else {
                return Some(diagnostic);
            };
            return Some(match nearest(name, node.fields().map(|f| f.name)) {
                Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                None => diagnostic,
            });
        }
    }
    None
}

/// The objects that `depends_on` names; whether they exist is checked by the caller.
pub(super) fn depends_on(diags: &mut Diagnostics, cell: &Cell) -> Vec<(Target, Span)> {
    let mut found = Vec::new();
    for (text, span) in texts(diags, "depends_on", cell) {
        let (bare, existing) = match text.strip_prefix("existing.") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        // `['key']` is how references write it too.
        let plain = bare.replace("['", "[\"").replace("']", "\"]");
        match plain.parse::<Address>() {
            Ok(address) if existing => found.push((Target::Existing(address), span.clone())),
            Ok(address) => found.push((Target::Resource(address), span.clone())),
            Err(_) => {
                let diagnostic =
                    Diagnostic::error("E050", format!("`{text}` is not the address of a resource"))
                        .at(span.clone(), "");
                let field = plain.match_indices('.').nth(1).map(|(at, _)| &plain[..at]);
                diags.push(match field.and_then(|f| f.parse::<Address>().ok()) {
                    Some(address) => diagnostic.help(format!("name the resource alone: `{address}`")),
                    None => diagnostic
                        .help("an address is `TABLE.NAME`, for example `persistent_volume_claim.media-pvc`"),
                });
            }
        }
    }
    found
}
