//! Saved plans: `plan --out FILE`, `apply FILE` (design §5.9), and the scenarios about what changes in between.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use support::{AuditRecord, RunOutput, redact};

use crate::project::Project;
use crate::runs::{hides, shows};

const FILE: &str = "p.plan";

impl Project<'_> {
    #[track_caller]
    fn save(&self, args: &[&str]) -> RunOutput {
        self.plan(&[&["--out", FILE], args].concat())
    }

    #[track_caller]
    fn apply_file(&self, args: &[&str]) -> RunOutput {
        self.run(&[&["apply", FILE], args].concat())
    }

    fn file(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    #[track_caller]
    fn saved(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.file()).unwrap()).unwrap()
    }

    /// Changes the saved plan, and gives it the checksum of its new content.
    #[track_caller]
    fn forge(&self, from: &str, to: &str) {
        forge(&self.file(), from, to);
    }

    /// Nothing is refused but by name, and nothing is written then.
    #[track_caller]
    fn refuses(&self, namespace: &str, args: &[&str], phrases: &[&str]) {
        let mark = self.plane.audit().mark();
        let refused = self.apply_file(args).expect_status(1);
        shows(&refused, phrases);
        let writes = self.plane.audit().writes_since(mark).by_user("arrplan").in_namespace(namespace);
        assert_eq!(writes.to_string(), "", "{refused}");
    }

    fn value(&self, namespace: &str, name: &str) -> Value {
        let object = self.plane.get_json("configmap", namespace, name);
        object.map_or(Value::Null, |object| object["data"]["k"].clone())
    }

    fn patch(&self, namespace: &str, name: &str, data: &str) {
        let patch = format!("{{\"data\":{data}}}");
        self.plane.kubectl(&["-n", namespace, "patch", "configmap", name, "--type=merge", "-p", &patch]).ok();
    }
}

/// Changes a sealed file, and gives it the checksum of its new content.
#[track_caller]
fn forge(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "`{from}` in {}", path.display());
    let text = text.replace(from, to);
    let (body, _) = text.split_once(",\n  \"checksum\"").unwrap();
    let mut sum = String::new();
    for byte in Sha256::digest(body.as_bytes()) {
        write!(sum, "{byte:02x}").unwrap();
    }
    std::fs::write(path, format!("{body},\n  \"checksum\": \"sha256:{sum}\"\n}}\n")).unwrap();
}

/// A stack of config maps, each `name[ more lines]`.
fn maps(stack: &str, namespace: &str, value: &str, maps: &[&str]) -> String {
    let mut text = format!("[stack]\nname = \"{stack}\"\n\n[defaults]\nnamespace = \"{namespace}\"\n");
    for map in maps {
        let (name, rest) = map.split_once(' ').unwrap_or((map, ""));
        write!(text, "\n[config_map.{name}]\ndata.k = \"{value}\"\ndata.other = \"x\"\n{rest}\n").unwrap();
    }
    text
}

/// Three, the second of which waits for the first.
const CHAIN: [&str; 3] = ["a", "b depends_on = [\"config_map.a\"]", "c"];

/// The plan as a run showed it, below the line that names the cluster, with the namespace named `NS`.
fn shown(output: &RunOutput, namespace: &str) -> String {
    let text = redact(&output.stdout.replace(namespace, "NS"));
    let lines: Vec<&str> = text.lines().skip(1).map(str::trim_end).collect();
    lines.join("\n")
}

