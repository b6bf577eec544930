//! One document.

use serde_json::{Map, Value, json};

use super::schemas::{Schemas, model_name};
use crate::sandbox::resource::Resource;

/// `/openapi/v3/version`.
pub(super) fn version() -> Value {
    let get = json!({ "operationId": "getCodeVersion", "responses": { "200": { "description": "OK" } } });
    document(&json!({ "/version/": { "get": get } }), &json!({}))
}

/// The document of these resources, which are of one group and version.
pub(super) fn of(resources: &[&Resource]) -> Value {
    let (mut paths, mut schemas) = (Map::new(), Schemas::default());
    for resource in resources {
        schemas.add(resource);
        add_paths(resource, &mut paths);
    }
    document(&Value::Object(paths), &schemas.into_value())
}

fn document(paths: &Value, schemas: &Value) -> Value {
    json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes", "version": "v1.37.1" },
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

/// One operation: HTTP method, action, its verb of discovery, its own parameters, whether a body is sent.
type Operation = (&'static str, &'static str, &'static str, &'static [&'static str], bool);

const WRITE: &[&str] = &["dryRun", "fieldManager", "fieldValidation"];
const PATCH: &[&str] = &["dryRun", "fieldManager", "fieldValidation", "force"];
const DELETE: &[&str] = &["dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"];
const LIST: &[&str] = &[
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
];

const COLLECTION: &[Operation] = &[
    ("get", "list", "list", LIST, false),
    ("post", "post", "create", WRITE, true),
    ("delete", "deletecollection", "deletecollection", DELETE, true),
];
const OBJECT: &[Operation] = &[
    ("get", "get", "get", &[], false),
    ("put", "put", "update", WRITE, true),
    ("patch", "patch", "patch", PATCH, true),
    ("delete", "delete", "delete", DELETE, true),
];
const SUBRESOURCE: &[Operation] = &[
    ("get", "get", "get", &[], false),
    ("put", "put", "update", WRITE, true),
    ("patch", "patch", "patch", PATCH, true),
];

fn add_paths(resource: &Resource, paths: &mut Map<String, Value>) {
    let Resource { group, version, plural, .. } = resource;
    let base = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
    let collection = if resource.namespaced {
        format!("{base}/namespaces/{{namespace}}/{plural}")
    } else {
        format!("{base}/{plural}")
    };
    let own = json!({ "group": group, "version": version, "kind": resource.kind });
    let model = model_name(group, version, &resource.kind);
    let mut add = |path: String, operations: &[Operation], kind: &Value, model: &str| {
        let served =
            operations.iter().filter(|operation| resource.verbs.iter().any(|verb| verb == operation.2));
        let mut item: Map<String, Value> = served
            .map(|operation| (operation.0.to_owned(), self::operation(operation, kind, model)))
            .collect();
        if item.is_empty() {
            return;
        }
        item.insert("parameters".into(), parameters(&path));
        paths.insert(path, Value::Object(item));
    };
    add(collection.clone(), COLLECTION, &own, &model);
    add(format!("{collection}/{{name}}"), OBJECT, &own, &model);
    if resource.namespaced {
        add(format!("{base}/{plural}"), &COLLECTION[..1], &own, &model);
    }
    if resource.status {
        add(format!("{collection}/{{name}}/status"), SUBRESOURCE, &own, &model);
    }
    if resource.scale.is_some() {
        let scale = json!({ "group": "autoscaling", "version": "v1", "kind": "Scale" });
        let model = model_name("autoscaling", "v1", "Scale");
        add(format!("{collection}/{{name}}/scale"), SUBRESOURCE, &scale, &model);
    }
}

fn parameters(path: &str) -> Value {
    let named = |name: &str| {
        json!({
            "name": name, "in": "path", "required": true, "schema": { "type": "string", "uniqueItems": true },
        })
    };
    let in_path = ["name", "namespace"].into_iter().filter(|name| path.contains(&format!("{{{name}}}")));
    in_path.map(named).chain([query("pretty")]).collect()
}

fn query(name: &str) -> Value {
    let kind = match name {
        "force" | "watch" | "allowWatchBookmarks" | "sendInitialEvents" | "orphanDependents" => "boolean",
        "limit" | "timeoutSeconds" | "gracePeriodSeconds" => "integer",
        _ => "string",
    };
    json!({ "name": name, "in": "query", "schema": { "type": kind, "uniqueItems": true } })
}

fn operation((method, action, _, own, sends): &Operation, kind: &Value, model: &str) -> Value {
    let reference = |model: &str| json!({ "schema": { "$ref": format!("#/components/schemas/{model}") } });
    let sent = match *action {
        "list" => format!("{model}List"),
        "delete" | "deletecollection" => "io.k8s.apimachinery.pkg.apis.meta.v1.Status".to_owned(),
        _ => model.to_owned(),
    };
    let mut operation = json!({
        "parameters": own.iter().map(|name| query(name)).collect::<Vec<_>>(),
        "responses": { "200": { "description": "OK", "content": { "application/json": reference(&sent) } } },
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": kind,
    });
    if *sends {
        let patch = reference("io.k8s.apimachinery.pkg.apis.meta.v1.Patch");
        operation["requestBody"]["content"] = match *method {
            "patch" => json!({
                "application/apply-patch+yaml": patch,
                "application/json-patch+json": patch,
                "application/merge-patch+json": patch,
            }),
            "delete" => {
                json!({ "application/json": reference("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions") })
            }
            _ => json!({ "application/json": reference(model) }),
        };
    }
    operation
}
