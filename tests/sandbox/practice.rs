//! `--sandbox`: the main job with nothing but the binary, and the life of the sandbox around it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use support::{ArrplanCmd, RunOutput, eventually};

/// A folder with the project's stack, as a clone has it, and a home with nothing in it.
struct Clone {
    folder: PathBuf,
    home: PathBuf,
}

impl Clone {
    fn new(name: &str) -> Self {
        let folder = support::scratch_dir().join(name);
        let stacks = Path::new(env!("CARGO_MANIFEST_DIR")).join("stacks");
        copy(&stacks, &folder.join("stacks"));
        let home = support::scratch_dir().join(format!("{name}-home"));
        fs::create_dir_all(&home).unwrap();
        Self { folder, home }
    }

    fn command(&self, args: &str) -> ArrplanCmd {
        support::arrplan!().folder(&self.folder).home(&self.home).args(args.split_whitespace())
    }

    #[track_caller]
    fn run(&self, args: &str, status: i32) -> RunOutput {
        self.command(args).run().expect_status(status)
    }

    fn edit(&self, from: &str, to: &str) {
        let stack = self.folder.join("stacks/arr.toml");
        let text = fs::read_to_string(&stack).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(stack, text.replace(from, to)).unwrap();
    }

    fn state(&self) -> Option<String> {
        fs::read_to_string(self.folder.join("state/sandbox/arr.json")).ok()
    }

    fn entries(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.folder.join(folder)).into_iter().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// All parts in the text, whatever lines they are broken into.
#[track_caller]
fn says(output: &RunOutput, text: &str, parts: &[&str]) {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in parts {
        assert!(flat.contains(part), "`{part}` is missing:\n{output}");
    }
}

#[test]
fn the_main_job_needs_nothing_but_the_binary() {
    let clone = Clone::new("main-job");
    let applied = clone.run("apply --sandbox --yes", 0);
    says(
        &applied,
        &applied.stdout,
        &["arr -> sandbox, v1.37.1", "Plan: 5 to create.", "sonarr https://sonarr.media.example.org"],
    );
    says(
        &applied,
        &applied.stderr,
        &[
            "Applied 5 of 5",
            "Stood in for, in the sandbox: ",
            "git_repository.external-arr-stack: read from the folder in [sources], not from its URL",
            "persistent_volume_claim.media-pvc: the volume is a record, there is no disk",
            "helm_release.arr-stack: recorded, not rendered: none of its objects were made",
            "Next: arrplan plan --sandbox",
            "arrplan sandbox serve",
            "arrplan destroy --sandbox",
        ],
    );
    assert!(!applied.stdout.contains("aggregated"), "{applied}");

    let state = clone.state().unwrap();
    let again = clone.run("plan --sandbox --detailed-exitcode", 0);
    says(&again, &again.stdout, &["arr -> sandbox, v1.37.1", "No changes.", "state: serial 1"]);
    let applied = clone.run("apply --sandbox --yes", 0);
    says(&applied, &applied.stdout, &["No changes."]);
    assert_eq!(clone.state().unwrap(), state);

    let plan: Value = serde_json::from_str(&clone.run("plan --sandbox --json", 0).stdout).unwrap();
    assert_eq!(plan["cluster"]["sandbox"], true);
    let output = clone.run("output sonarr --sandbox", 0);
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("https://sonarr.media.example.org\n", "in the sandbox\n")
    );
    for command in
        ["history --sandbox", "state list --sandbox", "state show helm_release.arr-stack --sandbox"]
    {
        let output = clone.run(command, 0);
        says(&output, &output.stderr, &["in the sandbox"]);
    }

    for command in ["history --sandbox --json", "state list --sandbox --json"] {
        let json: Value = serde_json::from_str(&clone.run(command, 0).stdout).unwrap();
        assert_eq!(json["sandbox"], true, "{command}");
    }

