//! Whole objects before and after writes.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::scale::ReplicasPaths;
use super::*;
use crate::path::FieldPath;
use crate::schema::root_of;

fn none(_: &str) -> Option<Schema> {
    None
}

/// One object, written to again and again; every write is a second later than the one before.
struct Stage {
    schema: Schema,
    api_version: &'static str,
    kind: &'static str,
    reset: FieldSet,
    object: Option<Value>,
    second: u32,
}

impl Stage {
    fn new(api_version: &'static str, kind: &'static str) -> Self {
        let schema = Schema::BuiltIn(root_of(api_version, kind));
        let reset = [FieldPath::keys(["status"])].into_iter().collect();
        Self { schema, api_version, kind, reset, object: None, second: 0 }
    }

    fn config_map() -> Self {
        Self::new("v1", "ConfigMap")
    }

    fn written(
        &mut self,
        write: impl FnOnce(&Schema, Option<&Value>, &Writer<'_>) -> Result<Value, ApiError>,
        manager: &str,
        force: bool,
    ) -> Result<Value, ApiError> {
        self.second += 1;
        let now = format!("2026-01-01T00:00:{:02}Z", self.second);
        let writer = Writer {
            manager,
            force,
            api_version: self.api_version,
            endpoint: Endpoint::Main,
            reset: &self.reset,
            now: &now,
            other_version: &none,
        };
        let object = write(&self.schema, self.object.as_ref(), &writer)?;
        Ok(self.object.insert(object).clone())
    }

    /// Adds the head that every object has.
    fn whole(&self, fields: &Value) -> Value {
        let mut object =
            json!({"apiVersion": self.api_version, "kind": self.kind, "metadata": {"name": "o"}});
        for (key, value) in fields.as_object().into_iter().flatten() {
            match (key.as_str(), value) {
                ("metadata", Value::Object(more)) => {
                    for (key, value) in more {
                        object["metadata"][key] = value.clone();
                    }
                }
                _ => object[key] = value.clone(),
            }
        }
        object
    }

    fn apply(&mut self, manager: &str, force: bool, fields: &Value) -> Result<Value, ApiError> {
        let applied = self.whole(fields);
        self.written(|schema, live, writer| apply(schema, live, &applied, writer), manager, force)
    }

    fn update(&mut self, manager: &str, new: Value) -> Value {
        let written =
            self.written(|schema, live, writer| Ok(update(schema, live, new, writer)), manager, false);
        written.unwrap()
    }

    fn create(&mut self, manager: &str, fields: &Value) -> Value {
        let new = self.whole(fields);
        self.update(manager, new)
    }
}

/// `manager/operation@second: paths`, one text for each entry, as they are ordered.
fn owners(object: &Value) -> Vec<String> {
    let show = |entry: &Value| {
        let set = Set::from_fields_v1(&entry["fieldsV1"]).unwrap();
        let paths: Vec<String> = set.paths().iter().map(|path| go::path(&path.0)).collect();
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let second = text("time").get(17..19).map_or("-".to_owned(), str::to_owned);
        format!("{}/{}@{second}: {}", text("manager"), text("operation"), paths.join(" "))
    };
    entries_of(object).as_array().into_iter().flatten().map(show).collect()
}

#[test]
fn an_apply_owns_what_it_says_and_takes_away_what_it_said() {
    let mut stage = Stage::config_map();
    stage.apply("a", false, &json!({"data": {"x": "1", "y": "1"}})).unwrap();
    let object = stage.apply("b", false, &json!({"data": {"y": "1", "z": "1"}})).unwrap();
    assert_eq!(object["data"], json!({"x": "1", "y": "1", "z": "1"}));
    assert_eq!(owners(&object), ["a/Apply@01: .data.x .data.y", "b/Apply@02: .data.y .data.z"]);
    let object = stage.apply("a", false, &json!({})).unwrap();
    assert_eq!(object["data"], json!({"y": "1", "z": "1"}));
    assert_eq!(owners(&object), ["b/Apply@02: .data.y .data.z"]);
}

#[test]
fn a_conflict_names_everybody() {
    let mut stage = Stage::config_map();
    stage.apply("a", false, &json!({"data": {"x": "1", "y": "1"}})).unwrap();
    let mut changed = stage.object.clone().unwrap();
    changed["data"]["z"] = "1".into();
    stage.update("u", changed);
    let error = stage.apply("b", false, &json!({"data": {"x": "2", "y": "2", "z": "2"}})).unwrap_err();
    assert_eq!(
        error.message,
        "Apply failed with 3 conflicts: conflicts with \"a\":\n- .data.x\n- .data.y\nconflicts with \"u\" using v1:\n- .data.z"
    );
    let error = stage.apply("b", false, &json!({"data": {"z": "2"}})).unwrap_err();
    assert_eq!(error.message, "Apply failed with 1 conflict: conflict with \"u\" using v1: .data.z");
    let object = stage.apply("b", true, &json!({"data": {"z": "2"}})).unwrap();
    assert_eq!(owners(&object), ["a/Apply@01: .data.x .data.y", "b/Apply@05: .data.z"]);
}

#[test]
fn an_apply_that_changes_nothing_changes_no_time() {
    let mut stage = Stage::config_map();
    let first = stage.apply("a", false, &json!({"data": {"x": "1"}})).unwrap();
    assert_eq!(stage.apply("a", false, &json!({"data": {"x": "1"}})).unwrap(), first);
    // Who joins without a change has no time at all.
    let object = stage.apply("b", false, &json!({"data": {"x": "1"}})).unwrap();
    assert_eq!(owners(&object), ["b/Apply@-: .data.x", "a/Apply@01: .data.x"]);
}

#[test]
fn elements_of_lists_are_shared_by_their_keys() {
    let mut stage = Stage::new("apps/v1", "Deployment");
    let containers = |containers: Value| json!({"spec": {"template": {"spec": {"containers": containers}}}});
    stage
        .apply("a", false, &containers(json!([{"name": "x", "image": "i", "args": ["1"]}, {"name": "y"}])))
        .unwrap();
    stage
        .apply("b", false, &containers(json!([{"name": "z"}, {"name": "x", "env": [{"name": "E"}]}])))
        .unwrap();
    let object = stage.apply("a", false, &containers(json!([{"name": "x", "image": "i"}]))).unwrap();
    assert_eq!(
        object["spec"]["template"]["spec"]["containers"],
        json!([{"name": "z"}, {"name": "x", "image": "i", "env": [{"name": "E"}]}])
    );
    let below = ".spec.template.spec.containers";
    assert_eq!(
        owners(&object),
        [
            format!(
                "b/Apply@02: {below}[name=\"x\"] {below}[name=\"z\"] {below}[name=\"x\"].name {below}[name=\"x\"].env[name=\"E\"] {below}[name=\"x\"].env[name=\"E\"].name {below}[name=\"z\"].name"
            ),
            format!("a/Apply@03: {below}[name=\"x\"] {below}[name=\"x\"].image {below}[name=\"x\"].name"),
        ]
    );
}

#[test]
fn free_form_values_are_owned_as_they_are_written() {
    let mut stage = Stage::new("helm.toolkit.fluxcd.io/v2", "HelmRelease");
    let values = |values: Value| json!({"spec": {"values": values}});
    stage.apply("a", false, &values(json!({"m": {"k": 1}, "l": [1, 2], "t": "x"}))).unwrap();
    let error = stage.apply("b", false, &values(json!({"m": "text", "l": [1], "t": {"k": 1}}))).unwrap_err();
    let fields: Vec<String> = error.details.unwrap().causes.into_iter().map(|cause| cause.field).collect();
    assert_eq!(fields, [".spec.values.l", ".spec.values.m", ".spec.values.t"]);
    let object = stage.apply("b", true, &values(json!({"m": "text", "l": [1], "t": {"k": 1}}))).unwrap();
    assert_eq!(object["spec"]["values"], json!({"m": "text", "l": [1], "t": {"k": 1}}));
}

#[test]
fn a_create_owns_what_the_kind_does_not_have_by_nature() {
    let mut stage = Stage::new("apps/v1", "Deployment");
    let spec = json!({"strategy": {"type": "Recreate"}, "template": {"metadata": {}, "spec": {"containers": [{"name": "c"}], "volumes": []}}});
    let object = stage
        .create("m", &json!({"metadata": {"labels": {"l": "m"}}, "spec": spec, "status": {"replicas": 1}}));
    let fields = json!({
        "f:metadata": {"f:labels": {".": {}, "f:l": {}}},
        "f:spec": {"f:strategy": {"f:type": {}}, "f:template": {"f:spec": {
            "f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:name": {}}}, "f:volumes": {}}}},
    });
    assert_eq!(object["metadata"]["managedFields"][0]["fieldsV1"], fields);
}

