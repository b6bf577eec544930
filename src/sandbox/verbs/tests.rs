use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::*;
use crate::sandbox::resource::Propagation;
use crate::sandbox::server::Source;
use crate::sandbox::storage::Storage;

/// A server whose clock stands still and whose uids count.
fn server() -> Server {
    let uids = AtomicU64::new(1);
    let source = Source {
        now: Box::new(|| "2026-01-02T03:04:05.678Z".parse().expect("a time")),
        uid: Box::new(move || format!("uid-{}", uids.fetch_add(1, Ordering::Relaxed))),
    };
    Server::new(Storage::in_memory(), source, "127.0.0.1:1".into(), None)
}

fn resource(server: &Server, group: &str, plural: &str) -> Arc<Resource> {
    server.registry.find(group, "v1", plural).expect("it is served")
}

async fn with_namespace() -> Server {
    let server = server();
    let namespaces = resource(&server, "", "namespaces");
    let request = Request::on("", "", "t");
    create(&server, &namespaces, &request, json!({ "metadata": { "name": "n" } }).into())
        .await
        .expect("a namespace");
    server
}

async fn config_map(server: &Server, metadata: Value) -> Result<Answer, ApiError> {
    let maps = resource(server, "", "configmaps");
    create(server, &maps, &Request::on("n", "", "t"), json!({ "metadata": metadata }).into()).await
}

fn message(result: Result<Answer, ApiError>) -> (u16, String) {
    result.map_or_else(|error| (error.code, error.message), |answer| (answer.code, String::new()))
}

#[tokio::test]
async fn a_create_draws_what_is_the_servers() {
    let server = with_namespace().await;
    let made = config_map(&server, json!({ "name": "a", "uid": "mine", "selfLink": "/a" })).await;
    assert_eq!(
        made.expect("a ConfigMap").object,
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": "a", "namespace": "n", "uid": "uid-2", "resourceVersion": "3",
                "creationTimestamp": "2026-01-02T03:04:05Z",
            },
        })
    );
    let again = config_map(&server, json!({ "name": "a" })).await;
    assert_eq!(message(again), (409, "configmaps \"a\" already exists".into()));
}

