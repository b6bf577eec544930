//! Rows about single objects.

use serde_json::{Value, json};
use support::User;

use crate::project::Project;
use crate::runs::shows;
use crate::stage::{self, FIRST, REAL, STACK, answer, ends_well, writes};

#[test]
fn row_16_an_object_that_moved_is_read_again_and_only_then_written_or_left() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    drop(project.apply(&[]).expect_status(0));
    // Only its resourceVersion moved: the same write again.
    project.edit("blue", "green");
    let moved = "Operation cannot be fulfilled on configmaps \"first\": the object has been modified; please apply \
                 your changes to the latest version and try again";
    let rule = |times: u32| json!([{ "method": "PATCH", "path": FIRST, "query": REAL, "times": times, "fault": answer(409, "Conflict", moved) }]);
    stage::script(&plane, &rule(3));
    drop(project.apply(&[]).expect_status(0));
    assert_eq!(stage::struck(&plane), [3]);
    // At most five times more.
    project.edit("green", "yellow");
    stage::script(&plane, &rule(0));
    let failed = project.apply(&[]).expect_status(1);
    shows(&failed, &["config_map.first", "ConfigMap home/first changes faster than it can be written"]);
    assert_eq!(stage::struck(&plane), [6]);

    // What decided the plan changed: the difference, and nothing is written.
    stage::script(&plane, &json!([{ "method": "PATCH", "path": FIRST, "query": REAL, "fault": "hang" }]));
    let running = project.start("apply", &["--request-timeout", "2s"]);
    stage::until_struck(&plane);
    let red = json!({ "data": { "colour": "red" } });
    plane.request(User::Admin, "PATCH", FIRST, Some(&red)).ok();
    let failed = running.finish().expect_status(1);
    insta::assert_snapshot!("row_16_changed_meanwhile", failed.snapshot());
    assert_eq!(plane.get_json("configmap", "home", "first").unwrap()["data"]["colour"], "red");
}

#[test]
fn row_17_create_only_is_no_post_and_what_appeared_is_left_alone() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    let mark = plane.audit().mark();
    stage::script(&plane, &json!([{ "method": "PATCH", "path": FIRST, "query": REAL, "fault": "hang" }]));
    let running = project.start("apply", &["--request-timeout", "2s"]);
    stage::until_struck(&plane);
    plane.create_config_map("home", "first", &[("colour", "red")]);
    let failed = running.finish().expect_status(1);
    insta::assert_snapshot!("row_17_appeared", failed.snapshot());
    let theirs = plane.get_json("configmap", "home", "first").unwrap();
    assert_eq!(theirs["data"], json!({ "colour": "red" }));
    assert_eq!(theirs["metadata"]["labels"], Value::Null);
    let posts = plane.audit().writes_since(mark).by_user("arrplan").filter(|write| write.verb == "create");
    assert_eq!(posts.to_string(), "");

    // A field of what was made without a POST can be taken away again.
    plane.kubectl(&["delete", "configmap", "first", "-n", "home"]).ok();
    stage::calm(&plane);
    drop(project.apply(&[]).expect_status(0));
    project.edit("data.colour = \"blue\"", "data.shape = \"round\"");
    drop(project.apply(&[]).expect_status(0));
    let object = plane.get_json("configmap", "home", "first").unwrap();
    assert_eq!(object["data"], json!({ "shape": "round" }));
}

