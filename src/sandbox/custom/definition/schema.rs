//! What is wrong with a schema of a definition, beyond its being structural (`k8s.io/apiextensions-apiserver`
//! `pkg/apis/apiextensions/validation`).

use serde_json::Value;

use super::structural::{self, elements, fields, flag, text};
use crate::sandbox::custom::node::Node;
use crate::sandbox::custom::rule::Rule;
use crate::sandbox::custom::{check as values, decode, field_path, lists, rules};
use crate::sandbox::error::Cause;
use crate::sandbox::fault;

/// What is wrong with an `openAPIV3Schema` at `path`. `status`: whether the version has that subresource.
pub(super) fn check(schema: &Value, status: bool, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    if status {
        causes.extend(root_beside_status(schema, path));
    }
    if flag(schema, "nullable") {
        causes.push(fault::forbidden(format!("{path}.nullable"), "nullable cannot be true at the root"));
    }
    let structural = structural::check(schema, path);
    let is_structural = structural.is_empty();
    causes.extend(structural);
    let mut rules_make_sense = is_structural;
    if is_structural {
        let mut wrong = Vec::new();
        defaults(schema, path, true, false, &mut wrong);
        rules_make_sense = wrong.is_empty();
        causes.extend(wrong);
    }
    let mut walk = Walk { causes: Vec::new(), rules: Vec::new(), compiles: rules_make_sense };
    walk.schema(schema, path, &Around { is_root: true, ..Around::default() });
    causes.extend(walk.causes);
    causes.extend(walk.rules);
    causes
}

/// With a status subresource, the root says little.
fn root_beside_status(schema: &Value, path: &str) -> Option<Cause> {
    const ALLOWED: &[&str] = &[
        "description",
        "type",
        "format",
        "title",
        "maximum",
        "exclusiveMaximum",
        "minimum",
        "exclusiveMinimum",
        "maxLength",
        "minLength",
        "pattern",
        "maxItems",
        "minItems",
        "uniqueItems",
        "multipleOf",
        "required",
        "items",
        "properties",
        "externalDocs",
        "example",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-validations",
    ];
    const NAMES: &str = "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength \
                         MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties \
                         ExternalDocs Example XPreserveUnknownFields XValidations]";
    let kind = text(schema, "type");
    if !kind.is_empty() && kind != "object" {
        let told = "only \"object\" is allowed as the type at the root of the schema if the status subresource is \
                    enabled";
        return Some(fault::invalid_text(format!("{path}.type"), kind, told));
    }
    let more = schema.as_object()?.keys().any(|key| !ALLOWED.contains(&key.as_str()));
    let told = format!(
        "only {NAMES} fields are allowed at the root of the schema if the status subresource is enabled"
    );
    more.then(|| fault::invalid(path, schema, &told))
}

/// Defaults are values that the schema allows and knows.
fn defaults(schema: &Value, path: &str, is_object: bool, in_meta: bool, causes: &mut Vec<Cause>) {
    let embedded = is_object || flag(schema, "x-kubernetes-embedded-resource");
    let in_meta = in_meta && !embedded;
    if let Some(default) = schema.get("default") {
        let place = format!("{path}.default");
        let node = Node::read(schema);
        let mut pruned = default.clone();
        let read = decode::shape_of_default(&mut pruned, &node);
        if !in_meta && pruned != *default {
            causes.push(fault::invalid(place.as_str(), default, "must not have unknown fields"));
        }
        if let Err(why) = read {
            causes.push(fault::invalid(place.as_str(), default, &why));
        } else {
            let mut wrong = lists::embedded(&node, default, &place);
            if wrong.is_empty() {
                wrong = values::check(&node, default, None, &place);
            }
            if wrong.is_empty() {
                wrong = rules::check_default(&node, default, &place);
            }
            causes.extend(wrong);
        }
    }
    if schema["items"].is_object() {
        defaults(&schema["items"], &format!("{path}.items"), false, in_meta, causes);
    }
    for (name, field) in fields(schema, "properties") {
        let is_meta = embedded && matches!(name.as_str(), "metadata" | "apiVersion" | "kind");
        defaults(field, &format!("{path}.properties[{name}]"), false, in_meta || is_meta, causes);
    }
}

