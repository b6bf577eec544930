//! Rows about requests and connections.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};
use support::{ControlPlane, eventually};

use crate::project::Project;
use crate::proxy::{Proxy, kubeconfig};
use crate::runs::{hides, shows};
use crate::stage::{self, FIRST, REAL, SECOND, STACK, answer, ends_well, writes};

#[test]
fn row_10_no_clock_decides_and_a_wrong_one_is_named() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    drop(project.apply(&[]).expect_status(0));
    // Objects made in another century, by the server's clock.
    for time in ["1970-01-01T00:00:00Z", "2199-01-01T00:00:00Z"] {
        let patch = json!({ "metadata": { "creationTimestamp": time } });
        stage::script(
            &plane,
            &json!([{ "path": "*/configmaps/*", "times": 0, "fault": { "object": patch } }]),
        );
        project.settled(&["--refresh", "full"]);
    }
    stage::calm(&plane);
    // Nor does the time of a file: the older copy is not believed for being newer.
    let serial = project.state()["serial"].clone();
    project.edit("blue", "green");
    drop(project.apply(&[]).expect_status(0));
    let previous = std::fs::File::options().append(true).open(project.state_path("prev.json")).unwrap();
    previous.set_modified(std::time::SystemTime::now() + Duration::from_hours(24)).unwrap();
    project.settled(&[]);
    assert_ne!(project.state()["serial"], serial);

    // Refused credentials look like a wrong clock, so both clocks are shown.
    let file = no_api_server(&plane, "HTTP/1.1 401 Unauthorized\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT");
    let refused = project.by(&file, "plan", &[]).run().expect_status(1);
    shows(
        &refused,
        &[
            "the cluster does not accept the credentials",
            "the clock of this machine is",
            "ahead of the server's",
        ],
    );
}

/// The kubeconfig of a server that has one answer to everything.
fn no_api_server(plane: &ControlPlane, head: &'static str) -> std::path::PathBuf {
    use std::io::{BufRead as _, BufReader, Write as _};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let asked = lines.take_while(|line| !line.is_empty()).count();
            if asked > 0 {
                drop(write!(stream, "{head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"));
            }
        }
    });
    kubeconfig(plane, "plain", |content| {
        content["clusters"][0]["cluster"] = json!({ "server": format!("http://{address}") });
    })
}

#[test]
fn row_11_a_server_that_restarts_or_resets_before_a_request_is_asked_again() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    let reset =
        |method: &str| json!({ "method": method, "path": "*", "times": 3, "fault": { "reset": "before" } });
    stage::script(&plane, &json!([reset("GET"), reset("PATCH")]));
    shows(&project.apply(&[]).expect_status(0), &["Applied 3 of 3"]);
    assert_eq!(stage::struck(&plane), [3, 3]);
    ends_well(&plane, &project);

    // It goes away in the middle of a write, refuses connections for a while, and comes back.
    project.edit("blue", "green");
    let mut proxy = Proxy::start(&plane);
    let file = proxy.kubeconfig(&plane);
    stage::script(&plane, &json!([{ "method": "PATCH", "path": FIRST, "query": REAL, "fault": "hang" }]));
    let running = project.by(&file, "apply", &["--yes", "--json"]).spawn();
    stage::until_struck(&plane);
    proxy.down();
    eventually("the restart to be told", || running.stdout().contains("no connection").then_some(()));
    proxy.up();
    drop(running.finish().expect_status(0));
    ends_well(&plane, &project);

    stage::script(&plane, &json!([reset("DELETE"), reset("GET")]));
    drop(project.destroy(&[]).expect_status(0));
    assert_eq!(stage::struck(&plane), [3, 3]);
    assert_eq!(plane.get_json("configmap", "home", "first"), None);
}

#[test]
fn row_12_a_lost_answer_is_found_out_and_nothing_is_done_twice() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    // Done, and the answer lost: as a whole, half of it, all but the end of it.
    let lost =
        |path: &str, fault: Value| json!({ "method": "PATCH", "path": path, "query": REAL, "fault": fault });
    stage::script(
        &plane,
        &json!([lost(FIRST, json!({ "reset": "after" })), lost(SECOND, json!("truncate"))]),
    );
    let mark = plane.audit().mark();
    shows(&project.apply(&[]).expect_status(0), &["Applied 3 of 3"]);
    assert_eq!(stage::struck(&plane), [1, 1]);
    let created: Vec<_> = writes(&plane, mark).into_iter().filter(|w| w.ends_with(" 201")).collect();
    assert_eq!(
        created,
        ["patch namespaces/home 201", "patch configmaps/first 201", "patch configmaps/second 201"]
    );
    ends_well(&plane, &project);

    project.edit("blue", "green");
    stage::script(&plane, &json!([lost(FIRST, json!({ "reset": "middle" }))]));
    drop(project.apply(&[]).expect_status(0));
    ends_well(&plane, &project);

    let gone = |fault: Value| json!({ "method": "DELETE", "path": FIRST, "fault": fault });
    stage::script(&plane, &json!([gone(json!({ "reset": "after" }))]));
    drop(project.destroy(&[]).expect_status(0));
    assert_eq!(plane.get_json("configmap", "home", "first"), None);
    assert_eq!(project.state()["resources"], json!({}));
}

