//! `[existing.<table>.<name>]`: objects that are read, waited for and referred to, never written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::address::{Address, split_api_version};
use crate::diag::{Diagnostic, Diagnostics, Span};

use super::arguments;
use super::cell::Cell;
use super::decl::Decl;
use super::eval::{Eval, Identity, Use, World};
use super::kinds::{self, KindRow};
use super::model::{Existing, Wait};
use super::names::{self, NameRule};
use super::read::Files;
use super::shape::Shape;

/// A key's text and place; the text is `None` after a mistake that was reported.
type Text = Option<(Option<String>, Span)>;

pub(super) struct Compiler<'c> {
    pub address: &'c Address,
    pub decl: &'c Decl,
    /// Scope of the kinds that the stack's own definitions make.
    pub scopes: &'c BTreeMap<(String, String), bool>,
    pub diags: &'c mut Diagnostics,
}

/// What became of a declaration.
pub(super) struct Compiled {
    pub identity: Identity,
    pub existing: Existing,
    pub uses: Vec<Use>,
}

impl Compiler<'_> {
    pub(super) fn run(&mut self, world: &World, files: &mut Files) -> Compiled {
        let before = self.diags.0.len();
        let row = kinds::by_table(&self.address.table);
        let mut eval = Eval::new(world, files, self.diags);
        let mut cell = |key: &str| Some(eval.node(self.decl.body.get(key)?, Shape::Nowhere));
        let cells =
            ["apiVersion", "kind", "name", "namespace", "wait", "timeout"].map(|key| (key, cell(key)));
        let uses = std::mem::take(&mut eval.uses);
        let [api_version, kind, name, namespace, (_, wait), (_, timeout)] = cells;
        let [api_version, kind, name, namespace] =
            [api_version, kind, name, namespace].map(|(key, cell)| self.text(key, cell));
        let (wait, timeout) = self.waiting(wait, timeout);
        let api_version = self.type_part("apiVersion", api_version, row.map(|row| row.api_version));
        // The table decides the kind; its own `kind` was reported as an unknown key.
        let kind = match row {
            Some(row) => row.kind.to_owned(),
            None => self.type_part("kind", kind, None),
        };
        let (group, _) = split_api_version(&api_version);
        let known = kinds::by_kind(group, &kind);
        let namespaced = known
            .map(|row| row.namespaced)
            .or_else(|| crate::schema::lookup(&api_version, &kind).map(|k| k.namespaced))
            .or_else(|| self.scopes.get(&(group.to_owned(), kind.clone())).copied())
            .or_else(|| kinds::scope_of_group(group));
        let name = self.name(name, known, &kind);
        let namespace = self.namespace(namespace, namespaced, &kind);
        let identity = Identity {
            api_version: api_version.clone(),
            kind: kind.clone(),
            name: name.clone(),
            namespace: namespace.clone(),
            manifest: Arc::new(Cell::bad(&self.decl.span)),
            broken: self.diags.0.len() > before,
        };
        let existing = Existing {
            address: self.address.clone(),
            api_version,
            kind,
            namespace,
            name,
            wait,
            timeout,
            span: self.decl.span.clone(),
        };
        Compiled { identity, existing, uses }
    }

    fn text(&mut self, key: &str, cell: Option<Cell>) -> Text {
        let cell = cell?;
        Some((arguments::text(self.diags, key, &cell), cell.span))
    }

    fn waiting(&mut self, wait: Option<Cell>, timeout: Option<Cell>) -> (Wait, Option<Duration>) {
        let wait = wait.and_then(|cell| arguments::wait(self.diags, &cell));
        let timeout = timeout.and_then(|cell| arguments::timeout(self.diags, &cell));
        (wait.unwrap_or(Wait::Ready), timeout)
    }

    /// `apiVersion` or `kind`, the table's own where the declaration has none.
    fn type_part(&mut self, key: &str, own: Text, table: Option<&str>) -> String {
        match (own, table) {
            (Some((text, _)), _) => text.unwrap_or_default(),
            (None, Some(table)) => table.to_owned(),
            (None, None) => {
                self.diags.push(
                    Diagnostic::error("E049", format!("an existing `manifest` needs `{key}`"))
                        .at(self.decl.span.clone(), ""),
                );
                String::new()
            }
        }
    }

    fn name(&mut self, own: Text, known: Option<&KindRow>, kind: &str) -> String {
        let (name, span) = match own {
            Some((Some(text), span)) => (text, span),
            Some((None, _)) => return String::new(),
            None => (self.address.name.clone(), self.decl.span.clone()),
        };
        let rule = known.map_or(NameRule::Subdomain, |row| row.names);
        if let Some(problem) = names::problem(rule, &name).filter(|_| !kind.is_empty()) {
            self.diags.push(
                Diagnostic::error("E033", format!("`{name}` cannot be the name of a {kind}"))
                    .at(span, "")
                    .note(problem),
            );
        }
        name
    }

    fn namespace(&mut self, own: Text, namespaced: Option<bool>, kind: &str) -> Option<String> {
        let problem = match (own, namespaced) {
            (Some((_, span)), Some(false)) => {
                Diagnostic::error("E032", format!("a {kind} lies in no namespace"))
                    .at(span, "")
                    .help("remove the line")
            }
            (Some((text, span)), _) => match names::problem(NameRule::Label, text.as_deref()?) {
                None => return text,
                Some(problem) => {
                    let shown = text.unwrap_or_default();
                    Diagnostic::error("E033", format!("`{shown}` cannot be the name of a namespace"))
                        .at(span, "")
                        .note(problem)
                }
            },
            (None, Some(true)) => {
                Diagnostic::error("E031", format!("an existing {kind} needs its namespace"))
                    .at(self.decl.span.clone(), "")
                    .help("write `namespace = \"…\"`; `[defaults]` is for the stack's own resources")
            }
            (None, _) => return None,
        };
        self.diags.push(problem);
        None
    }
}
