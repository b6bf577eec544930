//! Random objects and parts of objects of four kinds.

use serde_json::{Map, Value, json};

use super::random::Random;

/// What a sequence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    ConfigMap,
    Deployment,
    Service,
    /// Of the definition in [`definition`].
    Widget,
}

impl Kind {
    /// The collection in a namespace.
    pub(crate) fn collection(self, group: &str, namespace: &str) -> String {
        match self {
            Self::ConfigMap => format!("/api/v1/namespaces/{namespace}/configmaps"),
            Self::Deployment => format!("/apis/apps/v1/namespaces/{namespace}/deployments"),
            Self::Service => format!("/api/v1/namespaces/{namespace}/services"),
            Self::Widget => format!("/apis/{group}/v1/namespaces/{namespace}/widgets"),
        }
    }

    /// Whether `status` is a subresource of it.
    pub(crate) fn has_status(self) -> bool {
        !matches!(self, Self::ConfigMap)
    }

    /// Whether `scale` is.
    pub(crate) fn has_scale(self) -> bool {
        matches!(self, Self::Deployment | Self::Widget)
    }

    fn head(self, group: &str, name: &str) -> Map<String, Value> {
        let (api_version, kind) = match self {
            Self::ConfigMap => ("v1".to_owned(), "ConfigMap"),
            Self::Deployment => ("apps/v1".to_owned(), "Deployment"),
            Self::Service => ("v1".to_owned(), "Service"),
            Self::Widget => (format!("{group}/v1"), "Widget"),
        };
        let head = json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": name } });
        head.as_object().cloned().unwrap_or_default()
    }

    /// What an apply or a create may say.
    pub(crate) fn object(self, random: &mut Random, group: &str, name: &str, whole: bool) -> Value {
        let mut object = self.head(group, name);
        // Of a custom object kube-apiserver tells one wrong label three times, two wrong ones five times.
        let may_be_wrong = self != Self::Widget;
        metadata(random, &mut object["metadata"], may_be_wrong);
        if self == Self::Widget
            && let Some(map) = object["metadata"].as_object_mut()
        {
            // kube-apiserver stores the empty maps and lists of a custom object's metadata and does not show them, so
            // that the next write of whatever kind is a change.
            map.retain(|_, value| value != &json!({}) && value != &json!([]));
        }
        match self {
            Self::ConfigMap => config_map(random, &mut object),
            Self::Deployment => {
                object.insert("spec".into(), deployment(random, whole));
            }
            Self::Service => {
                object.insert("spec".into(), service(random, whole));
            }
            Self::Widget => {
                if whole || random.is(90) {
                    object.insert("spec".into(), widget(random));
                }
            }
        }
        Value::Object(object)
    }

    /// A status, as a write through `status` says it.
    pub(crate) fn status(self, random: &mut Random, group: &str, name: &str) -> Value {
        let mut object = self.head(group, name);
        let status = match self {
            Self::ConfigMap => Value::Null,
            Self::Deployment => {
                json!({ "observedGeneration": random.below(3), "conditions": conditions(random) })
            }
            Self::Service => json!({ "conditions": [] }),
            Self::Widget => json!({ "count": random.below(3), "conditions": conditions(random) }),
        };
        object.insert("status".into(), status);
        Value::Object(object)
    }
}

fn conditions(random: &mut Random) -> Value {
    let types = random.some(&["Ready", "Available"]);
    let condition = |kind: &str| json!({ "type": kind, "status": random.one(&["True", "False"]), "reason": "R", "message": "m" });
    types.into_iter().map(condition).collect()
}

fn texts(random: &mut Random, keys: &[&str]) -> Value {
    let keys = random.some(keys);
    keys.into_iter()
        .map(|key| (key.to_owned(), Value::from(random.one(&["0", "1", "x y"]))))
        .collect::<Map<_, _>>()
        .into()
}

fn metadata(random: &mut Random, metadata: &mut Value, may_be_wrong: bool) {
    if random.is(40) {
        metadata["labels"] = texts(random, &["l0", "l1", "example.com/l2"]);
        if random.is(97) || !may_be_wrong {
            for value in metadata["labels"].as_object_mut().into_iter().flat_map(Map::values_mut) {
                // A label may not have a space in it.
                if value == "x y" {
                    *value = "z".into();
                }
            }
        }
    }
    if random.is(25) {
        metadata["annotations"] = texts(random, &["a0", "a1"]);
    }
    if random.is(15) {
        metadata["finalizers"] = random.some(&["example.com/a", "example.com/b", "example.com/c"]).into();
    }
}

