//! What the files declare: every top-level table sorted to its place, every key of the closed tables checked.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics, SourceMap, Span};

use super::closed::closed;
use super::kinds;
use super::names;
use super::suggest::nearest;
use super::syntax::{Key, Node, Raw, Table};

/// A declared resource or `existing` object.
#[derive(Debug)]
pub(super) struct Decl {
    /// Its table header, or the first key that makes it.
    pub span: Span,
    pub body: Table,
}

/// Everything the files declare.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub stack: Option<(Span, Table)>,
    pub cluster: Option<Table>,
    pub state: Option<Table>,
    pub default_namespace: Option<Node>,
    pub default_labels: Option<Node>,
    pub default_tables: BTreeMap<String, Table>,
    pub variables: BTreeMap<String, (Span, Table)>,
    pub locals: BTreeMap<String, (Key, Node)>,
    pub sources: BTreeMap<String, (Key, Table)>,
    pub resources: BTreeMap<Address, Decl>,
    pub existing: BTreeMap<Address, Decl>,
    pub outputs: BTreeMap<String, (Key, Node)>,
    pub moved: Vec<(Span, Table)>,
    pub removed: Vec<(Span, Table)>,
}

const TOP: &[&str] = &[
    "stack",
    "cluster",
    "state",
    "defaults",
    "variables",
    "locals",
    "sources",
    "existing",
    "outputs",
    "moved",
    "removed",
    "preflight",
];
const MAIN_ONLY: &[&str] = &["stack", "state", "cluster", "defaults"];

/// Sorts tables into a [`Document`].
pub(super) struct Collector<'s, 'd> {
    pub sources: &'s SourceMap,
    pub diags: &'d mut Diagnostics,
    pub document: Document,
}

impl Collector<'_, '_> {
    /// Takes one file's tables. Only the stack file itself (`main`) may hold its settings.
    pub(super) fn file(&mut self, table: Table, main: bool) {
        for (key, node) in table.entries {
            if matches!(node.raw, Raw::Bad) {
                continue;
            }
            if !main && MAIN_ONLY.contains(&key.name.as_str()) {
                let span = self.place(&key, &node);
                self.diags.push(
                    Diagnostic::error(
                        "E016",
                        format!("`[{}]` may only stand in the stack file itself", key.name),
                    )
                    .at(span, "this file is included"),
                );
                continue;
            }
            self.top(&key, node);
        }
    }

    fn top(&mut self, key: &Key, node: Node) {
        let span = self.place(key, &node);
        match key.name.as_str() {
            "stack" => self.document.stack = self.table(key, node).map(|table| (span, table)),
            "cluster" => self.document.cluster = self.table(key, node),
            "state" => self.document.state = self.table(key, node),
            "defaults" => self.defaults(key, node),
            "variables" => {
                for (name, node) in self.named("variables", key, node) {
                    let span = self.place(&name, &node);
                    let Some(table) = self.table(&name, node) else {
                        continue;
                    };
                    if let Some((first, _)) = self.document.variables.get(&name.name) {
                        let first = first.clone();
                        self.twice(&format!("variable `{}`", name.name), span, first);
                        continue;
                    }
                    self.document.variables.insert(name.name, (span, table));
                }
            }
            "locals" => {
                for (name, node) in self.named("locals", key, node) {
                    if let Some((first, _)) = self.document.locals.get(&name.name) {
                        let first = first.span.clone();
                        self.twice(&format!("local `{}`", name.name), name.span, first);
                        continue;
                    }
                    self.document.locals.insert(name.name.clone(), (name, node));
                }
            }
            "outputs" => {
                for (name, node) in self.named("outputs", key, node) {
                    if let Some((first, _)) = self.document.outputs.get(&name.name) {
                        let first = first.span.clone();
                        self.twice(&format!("output `{}`", name.name), name.span, first);
                        continue;
                    }
                    self.document.outputs.insert(name.name.clone(), (name, node));
                }
            }
            "sources" => {
                for (name, node) in self.named("sources", key, node) {
                    if let Some(table) = self.table(&name, node) {
                        self.document.sources.insert(name.name.clone(), (name, table));
                    }
                }
            }
            "existing" => self.existing(key, node),
            "moved" => {
                let tables = self.tables(key, node);
                self.document.moved.extend(tables);
            }
            "removed" => {
                let tables = self.tables(key, node);
                self.document.removed.extend(tables);
            }
            "preflight" => self.preflight(key, node),
            "yaml" => self.later(span, "`[yaml.…]` is not read by this version of arrplan"),
            table if kinds::is_resource_table(table) => self.resources(key, node),
            _ => self.unknown_top(key, &span),
        }
    }

    fn later(&mut self, span: Span, message: &str) {
        self.diags.push(
            Diagnostic::error("E017", message)
                .at(span, "")
                .help("declare the object as `[manifest.NAME]` with its fields in TOML"),
        );
    }