    // Practice is not the real thing: nothing of it is in the real state, and no cluster is fallen back on.
    assert_eq!(clone.entries("state"), ["sandbox"]);
    let real = clone.run("plan", 1);
    says(&real, &real.stderr, &["no cluster to plan against", "arrplan plan --sandbox"]);
    assert_eq!(clone.entries("../main-job-home"), [""; 0]);

    let destroyed = clone.run("destroy --sandbox --yes", 0);
    says(&destroyed, &destroyed.stdout, &["arr -> sandbox", "3 to delete, 2 kept"]);
    let kept = clone.run("state list --sandbox", 0);
    assert_eq!(kept.stdout.lines().count(), 2, "{kept}");
}

#[test]
fn one_value_changes_one_object() {
    let clone = Clone::new("one-value");
    drop(clone.run("apply --sandbox --yes", 0));
    for (from, to, address) in [
        ("default = \"Etc/UTC\"", "default = \"Europe/Berlin\"", "helm_release.arr-stack"),
        ("default = \"500Gi\"", "default = \"600Gi\"", "persistent_volume_claim.media-pvc"),
        ("spec.interval = \"5m\"", "spec.interval = \"7m\"", "git_repository.external-arr-stack"),
    ] {
        clone.edit(from, to);
        let plan: Value = serde_json::from_str(&clone.run("plan --sandbox --json", 0).stdout).unwrap();
        let changes = plan["changes"].as_array().unwrap().iter();
        let changed: Vec<&str> = changes
            .filter(|change| change["action"] != "no-op")
            .map(|change| change["address"].as_str().unwrap())
            .collect();
        assert_eq!(changed, [address], "{to}");
        drop(clone.run("apply --sandbox --yes", 0));
    }
    drop(clone.run("plan --sandbox --detailed-exitcode", 0));
}

#[test]
fn a_chart_path_that_is_wrong_fails_with_its_cause_and_goes_on_when_it_is_mended() {
    let clone = Clone::new("wrong-chart");
    clone.edit("./packages/apps/arr-stack", "./packages/apps/ar-stack");
    let failed = clone.run("apply --sandbox --yes", 1);
    assert!(failed.elapsed < Duration::from_mins(1), "{failed}");
    says(
        &failed,
        &failed.stderr,
        &[
            "FAILED helm_release.arr-stack",
            "HelmChart cozy-public/tenant-media-arr-stack InvalidChartReference: invalid chart reference: stat",
            "stacks/catalog/packages/apps/ar-stack: no such file or directory",
        ],
    );
    let plan = clone.run("plan --sandbox", 0);
    says(&plan, &plan.stdout, &["NOT READY", "InvalidChartReference"]);
    clone.edit("./packages/apps/ar-stack", "./packages/apps/arr-stack");
    drop(clone.run("apply --sandbox --yes", 0));
    drop(clone.run("plan --sandbox --detailed-exitcode", 0));
}

#[test]
fn what_is_pushed_is_seen_at_the_next_start() {
    let clone = Clone::new("pushed");
    drop(clone.run("apply --sandbox --yes", 0));
    let chart = clone.folder.join("stacks/catalog/packages/apps/arr-stack");
    fs::rename(&chart, chart.with_file_name("elsewhere")).unwrap();
    let plan = clone.run("plan --sandbox", 0);
    says(&plan, &plan.stdout, &["helm_release.arr-stack", "NOT READY", "InvalidChartReference"]);
    fs::rename(chart.with_file_name("elsewhere"), &chart).unwrap();
    drop(clone.run("plan --sandbox --detailed-exitcode", 0));
}