#[test]
fn row_12_a_refusal_after_a_lost_answer_leaves_nothing_behind_that_is_not_known() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    let second = |fault: Value| json!({ "method": "PATCH", "path": SECOND, "query": REAL, "fault": fault });
    let refusals = [
        json!({ "answer": { "code": 500 } }),
        json!({ "answer": { "code": 403 } }),
        json!({ "answer": { "code": 422 } }),
    ];
    for refusal in refusals {
        let answers = json!([second(json!({ "reset": "after" })), second(refusal.clone())]);
        stage::script(&plane, &answers);
        drop(project.apply(&[]));
        assert_eq!(stage::struck(&plane), [1, 1], "{refusal}");
        // It was made, and it is known: a destroy right after takes it along.
        assert!(project.state()["resources"].to_string().contains("home/second"), "{refusal}");
        stage::script(&plane, &json!([]));
        drop(project.destroy(&[]).expect_status(0));
        assert_eq!(plane.get_json("configmap", "home", "second"), None, "{refusal}");
    }
    // After a 409 the object is looked at, and what is asked about it may fail: the mark says whose it is.
    let dry_run = json!({ "method": "PATCH", "path": SECOND, "query": "*dryRun=All*", "nth": 2, "times": 0,
        "fault": { "answer": { "code": 500 } } });
    stage::script(&plane, &json!([second(json!({ "reset": "after" })), dry_run]));
    drop(project.apply(&[]));
    assert!(project.state()["resources"].to_string().contains("home/second"));
    stage::script(&plane, &json!([]));
    ends_well(&plane, &project);
}

#[test]
fn row_12_an_outcome_that_stays_unknown_is_in_doubt_until_the_next_run_looks() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    // Every answer about the object is of another one, so that nobody can tell what became of it.
    let wrong = json!({ "object": { "metadata": { "name": "other" } } });
    stage::script(
        &plane,
        &json!([
            { "method": "PATCH", "path": FIRST, "query": REAL, "times": 0, "fault": wrong },
            { "method": "GET", "path": FIRST, "nth": 2, "times": 0, "fault": wrong },
        ]),
    );
    let doubtful = project.apply(&[]).expect_status(1);
    insta::assert_snapshot!("row_12_in_doubt", doubtful.snapshot());
    assert!(std::fs::read_to_string(project.state_path("journal")).unwrap().contains("config_map.first"));
    stage::calm(&plane);
    let mark = plane.audit().mark();
    shows(&project.apply(&[]).expect_status(0), &["config_map.second"]);
    assert_eq!(writes(&plane, mark), ["patch configmaps/second 201"]);
    ends_well(&plane, &project);
}

#[test]
fn row_13_too_many_requests_are_waited_for_and_said() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    let slow = |seconds: u32| json!({ "answer": { "code": 429, "retryAfter": seconds } });
    stage::script(&plane, &json!([{ "method": "PATCH", "path": FIRST, "times": 2, "fault": slow(1) }]));
    let applied = project.apply(&[]).expect_status(0);
    assert_eq!(stage::struck(&plane), [2]);
    assert!(applied.elapsed >= Duration::from_secs(2), "{applied}");

    // Before there is a plan, a line says why nothing happens.
    stage::script(&plane, &json!([{ "method": "GET", "path": FIRST, "fault": slow(1) }]));
    let plan = project.plan(&[]).expect_status(0);
    shows(&plan, &["the API server asks to slow down: trying again in 1s (GET configmaps home/first)"]);

    // Sixteen at once and all refused: fewer at once, and all are done.
    let each = (0..40).map(|n| format!("\"m{n}\"")).collect::<Vec<_>>().join(", ");
    let many = format!(
        "\n[config_map.many]\nnamespace = \"home\"\nfor_each = [{each}]\ndata.n = \"${{each.key}}\"\n"
    );
    project.write(&format!("{STACK}{many}"));
    let refused = json!({ "answer": { "code": 429 } });
    stage::script(
        &plane,
        &json!([{ "method": "PATCH", "path": "*/configmaps/m*", "times": 48, "fault": refused }]),
    );
    shows(&project.apply(&[]).expect_status(0), &["Applied 40 of 40"]);
    assert_eq!(stage::struck(&plane), [48]);
    ends_well(&plane, &project);

    // Nobody waits 136 years.
    project.edit("blue", "green");
    stage::script(
        &plane,
        &json!([{ "method": "PATCH", "path": FIRST, "query": REAL, "times": 0, "fault": slow(u32::MAX) }]),
    );
    let running = project.start("apply", &["--json"]);
    let pause = eventually("the pause to be told", || {
        let lines = running.stdout();
        let event = lines.lines().find(|line| line.contains("retrying"))?.to_owned();
        serde_json::from_str::<Value>(&event).unwrap()["pause_ms"].as_u64()
    });
    assert!((30_000..=37_500).contains(&pause), "{pause}");
    drop(running.kill());
    stage::calm(&plane);
    drop(project.apply(&[]).expect_status(0));
    ends_well(&plane, &project);
}

