//! `metadata` of a resource: the shortcuts, a pasted table and the defaults become one.

use std::collections::BTreeMap;

use crate::diag::{Diagnostic, Span};
use crate::object::{LINEAGE_ANNOTATION, STACK_LABEL};
use crate::path::FieldPath;

use super::arguments;
use super::cell::{Cell, CellMap, Data, merge};
use super::fields;
use super::names;
use super::resource::Compiler;
use super::secret;
use super::shape::Shape;
use super::syntax::{Node, Table};

impl<'c> Compiler<'c> {
    /// `metadata.<key>` of a pasted `metadata` table.
    pub(super) fn metadata_text(&mut self, key: &str) -> Option<Result<(String, Span), ()>> {
        let of = |table: &'c Table| table.get("metadata")?.table()?.get(key);
        let node = of(&self.decl.body).or_else(|| self.base.and_then(of))?;
        if let Some((shortcut, _)) = self.decl.body.entry(key) {
            self.eval.diags.push(
                Diagnostic::error("E035", format!("`{key}` and `metadata.{key}` are both set"))
                    .at(node.span.clone(), "")
                    .at(shortcut.span.clone(), "the other one")
                    .help("keep one of the two"),
            );
        }
        let cell = self.eval.node(node, Shape::Nowhere);
        let name = format!("metadata.{key}");
        Some(arguments::text(self.eval.diags, &name, &cell).map(|text| (text, cell.span)).ok_or(()))
    }

    pub(super) fn metadata(&mut self, name: &str, namespace: Option<&str>) -> Cell {
        let span = self.decl.span.clone();
        let mut map = CellMap::new();
        for (table, own) in [(self.base, false), (Some(&self.decl.body), true)] {
            let Some((_, node)) = table.and_then(|t| t.entry("metadata")) else {
                continue;
            };
            let Some(table) = node.table() else {
                if own {
                    let cell = self.eval.node(node, Shape::Nowhere);
                    if !cell.is_bad() {
                        self.eval.diags.push(
                            Diagnostic::error(
                                "E011",
                                format!("`metadata` must be a table, not {}", cell.type_name()),
                            )
                            .at(node.span.clone(), ""),
                        );
                    }
                }
                continue;
            };
            let entries = self.eval.tables(
                None,
                table,
                Shape::Nowhere,
                &["name", "namespace", "labels", "annotations"],
            );
            map.extend(entries);
        }
        if let Some((key, _)) = map.remove("generateName") {
            self.eval.diags.push(
                Diagnostic::error("E037", "`generateName` makes a new object at every apply")
                    .at(key, "")
                    .help("write `name`"),
            );
        }
        for key in ["labels", "annotations"] {
            if let Some(cell) = self.texts(key) {
                map.insert(key.to_owned(), (span.clone(), cell));
            }
        }
        let mut text = |key: &str, value: &str| {
            map.insert(key.to_owned(), (span.clone(), Cell::new(&span, Data::Text(value.to_owned()))));
        };
        text("name", name);
        if let Some(namespace) = namespace {
            text("namespace", namespace);
        }
        let metadata = Cell::new(&span, Data::Map(map));
        secret::check_metadata(&metadata, self.eval.diags);
        metadata
    }

    /// Labels or annotations from all the places they can stand in, the resource's own last.
    fn texts(&mut self, key: &str) -> Option<Cell> {
        let mut merged: Option<Cell> = None;
        let stack_wide = self.defaults.labels.filter(|_| key == "labels");
        let mut layers: Vec<&Node> = stack_wide.into_iter().collect();
        for table in self.base.into_iter().chain([&self.decl.body]) {
            let pasted = table.get("metadata").and_then(Node::table).and_then(|t| t.get(key));
            let shortcut = table.get(key);
            if let (Some(pasted), Some(shortcut)) =
                (pasted.and_then(Node::table), shortcut.and_then(Node::table))
            {
                for (name, _) in &pasted.entries {
                    if let Some((other, _)) = shortcut.entry(&name.name) {
                        self.eval.diags.push(
                            Diagnostic::error(
                                "E035",
                                format!("`{key}` and `metadata.{key}` both set `{}`", name.name),
                            )
                            .at(name.span.clone(), "")
                            .at(other.span.clone(), "the other one")
                            .help("keep one of the two"),
                        );
                    }
                }
            }
            layers.extend(pasted);
            layers.extend(shortcut);
        }
        for node in layers {
            let cell = self.eval.node(node, Shape::Nowhere);
            self.check_texts(key, &cell);
            merged = Some(match merged {
                Some(below) => merge(below, cell),
                None => cell,
            });
        }
        // What is wrong here was reported by `check_texts`.
        let Data::Map(map) = merged?.data else { return None };
        let good =
            map.into_iter().filter(|(_, (_, cell))| matches!(cell.data, Data::Text(_) | Data::Late(_)));
        let good: CellMap = good.collect();
        (!good.is_empty()).then(|| Cell::new(&self.decl.span, Data::Map(good)))
    }

    fn check_texts(&mut self, key: &str, cell: &Cell) {
        let diags = &mut *self.eval.diags;
        let Data::Map(map) = &cell.data else {
            if !cell.is_bad() {
                diags.push(
                    Diagnostic::error("E011", format!("`{key}` must be a table, not {}", cell.type_name()))
                        .at(cell.span.clone(), ""),
                );
            }
            return;
        };
        for (name, (span, value)) in map {
            match &value.data {
                Data::Text(text) => {
                    let problem = names::label_key_problem(name);
                    if let Some(problem) = problem {
                        diags.push(
                            Diagnostic::error("E036", format!("`{name}` is not a key of `{key}`"))
                                .at(span.clone(), "")
                                .note(problem),
                        );
                    } else if name == STACK_LABEL
                        || name == LINEAGE_ANNOTATION
                        || name.starts_with("arrplan.dev/")
                    {
                        diags.push(
                            Diagnostic::error("E037", format!("`{name}` is arrplan's own mark"))
                                .at(span.clone(), "")
                                .help("remove it; for protection write `protect = true`"),
                        );
                    } else if let Some(problem) = names::label_value_problem(text).filter(|_| key == "labels")
                    {
                        diags.push(
                            Diagnostic::error("E036", format!("`{text}` is not the value of a label"))
                                .at(value.span.clone(), "")
                                .note(problem),
                        );
                    }
                }
                Data::Map(_) => {
                    let mut whole = name.clone();
                    let mut inner = value;
                    while let Some((name, (_, below))) = inner.map().and_then(BTreeMap::first_key_value) {
                        whole = format!("{whole}.{name}");
                        inner = below;
                    }
                    diags.push(fields::nested(&FieldPath::keys([key, name]), &whole, span.clone()));
                }
                Data::Late(_) | Data::Bad => {}
                other => {
                    let right = match other {
                        Data::Bool(b) => b.to_string(),
                        Data::Number(n) => n.to_string(),
                        _ => "…".to_owned(),
                    };
                    diags.push(
                        Diagnostic::error(
                            "E041",
                            format!("`{name}` of `{key}` must be a string, not {}", value.type_name()),
                        )
                        .at(value.span.clone(), "")
                        .help(format!("write `\"{right}\"`")),
                    );
                }
            }
        }
    }
}