fn config_map(random: &mut Random, object: &mut Map<String, Value>) {
    if random.is(85) {
        object.insert("data".into(), texts(random, &["k0", "k1", "k2", "k.3"]));
    }
    if random.is(20) {
        object.insert("binaryData".into(), json!({ "b": "aGk=" }));
    }
    if random.is(3) {
        object.insert("immutable".into(), true.into());
    }
}

fn deployment(random: &mut Random, whole: bool) -> Value {
    let names = random.some(&["a", "b", "c"]);
    let names = if names.is_empty() && whole { vec!["a"] } else { names };
    let containers: Vec<Value> = names.into_iter().map(|name| container(random, name, whole)).collect();
    let mut pod = Map::new();
    if whole || !containers.is_empty() {
        pod.insert("containers".into(), containers.into());
    }
    if random.is(25) {
        let volumes = random.some(&["v", "w"]);
        pod.insert(
            "volumes".into(),
            volumes.into_iter().map(|name| json!({ "name": name, "emptyDir": {} })).collect(),
        );
    }
    if random.is(20) {
        pod.insert("nodeSelector".into(), json!({ random.one(&["n0", "n1"]): random.one(&["0", "1"]) }));
    }
    if random.is(15) {
        pod.insert("tolerations".into(), json!([{ "key": random.one(&["t0", "t1"]), "operator": "Exists" }]));
    }
    let mut template = json!({ "spec": pod });
    let mut spec = Map::new();
    if whole || random.is(50) {
        template["metadata"] = json!({ "labels": { "app": "x" } });
        spec.insert("selector".into(), json!({ "matchLabels": { "app": "x" } }));
    }
    spec.insert("template".into(), template);
    if random.is(50) {
        let replicas = if random.is(10) { Value::Null } else { random.below(4).into() };
        spec.insert("replicas".into(), replicas);
    }
    if random.is(20) {
        spec.insert("strategy".into(), json!({ "type": random.one(&["Recreate", "RollingUpdate"]) }));
    }
    if random.is(20) {
        spec.insert("paused".into(), random.is(50).into());
    }
    Value::Object(spec)
}

fn container(random: &mut Random, name: &str, whole: bool) -> Value {
    let mut container = json!({ "name": name });
    if whole || random.is(70) {
        container["image"] = random.one(&["i", "j"]).into();
    }
    if random.is(30) {
        container["args"] = random.some(&["x", "y"]).into();
    }
    if random.is(40) {
        let names = random.some(&["E", "F", "G"]);
        container["env"] =
            names.into_iter().map(|name| json!({ "name": name, "value": random.one(&["1", "2"]) })).collect();
    }
    if random.is(30) {
        let ports = random.some(&["80", "81"]);
        let port = |text: &str| {
            let number: u16 = text.parse().expect("a port");
            let mut port = json!({ "containerPort": number });
            if random.is(50) {
                port["protocol"] = random.one(&["TCP", "UDP"]).into();
            }
            port
        };
        container["ports"] = ports.into_iter().map(port).collect();
    }
    if random.is(20) {
        container["resources"] = json!({ "limits": { "cpu": random.one(&["1", "500m", "1000m"]) } });
    }
    container
}

fn service(random: &mut Random, whole: bool) -> Value {
    let names = random.some(&["a", "b", "c"]);
    let names = if names.is_empty() && whole { vec!["a"] } else { names };
    let mut spec = Map::new();
    if whole || random.is(80) {
        let port = |name: &str| {
            let number = 80 + name.len() + usize::from(name.as_bytes()[0]) % 4;
            let mut port = json!({ "name": name, "port": number });
            if random.is(40) {
                port["protocol"] = random.one(&["TCP", "UDP"]).into();
            }
            if random.is(40) {
                port["targetPort"] =
                    if random.is(50) { random.below(2).saturating_add(8080).into() } else { "web".into() };
            }
            port
        };
        spec.insert("ports".into(), names.into_iter().map(port).collect());
    }
    if random.is(50) {
        let selector = random
            .some(&["s0", "s1"])
            .into_iter()
            .map(|key| (key.to_owned(), Value::from(random.one(&["0", "1"]))));
        spec.insert("selector".into(), Value::Object(selector.collect()));
    }
    if random.is(20) {
        spec.insert("sessionAffinity".into(), random.one(&["None", "ClientIP"]).into());
    }
    if random.is(15) {
        spec.insert("type".into(), random.one(&["ClusterIP", "NodePort"]).into());
    }
    Value::Object(spec)
}

