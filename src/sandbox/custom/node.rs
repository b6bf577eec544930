//! The schema of a custom kind, read once from its definition.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

use super::rule::Rule;

/// A place in a schema. What only the definition's own validation looks at is not here.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a keyword of the schema, set or not")]
pub(super) struct Node {
    /// `object`, `array`, `string`, `integer`, `number`, `boolean`; empty if not said.
    pub(super) kind: String,
    /// Whether `null` is a value.
    pub(super) nullable: bool,
    /// What stands here if nothing does.
    pub(super) default: Option<Value>,
    /// Known fields.
    pub(super) properties: BTreeMap<String, Arc<Node>>,
    /// What every other field may be.
    pub(super) additional: Additional,
    /// What elements may be.
    pub(super) items: Option<Arc<Node>>,
    /// Whether a whole Kubernetes object stands here.
    pub(super) embedded: bool,
    /// Whether unknown fields stay.
    pub(super) preserve: bool,
    /// An integer or a text.
    pub(super) int_or_string: bool,
    /// How elements are told apart.
    pub(super) list: List,
    /// Whether server-side apply owns the map as a whole.
    pub(super) atomic_map: bool,
    /// `x-kubernetes-validations`.
    pub(super) rules: Vec<Rule>,
    /// What values must be like.
    pub(super) limits: Limits,
    /// All of these hold.
    pub(super) all_of: Vec<Node>,
    /// One of these holds at least.
    pub(super) any_of: Vec<Node>,
    /// Exactly one of these holds.
    pub(super) one_of: Vec<Node>,
    /// This does not hold.
    pub(super) not: Option<Box<Node>>,
}

/// `additionalProperties`.
#[derive(Debug, Clone, Default)]
pub(super) enum Additional {
    /// Not said, or none.
    #[default]
    None,
    /// Anything.
    Any,
    /// Of this kind.
    Schema(Arc<Node>),
}

/// `x-kubernetes-list-type`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum List {
    /// One value.
    #[default]
    Atomic,
    /// Distinct values.
    Set,
    /// Told apart by these keys.
    Map(Vec<String>),
}

/// What a value must be like.
#[derive(Debug, Clone, Default)]
pub(super) struct Limits {
    /// A format the API server knows for the type; any other means nothing.
    pub(super) format: String,
    /// Largest number.
    pub(super) maximum: Option<f64>,
    /// Whether `maximum` itself is too much.
    pub(super) exclusive_maximum: bool,
    /// Smallest number.
    pub(super) minimum: Option<f64>,
    /// Whether `minimum` itself is too little.
    pub(super) exclusive_minimum: bool,
    /// Numbers are multiples of this.
    pub(super) multiple_of: Option<f64>,
    /// Most characters.
    pub(super) max_length: Option<i64>,
    /// Fewest characters.
    pub(super) min_length: Option<i64>,
    /// The expression and its text.
    pub(super) pattern: Option<(String, Regex)>,
    /// Most elements.
    pub(super) max_items: Option<i64>,
    /// Fewest elements.
    pub(super) min_items: Option<i64>,
    /// Most fields.
    pub(super) max_properties: Option<i64>,
    /// Fewest fields.
    pub(super) min_properties: Option<i64>,
    /// Fields without which there is none.
    pub(super) required: Vec<String>,
    /// The only values.
    pub(super) choices: Vec<Value>,
}

impl Node {
    /// Reads an `openAPIV3Schema`. What does not fit is left out: the definition's validation refuses it first.
    pub(super) fn read(schema: &Value) -> Self {
        let text = |key: &str| schema[key].as_str().unwrap_or_default().to_owned();
        let flag = |key: &str| schema[key].as_bool().unwrap_or_default();
        let nodes = |key: &str| -> Vec<Self> {
            schema[key].as_array().into_iter().flatten().map(Self::read).collect()
        };
        let kind = text("type");
        Self {
            nullable: flag("nullable"),
            default: schema.get("default").filter(|default| !default.is_null()).cloned(),
            properties: schema["properties"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, schema)| (name.clone(), Arc::new(Self::read(schema))))
                .collect(),
            additional: match &schema["additionalProperties"] {
                Value::Bool(true) => Additional::Any,
                schema @ Value::Object(_) => Additional::Schema(Arc::new(Self::read(schema))),
                _ => Additional::None,
            },
            items: schema["items"].is_object().then(|| Arc::new(Self::read(&schema["items"]))),
            embedded: flag("x-kubernetes-embedded-resource"),
            preserve: flag("x-kubernetes-preserve-unknown-fields"),
            int_or_string: flag("x-kubernetes-int-or-string"),
            list: match schema["x-kubernetes-list-type"].as_str() {
                Some("set") => List::Set,
                Some("map") => List::Map(texts(&schema["x-kubernetes-list-map-keys"])),
                _ => List::Atomic,
            },
            atomic_map: schema["x-kubernetes-map-type"] == "atomic",
            rules: schema["x-kubernetes-validations"]
                .as_array()
                .into_iter()
                .flatten()
                .map(Rule::read)
                .collect(),
            limits: Limits::read(schema, &kind),
            all_of: nodes("allOf"),
            any_of: nodes("anyOf"),
            one_of: nodes("oneOf"),
            not: schema["not"].is_object().then(|| Box::new(Self::read(&schema["not"]))),
            kind,
        }
    }

    /// What the field may be; `None` if it is not known.
    pub(super) fn at(&self, field: &str) -> Option<&Self> {
        match (self.properties.get(field), &self.additional) {
            (Some(node), _) | (None, Additional::Schema(node)) => Some(node),
            (None, _) => None,
        }
    }

    /// Whether any rule stands here or below.
    pub(super) fn has_rules(&self) -> bool {
        !self.rules.is_empty()
            || self.properties.values().any(|node| node.has_rules())
            || self.items.as_ref().is_some_and(|items| items.has_rules())
            || matches!(&self.additional, Additional::Schema(node) if node.has_rules())
            || self.all_of.iter().any(Self::has_rules)
    }
}

