//! Manifests against the structure table: what does not fit, at its place, with what was meant.

use std::collections::BTreeSet;

use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::path::{FieldPath, Segment};
use crate::schema::{self, Expected, Problem, Suggestion, Tree, Type, View, Violation};

use super::cell::{Cell, Data};
use super::model::Part;
use super::scalar;
use super::suggest::{listed, nearest};

/// The keys of a resource that are not fields of its manifest.
pub(super) const ARGUMENTS: &[&str] = &[
    "name",
    "namespace",
    "labels",
    "annotations",
    "depends_on",
    "protect",
    "timeout",
    "wait",
    "ignore",
    "on_immutable",
    "for_each",
];

impl Tree for Cell {
    fn view(&self) -> View<'_, Self> {
        match &self.data {
            Data::Null => View::Null,
            Data::Bool(b) => View::Bool(*b),
            Data::Number(n) => View::Number(n),
            Data::Text(text) => View::String(text),
            Data::List(items) => View::List(items),
            Data::Map(map) => View::Map(map.iter().map(|(key, (_, cell))| (key.as_str(), cell)).collect()),
            Data::Late(late) => match late.parts.as_slice() {
                [Part::Field(_)] => View::Unknown,
                _ => View::SomeText,
            },
            Data::Bad => View::Unknown,
        }
    }
}

/// What a check is about.
pub(super) struct Subject<'s> {
    pub api_version: &'s str,
    pub kind: &'s str,
    /// Where the resource is declared.
    pub span: &'s Span,
    /// The header that declares it: `[helm_release.arr-stack]`.
    pub header: String,
}

/// Reports everything in `manifest` that the structure table says is wrong. A kind that the table does not
/// know is the cluster's to judge. Returns the paths that misspelt or misplaced fields were meant to be: what
/// is missing there is missing because of them.
pub(super) fn check_fields(
    subject: &Subject<'_>,
    manifest: &Cell,
    diags: &mut Diagnostics,
) -> BTreeSet<FieldPath> {
    let Some(kind) = schema::lookup(subject.api_version, subject.kind) else {
        unknown_kind(subject, diags);
        for (key, (span, _)) in manifest.map().into_iter().flatten() {
            // Kubernetes has no field with an underscore, so this was meant for arrplan.
            if let Some(meant) = misspelt_argument(key) {
                diags.push(
                    Diagnostic::error("E040", format!("unknown field `{key}`"))
                        .at(span.clone(), "")
                        .help(format!("did you mean `{meant}`?")),
                );
            }
        }
        return BTreeSet::new();
    };
    let violations = schema::check(kind, manifest);
    let meant: BTreeSet<FieldPath> = violations.iter().filter_map(meant_path).collect();
    for violation in violations {
        if let Problem::Missing { name } = &violation.problem
            && meant.iter().any(|path| path.starts_with(&violation.path.key(name)))
        {
            continue;
        }
        if let Some(diagnostic) = explain(subject, manifest, &violation) {
            diags.push(diagnostic);
        }
    }
    suspicious_values(subject, manifest, diags);
    meant
}

/// The path that a misspelt or misplaced field was meant to have.
fn meant_path(violation: &Violation) -> Option<FieldPath> {
    let Problem::UnknownField { suggestion, .. } = &violation.problem else {
        return None;
    };
    match suggestion.as_ref()? {
        Suggestion::Similar(name) => Some(violation.path.parent()?.key(name)),
        Suggestion::Elsewhere(path) => Some(path.clone()),
    }
}

/// An argument spelt in another way: `dependsOn`, `depend_on`.
fn misspelt_argument(key: &str) -> Option<&'static str> {
    let folded = super::suggest::fold(key);
    let same = ARGUMENTS.iter().find(|a| super::suggest::fold(a) == folded && **a != key).copied();
    same.or_else(|| key.contains('_').then(|| nearest(key, ARGUMENTS.iter().copied())).flatten())
}

fn unknown_kind(subject: &Subject<'_>, diags: &mut Diagnostics) {
    let of_version: Vec<&str> =
        schema::kinds().filter(|k| k.api_version == subject.api_version).map(|k| k.kind).collect();
    let diagnostic = if let Some(meant) = nearest(subject.kind, of_version.iter().copied()) {
        Diagnostic::warning(
            "E049",
            format!("arrplan does not know the kind `{}` of {}", subject.kind, subject.api_version),
        )
        .help(format!("did you mean `{meant}`? If not, its fields are checked by the cluster only"))
    } else if let Some(other) = schema::kinds().find(|k| {
        let group = |text| crate::address::split_api_version(text).0;
        k.kind == subject.kind && group(k.api_version) == group(subject.api_version)
    }) {
        Diagnostic::warning(
            "E049",
            format!("arrplan does not know {} in version {}", subject.kind, subject.api_version),
        )
        .help(format!(
            "it knows `{}`; the fields of others are checked by the cluster only",
            other.api_version
        ))
    } else {
        return;
    };
    diags.push(diagnostic.at(subject.span.clone(), ""));
}

