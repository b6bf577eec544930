use serde_json::json;

use super::*;
use crate::sandbox::resource::Endpoint;

fn established(mut definition: Value) -> Value {
    let strategy = definition_strategy();
    strategy.decode(&super::definition(), &mut definition, &[], FieldValidation::Strict).unwrap();
    strategy.default(&mut definition);
    definition["status"] = status(&definition, &[], "2024-05-01T12:00:00Z");
    definition
}

fn definition_strategy() -> Arc<dyn crate::sandbox::resource::Strategy> {
    super::definition().strategy
}

/// A kind with this schema of `spec`.
#[expect(clippy::needless_pass_by_value, reason = "called with json! alone")]
fn kind_of(spec: Value) -> Resource {
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "widgets.example.org" },
        "spec": {
            "group": "example.org", "scope": "Namespaced", "names": { "plural": "widgets", "kind": "Widget" },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": { "type": "object", "properties": { "spec": spec } } },
            }],
        },
    });
    let definition = established(definition);
    assert_eq!(definition_strategy().validate_create(&definition), []);
    resources(&definition).remove(0)
}

#[expect(clippy::needless_pass_by_value, reason = "called with json! alone")]
fn widget(spec: Value) -> Value {
    json!({ "apiVersion": "example.org/v1", "kind": "Widget",
        "metadata": { "name": "a", "namespace": "n", "resourceVersion": "1" }, "spec": spec,
    })
}

fn told(kind: &Resource, spec: Value) -> Vec<String> {
    let causes = kind.strategy.validate_create(&widget(spec));
    causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
}

#[test]
fn the_definitions_it_comes_with_all_work() {
    let mut kinds = Vec::new();
    for definition in embedded() {
        let definition = established(definition);
        assert_eq!(
            definition_strategy().validate_create(&definition),
            [],
            "{}",
            definition["metadata"]["name"]
        );
        kinds.extend(resources(&definition).iter().map(|kind| format!("{} {}", kind.version, kind.kind)));
    }
    kinds.sort();
    assert!(
        kinds.contains(&"v2 HelmRelease".to_owned()) && kinds.contains(&"v1 GitRepository".to_owned()),
        "{kinds:?}"
    );
}

#[test]
fn unknown_fields_go_and_defaults_come() {
    let kind = kind_of(json!({
        "type": "object",
        "properties": {
            "size": { "type": "string", "default": "small" },
            "inner": { "type": "object", "default": {}, "properties": { "n": { "type": "integer", "default": 1 } } },
            "list": { "type": "array", "items": { "type": "object", "properties": { "a": { "type": "string" } } } },
            "free": { "x-kubernetes-preserve-unknown-fields": true },
            "nul": { "type": "string", "nullable": true },
            "emb": {
                "type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true,
            },
        },
    }));
    let mut object = widget(json!({
        "size": null, "x": 1, "list": [{ "a": "b", "c": 1.0 }], "free": { "any": [1.0] }, "nul": null,
        "emb": { "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c", "bogus": 1 }, "data": { "a": "b" } },
    }));
    object["metadata"]["labels"] = json!({});
    object["more"] = 1.into();
    let warnings = kind.strategy.decode(&kind, &mut object, &[], FieldValidation::Warn).unwrap();
    assert_eq!(
        warnings,
        ["more", "spec.list[0].c", "spec.x", "spec.emb.metadata.bogus"]
            .map(|path| format!("unknown field \"{path}\""))
    );
    kind.strategy.default(&mut object);
    assert_eq!(
        object,
        widget(json!({
            "size": "small", "inner": { "n": 1 }, "list": [{ "a": "b" }], "free": { "any": [1] }, "nul": null,
            "emb": { "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c" }, "data": { "a": "b" } },
        }))
    );
    let mut object = widget(json!({ "x": 1 }));
    let refused = kind.strategy.decode(&kind, &mut object, &["spec.x".to_owned()], FieldValidation::Strict);
    assert_eq!(
        refused.unwrap_err().message,
        "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: duplicate field \"spec.x\", \
         unknown field \"spec.x\""
    );
}