#[test]
fn a_saved_plan_is_applied_as_it_was_shown_and_nothing_is_asked() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("saved");
    let project = Project::new(plane, "saved", &maps("saved", &ns, "1", &CHAIN));
    let mark = plane.audit().mark();
    let planned = project.save(&[]).expect_status(0);
    assert_eq!(plane.audit().writes_since(mark).by_user("arrplan").in_namespace(&ns).to_string(), "");
    shows(&planned, &["Plan: 3 to create.", "Saved to p.plan.", "Next: arrplan apply p.plan"]);
    hides(&planned, &["Next: arrplan apply stacks"]);
    assert_eq!(std::fs::metadata(project.file()).unwrap().mode() & 0o7777, 0o600);
    let saved = project.saved();
    assert_eq!(
        (&saved["format"], &saved["format_version"], &saved["plan"]["serial"]),
        (&json!("arrplan saved plan"), &json!(1), &json!(0))
    );

    let mark = plane.audit().mark();
    let applied = project.apply_file(&[]).expect_status(0);
    let expected = "\n  + config_map.a              2 keys\n  + config_map.b              2 keys\n  \
                    + config_map.c              2 keys\n\nPlan: 3 to create. Nothing changed, deleted or at risk.";
    assert_eq!((shown(&planned, &ns).as_str(), shown(&applied, &ns).as_str()), (expected, expected));
    shows(&applied, &["Applied 3 of 3"]);
    hides(&applied, &["[y/N]"]);
    // What the plan proved is not asked again: one write an object, and no dry-run.
    let sent = plane.audit().since(mark).by_user("arrplan").in_namespace(&ns);
    let dry_runs = sent.clone().filter(AuditRecord::is_dry_run);
    assert_eq!((sent.clone().writes().len(), dry_runs.to_string().as_str()), (3, ""), "{sent}");
    assert_eq!(project.state()["lineage"], saved["plan"]["lineage"]);
    project.settled(&[]);

    // A plan is used up by its apply.
    project.refuses(
        &ns,
        &[],
        &["E425", "made before anything was applied", "serial 1: apply by", "3 created", "plan again"],
    );
    // Nothing to do is a plan as well.
    let planned = project.save(&["--detailed-exitcode"]).expect_status(0);
    shows(&planned, &["No changes.", "Saved to p.plan.", "Next: arrplan apply p.plan"]);
    shows(&project.apply_file(&[]).expect_status(0), &["No changes."]);

    // And so is a change of addresses only.
    project.edit(
        "[config_map.c]",
        "[[moved]]\nfrom = \"config_map.c\"\nto = \"config_map.z\"\n\n[config_map.z]\nname = \"c\"",
    );
    shows(&project.save(&[]).expect_status(0), &["config_map.z", "moved from config_map.c"]);
    let mark = plane.audit().mark();
    drop(project.apply_file(&[]).expect_status(0));
    assert_eq!(plane.audit().writes_since(mark).by_user("arrplan").in_namespace(&ns).to_string(), "");
    assert_eq!(project.state()["resources"]["config_map.z"]["key"], json!(format!("ConfigMap/{ns}/c")));
    project.settled(&[]);
}

