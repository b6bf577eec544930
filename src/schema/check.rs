//! Whether a manifest fits the structure of its kind.

use std::collections::BTreeMap;

use base64::Engine;
use serde_json::{Number, Value};

use super::problem::{Expected, Got, Problem, Violation};
use super::suggest;
use super::{Kind, Node, Quantity, SERVER_METADATA, Type, parse_duration};
use crate::path::{FieldPath, Segment};

/// What can be checked: a JSON value, or a tree in which some leaves are not known yet.
pub trait Tree: Sized {
    /// One level of this tree.
    fn view(&self) -> View<'_, Self>;
}

/// One level of a [`Tree`].
#[derive(Debug)]
pub enum View<'t, T> {
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(&'t Number),
    /// A text.
    String(&'t str),
    /// A list.
    List(&'t [T]),
    /// A map.
    Map(Vec<(&'t str, &'t T)>),
    /// Some text that is not known yet.
    SomeText,
    /// A value of any type that is not known yet.
    Unknown,
}

impl Tree for Value {
    fn view(&self) -> View<'_, Self> {
        match self {
            Self::Null => View::Null,
            Self::Bool(value) => View::Bool(*value),
            Self::Number(value) => View::Number(value),
            Self::String(value) => View::String(value),
            Self::Array(items) => View::List(items),
            Self::Object(map) => View::Map(map.iter().map(|(key, value)| (key.as_str(), value)).collect()),
        }
    }
}

/// Everything that does not fit in a whole manifest of `kind`, in the order of its fields. `status` and the
/// server's part of `metadata` are reported as such, and not looked into.
pub fn check<T: Tree>(kind: Kind, manifest: &T) -> Vec<Violation> {
    let mut checker = Checker::default();
    checker.value(kind.root, manifest, true);
    checker.found
}

/// Everything that does not fit in a value at `node`; paths start at the value.
pub fn check_node<T: Tree>(node: Node, value: &T) -> Vec<Violation> {
    let mut checker = Checker::default();
    checker.value(node, value, false);
    checker.found
}

#[derive(Default)]
struct Checker {
    path: FieldPath,
    /// The objects above the current value, outermost first, with their paths' lengths.
    above: Vec<(Node, usize)>,
    found: Vec<Violation>,
}

impl Checker {
    fn report(&mut self, problem: Problem) {
        self.found.push(Violation { path: self.path.clone(), problem });
    }

    fn under<R>(&mut self, segment: Segment, run: impl FnOnce(&mut Self) -> R) -> R {
        self.path.0.push(segment);
        let result = run(self);
        self.path.0.pop();
        result
    }

    fn value<T: Tree>(&mut self, node: Node, value: &T, whole: bool) {
        let view = value.view();
        match (node.node_type(), view) {
            (Type::Any, _)
            | (_, View::Unknown)
            | (
                Type::String
                | Type::Bytes
                | Type::DateTime
                | Type::Duration(_)
                | Type::Quantity
                | Type::IntOrString,
                View::SomeText,
            )
            | (Type::Number | Type::Quantity, View::Number(_))
            | (Type::Bool, View::Bool(_))
            | (Type::IntOrString, View::String(_)) => {}
            (_, View::Null) => self.report(Problem::Null),
            (Type::Object, View::Map(entries)) => self.object(node, &entries, whole),
            (Type::Map, View::Map(entries)) => {
                let item = node.item().unwrap_or_else(Node::any);
                for (key, value) in entries {
                    self.under(Segment::Key(key.to_owned()), |c| c.value(item, value, false));
                }
            }
            (kind @ (Type::List | Type::Set | Type::ListMap(_)), View::List(items)) => {
                let item = node.item().unwrap_or_else(Node::any);
                for (at, value) in items.iter().enumerate() {
                    self.under(Segment::Index(at), |c| c.value(item, value, false));
                }
                match kind {
                    Type::Set => self.distinct(items, scalar),
                    Type::ListMap(keys) => self.distinct(items, |item| element_key(keys, item)),
                    _ => {}
                }
            }
            (Type::Integer | Type::IntOrString, View::Number(number)) if !number.is_f64() => {
                let (bits, fits) = if node.is_int32() || node.node_type() == Type::IntOrString {
                    (32, number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()))
                } else {
                    (64, number.is_i64())
                };
                if !fits {
                    self.report(Problem::OutOfRange { bits });
                }
            }
            (expected, View::String(text)) => self.text(node, expected, text),
            (expected, view) => {
                let quote = match (expected, &view) {
                    (Type::String | Type::Bytes | Type::Quantity, View::Map(_)) => self.dotted(value),
                    _ => None,
                };
                let got = got(&view);
                self.report(Problem::WrongType { expected: Expected(expected), got, quote });
            }
        }
    }

    fn object<T: Tree>(&mut self, node: Node, entries: &[(&str, &T)], whole: bool) {
        self.above.push((node, self.path.0.len()));
        for (key, value) in entries {
            let server = match self.path.0.as_slice() {
                [] if whole => *key == "status" && node.field("status").is_some(),
                [Segment::Key(parent)] => parent == "metadata" && SERVER_METADATA.contains(key),
                _ => false,
            };
            self.under(Segment::Key((*key).to_owned()), |c| match node.field(key) {
                _ if server => c.report(Problem::ServerOwned),
                Some(field) => c.value(field, *value, false),
                None => {
                    let problem = Problem::UnknownField {
                        name: (*key).to_owned(),
                        suggestion: suggest::field(key, node, &c.above, &c.path),
                    };
                    c.report(problem);
                }
            });
        }
        for name in node.required() {
            if !entries.iter().any(|(key, _)| *key == name) {
                self.report(Problem::Missing { name });
            }
        }
        self.above.pop();
    }

    fn text(&mut self, node: Node, expected: Type, text: &str) {
        let got = || text.to_owned();
        match expected {
            Type::String => {
                let allowed = node.enum_values();
                let schemes = node.url_schemes();
                if !allowed.is_empty() && !allowed.iter().any(|value| value == text) {
                    self.report(Problem::NotInEnum {
                        got: got(),
                        allowed,
                        suggestion: suggest::nearest(text, allowed.iter().map(String::as_str)),
                    });
                } else if !schemes.is_empty()
                    && !text.split_once("://").is_some_and(|(scheme, _)| schemes.contains(&scheme))
                {
                    self.report(Problem::BadUrl { schemes });
                }
            }
            Type::Bytes => {
                if base64::engine::general_purpose::STANDARD.decode(text).is_err() {
                    self.report(Problem::BadBase64);
                }
            }
            Type::DateTime => {
                if text.parse::<jiff::Timestamp>().is_err() {
                    self.report(Problem::BadTime { got: got() });
                }
            }
            Type::Duration(units) => {
                let legal = parse_duration(text).is_ok() && super::duration::uses_only(text, units);
                if !legal {
                    self.report(Problem::BadDuration { got: got(), units });
                }
            }
            Type::Quantity => {
                if text.parse::<Quantity>().is_err() {
                    self.report(Problem::BadQuantity { got: got() });
                }
            }
            _ => self.report(Problem::WrongType {
                expected: Expected(expected),
                got: Got::String,
                quote: None,
            }),
        }
    }

    /// The key that was meant when `team.io = "x"` in TOML became `{team: {io: "x"}}`.
    fn dotted<T: Tree>(&self, value: &T) -> Option<String> {
        let Some(Segment::Key(first)) = self.path.0.last() else {
            return None;
        };
        let mut key = first.clone();
        let mut value = value;
        loop {
            match value.view() {
                View::Map(entries) => {
                    let [(name, inner)] = entries[..] else { return None };
                    key = format!("{key}.{name}");
                    value = inner;
                }
                View::List(_) => return None,
                _ => return Some(key),
            }
        }
    }

    fn distinct<T: Tree>(&mut self, items: &[T], key: impl Fn(&T) -> Option<String>) {
        let mut seen = BTreeMap::new();
        for (at, item) in items.iter().enumerate() {
            let Some(key) = key(item) else { continue };
            let first = *seen.entry(key).or_insert(at);
            if first != at {
                let first = self.path.join(Segment::Index(first));
                self.under(Segment::Index(at), |c| c.report(Problem::Duplicate { first }));
            }
        }
    }
}

/// What tells an element of a list map from the others; `None` if that is not known, or if keys are missing,
/// which is reported as such.
fn element_key<T: Tree>(keys: &[super::ListKey], item: &T) -> Option<String> {
    let View::Map(entries) = item.view() else {
        return None;
    };
    let mut text = String::new();
    for key in keys {
        match entries.iter().find(|(name, _)| *name == key.name) {
            Some((_, value)) => text.push_str(&scalar(*value)?),
            None => text.push_str(key.default?),
        }
        text.push(',');
    }
    Some(text)
}

fn scalar<T: Tree>(value: &T) -> Option<String> {
    match value.view() {
        View::Bool(value) => Some(value.to_string()),
        View::Number(value) => Some(value.to_string()),
        View::String(value) => Some(Value::from(value).to_string()),
        _ => None,
    }
}

fn got<T>(view: &View<'_, T>) -> Got {
    match view {
        View::Bool(_) => Got::Bool,
        View::Number(number) if number.is_f64() => Got::Float,
        View::Number(_) => Got::Integer,
        View::List(_) => Got::List,
        View::Map(_) => Got::Map,
        View::String(_) | View::SomeText | View::Null | View::Unknown => Got::String,
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
