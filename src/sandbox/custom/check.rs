//! Whether a value is what the schema says (`k8s.io/kube-openapi` `validate`): the same checks, in the same
//! order, in the same words. Fields of a map are visited by name; the API server has no order there.

use serde_json::Value;

use super::node::{Additional, List, Node};
use super::number;
use crate::sandbox::error::Cause;
use crate::sandbox::fault;

/// What was found, and how well the value fits besides: of alternatives none of which fits, the best one's
/// findings are told.
#[derive(Debug, Default)]
pub(super) struct Found {
    faults: Vec<Fault>,
    matches: usize,
}

/// One finding.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    /// The field, from where the check began; `.x` for a field at the very top.
    path: String,
    what: What,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq)]
enum What {
    Required,
    Choice(Value, Vec<String>),
    TooLong(i64),
    TooMany(usize, i64),
    Type(Value, String),
    Value(Value, String),
    /// About no field in particular.
    Plain(String),
}

impl Found {
    pub(super) fn add(&mut self, path: &str, value: Value, text: String) {
        self.push(path, What::Value(value, text));
    }

    pub(super) fn add_plain(&mut self, text: String) {
        self.push("", What::Plain(text));
    }

    pub(super) fn count(&mut self) {
        self.matches += 1;
    }

    pub(super) fn is_valid(&self) -> bool {
        self.faults.is_empty()
    }

    fn push(&mut self, path: &str, what: What) {
        let fault = Fault { path: path.to_owned(), what };
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.matches += other.matches;
        for fault in other.faults {
            if !self.faults.contains(&fault) {
                self.faults.push(fault);
            }
        }
    }
}

/// What is wrong with `value`. `prefix` is where it stands in its object; empty for the whole. What was wrong
/// already in `old` and did not change is left alone.
pub(super) fn check(node: &Node, value: &Value, old: Option<&Value>, prefix: &str) -> Vec<Cause> {
    let found = ratcheted(node, value, old, "");
    found.faults.into_iter().map(|fault| fault.into_cause(prefix)).collect()
}

impl Fault {
    fn into_cause(self, prefix: &str) -> Cause {
        let nowhere = if prefix.is_empty() { "<nil>" } else { prefix };
        let name = self.path.strip_prefix('.').unwrap_or(&self.path);
        let field = match (prefix, name) {
            (_, "") => nowhere.to_owned(),
            ("", name) => name.to_owned(),
            (prefix, name) => format!("{prefix}.{name}"),
        };
        match self.what {
            What::Required => fault::required(field, ""),
            What::Choice(value, choices) => fault::not_supported(field, &value, &choices),
            What::TooLong(most) => fault::too_long(field, most),
            What::TooMany(actual, most) => fault::too_many(field, actual, usize::try_from(most).unwrap_or(0)),
            What::Type(value, text) => fault::type_invalid(field, &value, &text),
            What::Value(value, text) => fault::invalid(field, &value, &text),
            What::Plain(text) => fault::invalid_text(nowhere, "", &text),
        }
    }
}

/// What did not change is not refused, however wrong it is by now.
fn ratcheted(node: &Node, value: &Value, old: Option<&Value>, path: &str) -> Found {
    let mut found = validate(node, value, old, path);
    if !found.is_valid() && old == Some(value) {
        found.faults.clear();
    }
    found
}

fn validate(node: &Node, value: &Value, old: Option<&Value>, path: &str) -> Found {
    let mut found = Found::default();
    let types = types_of(node);
    if value.is_null() {
        if !types.is_empty() {
            found.merge(check_type(node, &types, value, path));
        }
        check_choice(node, value, path, &mut found);
        return found;
    }
    if !types.is_empty() || !node.limits.format.is_empty() {
        found.merge(check_type(node, &types, value, path));
        found.count();
    }
    found.merge(check_combined(node, value, old, path));
    found.count();
    match value {
        Value::String(text) => {
            check_text(node, text, path, &mut found);
            found.count();
            let format = &node.limits.format;
            if !format.is_empty() && !matches!(node.kind.as_str(), "integer" | "number") {
                if !super::formats::fits(format, text) {
                    let told = format!("{path} in body must be of type {format}: {}", fault::quote(text));
                    found.push(path, What::Type(value.clone(), told));
                }
                found.count();
            }
        }
        Value::Number(number) => {
            found.merge(number::check(node, number, path));
            found.count();
        }
        Value::Array(list) => {
            found.merge(check_list(node, list, old, path));
            found.count();
        }
        _ => {}
    }
    check_choice(node, value, path, &mut found);
    found.count();
    if let Value::Object(map) = value {
        found.merge(check_object(node, map, old, path));
        found.count();
    }
    found.count();
    found
}