#[test]
fn a_saved_plan_of_anything_else_is_refused_by_name() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("refused");
    let head = "[variables.color]\ntype = \"string\"\ndefault = \"red\"\n\n[variables.token]\nsecret = true\n\
                from = { env = \"TOKEN\" }\n\n[secret.s]\nstringData.token = \"${var.token}\"\n";
    let stack = format!(
        "{}data.color = \"${{var.color}}\"\ndata.text = \"${{file('text.txt')}}\"\n\n{head}",
        maps("refused", &ns, "1", &["a"])
    );
    let project = Project::new(plane, "refused", &stack);
    let text = project.folder.join("stacks/text.txt");
    std::fs::write(&text, "one").unwrap();
    let run = |args: &[&str], token: &str, color: &str| {
        let command = project.command(support::arrplan!(), args);
        command.env("TOKEN", token).env("ARRPLAN_VAR_color", color).run()
    };
    let stack_file = project.stack_argument();
    let save = || drop(run(&["plan", &stack_file, "--out", FILE], "canary-5ecret", "red").expect_status(0));
    let refuses = |token: &str, color: &str, phrases: &[&str]| {
        let mark = plane.audit().mark();
        let refused = run(&["apply", FILE], token, color).expect_status(1);
        shows(&refused, phrases);
        hides(&refused, &["canary", "5ecret", token]);
        let writes = plane.audit().writes_since(mark).by_user("arrplan").in_namespace(&ns);
        assert_eq!(writes.to_string(), "", "{refused}");
    };
    save();
    let whole = std::fs::read(project.file()).unwrap();
    let text_of_plan = String::from_utf8(whole.clone()).unwrap();
    // "canary-5ecret" in base64 at each of its three places.
    for form in ["canary", "5ecret", "Y2FuYXJ5LTVlY3JldA", "NhbmFyeS01ZWNyZX", "jYW5hcnktNWVjcmV0"] {
        assert!(!text_of_plan.contains(form), "{form} is in the plan");
    }
    refuses("another-5ecret", "red", &["E426", "variable `token` has another value", "plan again"]);
    refuses("canary-5ecret", "blue", &["E426", "variable `color` has another value"]);
    std::fs::write(&text, "two").unwrap();
    refuses("canary-5ecret", "red", &["E426", "text.txt changed"]);
    std::fs::write(&text, "one").unwrap();
    project.write(&stack.replace("\"x\"", "\"y\""));
    refuses("canary-5ecret", "red", &["E426", "refused.toml changed"]);
    project.write(&stack);

    let identity = project.saved()["plan"]["cluster"]["identity"]["id"].as_str().unwrap().to_owned();
    project.forge(&identity, "another");
    refuses(
        "canary-5ecret",
        "red",
        &["E423", "for another cluster", "planned", "(another)", "here", &identity],
    );
    save();
    project.forge("\"format_version\": 1,", "\"format_version\": 2,");
    refuses("canary-5ecret", "red", &["E422", "p.plan has format 2; this version of arrplan knows format 1"]);
    for (damaged, why) in [
        (&whole[..whole.len() / 2], "it ends before its checksum"),
        (&whole[..1], "it ends before its checksum"),
        (
            &whole.iter().map(|byte| if *byte == b':' { b';' } else { *byte }).collect::<Vec<u8>>(),
            "it has no checksum",
        ),
    ] {
        std::fs::write(project.file(), damaged).unwrap();
        refuses("canary-5ecret", "red", &["E421", "p.plan is damaged", why]);
    }
    // Another key, another lineage.
    std::fs::remove_file(project.file()).unwrap();
    save();
    std::fs::remove_file(project.state_path("key")).unwrap();
    refuses("canary-5ecret", "red", &["E424", "the state's key is another one"]);
    save();
    drop(run(&["apply", FILE], "canary-5ecret", "red").expect_status(0));
    drop(run(&["plan", &stack_file, "--out", FILE], "canary-5ecret", "blue").expect_status(0));
    let lineage = project.saved()["plan"]["lineage"].as_str().unwrap().to_owned();
    project.forge(&lineage, "11111111-2222-3333-4444-555555555555");
    refuses("canary-5ecret", "blue", &["E424", "of another state", "lineage 11111111", &lineage]);

    let elsewhere =
        project.command(support::arrplan!(), &["apply", "../p.plan"]).folder(project.folder.join("stacks"));
    shows(
        &elsewhere.run().expect_status(1),
        &["E426", "the stack of this plan is not here", "stacks/refused.toml", "where the plan was made"],
    );

    // What is no saved plan is not written over, and flags do not make it another plan.
    let refused = project.plan(&["--out", "stacks/text.txt"]).expect_status(1);
    shows(&refused, &["E420", "stacks/text.txt exists and is no saved plan; it is not overwritten"]);
    shows(&project.plan(&["--out", "stacks"]).expect_status(1), &["E420", "stacks exists and is a folder"]);
    shows(&project.plan(&["--out", "none/p"]).expect_status(1), &["cannot write none/p", "No such file"]);
    assert_eq!(std::fs::read_to_string(&text).unwrap(), "one");
    let flags = ["--target", "config_map.a", "--var", "color=blue"];
    let refused = project.apply_file(&flags).expect_status(64);
    shows(&refused, &["p.plan is a saved plan: --var, --target would make it another one"]);
    let refused = project.apply(&["--replan-stale"]).expect_status(64);
    shows(&refused, &["--replan-stale is about a saved plan"]);
    // A plan with errors is not kept.
    project.write(&stack.replace(
        "[secret.s]",
        "[manifest.m]\napiVersion = \"none.example.org/v1\"\nkind = \"None\"\n\n[secret.s]",
    ));
    let before = std::fs::read(project.file()).unwrap();
    let planned = run(&["plan", &stack_file, "--out", FILE], "canary-5ecret", "red").expect_status(1);
    shows(&planned, &["Not saved to p.plan: a plan with errors cannot be applied."]);
    assert_eq!(std::fs::read(project.file()).unwrap(), before);
}