fn widget(random: &mut Random) -> Value {
    let mut spec = Map::new();
    let mut set = |random: &mut Random, field: &str, value: &mut dyn FnMut(&mut Random) -> Value| {
        if random.is(35) {
            spec.insert(field.to_owned(), value(random));
        }
    };
    set(random, "set", &mut |random| random.some(&["a", "b", "c", "d"]).into());
    set(random, "numbers", &mut |random| {
        random
            .some(&["9", "10", "1.5"])
            .iter()
            .map(|text| serde_json::from_str::<Value>(text).expect("a number"))
            .collect()
    });
    set(random, "elements", &mut |random| {
        let names = random.some(&["x", "y", "z"]);
        names.into_iter().map(|name| element(random, name)).collect()
    });
    set(random, "ports", &mut |random| {
        let protocols = random.some(&["", "TCP", "UDP"]);
        let port = |protocol: &str| match protocol {
            "" => json!({ "port": 1 }),
            other => json!({ "port": 2, "protocol": other, "note": random.one(&["p", "q"]) }),
        };
        protocols.into_iter().map(port).collect()
    });
    set(random, "list", &mut |random| random.some(&["a", "b", "a"]).into());
    set(random, "whole", &mut |random| texts(random, &["a", "b"]));
    set(random, "labels", &mut |random| texts(random, &["k0", "k1", "k2"]));
    set(random, "nested", &mut |random| json!({ "deep": texts(random, &["a", "b"]) }));
    set(random, "either", &mut |random| if random.is(50) { 1.into() } else { "1".into() });
    set(random, "maybe", &mut |random| if random.is(50) { Value::Null } else { "m".into() });
    set(random, "count", &mut |random| random.below(3).into());
    set(random, "free", &mut free);
    Value::Object(spec)
}

fn element(random: &mut Random, name: &str) -> Value {
    let mut element = json!({ "name": name });
    if random.is(60) {
        element["value"] = random.one(&["1", "2"]).into();
    }
    if random.is(40) {
        element["nested"] = texts(random, &["a", "b"]);
    }
    element
}

fn free(random: &mut Random) -> Value {
    let mut free = Map::new();
    for key in random.some(&["f0", "f1", "f2"]) {
        let value = match random.below(6) {
            0 => json!(random.below(3)),
            1 => json!("text"),
            2 => json!(random.some(&["p", "q"])),
            3 => texts(random, &["u", "v"]),
            4 => json!({ "w": { "x": random.below(2) } }),
            _ => Value::Null,
        };
        free.insert(key.to_owned(), value);
    }
    Value::Object(free)
}

/// The definition of widgets.
pub(crate) fn definition(group: &str) -> Value {
    let text = json!({ "type": "string" });
    let texts = json!({ "type": "object", "additionalProperties": text });
    let two = json!({ "type": "object", "properties": { "a": text, "b": text } });
    let conditions = json!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": { "type": "object", "required": ["type"], "properties": {
            "type": text, "status": text, "reason": text, "message": text,
        } },
    });
    let spec = json!({ "type": "object", "properties": {
        "set": { "type": "array", "x-kubernetes-list-type": "set", "items": text },
        "numbers": { "type": "array", "x-kubernetes-list-type": "set", "items": { "type": "number" } },
        "elements": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": { "type": "object", "required": ["name"], "properties": { "name": text, "value": text, "nested": two } },
        },
        "ports": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["port", "protocol"],
            "items": { "type": "object", "required": ["port"], "properties": {
                "port": { "type": "integer" }, "protocol": { "type": "string", "default": "TCP" }, "note": text,
            } },
        },
        "list": { "type": "array", "items": text },
        "whole": { "type": "object", "x-kubernetes-map-type": "atomic", "properties": { "a": text, "b": text } },
        "labels": texts,
        "nested": { "type": "object", "properties": { "deep": two } },
        "either": { "x-kubernetes-int-or-string": true },
        "maybe": { "type": "string", "nullable": true },
        "count": { "type": "integer" },
        "mode": { "type": "string", "default": "usual" },
        "free": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
    } });
    let status = json!({ "type": "object", "properties": { "count": { "type": "integer" }, "conditions": conditions } });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("widgets.{group}") },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": { "plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList" },
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "subresources": {
                    "status": {},
                    "scale": { "specReplicasPath": ".spec.count", "statusReplicasPath": ".status.count" },
                },
                "schema": { "openAPIV3Schema": { "type": "object", "properties": { "spec": spec, "status": status } } },
            }],
        },
    })
}
