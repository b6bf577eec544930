use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::cluster::fake::{Log, Say, config_map, config_maps, namespaces, script, server, status};
use crate::cluster::{DryRun, Retrying, ServedBy, Writer};

async fn get(writer: &Writer) -> Result<Option<Object>, Error> {
    writer.get(&config_maps(), Some("a"), "x").await
}

fn found() -> Say {
    Say::Json(200, config_map("x", "5"))
}

fn methods(log: &Log) -> Vec<String> {
    log.lock().unwrap().iter().map(|got| got.method.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again_and_told() {
    let (writer, log) = script(vec![
        Say::Break,
        Say::Wait(429, 1),
        Say::Text(502, "<html>bad gateway"),
        status(500, "InternalError", "etcdserver: leader changed", json!({})),
        status(503, "ServiceUnavailable", "apiserver is shutting down", json!({ "retryAfterSeconds": 5 })),
        found(),
    ]);
    let told: Arc<Mutex<Vec<Retrying>>> = Arc::default();
    let log_told = told.clone();
    let reader = writer.reader().observed(move |retrying| log_told.lock().unwrap().push(retrying.clone()));
    let start = Instant::now();
    let object = reader.get(&config_maps(), Some("a"), "x").await.unwrap().unwrap();
    assert_eq!(object.resource_version(), "5");
    assert_eq!(log.lock().unwrap().len(), 6);
    // The pauses the server asked for were kept: 1 s and 5 s.
    assert!(start.elapsed() >= Duration::from_secs(6) && start.elapsed() < Duration::from_secs(15));
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 5);
    assert!(told.iter().all(|retrying| retrying.what == "GET configmaps a/x"));
    assert!(told[3].said.contains("leader changed"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn patience_ends() {
    let (writer, _) = server(|_| Say::Break);
    let start = Instant::now();
    assert!(matches!(get(&writer).await, Err(Error::Unavailable(_))));
    assert!(start.elapsed() <= Duration::from_mins(2));

    let (writer, log) = server(|_| Say::Hang);
    let start = Instant::now();
    assert!(matches!(get(&writer).await, Err(Error::Timeout { seconds: 40, .. })));
    assert!(start.elapsed() <= Duration::from_secs(160), "{:?}", start.elapsed());
    assert!(log.lock().unwrap().len() > 1);

    let (writer, _) = server(|_| Say::Wait(429, u64::MAX));
    let start = Instant::now();
    assert!(matches!(get(&writer).await, Err(Error::Unavailable(_))));
    assert!(start.elapsed() <= Duration::from_mins(2), "an absurd Retry-After is capped");

    let webhook = "Internal error occurred: failed calling webhook \"x.y\": connection refused";
    let (writer, _) = server(move |_| status(500, "InternalError", webhook, json!({})));
    let start = Instant::now();
    let error = get(&writer).await.unwrap_err();
    assert!(error.to_string().contains("x.y"), "{error}");
    assert!(start.elapsed() <= Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn mistakes_are_not_tried_again() {
    for (code, reason, text) in [
        (500, "", "failed to create typed patch object: .spec.x: field not declared in schema"),
        (422, "Invalid", "no"),
        (403, "Forbidden", "no"),
        (400, "BadRequest", "no"),
        (409, "Conflict", "the object has been modified"),
    ] {
        let (writer, log) = server(move |_| status(code, reason, text, json!({})));
        let body = json!({});
        assert!(writer.apply(&config_maps(), Some("a"), "x", &body, false).await.is_err());
        assert_eq!(log.lock().unwrap().len(), 1, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_what_may_be_sent_twice_is_sent_twice() {
    let body = config_map("x", "");
    let (writer, log) = script(vec![Say::Break, Say::Json(201, config_map("x", "5"))]);
    let error = writer.create(&config_maps(), Some("a"), &body).await.unwrap_err();
    assert!(error.outcome_unknown());
    assert_eq!(methods(&log), ["POST"]);
    let (writer, log) = script(vec![Say::Break, Say::Json(200, config_map("x", "5"))]);
    assert!(!writer.apply(&config_maps(), Some("a"), "x", &body, false).await.unwrap().created);
    assert_eq!(methods(&log), ["PATCH", "PATCH"]);
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_renewed_once() {
    let denied = || status(401, "Unauthorized", "Unauthorized", json!({}));
    let (writer, log) = script(vec![denied(), found()]);
    assert!(get(&writer).await.unwrap().is_some());
    assert_eq!(methods(&log), ["GET", "LOGIN", "GET"]);
    let (writer, log) = server(move |_| denied());
    assert!(matches!(get(&writer).await, Err(Error::Unauthorized(_))));
    assert_eq!(methods(&log), ["GET", "LOGIN", "GET"]);
}

#[tokio::test(start_paused = true)]
async fn only_the_objects_own_404_is_absence() {
    let missing =
        |name: &str, kind: &str| status(404, "NotFound", "not found", json!({ "name": name, "kind": kind }));
    let (writer, _) = script(vec![missing("x", "configmaps")]);
    assert_eq!(get(&writer).await, Ok(None));
    for say in [
        Say::Text(404, "404 page not found\n"),
        Say::Text(404, "<html>no such host</html>"),
        missing("y", "configmaps"),
        missing("x", "secrets"),
        missing("a", "namespaces"),
        status(403, "Forbidden", "User \"u\" cannot get", json!({})),
        Say::Text(200, "<html>login</html>"),
        Say::Text(200, ""),
        Say::Json(200, json!({ "kind": "Status", "status": "Success" })),
        Say::Json(200, config_map("y", "5")),
        Say::Json(
            200,
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "x", "namespace": "a" } }),
        ),
        Say::Json(
            200,
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "x", "namespace": "b" } }),
        ),
    ] {
        let (writer, _) = script(vec![say]);
        assert!(get(&writer).await.is_err());
    }
}

fn page(names: &[&str], next: Option<&str>) -> Say {
    let items: Vec<_> = names
        .iter()
        .map(|name| json!({ "metadata": { "name": name, "namespace": "a", "uid": name } }))
        .collect();
    Say::Json(
        200,
        json!({
            "kind": "ConfigMapList", "apiVersion": "v1", "items": items,
            "metadata": { "resourceVersion": "7", "continue": next.unwrap_or_default() },
        }),
    )
}

async fn list(answers: Vec<Say>) -> (Result<Vec<String>, Error>, Vec<String>) {
    let (writer, log) = script(answers);
    let listed = writer.list(&config_maps(), Some("a"), Some("x=y")).await;
    let names = listed.map(|objects| objects.iter().map(|object| object.key().to_string()).collect());
    let uris = log.lock().unwrap().iter().map(|got| got.uri.clone()).collect();
    (names, uris)
}

#[tokio::test(start_paused = true)]
async fn lists_are_whole_or_an_error() {
    let expired = || status(410, "Expired", "The provided continue parameter is too old", json!({}));
    let (names, uris) = list(vec![page(&["b"], Some("t1")), page(&["c"], None)]).await;
    assert_eq!(names.unwrap(), ["ConfigMap/a/b", "ConfigMap/a/c"]);
    assert_eq!(
        uris,
        [
            "/api/v1/namespaces/a/configmaps?labelSelector=x%3Dy&limit=500",
            "/api/v1/namespaces/a/configmaps?labelSelector=x%3Dy&limit=500&continue=t1",
        ]
    );
    // What was read before an expired page is thrown away.
    let (names, _) = list(vec![page(&["b"], Some("t1")), expired(), page(&["c"], None)]).await;
    assert_eq!(names.unwrap(), ["ConfigMap/a/c"]);
    let twice =
        vec![page(&["b"], Some("t1")), expired(), page(&["b"], Some("t2")), expired(), page(&["d"], None)];
    let (names, uris) = list(twice).await;
    assert_eq!(names.unwrap(), ["ConfigMap/a/d"]);
    assert!(!uris[4].contains("limit"), "{uris:?}");
    for broken in [
        vec![page(&["b"], Some("t1")), status(403, "Forbidden", "User \"u\" cannot list", json!({}))],
        vec![page(&["b"], Some("t1")), Say::Text(200, "{\"items\":[")],
        vec![page(&["b"], Some("t1")), page(&["c"], Some("t1"))],
        vec![Say::Json(200, json!({ "kind": "ConfigMapList" }))],
        vec![page(&[""], None)],
        vec![Say::Json(
            200,
            json!({ "kind": "ConfigMapList", "items": [{ "metadata": { "name": "x", "namespace": "other" } }] }),
        )],
    ] {
        assert!(list(broken).await.0.is_err());
    }
    let (names, _) = list(vec![Say::Json(200, json!({ "kind": "ConfigMapList", "items": null }))]).await;
    assert_eq!(names.unwrap(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_that_was_no_dry_run_is_seen() {
    let dry = |say| async move {
        let (writer, log) = script(vec![say]);
        let answer =
            writer.dry_run_apply(&config_maps(), Some("a"), "x", &json!({ "kind": "ConfigMap" }), true).await;
        let uri = log.lock().unwrap()[0].uri.clone();
        (answer, uri)
    };
    let mut fresh = config_map("x", "");
    fresh["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    let (answer, uri) = dry(Say::Json(201, fresh)).await;
    assert!(answer.unwrap().created);
    assert_eq!(
        uri,
        "/api/v1/namespaces/a/configmaps/x?fieldManager=arrplan&fieldValidation=Strict&force=true&dryRun=All"
    );
    let (answer, _) = dry(Say::Json(201, config_map("x", "8"))).await;
    assert!(matches!(answer, Err(Error::DryRunPersisted { .. })));
    let (answer, _) = dry(found()).await;
    let answer = answer.unwrap();
    assert!(!answer.created && !answer.moved(&Object(config_map("x", "5"))));
    assert!(answer.moved(&Object(config_map("x", "4"))));

    let (writer, log) = server(|_| found());
    let mut api = config_maps();
    api.served_by = ServedBy::Aggregated;
    let answer = writer.dry_run_apply(&api, Some("a"), "x", &json!({}), false).await;
    assert!(matches!(answer, Err(Error::DryRunUnsupported(_))));
    assert!(log.lock().unwrap().is_empty(), "nothing is sent to an API that may ignore dryRun");
}

#[test]
fn a_persisted_update_shows_in_our_managed_fields_only() {
    let object = |version: &str, ours: &str| {
        let mut value = config_map("x", version);
        value["metadata"]["managedFields"] = json!([
            { "manager": "arrplan", "operation": "Apply", "time": ours },
            { "manager": "kubelet", "operation": "Update", "time": version },
        ]);
        Object(value)
    };
    assert!(!DryRun::persisted(&object("1", "t"), &object("2", "t")));
    assert!(DryRun::persisted(&object("1", "t"), &object("2", "u")));
    // Within one second, a value alone tells.
    let holds = |value: &str| {
        let mut object = object("1", "t");
        object.0["metadata"]["managedFields"][0]["fieldsV1"] = json!({ "f:data": { "f:ours": {} } });
        object.0["data"] = json!({ "ours": value, "theirs": value });
        object
    };
    assert!(DryRun::persisted(&holds("1"), &holds("2")));
    let mut theirs = holds("1");
    theirs.0["data"]["theirs"] = json!("2");
    assert!(!DryRun::persisted(&holds("1"), &theirs));
}

#[tokio::test(start_paused = true)]
async fn identity_version_rights_and_events() {
    let (writer, _) = server(|got| match got.uri.split('?').next().unwrap_or_default() {
        "/api/v1/namespaces/kube-system" => Say::Json(
            200,
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "kube-system", "uid": "u1" } }),
        ),
        "/version" => Say::Json(200, json!({ "gitVersion": "v1.37.1" })),
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => {
            let attributes = &got.body["spec"]["resourceAttributes"];
            Say::Json(
                201,
                json!({ "status": { "allowed": attributes["verb"] == "get" && attributes["namespace"] == "" } }),
            )
        }
        "/api/v1/namespaces/a/events" => Say::Json(
            200,
            json!({ "kind": "EventList", "items": [
                { "metadata": { "name": "e2", "namespace": "a" }, "reason": "B", "message": "later", "count": 3, "lastTimestamp": "2026-01-02T00:00:00Z" },
                { "metadata": { "name": "e1", "namespace": "a" }, "reason": "A", "message": "first", "eventTime": "2026-01-01T00:00:00.000000Z", "series": { "count": 2 } },
            ]}),
        ),
        _ => Say::Text(404, "404 page not found"),
    });
    assert_eq!(writer.identity().await.unwrap().id, "u1");
    assert_eq!(writer.version().await.unwrap(), "v1.37.1");
    assert!(writer.allowed("get", &namespaces(), Some("ignored"), Some("a")).await.unwrap());
    assert!(!writer.allowed("get", &config_maps(), Some("a"), None).await.unwrap());
    let events = writer.warning_events(&Object(config_map("x", "1"))).await.unwrap();
    let told: Vec<(&str, i64)> = events.iter().map(|event| (event.message.as_str(), event.count)).collect();
    assert_eq!(told, [("first", 2), ("later", 3)]);

    let (writer, _) = server(|_| status(403, "Forbidden", "User \"u\" cannot get", json!({})));
    assert_eq!(writer.identity().await.unwrap().kind, IdentityKind::ServerDigest);
    let (writer, _) = server(|_| Say::Text(404, "404 page not found"));
    assert!(writer.identity().await.is_err(), "a server without namespaces is no cluster");
}

/// Everything may run on any thread.
#[test]
fn futures_are_send() {
    fn send<T: Send>(_: &T) {}
    fn all(writer: &Writer, api: &Api) {
        send(&writer.get(api, None, ""));
        send(&writer.list(api, None, None));
        send(&writer.apply(api, None, "", &Value::Null, false));
        send(&writer.discover(&std::collections::BTreeSet::new()));
        let mut watch = writer.watch_object(api, None, "");
        send(&watch.next());
        send(&watch);
    }
    // It is enough that it compiles.
    assert_eq!(size_of_val(&all), 0);
}