#[test]
fn a_reset_asks_and_begins_anew() {
    let clone = Clone::new("reset");
    let nothing = clone.run("sandbox reset --yes", 0);
    says(&nothing, &nothing.stderr, &["There is no sandbox in state/sandbox."]);
    drop(clone.run("apply --sandbox --yes", 0));
    let asked = clone.run("sandbox reset", 1);
    says(&asked, &asked.stderr, &["this needs your approval", "arrplan sandbox reset --yes"]);
    assert!(clone.state().is_some());
    let reset = clone.run("sandbox reset --yes", 0);
    says(&reset, &reset.stderr, &["The sandbox in state/sandbox is gone"]);
    assert_eq!(clone.entries("state/sandbox"), ["lock"]);
    let plan = clone.run("plan --sandbox", 0);
    says(&plan, &plan.stdout, &["state: new", "Plan: 5 to create."]);
}

#[test]
fn what_is_served_is_used_by_every_command() {
    let clone = Clone::new("served");
    let serve = clone.command("sandbox serve").spawn();
    eventually("the sandbox to be served", || serve.stdout().contains("kubeconfig").then_some(()));
    let kubeconfig = clone.folder.join("state/sandbox/kubeconfig");
    drop(clone.run("apply --sandbox --yes", 0));
    let both: Vec<_> = (0..2).map(|_| clone.command("plan --sandbox --detailed-exitcode").spawn()).collect();
    for plan in both {
        drop(plan.finish().expect_status(0));
    }
    // An ordinary cluster for whoever has its kubeconfig; the stack in it is the sandbox's.
    let direct = clone.command("plan").kubeconfig(&kubeconfig).run();
    says(&direct, &direct.stdout, &["arr -> context sandbox"]);
    for command in ["sandbox serve", "sandbox reset --yes"] {
        let held = clone.run(command, 1);
        says(&held, &held.stderr, &["the sandbox is in use by `arrplan sandbox serve`", "E310"]);
    }
    serve.signal("INT");
    let served = serve.finish().expect_status(0);
    says(&served, &served.stdout, &["sandbox https://127.0.0.1:", "kubeconfig state/sandbox/kubeconfig"]);
    assert!(!kubeconfig.exists());
    drop(clone.run("plan --sandbox --detailed-exitcode", 0));
}

#[test]
fn a_kill_in_the_middle_is_made_good_by_the_same_command() {
    let clone = Clone::new("killed");
    for part in ["namespace.tenant-media", "git_repository.external-arr-stack", "secret.arr-secrets"] {
        let apply = clone.command("apply --sandbox --yes").spawn();
        eventually("something to be applied", || apply.stderr().contains(part).then_some(()));
        let killed = apply.kill();
        assert_ne!(killed.status, Some(1), "{killed}");
        if killed.status == Some(0) {
            break;
        }
        drop(clone.run("apply --sandbox --yes", 0));
        drop(clone.run("plan --sandbox --detailed-exitcode", 0));
        drop(clone.run("sandbox reset --yes", 0));
    }
    // A served one leaves its kubeconfig behind; nobody follows it.
    let serve = clone.command("sandbox serve").spawn();
    eventually("the sandbox to be served", || serve.stdout().contains("kubeconfig").then_some(()));
    drop(serve.kill());
    assert!(clone.folder.join("state/sandbox/kubeconfig").exists());
    drop(clone.run("apply --sandbox --yes", 0));
    assert!(!clone.folder.join("state/sandbox/kubeconfig").exists());
}

#[test]
fn two_folders_are_two_sandboxes() {
    let clones = ["side-a", "side-b"].map(Clone::new);
    let runs = clones.each_ref().map(|clone| clone.command("apply --sandbox --yes").spawn());
    for run in runs {
        let applied = run.finish().expect_status(0);
        says(&applied, &applied.stderr, &["Applied 5 of 5"]);
    }
}

#[test]
fn the_sandbox_is_one_cluster_and_no_other() {
    let clone = Clone::new("flags");
    for flag in ["--context x", "--kubeconfig x", "--server https://x"] {
        let refused = clone.run(&format!("plan --sandbox {flag}"), 64);
        says(&refused, &refused.stderr, &["cannot be used with", "--sandbox"]);
    }
    drop(clone.run("output --sandbox --state x.json", 64));
    assert_eq!(clone.entries("state"), [""; 0]);
}