#[test]
fn row_26_a_webhook_that_is_down_is_waited_for_and_named() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    let down = "Internal error occurred: failed calling webhook \"policy.example.org\": failed to call webhook: Post \
                \"https://policy.default.svc:443/validate?timeout=10s\": context deadline exceeded";
    let rule = |times: u32| json!([{ "method": "PATCH", "path": FIRST, "query": REAL, "times": times, "fault": answer(500, "InternalError", down) }]);
    stage::script(&plane, &rule(2));
    drop(project.apply(&[]).expect_status(0));
    assert_eq!(stage::struck(&plane), [2]);
    ends_well(&plane, &project);

    project.edit("blue", "green");
    stage::script(&plane, &rule(0));
    let failed = project.apply(&["--request-timeout", "1s"]).expect_status(1);
    insta::assert_snapshot!("row_26_down", failed.snapshot());
    assert!(stage::struck(&plane)[0] > 1, "{failed}");
    assert_eq!(plane.get_json("configmap", "home", "first").unwrap()["data"]["colour"], "blue");
    stage::calm(&plane);
    drop(project.apply(&[]).expect_status(0));
    ends_well(&plane, &project);
}

#[test]
fn row_15_a_field_of_another_manager_is_told_by_the_plan_and_never_forced() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    drop(project.apply(&[]).expect_status(0));
    let theirs = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "first", "namespace": "home" },
        "data": { "colour": "red" },
    });
    plane.server_side_apply(FIRST, "gitops", &theirs, true).ok();
    let mark = plane.audit().mark();
    let refused = project.apply(&[]).expect_status(1);
    insta::assert_snapshot!("row_15_contested", refused.snapshot());
    assert_eq!(writes(&plane, mark), [""; 0]);
    // Asked for by name it is shown, and taken.
    shows(
        &project.apply(&["--take", "config_map.first.data.colour"]).expect_status(0),
        &["data.colour", "red -> blue"],
    );
    assert_eq!(plane.get_json("configmap", "home", "first").unwrap()["data"]["colour"], "blue");
}

#[test]
fn row_22_a_namespace_that_is_not_there_is_in_the_plan_or_an_error() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    let plan = project.plan(&[]).expect_status(0);
    shows(&plan, &["Not fully: 2", "dry-run in a stand-in namespace: its namespace is made by this plan"]);
    project.edit("[namespace.home]", "");
    let refused = project.plan(&[]).expect_status(1);
    insta::assert_snapshot!("row_22_no_namespace", refused.snapshot());
}

#[test]
fn row_25_what_cannot_change_is_an_error_or_a_replace_by_leave() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let fixed = STACK.replace("data.colour = \"blue\"", "data.colour = \"blue\"\nimmutable = true");
    let project = Project::new(&plane, "app", &fixed);
    drop(project.apply(&[]).expect_status(0));
    let before = plane.get_json("configmap", "home", "first").unwrap();
    project.edit("blue", "green");
    insta::assert_snapshot!("row_25_immutable", project.apply(&[]).expect_status(1).snapshot());
    let uid = |object: &Value| object["metadata"]["uid"].clone();
    assert_eq!(uid(&plane.get_json("configmap", "home", "first").unwrap()), uid(&before));

    project.edit("immutable = true", "immutable = true\non_immutable = \"replace\"");
    let mark = plane.audit().mark();
    insta::assert_snapshot!("row_25_replaced", project.apply(&[]).expect_status(0).snapshot());
    let now = plane.get_json("configmap", "home", "first").unwrap();
    assert_ne!(uid(&now), uid(&before));
    assert_eq!(now["data"]["colour"], "green");
    assert_eq!(writes(&plane, mark), ["delete configmaps/first 200", "patch configmaps/first 201"]);
    let deletes = plane.audit().writes_since(mark).filter(|write| write.verb == "delete");
    assert_eq!(deletes[0].body["preconditions"]["uid"], uid(&before));
    project.settled(&[]);
}

#[test]
fn row_27_a_webhook_without_dry_run_lowers_how_far_a_plan_is_checked() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    let says = "admission webhook \"policy.example.org\" does not support dry run";
    for (code, reason) in [(400, "BadRequest"), (500, "InternalError")] {
        let rule = json!({ "method": "PATCH", "path": "*/configmaps/*", "query": "*dryRun=All*", "times": 0, "fault": answer(code, reason, says) });
        stage::script(&plane, &json!([rule]));
        let plan = project.plan(&[]).expect_status(0);
        insta::assert_snapshot!(format!("row_27_{code}"), plan.snapshot());
        drop(project.plan(&["--min-fidelity", "server*"]).expect_status(1));
    }
    drop(project.apply(&[]).expect_status(0));
    project.edit("blue", "green");
    let applied = project.apply(&[]).expect_status(0);
    shows(&applied, &["~ config_map.first", "blue -> green", "a webhook takes no dry-run"]);
    ends_well(&plane, &project);
}

