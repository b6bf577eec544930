//! TOML text to a tree of values with their places.
//!
//! *Invariants:* linear in the text; a value is never deeper than [`MAX_DEPTH`]; what TOML's own recovery
//! guessed on a damaged line is [`Raw::Bad`], so that one mistake is not reported twice.

use toml::de::{DeTable, DeValue};

use crate::diag::{Diagnostic, Diagnostics, FileId, Span};

use super::expr::{self, Piece, Template};
use super::toml_errors::{self, Damage};

/// Deepest nesting of a value.
pub(super) const MAX_DEPTH: usize = 80;

/// A key and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub name: String,
    pub span: Span,
}

/// A value and where it stands; for a table with a header of its own that is the header.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub span: Span,
    pub raw: Raw,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone)]
pub(super) enum Raw {
    Text(String),
    Template(Template),
    Integer(i64),
    Float(f64),
    Bool(bool),
    /// A date or time as written: no manifest has such a type.
    Date(String),
    List(Vec<Node>),
    Table(Table),
    /// A mistake that was reported.
    Bad,
}

/// A table in the order of its file.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    pub entries: Vec<(Key, Node)>,
}

impl Table {
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.entry(name).map(|(_, node)| node)
    }

    pub(super) fn entry(&self, name: &str) -> Option<&(Key, Node)> {
        self.entries.iter().find(|(key, _)| key.name == name)
    }
}

impl Node {
    pub(super) fn table(&self) -> Option<&Table> {
        match &self.raw {
            Raw::Table(table) => Some(table),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.raw {
            Raw::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The word for what stands here.
    pub(super) fn type_name(&self) -> &'static str {
        match &self.raw {
            Raw::Text(_) | Raw::Template(_) => "a string",
            Raw::Integer(_) => "an integer",
            Raw::Float(_) => "a number",
            Raw::Bool(_) => "a boolean",
            Raw::Date(_) => "a date",
            Raw::List(_) => "a list",
            Raw::Table(_) => "a table",
            Raw::Bad => "nothing",
        }
    }

    /// Calls `each` for every reference below this value.
    pub(super) fn references(&self, each: &mut dyn FnMut(&expr::Expr, &Span)) {
        match &self.raw {
            Raw::Template(template) => {
                for piece in &template.pieces {
                    if let Piece::Expr(expr, span) = piece {
                        each(expr, span);
                    }
                }
            }
            Raw::List(items) => items.iter().for_each(|item| item.references(each)),
            Raw::Table(table) => table.entries.iter().for_each(|(_, node)| node.references(each)),
            _ => {}
        }
    }
}

/// One parsed file.
pub(super) struct Parsed {
    pub table: Table,
    pub damage: Damage,
    /// References that stand in literal strings, where they mean nothing: `var`, `local` and their name.
    pub literal: Vec<(Span, String)>,
}

/// Reads `text`; every mistake of TOML's own goes to `diags`.
pub(super) fn parse(file: FileId, text: &str, diags: &mut Diagnostics) -> Parsed {
    let (root, errors) = DeTable::parse_recoverable(text);
    let damage = toml_errors::report(file, text, &errors, &root, diags);
    let mut reader = Reader { file, text, damage: &damage, diags, literal: Vec::new(), too_deep: false };
    let table = if damage.hopeless { Table::default() } else { reader.table(root.get_ref(), 0) };
    let literal = reader.literal;
    Parsed { table, damage, literal }
}

struct Reader<'t, 'd> {
    file: FileId,
    text: &'t str,
    damage: &'t Damage,
    diags: &'d mut Diagnostics,
    literal: Vec<(Span, String)>,
    too_deep: bool,
}

impl Reader<'_, '_> {
    fn table(&mut self, table: &DeTable<'_>, depth: usize) -> Table {
        let mut entries = Vec::with_capacity(table.len());
        for (key, value) in table {
            let span = Span::new(self.file, key.span());
            let node = if self.damage.covers(span.start) {
                Node { span: span.clone(), raw: Raw::Bad }
            } else {
                self.node(value.span(), value.get_ref(), depth)
            };
            let key = Key { name: key.get_ref().to_string(), span };
            entries.push((key, node));
        }
        Table { entries }
    }

    fn node(&mut self, range: std::ops::Range<usize>, value: &DeValue<'_>, depth: usize) -> Node {
        let span = Span::new(self.file, range);
        let scalar = !matches!(value, DeValue::Table(_) | DeValue::Array(_));
        if scalar && self.damage.covers(span.start) {
            return Node { span, raw: Raw::Bad };
        }
        if depth >= MAX_DEPTH {
            if !self.too_deep {
                self.diags.push(
                    Diagnostic::error("E008", format!("nested deeper than {MAX_DEPTH} levels"))
                        .at(span.clone(), ""),
                );
            }
            self.too_deep = true;
            return Node { span, raw: Raw::Bad };
        }
        let raw = match value {
            DeValue::String(text) => self.string(text, &span),
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).map_or_else(
                |_| {
                    let message = format!("`{integer}` is out of range: integers have 64 bits");
                    self.bad(message, &span, "write it as text, in quotes, if digits are meant")
                },
                Raw::Integer,
            ),
            DeValue::Float(float) => match float.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Raw::Float(number),
                _ => self.bad(format!("`{}` is no number that JSON can carry", float.as_str()), &span, ""),
            },
            DeValue::Boolean(value) => Raw::Bool(*value),
            DeValue::Datetime(_) => {
                Raw::Date(self.text.get(span.start..span.end).unwrap_or_default().to_owned())
            }
            DeValue::Array(items) => {
                let items = items.iter().map(|item| self.node(item.span(), item.get_ref(), depth + 1));
                Raw::List(items.collect())
            }
            DeValue::Table(table) => Raw::Table(self.table(table, depth + 1)),
        };
        Node { span, raw }
    }

