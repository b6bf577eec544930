//! Values that are given to variables from outside: flags, variable files, the environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::diag::{Diagnostic, Diagnostics, Severity, Span};

use super::LoadRequest;
use super::model::SecretSource;
use super::names;
use super::read::Files;
use super::suggest::{listed, nearest};
use super::syntax::{Key, parse_plain, plain_json};
use super::variables::{Entry, Given, Source, fits};

/// Reads the text of a flag or environment variable as a value of `kind`.
fn from_text(kind: &str, text: &str) -> Option<Value> {
    let value = match kind {
        "string" => return Some(text.into()),
        "bool" => text.trim().parse::<bool>().ok()?.into(),
        "integer" => text.trim().parse::<i64>().ok()?.into(),
        "number" => match text.trim().parse::<i64>() {
            Ok(n) => n.into(),
            Err(_) => serde_json::Number::from_f64(text.trim().parse().ok()?)?.into(),
        },
        _ => match toml::de::DeValue::parse(text.trim()) {
            Ok(value) => plain_json(value.get_ref(), 0)?,
            Err(_) => serde_json::from_str(text).ok()?,
        },
    };
    fits(kind, &value).then_some(value)
}

fn unknown(name: &str, entries: &BTreeMap<&str, Entry>) -> Diagnostic {
    let diagnostic = Diagnostic::error("E101", format!("the stack has no variable `{name}`"));
    match nearest(name, entries.keys().copied()) {
        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
        None if entries.is_empty() => diagnostic.help(format!("declare it: `[variables.{name}]`")),
        None => diagnostic.help(format!("its variables are {}", listed(entries.keys().copied(), 10))),
    }
}

pub(super) fn flag<'e>(
    text: &str,
    entries: &BTreeMap<&'e str, Entry>,
    diags: &mut Diagnostics,
    given: &mut BTreeMap<&'e str, Given>,
) {
    let Some((name, value)) = text.split_once('=') else {
        // What stands there may be a value that is secret.
        diags.push(Diagnostic::error("E105", "`--var` has no `=`").help("write `--var NAME=VALUE`"));
        return;
    };
    let name = name.trim();
    let Some((name, entry)) = entries.get_key_value(name) else {
        diags.push(unknown(name, entries).note("given by `--var`"));
        return;
    };
    if entry.secret {
        diags.push(
            Diagnostic::error("E104", format!("variable `{name}` is secret and cannot be given by `--var`"))
                .at(entry.span.clone(), "declared secret here")
                .note("other users of the machine can read the arguments of a command")
                .help(format!("set `ARRPLAN_VAR_{name}` in the environment instead")),
        );
        return;
    }
    let kind = entry.kind.unwrap_or("string");
    if let Some(value) = from_text(kind, value) {
        given.insert(name, Given::Plain(value));
    } else {
        diags.push(mistyped(name, entry, kind, &format!("`--var {name}={value}`")));
        given.insert(name, Given::Bad);
    }
}

fn mistyped(name: &str, entry: &Entry, kind: &str, given: &str) -> Diagnostic {
    let help = match kind {
        "list" => "a list is written `[\"a\", \"b\"]`",
        "map" => "a map is written `{ a = \"x\", b = \"y\" }`",
        "bool" => "a bool is `true` or `false`",
        "integer" => "an integer is written in digits, without a unit",
        _ => "a number is written in digits, with `.` before decimals",
    };
    Diagnostic::error("E102", format!("variable `{name}` has the type {kind}, which {given} is not"))
        .at(entry.span.clone(), "declared here")
        .help(help)
}

pub(super) fn environment<'e>(
    request: &LoadRequest,
    entries: &BTreeMap<&'e str, Entry>,
    diags: &mut Diagnostics,
    given: &mut BTreeMap<&'e str, Given>,
) {
    for (key, value) in &request.environment {
        let Some(name) = key.strip_prefix("ARRPLAN_VAR_") else {
            continue;
        };
        let Some((name, entry)) = entries.get_key_value(name) else {
            // An environment is shared between stacks: only what looks like a slip is worth a word.
            if nearest(name, entries.keys().copied()).is_some() {
                let mut diagnostic =
                    unknown(name, entries).note(format!("`{key}` is set in the environment"));
                diagnostic.severity = Severity::Warning;
                diags.push(diagnostic);
            }
            continue;
        };
        if entry.secret {
            given.insert(name, Given::Secret(Source::Known(SecretSource::Env(key.clone()))));
            continue;
        }
        let kind = entry.kind.unwrap_or("string");
        if let Some(value) = from_text(kind, value) {
            given.insert(name, Given::Plain(value));
        } else {
            diags.push(mistyped(name, entry, kind, &format!("the content of `{key}`")));
            given.insert(name, Given::Bad);
        }
    }
}