#[test]
fn entries_of_a_client() {
    let mut stage = Stage::config_map();
    let created = stage.create("m", &json!({"data": {"x": "1"}}));
    for reset in [json!([]), json!([{}])] {
        let mut new = created.clone();
        new["metadata"]["managedFields"] = reset;
        stage.object = Some(created.clone());
        let untracked = stage.update("m", new);
        assert_eq!(untracked["metadata"], json!({"name": "o"}));
        let object = stage.apply("a", false, &json!({"data": {"y": "1"}})).unwrap();
        let owners: Vec<String> =
            owners(&object).iter().map(|text| text.split('@').next().unwrap().to_owned()).collect();
        assert_eq!(owners, ["a/Apply", "before-first-apply/Update"]);
    }
    stage.object = Some(created.clone());
    let mut new = created.clone();
    new["metadata"]["managedFields"] = json!([{"manager": "x", "operation": "Never"}]);
    assert_eq!(stage.update("u", new), created, "what cannot be read is not taken");
    let error = stage.apply("a", false, &json!({"metadata": {"managedFields": []}})).unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (400, "metadata.managedFields must be nil"));
}

#[test]
fn the_oldest_of_many_updaters_become_ancient() {
    let mut stage = Stage::config_map();
    stage.create("m00", &json!({"data": {"k00": ""}}));
    for n in 1..12 {
        let mut new = stage.object.clone().unwrap();
        new["data"][format!("k{n:02}")] = "".into();
        stage.update(&format!("m{n:02}"), new);
    }
    let owners = owners(stage.object.as_ref().unwrap());
    assert_eq!(owners.len(), 10);
    assert_eq!(owners[0], "ancient-changes/Update@03: .data .data.k00 .data.k01 .data.k02");
    assert_eq!(owners[9], "m11/Update@12: .data.k11");
}

