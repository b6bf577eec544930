//! What `schema` and `fields` say of a manifest, against what a real API server does with it.

use std::collections::{BTreeMap, BTreeSet};

use arrplan::fields::{self, FieldSet};
use arrplan::object::Object;
use arrplan::path::{FieldPath, Segment};
use arrplan::schema::{self, Kind, Node, Quantity, Type};
use serde_json::{Value, json};
use support::{ControlPlane, Part, Reply, User, eventually};

const CORPUS: &str = include_str!("fields/corpus.json");

/// A control plane that knows every kind of the corpus, and where each kind is served.
struct Bench {
    plane: &'static ControlPlane,
    namespace: String,
    plurals: BTreeMap<(String, String), String>,
}

impl Bench {
    fn new(name: &str) -> Option<Self> {
        let plane = crate::plane(&[Part::FluxCrds])?;
        let definitions = support::program("share/crds/cozystack-definitions")?;
        let definitions = definitions.display().to_string();
        plane.kubectl(&["apply", "--server-side", "--field-manager=installer", "-f", &definitions]).ok();
        let namespace = plane.create_namespace(name);
        let mut plurals = BTreeMap::new();
        let versions: BTreeSet<&str> = schema::kinds().map(|kind| kind.api_version).collect();
        let served = |version: &&str| !version.starts_with("apps.cozystack.io") && serves(plane, version);
        for version in versions.into_iter().filter(served) {
            let root = if version.contains('/') { "apis" } else { "api" };
            let path = format!("/{root}/{version}");
            let reply = eventually(&path, || {
                let reply = plane.request(User::Admin, "GET", &path, None);
                (reply.status == 200).then_some(reply)
            });
            for resource in reply.body["resources"].as_array().unwrap() {
                let text = |name: &str| resource[name].as_str().unwrap().to_owned();
                if !text("name").contains('/') {
                    plurals.insert((version.to_owned(), text("kind")), text("name"));
                }
            }
        }
        Some(Self { plane, namespace, plurals })
    }

    /// The objects of the corpus that can be written here.
    fn corpus(&self) -> Vec<(Kind, Value)> {
        let all = corpus();
        let objects = all.len();
        let served: Vec<_> = all
            .into_iter()
            .filter(|(kind, manifest)| {
                serves(self.plane, kind.api_version) && !self.needs_a_webhook(manifest)
            })
            .collect();
        let out = objects - served.len();
        if out > 0 {
            println!(
                "not for the sandbox, which has no policies, aggregation and webhooks: {out} of {objects} objects"
            );
        }
        assert!(out <= 8, "{out} of {objects} objects");
        served
    }

    fn needs_a_webhook(&self, manifest: &Value) -> bool {
        self.plane.is_sandbox() && manifest["spec"]["conversion"]["strategy"] == "Webhook"
    }

    fn dry_run(&self, kind: Kind, manifest: &Value) -> Reply {
        let root = if kind.api_version.contains('/') { "apis" } else { "api" };
        let plural = &self.plurals[&(kind.api_version.to_owned(), kind.kind.to_owned())];
        let place =
            if kind.namespaced { format!("namespaces/{}/{plural}", self.namespace) } else { plural.clone() };
        let name = manifest["metadata"]["name"].as_str().unwrap();
        let path = format!(
            "/{root}/{}/{place}/{name}?fieldManager=arrplan&dryRun=All&fieldValidation=Strict",
            kind.api_version
        );
        self.plane.request_typed(User::Admin, "PATCH", &path, "application/apply-patch+yaml", Some(manifest))
    }
}

/// Whether objects of this group and version can be written: the sandbox has no admission policies and no aggregation.
fn serves(plane: &ControlPlane, api_version: &str) -> bool {
    let not_here = ["admissionregistration.k8s.io/v1", "apiregistration.k8s.io/v1"];
    !(plane.is_sandbox() && not_here.contains(&api_version))
}

