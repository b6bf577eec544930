use std::collections::BTreeSet;
use std::fmt::Write;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::object::Object;
use crate::path::FieldPath;
use crate::plan::Shown;
use crate::schema::{self, Node};

fn root(kind: &str) -> Node {
    schema::kinds().find(|k| k.kind == kind).unwrap().root
}

/// One line per difference, and the proof that it is all of them.
fn lines(root: Node, before: &Value, after: &Value) -> String {
    let diffs = compare(root, before, after);
    let mut made = before.clone();
    apply(root, &mut made, &diffs);
    assert_eq!(&made, after);
    let text = |value: &Option<Value>| value.as_ref().map_or_else(|| "-".to_owned(), Value::to_string);
    let mut lines = String::new();
    for FieldDiff { path, before, after, order } in &diffs {
        let order = if *order { "order of " } else { "" };
        writeln!(lines, "{order}{path}: {} -> {}", text(before), text(after)).unwrap();
    }
    lines
}

fn shown_json(shown: &Shown) -> String {
    serde_json::to_string(shown).unwrap()
}

#[test]
fn a_deployment_changes() {
    let before = json!({"metadata": {"labels": {"a": "1", "b": "2"}, "finalizers": ["x/a", "x/b"]}, "spec": {
        "replicas": 1, "selector": {"matchLabels": {"app": "a"}},
        "template": {"metadata": {"annotations": {"only": "one"}}, "spec": {"containers": [
            {"name": "app", "image": "a:1", "args": ["a"], "ports": [{"containerPort": 80}, {"containerPort": 81}], "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
            {"name": "old", "image": "o"}],
            "tolerations": [{"key": "a"}, {"key": "b"}, {"key": "c"}], "hostAliases": [], "securityContext": {}}}}});
    let after = json!({"metadata": {"labels": {"b": "3", "c": "4"}, "finalizers": ["x/b", "x/c"]}, "spec": {
        "replicas": 2, "paused": true, "selector": {"matchLabels": {"app": "b"}},
        "template": {"metadata": {}, "spec": {"containers": [
            {"name": "new", "image": "n"},
            {"name": "app", "image": "a:2", "args": ["a", "b"], "ports": [{"containerPort": 80, "protocol": "TCP", "name": "w"}], "env": [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]}],
            "tolerations": [{"key": "a", "effect": "NoSchedule"}, {"key": "x"}], "hostAliases": [{"ip": "1.1.1.1"}], "securityContext": {"fsGroup": 1}}}}});
    insta::assert_snapshot!(
        [
            lines(root("Deployment"), &before, &after),
            lines(root("Deployment"), &after, &before),
            lines(root("Deployment"), &json!({}), &before),
        ]
        .join("---\n")
    );
}

#[test]
fn values_of_a_release_change() {
    let before = json!({"spec": {"values": {"a": [1, 2], "b": [{"x": 1}, {"y": 2}], "c": {"d": {"e": 1}}, "f": null, "g": "text", "h": [[1]]}}});
    let after = json!({"spec": {"values": {"a": [2, 1], "b": [{"x": 2}, {"y": 2}, {"z": 3}], "c": {}, "g": {"k": 1}, "h": [[2]], "i": {"j": {}}}}});
    insta::assert_snapshot!(lines(root("HelmRelease"), &before, &after));
}

#[test]
fn what_the_server_owns_never_shows() {
    let mut live = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"}, "status": {"x": 1},
        "metadata": {"name": "a", "uid": "u", "resourceVersion": "1", "generation": 1, "creationTimestamp": "t", "selfLink": "s",
            "managedFields": [{}], "deletionTimestamp": "t", "deletionGracePeriodSeconds": 1}});
    let mut planned = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"}, "metadata": {"name": "a", "uid": "v", "resourceVersion": "2"}});
    normalize(&mut live);
    normalize(&mut planned);
    assert_eq!(compare(root("ConfigMap"), &live, &planned), []);
    assert_eq!(
        live,
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"}, "metadata": {"name": "a"}})
    );
}

const CANARY: &str = "canary-4711";