pub(super) fn env_file(request: &LoadRequest, env: &str, diags: &mut Diagnostics) -> Option<PathBuf> {
    if let Some(problem) = names::label_problem(env, 40) {
        diags.push(Diagnostic::error("E113", format!("`--env {env}` is not a name: {problem}")));
        return None;
    }
    let stem = request.file.file_stem()?.to_string_lossy().into_owned();
    let path = request.file.with_file_name(format!("{stem}.{env}.vars.toml"));
    if path.exists() {
        return Some(path);
    }
    let mut diagnostic =
        Diagnostic::error("E113", format!("`--env {env}` needs {}, which is not there", path.display()));
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut others: Vec<String> = fs_err::read_dir(folder)
        .map(|entries| {
            entries
                .filter_map(|e| e.ok()?.file_name().into_string().ok())
                .filter_map(|name| {
                    Some(name.strip_prefix(&format!("{stem}."))?.strip_suffix(".vars.toml")?.to_owned())
                })
                .collect()
        })
        .unwrap_or_default();
    others.sort();
    if !others.is_empty() {
        diagnostic = diagnostic.help(format!("there are {}", listed(others.iter().map(String::as_str), 8)));
    }
    diags.push(diagnostic);
    None
}

pub(super) fn var_file<'e>(
    path: &Path,
    shown: &str,
    entries: &BTreeMap<&'e str, Entry>,
    files: &mut Files,
    diags: &mut Diagnostics,
    given: &mut BTreeMap<&'e str, Given>,
) {
    let text = match files.read(path, &path.display().to_string()) {
        Ok(text) => text,
        Err(mut problem) => {
            problem.notes.push(format!("given by `{shown}`"));
            diags.push(problem.diagnostic(None));
            return;
        }
    };
    let file = files.sources.next_id();
    let mut found = Diagnostics::default();
    let (values, damage) = parse_plain(file, &text, &mut found);
    // A line of this file may hold a secret, and a message shows the lines it points at.
    let plain = |key: &Key| entries.get(key.name.as_str()).is_some_and(|e| !e.secret);
    let open: Vec<&Span> = values
        .iter()
        .flat_map(|(key, span, _)| [Some(&key.span), plain(key).then_some(span)])
        .flatten()
        .collect();
    // Recovery may have read a part of a secret as a key.
    let masked = mask(&text, if found.is_empty() { &open } else { &[] });
    files.sources.add(path.to_path_buf(), masked);
    diags.extend(found.into_iter().map(|mut d| {
        // Notes and suggestions of the parser quote the line.
        d.help.clear();
        if d.code != "E005" {
            d.message = String::from("this line is not TOML");
        }
        d.help("the values of a variable file are not shown here, they may be secret")
    }));
    for (key, span, value) in values {
        if damage.covers(key.span.start) {
            continue;
        }
        let Some((name, entry)) = entries.get_key_value(key.name.as_str()) else {
            if !damage.lossy {
                diags.push(unknown(&key.name, entries).at(key.span, ""));
            }
            continue;
        };
        let kind = entry.kind.unwrap_or("string");
        match value {
            Some(Value::String(_)) if entry.secret => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
                given.insert(name, Given::Secret(Source::Known(SecretSource::VarFile(path))));
            }
            Some(value) if !entry.secret && fits(kind, &value) => {
                given.insert(name, Given::Plain(value));
            }
            _ => {
                let what = if entry.secret {
                    "text, as every secret is".to_owned()
                } else {
                    format!("of type {kind}")
                };
                diags.push(
                    Diagnostic::error("E102", format!("the value of variable `{name}` must be {what}"))
                        .at(if entry.secret { key.span } else { span }, ""),
                );
                given.insert(name, Given::Bad);
            }
        }
    }
}

/// The text with everything hidden that is not `open`; line and column stay.
fn mask(text: &str, open: &[&Span]) -> String {
    let mut open: Vec<(usize, usize)> = open.iter().map(|span| (span.start, span.end)).collect();
    open.sort_unstable();
    let mut open = open.into_iter().peekable();
    let mut masked = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        while open.peek().is_some_and(|(_, end)| *end <= at) {
            open.next();
        }
        let shown = open.peek().is_some_and(|(start, _)| *start <= at) || c.is_whitespace() || c == '=';
        if shown {
            masked.push(c);
        } else {
            (0..c.len_utf8()).for_each(|_| masked.push('*'));
        }
    }
    masked
}
