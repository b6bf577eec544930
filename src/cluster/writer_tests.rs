use serde_json::json;

use super::*;
use crate::cluster::fake::{Say, config_map, config_maps, script, status};

#[tokio::test(start_paused = true)]
async fn an_answer_about_another_object_is_no_success() {
    let api = config_maps();
    let body = config_map("x", "");
    for (say, good) in [
        (Say::Json(200, config_map("x", "5")), true),
        (Say::Json(200, config_map("y", "5")), false),
        (Say::Text(200, "ok"), false),
        (Say::Json(200, json!([])), false),
    ] {
        let (writer, _) = script(vec![say]);
        let answer = writer.apply(&api, Some("a"), "x", &body, false).await;
        assert_eq!(answer.is_ok(), good, "{answer:?}");
        if let Err(error) = answer {
            assert!(error.outcome_unknown(), "{error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_a_lost_answer_leaves_the_outcome_open() {
    let refused = || status(422, "Invalid", "no", json!({ "name": "x", "kind": "configmaps" }));
    let unauthorized = || status(401, "Unauthorized", "who", json!({}));
    let exists = || status(409, "AlreadyExists", "there", json!({ "name": "x", "kind": "configmaps" }));
    for (says, open) in [
        (vec![refused()], false),
        (vec![Say::Break, refused()], true),
        (vec![Say::Break, Say::Text(500, "oops")], true),
        (vec![Say::Break, exists()], false),
        (vec![Say::Text(500, "oops")], true),
        (vec![Say::Break, unauthorized(), unauthorized()], true),
    ] {
        let (writer, _) = script(says);
        let answer = writer.apply(&config_maps(), Some("a"), "x", &config_map("x", ""), false).await;
        assert_eq!(answer.unwrap_err().outcome_unknown(), open);
    }
}

#[tokio::test(start_paused = true)]
async fn deletes_carry_their_preconditions_and_check_the_answer() {
    let api = config_maps();
    let guard = Preconditions { uid: Some("uid-x".into()), resource_version: Some("5".into()) };
    let (writer, log) = script(vec![Say::Json(
        200,
        json!({ "kind": "Status", "status": "Success", "details": { "name": "x", "uid": "uid-x" } }),
    )]);
    assert_eq!(writer.delete(&api, Some("a"), "x", &guard).await, Ok(Deleted::Accepted(None)));
    let got = log.lock().unwrap()[0].clone();
    assert_eq!((got.method.as_str(), got.uri.as_str()), ("DELETE", "/api/v1/namespaces/a/configmaps/x"));
    assert_eq!(got.body["preconditions"], json!({ "uid": "uid-x", "resourceVersion": "5" }));
    assert_eq!(got.body["propagationPolicy"], "Background");

    let run = |says| async {
        let (writer, _) = script(says);
        writer.delete(&config_maps(), Some("a"), "x", &guard).await
    };
    let there = run(vec![Say::Json(200, config_map("x", "6"))]).await.unwrap();
    assert!(matches!(there, Deleted::Accepted(Some(_))));
    // The first one took effect, its answer was lost.
    let gone = || status(404, "NotFound", "gone", json!({ "name": "x", "kind": "configmaps" }));
    assert_eq!(run(vec![Say::Break, gone()]).await, Ok(Deleted::NotThere));
    let mut other = config_map("x", "6");
    other["metadata"]["uid"] = json!("another");
    assert!(matches!(run(vec![Say::Json(200, other)]).await, Err(Error::Nonsense(_))));
    assert!(matches!(run(vec![Say::Json(200, config_map("y", "6"))]).await, Err(Error::Nonsense(_))));
    assert!(matches!(
        run(vec![Say::Text(404, "404 page not found")]).await,
        Err(Error::KindNotServed { .. })
    ));
    let text = "the UID in the precondition (1) does not match the UID in record (2)";
    let another = status(409, "Conflict", text, json!({ "name": "x", "kind": "configmaps" }));
    assert!(matches!(run(vec![another]).await, Err(Error::AnotherObject(_))));
}

#[tokio::test(start_paused = true)]
async fn what_is_sent() {
    let api = config_maps();
    let (writer, log) = script((0..4).map(|_| Say::Json(200, config_map("x", "5"))).collect());
    let body = config_map("x", "5");
    writer.create(&api, Some("a"), &body).await.unwrap();
    writer.replace(&api, Some("a"), "x", &body).await.unwrap();
    writer.merge_patch(&api, Some("a"), "x", &json!({})).await.unwrap();
    writer.json_patch(&api, Some("a"), "x", &json!([])).await.unwrap();
    let sent: Vec<String> =
        log.lock().unwrap().iter().map(|got| format!("{} {}", got.method, got.uri)).collect();
    let query = "fieldManager=arrplan&fieldValidation=Strict";
    assert_eq!(
        sent,
        [
            format!("POST /api/v1/namespaces/a/configmaps?{query}"),
            format!("PUT /api/v1/namespaces/a/configmaps/x?{query}"),
            format!("PATCH /api/v1/namespaces/a/configmaps/x?{query}"),
            format!("PATCH /api/v1/namespaces/a/configmaps/x?{query}"),
        ]
    );
    assert!(writer.create(&api, None, &body).await.is_err(), "a namespaced object without a namespace");
}