#[test]
fn secrets_are_never_shown() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"annotations": {
        "kubectl.kubernetes.io/last-applied-configuration": CANARY}}, "data": {"k": CANARY}, "stringData": {"k": CANARY}});
    let pod = |name: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"containers": [
        {"name": name, "env": [{"name": "A", "value": CANARY}, {"name": "B", "value": "plain"}], "args": ["x", CANARY]}]}})
    };
    let paths: BTreeSet<FieldPath> = ["spec.containers[0].env[0].value", "spec.containers[0].args[1]"]
        .iter()
        .map(|path| path.parse().unwrap())
        .collect();
    let mut shown = String::new();
    for (before, after, secrets) in [
        (json!({}), secret.clone(), BTreeSet::new()),
        (
            secret.clone(),
            json!({"apiVersion": "v1", "kind": "Secret", "data": {}, "metadata": {"annotations": {}}}),
            BTreeSet::new(),
        ),
        (json!({}), pod("app"), paths.clone()),
        (
            json!({"spec": {"containers": [{"name": "app", "env": [], "args": [CANARY, CANARY]}]}}),
            pod("app"),
            paths.clone(),
        ),
    ] {
        let desired = if after["kind"] == "Pod" { after.clone() } else { secret.clone() };
        let veil = Veil::new(&desired, &secrets, &BTreeSet::new());
        let root = root(after["kind"].as_str().unwrap());
        let diffs = compare(root, &before, &after);
        assert!(!diffs.is_empty());
        for diff in &diffs {
            let before = shown_json(&veil.before(&diff.path, diff.before.as_ref()));
            let after = shown_json(&veil.after(&diff.path, diff.after.as_ref()));
            writeln!(shown, "{}: {before} -> {after}", diff.path).unwrap();
            assert!(!format!("{diff:?} {veil:?}").contains(CANARY));
        }
    }
    // The scanner finds a planted one.
    assert!(format!("{:?}", Shown::Plain(json!(CANARY))).contains(CANARY));
    assert!(!shown.contains(CANARY), "{shown}");
    insta::assert_snapshot!(shown);
}

