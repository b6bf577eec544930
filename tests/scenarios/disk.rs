//! Rows about the files of a state.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use support::{ArrplanCmd, RunOutput};

use crate::project::Project;
use crate::runs::{hides, shows};
use crate::stage::{self, STACK, ends_well, writes};

/// The variable that lets operations on the state's files fail.
const FAULTS: &str = "ARRPLAN_DISK_FAULTS";

impl Project<'_> {
    /// `arrplan apply --yes` one change at a time, on a disk that fails as the script says.
    #[track_caller]
    fn apply_on(&self, script: &str) -> RunOutput {
        let args = ["apply", &self.stack_argument(), "--yes", "--parallelism", "1"];
        self.command(support::arrplan!(), &args).env(FAULTS, script).run()
    }

    /// The same, ended at a failpoint.
    #[track_caller]
    fn apply_until(&self, failpoint: &str) {
        let args = ["apply", &self.stack_argument(), "--yes", "--parallelism", "1"];
        let crashed = self.command(support::arrplan!(), &args).env("ARRPLAN_FAILPOINT", failpoint).run();
        assert_eq!(crashed.status, None, "{failpoint}: {crashed}");
    }

    /// `arrplan ARGS`, started by a shell that first does `before`.
    fn after(&self, before: &str, args: &[&str]) -> ArrplanCmd {
        let script = format!("{before}; exec \"$0\" \"$@\"");
        let program = env!("CARGO_BIN_EXE_arrplan");
        self.command(ArrplanCmd::new("sh"), &[&["-c", &script, program], args].concat())
    }

    fn leftovers(&self) -> Vec<String> {
        let folder = std::fs::read_dir(self.folder.join("state")).unwrap();
        let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(".tmp")).collect()
    }
}

#[test]
fn row_04_a_state_that_was_being_written_is_the_old_one_or_the_new_one() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    drop(project.apply(&[]).expect_status(0));
    let steps = [
        "previous.linked",
        "previous.renamed",
        "state.written",
        "state.synced",
        "state.renamed",
        "journal.removed",
        "revision.written",
        "revision.renamed",
    ];
    let mut colour = "blue".to_owned();
    for (at, step) in steps.into_iter().enumerate() {
        let next = format!("colour-{at}");
        project.edit(&format!("\"{colour}\""), &format!("\"{next}\""));
        colour = next;
        let before = project.state()["serial"].as_u64().unwrap();
        project.apply_until(&format!("{step}@1=abort"));
        let serial = project.state()["serial"].as_u64().unwrap();
        assert!((before..=before + 1).contains(&serial), "{step}: {serial} after {before}");
        // Nobody is asked, and what was written to the cluster is not written again.
        let mark = plane.audit().mark();
        drop(project.apply(&[]).expect_status(0));
        assert_eq!(writes(&plane, mark), [""; 0], "{step}");
        assert_eq!(project.leftovers(), [""; 0], "{step}");
        let previous = std::fs::read_to_string(project.state_path("prev.json")).unwrap();
        assert!(previous.contains("\"checksum\""));
        ends_well(&plane, &project);
    }
}

#[test]
fn row_05_a_disk_that_cannot_be_written_shows_before_the_first_change() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    for (script, says) in [
        ("make-folder:state=EROFS", "name a place that can be written with --state"),
        ("open:app.lock=EACCES", "run as the user who owns the state"),
        ("write:app.lock=ENOSPC", "make room on the disk"),
        ("write:app.key.tmp=EDQUOT", "make room on the disk"),
        ("sync-folder:state=EIO", "mend that and run the same command again"),
        ("open:app.journal.tmp=EROFS", "name a place that can be written with --state"),
        ("sync:app.journal.tmp=EIO", "mend that and run the same command again"),
        ("reserve:app.journal=ENOSPC", "make room on the disk"),
        ("reserve:app.json.tmp=ENOSPC", "make room on the disk"),
    ] {
        let project = Project::new(&plane, "app", STACK);
        let mark = plane.audit().mark();
        let refused = project.apply_on(script).expect_status(1);
        shows(&refused, &["error[E501]: cannot", "state", says]);
        assert_eq!(writes(&plane, mark), [""; 0], "{script}");
        assert!(plane.get_json("configmap", "home", "first").is_none(), "{script}");
    }
}

#[test]
fn row_05_a_disk_that_breaks_in_the_middle_stops_the_run_and_the_next_one_finishes() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    for (script, done) in [
        // The second begin: the namespace is made, and nothing after it.
        ("sync:app.journal@2+=EIO", "state"),
        ("sync:app.journal@2+=ENOSPC", "state"),
        // The whole disk, the state too.
        ("sync:app.journal@2+=ENOSPC,write:app.json.tmp@1+=ENOSPC,open:app.json.tmp@2+=ENOSPC", "journal"),
        ("sync:app.journal@2+=EIO,sync:app.json.tmp@1+=EIO", "journal"),
    ] {
        let project = Project::new(&plane, "app", STACK);
        let mark = plane.audit().mark();
        let stopped = project.apply_on(script).expect_status(1);
        shows(&stopped, &["the run stopped: cannot write", "the same command again goes on from there"]);
        assert_eq!(writes(&plane, mark), ["patch namespaces/home 201"], "{script}\n{stopped}");
        assert_eq!(project.state_path("json").exists(), done == "state", "{script}");
        if script == "sync:app.journal@2+=EIO" {
            insta::assert_snapshot!("row_05_broken_in_the_middle", stopped.snapshot());
        }
        drop(project.apply(&[]).expect_status(0));
        ends_well(&plane, &project);
        drop(project.destroy(&["--allow", "data-loss=namespace.home"]).expect_status(0));
    }
    // A limit of the system, without any script.
    let project = Project::new(&plane, "app", STACK);
    let limited = project.after("trap '' XFSZ; ulimit -f 1", &["apply", "stacks/app.toml", "--yes"]).run();
    shows(&limited.expect_status(1), &["the run stopped: cannot write journal", "File too large"]);
    drop(project.apply(&[]).expect_status(0));
    ends_well(&plane, &project);
    drop(project.destroy(&["--allow", "data-loss=namespace.home"]).expect_status(0));
    // Only the end: everything was done, and the next run knows it.
    let project = Project::new(&plane, "app", STACK);
    let stopped = project.apply_on("rename:app.json@1+=EIO").expect_status(1);
    shows(&stopped, &["the run stopped: cannot replace", "app.json"]);
    let mark = plane.audit().mark();
    drop(project.apply(&[]).expect_status(0));
    assert_eq!(writes(&plane, mark), [""; 0]);
    ends_well(&plane, &project);
}

