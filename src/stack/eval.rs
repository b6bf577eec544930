//! The values of references.
//!
//! *Invariants:* what can be known from files comes out as a plain value; a mistake is reported once and
//! then travels as [`Data::Bad`] without another word; every reference to an object is recorded, also one
//! inside of a local value, so that the graph has its edge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics, Span};

use super::cell::{Cell, CellMap, Data};
use super::expr::{Expr, Piece, Template};
use super::model::{Late, Part, Target};
use super::read::Files;
use super::shape::Shape;
use super::syntax::{Node, Raw, Table};
use super::variables::Declared;

/// Most bytes that one resource or local value may grow to by references.
pub(super) const MAX_SIZE: usize = 64 * 1024 * 1024;

/// What references can name.
#[derive(Debug, Default)]
pub(super) struct World {
    pub stack_name: String,
    pub description: Option<String>,
    pub variables: BTreeMap<String, Declared>,
    /// Names of all locals, and the values of those that are known so far.
    pub locals: BTreeMap<String, Option<Local>>,
    /// Declared resources, with the keys of their instances under `for_each`.
    pub declared: BTreeMap<Address, Option<BTreeSet<String>>>,
    pub objects: BTreeMap<Address, Identity>,
    pub existing: BTreeMap<Address, Option<Identity>>,
}

/// A resolved local value and what it refers to.
#[derive(Debug)]
pub(super) struct Local {
    pub cell: Cell,
    pub size: usize,
    pub depth: usize,
    /// Whether it grew too large, and with it all that holds it.
    pub exceeded: bool,
    pub uses: Vec<Use>,
}

/// What is known of an object by the time others refer to it.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub namespace: Option<String>,
    /// The whole manifest; empty for an `existing` object.
    pub manifest: Arc<Cell>,
    /// Whether a mistake in it was reported.
    pub broken: bool,
}

/// A reference to an object.
#[derive(Debug, Clone)]
pub(super) struct Use {
    pub target: Target,
    pub text: String,
    pub span: Span,
}

/// Resolves the values of one resource, local or output.
pub(super) struct Eval<'w> {
    pub world: &'w World,
    pub files: &'w mut Files,
    pub diags: &'w mut Diagnostics,
    pub each: Option<(&'w str, &'w Cell)>,
    /// The resource itself.
    pub me: Option<&'w Address>,
    /// Its namespace, once known: a reference without a namespace field reaches no other.
    pub namespace: Option<String>,
    /// Why objects cannot be referred to here, if they cannot.
    pub no_objects: Option<&'static str>,
    pub uses: Vec<Use>,
    /// Bytes that references have brought so far.
    pub(super) spent: usize,
    /// Whether they were too many, which makes the whole value a mistake.
    pub exceeded: bool,
    /// Whether addresses are meant here, which stand as plain text.
    pub addresses: bool,
}

/// The message for a date where JSON has no such type.
pub(super) fn date(text: &str, span: &Span) -> Diagnostic {
    Diagnostic::error("E048", format!("`{text}` is read as a date, which no manifest holds"))
        .at(span.clone(), "")
        .help(format!("put it in quotes: `\"{text}\"`"))
}

impl<'w> Eval<'w> {
    pub(super) fn new(world: &'w World, files: &'w mut Files, diags: &'w mut Diagnostics) -> Self {
        Self {
            world,
            files,
            diags,
            each: None,
            me: None,
            namespace: None,
            no_objects: None,
            uses: Vec::new(),
            spent: 0,
            exceeded: false,
            addresses: false,
        }
    }

    /// The value of `over`, merged over `base` where both are tables.
    pub(super) fn merged(&mut self, base: Option<&Node>, over: &Node, shape: Shape) -> Cell {
        match (base.and_then(Node::table), over.table()) {
            (Some(base), Some(table)) => {
                let map = self.tables(Some(base), table, shape, &[]);
                Cell::new(&over.span, Data::Map(map))
            }
            _ => self.node(over, shape),
        }
    }

    /// The entries of `over` merged over those of `base`, without the keys in `skip`.
    pub(super) fn tables(
        &mut self,
        base: Option<&Table>,
        over: &Table,
        shape: Shape,
        skip: &[&str],
    ) -> CellMap {
        let mut map = CellMap::new();
        let base_entries = base.map(|b| b.entries.as_slice()).unwrap_or_default();
        for (key, node) in base_entries {
            if !skip.contains(&key.name.as_str()) && over.get(&key.name).is_none() {
                let cell = self.node(node, shape.field(&key.name));
                map.insert(key.name.clone(), (key.span.clone(), cell));
            }
        }
        for (key, node) in &over.entries {
            if skip.contains(&key.name.as_str()) {
                continue;
            }
            if key.name.contains("${") && self.key_is_basic(&key.span) {
                self.diags.push(
                    Diagnostic::error("E021", "a key cannot hold a reference")
                        .at(key.span.clone(), "references are read in values only"),
                );
            }
            let below = base.and_then(|b| b.get(&key.name));
            let cell = self.merged(below, node, shape.field(&key.name));
            map.insert(key.name.clone(), (key.span.clone(), cell));
        }
        map
    }