fn types_of(node: &Node) -> Vec<&str> {
    match (node.int_or_string, node.kind.as_str()) {
        (true, _) => vec!["integer", "string"],
        (false, "") => Vec::new(),
        (false, kind) => vec![kind],
    }
}

/// The name of a value's type in the schema's words, and its format.
fn type_of(value: &Value) -> (&'static str, &'static str) {
    match value {
        Value::Null => ("null", ""),
        Value::Bool(_) => ("boolean", ""),
        Value::Number(number) if number.is_i64() => ("integer", "int64"),
        Value::Number(_) => ("number", "float64"),
        Value::String(_) => ("string", ""),
        Value::Array(_) => ("array", ""),
        Value::Object(_) => ("object", ""),
    }
}

fn check_type(node: &Node, types: &[&str], value: &Value, path: &str) -> Found {
    let mut found = Found::default();
    let (kind, format) = type_of(value);
    let wrong = |found: &mut Found, wanted: &str, got: &str| {
        let told = format!("{path} in body must be of type {wanted}: {}", fault::quote(got));
        found.push(path, What::Type(got.into(), told));
    };
    if value.is_null() {
        if node.nullable || types.is_empty() {
            found.count();
        } else {
            wrong(&mut found, &types.join(","), "null");
        }
        return found;
    }
    let is_whole_float = kind == "number"
        && types.contains(&"integer")
        && value.as_f64().is_some_and(|float| float.fract() == 0.0);
    let is_number = kind == "integer" && types.contains(&"number");
    let fits = types.contains(&kind) || is_whole_float || is_number;
    let wanted = node.limits.format.as_str();
    let is_text_or_list = matches!(value, Value::String(_) | Value::Array(_));
    let wants_number = types.contains(&"number") || types.contains(&"integer");
    if !(is_text_or_list || wanted.is_empty() || fits || format == wanted) {
        wrong(&mut found, wanted, format);
    } else if !wants_number && !wanted.is_empty() && is_text_or_list || fits {
        found.count();
    } else {
        wrong(&mut found, &types.join(","), kind);
    }
    found
}

fn check_combined(node: &Node, value: &Value, old: Option<&Value>, path: &str) -> Found {
    let mut found = Found::default();
    let quoted = fault::quote(path);
    if !node.any_of.is_empty() {
        let (fits, best) = alternatives(&node.any_of, value, old, path, true);
        if fits == 0 {
            found.add_plain(format!("{quoted} must validate at least one schema (anyOf)"));
        }
        if let Some(best) = best {
            found.merge(best);
        }
    }
    if !node.one_of.is_empty() {
        let (fits, best) = alternatives(&node.one_of, value, old, path, false);
        if fits == 1 {
            if let Some(best) = best {
                found.merge(best);
            }
        } else {
            let why = match fits {
                0 => "Found none valid".to_owned(),
                fits => format!("Found {fits} valid alternatives"),
            };
            found.add_plain(format!("{quoted} must validate one and only one schema (oneOf). {why}"));
            if fits == 0
                && let Some(best) = best
            {
                found.merge(best);
            }
        }
    }
    if !node.all_of.is_empty() {
        let mut fits = 0;
        for one in &node.all_of {
            let result = validate(one, value, old, path);
            fits += usize::from(result.is_valid());
            found.merge(result);
        }
        if fits != node.all_of.len() {
            let none = if fits == 0 { ". None validated" } else { "" };
            found.add_plain(format!("{quoted} must validate all the schemas (allOf){none}"));
        }
    }
    if node.not.as_ref().is_some_and(|not| validate(not, value, old, path).is_valid()) {
        found.add_plain(format!("{quoted} must not validate the schema (not)"));
    }
    found.count();
    found
}

/// How many fit, and the first that does, or else the best of those that do not.
fn alternatives(
    nodes: &[Node],
    value: &Value,
    old: Option<&Value>,
    path: &str,
    first_is_enough: bool,
) -> (usize, Option<Found>) {
    let mut fits = 0;
    let mut best: Option<Found> = None;
    for node in nodes {
        let found = validate(node, value, old, path);
        if found.is_valid() {
            fits += 1;
            if fits == 1 {
                best = Some(found);
            }
            if first_is_enough {
                break;
            }
        } else if fits == 0 && best.as_ref().is_none_or(|best| found.matches > best.matches) {
            best = Some(found);
        }
    }
    (fits, best)
}