#[test]
fn what_moved_since_stops_with_its_difference_and_the_rest_is_done() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("partial");
    let project = Project::new(plane, "partial", &maps("partial", &ns, "1", &CHAIN));
    drop(project.apply(&[]).expect_status(0));
    project.write(&maps("partial", &ns, "2", &CHAIN));
    drop(project.save(&[]).expect_status(0));
    // What nobody decided by does not matter.
    plane.kubectl(&["-n", &ns, "annotate", "configmap", "c", "else=1"]).ok();
    project.patch(&ns, "a", "{\"other\":\"y\"}");
    let applied = project.apply_file(&[]).expect_status(1);
    let expected = "
  ~ config_map.a
      ~ data.k  \"1\" -> \"2\"
      NOT MADE: ConfigMap NS/a was changed since the plan was made
        data.other: \"x\" when planned, \"y\" now, by kubectl-patch
  ~ config_map.b
      ~ data.k  \"1\" -> \"2\"
  ~ config_map.c
      ~ data.k  \"1\" -> \"2\"

Plan: 3 to change. No data at risk.
The cluster moved on: 1 change is not made.";
    assert_eq!(shown(&applied, &ns), expected);
    shows(
        &applied,
        &[
            "FAILED config_map.a",
            "data.other: \"x\" when planned, \"y\" now, by kubectl-patch",
            "skipped config_map.b because config_map.a failed",
            "Applied 1, failed 1, skipped 1",
            "Next: arrplan plan",
        ],
    );
    assert_eq!(["a", "b", "c"].map(|name| project.value(&ns, name)), ["1", "1", "2"]);

    // Planned again, it is shown and asked for; the rest was approved.
    drop(project.save(&[]).expect_status(0));
    project.patch(&ns, "b", "{\"k\":\"z\"}");
    let mark = plane.audit().mark();
    let refused = project.apply_file(&["--replan-stale"]).expect_status(1);
    shows(
        &refused,
        &[
            "config_map.b",
            &format!("planned again: ConfigMap {ns}/b was changed since the plan was made"),
            "1 change, planned again, need your approval",
            "arrplan apply p.plan --replan-stale --yes",
        ],
    );
    assert_eq!(
        plane
            .audit()
            .writes_since(mark)
            .by_user("arrplan")
            .in_namespace(&ns)
            .filter(|r| !r.is_dry_run())
            .to_string(),
        ""
    );
    let applied = project.apply_file(&["--replan-stale", "--yes"]).expect_status(0);
    shows(&applied, &["planned again", "Applied 2 of 2"]);
    assert_eq!(["a", "b", "c"].map(|name| project.value(&ns, name)), ["2", "2", "2"]);
    project.settled(&[]);
}