    fn unknown_top(&mut self, key: &Key, span: &Span) {
        let mut diagnostic = Diagnostic::error("E009", format!("`{}` is not a table of a stack", key.name))
            .at(span.clone(), "");
        let aliases = [
            ("variable", "variables"),
            ("vars", "variables"),
            ("var", "variables"),
            ("local", "locals"),
            ("output", "outputs"),
            ("source", "sources"),
            ("default", "defaults"),
            ("move", "moved"),
            ("remove", "removed"),
            ("data", "existing"),
        ];
        let alias = aliases.iter().find(|(typed, _)| *typed == key.name).map(|(_, meant)| *meant);
        let meant = alias
            .or_else(|| nearest(&key.name, TOP.iter().copied()))
            .or_else(|| kinds::nearest_table(&key.name));
        diagnostic = match meant {
            Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
            None => diagnostic.help("a kind without a table of its own is declared as `[manifest.NAME]` with `apiVersion` and `kind`"),
        };
        self.diags.push(diagnostic);
    }

    /// The table's own header where it has one, else the key.
    pub(super) fn place(&self, key: &Key, node: &Node) -> Span {
        let text = self.sources.text(node.span.file);
        let header = matches!(node.raw, Raw::Table(_))
            && text.get(node.span.start..).is_some_and(|t| t.starts_with('['));
        if header { node.span.clone() } else { key.span.clone() }
    }

    pub(super) fn twice(&mut self, what: &str, again: Span, first: Span) {
        self.diags.push(
            Diagnostic::error("E015", format!("{what} is declared twice"))
                .at(again, "again here")
                .at(first, "first here"),
        );
    }

    pub(super) fn table(&mut self, key: &Key, node: Node) -> Option<Table> {
        match node.raw {
            Raw::Table(table) => Some(table),
            Raw::Bad => None,
            _ => {
                self.diags.push(
                    Diagnostic::error(
                        "E011",
                        format!("`{}` must be a table, not {}", key.name, node.type_name()),
                    )
                    .at(key.span.clone(), ""),
                );
                None
            }
        }
    }

    fn tables(&mut self, key: &Key, node: Node) -> Vec<(Span, Table)> {
        if let Raw::List(items) = node.raw {
            let tables = items.into_iter().filter_map(|item| match item.raw {
                Raw::Table(table) => Some((item.span, table)),
                _ => None,
            });
            return tables.collect();
        }
        self.diags.push(
            Diagnostic::error("E011", format!("`{}` is a list of tables", key.name))
                .at(node.span, "")
                .help(format!("write `[[{}]]`", key.name)),
        );
        Vec::new()
    }

    /// The entries of a table whose keys are local names.
    fn named(&mut self, what: &str, key: &Key, node: Node) -> Vec<(Key, Node)> {
        let Some(table) = self.table(key, node) else {
            return Vec::new();
        };
        let mut entries = table.entries;
        entries.retain(|(key, node)| {
            let good = names::is_local(&key.name);
            if !good && !matches!(node.raw, Raw::Bad) {
                self.local_name(what, key);
            }
            good
        });
        entries
    }

    fn defaults(&mut self, key: &Key, node: Node) {
        let Some(table) = self.table(key, node) else {
            return;
        };
        self.closed("`[defaults]`", &table, &["namespace", "labels", "tables"]);
        for (key, node) in table.entries {
            match key.name.as_str() {
                "namespace" => self.document.default_namespace = Some(node),
                "labels" => self.document.default_labels = Some(node),
                "tables" => {
                    let Some(tables) = self.table(&key, node) else {
                        continue;
                    };
                    for (key, node) in tables.entries {
                        if !kinds::is_resource_table(&key.name) {
                            self.unknown_default(&key);
                            continue;
                        }
                        let Some(table) = self.table(&key, node) else {
                            continue;
                        };
                        for (inner, _) in table
                            .entries
                            .iter()
                            .filter(|(k, _)| matches!(k.name.as_str(), "name" | "for_each"))
                        {
                            self.diags.push(
                                Diagnostic::error(
                                    "E010",
                                    format!(
                                        "`{}` cannot be a default: each resource has its own",
                                        inner.name
                                    ),
                                )
                                .at(inner.span.clone(), ""),
                            );
                        }
                        self.document.default_tables.insert(key.name, table);
                    }
                }
                _ => {}
            }
        }
    }

    fn preflight(&mut self, key: &Key, node: Node) {
        let Some(table) = self.table(key, node) else {
            return;
        };
        self.closed("`[preflight]`", &table, &["ignore"]);
        let Some(ignore) = table.get("ignore") else { return };
        let Raw::List(items) = &ignore.raw else {
            self.diags.push(
                Diagnostic::error("E011", "`ignore` must be a list of `{ rule, reason }`")
                    .at(ignore.span.clone(), ""),
            );
            return;
        };
        for item in items {
            let table = item.table().cloned().unwrap_or_default();
            self.closed("an entry of `ignore`", &table, &["rule", "reason"]);
            for needed in ["rule", "reason"] {
                if table.get(needed).and_then(Node::text).is_none() {
                    self.diags.push(
                        Diagnostic::error("E012", format!("an entry of `ignore` needs `{needed}`, as text"))
                            .at(item.span.clone(), ""),
                    );
                }
            }
        }
    }

    /// Reports every key of `table` that is not in `allowed`.
    pub(super) fn closed(&mut self, what: &str, table: &Table, allowed: &[&str]) {
        closed(self.diags, what, table, allowed);
    }
}
