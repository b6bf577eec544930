use serde_json::json;

use super::*;
use crate::schema::{Suggestion, lookup};

fn found(api_version: &str, kind: &str, manifest: &Value) -> Vec<String> {
    let kind = lookup(api_version, kind).unwrap_or_else(|| panic!("{kind}"));
    check(kind, manifest)
        .into_iter()
        .map(|Violation { path, problem }| {
            let hint = match &problem {
                Problem::UnknownField { suggestion: Some(Suggestion::Similar(name)), .. }
                | Problem::NotInEnum { suggestion: Some(name), .. } => format!(" (similar: {name})"),
                Problem::UnknownField { suggestion: Some(Suggestion::Elsewhere(path)), .. } => {
                    format!(" (at: {path})")
                }
                Problem::WrongType { quote: Some(key), .. } => format!(" (quote: {key})"),
                _ => String::new(),
            };
            format!("{path}: {problem}{hint}")
        })
        .collect()
}

#[test]
fn a_deployment_with_every_kind_of_mistake() {
    let manifest = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "containers": [],
        "metadata": {"name": "a", "labels": {"team": {"io": "x"}, "n": 1}, "uid": "u", "resourceVersion": "1"},
        "spec": {
            "replica": 1, "replicas": "2", "nodeSelector": {},
            "selector": {"matchLabels": {"app": "a"}, "matchExpressions": [{"key": "a", "operator": "IN"}]},
            "template": {"spec": {
                "restart_policy": "Always",
                "terminationGracePeriodSeconds": 1.5,
                "containers": [
                    {"name": "app", "image": null, "imagePullPolicy": "always",
                     "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "TCP"}, {"containerPort": 3_000_000_000_u64}, {}],
                     "resources": {"limits": {"cpu": 0.5, "memory": "512MB"}},
                     "livenessProbe": {"httpGet": {"port": true}},
                     "env": {"A": "b"}},
                    {"image": "x", "command": "sh"},
                ],
            }},
        },
        "status": {"anything": 1},
    });
    insta::assert_snapshot!(found("apps/v1", "Deployment", &manifest).join("\n"));
}

#[test]
fn other_kinds() {
    let all = [
        found(
            "v1",
            "PersistentVolumeClaim",
            &json!({"storageClassName": "x", "spec": {"storageClasName": "x", "accessMode": ["RWX"], "accessModes": ["ReadWriteMny"], "resources": {"request": {}, "storage": "1Gi"}}}),
        ),
        found(
            "v1",
            "Secret",
            &json!({"data": {"a": "not base64!", "b": "YQ=="}, "stringData": {"c": 1}, "type": "Opaque"}),
        ),
        found(
            "v1",
            "ConfigMap",
            &json!({"data": {"a": true}, "spec": {}, "metadata": {"finalizers": ["a", "a"], "creationTimestamp": null}}),
        ),
        found(
            "helm.toolkit.fluxcd.io/v2",
            "HelmRelease",
            &json!({"spec": {"interval": "5min", "chart": {"sourceRef": {}, "spec": {"chart": "a", "sourceRef": {"kind": "GitRepo", "name": "x"}, "interval": 5}}, "values": {"a": null, "b": [1, "x"]}, "valuesFrom": [{"kind": "Secret"}]}}),
        ),
        found(
            "source.toolkit.fluxcd.io/v1",
            "GitRepository",
            &json!({"spec": {"url": "git@github.com:a/b.git", "interval": "1h", "timeout": "1h", "branch": "main"}}),
        ),
        found(
            "batch/v1",
            "CronJob",
            &json!({"spec": {"schedule": "* * * * *", "containers": [], "jobTemplate": {"spec": {"schedule": "x", "template": {}}}}}),
        ),
        found(
            "networking.k8s.io/v1",
            "Ingress",
            &json!({"spec": {"rules": [{"http": {"paths": [{"path": "/", "backend": {"service": {"name": "a", "port": 80}}}]}}]}}),
        ),
        found("apps.cozystack.io/v1alpha1", "Tenant", &json!({"spec": {"anything": [1]}, "appVersion": "x"})),
        found(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            &json!({"spec": {"group": "g", "scope": "namespaced", "names": {"kind": "K", "plural": "ks"}, "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"tpye": "object", "default": {"any": 1}, "x-kubernetes-preserve-unknown-fields": true}}}}}]}}),
        ),
    ];
    insta::assert_snapshot!(all.iter().map(|lines| lines.join("\n")).collect::<Vec<_>>().join("\n---\n"));
}

/// A tree in which `"?"` is a value of any type and `"?text"` some text.
struct Late(Value);

impl Tree for Late {
    fn view(&self) -> View<'_, Self> {
        match &self.0 {
            Value::String(text) if text == "?" => View::Unknown,
            Value::String(text) if text == "?text" => View::SomeText,
            Value::String(text) => View::String(text),
            Value::Number(number) => View::Number(number),
            Value::Object(map) => View::Map(
                map.iter()
                    .map(|(key, value)| (key.as_str(), &*Box::leak(Box::new(Self(value.clone())))))
                    .collect(),
            ),
            _ => View::Null,
        }
    }
}

#[test]
fn unknown_values_fit_where_their_type_may() {
    let kind = lookup("apps/v1", "Deployment").unwrap();
    let spec = json!({"replicas": "?", "paused": "?", "minReadySeconds": "?text", "selector": "?text", "template": "?", "strategy": {"type": "?text"}});
    let found = check(kind, &Late(json!({"spec": spec})));
    let paths: Vec<String> = found.iter().map(|v| v.path.to_string()).collect();
    assert_eq!(paths, ["spec.minReadySeconds", "spec.selector"]);
}