#[test]
fn row_18_deleted_between_plan_and_apply() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("row18");
    let project = Project::new(plane, "row18", &maps("row18", &ns, "1", &CHAIN));
    drop(project.apply(&[]).expect_status(0));
    project.write(&maps("row18", &ns, "2", &CHAIN));
    drop(project.save(&[]).expect_status(0));
    plane.kubectl(&["-n", &ns, "delete", "configmap", "a"]).ok();
    let applied = project.apply_file(&[]).expect_status(1);
    shows(&applied, &[&format!("NOT MADE: ConfigMap {ns}/a was deleted since the plan was made")]);
    assert_eq!(["a", "b", "c"].map(|name| project.value(&ns, name)), [Value::Null, json!("1"), json!("2")]);
    // Nothing is lost: the next plan makes it anew, and goes on.
    drop(project.apply(&[]).expect_status(0));
    assert_eq!(["a", "b", "c"].map(|name| project.value(&ns, name)), ["2", "2", "2"]);
    project.settled(&[]);
}

#[test]
fn row_19_deleted_and_made_anew_between_plan_and_apply() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("row19");
    let project = Project::new(plane, "row19", &maps("row19", &ns, "1", &["a", "b", "c"]));
    drop(project.apply(&[]).expect_status(0));
    // One to change, one to leave, one to delete: none of them is touched when it is another object.
    project.write(&maps("row19", &ns, "1", &["a", "b"]).replacen("data.k = \"1\"", "data.k = \"2\"", 1));
    drop(project.save(&[]).expect_status(0));
    for name in ["a", "b", "c"] {
        plane.kubectl(&["-n", &ns, "delete", "configmap", name]).ok();
        plane.create_config_map(&ns, name, &[("k", "theirs")]);
    }
    let mark = plane.audit().mark();
    let applied = project.apply_file(&[]).expect_status(1);
    let anew = |name: &str| {
        format!("NOT MADE: ConfigMap {ns}/{name} was deleted and made anew since the plan was made")
    };
    shows(&applied, &[&anew("a"), &anew("b"), &anew("c")]);
    let writes = plane.audit().writes_since(mark).by_user("arrplan").in_namespace(&ns);
    assert_eq!(writes.filter(|record| !record.is_dry_run()).to_string(), "");
    assert_eq!(["a", "b", "c"].map(|name| project.value(&ns, name)), ["theirs", "theirs", "theirs"]);
}

#[test]
fn row_20_a_saved_plan_that_is_out_of_date() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("row20");
    let project = Project::new(plane, "row20", &maps("row20", &ns, "1", &CHAIN));
    drop(project.apply(&[]).expect_status(0));
    project.write(&maps("row20", &ns, "2", &CHAIN));
    drop(project.save(&[]).expect_status(0));
    drop(project.apply(&["--target", "config_map.c"]).expect_status(0));
    drop(project.run(&["state", "mv", "config_map.c", "config_map.d"]).expect_status(0));
    project.refuses(
        &ns,
        &[],
        &[
            "E425",
            "this plan is out of date: it was made at serial 1, the state is at serial 3",
            "serial 2: apply by",
            "1 changed",
            "serial 3: the state was changed",
            "plan again",
        ],
    );
}

