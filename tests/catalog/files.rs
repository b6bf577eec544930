//! What must agree between the files of the catalog; needs no program.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// A path below `stacks/catalog/packages`.
pub(crate) fn package(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("stacks/catalog/packages").join(path)
}

fn text(path: &str) -> String {
    let path = package(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn schema() -> Value {
    serde_json::from_str(&text("apps/arr-stack/values.schema.json")).expect("the schema is JSON")
}

/// What an API server makes of an empty object: the defaults of the schema, filled in from the outside inwards.
fn defaulted(schema: &Value) -> Value {
    let mut value = schema["default"].clone();
    if let Some(properties) = schema["properties"].as_object() {
        let mut map = value.as_object().cloned().unwrap_or_else(Map::new);
        for (key, property) in properties {
            map.entry(key).or_insert_with(|| defaulted(property));
        }
        value = Value::Object(map);
    }
    value
}

#[test]
fn the_application_definition_carries_the_charts_schema() {
    let definition = text("core/platform/templates/applicationdefinitions.yaml");
    let mut lines = definition.lines().skip_while(|line| !line.trim().starts_with("openAPISchema:"));
    assert_eq!(lines.next().map(str::trim), Some("openAPISchema: |-"));
    let line = lines.next().expect("the schema follows on the next line").trim();
    let carried: Value = serde_json::from_str(line).expect("the whole schema is one line of JSON");
    assert_eq!(carried, schema(), "copy it anew: jq -c . values.schema.json");
}

#[test]
fn the_defaults_of_the_schema_are_the_charts_values() {
    let values: Value =
        serde_saphyr::from_str(&text("apps/arr-stack/values.yaml")).expect("values.yaml is YAML");
    assert_eq!(
        defaulted(&schema()),
        values,
        "Cozystack fills in the schema's defaults, Helm those of values.yaml"
    );
}

/// Cozystack before 1.6 fails on `additionalProperties: true` and `false`, and no version knows conditions.
#[test]
fn the_schema_keeps_to_what_cozystack_reads() {
    fn walk(node: &Value, path: &str, found: &mut Vec<String>) {
        match node {
            Value::Object(map) => {
                for (key, value) in map {
                    let path = format!("{path}/{key}");
                    let bad = ["if", "then", "else", "$ref", "patternProperties", "definitions"]
                        .contains(&key.as_str())
                        || (key == "additionalProperties" && value.is_boolean());
                    if bad {
                        found.push(path.clone());
                    }
                    walk(value, &path, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, path, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(&schema(), "", &mut found);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn the_dashboard_orders_every_key() {
    fn walk(schema: &Value, at: &[&str], keys: &mut Vec<Vec<String>>) {
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            let at = [at, &[key.as_str()]].concat();
            keys.push(at.iter().map(ToString::to_string).collect());
            walk(property, &at, keys);
        }
    }
    let definition = text("core/platform/templates/applicationdefinitions.yaml");
    let line = definition
        .lines()
        .find_map(|line| line.trim().strip_prefix("keysOrder: "))
        .expect("keysOrder is one line");
    let mut ordered: Vec<Vec<String>> = serde_json::from_str(line).expect("keysOrder is a list of paths");
    ordered.retain(|path| path[0] == "spec");
    let mut keys = Vec::new();
    walk(&schema(), &["spec"], &mut keys);
    ordered.sort();
    keys.sort();
    assert_eq!(ordered, keys);
}
