//! Told to stop, once and twice, by each signal; nobody reads any more; the terminal is gone.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{ArrplanCmd, RunOutput, Running, eventually};

use crate::end::End;
use crate::operations::{APPLY, WHOLE};
use crate::serve::Served;
use crate::stage::Stage;

/// The query of a write, which is no dry-run.
const WRITE: &str = "fieldManager=arrplan&fieldValidation=Strict&force=false";

/// What an uninterrupted apply comes to.
fn reference() -> &'static End {
    static END: std::sync::OnceLock<End> = std::sync::OnceLock::new();
    END.get_or_init(|| {
        let served = Served::empty();
        served.stage.write(&WHOLE.concat());
        drop(served.stage.run(APPLY).expect_status(0));
        let end = End::read(&served.stage, true);
        served.forget();
        end
    })
}

/// A stage where this happens to the write of `config_map.one`, which `two` waits for.
fn stage_with(fault: &Value) -> Served {
    let served = Served::empty();
    served.stage.write(&WHOLE.concat());
    let rule = json!([{"method": "PATCH", "path": "*/configmaps/one", "query": WRITE, "fault": fault}]);
    served.stage.faults(&rule);
    served
}

/// Starts an apply, and returns once the write of `one` has reached the server.
fn under_way(stage: &Stage, command: ArrplanCmd) -> Running {
    let mut running = command.spawn();
    eventually("the write to reach the server", || {
        assert!(!running.has_ended(), "{}", running.stderr());
        stage.struck().then_some(())
    });
    running
}

/// The lock is free, and the same command comes to the end that it would have come to.
#[track_caller]
fn goes_on(served: Served) {
    let stage = &served.stage;
    stage.faults(&json!([]));
    drop(stage.run(&["state", "unlock"]).expect_status(0));
    drop(stage.run(APPLY).expect_status(0));
    let different = End::read(stage, true).differences(reference());
    assert!(different.is_empty(), "{}", different.join("\n"));
    drop(stage.run(&["plan", "--detailed-exitcode"]).expect_status(0));
    served.forget();
}