impl Limits {
    fn read(schema: &Value, kind: &str) -> Self {
        let whole = |key: &str| schema[key].as_i64();
        let flag = |key: &str| schema[key].as_bool().unwrap_or_default();
        let format = schema["format"].as_str().unwrap_or_default();
        Self {
            format: if super::formats::is_known(kind, format) { format.to_owned() } else { String::new() },
            maximum: schema["maximum"].as_f64(),
            exclusive_maximum: flag("exclusiveMaximum"),
            minimum: schema["minimum"].as_f64(),
            exclusive_minimum: flag("exclusiveMinimum"),
            multiple_of: schema["multipleOf"].as_f64(),
            max_length: whole("maxLength"),
            min_length: whole("minLength"),
            pattern: schema["pattern"]
                .as_str()
                .filter(|pattern| !pattern.is_empty())
                .and_then(|pattern| Some((pattern.to_owned(), expression(pattern).ok()?))),
            max_items: whole("maxItems"),
            min_items: whole("minItems"),
            max_properties: whole("maxProperties"),
            min_properties: whole("minProperties"),
            required: texts(&schema["required"]),
            choices: schema["enum"].as_array().cloned().unwrap_or_default(),
        }
    }
}

/// An expression in the syntax of RE2, which the API server uses.
///
/// # Errors
/// It is none.
pub(super) fn expression(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&translate(pattern))
}

/// RE2's text in this library's: `\Q…\E` is RE2's alone; `\d`, `\s`, `\w`, `\b` mean ASCII there; brackets and
/// doubled signs in a class are themselves.
fn translate(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len());
    let mut letters = pattern.chars();
    let mut in_class = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('Q') => {
                    let rest: String = letters.collect();
                    let (literal, after) = rest.split_once("\\E").unwrap_or((&rest, ""));
                    return text + &regex::escape(literal) + &translate(after);
                }
                Some('d') => text.push_str(if in_class { "0-9" } else { "[0-9]" }),
                Some('w') => text.push_str(if in_class { "0-9A-Za-z_" } else { "[0-9A-Za-z_]" }),
                Some('s') => text.push_str(if in_class { "\\t\\n\\f\\r " } else { "[\\t\\n\\f\\r ]" }),
                Some('D') if !in_class => text.push_str("[^0-9]"),
                Some('W') if !in_class => text.push_str("[^0-9A-Za-z_]"),
                Some('S') if !in_class => text.push_str("[^\\t\\n\\f\\r ]"),
                Some('b') if !in_class => text.push_str("(?-u:\\b)"),
                Some(other) => text.extend(['\\', other]),
                None => text.push('\\'),
            },
            '[' if in_class && !letters.as_str().starts_with(':') => text.push_str("\\["),
            '[' if !in_class => {
                in_class = true;
                text.push('[');
                if letters.as_str().starts_with('^') {
                    text.extend(letters.next());
                }
                // A bracket that comes first in a class is itself.
                if letters.as_str().starts_with(']') {
                    letters.next();
                    text.push_str("\\]");
                }
            }
            '[' => {
                // A named class, `[:alpha:]`.
                let (name, after) = letters.as_str().split_once(":]").unwrap_or((letters.as_str(), ""));
                text.extend(["[", name, ":]"]);
                letters = after.chars();
            }
            ']' => {
                in_class = false;
                text.push(']');
            }
            '&' | '~' if in_class => text.extend(['\\', letter]),
            other => text.push(other),
        }
    }
    text
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