/// Where a path is in the manifest: the key that names it, and the value.
fn places(manifest: &Cell, path: &FieldPath) -> Option<(Span, Span)> {
    let mut cell = manifest;
    let mut key = manifest.span.clone();
    for segment in &path.0 {
        match segment {
            Segment::Key(name) => {
                let (span, below) = cell.map()?.get(name)?;
                key = span.clone();
                cell = below;
            }
            Segment::Index(at) => {
                cell = cell.list().get(*at)?;
                key = cell.span.clone();
            }
            Segment::Select(_) | Segment::Item(_) => return None,
        }
    }
    Some((key, cell.span.clone()))
}

fn explain(subject: &Subject<'_>, manifest: &Cell, violation: &Violation) -> Option<Diagnostic> {
    let path = &violation.path;
    let (key, value) = places(manifest, path).unwrap_or_else(|| (subject.span.clone(), subject.span.clone()));
    let error = |code, message: String, at: Span, label: &str| Diagnostic::error(code, message).at(at, label);
    let kind = subject.kind;
    Some(match &violation.problem {
        Problem::UnknownField { name, suggestion } => {
            unknown_field(subject, path, name, suggestion.as_ref(), key)
        }
        Problem::WrongType { expected, got, quote } => {
            if let Some(whole) = quote {
                return Some(nested(path, whole, key));
            }
            let message = format!("`{path}` must be {expected}, not {got}");
            let diagnostic = error("E041", message, value, &format!("expected {expected}"));
            match type_help(manifest, path, *expected) {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            }
        }
        Problem::NotInEnum { got, allowed, suggestion } => {
            let diagnostic = error("E042", format!("`{got}` is not a value of `{path}`"), value, "");
            let all = format!("its values are {}", listed(allowed.iter().map(String::as_str), 12));
            match suggestion {
                Some(meant) => diagnostic.help(format!("did you mean `\"{meant}\"`?")).note(all),
                None => diagnostic.help(all),
            }
        }
        Problem::Missing { name } => {
            let at = if path.is_root() { subject.span.clone() } else { value };
            let whole = path.key(name);
            error("E043", format!("{kind} needs `{whole}`"), at, "")
        }
        Problem::BadQuantity { got } => {
            error("E045", format!("`{got}` is not a quantity"), value, "").help(scalar::quantity_hint(got))
        }
        Problem::BadDuration { got, units } => {
            error("E044", format!("`{got}` is not a duration that `{path}` takes"), value, "")
                .help(scalar::duration_hint(got, units))
        }
        Problem::BadTime { got } => error("E041", format!("`{got}` is not a time"), value, "")
            .help("write it as `\"2024-05-01T12:00:00Z\"`"),
        Problem::BadBase64 if kind == "Secret" => error("E112", format!("`{path}` is not base64"), value, "")
            .help("put plain text below `stringData`; it is encoded from there"),
        Problem::BadBase64 => error("E041", format!("`{path}` is not base64"), value, ""),
        Problem::BadUrl { schemes } => {
            let schemes: Vec<String> = schemes.iter().map(|s| format!("{s}://")).collect();
            let diagnostic = error("E041", format!("`{path}` is not a URL that {kind} reads"), value, "");
            diagnostic.help(format!("it starts with {}", listed(schemes.iter().map(String::as_str), 5)))
        }
        Problem::OutOfRange { bits } => {
            error("E041", format!("`{path}` does not fit into {bits} bits"), value, "")
        }
        Problem::Null => error("E029", format!("`null` means nothing in `{path}`"), value, "")
            .help("it is legal in free-form fields, such as the values of a release; leave the line out"),
        Problem::Duplicate { first } => {
            let diagnostic =
                error("E041", format!("`{path}` is the same element as `{first}`"), value, "again here");
            match places(manifest, first) {
                Some((_, span)) => diagnostic.at(span, "first here"),
                None => diagnostic,
            }
        }
        Problem::ServerOwned => {
            error("E037", format!("`{path}` is written by the cluster alone"), key, "").help("remove it")
        }
    })
}