#[test]
fn values_are_checked_in_the_api_servers_words() {
    let kind = kind_of(json!({
        "type": "object", "required": ["must"],
        "properties": {
            "must": { "type": "string" },
            "size": { "type": "string", "enum": ["a", "b"], "pattern": "^[ab]$", "maxLength": 3 },
            "num": { "type": "number", "multipleOf": 0.5, "maximum": 10 },
            "small": { "type": "integer", "format": "int32", "minimum": 1, "exclusiveMinimum": true },
            "ios": { "x-kubernetes-int-or-string": true, "anyOf": [{ "type": "integer" }, { "type": "string" }] },
            "list": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "maxItems": 2,
                "items": { "type": "object", "required": ["name"], "properties": { "name": { "type": "string" } } },
            },
            "set": { "type": "array", "x-kubernetes-list-type": "set", "items": { "type": "string" }, "minItems": 2 },
            "map": { "type": "object", "additionalProperties": { "type": "string" }, "maxProperties": 1 },
            "when": { "type": "string", "format": "date-time" },
            "one": { "type": "object", "properties": { "a": { "type": "string" }, "b": { "type": "string" } },
                "oneOf": [{ "required": ["a"] }, { "required": ["b"] }] },
            "not": { "type": "string", "not": { "enum": ["no"] } },
        },
    }));
    for (spec, expected) in [
        (json!({}), vec!["spec.must: Required value"]),
        (
            json!({ "must": 1 }),
            vec![
                r#"spec.must: Invalid value: "integer": spec.must in body must be of type string: "integer""#,
            ],
        ),
        (
            json!({ "must": "", "size": "c" }),
            vec![
                "spec.size: Invalid value: \"c\": spec.size in body should match '^[ab]$'",
                r#"spec.size: Unsupported value: "c": supported values: "a", "b""#,
            ],
        ),
        (
            json!({ "must": "", "num": 10.2 }),
            vec![
                "spec.num: Invalid value: 10.2: spec.num in body should be a multiple of 0.5",
                "spec.num: Invalid value: 10.2: spec.num in body should be less than or equal to 10",
            ],
        ),
        (
            json!({ "must": "", "small": 1 }),
            vec!["spec.small: Invalid value: 1: spec.small in body should be greater than 1"],
        ),
        (
            json!({ "must": "", "small": 3_000_000_000_i64 }),
            vec![
                r#"<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.small"#,
            ],
        ),
        (
            json!({ "must": "", "ios": 1.5 }),
            vec![
                r#"spec.ios: Invalid value: "number": spec.ios in body must be of type integer,string: "number""#,
                r#"<nil>: Invalid value: "": "spec.ios" must validate at least one schema (anyOf)"#,
                r#"spec.ios: Invalid value: "number": spec.ios in body must be of type integer: "number""#,
                r#"<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.ios"#,
            ],
        ),
        (
            json!({ "must": "", "list": [{ "name": "a" }, { "name": "a" }] }),
            vec![r#"spec.list[1]: Duplicate value: {"name":"a"}"#],
        ),
        (
            json!({ "must": "", "list": [{ "name": "a" }, {}, { "name": "c" }] }),
            vec!["spec.list[1].name: Required value", "spec.list: Too many: 3: must have at most 2 items"],
        ),
        (
            json!({ "must": "", "set": ["x"] }),
            vec!["spec.set: Invalid value: 1: spec.set in body should have at least 2 items"],
        ),
        (json!({ "must": "", "set": ["x", "x"] }), vec![r#"spec.set[1]: Duplicate value: "x""#]),
        (
            json!({ "must": "", "map": { "a": 1, "b": "c" } }),
            vec![
                "spec.map: Too many: 2: must have at most 1 item",
                r#"spec.map.a: Invalid value: "integer": spec.map.a in body must be of type string: "integer""#,
            ],
        ),
        (
            json!({ "must": "", "when": "now" }),
            vec![r#"spec.when: Invalid value: "now": spec.when in body must be of type date-time: "now""#],
        ),
        (
            json!({ "must": "", "one": { "a": "", "b": "" } }),
            vec![
                "<nil>: Invalid value: \"\": \"spec.one\" must validate one and only one schema (oneOf). Found 2 valid \
                 alternatives",
            ],
        ),
        (
            json!({ "must": "", "not": "no" }),
            vec![r#"<nil>: Invalid value: "": "spec.not" must not validate the schema (not)"#],
        ),
    ] {
        assert_eq!(told(&kind, spec.clone()), expected, "{spec}");
    }
}

#[test]
fn what_was_wrong_before_and_did_not_change_is_left_alone() {
    let kind = kind_of(json!({
        "type": "object",
        "properties": {
            "size": { "type": "string", "maxLength": 1 },
            "n": { "type": "integer", "maximum": 1 },
        },
    }));
    let old = widget(json!({ "size": "long", "n": 1 }));
    let update = |spec: Value| -> Vec<String> {
        let causes = kind.strategy.validate_update(&widget(spec), &old, Endpoint::Main);
        causes.into_iter().map(|cause| cause.field).filter(|field| !field.starts_with("metadata")).collect()
    };
    assert_eq!(update(json!({ "size": "long", "n": 0 })), Vec::<String>::new());
    assert_eq!(update(json!({ "size": "longer", "n": 2 })), ["spec.n", "spec.size"]);
}

#[test]
fn rules_speak_of_what_is_and_what_was() {
    let kind = kind_of(json!({
        "type": "object",
        "x-kubernetes-validations": [
            { "rule": "self.min <= self.max", "message": "min above max" },
            { "rule": "!has(self.a) || self.a.size() < 3", "fieldPath": ".a", "reason": "FieldValueForbidden",
                "messageExpression": "'a is ' + self.a" },
        ],
        "properties": {
            "min": { "type": "integer" }, "max": { "type": "integer" }, "a": { "type": "string" },
            "fixed": { "type": "string", "x-kubernetes-validations": [{ "rule": "self == oldSelf" }] },
            "grows": { "type": "integer",
                "x-kubernetes-validations": [
                    { "rule": "!oldSelf.hasValue() || self > oldSelf.value()", "optionalOldSelf": true, "message": "grow" },
                ] },
        },
    }));
    assert_eq!(told(&kind, json!({ "min": 1, "max": 2, "fixed": "x", "grows": 1 })), Vec::<String>::new());
    assert_eq!(told(&kind, json!({ "min": 3, "max": 2 })), ["spec: Invalid value: min above max"]);
    assert_eq!(told(&kind, json!({ "min": 1, "max": 2, "a": "long" })), ["spec.a: Forbidden: a is long"]);
    assert_eq!(
        told(&kind, json!({ "max": 2 })),
        ["spec: Invalid value: \"object\": no such key: min evaluating rule: min above max"]
    );
    let old = widget(json!({ "min": 1, "max": 2, "fixed": "x", "grows": 5 }));
    let causes = kind.strategy.validate_update(
        &widget(json!({ "min": 1, "max": 2, "fixed": "y", "grows": 4 })),
        &old,
        Endpoint::Main,
    );
    let told: Vec<String> = causes
        .iter()
        .filter(|cause| !cause.field.starts_with("metadata"))
        .map(|cause| format!("{}: {}", cause.field, cause.message))
        .collect();
    assert_eq!(
        told,
        [
            "spec.fixed: Invalid value: \"y\": failed rule: self == oldSelf",
            "spec.grows: Invalid value: 4: grow",
        ]
    );
}
