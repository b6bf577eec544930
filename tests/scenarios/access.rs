//! Rows about rights, credentials and the programs that hand them out.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{ControlPlane, User, eventually};

use crate::project::Project;
use crate::proxy::kubeconfig;
use crate::runs::{hides, said, shows};
use crate::stage::{self, FIRST, REAL, SECOND, STACK, answer, writes};

fn forbidden(verb: &str, name: &str) -> Value {
    let name = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
    let message = format!(
        "configmaps{name} is forbidden: User \"arrplan\" cannot {verb} resource \"configmaps\" in API group \"\" in the namespace \"home\""
    );
    answer(403, "Forbidden", &message)
}

#[test]
fn row_29_what_may_not_be_read_is_unknown_and_never_absent() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let names = ["a", "b", "c", "d", "e"];
    let project = Project::new(&plane, "app", &stage::maps(&names));
    drop(project.apply(&[]).expect_status(0));
    let state = project.state();

    // No list: each by its name.
    let list = json!({ "method": "GET", "path": "/api/v1/namespaces/home/configmaps", "times": 0, "fault": forbidden("list", "") });
    stage::script(&plane, &json!([list]));
    project.settled(&[]);
    assert!(stage::struck(&plane)[0] > 0);

    // Not even that.
    let get =
        json!({ "method": "GET", "path": "*/configmaps/c", "times": 0, "fault": forbidden("get", "c") });
    stage::script(&plane, &json!([list, get]));
    let mark = plane.audit().mark();
    let refused = project.apply(&[]).expect_status(1);
    insta::assert_snapshot!("row_29_forbidden", refused.snapshot());
    hides(&project.destroy(&[]), &["forgotten", "was gone already"]);
    assert_eq!(project.state()["resources"]["config_map.c"], state["resources"]["config_map.c"]);
    let about_c: Vec<_> = writes(&plane, mark).into_iter().filter(|write| write.contains("/c ")).collect();
    assert_eq!(about_c, [""; 0]);
}

/// A credential plugin: a shell script, and how often it ran.
struct Plugin {
    script: PathBuf,
    runs: PathBuf,
    file: PathBuf,
}

impl Plugin {
    fn new(plane: &ControlPlane, body: &str) -> Self {
        let (script, runs) = (plane.folder().join("login"), plane.folder().join("login.runs"));
        std::fs::write(&runs, "").unwrap();
        let file = kubeconfig(plane, "plugin", |content| {
            content["users"][0]["user"] = json!({ "exec": {
                "apiVersion": "client.authentication.k8s.io/v1", "command": script, "interactiveMode": "IfAvailable",
            } });
        });
        let plugin = Self { script, runs, file };
        plugin.says(body);
        plugin
    }

    fn says(&self, body: &str) {
        // A new file: one that is being run cannot be written.
        drop(std::fs::remove_file(&self.script));
        std::fs::write(&self.script, format!("#!/bin/sh\necho >>'{}'\n{body}\n", self.runs.display()))
            .unwrap();
        std::fs::set_permissions(&self.script, std::fs::Permissions::from_mode(0o700)).unwrap();
    }

    fn runs(&self) -> usize {
        std::fs::read_to_string(&self.runs).unwrap().lines().count()
    }
}

fn token(token: &str) -> String {
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": { "token": token },
    });
    format!("cat <<'END'\n{credential}\nEND")
}

#[test]
fn row_30_credentials_that_stop_working_are_made_anew_once() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    let plugin = Plugin::new(&plane, &token(&User::Arrplan.token()));
    let expired = |path: &str, times: u32| json!({ "method": "PATCH", "path": path, "query": REAL, "times": times, "fault": answer(401, "Unauthorized", "Unauthorized") });
    stage::script(&plane, &json!([expired(FIRST, 1)]));
    shows(&project.by(&plugin.file, "apply", &["--yes"]).run().expect_status(0), &["Applied 3 of 3"]);
    assert_eq!((stage::struck(&plane), plugin.runs()), (vec![1], 2));

    // New ones are refused too: said, and what was done until then is in the state.
    project.edit("blue", "green");
    project.edit("data.after", "data.before");
    stage::script(&plane, &json!([expired(SECOND, 0)]));
    let failed = project.by(&plugin.file, "apply", &["--yes"]).run().expect_status(1);
    insta::assert_snapshot!("row_30_refused", failed.snapshot());
    assert_eq!(stage::struck(&plane), [2], "once, and once more with new credentials");
    stage::calm(&plane);
    let mark = plane.audit().mark();
    shows(&project.by(&plugin.file, "apply", &["--yes"]).run().expect_status(0), &["config_map.second"]);
    assert_eq!(writes(&plane, mark), ["patch configmaps/second 200"]);
    project.settled(&[]);
}

fn alive(pid: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    !state.is_empty() && !state.contains(") Z ")
}

#[test]
fn row_31_a_credential_plugin_hangs_lies_or_shouts_and_hurts_nobody() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    // It hangs: an interrupt ends it with all it started. (Its own deadline is a minute; `cluster::exec` tests that.)
    let pids = plane.folder().join("login.pids");
    let plugin = Plugin::new(&plane, "");
    plugin.says(&format!(
        "sleep 300 & echo $! >'{0}.new'; echo $$ >>'{0}.new'; mv '{0}.new' '{0}'; wait",
        pids.display()
    ));
    let running = project.by(&plugin.file, "apply", &["--yes"]).spawn();
    let written = eventually("the plugin to run", || std::fs::read_to_string(&pids).ok());
    running.signal("INT");
    let ended = running.finish().expect_status(130);
    assert!(ended.elapsed.as_secs() < 20, "{ended}");
    let left = || written.lines().any(alive);
    eventually("the plugin and what it started to be gone", || (!left()).then_some(()));

    // It shouts: what it says cannot move the cursor. Its standard output is a secret, also where it makes no sense.
    plugin.says("printf '\\033]0;owned\\007\\033[2Jtry \\r again\\n' >&2; exit 3");
    let failed = project.by(&plugin.file, "plan", &[]).run().expect_status(1);
    insta::assert_snapshot!("row_31_shouts", failed.redact(text(&plugin.script), "[plugin]").snapshot());
    plugin.says("echo canary-of-a-plugin");
    let failed = project.by(&plugin.file, "plan", &[]).run().expect_status(1);
    hides(&failed, &["canary"]);

    // Values meant for stacks are none of its business.
    plugin.says(&format!("[ -z \"$ARRPLAN_VAR_key\" ] || exit 9\n{}", token(&User::Arrplan.token())));
    let planned =
        project.by(&plugin.file, "plan", &[]).env("ARRPLAN_VAR_key", "canary").run().expect_status(0);
    hides(&planned, &["canary"]);

    // A stack cannot name the program: no kubeconfig comes from it.
    project.edit("[stack]", &format!("[cluster]\nkubeconfig = \"{}\"\n[stack]", text(&plugin.file)));
    let refused = project.plan(&[]).expect_status(4);
    assert!(said(&refused).contains("kubeconfig"), "{refused}");
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