#[test]
fn what_is_no_object_of_the_kind_is_told_as_the_api_server_does() {
    let cases = [
        (json!({"date": {}}), ".date: field not declared in schema"),
        (json!({"data": {"k": 1.5}}), ".data.k: expected string, got &value.valueUnstructured{Value:1.5}"),
        (json!({"data": [1]}), ".data: expected map, got &{[1]}"),
        (json!({"immutable": "no"}), ".immutable: expected boolean, got &{no}"),
        (
            json!({"metadata": {"finalizers": ["a", "a"]}}),
            ".metadata.finalizers: duplicate entries for key [=\"a\"]",
        ),
        (
            json!({"metadata": {"generation": "1"}}),
            ".metadata.generation: expected numeric (int or float), got string",
        ),
        (
            json!({"metadata": {"ownerReferences": [null]}, "data": {"k": []}}),
            "errors:\n  .data.k: expected string, got &value.valueUnstructured{Value:[]interface {}{}}\n  \
             .metadata.ownerReferences: element 0: associative list with keys may not have a null element",
        ),
    ];
    for (fields, message) in cases {
        let error = Stage::config_map().apply("a", false, &fields).unwrap_err();
        let expected = format!("failed to create typed patch object (/o; /v1, Kind=ConfigMap): {message}");
        assert_eq!((error.code, error.reason, error.message), (500, "", expected));
    }
}

#[test]
fn kubectl_takes_over_what_its_client_side_apply_wrote() {
    let mut stage = Stage::config_map();
    let annotation = "kubectl.kubernetes.io/last-applied-configuration";
    let last = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "o"}, "data": {"x": "1", "y": "0"}});
    stage.create(
        "m",
        &json!({"metadata": {"annotations": {annotation: last.to_string()}}, "data": {"x": "1", "y": "1"}}),
    );
    assert!(stage.apply("other", false, &json!({"data": {"x": "2"}})).is_err());
    let error = stage.apply("kubectl", false, &json!({"data": {"x": "2", "y": "2"}})).unwrap_err();
    assert_eq!(error.message, "Apply failed with 1 conflict: conflict with \"m\" using v1: .data.y");
    let object = stage.apply("kubectl", false, &json!({"data": {"x": "2"}})).unwrap();
    let refreshed = "{\"apiVersion\":\"v1\",\"data\":{\"x\":\"2\"},\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"o\"}}\n";
    assert_eq!(object["metadata"]["annotations"][annotation], refreshed);
}

#[test]
fn scale_maps_the_replicas_there_and_back() {
    let mut stage = Stage::new("apps/v1", "Deployment");
    stage.apply("a", false, &json!({"spec": {"replicas": 2, "paused": true}})).unwrap();
    let object = stage.apply("b", false, &json!({"spec": {"paused": true}})).unwrap();
    let path: FieldPath = "spec.replicas".parse().unwrap();
    let paths = ReplicasPaths::from([("apps/v1".to_owned(), Some(path))]);
    let mut scale = json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "o"}, "spec": {"replicas": 2}});
    scale["metadata"]["managedFields"] = to_scale(&object, &paths).unwrap();
    assert_eq!(owners(&scale), ["a/Apply@01: .spec.replicas"]);
    let mut new = scale.clone();
    new["spec"]["replicas"] = 3.into();
    let reset = FieldSet::default();
    let writer = Writer {
        manager: "s",
        force: false,
        api_version: "autoscaling/v1",
        endpoint: Endpoint::Scale,
        reset: &reset,
        now: "2026-01-01T00:00:09Z",
        other_version: &none,
    };
    let new = update(&scale_schema(), Some(&scale), new, &writer);
    let mut object = object;
    object["metadata"]["managedFields"] = from_scale(&object, &new, "apps/v1", &paths).unwrap();
    assert_eq!(
        owners(&object),
        ["b/Apply@-: .spec.paused", "a/Apply@01: .spec.paused", "s/Update@-: .spec.replicas"]
    );
}

