//! Evaluates the rules of a schema over an object.

use std::collections::HashMap;
use std::sync::Arc;

use cel::Value as Cel;
use serde_json::Value;

use super::check::counterpart;
use super::decode::child;
use super::node::{Additional, Node};
use super::rule::{Rule, Verdict, converted};
use crate::sandbox::error::Cause;
use crate::sandbox::fault;

/// What the rules say of an object that was `old` before. What did not change is not refused.
pub(super) fn check(root: &Node, object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = Vec::new();
    if root.has_rules() {
        let place = Place { path: String::new(), is_root: true, old, unchanged: old == Some(object) };
        visit(root, root, object, &place, &mut causes);
    }
    causes
}

/// What the rules say of a default that stands at `path` of a definition: also as one that stays what it was.
pub(super) fn check_default(node: &Node, value: &Value, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    for old in [Some(value), None] {
        if causes.is_empty() && node.has_rules() {
            let place = Place { path: path.to_owned(), is_root: false, old, unchanged: false };
            visit(node, node, value, &place, &mut causes);
        }
    }
    causes
}

/// Where a value stands.
struct Place<'v> {
    path: String,
    is_root: bool,
    /// What stood here.
    old: Option<&'v Value>,
    /// Whether it, or what is nearest above it and can be compared, is as it was.
    unchanged: bool,
}

impl<'v> Place<'v> {
    fn below(&self, path: String, value: &Value, old: Option<&'v Value>, is_root: bool) -> Self {
        let unchanged = old.map_or(self.unchanged, |old| old == value);
        Self { path, is_root, old, unchanged }
    }
}

/// `node` is what the value is; `rules` where its rules stand: itself, or one of its `allOf`.
fn visit(node: &Node, rules: &Node, value: &Value, place: &Place<'_>, causes: &mut Vec<Cause>) {
    if value.is_null() {
        return;
    }
    if !rules.rules.is_empty() {
        let converted = to_cel(node, value, place.is_root || node.embedded);
        let old = place
            .old
            .filter(|old| !old.is_null())
            .map(|old| to_cel(node, old, place.is_root || node.embedded));
        for rule in &rules.rules {
            causes.extend(apply(rule, node, value, &converted, old.as_ref(), place));
        }
    }
    for all in &rules.all_of {
        visit(node, all, value, place, causes);
    }
    match value {
        Value::Array(list) => {
            if let (Some(items), Some(rules)) = (&node.items, &rules.items) {
                for (index, element) in list.iter().enumerate() {
                    let old = counterpart(&node.list, element, place.old);
                    let path = format!("{}[{index}]", place.path);
                    visit(items, rules, element, &place.below(path, element, old, false), causes);
                }
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                let old = place.old.and_then(|old| old.get(key));
                if let (Some(field), Some(rules)) = (node.properties.get(key), rules.properties.get(key)) {
                    let path = child(&place.path, key);
                    visit(field, rules, value, &place.below(path, value, old, false), causes);
                } else if let (Additional::Schema(values), Additional::Schema(rules)) =
                    (&node.additional, &rules.additional)
                {
                    let path = format!("{}[{key}]", place.path);
                    visit(values, rules, value, &place.below(path, value, old, false), causes);
                }
            }
        }
        _ => {}
    }
}

