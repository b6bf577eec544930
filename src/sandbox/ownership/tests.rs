//! Whole objects before and after writes.

use serde_json::{Value, json};

use super::*;
use crate::schema::root_of;

fn none(_: &str) -> Option<Schema> {
    None
}

fn schema(api_version: &str, kind: &str) -> Schema {
    Schema::BuiltIn(root_of(api_version, kind))
}

struct Stage {
    schema: Schema,
    api_version: String,
    reset: FieldSet,
    object: Option<Value>,
    second: u32,
}

impl Stage {
    fn new(api_version: &str, kind: &str) -> Self {
        Self {
            schema: schema(api_version, kind),
            api_version: api_version.into(),
            reset: FieldSet::default(),
            object: None,
            second: 0,
        }
    }

    fn apply(&mut self, manager: &str, force: bool, applied: &Value) -> Result<&Value, ApiError> {
        self.second += 1;
        let now = format!("2026-01-01T00:00:{:02}Z", self.second);
        let writer = Writer {
            manager,
            force,
            api_version: &self.api_version,
            endpoint: Endpoint::Main,
            reset: &self.reset,
            now: &now,
            other_version: &none,
        };
        let object = apply(&self.schema, self.object.as_ref(), applied, &writer)?;
        Ok(self.object.insert(object))
    }

    fn update(&mut self, manager: &str, new: Value) -> &Value {
        self.second += 1;
        let now = format!("2026-01-01T00:00:{:02}Z", self.second);
        let writer = Writer {
            manager,
            force: false,
            api_version: &self.api_version,
            endpoint: Endpoint::Main,
            reset: &self.reset,
            now: &now,
            other_version: &none,
        };
        let object = update(&self.schema, self.object.as_ref(), new, &writer);
        self.object.insert(object)
    }
}

fn config_map(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}, "data": data})
}

/// `manager/operation` → leaves, one text for each entry.
fn owners(object: &Value) -> Vec<String> {
    let managers = decode(entries_of(object)).unwrap();
    let show = |(identity, owned): (&Identity, &Owned)| {
        let paths: Vec<String> = owned.set.paths().iter().map(|path| go::path(&path.0)).collect();
        format!("{} {} {}", identity.manager, if identity.applied { "A" } else { "U" }, paths.join(" "))
    };
    managers.iter().map(show).collect()
}

#[test]
fn an_apply_owns_what_it_says_and_takes_away_what_it_said() {
    let mut stage = Stage::new("v1", "ConfigMap");
    stage.apply("a", false, &config_map(json!({"x": "1", "y": "1"}))).unwrap();
    let object = stage.apply("b", false, &config_map(json!({"y": "1", "z": "1"}))).unwrap();
    assert_eq!(object["data"], json!({"x": "1", "y": "1", "z": "1"}));
    assert_eq!(owners(object), ["a A .data.x .data.y", "b A .data.y .data.z"]);
    let object = stage.apply("a", false, &config_map(json!({"x": "1"}))).unwrap();
    assert_eq!(object["data"], json!({"x": "1", "y": "1", "z": "1"}));
    let object = stage
        .apply("a", false, &json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}))
        .unwrap();
    assert_eq!(object["data"], json!({"y": "1", "z": "1"}));
    assert_eq!(owners(object), ["b A .data.y .data.z"]);
}

#[test]
fn a_conflict_names_everybody() {
    let mut stage = Stage::new("v1", "ConfigMap");
    stage.apply("a", false, &config_map(json!({"x": "1", "y": "1"}))).unwrap();
    let mut changed = stage.object.clone().unwrap();
    changed["data"]["z"] = "1".into();
    stage.update("u", changed);
    let error = stage.apply("b", false, &config_map(json!({"x": "2", "y": "2", "z": "2"}))).unwrap_err();
    assert_eq!(
        error.message,
        "Apply failed with 3 conflicts: conflicts with \"a\":\n- .data.x\n- .data.y\nconflicts with \"u\" using v1:\n- .data.z"
    );
    let error = stage.apply("b", false, &config_map(json!({"z": "2"}))).unwrap_err();
    assert_eq!(error.message, "Apply failed with 1 conflict: conflict with \"u\" using v1: .data.z");
    let object = stage.apply("b", true, &config_map(json!({"z": "2"}))).unwrap();
    assert_eq!(owners(object), ["a A .data.x .data.y", "b A .data.z"]);
}

#[test]
fn an_apply_that_changes_nothing_changes_no_time() {
    let mut stage = Stage::new("v1", "ConfigMap");
    let first = stage.apply("a", false, &config_map(json!({"x": "1"}))).unwrap().clone();
    let second = stage.apply("a", false, &config_map(json!({"x": "1"}))).unwrap();
    assert_eq!(*second, first);
}

#[test]
fn an_undeclared_field_is_named() {
    let mut stage = Stage::new("v1", "ConfigMap");
    let mut applied = config_map(json!({"x": "1"}));
    applied["date"] = json!({});
    let error = stage.apply("a", false, &applied).unwrap_err();
    assert_eq!(
        (error.code, error.reason, error.message.as_str()),
        (
            500,
            "",
            "failed to create typed patch object (n/c; /v1, Kind=ConfigMap): .date: field not declared in schema"
        )
    );
}
