//! `[stack]`, `[cluster]`, `[state]`, `[sources]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::diag::{Diagnostic, Diagnostics, FileId, Span};

use super::closed::{closed, text_of};
use super::decl::Document;
use super::model::{ClusterSettings, StateSettings};
use super::names;
use super::read::Files;
use super::suggest::nearest;
use super::syntax::{Raw, Table};

/// `[stack]`, checked.
#[derive(Debug, Default)]
pub(super) struct StackSettings {
    pub name: String,
    pub description: Option<String>,
}

/// Longest name of a stack: it is a label's value and part of file and Secret names.
const MAX_NAME: usize = 40;

/// Reads `[stack]`.
pub(super) fn stack(
    document: &Document,
    file: FileId,
    lossy: bool,
    diags: &mut Diagnostics,
) -> StackSettings {
    let Some((span, table)) = &document.stack else {
        if !lossy {
            diags.push(
                Diagnostic::error("E012", "this file has no `[stack]`")
                    .at(Span::new(file, 0..0), "")
                    .help("a stack starts with `[stack]` and `name = \"…\"`"),
            );
        }
        return StackSettings::default();
    };
    closed(diags, "`[stack]`", table, &["name", "description", "include"]);
    if table.get("name").is_none() && !lossy {
        diags.push(
            Diagnostic::error("E012", "`[stack]` needs `name`")
                .at(span.clone(), "")
                .help("for example `name = \"arr\"`"),
        );
    }
    let name = text_of(diags, "`[stack]`", table, "name").map(|(name, span)| {
        if let Some(problem) = names::label_problem(name, MAX_NAME) {
            let mut diagnostic = Diagnostic::error("E033", format!("`{name}` cannot be the name of a stack"))
                .at(span.clone(), "")
                .note(problem);
            if let Some(mended) = names::mended(names::NameRule::Label, name).filter(|m| m.len() <= MAX_NAME)
            {
                diagnostic = diagnostic.help(format!("write `name = \"{mended}\"`"));
            }
            diags.push(diagnostic);
        }
        name.to_owned()
    });
    StackSettings {
        name: name.unwrap_or_default(),
        description: text_of(diags, "`[stack]`", table, "description").map(|(text, _)| text.to_owned()),
    }
}

/// The patterns of `include`, with their places.
pub(super) fn include<'t>(table: &'t Table, diags: &mut Diagnostics) -> Vec<(&'t str, &'t Span)> {
    let Some(node) = table.get("include") else {
        return Vec::new();
    };
    let Raw::List(items) = &node.raw else {
        if !matches!(node.raw, Raw::Bad) {
            let diagnostic =
                Diagnostic::error("E011", "`include` must be a list of patterns").at(node.span.clone(), "");
            diags.push(match node.text() {
                Some(text) => diagnostic.help(format!("write `include = [\"{text}\"]`")),
                None => diagnostic,
            });
        }
        return Vec::new();
    };
    let mut patterns = Vec::new();
    for item in items {
        match item.text() {
            Some(text) => patterns.push((text, &item.span)),
            None => diags.push(
                Diagnostic::error(
                    "E011",
                    format!("an element of `include` must be text, not {}", item.type_name()),
                )
                .at(item.span.clone(), ""),
            ),
        }
    }
    patterns
}

/// Reads `[cluster]`.
pub(super) fn cluster(document: &Document, diags: &mut Diagnostics) -> ClusterSettings {
    let Some(table) = &document.cluster else {
        return ClusterSettings::default();
    };
    closed(diags, "`[cluster]`", table, &["context"]);
    ClusterSettings {
        context: text_of(diags, "`[cluster]`", table, "context").map(|(text, _)| text.to_owned()),
    }
}

/// Reads `[state]`.
pub(super) fn state(document: &Document, files: &Files, diags: &mut Diagnostics) -> StateSettings {
    let Some(table) = &document.state else {
        return StateSettings::default();
    };
    closed(diags, "`[state]`", table, &["backend", "path"]);
    match text_of(diags, "`[state]`", table, "backend") {
        None | Some(("file", _)) => {}
        Some(("kubernetes", span)) => diags.push(
            Diagnostic::error("E017", "the backend `kubernetes` is not part of this version of arrplan")
                .at(span.clone(), "")
                .help("leave the line out: the state is kept in a file"),
        ),
        Some((other, span)) => {
            let diagnostic =
                Diagnostic::error("E013", format!("`{other}` is not a backend")).at(span.clone(), "");
            diags.push(match nearest(other, ["file", "kubernetes"]) {
                Some(meant) => diagnostic.help(format!("did you mean `\"{meant}\"`?")),
                None => diagnostic.help("the backend is `\"file\"`"),
            });
        }
    }
    StateSettings { path: text_of(diags, "`[state]`", table, "path").map(|(text, _)| files.root.join(text)) }
}

/// Reads `[sources.<name>]`: where the content of a Git source lies locally.
pub(super) fn sources(
    document: &Document,
    files: &Files,
    diags: &mut Diagnostics,
) -> BTreeMap<String, PathBuf> {
    let mut sources = BTreeMap::new();
    for (name, (key, table)) in &document.sources {
        let what = format!("`[sources.{name}]`");
        closed(diags, &what, table, &["path"]);
        let repositories: Vec<&str> = document
            .resources
            .keys()
            .filter(|a| a.table == "git_repository")
            .map(|a| a.name.as_str())
            .collect();
        if !repositories.contains(&name.as_str()) {
            let diagnostic = Diagnostic::error("E054", format!("there is no `git_repository.{name}`"))
                .at(key.span.clone(), "");
            diags.push(match nearest(name, repositories.iter().copied()) {
                Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                None => diagnostic.help("`[sources.NAME]` takes the local name of a `git_repository`"),
            });
        }
        let Some((path, span)) = text_of(diags, &what, table, "path") else {
            if table.get("path").is_none() {
                diags
                    .push(Diagnostic::error("E012", format!("{what} needs `path`")).at(key.span.clone(), ""));
            }
            continue;
        };
        match files.confined(path) {
            Ok(folder) if folder.is_dir() => {
                sources.insert(name.clone(), folder);
            }
            Ok(_) => diags.push(
                Diagnostic::error("E054", format!("there is no folder `{path}`"))
                    .at(span.clone(), "")
                    .help("the path is relative to the stack's folder"),
            ),
            Err(problem) => diags.push(problem.diagnostic(Some(span.clone()))),
        }
    }
    sources
}
