//! Rows about what the cluster does meanwhile.

use serde_json::{Value, json};
use support::{ControlPlane, User, eventually};

use crate::project::Project;
use crate::runs::shows;
use crate::stage::{self, FIRST, REAL, STACK, answer, ends_well, writes};

const WIDGETS: &str = r#"
[stack]
name = "app"

[namespace.home]

[custom_resource_definition.widgets]
name = "widgets.example.org"
spec.group = "example.org"
spec.scope = "Namespaced"
spec.names = { plural = "widgets", singular = "widget", kind = "Widget", listKind = "WidgetList" }
[[custom_resource_definition.widgets.spec.versions]]
name = "v1"
served = true
storage = true
schema.openAPIV3Schema = { type = "object", properties = { spec = { type = "object", properties = { size = { type = "integer" } } } } }

[manifest.widget]
apiVersion = "example.org/v1"
kind = "Widget"
namespace = "home"
spec.size = 3
"#;

#[test]
fn row_21_a_kind_that_comes_with_the_stack_is_waited_for_at_every_server() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", WIDGETS);
    // Another of several API servers does not know it yet: before the dry-run, and before the write.
    let unknown = json!({ "answer": { "code": 404, "body": "404 page not found\n" } });
    let rule = |query: &str| json!({ "method": "PATCH", "path": "*/widgets/*", "query": query, "times": 2, "fault": unknown });
    stage::script(&plane, &json!([rule("*dryRun=All*"), rule("*force=false")]));
    let applied = project.apply(&["--parallelism", "1"]).expect_status(0);
    insta::assert_snapshot!("row_21_applied", applied.snapshot());
    assert_eq!(stage::struck(&plane), [2, 2]);
    assert_eq!(plane.get_json("widget", "home", "widget").unwrap()["spec"]["size"], 3);
    stage::calm(&plane);
    project.settled(&[]);

    // What the schema in the plan forbids is found before anything is made.
    let mut other = WIDGETS.replace("example.org", "example.net").replace("size = 3", "size = \"three\"");
    other = other.replace("home", "house").replace("\"app\"", "\"wrong\"");
    let wrong = Project::new(&plane, "wrong", &other);
    insta::assert_snapshot!("row_21_wrong", wrong.plan(&[]).expect_status(1).snapshot());
}

/// Puts a finalizer on an object, or takes all away.
fn hold(plane: &ControlPlane, path: &str, finalizers: &Value) {
    plane
        .request(User::Admin, "PATCH", path, Some(&json!({ "metadata": { "finalizers": finalizers } })))
        .ok();
}

#[test]
fn row_23_a_namespace_on_its_way_out_is_waited_for_and_what_holds_it_is_said() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let body = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "home" } });
    plane.request(User::Admin, "POST", "/api/v1/namespaces", Some(&body)).ok();
    plane.create_config_map("home", "old", &[("k", "v")]);
    let old = "/api/v1/namespaces/home/configmaps/old";
    hold(&plane, old, &json!(["example.org/hold"]));
    plane.kubectl(&["delete", "namespace", "home", "--wait=false"]).ok();
    eventually("the namespace to say what holds it", || {
        let conditions = plane.get_json("namespace", "", "home")?["status"]["conditions"].to_string();
        conditions.contains("NamespaceFinalizersRemaining").then_some(())
    });
    let project = Project::new(&plane, "app", STACK);
    let failed = project.apply(&["--timeout", "2s"]).expect_status(1);
    insta::assert_snapshot!("row_23_held", failed.snapshot());
    let finalizers = plane.get_json("configmap", "home", "old").unwrap()["metadata"]["finalizers"].clone();
    assert_eq!(finalizers, json!(["example.org/hold"]));
    // Free at last: the wait goes on from there.
    let running = project.start("apply", &["--json"]);
    eventually("it to wait", || running.stdout().contains("example.org/hold").then_some(()));
    hold(&plane, old, &Value::Null);
    drop(running.finish().expect_status(0));
    ends_well(&plane, &project);

    // Between plan and write: no right is missing, and it is not said so.
    project.edit("blue", "green");
    let terminating = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "reason": "Forbidden",
        "message": "configmaps \"first\" is forbidden: unable to create new content in namespace home because it is being terminated",
        "details": { "kind": "configmaps", "name": "first", "causes": [{ "reason": "NamespaceTerminating", "field": "metadata.namespace",
            "message": "namespace home is being terminated" }] },
    });
    let rule = json!({ "method": "PATCH", "path": FIRST, "query": REAL, "fault": { "answer": { "code": 403, "body": terminating } } });
    stage::script(&plane, &json!([rule]));
    shows(
        &project.apply(&[]).expect_status(1),
        &["FAILED config_map.first", "namespace home is being deleted"],
    );
}