fn corpus() -> Vec<(Kind, Value)> {
    let manifests: Vec<Value> = serde_json::from_str(CORPUS).unwrap();
    manifests
        .into_iter()
        .map(|manifest| {
            let text = |name: &str| manifest[name].as_str().unwrap();
            let kind = schema::lookup(text("apiVersion"), text("kind"));
            (kind.unwrap_or_else(|| panic!("{}", manifest["kind"])), manifest)
        })
        .collect()
}

#[test]
fn what_is_recorded_for_a_manifest_is_what_the_server_records() {
    let Some(bench) = Bench::new("fields") else { return };
    let mut seen = BTreeSet::new();
    for (kind, manifest) in bench.corpus() {
        let what = format!("{} {}", kind.kind, manifest["metadata"]["name"]);
        assert_eq!(schema::check(kind, &manifest), [], "{what}");
        let object = Object(bench.dry_run(kind, &manifest).ok());
        let entries = fields::managers(&object).unwrap();
        let ours = fields::owned_by(&entries, "arrplan").unwrap_or_else(|| panic!("{what}"));
        let predicted = fields::of_manifest(kind.root, &manifest);
        assert_eq!(texts(&predicted), texts(&ours.fields), "{what}");
        assert_eq!(predicted.to_fields_v1(), ours.fields.to_fields_v1(), "{what}");
        // What is owned can be found here, and there unless it is empty: a `false` or `{}` may be owned and yet
        // not be stored.
        for path in predicted.iter() {
            let desired = fields::value_at(kind.root, &manifest, path);
            let desired = desired.unwrap_or_else(|| panic!("{what} {path}"));
            let empty = [json!(false), json!(0), json!(""), json!({}), json!([])].contains(desired);
            assert!(empty || path.get(&object.0).is_some(), "{what} {path}");
        }
        seen.insert((kind.api_version, kind.kind));
    }
    let kinds = schema::kinds().filter(|kind| serves(bench.plane, kind.api_version));
    let known: BTreeSet<_> = kinds.map(|kind| (kind.api_version, kind.kind)).collect();
    let missing: Vec<_> = known.difference(&seen).collect();
    // Applications have an API server of their own; an Event must name the namespace it is about, which a run draws.
    let elsewhere = [&("apps.cozystack.io/v1alpha1", "Tenant"), &("v1", "Event")];
    assert_eq!(missing, elsewhere, "every kind is in the corpus");
}

fn texts(set: &FieldSet) -> Vec<String> {
    set.iter().map(ToString::to_string).collect()
}

/// The places of a manifest, with what the table says of them.
fn places(node: Node, value: &Value, path: &FieldPath, found: &mut Vec<(FieldPath, Node)>) {
    found.push((path.clone(), node));
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if let Some(field) = node.field(key) {
                    places(field, value, &path.key(key), found);
                }
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                if let Some(node) = node.item() {
                    places(node, item, &path.join(Segment::Index(at)), found);
                }
            }
        }
        _ => {}
    }
}

fn all_places(kind: Kind, manifest: &Value) -> Vec<(FieldPath, Node)> {
    let mut found = Vec::new();
    places(kind.root, manifest, &FieldPath::default(), &mut found);
    found
}

