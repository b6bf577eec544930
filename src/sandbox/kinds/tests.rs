//! What decoding and defaulting do to whole objects.

use serde_json::{Value, json};

use super::built_in;
use crate::sandbox::resource::{FieldValidation, Resource};

fn resource(kind: &str) -> Resource {
    built_in().into_iter().find(|resource| resource.kind == kind).unwrap_or_else(|| panic!("{kind}"))
}

fn decoded(mut object: Value, validation: FieldValidation) -> Result<(Value, Vec<String>), String> {
    let resource = resource(object["kind"].as_str().unwrap());
    match resource.strategy.decode(&resource, &mut object, &[], validation) {
        Ok(warnings) => Ok((object, warnings)),
        Err(error) => Err(error.message),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "called with json! alone")]
fn config_map(rest: Value) -> Value {
    let mut object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" } });
    for (key, value) in rest.as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

#[test]
fn all_kinds_are_there_once() {
    let all = built_in();
    let mut names: Vec<_> = all.iter().map(|one| (&one.group, &one.plural)).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all.len());
    assert_eq!(all.len(), 34);
    let deployment = resource("Deployment");
    assert_eq!(deployment.short_names, ["deploy"]);
    assert_eq!(deployment.categories, ["all"]);
    assert!(deployment.status && deployment.scale.is_some() && deployment.namespaced);
    assert!(!resource("Namespace").verbs.contains(&"deletecollection".to_owned()));
}

#[test]
fn types_are_checked_in_the_words_of_go() {
    let start = "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: ";
    for (rest, expected) in [
        (
            json!({ "data": { "a": 1 } }),
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        (
            json!({ "data": [] }),
            "json: cannot unmarshal array into Go struct field ConfigMap.data of type map[string]string",
        ),
        (
            json!({ "immutable": "x" }),
            "json: cannot unmarshal string into Go struct field ConfigMap.immutable of type bool",
        ),
        (
            json!({ "metadata": "x" }),
            "json: cannot unmarshal string into Go struct field ConfigMap.metadata of type v1.ObjectMeta",
        ),
        (
            json!({ "metadata": { "ownerReferences": [{ "controller": 1 }] } }),
            "json: cannot unmarshal number into Go struct field OwnerReference.metadata.ownerReferences.controller of type bool",
        ),
        (
            json!({ "metadata": { "generation": 1.5 } }),
            "json: cannot unmarshal number 1.5 into Go struct field ObjectMeta.metadata.generation of type int64",
        ),
        (json!({ "binaryData": { "a": "!!" } }), "illegal base64 data at input byte 0"),
    ] {
        assert_eq!(decoded(config_map(rest), FieldValidation::Warn), Err(format!("{start}{expected}")));
    }
}

#[test]
fn fields_that_are_not_there_are_dropped_told_or_refused() {
    let object = || config_map(json!({ "x": 1, "metadata": { "name": "a", "y": {} }, "data": { "k": "v" } }));
    let bare = config_map(json!({ "data": { "k": "v" } }));
    assert_eq!(decoded(object(), FieldValidation::Ignore), Ok((bare.clone(), Vec::new())));
    let told = ["unknown field \"metadata.y\"", "unknown field \"x\""].map(str::to_owned).to_vec();
    assert_eq!(decoded(object(), FieldValidation::Warn), Ok((bare, told.clone())));
    let refused = format!(
        "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: {}",
        told.join(", ")
    );
    assert_eq!(decoded(object(), FieldValidation::Strict), Err(refused));
}

#[test]
fn nulls_and_empty_values_vanish_and_what_go_always_writes_appears() {
    let object = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": { "name": "a", "labels": {}, "annotations": null },
        "spec": { "accessModes": [], "volumeName": "", "resources": { "requests": { "storage": "1024Mi" } } },
    });
    let (mut object, _) = decoded(object, FieldValidation::Strict).unwrap();
    resource("PersistentVolumeClaim").strategy.default(&mut object);
    let expected = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": { "name": "a" },
        "spec": { "resources": { "requests": { "storage": "1Gi" } }, "volumeMode": "Filesystem" },
        "status": { "phase": "Pending" },
    });
    assert_eq!(object, expected);
}

/// Every body of the conformance cases that a real server has accepted as well.
fn accepted() -> Vec<Value> {
    #[derive(serde::Deserialize)]
    struct Case {
        steps: Vec<Value>,
    }
    let text = include_str!("../../../tests/conformance/cases/kinds/objects.yaml");
    let cases: Vec<Case> = serde_saphyr::from_str(text).unwrap();
    let steps = cases.into_iter().flat_map(|case| case.steps);
    steps
        .filter(|step| {
            step["do"].as_str().is_some_and(|what| what.starts_with("POST") || what.starts_with("PUT"))
        })
        .map(|step| step["body"].clone())
        .collect()
}

#[test]
fn what_was_read_and_filled_in_is_read_again_as_it_is() {
    let bodies = accepted();
    assert!(bodies.len() >= 50, "{}", bodies.len());
    for body in bodies {
        let resource = resource(body["kind"].as_str().unwrap());
        let (mut once, _) = decoded(body, FieldValidation::Strict).unwrap();
        resource.strategy.default(&mut once);
        let mut twice = once.clone();
        resource.strategy.default(&mut twice);
        assert_eq!(twice, once, "defaults twice");
        let (mut again, warnings) = decoded(once.clone(), FieldValidation::Strict).unwrap();
        resource.strategy.default(&mut again);
        assert_eq!((again, warnings), (once, Vec::new()), "read again");
    }
}