#[test]
fn row_40_a_server_that_lies_is_not_believed() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    drop(project.apply(&[]).expect_status(0));
    let state = std::fs::read(project.state_path("json")).unwrap();
    project.edit("blue", "green");
    let html = "<html><title>Sign in</title></html>";
    for (name, fault) in [
        ("name", json!({ "object": { "metadata": { "name": "other" } } })),
        ("namespace", json!({ "object": { "metadata": { "namespace": "other" } } })),
        ("kind", json!({ "object": { "kind": "Secret" } })),
        ("html", json!({ "answer": { "code": 200, "body": html } })),
    ] {
        stage::script(&plane, &json!([{ "method": "GET", "path": FIRST, "times": 0, "fault": fault }]));
        let mark = plane.audit().mark();
        let failed = project.apply(&[]).expect_status(1);
        insta::assert_snapshot!(format!("row_40_{name}"), failed.snapshot());
        assert_eq!(writes(&plane, mark), [""; 0], "{name}");
        assert_eq!(std::fs::read(project.state_path("json")).unwrap(), state, "{name}");
    }

    // Dry-runs that are none: seen at the first, and nothing more is sent.
    stage::script(
        &plane,
        &json!([{ "method": "PATCH", "path": "*", "query": "*dryRun=All*", "times": 0, "fault": "ignoreDryRun" }]),
    );
    let failed = project.plan(&[]).expect_status(1);
    insta::assert_snapshot!("row_40_update_persisted", failed.snapshot());
    assert_eq!(stage::struck(&plane), [1]);
    let fresh =
        Project::new(&plane, "fresh", &STACK.replace("\"app\"", "\"fresh\"").replace("home", "house"));
    let failed = fresh.plan(&[]).expect_status(1);
    shows(
        &failed,
        &[
            "ignores dryRun: the dry-run of",
            "came back with resourceVersion",
            "It was made, and is yours to delete",
        ],
    );
    assert!(!fresh.state_path("json").exists());
}

#[test]
fn row_41_what_is_too_large_is_said_and_quotas_that_race_are_asked_again() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    let race = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 409, "reason": "Conflict",
        "message": "Operation cannot be fulfilled on resourcequotas \"q\": the object has been modified",
        "details": { "kind": "resourcequotas", "name": "q" },
    });
    let rule = json!({ "method": "PATCH", "path": FIRST, "query": REAL, "times": 2, "fault": { "answer": { "code": 409, "body": race } } });
    stage::script(&plane, &json!([rule]));
    drop(project.apply(&[]).expect_status(0));
    assert_eq!(stage::struck(&plane), [2]);
    ends_well(&plane, &project);

    // No last-applied annotation of ours: only the object itself has to fit.
    let almost = "x".repeat(700_000);
    project.edit("blue", &almost);
    drop(project.apply(&[]).expect_status(0));
    for (name, field, size) in [
        ("data", "data.more", 400_000),
        ("annotation", "annotations.note", 300_000),
        ("request", "data.more", 3 << 20),
    ] {
        project
            .write(&STACK.replace("data.colour = \"blue\"", &format!("{field} = \"{}\"", "y".repeat(size))));
        if name == "data" {
            project.edit("data.more", &format!("data.colour = \"{almost}\"\ndata.more"));
        }
        let failed = project.plan(&[]).expect_status(1);
        insta::assert_snapshot!(format!("row_41_{name}"), failed.snapshot());
    }
}
