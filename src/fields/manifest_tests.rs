use proptest::prelude::*;
use serde_json::json;

use super::*;

fn recorded(manifest: &Value) -> Vec<String> {
    let text = |name: &str| manifest[name].as_str().unwrap();
    let root = schema::root_of(text("apiVersion"), text("kind"));
    let set = of_manifest(root, manifest);
    for path in set.iter() {
        assert!(value_at(root, manifest, path).is_some(), "{path}");
    }
    set.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_not_there_any_more_is_told() {
    let live = Object(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "spec": {"template": {"spec": {"containers": [
            {"name": "a", "args": ["x", "y"], "env": [{"name": "A", "value": "1"}], "ports": [{"containerPort": 80, "name": "p"}]},
        ]}}},
    }));
    let container = "spec.template.spec.containers[name=a]";
    let paths: Vec<FieldPath> = [
        "env[name=A].value",
        "env[name=B].value",
        "args[7]",
        "command[0]",
        "ports[containerPort=80,protocol=TCP].name",
    ]
    .iter()
    .map(|path| format!("{container}.{path}").parse().unwrap())
    .collect();
    let there: Vec<String> =
        present(&live, &paths).iter().map(|path| path.to_string().replace(container, "")).collect();
    assert_eq!(there, [".args[7]", ".env[name=A].value", ".ports[containerPort=80,protocol=TCP].name"]);
}

#[test]
fn a_deployment() {
    let manifest = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "n", "labels": {"app": "a"}, "annotations": {}, "finalizers": ["x/y", "x/z"],
            "ownerReferences": [{"uid": "u", "kind": "K", "name": "n", "apiVersion": "v1"}]},
        "spec": {
            "selector": {"matchLabels": {"app": "a"}},
            "strategy": {},
            "template": {"metadata": {"creationTimestamp": null}, "spec": {
                "nodeSelector": {"a": "b"},
                "tolerations": [{"key": "a"}],
                "securityContext": {"fsGroup": 1},
                "containers": [{
                    "name": "app", "command": ["sh"], "env": [],
                    "ports": [{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}],
                    "resources": {"limits": {"cpu": 1}},
                    "volumeMounts": [{"name": "v", "mountPath": "/v"}, {"name": "v", "mountPath": "/v"}],
                }],
                "volumes": [{"name": "v", "emptyDir": {}}],
            }},
        },
        "status": {"replicas": 1},
    });
    insta::assert_snapshot!(recorded(&manifest).join("\n"));
}

#[test]
fn free_form_values_and_kinds_without_a_structure() {
    let release = json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "a"},
        "spec": {"interval": "1m", "dependsOn": [{"name": "b"}], "values": {"a": {"b": [1, {"c": 2}], "d": {}, "e": null}, "f": []}},
    });
    let custom = json!({
        "apiVersion": "example.org/v1", "kind": "Thing", "metadata": {"name": "a", "labels": {"l": "m"}},
        "spec": {"list": [{"name": "x"}], "map": {"key": {"deep": 1}}}, "top": {"a": 1},
    });
    insta::assert_snapshot!(
        [recorded(&release), recorded(&custom)].map(|paths| paths.join("\n")).join("\n---\n")
    );
}

#[test]
fn positions_become_keys() {
    let root = schema::root_of("apps/v1", "Deployment");
    let manifest = json!({"metadata": {"finalizers": ["a/b"]}, "spec": {"template": {"spec": {"containers": [
        {"name": "app", "ports": [{"containerPort": 80}], "command": ["sh", "-c"]}]}}}});
    for (path, expected) in [
        (
            "spec.template.spec.containers[0].ports[0].hostPort",
            "spec.template.spec.containers[name=app].ports[containerPort=80,protocol=TCP].hostPort",
        ),
        ("spec.template.spec.containers[0].command[1]", "spec.template.spec.containers[name=app].command[1]"),
        ("metadata.finalizers[0]", "metadata.finalizers[=\"a/b\"]"),
        ("spec.template.spec.containers[7].image", "spec.template.spec.containers[7].image"),
        ("spec.unknown[0]", "spec.unknown[0]"),
    ] {
        let path: FieldPath = path.parse().unwrap();
        let canonical = canonical_path(root, &manifest, &path);
        assert_eq!(canonical.to_string(), expected);
        assert_eq!(value_at(root, &manifest, &canonical), path.get(&manifest));
    }
}

#[test]
fn a_value_is_the_same_only_if_the_server_would_store_the_same() {
    let at = |path: &str| {
        let pod = schema::lookup("v1", "Pod").unwrap();
        schema::node_at(pod, &format!("spec.{path}").parse().unwrap()).unwrap()
    };
    for (path, desired, live, same) in [
        ("containers[0].resources.limits.cpu", json!("1000m"), json!("1"), true),
        ("containers[0].resources.limits.cpu", json!(0.5), json!("500m"), true),
        ("containers[0].resources.limits.cpu", json!("1e3"), json!("1k"), false),
        ("containers[0].resources.limits.cpu", json!("1"), json!("2"), false),
        ("containers[0].image", json!("1000m"), json!("1"), false),
        ("nodeSelector", json!({"a": "1"}), json!({"a": "1", "b": "2"}), false),
        ("containers[0].command", json!(["a"]), json!(["a"]), true),
        (
            "containers[0].env[0].valueFrom.resourceFieldRef",
            json!({"resource": "r", "divisor": "1000m"}),
            json!({"resource": "r", "divisor": "1"}),
            true,
        ),
        (
            "containers[0].env[0].valueFrom.resourceFieldRef",
            json!({"resource": "r"}),
            json!({"resource": "r", "divisor": "0"}),
            false,
        ),
    ] {
        assert_eq!(same_value(at(path), &desired, &live), same, "{path} {desired} {live}");
    }
    assert!(!same_value(Node::any(), &json!("1000m"), &json!("1")));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|b| json!(b)),
        (0..3).prop_map(|n| json!(n)),
        "[ab]".prop_map(|s| json!(s))
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::btree_map(
                prop_oneof![
                    Just("name"),
                    Just("spec"),
                    Just("containers"),
                    Just("ports"),
                    Just("containerPort"),
                    Just("protocol"),
                    Just("template"),
                    Just("selector"),
                    Just("x")
                ],
                inner,
                0..4
            )
            .prop_map(|map| Value::Object(map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

proptest! {
    /// Whatever is sent, also what no server would take: nothing panics, what is recorded is there, and
    /// nothing below an atomic place is recorded.
    #[test]
    fn recorded_paths_exist_and_end_at_atomic_places(spec in values(), generic in any::<bool>()) {
        let root = if generic { Node::generic() } else { schema::root_of("apps/v1", "Deployment") };
        let manifest = json!({"spec": spec});
        let set = of_manifest(root, &manifest);
        for path in set.iter() {
            prop_assert!(value_at(root, &manifest, path).is_some(), "{}", path);
            let steps = path.0.split_last().map_or(&[][..], |(_, above)| above);
            let mut node = Some(root);
            for segment in steps {
                node = node.and_then(|n| n.step(segment));
                prop_assert!(!node.is_some_and(Node::is_atomic), "{}", path);
            }
        }
        prop_assert_eq!(FieldSet::from_fields_v1(&set.to_fields_v1()).unwrap(), set);
    }
}