/// What the table refuses, the server refuses: a required field taken away, a value outside an enum, a value of
/// another type. A mistake that only the table sees would keep a good stack from being used.
#[test]
fn what_the_table_refuses_the_server_refuses() {
    let Some(bench) = Bench::new("refusals") else {
        return;
    };
    let mut accepted = BTreeSet::new();
    let mut tried = 0;
    for (kind, manifest) in bench.corpus() {
        bench.dry_run(kind, &manifest).ok();
        for (path, node) in all_places(kind, &manifest) {
            let mut mutations: Vec<(String, Value)> = Vec::new();
            for name in node.required() {
                let mut mutated = manifest.clone();
                path.key(name).remove(&mut mutated);
                mutations.push((format!("without {name}"), mutated));
            }
            let wrong = match node.node_type() {
                _ if path.starts_with(&FieldPath::keys(["metadata"])) => vec![],
                Type::String if !node.enum_values().is_empty() => vec![json!("Nonsense")],
                Type::String if !node.url_schemes().is_empty() => vec![json!("ftp://x")],
                Type::String => vec![json!(true), json!(1)],
                Type::Duration(_) => vec![json!("5min")],
                Type::Integer => vec![json!("1"), json!(1.5)],
                Type::Bool => vec![json!("true")],
                Type::Quantity => vec![json!("1GB"), json!(true)],
                Type::DateTime => vec![json!("yesterday")],
                Type::Object | Type::Map => vec![json!([]), json!("x")],
                Type::List | Type::ListMap(_) | Type::Set => vec![json!({}), json!("x")],
                Type::Bytes => vec![json!("%")],
                Type::IntOrString => vec![json!(1.5), json!(true)],
                Type::Number | Type::Any => vec![],
            };
            for value in wrong {
                let mut mutated = manifest.clone();
                if let Some(place) = path.get_mut(&mut mutated).filter(|_| path.0.len() > 1) {
                    place.clone_from(&value);
                    mutations.push((format!("as {value}"), mutated));
                }
            }
            for (what, mutated) in mutations {
                if mutated.pointer("/metadata/name").is_none() {
                    continue;
                }
                assert!(!schema::check(kind, &mutated).is_empty(), "{} {path} {what}", kind.kind);
                tried += 1;
                if bench.dry_run(kind, &mutated).status < 300 {
                    accepted.insert(format!("{} {path} {what}", kind.kind));
                }
            }
        }
    }
    assert!(tried >= 1000, "{tried} cases");
    assert_eq!(accepted, BTreeSet::new(), "{tried} cases");
}

/// Nothing that the server takes is refused here: fields left out, one after the other.
#[test]
fn what_the_server_takes_the_table_takes() {
    let Some(bench) = Bench::new("takes") else { return };
    let mut refused = BTreeSet::new();
    let (mut tried, mut taken) = (0, 0);
    for (kind, manifest) in bench.corpus() {
        for (path, _) in all_places(kind, &manifest) {
            if path.0.len() < 2 || path.0.first() == Some(&Segment::Key("metadata".into())) {
                continue;
            }
            // kube-apiserver 1.37.1 panics on a success policy without completions, and closes the connection.
            if kind.kind == "Job" && path.to_string() == "spec.completions" {
                continue;
            }
            let mut mutated = manifest.clone();
            path.remove(&mut mutated);
            tried += 1;
            if bench.dry_run(kind, &mutated).status < 300 {
                taken += 1;
                for violation in schema::check(kind, &mutated) {
                    refused.insert(format!("{} {}: {}", kind.kind, violation.path, violation.problem));
                }
            }
        }
    }
    assert!(tried >= 500 && taken >= 200, "{taken} of {tried} cases");
    assert_eq!(refused, BTreeSet::new());
}

#[test]
fn quantities_are_kept_as_the_table_says() {
    let Some(bench) = Bench::new("quantities") else {
        return;
    };
    let quota = schema::lookup("v1", "ResourceQuota").unwrap();
    let mut hard = serde_json::Map::new();
    for (at, text) in [
        "1000m", "0.5", "1e3", "1k", "1024Mi", "1.5Gi", "0.1", "1.500", "100e-3", "2048Ki", "+5", "007",
        "12e4", "1Ei", "1000000",
    ]
    .iter()
    .enumerate()
    {
        hard.insert(format!("requests.example.org/r{at}"), json!(text));
    }
    let manifest = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": hard}});
    let made = bench.dry_run(quota, &manifest).ok();
    for (name, sent) in &hard {
        let kept = &made["spec"]["hard"][name];
        let predicted = Quantity::of(sent).unwrap();
        assert_eq!(predicted.stored(), kept.as_str(), "{sent}");
        assert!(Quantity::same_stored(sent, kept));
    }
}