/// What a run said, with every run of blanks as one.
fn words(output: &RunOutput) -> String {
    output.stderr.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn shows(output: &RunOutput, phrases: &[&str]) {
    let said = words(output);
    for phrase in phrases {
        assert!(said.contains(phrase), "not said: {phrase:?}\n{output}");
    }
}

#[test]
fn row_01_one_signal_finishes_what_is_under_way_and_starts_nothing() {
    for signal in ["INT", "TERM", "HUP"] {
        let served = stage_with(&json!({"delay": 1500}));
        let stage = &served.stage;
        let running = under_way(stage, stage.command(APPLY));
        running.signal(signal);
        let output = running.finish().expect_status(130);
        shows(
            &output,
            &[
                "stopping: nothing new starts, requests in flight are finished",
                "stopped config_map.two not started",
                "3 done, 0 in doubt, 1 not started. State saved, serial 1.",
            ],
        );
        let state = stage.state().unwrap();
        let owned: Vec<&String> = state["resources"].as_object().unwrap().keys().collect();
        assert_eq!(owned, ["config_map.one", "namespace.extra", "secret.keys"], "{signal}");
        assert!(!stage.state_path("journal").exists());
        goes_on(served);
    }
}

#[test]
fn row_01_what_is_not_answered_in_time_is_in_doubt_and_settled_by_the_next_run() {
    let served = stage_with(&json!("hang"));
    let stage = &served.stage;
    let running = under_way(stage, stage.command(APPLY));
    let started = Instant::now();
    running.signal("INT");
    let output = running.finish().expect_status(130);
    // Thirty seconds for all requests together, and what the end takes.
    assert!(started.elapsed() < Duration::from_secs(50), "{:?}", started.elapsed());
    shows(
        &output,
        &[
            "stopped config_map.one in doubt: no answer; the next run finds out",
            "2 done, 1 in doubt, 1 not started. State saved, serial 1.",
        ],
    );
    let journal = std::fs::read_to_string(stage.state_path("journal")).unwrap();
    assert_eq!(journal.matches("\"record\":\"begin\"").count(), 1, "{journal}");
    goes_on(served);
}

#[test]
fn row_01_a_signal_before_the_first_write_changes_nothing() {
    for signal in ["INT", "TERM", "HUP"] {
        let served = Served::empty();
        let stage = &served.stage;
        stage.write(&WHOLE.concat());
        let rule = json!([{"method": "PATCH", "path": "*", "query": "*dryRun*", "times": 0, "fault": {"delay": 1500}}]);
        stage.faults(&rule);
        let running = under_way(stage, stage.command(APPLY));
        running.signal(signal);
        let output = running.finish().expect_status(130);
        shows(&output, &["interrupted; nothing was changed"]);
        assert!(stage.state().is_none(), "{signal}");
        goes_on(served);
    }
}

#[test]
fn row_02_a_second_signal_leaves_at_once_and_nothing_is_lost() {
    for signals in [["INT", "INT"], ["TERM", "TERM"], ["HUP", "HUP"], ["INT", "TERM"]] {
        let served = stage_with(&json!("hang"));
        let stage = &served.stage;
        let running = under_way(stage, stage.command(APPLY));
        running.signal(signals[0]);
        eventually("it to say that it stops", || running.stderr().contains("stopping:").then_some(()));
        let started = Instant::now();
        running.signal(signals[1]);
        let output = running.finish().expect_status(130);
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        shows(
            &output,
            &[
                "(again to leave at once; nothing is lost)",
                "Left at once. What was under way is in the journal: the next run finds out what became of it.",
            ],
        );
        assert!(stage.state().is_none() && stage.state_path("journal").exists(), "{signals:?}");
        goes_on(served);
    }
}

#[test]
fn row_03_killed_between_request_and_record_the_next_run_asks_the_cluster_and_nobody_else() {
    for place in
        ["record.synced", "request.sent", "request.answered", "end.after", "state.renamed", "compact.before"]
    {
        let served = Served::empty();
        let stage = &served.stage;
        stage.write(&WHOLE.concat());
        let running = stage.traced(APPLY, &format!(";{place}@1=freeze")).spawn();
        eventually("the run to come there", || (stage.hits(place) > 0).then_some(()));
        assert_eq!(running.kill().status, None, "{place}");
        goes_on(served);
    }
}

/// Runs a command whose reader is gone before it writes. Its exit status, and what it said beside.
fn unread(stage: &Stage, args: &[&str]) -> (i32, String) {
    let status = stage.folder.join("status");
    let line = r#"{ "$@"; echo "$?" >"$STATUS"; } | true"#;
    let output = ArrplanCmd::new("sh")
        .home(stage.folder.clone())
        .kubeconfig(&stage.kubeconfig)
        .folder(&stage.folder)
        .env("STATUS", &status)
        .args(["-c", line, "sh", env!("CARGO_BIN_EXE_arrplan")])
        .args(args.iter().copied())
        .run();
    (std::fs::read_to_string(&status).unwrap().trim().parse().unwrap(), output.stderr)
}

#[test]
fn a_reader_that_goes_away_ends_a_plan_quietly_and_an_approved_apply_is_done_all_the_same() {
    for args in [APPLY, &["apply", "--yes", "--json"]] {
        let served = Served::empty();
        let stage = &served.stage;
        stage.write(&WHOLE.concat());
        let (status, said) = unread(stage, &["plan"]);
        assert_eq!((status, said.as_str()), (0, ""));
        let (status, said) = unread(stage, &["apply"]);
        assert_eq!(status, 1, "{said}");
        assert!(said.contains("nobody reads the plan, so nothing was applied"), "{said}");
        assert!(stage.state().is_none());
        let (status, said) = unread(stage, args);
        assert_eq!(status, 0, "{said}");
        assert!(!said.contains("panic"), "{said}");
        let different = End::read(stage, true).differences(reference());
        assert!(different.is_empty(), "{}", different.join("\n"));
        served.forget();
    }
}

#[test]
fn row_01_a_terminal_that_goes_away_is_a_signal() {
    let served = stage_with(&json!({"delay": 6000}));
    let stage = &served.stage;
    let line = format!("'{}' apply --yes", env!("CARGO_BIN_EXE_arrplan"));
    // Below `nohup` the shell in between would outlive its terminal, and so would what it runs.
    let terminal = ArrplanCmd::new("env")
        .home(stage.folder.clone())
        .kubeconfig(&stage.kubeconfig)
        .folder(&stage.folder)
        .env("SHELL", "/bin/sh")
        .args(["--default-signal=HUP", "script", "-q", "-e", "-c", &line, "/dev/null"]);
    let terminal = under_way(stage, terminal);
    let holder = std::fs::read_to_string(stage.state_path("lock")).unwrap();
    let holder: Value = serde_json::from_str(&holder).unwrap();
    let process = format!("/proc/{}", holder["pid"]);
    assert!(std::path::Path::new(&process).exists(), "{process}");
    drop(terminal.kill());
    eventually("the run to end", || (!std::path::Path::new(&process).exists()).then_some(()));
    let state = stage.state().expect("it wrote its state");
    assert_eq!(state["resources"].as_object().unwrap().len(), 3, "{state:#}");
    assert!(!stage.state_path("journal").exists());
    goes_on(served);
}