#[tokio::test]
async fn a_generated_name_is_the_prefix_and_five_letters() {
    let server = with_namespace().await;
    for prefix in ["p-".to_owned(), "x".repeat(70)] {
        let made = config_map(&server, json!({ "generateName": prefix })).await.expect("a ConfigMap");
        let name = metadata::text(&made.object, "name").to_owned();
        let kept = prefix.len().min(58);
        assert_eq!((&name[..kept], name.len()), (&prefix[..kept], kept + 5));
        assert!(
            name[kept..].bytes().all(|letter| b"bcdfghjklmnpqrstvwxz2456789".contains(&letter)),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_dry_run_leaves_nothing() {
    let server = with_namespace().await;
    let maps = resource(&server, "", "configmaps");
    config_map(&server, json!({ "name": "a" })).await.expect("a ConfigMap");
    let before = server.storage.revision();
    let on = |name: &str| Request { dry_run: true, ..Request::on("n", name, "t") };
    let body = || json!({ "metadata": { "name": "b" } }).into();
    assert_eq!(message(create(&server, &maps, &on(""), body()).await), (201, String::new()));
    let body = json!({ "metadata": { "name": "a" }, "data": { "k": "v" } });
    assert_eq!(message(update(&server, &maps, &on("a"), body.into()).await), (200, String::new()));
    let patched = Patch::Merge(json!({ "data": { "k": "w" } }).into());
    assert_eq!(message(patch(&server, &maps, &on("a"), patched).await), (200, String::new()));
    let deleted = delete(&server, &maps, &on("a"), &DeleteOptions::default()).await;
    assert_eq!(message(deleted), (200, String::new()));
    assert_eq!(server.storage.revision(), before);
}

#[tokio::test]
async fn a_write_that_changes_nothing_is_none() {
    let server = with_namespace().await;
    let maps = resource(&server, "", "configmaps");
    let applied = || Patch::Apply {
        object: json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": { "k": "v" },
        })
        .into(),
        force: false,
    };
    let request = Request::on("n", "a", "t");
    let first = patch(&server, &maps, &request, applied()).await.expect("made");
    let second = patch(&server, &maps, &request, applied()).await.expect("the same");
    assert_eq!((first.code, second.code), (201, 200));
    assert_eq!(first.object, second.object);
    let put = update(&server, &maps, &request, second.object.clone().into()).await.expect("the same");
    assert_eq!(put.object, second.object);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_write_is_lost_among_many() {
    let server = Arc::new(with_namespace().await);
    config_map(&server, json!({ "name": "a" })).await.expect("a ConfigMap");
    let writers = (0..40).map(|number| {
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            let maps = resource(&server, "", "configmaps");
            let patched = Patch::Merge(json!({ "data": { format!("k{number}"): "v" } }).into());
            patch(&server, &maps, &Request::on("n", "a", "t"), patched).await.expect("patched");
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("a writer");
    }
    let maps = resource(&server, "", "configmaps");
    let object = get(&server, &maps, &Request::on("n", "a", "")).expect("it is there").object;
    assert_eq!(object["data"].as_object().map(serde_json::Map::len), Some(40));
}

#[tokio::test]
async fn finalizers_hold_an_object() {
    let server = with_namespace().await;
    let maps = resource(&server, "", "configmaps");
    config_map(&server, json!({ "name": "a", "finalizers": ["example.com/a"] })).await.expect("made");
    let request = Request::on("n", "a", "t");
    let options = DeleteOptions { propagation: Some(Propagation::Foreground), ..DeleteOptions::default() };
    let marked = delete(&server, &maps, &request, &options).await.expect("marked").object;
    assert_eq!(marked["metadata"]["finalizers"], json!(["example.com/a", "foregroundDeletion"]));
    assert_eq!(marked["metadata"]["deletionTimestamp"], "2026-01-02T03:04:05Z");
    let freed = Patch::Merge(json!({ "metadata": { "finalizers": null } }).into());
    patch(&server, &maps, &request, freed).await.expect("the object as it was last");
    let gone = get(&server, &maps, &request);
    assert_eq!(message(gone), (404, "configmaps \"a\" not found".into()));
}

#[tokio::test]
async fn a_pod_on_a_node_ends_in_its_time() {
    let server = with_namespace().await;
    let pods = resource(&server, "", "pods");
    let pod = json!({
        "metadata": { "name": "p" },
        "spec": { "nodeName": "node", "containers": [{ "name": "c", "image": "i" }] },
    });
    create(&server, &pods, &Request::on("n", "", "t"), pod.into()).await.expect("a pod");
    let request = Request::on("n", "p", "t");
    let ends = |object: &Value| {
        let metadata = &object["metadata"];
        (metadata["deletionTimestamp"].clone(), metadata["deletionGracePeriodSeconds"].clone())
    };
    let in_seconds = |grace| DeleteOptions { grace_period_seconds: grace, ..DeleteOptions::default() };
    let steps: [(Option<i64>, Value, i64); 4] = [
        (None, json!("2026-01-02T03:04:35Z"), 30),
        // Longer than before changes nothing.
        (Some(60), json!("2026-01-02T03:04:35Z"), 30),
        (Some(5), json!("2026-01-02T03:04:10Z"), 5),
        (Some(-3), json!("2026-01-02T03:04:06Z"), 1),
    ];
    for (grace, until, seconds) in steps {
        let object = delete(&server, &pods, &request, &in_seconds(grace)).await.expect("marked").object;
        assert_eq!(ends(&object), (until, json!(seconds)), "{grace:?}");
    }
    delete(&server, &pods, &request, &in_seconds(Some(0))).await.expect("deleted");
    assert_eq!(message(get(&server, &pods, &request)).0, 404);
}

#[tokio::test]
async fn a_namespace_that_goes_takes_nothing_and_ends_by_finalize() {
    let server = with_namespace().await;
    let namespaces = resource(&server, "", "namespaces");
    let request = Request::on("", "n", "t");
    let marked = delete(&server, &namespaces, &request, &DeleteOptions::default()).await.expect("marked");
    assert_eq!(marked.object["status"]["phase"], "Terminating");
    let refused = config_map(&server, json!({ "name": "a" })).await.expect_err("it is going");
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (
            403,
            "configmaps \"a\" is forbidden: unable to create new content in namespace n because it is being \
             terminated"
        )
    );
    let mut object = marked.object;
    object["spec"] = json!({});
    let kept = update(&server, &namespaces, &request, object.clone().into()).await.expect("unchanged");
    assert_eq!(kept.object["spec"]["finalizers"], json!(["kubernetes"]));
    object["metadata"]["resourceVersion"] = Value::Null;
    let finalize = Request { finalize: true, ..request.clone() };
    update(&server, &namespaces, &finalize, object.into()).await.expect("finalized");
    assert_eq!(message(get(&server, &namespaces, &request)).0, 404);
}

#[tokio::test]
async fn a_definition_lives_and_goes_with_its_objects() {
    let server = with_namespace().await;
    let definitions = resource(&server, "apiextensions.k8s.io", "customresourcedefinitions");
    let definition = json!({
        "metadata": { "name": "widgets.example.com" },
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": { "kind": "Widget", "plural": "widgets" },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": {
                    "type": "object", "properties": { "spec": { "type": "object", "properties": {} } },
                } },
            }],
        },
    });
    create(&server, &definitions, &Request::on("", "", "t"), definition.into()).await.expect("defined");
    let widgets = resource(&server, "example.com", "widgets");
    let widget = |name: &str, finalizers: Value| {
        let metadata = json!({ "name": name, "finalizers": finalizers });
        json!({ "apiVersion": "example.com/v1", "kind": "Widget", "metadata": metadata })
    };
    for (name, finalizers) in [("a", Value::Null), ("b", json!(["example.com/b"]))] {
        let request = Request::on("n", "", "t");
        create(&server, &widgets, &request, widget(name, finalizers).into()).await.expect("a widget");
    }
    let request = Request::on("", "widgets.example.com", "t");
    delete(&server, &definitions, &request, &DeleteOptions::default()).await.expect("marked");
    assert_eq!(message(get(&server, &widgets, &Request::on("n", "a", ""))).0, 404);
    // It is served, and stays, as long as an object of it does.
    let widgets = resource(&server, "example.com", "widgets");
    let freed = Patch::Merge(json!({ "metadata": { "finalizers": null } }).into());
    patch(&server, &widgets, &Request::on("n", "b", "t"), freed).await.expect("freed");
    assert_eq!(message(get(&server, &definitions, &request)).0, 404);
    assert!(server.registry.find("example.com", "v1", "widgets").is_none());
}

#[test]
fn a_manager_not_named_is_the_first_word_of_the_user_agent() {
    let long = "b".repeat(200);
    let cases = [
        ("", "kubectl/v1.37 (linux)", "kubectl"),
        ("me", "kubectl/v1.37", "me"),
        ("", "a\u{7}b", "ab"),
        ("", long.as_str(), &long[..128]),
        ("", "", ""),
    ];
    for (manager, user_agent, expected) in cases {
        let request =
            Request { manager: manager.into(), user_agent: user_agent.into(), ..Request::default() };
        assert_eq!(request.manager_name(), expected);
    }
}

#[test]
fn warnings_are_told_once() {
    let request = Request::default();
    request.clone().warn(["a".to_owned(), "b".to_owned()]);
    request.warn(["b".to_owned(), "c".to_owned()]);
    assert_eq!(request.warnings.texts(), ["a", "b", "c"]);
}