#[test]
fn row_06_a_state_that_is_cut_short_or_empty_is_refused_and_can_be_recovered() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    drop(project.apply(&[]).expect_status(0));
    project.edit("blue", "green");
    drop(project.apply(&[]).expect_status(0));
    let sound = std::fs::read(project.state_path("json")).unwrap();
    let mut flipped = sound.clone();
    flipped[sound.len() / 2] ^= 4;
    for (at, damage) in [Vec::new(), sound[..sound.len() - 1].to_vec(), flipped].iter().enumerate() {
        std::fs::write(project.state_path("json"), damage).unwrap();
        let mark = plane.audit().mark();
        let refused = project.plan(&[]).expect_status(1);
        if at == 0 {
            insta::assert_snapshot!("row_06_an_empty_state", refused.snapshot());
        }
        for command in ["apply", "destroy", "rollback"] {
            let refused = project.run(&[command, "stacks/app.toml", "--yes"]).expect_status(1);
            shows(&refused, &["E502", "app.json is damaged", "arrplan state recover"]);
        }
        for command in
            [&["state", "list"][..], &["output"], &["state", "mv", "config_map.first", "config_map.x"]]
        {
            shows(&project.run(command).expect_status(1), &["E502"]);
        }
        assert_eq!(writes(&plane, mark), [""; 0]);
        assert_eq!(std::fs::read(project.state_path("json")).unwrap(), *damage, "untouched");
        drop(project.run(&["state", "recover", "--yes"]).expect_status(0));
        ends_well(&plane, &project);
    }
}

#[test]
fn row_07_a_state_of_a_newer_version_is_refused_untouched() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    drop(project.apply(&[]).expect_status(0));
    let text = std::fs::read_to_string(project.state_path("json")).unwrap();
    let newer = text.replacen("\"format_version\": 1", "\"format_version\": 2", 1);
    std::fs::write(project.state_path("json"), &newer).unwrap();
    let mark = plane.audit().mark();
    let stack = "stacks/app.toml";
    for command in [
        &["plan", stack][..],
        &["apply", stack, "--yes"],
        &["destroy", stack, "--yes"],
        &["state", "recover", "--yes"],
    ] {
        let refused = project.run(command).expect_status(1);
        shows(&refused, &["E503", "has format 2; this version of arrplan knows format 1", "use the version"]);
    }
    assert_eq!(writes(&plane, mark), [""; 0]);
    assert_eq!(std::fs::read_to_string(project.state_path("json")).unwrap(), newer);
    std::fs::write(project.state_path("json"), text).unwrap();
    ends_well(&plane, &project);
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn row_39_files_of_a_state_are_their_owners_alone() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    let project = Project::new(&plane, "app", STACK);
    let open = "umask 000";
    drop(project.after(open, &["apply", "stacks/app.toml", "--yes"]).run().expect_status(0));
    project.edit("blue", "green");
    project.apply_until("request.answered@1=abort");
    drop(project.after(open, &["apply", "stacks/app.toml", "--yes"]).run().expect_status(0));
    let mut files = 0;
    let mut folders = vec![project.folder.join("state")];
    while let Some(folder) = folders.pop() {
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
                files += 1;
            }
        }
    }
    assert!(files >= 5, "{files} files");

    hides(&project.plan(&[]).expect_status(0), &["chmod"]);
    for name in ["json", "key"] {
        let path = project.state_path(name);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let path = path.display().to_string();
        shows(&project.plan(&[]).expect_status(0), &[&path, "can be read by others: chmod 600", &path]);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    // A link that was put in the place of a file is not followed.
    let path = project.state_path("json");
    let elsewhere = project.folder.join("elsewhere.json");
    std::fs::rename(&path, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    shows(&project.apply(&[]).expect_status(1), &["E501", "cannot read", "app.json"]);
    std::fs::rename(&elsewhere, &path).unwrap();
    ends_well(&plane, &project);
}

#[test]
fn row_42_a_file_system_without_locks_is_refused_and_never_worked_on_unlocked() {
    let Some(plane) = stage::sandbox(&[]) else { return };
    for error in ["ENOLCK", "EOPNOTSUPP"] {
        let project = Project::new(&plane, "app", STACK);
        let mark = plane.audit().mark();
        let refused = project.apply_on(&format!("lock:app.lock={error}")).expect_status(1);
        shows(
            &refused,
            &["error[E508]: cannot lock", "app.lock", "name a place on a local disk with --state"],
        );
        assert_eq!(writes(&plane, mark), [""; 0]);
        // A plan takes none.
        drop(project.plan(&[]).expect_status(0));
    }
}