#[test]
fn row_24_what_a_finalizer_holds_is_named_never_freed_and_gone_on_with() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    drop(project.apply(&[]).expect_status(0));
    let uid = project.state()["resources"]["config_map.second"]["uid"].clone();
    let path = "/api/v1/namespaces/home/configmaps/second";
    hold(&plane, path, &json!(["example.org/hold"]));
    let mark = plane.audit().mark();
    let failed = project.destroy(&["--timeout", "2s"]).expect_status(1);
    insta::assert_snapshot!("row_24_held", failed.snapshot());
    assert_eq!(project.state()["resources"]["config_map.second"]["uid"], uid, "still in the state");
    let held = plane.get_json("configmap", "home", "second").unwrap();
    assert_eq!(held["metadata"]["finalizers"], json!(["example.org/hold"]));
    assert_eq!(writes(&plane, mark), ["delete configmaps/second 200"]);
    // The next run waits for the same delete and does the rest.
    let mark = plane.audit().mark();
    let running = project.start("destroy", &["--json"]);
    eventually("it to wait", || running.stdout().contains("held by example.org/hold").then_some(()));
    hold(&plane, path, &Value::Null);
    drop(running.finish().expect_status(0));
    assert_eq!(writes(&plane, mark), ["delete configmaps/first 200", "delete namespaces/home 200"]);
    assert_eq!(project.state()["resources"], json!({}));
}

#[test]
fn row_28_a_watch_that_expires_ends_or_is_forbidden_loses_nothing() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let lamp =
        "[config_map.lamp]\nnamespace = \"home\"\ndata.k = \"v\"\nwait = { cel = \"data.lit == 'yes'\" }\n";
    let forbidden = "configmaps is forbidden: User \"arrplan\" cannot watch resource \"configmaps\" in API group \"\" in the namespace \"home\"";
    let watch = |nth: u32, times: u32, fault: Value| json!({ "method": "GET", "path": "*/configmaps", "query": "*watch=*", "nth": nth, "times": times, "fault": fault });
    let faults = [
        json!([
            watch(1, 1, answer(410, "Expired", "too old resource version: 1 (2)")),
            watch(2, 1, answer(500, "InternalError", "Internal error occurred: etcdserver: leader changed")),
            watch(3, 1, json!({ "reset": "before" })),
            // Of a gateway timeout a watch knows nothing: an end like any other.
            watch(4, 1, json!({ "answer": { "code": 200, "body": "" } })),
        ]),
        json!([watch(1, 0, answer(403, "Forbidden", forbidden))]),
    ];
    for (round, faults) in faults.into_iter().enumerate() {
        let project =
            Project::new(&plane, "app", &format!("[stack]\nname = \"app\"\n[namespace.home]\n{lamp}"));
        stage::script(&plane, &faults);
        let running = project.start("apply", &[]);
        eventually("every fault to strike", || {
            stage::struck(&plane).iter().all(|struck| *struck > 0).then_some(())
        });
        let lit = json!({ "data": { "lit": "yes" } });
        plane.request(User::Admin, "PATCH", "/api/v1/namespaces/home/configmaps/lamp", Some(&lit)).ok();
        let applied = running.finish().expect_status(0);
        shows(&applied, &["Applied 2 of 2"]);
        stage::calm(&plane);
        drop(project.destroy(&[]).expect_status(0));
        assert!(applied.elapsed.as_secs() < 40, "round {round}: {applied}");
    }
}