#[test]
fn row_14_server_errors_are_tried_again_by_their_reason() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    let nth = |nth: u32, fault: Value| json!({ "method": "PATCH", "path": FIRST, "query": REAL, "nth": nth, "fault": fault });
    stage::script(
        &plane,
        &json!([
            nth(1, json!({ "answer": { "code": 503 } })),
            nth(2, json!({ "answer": { "code": 502, "body": "<html>bad gateway</html>" } })),
            nth(3, json!({ "answer": { "code": 504 } })),
            nth(4, answer(500, "InternalError", "Internal error occurred: etcdserver: leader changed")),
        ]),
    );
    shows(&project.apply(&[]).expect_status(0), &["Applied 3 of 3"]);
    assert_eq!(stage::struck(&plane), [1, 1, 1, 1]);
    ends_well(&plane, &project);

    // A 500 that is the stack's mistake, and one nobody knows anything about: once is enough.
    project.edit("blue", "green");
    let undeclared = "failed to create typed patch object (home/first; /v1, Kind=ConfigMap): .data.colour: field not declared in schema";
    let strange = "Internal error occurred: the moon is in the wrong phase";
    for (row, reason, message) in [("mistake", "", undeclared), ("strange", "InternalError", strange)] {
        let rule =
            json!({ "method": "PATCH", "path": FIRST, "times": 0, "fault": answer(500, reason, message) });
        stage::script(&plane, &json!([rule]));
        let failed = project.apply(&[]).expect_status(1);
        insta::assert_snapshot!(format!("row_14_{row}"), failed.snapshot());
        assert_eq!(stage::struck(&plane), [1], "{failed}");
    }
}

#[test]
fn row_32_a_black_hole_ends_every_command_in_time() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    drop(project.apply(&[]).expect_status(0));
    project.edit("blue", "green");
    let hang =
        |path: &str, query: &str| json!([{ "path": path, "query": query, "times": 0, "fault": "hang" }]);
    stage::script(&plane, &hang("/api*", "*"));
    let plan = project.plan(&["--request-timeout", "1s"]).expect_status(1);
    insta::assert_snapshot!("row_32_plan", plan.snapshot());
    assert!(plan.elapsed < Duration::from_secs(30), "{plan}");

    stage::script(&plane, &hang(FIRST, REAL));
    let failed = project.apply(&["--request-timeout", "1s"]).expect_status(1);
    shows(&failed, &["config_map.first", "no answer from the cluster within 1 s", "State saved"]);
    assert!(failed.elapsed < Duration::from_secs(40), "{failed}");

    // One that takes the connection and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let file = kubeconfig(&plane, "silent", |content| {
        content["clusters"][0]["cluster"]["server"] = json!(format!("https://{address}"));
    });
    let plan = project.by(&file, "plan", &["--request-timeout", "1s"]).run().expect_status(1);
    shows(&plan, &["no answer from the cluster within 1 s"]);
    assert!(plan.elapsed < Duration::from_secs(30), "{plan}");
    drop(silent);
    stage::calm(&plane);
    drop(project.apply(&[]).expect_status(0));
    ends_well(&plane, &project);
}

#[test]
fn row_33_a_list_that_breaks_between_pages_never_means_absence() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let names = ["a", "b", "c", "d", "e"];
    let project = Project::new(&plane, "app", &stage::maps(&names));
    drop(project.apply(&[]).expect_status(0));
    // A first page that has none of them and promises more, and a token that expires: read anew, as a whole.
    let list = "/api/v1/namespaces/home/configmaps";
    let first = json!({ "object": { "items": [], "metadata": { "continue": "more" } } });
    let page = json!({ "path": list, "query": "*limit=500", "times": 0, "fault": first });
    let expired = answer(
        410,
        "Expired",
        "The provided continue parameter is too old to display a consistent list result.",
    );
    stage::script(
        &plane,
        &json!([page, { "path": list, "query": "*continue=more*", "times": 0, "fault": expired }]),
    );
    project.settled(&[]);
    let struck = stage::struck(&plane);
    assert!(struck[0] > 1 && struck[1] > 1, "{struck:?}");

    // A token that fails for another reason: each is asked for by name.
    let broken = answer(500, "InternalError", "Internal error occurred: no");
    stage::script(
        &plane,
        &json!([page, { "path": list, "query": "*continue=more*", "times": 0, "fault": broken }]),
    );
    let plan = project.plan(&["--detailed-exitcode"]).expect_status(0);
    shows(&plan, &["No changes."]);
    hides(&plan, &["to create", "to delete"]);

    // Half a page is no page.
    stage::script(&plane, &json!([{ "path": list, "times": 2, "fault": "truncate" }]));
    project.settled(&[]);
    assert_eq!(stage::struck(&plane), [2]);
}