    fn bad(&mut self, message: String, span: &Span, help: &str) -> Raw {
        let mut diagnostic = Diagnostic::error("E041", message).at(span.clone(), "");
        if !help.is_empty() {
            diagnostic = diagnostic.help(help);
        }
        self.diags.push(diagnostic);
        Raw::Bad
    }

    /// References are read in basic strings only; the source text at the value tells which it is.
    fn string(&mut self, text: &str, span: &Span) -> Raw {
        if !text.contains("${") {
            return Raw::Text(text.to_owned());
        }
        let raw = self.text.get(span.start..span.end).unwrap_or_default();
        if !raw.starts_with('"') {
            for head in ["var", "local"] {
                let marker = format!("${{{head}.");
                if let Some((_, after)) = text.split_once(&marker) {
                    let name =
                        after.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).next();
                    self.literal.push((span.clone(), format!("{head}.{}", name.unwrap_or_default())));
                }
            }
            return Raw::Text(text.to_owned());
        }
        let template = expr::parse(text, raw, span, self.diags);
        match template.pieces.as_slice() {
            [Piece::Text(text)] => Raw::Text(text.clone()),
            pieces if pieces.iter().any(|p| matches!(p, Piece::Expr(expr::Expr::Bad, _))) => Raw::Bad,
            _ => Raw::Template(template),
        }
    }
}

/// A value of a variable file as JSON, where `${` has no meaning. `None` after a mistake that was reported.
pub(super) fn parse_plain(
    file: FileId,
    text: &str,
    diags: &mut Diagnostics,
) -> (Vec<(Key, Span, Option<serde_json::Value>)>, Damage) {
    let (root, errors) = DeTable::parse_recoverable(text);
    let damage = toml_errors::report(file, text, &errors, &root, diags);
    let entries = root.get_ref().iter().map(|(key, value)| {
        let name = Key { name: key.get_ref().to_string(), span: Span::new(file, key.span()) };
        (name, Span::new(file, value.span()), plain_json(value.get_ref(), 0))
    });
    (entries.collect(), damage)
}

/// TOML as JSON; `None` for dates, numbers out of range and what is nested too deep.
pub(super) fn plain_json(value: &DeValue<'_>, depth: usize) -> Option<serde_json::Value> {
    if depth > MAX_DEPTH {
        return None;
    }
    Some(match value {
        DeValue::String(text) => text.to_string().into(),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok()?.into(),
        DeValue::Float(float) => serde_json::Number::from_f64(float.as_str().parse().ok()?)?.into(),
        DeValue::Boolean(value) => (*value).into(),
        DeValue::Datetime(_) => return None,
        DeValue::Array(items) => {
            items.iter().map(|item| plain_json(item.get_ref(), depth + 1)).collect::<Option<Vec<_>>>()?.into()
        }
        DeValue::Table(table) => {
            let entries = table.iter().map(|(key, value)| {
                Some((key.get_ref().to_string(), plain_json(value.get_ref(), depth + 1)?))
            });
            serde_json::Value::Object(entries.collect::<Option<_>>()?)
        }
    })
}
