//! Rows about the files of a state.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::{ControlPlane, User};

use crate::project::Project;
use crate::runs::shows;
use crate::stage::{self, STACK, ends_well, writes};

#[test]
fn row_04_a_kill_at_any_step_of_writing_the_state_leaves_the_old_or_the_new_one() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    drop(project.apply(&[]).expect_status(0));
    let steps = [
        "state.created",
        "state.written",
        "state.synced",
        "previous.linked",
        "previous.renamed",
        "state.renamed",
    ];
    for (at, step) in steps.iter().enumerate() {
        let (from, to) = if at % 2 == 0 { ("blue", "green") } else { ("green", "blue") };
        project.edit(from, to);
        let before = project.state()["serial"].as_u64().unwrap();
        let stack = project.stack_argument();
        let args = ["apply", stack.as_str(), "--yes"];
        let killed = project
            .command(support::arrplan!(), &args)
            .env("ARRPLAN_FAILPOINT", format!("{step}@1=abort"))
            .run();
        assert_eq!(killed.status, None, "{step}: {killed}");
        // Whole, and one of the two.
        let serial = project.state()["serial"].as_u64().unwrap();
        assert!(serial == before || serial == before + 1, "{step}: {serial} after {before}");
        drop(project.apply(&[]).expect_status(0));
        assert_eq!(project.state()["serial"].as_u64().unwrap(), before + 1, "{step}");
        ends_well(&plane, &project);
    }
    let left: Vec<_> = std::fs::read_dir(project.folder.join("state"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("tmp"))
        .collect();
    assert_eq!(left, [""; 0], "what was half written is cleared away");
}

/// Runs arrplan with a largest file size, which is how a full disk looks from inside: in blocks of 512 bytes.
fn on_a_full_disk(plane: &ControlPlane, project: &Project<'_>, blocks: u32) -> std::process::Output {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_arrplan"), "apply", &project.stack_argument(), "--yes"])
        .env_clear()
        .env("KUBECONFIG", plane.kubeconfig(User::Arrplan))
        .current_dir(&project.folder)
        .output()
        .unwrap()
}

#[test]
fn row_05_a_disk_that_is_full_is_found_before_the_first_write_and_one_that_breaks_loses_nothing() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    let mark = plane.audit().mark();
    let failed = on_a_full_disk(&plane, &project, 0);
    let said = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(failed.status.code(), Some(1), "{said}");
    assert!(said.contains("error[E50") && said.contains("state/app"), "{said}");
    assert_eq!(writes(&plane, mark), [""; 0]);
    // It breaks in the middle (a limit of this process is no lack of space, and shows only then): nothing new starts,
    // and what was done is not forgotten.
    let failed = on_a_full_disk(&plane, &project, 1);
    let said = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(failed.status.code(), Some(1), "{said}");
    assert!(said.contains("nothing was sent, because the journal cannot be written"), "{said}");
    assert!(said.contains("the same command again goes on from there"), "{said}");
    assert_eq!(writes(&plane, mark), ["patch namespaces/home 201"], "{said}");
    let mark = plane.audit().mark();
    drop(project.apply(&[]).expect_status(0));
    assert_eq!(writes(&plane, mark), ["patch configmaps/first 201", "patch configmaps/second 201"]);
    ends_well(&plane, &project);
}

#[test]
fn row_06_a_state_that_is_cut_or_changed_is_refused_by_name_and_left_as_it_is() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    drop(project.apply(&[]).expect_status(0));
    let file = project.state_path("json");
    let whole = std::fs::read(&file).unwrap();
    project.edit("blue", "green");
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for (name, bytes) in [("empty", Vec::new()), ("half", whole[..middle].to_vec()), ("flipped", flipped)] {
        std::fs::write(&file, &bytes).unwrap();
        let mark = plane.audit().mark();
        let refused = project.apply(&[]).expect_status(1);
        shows(&refused, &["error[E5", "state/app.json is damaged"]);
        shows(&refused, &["nothing was changed"]);
        assert_eq!(writes(&plane, mark), [""; 0], "{name}");
        assert_eq!(std::fs::read(&file).unwrap(), bytes, "{name}");
        drop(project.plan(&[]).expect_status(1));
    }
    std::fs::write(&file, whole).unwrap();
    drop(project.apply(&[]).expect_status(0));
    ends_well(&plane, &project);
}

#[test]
fn row_07_a_state_of_a_newer_version_is_refused_untouched() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    drop(project.apply(&[]).expect_status(0));
    let mut state = project.state();
    state["format_version"] = json!(99);
    let newer = state.to_string();
    std::fs::write(project.state_path("json"), &newer).unwrap();
    let mark = plane.audit().mark();
    let refused = project.apply(&[]).expect_status(1);
    shows(&refused, &["error[E503]", "state/app.json has format 99; this version of arrplan knows format 1"]);
    shows(&refused, &["use the version of arrplan that wrote it, or a newer one"]);
    for command in ["plan", "destroy", "history"] {
        drop(project.run(&[command, &project.stack_argument()]));
    }
    assert_eq!(writes(&plane, mark), [""; 0]);
    assert_eq!(std::fs::read_to_string(project.state_path("json")).unwrap(), newer);
}

#[test]
fn row_39_what_a_state_holds_is_for_its_owner_alone() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    drop(project.apply(&[]).expect_status(0));
    project.edit("blue", "green");
    drop(project.apply(&[]).expect_status(0));
    let mut seen = Vec::new();
    modes(&project.folder.join("state"), &mut seen);
    assert!(seen.len() >= 6, "{seen:?}");
    for (path, mode, is_folder) in seen {
        assert_eq!(mode, if is_folder { 0o700 } else { 0o600 }, "{path}");
    }
    // A link in the place of the state leads nowhere.
    let elsewhere = project.folder.join("elsewhere.json");
    std::fs::rename(project.state_path("json"), &elsewhere).unwrap();
    let before: Value = serde_json::from_slice(&std::fs::read(&elsewhere).unwrap()).unwrap();
    std::os::unix::fs::symlink(&elsewhere, project.state_path("json")).unwrap();
    project.edit("green", "blue");
    let refused = project.apply(&[]).expect_status(1);
    shows(&refused, &["state/app.json"]);
    assert_eq!(serde_json::from_slice::<Value>(&std::fs::read(&elsewhere).unwrap()).unwrap(), before);
}

fn modes(folder: &Path, seen: &mut Vec<(String, u32, bool)>) {
    let of = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    seen.push((folder.display().to_string(), of(folder), true));
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            modes(&path, seen);
        } else {
            seen.push((path.display().to_string(), of(&path), false));
        }
    }
}