/// `labels = { team.io = "x" }`: TOML makes tables of a dotted key.
pub(super) fn nested(path: &FieldPath, whole: &str, at: Span) -> Diagnostic {
    let parent = path.parent().unwrap_or_default();
    Diagnostic::error(
        "E036",
        format!("`{parent}` has a table where text is meant: an unquoted dot makes one"),
    )
    .at(at, "")
    .help(format!("quote the key: `\"{whole}\" = …`"))
}

fn type_help(manifest: &Cell, path: &FieldPath, expected: Expected) -> Option<String> {
    let (cell, ()) = path.0.iter().try_fold((manifest, ()), |(cell, ()), segment| match segment {
        Segment::Key(key) => cell.get(key).map(|c| (c, ())),
        Segment::Index(at) => cell.list().get(*at).map(|c| (c, ())),
        _ => None,
    })?;
    let text = match &cell.data {
        Data::Text(text) => format!("\"{text}\""),
        Data::Number(n) => n.to_string(),
        Data::Bool(b) => b.to_string(),
        _ => {
            return match expected.0 {
                Type::List | Type::ListMap(_) | Type::Set if matches!(cell.data, Data::Map(_)) => {
                    let last = path.0.iter().rev().find_map(|s| match s {
                        Segment::Key(key) => Some(key.as_str()),
                        _ => None,
                    })?;
                    Some(format!(
                        "put it in brackets, `{last} = [{{ … }}]`, or write the header with two: `[[….{last}]]`"
                    ))
                }
                _ => None,
            };
        }
    };
    let bare = text.trim_matches('"').to_owned();
    match expected.0 {
        Type::String | Type::Bytes if !text.starts_with('"') => Some(format!("write `\"{text}\"`")),
        Type::Integer if bare.parse::<i64>().is_ok() => Some(format!("write `{bare}` without quotes")),
        Type::Bool => match bare.to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some("write `true` without quotes".to_owned()),
            "false" | "no" | "off" | "0" => Some("write `false` without quotes".to_owned()),
            _ => None,
        },
        Type::Duration(units) => Some(scalar::duration_hint(&bare, units)),
        Type::List | Type::ListMap(_) | Type::Set => Some(format!("write `[{text}]`")),
        _ => None,
    }
}

fn unknown_field(
    subject: &Subject<'_>,
    path: &FieldPath,
    name: &str,
    suggestion: Option<&Suggestion>,
    at: Span,
) -> Diagnostic {
    let parent = path.parent().unwrap_or_default();
    let owner =
        if parent.is_root() { subject.kind.to_owned() } else { format!("`{parent}` of {}", subject.kind) };
    // An argument of the resource that a header above it caught.
    if !parent.is_root()
        && ARGUMENTS.contains(&name)
        && !matches!(name, "name" | "namespace" | "labels" | "annotations")
    {
        return Diagnostic::error(
            "E046",
            format!("`{name}` is an argument of the resource, not a field of `{parent}`"),
        )
        .at(at, format!("read as `{path}`"))
        .at(subject.span.clone(), "it was meant to stand here")
        .help(format!("move the line up, directly below `{}`", subject.header));
    }
    let diagnostic = Diagnostic::error("E040", format!("{owner} has no field `{name}`")).at(at, "");
    if parent.is_root()
        && let Some(meant) = misspelt_argument(name)
    {
        return diagnostic.help(format!("did you mean `{meant}`?"));
    }
    match suggestion {
        Some(Suggestion::Similar(meant)) => diagnostic.help(format!("did you mean `{meant}`?")),
        Some(Suggestion::Elsewhere(path)) => {
            diagnostic.help(format!("it is a field of another place: `{path} = …`"))
        }
        None if parent.is_root() => match nearest(name, ARGUMENTS.iter().copied()) {
            Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
            None => diagnostic,
        },
        None => diagnostic,
    }
}

/// Arguments of the resource below the values of a release, where every key is legal.
fn suspicious_values(subject: &Subject<'_>, manifest: &Cell, diags: &mut Diagnostics) {
    if subject.kind != "HelmRelease" {
        return;
    }
    let Some(values) = manifest.at(&["spec", "values"]).and_then(Cell::map) else {
        return;
    };
    for name in ["depends_on", "on_immutable", "for_each"] {
        if let Some((span, _)) = values.get(name) {
            diags.push(
                Diagnostic::warning("E046", format!("`{name}` is read as a value of the chart"))
                    .at(span.clone(), format!("read as `spec.values.{name}`"))
                    .at(subject.span.clone(), "an argument of the resource stands here")
                    .help(format!(
                        "if the resource is meant, move the line up, directly below `{}`",
                        subject.header
                    )),
            );
        }
    }
}