    fn key_is_basic(&self, span: &Span) -> bool {
        self.files.sources.text(span.file).as_bytes().get(span.start) == Some(&b'"')
    }

    pub(super) fn node(&mut self, node: &Node, shape: Shape) -> Cell {
        let span = &node.span;
        let data = match &node.raw {
            Raw::Text(text) => Data::Text(text.clone()),
            Raw::Template(template) => return self.template(template, span, shape),
            Raw::Integer(n) => Data::Number((*n).into()),
            Raw::Float(n) => serde_json::Number::from_f64(*n).map_or(Data::Bad, Data::Number),
            Raw::Bool(b) => Data::Bool(*b),
            Raw::Date(text) => {
                self.diags.push(date(text, span));
                Data::Bad
            }
            Raw::List(items) => Data::List(items.iter().map(|item| self.node(item, shape.item())).collect()),
            Raw::Table(table) => Data::Map(self.tables(None, table, shape, &[])),
            Raw::Bad => Data::Bad,
        };
        Cell::new(span, data)
    }

    fn template(&mut self, template: &Template, span: &Span, shape: Shape) -> Cell {
        if let [Piece::Expr(expr, at)] = template.pieces.as_slice() {
            return self.expr(expr, at, span, Some(shape));
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut bad = false;
        let mut push = |part: Part| match (parts.last_mut(), part) {
            (Some(Part::Text(text)), Part::Text(more)) => text.push_str(&more),
            (_, part) => parts.push(part),
        };
        for piece in &template.pieces {
            let (expr, at) = match piece {
                Piece::Text(text) => {
                    push(Part::Text(text.clone()));
                    continue;
                }
                Piece::Expr(expr, at) => (expr, at),
            };
            let cell = self.expr(expr, at, span, None);
            match cell.data {
                Data::Text(text) => push(Part::Text(text)),
                Data::Number(n) => push(Part::Text(n.to_string())),
                Data::Bool(b) => push(Part::Text(b.to_string())),
                Data::Late(late) if !late.base64 => late.parts.into_iter().for_each(&mut push),
                Data::Bad => bad = true,
                Data::List(_) | Data::Map(_) | Data::Null | Data::Late(_) => {
                    bad = true;
                    let what = match cell.data {
                        Data::List(_) => "a list",
                        Data::Map(_) => "a table",
                        Data::Null => "null",
                        _ => "base64 data",
                    };
                    self.diags.push(
                        Diagnostic::error("E026", format!("{what} cannot stand inside of a longer text"))
                            .at(at.clone(), format!("`{expr}` is {what}"))
                            .help("a string that is exactly one reference takes the value's own type"),
                    );
                }
            }
        }
        if bad {
            return Cell::bad(span);
        }
        match parts.as_slice() {
            [] => Cell::new(span, Data::Text(String::new())),
            [Part::Text(text)] => {
                self.spent += text.len();
                Cell::new(span, Data::Text(text.clone()))
            }
            _ => Cell::new(span, Data::Late(Late { parts, base64: false })),
        }
    }

    /// The value of one reference at `at`; `span` is the whole string it stands in. `shape` is the field the
    /// string stands in, `None` inside of a longer text.
    fn expr(&mut self, expr: &Expr, at: &Span, span: &Span, shape: Option<Shape>) -> Cell {
        if self.exceeded {
            return Cell::bad(span);
        }
        let cell = match expr {
            Expr::Bad => Cell::bad(span),
            Expr::Null => Cell::new(span, Data::Null),
            Expr::File(path) => match self.files.text(path) {
                Ok(text) => {
                    self.spent += text.len();
                    Cell::new(span, Data::Text(text.to_string()))
                }
                Err(problem) => self.fail(problem.diagnostic(Some(at.clone())), span),
            },
            Expr::Var(name, path) => self.variable(name, path, at, span),
            Expr::Local(name, path) => self.local(name, path, at, span),
            Expr::Stack(path) => self.stack(path, at, span),
            Expr::EachKey | Expr::EachValue(_) => self.each(expr, at, span),
            Expr::Object(object) => self.object(object, at, span, shape),
        };
        if self.spent > MAX_SIZE {
            self.exceeded = true;
            return self.fail(
                Diagnostic::error("E008", "the value grows beyond 64 MiB by its references")
                    .at(at.clone(), ""),
                span,
            );
        }
        cell
    }

    pub(super) fn fail(&mut self, diagnostic: Diagnostic, span: &Span) -> Cell {
        self.diags.push(diagnostic);
        Cell::bad(span)
    }
}