/// What stands around a schema.
#[derive(Clone, Default)]
struct Around {
    is_root: bool,
    in_meta: bool,
    /// Why defaults may not stand here; empty if they may.
    no_defaults: String,
    /// The list or map within which nothing can be compared with what was.
    uncorrelated: Option<String>,
}

struct Walk {
    causes: Vec<Cause>,
    /// About rules; these come last.
    rules: Vec<Cause>,
    /// Whether rules are looked at all.
    compiles: bool,
}

impl Walk {
    fn schema(&mut self, schema: &Value, path: &str, around: &Around) {
        let at = |key: &str| format!("{path}.{key}");
        let before = self.causes.len();
        self.keywords(schema, path, around);
        if flag(schema, "uniqueItems") {
            let told = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
            self.causes.push(fault::forbidden(at("uniqueItems"), told));
        }
        if let Some(additional) = schema.get("additionalProperties") {
            if fields(schema, "properties").next().is_some() && *additional != true {
                let told = "additionalProperties and properties are mutual exclusive";
                self.causes.push(fault::forbidden(at("additionalProperties"), told));
            }
            if additional.is_object() {
                let mut below = Around { is_root: false, ..around.clone() };
                if around.in_meta {
                    below.no_defaults = "inside additionalProperties applying to object metadata".into();
                }
                self.schema(additional, &at("additionalProperties"), &below);
            }
        }
        let is_object = around.is_root || flag(schema, "x-kubernetes-embedded-resource");
        for (name, field) in fields(schema, "properties") {
            let mut below = Around { is_root: false, ..around.clone() };
            if is_object && matches!(name.as_str(), "metadata" | "kind" | "apiVersion") {
                below.in_meta = true;
                if around.is_root {
                    below.no_defaults = format!("in top-level {name}");
                }
            }
            self.schema(field, &at(&format!("properties[{name}]")), &below);
        }
        let below = Around { is_root: false, ..around.clone() };
        if let Some(not) = schema.get("not") {
            self.alternative(not, &at("not"), &below);
        }
        for key in ["allOf", "oneOf", "anyOf"] {
            for (index, one) in elements(schema, key) {
                self.alternative(one, &at(&format!("{key}[{index}]")), &below);
            }
        }
        if schema["items"].is_object() {
            let mut below = below;
            if schema["x-kubernetes-list-type"] != "map" && below.uncorrelated.is_none() {
                below.uncorrelated = Some(path.to_owned());
            }
            self.schema(&schema["items"], &at("items"), &below);
        }
        self.extensions(schema, path);
        super::schema_lists::check(schema, path, &mut self.causes);
        self.check_rules(schema, path, around, before);
    }

    /// Rules in alternatives are not compiled.
    fn alternative(&mut self, schema: &Value, path: &str, around: &Around) {
        let compiles = std::mem::take(&mut self.compiles);
        self.schema(schema, path, around);
        self.compiles = compiles;
    }

    fn keywords(&mut self, schema: &Value, path: &str, around: &Around) {
        let at = |key: &str| format!("{path}.{key}");
        let kind = text(schema, "type");
        let types = ["array", "boolean", "integer", "number", "object", "string"];
        if !kind.is_empty() && !types.contains(&kind) {
            self.causes.push(fault::not_supported(at("type"), &kind.into(), &types));
        }
        if schema.get("default").is_some() && !around.no_defaults.is_empty() {
            let told = format!("must not be set {}", around.no_defaults);
            self.causes.push(fault::forbidden(at("default"), &told));
        }
        let unsupported =
            ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"];
        for key in unsupported.into_iter().filter(|key| schema.get(*key).is_some()) {
            self.causes.push(fault::forbidden(at(key), &format!("{key} is not supported")));
        }
        if kind == "null" {
            let told = "type cannot be set to null, use nullable as an alternative";
            self.causes.push(fault::forbidden(at("type"), told));
        }
        if schema["items"].is_array() {
            self.causes.push(fault::forbidden(at("items"), "items must be a schema object and not an array"));
        }
        if around.in_meta && flag(schema, "x-kubernetes-embedded-resource") {
            let told = "must not be used inside of resource meta";
            self.causes.push(fault::forbidden(at("x-kubernetes-embedded-resource"), told));
        }
    }

