//! Random sequences of requests.

use serde_json::{Value, json};

use super::objects::Kind;
use super::random::Random;

/// Requests to one kind in one namespace, in order.
#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    pub(crate) kind: Kind,
    pub(crate) steps: Vec<Step>,
}

/// One request. In its body, `{rv}` and `{uid}` stand for those of the object as its server last showed it.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) method: &'static str,
    /// Name of the object; none in a POST.
    pub(crate) name: &'static str,
    /// `/status`, or nothing.
    pub(crate) subresource: &'static str,
    pub(crate) query: String,
    pub(crate) content_type: &'static str,
    pub(crate) body: Value,
    /// The body is merged into the object as it was last shown.
    pub(crate) on_live: bool,
}

/// The sequence of a seed.
pub(crate) fn sequence(seed: u64, group: &str) -> Sequence {
    let mut random = Random::new(seed);
    let kind = match random.below(10) {
        0..3 => Kind::ConfigMap,
        3..5 => Kind::Deployment,
        5..7 => Kind::Service,
        _ => Kind::Widget,
    };
    let count = 4 + random.below(10);
    let mut steps = Vec::new();
    for at in 0..count {
        let mut next = step(&mut random, kind, group, at);
        if next.method != "GET" && random.is(8) {
            next.query.push_str("&dryRun=All");
        }
        steps.push(next);
    }
    Sequence { kind, steps }
}

fn step(random: &mut Random, kind: Kind, group: &str, at: usize) -> Step {
    let name = if random.is(80) { "x" } else { "y" };
    let writer = random.one(&["w0", "w1", "w2"]);
    let plain = |method, body| Step {
        method,
        name,
        subresource: "",
        query: format!("?fieldManager={writer}"),
        content_type: "application/json",
        body,
        on_live: false,
    };
    let choice = if at == 0 { random.below(60) } else { random.below(100) };
    match choice {
        0..8 => Step { name: "", ..plain("POST", kind.object(random, group, name, true)) },
        8..55 => apply(random, kind, group, name, at == 0),
        55..66 => {
            let mut body = part(random, kind, group, name);
            sprinkle(random, &mut body);
            Step { content_type: "application/merge-patch+json", ..plain("PATCH", body) }
        }
        66..73 => {
            Step { content_type: "application/json-patch+json", ..plain("PATCH", operations(random, kind)) }
        }
        73..80 => {
            let mut body = kind.object(random, group, name, true);
            match random.below(3) {
                0 => {}
                1 => body["metadata"]["resourceVersion"] = "{rv}".into(),
                _ => body["metadata"]["uid"] = "{uid}".into(),
            }
            plain("PUT", body)
        }
        80..87 => Step { on_live: true, ..plain("PUT", part(random, kind, group, name)) },
        87..92 if kind.has_status() => {
            let body = kind.status(random, group, name);
            let (content_type, query) = match random.below(3) {
                0 => ("application/merge-patch+json", format!("?fieldManager={writer}")),
                _ => (
                    "application/apply-patch+yaml",
                    format!("?fieldManager={writer}&force={}", random.is(50)),
                ),
            };
            Step { subresource: "/status", content_type, query, ..plain("PATCH", body) }
        }
        92..94 if kind.has_scale() => Step {
            subresource: "/scale",
            content_type: "application/merge-patch+json",
            ..plain("PATCH", json!({ "spec": { "replicas": random.below(3) } }))
        },
        94..97 => {
            let body = match random.below(3) {
                0 => json!({ "preconditions": { "uid": "{uid}" } }),
                1 => json!({ "preconditions": { "resourceVersion": "{rv}" } }),
                _ => Value::Null,
            };
            Step { query: "?".into(), ..plain("DELETE", body) }
        }
        _ => Step { query: String::new(), ..plain("GET", Value::Null) },
    }
}

fn apply(random: &mut Random, kind: Kind, group: &str, name: &'static str, whole: bool) -> Step {
    let whole = whole || random.is(35);
    let mut body = kind.object(random, group, name, whole);
    match random.below(14) {
        0 => body["metadata"]["uid"] = "{uid}".into(),
        1 => body["metadata"]["resourceVersion"] = "{rv}".into(),
        _ => {}
    }
    let manager = random.one(&["m0", "m1", "m2"]);
    Step {
        method: "PATCH",
        name,
        subresource: "",
        query: format!("?fieldManager={manager}&force={}", random.is(40)),
        content_type: "application/apply-patch+yaml",
        body,
        on_live: false,
    }
}

/// An object without its name: a merge patch.
fn part(random: &mut Random, kind: Kind, group: &str, name: &str) -> Value {
    let mut body = kind.object(random, group, name, false);
    if let Some(map) = body.as_object_mut() {
        map.remove("apiVersion");
        map.remove("kind");
    }
    if let Some(metadata) = body["metadata"].as_object_mut() {
        metadata.remove("name");
    }
    body
}

/// Takes something away.
fn sprinkle(random: &mut Random, body: &mut Value) {
    let paths = [
        "/data/k0",
        "/data",
        "/metadata/labels",
        "/spec/labels",
        "/spec/set",
        "/spec/replicas",
        "/spec/nested",
        "/spec/free",
    ];
    let path = random.one(&paths);
    if !random.is(40) {
        return;
    }
    if let Some(value) = body.pointer_mut(path) {
        *value = Value::Null;
    }
}

fn operations(random: &mut Random, kind: Kind) -> Value {
    let paths: &[&str] = match kind {
        Kind::ConfigMap => &["/data/k0", "/data/k1", "/metadata/labels/l0", "/data"],
        Kind::Deployment => &[
            "/spec/replicas",
            "/spec/template/spec/containers/0/image",
            "/spec/paused",
            "/metadata/labels/l0",
        ],
        Kind::Service => {
            &["/spec/selector/s0", "/spec/sessionAffinity", "/metadata/labels/l0", "/spec/ports/0/name"]
        }
        Kind::Widget => &[
            "/spec/set/0",
            "/spec/set/-",
            "/spec/elements/0/value",
            "/spec/labels/k0",
            "/spec/free",
            "/spec/count",
        ],
    };
    let mut operations = Vec::new();
    for _ in 0..=random.below(2) {
        let path = random.one(paths);
        let value = match path {
            "/data" | "/spec/free" => json!({ "k1": "patched" }),
            "/spec/replicas" | "/spec/count" => json!(random.below(3)),
            "/spec/paused" => json!(true),
            "/spec/sessionAffinity" => json!("None"),
            _ => json!(random.one(&["a", "z"])),
        };
        let operation = random.one(&["add", "remove", "replace", "test"]);
        operations.push(match operation {
            "remove" => json!({ "op": operation, "path": path }),
            _ => json!({ "op": operation, "path": path, "value": value }),
        });
    }
    operations.into()
}