fn apply(
    rule: &Rule,
    node: &Node,
    value: &Value,
    converted: &Cel,
    old: Option<&Cel>,
    place: &Place<'_>,
) -> Option<Cause> {
    if rule.text.trim().is_empty() || (rule.uses_old && old.is_none() && !rule.optional_old) {
        return None;
    }
    let path = if place.path.is_empty() { "<nil>" } else { &place.path };
    match rule.eval(converted, old) {
        Verdict::Holds => None,
        Verdict::Error(why) => {
            let told = if why.starts_with("no such overload") {
                format!(
                    "'{why}': call arguments did not match a supported operator, function or macro signature \
                     for rule: {}",
                    rule.name()
                )
            } else {
                format!("{why} evaluating rule: {}", rule.name())
            };
            Some(fault::invalid_text(path, type_name(node), &told))
        }
        Verdict::Fails if place.unchanged && !rule.uses_old => None,
        Verdict::Fails => {
            let told = rule.told(converted, old);
            let field = match (place.path.as_str(), rule.field.strip_prefix('.').unwrap_or(&rule.field)) {
                (_, "") => path.to_owned(),
                ("", below) => below.to_owned(),
                (above, below) => format!("{above}.{below}"),
            };
            let is_whole = matches!(type_name(node), "object" | "array");
            Some(match (rule.reason.as_str(), is_whole) {
                ("FieldValueForbidden", _) => fault::forbidden(field, &told),
                ("FieldValueRequired", _) => fault::required(field, &told),
                ("FieldValueDuplicate", true) => fault::duplicate_omitted(field),
                ("FieldValueDuplicate", false) => fault::duplicate(field, value),
                (_, true) => fault::invalid_omitted(field, &told),
                (_, false) => fault::invalid(field, value, &told),
            })
        }
    }
}

fn type_name(node: &Node) -> &str {
    &node.kind
}

/// A value as rules see it: fields that the schema lacks are not there, names that are no identifiers are
/// escaped, texts of some formats are values of their own type.
fn to_cel(node: &Node, value: &Value, is_object: bool) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(value) => Cel::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            #[expect(clippy::cast_precision_loss, reason = "the schema says that it is a float")]
            Some(whole) if node.kind == "number" => Cel::Float(whole as f64),
            Some(whole) => Cel::Int(whole),
            None => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => {
            let special = match node.limits.format.as_str() {
                "date-time" => converted("timestamp", text),
                "date" => converted("timestamp", &format!("{text}T00:00:00Z")),
                "duration" => converted("duration", text),
                _ => None,
            };
            special.unwrap_or_else(|| Cel::String(Arc::new(text.clone())))
        }
        Value::Array(list) => {
            let items = node.items.as_deref();
            let element = |element: &Value| {
                items.map_or_else(|| plain(element), |items| to_cel(items, element, items.embedded))
            };
            Cel::List(Arc::new(list.iter().map(element).collect()))
        }
        Value::Object(map) => {
            let mut fields: HashMap<String, Cel> = HashMap::new();
            for (key, value) in map {
                match (node.properties.get(key), &node.additional) {
                    (Some(field), _) => {
                        fields.insert(escaped(key), to_cel(field, value, field.embedded));
                    }
                    (None, Additional::Schema(values)) => {
                        fields.insert(key.clone(), to_cel(values, value, values.embedded));
                    }
                    (None, Additional::None) if is_object && key == "metadata" => {
                        let known = ["name", "generateName"];
                        let known = known
                            .into_iter()
                            .filter_map(|key| Some((key.to_owned(), plain(value.get(key)?))));
                        fields.insert(key.clone(), Cel::from(known.collect::<HashMap<_, _>>()));
                    }
                    (None, Additional::None)
                        if is_object && matches!(key.as_str(), "apiVersion" | "kind") =>
                    {
                        fields.insert(key.clone(), plain(value));
                    }
                    (None, _) => {}
                }
            }
            Cel::from(fields)
        }
    }
}

fn plain(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(value) => Cel::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Cel::Int(whole),
            None => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(list) => Cel::List(Arc::new(list.iter().map(plain).collect())),
        Value::Object(map) => {
            let fields: HashMap<String, Cel> =
                map.iter().map(|(key, value)| (key.clone(), plain(value))).collect();
            Cel::from(fields)
        }
    }
}

/// A field's name as an identifier (`k8s.io/apiserver` `cel.Escape`).
fn escaped(name: &str) -> String {
    const RESERVED: &[&str] = &[
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ];
    if RESERVED.contains(&name) {
        return format!("__{name}__");
    }
    name.replace("__", "__underscores__")
        .replace('-', "__dash__")
        .replace('.', "__dot__")
        .replace('/', "__slash__")
}