#[test]
fn what_is_drawn_is_known_after_apply_unless_the_stack_says_it() {
    let live = json!({"apiVersion": "v1", "kind": "Service", "spec": {}});
    let planned = json!({"apiVersion": "v1", "kind": "Service", "spec": {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "type": "NodePort",
        "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30001}]}});
    let shown = |desired: &Value, late: &[&str]| {
        let late = late.iter().map(|path| path.parse().unwrap()).collect();
        let veil = Veil::new(desired, &BTreeSet::new(), &late);
        let mut lines = String::new();
        for diff in compare(root("Service"), &live, &planned) {
            let after = shown_json(&veil.after(&diff.path, diff.after.as_ref()));
            writeln!(lines, "{}: {after}", diff.path).unwrap();
        }
        lines
    };
    let open = json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}});
    let fixed = json!({"apiVersion": "v1", "kind": "Service", "spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 80, "nodePort": 30001}]}});
    insta::assert_snapshot!([shown(&open, &["spec.type"]), shown(&fixed, &[])].join("---\n"));
    let veil = Veil::of_live(&Object(open));
    let path: FieldPath = "spec.clusterIP".parse().unwrap();
    assert_eq!(veil.after(&path, None), Shown::Absent, "what leaves is not drawn");
}

#[test]
fn the_two_lists() {
    for (group, kind, path, drawn, filled) in [
        ("", "Service", "spec.ports[port=80,protocol=TCP].nodePort", true, false),
        ("", "Service", "spec.ports[port=80,protocol=TCP].port", false, false),
        ("", "Pod", "spec.volumes[name=kube-api-access-x1b2c]", true, false),
        ("", "Pod", "spec.volumes[name=data]", false, false),
        ("batch", "Job", "spec.template.metadata.labels['batch.kubernetes.io/controller-uid']", true, false),
        (
            "batch",
            "CronJob",
            "spec.template.metadata.labels['batch.kubernetes.io/controller-uid']",
            false,
            false,
        ),
        ("", "PersistentVolumeClaim", "spec.volumeName", false, true),
        ("", "PersistentVolumeClaim", "metadata.annotations['pv.kubernetes.io/bind-completed']", false, true),
        ("", "PersistentVolumeClaim", "spec.storageClassName", false, false),
        (
            "admissionregistration.k8s.io",
            "ValidatingWebhookConfiguration",
            "webhooks[name=a].clientConfig.caBundle",
            false,
            true,
        ),
        ("x.example.org", "Thing", "metadata.finalizers[=\"a\"]", false, true),
        (
            "helm.toolkit.fluxcd.io",
            "HelmRelease",
            "metadata.annotations['reconcile.fluxcd.io/requestedAt']",
            false,
            true,
        ),
        ("helm.toolkit.fluxcd.io", "HelmRelease", "spec.suspend", false, false),
    ] {
        let path: FieldPath = path.parse().unwrap();
        assert_eq!(drawn_by_server(group, kind, &path), drawn, "{path}");
        assert_eq!(controller_filled(group, kind, &path, &json!({})), filled, "{path}");
    }
    let token: FieldPath = "data.token".parse().unwrap();
    let of_type = |text: &str| controller_filled("", "Secret", &token, &json!({"type": text}));
    assert!(of_type("kubernetes.io/service-account-token"));
    assert!(!of_type("Opaque"));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        (0..3).prop_map(|n| json!(n)),
        "[ab]".prop_map(|s| json!(s)),
        Just(json!({})),
        Just(json!([]))
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let key = prop_oneof![
            4 => prop_oneof![Just("name"), Just("spec"), Just("template"), Just("containers"), Just("ports"), Just("env")],
            1 => prop_oneof![Just("containerPort"), Just("protocol"), Just("metadata"), Just("finalizers"), Just("tolerations"), Just("x")],
        ];
        prop_oneof![
            1 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            3 => proptest::collection::btree_map(key, inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

/// Lists of elements with names, so that keyed lists really meet.
fn pods() -> impl Strategy<Value = Value> {
    let port = (0..3, proptest::option::of("[TU]"), proptest::option::of("[ab]")).prop_map(
        |(port, protocol, name)| {
            let mut item = json!({"containerPort": port});
            if let Some(protocol) = protocol {
                item["protocol"] = json!(protocol);
            }
            if let Some(name) = name {
                item["name"] = json!(name);
            }
            item
        },
    );
    let container = ("[abc]", proptest::collection::vec(port, 0..4), values())
        .prop_map(|(name, ports, x)| json!({"name": name, "ports": ports, "env": x}));
    (proptest::collection::vec(container, 0..4), proptest::collection::vec("[abc]", 0..4), values())
        .prop_map(|(containers, finalizers, x)| json!({"metadata": {"finalizers": finalizers}, "spec": {"containers": containers, "tolerations": x}}))
}

fn objects() -> impl Strategy<Value = Value> {
    prop_oneof![pods(), values()]
}

proptest! {
    #[test]
    fn an_object_does_not_differ_from_itself(x in objects(), pod in any::<bool>()) {
        let root = if pod { root("Pod") } else { Node::generic() };
        prop_assert_eq!(compare(root, &x, &x), vec![]);
    }

    #[test]
    fn applying_the_differences_gives_the_other(a in objects(), b in objects(), pod in any::<bool>()) {
        let root = if pod { root("Pod") } else { Node::generic() };
        let diffs = compare(root, &a, &b);
        let mut made = a.clone();
        apply(root, &mut made, &diffs);
        prop_assert_eq!(made, b, "{:?}", diffs);
    }

    #[test]
    fn no_path_is_reported_twice(a in objects(), b in objects()) {
        let diffs = compare(root("Pod"), &a, &b);
        let places: BTreeSet<_> = diffs.iter().map(|diff| (&diff.path, diff.order)).collect();
        prop_assert_eq!(places.len(), diffs.len());
    }

    /// Whatever is secret, wherever: no canary comes through.
    #[test]
    fn a_veil_hides_every_secret(a in pods(), b in pods(), which in proptest::collection::vec(any::<prop::sample::Index>(), 1..4)) {
        let mut secrets = BTreeSet::new();
        let mut b = b;
        let leaves: Vec<FieldPath> = compare(Node::any(), &json!({}), &b).into_iter().map(|d| d.path).collect();
        for index in &which {
            if leaves.is_empty() { break }
            let path = index.get(&leaves).clone();
            if let Some(slot) = path.get_mut(&mut b) {
                *slot = json!(CANARY);
                secrets.insert(path);
            }
        }
        b["apiVersion"] = json!("v1");
        b["kind"] = json!("Pod");
        let veil = Veil::new(&b, &secrets, &BTreeSet::new());
        for diff in compare(root("Pod"), &a, &b) {
            let text = format!("{:?} {:?}", veil.before(&diff.path, diff.before.as_ref()), veil.after(&diff.path, diff.after.as_ref()));
            prop_assert!(!text.contains(CANARY), "{} {:?}", text, secrets);
        }
    }
}
