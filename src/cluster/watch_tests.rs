use serde_json::json;

use super::*;
use crate::cluster::fake::{Log, Say, config_map, config_maps, script, server, status};

fn list(names: &[(&str, &str)]) -> Say {
    let items: Vec<Value> = names.iter().map(|(name, version)| config_map(name, version)).collect();
    Say::Json(
        200,
        json!({ "kind": "ConfigMapList", "items": items, "metadata": { "resourceVersion": "10" } }),
    )
}

fn event(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({ "type": kind, "object": object }))
}

fn uris(log: &Log) -> Vec<String> {
    log.lock().unwrap().iter().map(|got| got.uri.clone()).collect()
}

fn told(observation: &Observation) -> String {
    match observation {
        Observation::Present(object) => format!("at {}", object.resource_version()),
        Observation::Absent => "absent".to_owned(),
        Observation::Trouble(error) => format!("trouble: {error}"),
    }
}

async fn watch(answers: Vec<Say>, count: usize) -> (Vec<String>, Vec<String>) {
    let (writer, log) = script(answers);
    let mut watch = writer.watch_object(&config_maps(), Some("a"), "x");
    let mut seen = Vec::new();
    for _ in 0..count {
        seen.push(told(&watch.next().await));
    }
    (seen, uris(&log))
}

#[tokio::test(start_paused = true)]
async fn a_watch_goes_on_from_where_it_was() {
    let body = [
        event("MODIFIED", &config_map("x", "11")),
        event("MODIFIED", &config_map("other", "12")),
        event("BOOKMARK", &json!({ "kind": "ConfigMap", "metadata": { "resourceVersion": "20" } })),
    ];
    // Cut in the middle of a line, and ended with half of one.
    let body = body.concat();
    let (a, b) = body.split_at(70);
    let first = Say::Stream(vec![a.to_owned(), b.to_owned(), "{\"type\":\"MODI".to_owned()]);
    let second = Say::Stream(vec![event("DELETED", &config_map("x", "21"))]);
    let (seen, uris) = watch(vec![list(&[("x", "5"), ("y", "6")]), first, second], 3).await;
    assert_eq!(seen, ["at 5", "at 11", "absent"]);
    assert!(uris[0].contains("fieldSelector=metadata.name%3Dx") && uris[0].contains("limit=500"), "{uris:?}");
    assert!(uris[1].contains("watch=1") && uris[1].ends_with("resourceVersion=10"), "{uris:?}");
    assert!(uris[2].ends_with("resourceVersion=20"), "{uris:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_is_listed_anew() {
    let gone =
        json!({ "kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version" });
    let in_stream = vec![list(&[("x", "5")]), Say::Stream(vec![event("ERROR", &gone)]), list(&[("x", "9")])];
    assert_eq!(watch(in_stream, 2).await.0, ["at 5", "at 9"]);
    let by_status = vec![list(&[("x", "5")]), status(410, "Gone", "too old", json!({})), list(&[])];
    assert_eq!(watch(by_status, 2).await.0, ["at 5", "absent"]);
}

#[tokio::test(start_paused = true)]
async fn trouble_is_told_and_does_not_end_it() {
    let odd = json!({ "kind": "Status", "code": 500, "message": "etcd is away" });
    let answers = vec![
        list(&[("x", "5")]),
        Say::Stream(vec![event("ERROR", &odd)]),
        list(&[("x", "6")]),
        Say::Stream(vec!["not json\n".to_owned()]),
        list(&[("x", "7")]),
        Say::Stream(vec![event(
            "MODIFIED",
            &json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "x", "namespace": "a" } }),
        )]),
        list(&[("x", "8")]),
        Say::Break,
        Say::Stream(vec![event("MODIFIED", &config_map("x", "9"))]),
    ];
    let (seen, _) = watch(answers, 9).await;
    let short: Vec<&str> = seen.iter().map(|s| s.split(": ").next().unwrap()).collect();
    assert_eq!(
        short,
        ["at 5", "trouble", "at 6", "trouble", "at 7", "trouble", "at 8", "trouble", "at 9"],
        "{seen:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_watch_it_polls_and_without_list_it_gets() {
    let (writer, log) = server(|got| {
        if got.uri.contains("watch=1") || got.uri.contains("limit=") {
            status(403, "Forbidden", "configmaps is forbidden: User \"u\" cannot watch", json!({}))
        } else {
            Say::Json(200, config_map("x", "5"))
        }
    });
    let mut watch = writer.watch_object(&config_maps(), Some("a"), "x");
    assert_eq!(told(&watch.next().await), "at 5");
    assert_eq!(told(&watch.next().await), "at 5");
    assert_eq!(uris(&log).len(), 3);

    let (writer, log) = server(|got| {
        if got.uri.contains("watch=1") {
            status(403, "Forbidden", "configmaps is forbidden: User \"u\" cannot watch", json!({}))
        } else {
            list(&[("x", "5")])
        }
    });
    let mut watch = writer.watch_object(&config_maps(), Some("a"), "x");
    for _ in 0..3 {
        assert_eq!(told(&watch.next().await), "at 5");
    }
    assert_eq!(uris(&log).iter().filter(|uri| uri.contains("watch=1")).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_dies_without_a_word_is_opened_again() {
    let start = Instant::now();
    let (seen, _) = watch(
        vec![list(&[("x", "5")]), Say::Hang, Say::Stream(vec![event("MODIFIED", &config_map("x", "6"))])],
        3,
    )
    .await;
    assert_eq!(seen[0], "at 5");
    assert!(seen[1].starts_with("trouble: no answer"), "{seen:?}");
    assert_eq!(seen[2], "at 6");
    assert!(start.elapsed() < IDLE);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_at_once_each_time_is_slowed_down() {
    let (writer, log) =
        server(|got| if got.uri.contains("watch=1") { Say::Stream(Vec::new()) } else { list(&[("x", "5")]) });
    let mut watch = writer.watch_object(&config_maps(), Some("a"), "x");
    assert_eq!(told(&watch.next().await), "at 5");
    let waited = tokio::time::timeout(Duration::from_mins(1), watch.next()).await;
    assert!(waited.is_err());
    let count = uris(&log).len();
    assert!((8..30).contains(&count), "{count} requests in a minute");
}

#[tokio::test(start_paused = true)]
async fn many_objects() {
    let (writer, log) = script(vec![
        list(&[("x", "5"), ("y", "6")]),
        Say::Stream(vec![event("ADDED", &config_map("z", "11")), event("DELETED", &config_map("y", "12"))]),
    ]);
    let mut watch = writer.watch_list(&config_maps(), Some("a"), Some("k=v"));
    assert!(matches!(watch.next().await, ListObservation::All(all) if all.len() == 2));
    assert!(matches!(watch.next().await, ListObservation::Changed(object) if object.name() == "z"));
    assert!(matches!(watch.next().await, ListObservation::Gone(object) if object.name() == "y"));
    assert!(uris(&log)[1].contains("labelSelector=k%3Dv"));
}