    fn extensions(&mut self, schema: &Value, path: &str) {
        let at = |key: &str| format!("{path}.{key}");
        if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&false.into()) {
            let place = at("x-kubernetes-preserve-unknown-fields");
            self.causes.push(fault::invalid(place, &false.into(), "must be true or undefined"));
        }
        if let Some(map) = schema["x-kubernetes-map-type"].as_str() {
            match text(schema, "type") {
                "object" => {}
                "" => {
                    let told = "must be object if x-kubernetes-map-type is specified";
                    self.causes.push(fault::required(at("type"), told));
                }
                kind => {
                    let told = "must be object if x-kubernetes-map-type is specified";
                    self.causes.push(fault::invalid_text(at("type"), kind, told));
                }
            }
            if !matches!(map, "atomic" | "granular") {
                let place = at("x-kubernetes-map-type");
                self.causes.push(fault::not_supported(place, &map.into(), &["atomic", "granular"]));
            }
        }
    }

    fn check_rules(&mut self, schema: &Value, path: &str, around: &Around, before: usize) {
        for (index, raw) in elements(schema, "x-kubernetes-validations") {
            let place = |key: &str| format!("{path}.x-kubernetes-validations[{index}].{key}");
            let rule = Rule::read(raw);
            self.rule_texts(schema, raw, &rule, &place);
            if !self.compiles || self.causes.len() != before {
                continue;
            }
            let shown = fault::go_struct(&[
                ("Rule", rule.text.as_str().into()),
                ("Message", rule.message.as_str().into()),
                ("MessageExpression", text(raw, "messageExpression").into()),
                ("Reason", raw.get("reason").cloned().unwrap_or_default()),
                ("FieldPath", rule.field.as_str().into()),
                ("OptionalOldSelf", raw.get("optionalOldSelf").cloned().unwrap_or_default()),
            ]);
            if let Some(why) = rule.problem() {
                let told = format!("compilation failed: {why}");
                self.rules.push(fault::invalid_shown(place("rule"), &shown, &told));
            }
            if let Some(why) = rule.message_problem() {
                let told = format!("messageExpression compilation failed: {why}");
                self.rules.push(fault::invalid_shown(place("messageExpression"), &shown, &told));
            }
            if rule.uses_old {
                if let Some(within) = &around.uncorrelated {
                    let told = format!(
                        "oldSelf cannot be used on the uncorrelatable portion of the schema within {within}"
                    );
                    self.rules.push(fault::invalid_text(place("rule"), &rule.text, &told));
                }
            } else if let Some(optional) = raw.get("optionalOldSelf") {
                let told = "may not be set if oldSelf is not used in rule";
                self.rules.push(fault::invalid(place("optionalOldSelf"), optional, told));
            }
        }
    }

    fn rule_texts(&mut self, schema: &Value, raw: &Value, rule: &Rule, place: &dyn Fn(&str) -> String) {
        let has_newline = |text: &str| text.contains(['\n', '\r']);
        let (trimmed, message) = (rule.text.trim(), rule.message.trim());
        let causes = &mut self.causes;
        if trimmed.is_empty() {
            causes.push(fault::required(place("rule"), "rule is not specified"));
        } else if !rule.message.is_empty() && message.is_empty() {
            let told = "must be non-empty if specified";
            causes.push(fault::invalid_text(place("message"), &rule.message, told));
        } else if has_newline(message) {
            causes.push(fault::invalid_text(place("message"), &rule.message, "must not contain line breaks"));
        } else if has_newline(trimmed) && message.is_empty() {
            let told = "message must be specified if rule contains line breaks";
            causes.push(fault::required(place("message"), told));
        }
        let expression = text(raw, "messageExpression");
        if !expression.is_empty() && expression.trim().is_empty() {
            let told = "messageExpression must be non-empty if specified";
            causes.push(fault::required(place("messageExpression"), told));
        }
        let reasons =
            ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
        if raw.get("reason").is_some() && !reasons.contains(&rule.reason.as_str()) {
            causes.push(fault::not_supported(place("reason"), &rule.reason.as_str().into(), &reasons));
        }
        if !rule.field.is_empty() {
            let mut told = Vec::new();
            if rule.field.trim().is_empty() {
                told.push("must be non-empty if specified");
            }
            if has_newline(&rule.field) {
                told.push("must not contain line breaks");
            }
            if field_path::read(&rule.field, schema, true).is_err() {
                told.push("must be a valid path");
            }
            let field = &rule.field;
            causes.extend(told.into_iter().map(|told| fault::invalid_text(place("fieldPath"), field, told)));
        }
    }
}