#[test]
fn a_saved_destroy_keeps_to_its_consent_and_a_saved_rollback_goes_back() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("undo");
    let own = format!("{ns}-own");
    let stack = |value: &str| format!("{}\n[namespace.{own}]\n", maps("undo", &ns, value, &CHAIN));
    let project = Project::new(plane, "undo", &stack("1"));
    drop(project.apply(&[]).expect_status(0));
    project.write(&stack("2"));
    drop(project.apply(&[]).expect_status(0));

    let planned = project.save(&["--to", "1"]).expect_status(0);
    shows(&planned, &["Back to revision 1.", "3 to change", "Next: arrplan apply p.plan"]);
    let back = project.apply_file(&[]).expect_status(0);
    shows(&back, &["Back to revision 1.", "The stack says otherwise"]);
    assert_eq!(["a", "b", "c"].map(|name| project.value(&ns, name)), ["1", "1", "1"]);
    let history = project.run(&["history"]).expect_status(0);
    shows(&history, &["rollback to 1: ~3"]);

    plane.create_config_map(&own, "theirs", &[("k", "v")]);
    let planned = project.save(&["--destroy"]).expect_status(0);
    shows(&planned, &["4 to delete", "DATA LOSS", "Next: arrplan apply p.plan"]);
    let consent = format!("arrplan apply p.plan --allow data-loss=namespace.{own}");
    project.refuses(&ns, &[], &["E410", &consent]);
    let destroyed = project.apply_file(&["--allow", &format!("data-loss=namespace.{own}")]).expect_status(0);
    shows(&destroyed, &["4 to delete"]);
    assert_eq!(["a", "b", "c"].map(|name| project.value(&ns, name)), [Value::Null, Value::Null, Value::Null]);
    assert_eq!(project.state()["resources"], json!({}));
    shows(&project.run(&["history"]).expect_status(0), &["destroy", "-4"]);
}

#[test]
fn an_apply_of_a_saved_plan_that_was_cut_off_goes_on_when_it_is_repeated() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("cut");
    let names: Vec<String> =
        (0..10).map(|n| format!("m{n} data.uid = \"${{config_map.first.uid}}\"")).collect();
    let all: Vec<&str> = std::iter::once("first").chain(names.iter().map(String::as_str)).collect();
    let project = Project::new(plane, "cut", &maps("cut", &ns, "1", &all));
    drop(project.save(&[]).expect_status(0));
    let mut cuts = 0;
    for at in [2, 4] {
        let armed = format!("end.before@{at}=abort");
        let command = project.command(support::arrplan!(), &["apply", FILE]).env("ARRPLAN_FAILPOINT", armed);
        let cut = command.run();
        cuts += usize::from(cut.status.is_none());
    }
    assert_eq!(cuts, 2, "each run was cut off");
    let uid = |name: &str| {
        let object = plane.get_json("configmap", &ns, name);
        object.map_or(Value::Null, |object| object["metadata"]["uid"].clone())
    };
    let first = uid("first");
    assert!(first.is_string(), "the cut came after the first write");
    let applied = project.apply_file(&[]).expect_status(0);
    hides(&applied, &["NOT MADE"]);
    assert_eq!(uid("first"), first);
    for n in 0..10 {
        let object = plane.get_json("configmap", &ns, &format!("m{n}")).unwrap();
        assert_eq!(object["data"], json!({"k": "1", "other": "x", "uid": first}));
    }
    project.settled(&[]);
}

#[test]
fn what_a_run_left_open_is_not_settled_by_another_cluster() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("elsewhere");
    let project = Project::new(plane, "elsewhere", &maps("elsewhere", &ns, "1", &["a"]));
    drop(project.apply(&[]).expect_status(0));
    project.write(&maps("elsewhere", &ns, "1", &["a", "b"]));
    let args = ["apply", &project.stack_argument(), "--yes"];
    // The object is there, and only the open record of the journal knows that it is ours.
    let cut =
        project.command(support::arrplan!(), &args).env("ARRPLAN_FAILPOINT", "end.before@1=abort").run();
    assert_eq!(cut.status, None, "{cut}");
    let journal = std::fs::read(project.state_path("journal")).unwrap();
    let identity = project.state()["cluster"]["id"].as_str().unwrap().to_owned();
    forge(&project.state_path("json"), &identity, "another");
    shows(&project.apply(&[]).expect_status(1), &["E510"]);
    shows(&project.plan(&[]).expect_status(1), &["E510"]);
    assert_eq!(std::fs::read(project.state_path("journal")).unwrap(), journal);
    forge(&project.state_path("json"), "another", &identity);
    let applied = project.apply(&[]).expect_status(0);
    hides(&applied, &["exists already"]);
    project.settled(&[]);
}