fn check_text(node: &Node, text: &str, path: &str, found: &mut Found) {
    let limits = &node.limits;
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    if let Some(most) = limits.max_length.filter(|most| length > *most) {
        found.push(path, What::TooLong(most));
    } else if let Some(fewest) = limits.min_length.filter(|fewest| length < *fewest) {
        found.add(path, text.into(), format!("{path} in body should be at least {fewest} chars long"));
    } else if let Some((pattern, _)) = limits.pattern.as_ref().filter(|(_, regex)| !regex.is_match(text)) {
        found.add(path, text.into(), format!("{path} in body should match '{pattern}'"));
    }
}

fn check_choice(node: &Node, value: &Value, path: &str, found: &mut Found) {
    let choices = &node.limits.choices;
    if choices.is_empty() {
        return;
    }
    // A number is turned into the type of the choice first.
    let is = |choice: &Value| match (choice, value) {
        (Value::Null, _) => false,
        (Value::Number(choice), Value::Number(value)) if choice.is_i64() => {
            choice.as_f64() == value.as_f64().map(f64::trunc)
        }
        (Value::Number(choice), Value::Number(value)) => choice.as_f64() == value.as_f64(),
        (choice, value) => choice == value,
    };
    if !choices.iter().any(is) {
        let texts = choices.iter().map(|choice| match choice {
            Value::String(text) => text.clone(),
            other => fault::go_json(other),
        });
        found.push(path, What::Choice(value.clone(), texts.collect()));
    }
}

fn check_list(node: &Node, list: &[Value], old: Option<&Value>, path: &str) -> Found {
    let mut found = Found::default();
    if let Some(items) = &node.items {
        for (index, element) in list.iter().enumerate() {
            let old = counterpart(&node.list, element, old);
            found.merge(ratcheted(items, element, old, &format!("{path}[{index}]")));
        }
    }
    let size = i64::try_from(list.len()).unwrap_or(i64::MAX);
    if let Some(fewest) = node.limits.min_items.filter(|fewest| size < *fewest) {
        found.add(path, size.into(), format!("{path} in body should have at least {fewest} items"));
    }
    if let Some(most) = node.limits.max_items.filter(|most| size > *most) {
        found.push(path, What::TooMany(list.len(), most));
    }
    found.count();
    found
}

/// The element of the old list with the same keys. Elements of other lists have none.
pub(super) fn counterpart<'v>(list: &List, element: &Value, old: Option<&'v Value>) -> Option<&'v Value> {
    let List::Map(keys) = list else {
        return None;
    };
    let same = |candidate: &&Value| keys.iter().all(|key| candidate.get(key) == element.get(key));
    old?.as_array()?.iter().find(same)
}

fn check_object(node: &Node, map: &serde_json::Map<String, Value>, old: Option<&Value>, path: &str) -> Found {
    let mut found = Found::default();
    let size = i64::try_from(map.len()).unwrap_or(i64::MAX);
    if let Some(fewest) = node.limits.min_properties.filter(|fewest| size < *fewest) {
        found.add(path, size.into(), format!("{path} in body should have at least {fewest} properties"));
    }
    if let Some(most) = node.limits.max_properties.filter(|most| size > *most) {
        found.push(path, What::TooMany(map.len(), most));
    }
    let old_of = |key: &str| {
        let is_type = path.is_empty() && matches!(key, "apiVersion" | "kind");
        old.filter(|_| !is_type).and_then(|old| old.get(key))
    };
    if let Additional::Schema(values) = &node.additional {
        for (key, value) in map.iter().filter(|(key, _)| !node.properties.contains_key(*key)) {
            found.merge(ratcheted(values, value, old_of(key), &format!("{path}.{key}")));
        }
    }
    for (name, field) in &node.properties {
        if let Some(value) = map.get(name) {
            found.merge(ratcheted(field, value, old_of(name), &super::decode::child(path, name)));
        }
    }
    for name in node.limits.required.iter().filter(|name| !map.contains_key(*name)) {
        found.push(&format!("{path}.{name}"), What::Required);
    }
    found
}
