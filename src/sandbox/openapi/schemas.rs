//! What objects are made of.

use serde_json::{Map, Value, json};

use crate::sandbox::resource::Resource;
use crate::schema::{self, Node, Type};

/// The schemas of a document.
#[derive(Debug, Default)]
pub(super) struct Schemas(Map<String, Value>);

/// The name of a kind in documents: `io.k8s.api.apps.v1.Deployment`, `org.example.v1.Widget`.
pub(super) fn model_name(group: &str, version: &str, kind: &str) -> String {
    let is_own = !group.contains('.') || (group.ends_with(".k8s.io") && !group.contains("toolkit"));
    if is_own {
        let short = match group {
            "" => "core",
            "apiextensions.k8s.io" => {
                return format!("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.{version}.{kind}");
            }
            "apiregistration.k8s.io" => {
                return format!("io.k8s.kube-aggregator.pkg.apis.apiregistration.{version}.{kind}");
            }
            group => group.split('.').next().unwrap_or(group),
        };
        return format!("io.k8s.api.{short}.{version}.{kind}");
    }
    let mut parts: Vec<&str> = group.split('.').collect();
    parts.reverse();
    format!("{}.{version}.{kind}", parts.join("."))
}

impl Schemas {
    /// Adds a kind, its list, and what all kinds need.
    pub(super) fn add(&mut self, resource: &Resource) {
        let Resource { group, version, kind, .. } = resource;
        let name = model_name(group, version, kind);
        let own = |kind: &str| json!([{ "group": group, "version": version, "kind": kind }]);
        let mut schema = match &resource.custom {
            Some(definition) => custom(definition, version),
            None => built_in(resource),
        };
        schema["x-kubernetes-group-version-kind"] = own(kind);
        let list = json!({
            "type": "object",
            "required": ["items"],
            "properties": {
                "apiVersion": { "type": "string" },
                "kind": { "type": "string" },
                "metadata": { "$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta" },
                "items": { "type": "array", "items": { "$ref": format!("#/components/schemas/{name}") } },
            },
            "x-kubernetes-group-version-kind": own(&resource.list_kind),
        });
        self.0.insert(name.clone(), schema);
        self.0.insert(format!("{name}List"), list);
        if resource.scale.is_some() {
            let scale = model_name("autoscaling", "v1", "Scale");
            self.0.entry(scale).or_insert_with(|| {
                json!({
                    "type": "object",
                    "x-kubernetes-group-version-kind": [{ "group": "autoscaling", "version": "v1", "kind": "Scale" }],
                })
            });
        }
    }

    /// All of them.
    pub(super) fn into_value(mut self) -> Value {
        let metadata =
            Node::generic().field("metadata").map_or(json!({ "type": "object" }), |node| of_node(node, &[]));
        self.0.insert("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta".into(), metadata);
        for name in ["ListMeta", "Patch", "Status", "DeleteOptions"] {
            let name = format!("io.k8s.apimachinery.pkg.apis.meta.v1.{name}");
            self.0.insert(name, json!({ "type": "object" }));
        }
        Value::Object(self.0)
    }
}

/// A definition's own schema, with what every object has.
fn custom(definition: &Value, version: &str) -> Value {
    let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
    let own = versions.into_iter().find(|candidate| candidate["name"] == version);
    let mut schema =
        own.map_or_else(|| json!({ "type": "object" }), |own| own["schema"]["openAPIV3Schema"].clone());
    if !schema.is_object() {
        schema = json!({ "type": "object" });
    }
    schema["properties"]["apiVersion"] = json!({ "type": "string" });
    schema["properties"]["kind"] = json!({ "type": "string" });
    schema["properties"]["metadata"] = metadata();
    schema
}

fn metadata() -> Value {
    json!({ "$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" })
}

fn built_in(resource: &Resource) -> Value {
    let api_version = match resource.group.as_str() {
        "" => resource.version.clone(),
        group => format!("{group}/{}", resource.version),
    };
    let Some(kind) = schema::lookup(&api_version, &resource.kind) else {
        return json!({ "type": "object" });
    };
    let mut schema = of_node(kind.root, &[]);
    schema["properties"]["metadata"] = metadata();
    schema
}

/// The schema of a place. `above` are the types it lies in: one that lies in itself is told once, and is any object inside.
fn of_node(node: Node, above: &[Node]) -> Value {
    if above.contains(&node) {
        return json!({ "type": "object" });
    }
    let above = &[above, &[node]].concat();
    let list = |more: Value| {
        let items = node.item().map_or(json!({}), |item| of_node(item, above));
        let mut schema = json!({ "type": "array", "items": items });
        if let (Some(schema), Value::Object(more)) = (schema.as_object_mut(), more) {
            schema.extend(more);
        }
        schema
    };
    match node.node_type() {
        Type::Object => {
            let fields: Map<String, Value> =
                node.fields().map(|field| (field.name.to_owned(), of_node(field.node, above))).collect();
            let required: Vec<&str> = node.required().collect();
            let mut schema = json!({ "type": "object", "properties": fields });
            if !required.is_empty() {
                schema["required"] = required.into();
            }
            if node.is_atomic() {
                schema["x-kubernetes-map-type"] = "atomic".into();
            }
            schema
        }
        Type::Map => {
            let values = node.item().map_or(json!({}), |item| of_node(item, above));
            json!({ "type": "object", "additionalProperties": values })
        }
        Type::List => list(json!({ "x-kubernetes-list-type": "atomic" })),
        Type::Set => list(json!({ "x-kubernetes-list-type": "set" })),
        Type::ListMap(keys) => {
            let keys: Vec<&str> = keys.iter().map(|key| key.name).collect();
            list(json!({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys }))
        }
        Type::String | Type::Duration(_) => match node.enum_values() {
            [] => json!({ "type": "string" }),
            values => json!({ "type": "string", "enum": values }),
        },
        Type::Bytes => json!({ "type": "string", "format": "byte" }),
        Type::DateTime => json!({ "type": "string", "format": "date-time" }),
        Type::Quantity => json!({ "oneOf": [{ "type": "string" }, { "type": "number" }] }),
        Type::IntOrString => {
            json!({ "oneOf": [{ "type": "integer" }, { "type": "string" }], "format": "int-or-string" })
        }
        Type::Integer => json!({ "type": "integer" }),
        Type::Number => json!({ "type": "number" }),
        Type::Bool => json!({ "type": "boolean" }),
        Type::Any => json!({ "type": "object" }),
    }
}
