//! Values between the syntax tree and the compiled manifest: references resolved, places kept.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use crate::diag::Span;
use crate::path::{FieldPath, Segment};

use super::model::{FieldRef, Late, Part, Val};

/// A resolved value and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell {
    pub span: Span,
    pub data: Data,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Data {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    Late(Late),
    List(Vec<Cell>),
    Map(CellMap),
    /// A mistake that was reported; whatever it becomes part of is not checked further.
    Bad,
}

/// Keys with their own place and their value.
pub(super) type CellMap = BTreeMap<String, (Span, Cell)>;

impl Cell {
    pub(super) fn new(span: &Span, data: Data) -> Self {
        Self { span: span.clone(), data }
    }

    pub(super) fn bad(span: &Span) -> Self {
        Self::new(span, Data::Bad)
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn map(&self) -> Option<&CellMap> {
        match &self.data {
            Data::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> &[Cell] {
        match &self.data {
            Data::List(list) => list,
            _ => &[],
        }
    }

    /// The value under `key`, if this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Cell> {
        self.map()?.get(key).map(|(_, cell)| cell)
    }

    /// The value at these keys.
    pub(super) fn at(&self, keys: &[&str]) -> Option<&Cell> {
        keys.iter().try_fold(self, |cell, key| cell.get(key))
    }

    pub(super) fn is_bad(&self) -> bool {
        matches!(self.data, Data::Bad)
    }

    /// The word for what this is.
    pub(super) fn type_name(&self) -> &'static str {
        match &self.data {
            Data::Null => "null",
            Data::Bool(_) => "a boolean",
            Data::Number(number) if number.is_f64() => "a number",
            Data::Number(_) => "an integer",
            Data::Text(_) => "a string",
            Data::Late(_) => "a value known later",
            Data::List(_) => "a list",
            Data::Map(_) => "a table",
            Data::Bad => "nothing",
        }
    }

    /// The same value, as if written at `span`.
    pub(super) fn placed(&self, span: &Span) -> Self {
        let data = match &self.data {
            Data::List(list) => Data::List(list.iter().map(|cell| cell.placed(span)).collect()),
            Data::Map(map) => {
                let entries =
                    map.iter().map(|(key, (_, cell))| (key.clone(), (span.clone(), cell.placed(span))));
                Data::Map(entries.collect())
            }
            other => other.clone(),
        };
        Self::new(span, data)
    }

    /// About how many bytes a copy takes.
    pub(super) fn size(&self) -> usize {
        let own = std::mem::size_of::<Self>();
        own + match &self.data {
            Data::Text(text) => text.len(),
            Data::List(list) => list.iter().map(Self::size).sum::<usize>(),
            Data::Map(map) => map.iter().map(|(key, (_, cell))| own + key.len() + cell.size()).sum::<usize>(),
            _ => 0,
        }
    }

    /// Levels of nesting.
    pub(super) fn depth(&self) -> usize {
        match &self.data {
            Data::List(list) => 1 + list.iter().map(Self::depth).max().unwrap_or(0),
            Data::Map(map) => 1 + map.values().map(|(_, cell)| cell.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// A plain value, all of it at one place.
    pub(super) fn from_json(value: &Value, span: &Span) -> Self {
        let data = match value {
            Value::Null => Data::Null,
            Value::Bool(b) => Data::Bool(*b),
            Value::Number(n) => Data::Number(n.clone()),
            Value::String(s) => Data::Text(s.clone()),
            Value::Array(list) => Data::List(list.iter().map(|v| Self::from_json(v, span)).collect()),
            Value::Object(map) => {
                let entries = map.iter().map(|(k, v)| (k.clone(), (span.clone(), Self::from_json(v, span))));
                Data::Map(entries.collect())
            }
        };
        Self::new(span, data)
    }

    /// The scalar as JSON text, as list-map keys are written in a [`FieldPath`].
    fn scalar_text(&self) -> Option<String> {
        Some(match &self.data {
            Data::Text(text) => Value::String(text.clone()).to_string(),
            Data::Number(number) => number.to_string(),
            Data::Bool(b) => b.to_string(),
            _ => return None,
        })
    }

    /// The value at `path`. `Err` holds how many segments were found, and the cell they lead to.
    pub(super) fn find(&self, path: &FieldPath) -> Result<Self, (usize, &Self)> {
        let mut cell = self;
        for (at, segment) in path.0.iter().enumerate() {
            let next = match (segment, &cell.data) {
                (_, Data::Bad) => return Ok(cell.clone()),
                // What comes later has fields of its own.
                (_, Data::Late(late)) => {
                    return match (late.base64, late.parts.as_slice()) {
                        (false, [Part::Field(field)]) => {
                            let mut path_in = field.path.clone();
                            path_in.0.extend_from_slice(&path.0[at..]);
                            let field = FieldRef { target: field.target.clone(), path: path_in };
                            Ok(Self::new(&cell.span, Data::Late(late_of(Part::Field(field)))))
                        }
                        _ => Err((at, cell)),
                    };
                }
                (Segment::Key(key), _) => cell.get(key),
                (Segment::Index(index), _) => cell.list().get(*index),
                (Segment::Select(keys), _) => cell.list().iter().find(|item| {
                    keys.iter()
                        .all(|(key, text)| item.get(key).and_then(Self::scalar_text).as_ref() == Some(text))
                }),
                (Segment::Item(text), _) => {
                    cell.list().iter().find(|item| item.scalar_text().as_ref() == Some(text))
                }
            };
            cell = next.ok_or((at, cell))?;
        }
        Ok(cell.clone())
    }

    /// The value for the compiled stack; the places of its leaves go to `spans`.
    pub(super) fn into_val(self, path: &mut Vec<Segment>, spans: &mut BTreeMap<FieldPath, Span>) -> Val {
        let leaf = |val: Val, span: Span, path: &[Segment], spans: &mut BTreeMap<FieldPath, Span>| {
            spans.insert(FieldPath(path.to_vec()), span);
            val
        };
        match self.data {
            Data::List(list) if !list.is_empty() => {
                let items = list.into_iter().enumerate().map(|(at, cell)| {
                    path.push(Segment::Index(at));
                    let val = cell.into_val(path, spans);
                    path.pop();
                    val
                });
                Val::List(items.collect())
            }
            Data::Map(map) if !map.is_empty() => {
                let entries = map.into_iter().map(|(key, (_, cell))| {
                    path.push(Segment::Key(key.clone()));
                    let val = cell.into_val(path, spans);
                    path.pop();
                    (key, val)
                });
                Val::Map(entries.collect())
            }
            Data::List(_) => leaf(Val::List(Vec::new()), self.span, path, spans),
            Data::Map(_) => leaf(Val::Map(BTreeMap::new()), self.span, path, spans),
            Data::Null | Data::Bad => leaf(Val::Null, self.span, path, spans),
            Data::Bool(b) => leaf(Val::Bool(b), self.span, path, spans),
            Data::Number(n) => leaf(Val::Number(n), self.span, path, spans),
            Data::Text(s) => leaf(Val::String(s), self.span, path, spans),
            Data::Late(late) => leaf(Val::Late(late), self.span, path, spans),
        }
    }

    /// Calls `each` for every value known later below this one.
    pub(super) fn lates<'c>(&'c self, each: &mut dyn FnMut(&'c Cell, &'c Late)) {
        match &self.data {
            Data::Late(late) => each(self, late),
            Data::List(list) => list.iter().for_each(|cell| cell.lates(each)),
            Data::Map(map) => map.values().for_each(|(_, cell)| cell.lates(each)),
            _ => {}
        }
    }
}

/// A value that is exactly this part.
pub(super) fn late_of(part: Part) -> Late {
    Late { parts: vec![part], base64: false }
}

/// Merges `over` into `base`, map by map; everything else of `over` replaces what `base` has.
pub(super) fn merge(base: Cell, over: Cell) -> Cell {
    match (base.data, over.data) {
        (Data::Map(mut base), Data::Map(over_map)) => {
            for (key, (span, cell)) in over_map {
                let merged = match base.remove(&key) {
                    Some((_, below)) => merge(below, cell),
                    None => cell,
                };
                base.insert(key, (span, merged));
            }
            Cell::new(&over.span, Data::Map(base))
        }
        (_, data) => Cell::new(&over.span, data),
    }
}