#[test]
fn a_write_of_times_alone_keeps_them() {
    let mut stage = Stage::config_map();
    let old = stage.apply("a", false, &json!({"data": {"x": "1"}})).unwrap();
    let mut new = old.clone();
    new["metadata"]["managedFields"][0]["time"] = "2027-01-01T00:00:00Z".into();
    new["metadata"]["resourceVersion"] = "7".into();
    let mut other = new.clone();
    other["data"]["x"] = "2".into();
    let changed = other.clone();
    keep_times(&mut new, &old);
    keep_times(&mut other, &old);
    assert_eq!(new["metadata"]["managedFields"], old["metadata"]["managedFields"]);
    assert_eq!(other, changed);
}

fn map(keys: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let entry = (proptest::sample::select(keys), proptest::sample::select(&["0", "1"][..]));
    proptest::collection::vec(entry, 0..4).prop_map(|entries| {
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), Value::from(value)))
            .collect::<Map<_, _>>()
            .into()
    })
}

fn elements() -> impl Strategy<Value = Value> {
    let element = (proptest::sample::subsequence(vec!["p", "q", "r"], 0..=3), map(&["image", "workingDir"]));
    element.prop_map(|(names, fields)| {
        let element = |name: &&str| {
            let mut element = fields.clone();
            element["name"] = (*name).into();
            element
        };
        names.iter().map(element).collect()
    })
}

/// What may be applied to a Deployment.
fn parts() -> impl Strategy<Value = Value> {
    let finalizers = proptest::sample::subsequence(vec!["x/a", "x/b", "x/c"], 0..=3);
    (map(&["l", "m"]), finalizers, elements(), proptest::option::of(0..3_u8)).prop_map(
        |(labels, finalizers, containers, replicas)| {
            let mut part = json!({
                "metadata": {"labels": labels, "finalizers": finalizers},
                "spec": {"template": {"spec": {"containers": containers}}},
            });
            if let Some(replicas) = replicas {
                part["spec"]["replicas"] = replicas.into();
            }
            part
        },
    )
}

proptest! {
    #[test]
    fn applying_twice_is_applying_once(before in parts(), part in parts()) {
        let mut stage = Stage::new("apps/v1", "Deployment");
        stage.apply("a", false, &before).unwrap();
        let once = stage.apply("b", true, &part).unwrap();
        prop_assert_eq!(stage.apply("b", true, &part).unwrap(), once);
    }

    #[test]
    fn what_was_applied_is_there_and_owned(before in parts(), part in parts()) {
        let mut stage = Stage::new("apps/v1", "Deployment");
        stage.apply("a", false, &before).unwrap();
        let object = stage.apply("b", true, &part).unwrap();
        let mut applied = fields_of(&stage.schema, &stage.whole(&part));
        strip(&mut applied);
        let managers = decode(entries_of(&object)).unwrap();
        let ours = managers.iter().find(|(identity, _)| identity.manager == "b").map(|(_, owned)| owned.set.clone());
        prop_assert_eq!(ours.unwrap_or_default(), applied.clone());
        let there = fields_of(&stage.schema, &object);
        prop_assert!(applied.difference(&there).paths().iter().all(|path| path.0.len() < 3), "{:?}", applied.difference(&there).paths());
    }

    #[test]
    fn what_everybody_gives_up_is_gone(first in parts(), second in parts(), third in parts()) {
        let mut stage = Stage::new("apps/v1", "Deployment");
        for (manager, part) in [("a", &first), ("b", &second), ("c", &third)] {
            stage.apply(manager, true, part).unwrap();
        }
        for manager in ["a", "b", "c"] {
            stage.apply(manager, false, &json!({})).unwrap();
        }
        let object = stage.object.unwrap();
        prop_assert_eq!(entries_of(&object), &Value::Null);
        let left = fields_of(&stage.schema, &object).difference(&fields_of(&stage.schema, &empty::empty("apps/v1", "Deployment")));
        let paths: Vec<String> = left.paths().iter().map(|path| go::path(&path.0)).collect();
        prop_assert_eq!(paths, [".metadata.name"]);
    }
}