#[test]
fn a_part_of_a_destroy_takes_along_what_needs_it_and_what_was_typed_is_suggested() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("destroy-part");
    let stack = format!(
        "{}\n[variables.v]\ntype = \"string\"\ndefault = \"d\"\n",
        maps("destroy-part", &ns, "${var.v}", &CHAIN)
    );
    let project = Project::new(plane, "destroy-part", &stack);
    let planned = project.plan(&["--target", "config_map.b", "--var", "v=a b"]).expect_status(0);
    shows(&planned, &["Next: arrplan apply stacks/destroy-part.toml --var 'v=a b' --target config_map.b"]);
    let asked = project.run(&["apply", &project.stack_argument(), "--var", "v=1"]).expect_status(1);
    shows(&asked, &["arrplan apply stacks/destroy-part.toml --var v=1 --yes"]);
    drop(project.apply(&[]).expect_status(0));

    let planned = project.plan(&["--destroy", "--exclude", "config_map.c"]).expect_status(0);
    shows(
        &planned,
        &["2 to delete", "Next: arrplan destroy stacks/destroy-part.toml --exclude config_map.c"],
    );
    let destroyed = project.destroy(&["--target", "config_map.a"]).expect_status(0);
    shows(
        &destroyed,
        &["Only a part: 1 left out (config_map.c); along with what was named: config_map.b.", "2 to delete"],
    );
    assert_eq!(["a", "b", "c"].map(|name| project.value(&ns, name)), [Value::Null, Value::Null, json!("d")]);
    let state = project.state();
    let owned: Vec<&String> = state["resources"].as_object().unwrap().keys().collect();
    assert_eq!(owned, ["config_map.c"]);
    drop(project.destroy(&["--exclude", "config_map.none"]).expect_status(1));
}

#[test]
fn a_generated_secret_is_drawn_when_the_plan_is_applied_and_stays() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("saved-drawn");
    let stack = |text: &str| {
        format!(
            "[stack]\nname = \"saved-drawn\"\n\n[defaults]\nnamespace = \"{ns}\"\n\n[variables.drawn]\nsecret = true\n\
             from = {{ generate = {{ length = 24, charset = \"hex\" }} }}\n\n[secret.home]\nstringData.token = \"${{var.drawn}}\"\n\n\
             [secret.user]\nstringData.url = \"{text}-${{var.drawn}}\"\n"
        )
    };
    let project = Project::new(plane, "saved-drawn", &stack("one"));
    let read = |name: &str, key: &str| {
        let object = plane.get_json("secret", &ns, name).unwrap();
        object["data"][key].as_str().unwrap().to_owned()
    };
    drop(project.save(&[]).expect_status(0));
    drop(project.apply_file(&[]).expect_status(0));
    let (home, user) = (read("home", "token"), read("user", "url"));
    project.settled(&[]);
    project.write(&stack("two"));
    drop(project.save(&[]).expect_status(0));
    let text = std::fs::read_to_string(project.file()).unwrap();
    assert!(!text.contains(&home) && !text.contains(&user), "a secret is in the plan");
    let applied = project.apply_file(&[]).expect_status(0);
    hides(&applied, &["NOT MADE"]);
    assert_eq!(read("home", "token"), home);
    assert_ne!(read("user", "url"), user);
    project.settled(&[]);

    // The value that was planned with is another one by now: what uses it is not made from it.
    project.write(&stack("three"));
    drop(project.save(&[]).expect_status(0));
    let patch = "{\"data\":{\"token\":\"b3RoZXI=\"}}";
    plane.kubectl(&["-n", &ns, "patch", "secret", "home", "--type=merge", "-p", patch]).ok();
    let user = read("user", "url");
    let applied = project.apply_file(&[]).expect_status(1);
    shows(&applied, &["secret.user", "NOT MADE: a value that it takes from another object changed"]);
    assert_eq!(read("user", "url"), user);
}
