//! `state recover`: the state's files are damaged or gone, and nothing that was applied is lost.

use serde_json::{Value, json};
use support::RunOutput;

use crate::project::Project;
use crate::runs::{hides, shows};

fn stack(name: &str, namespace: &str, maps: &[&str]) -> String {
    let head = format!("[stack]\nname = \"{name}\"\n\n[defaults]\nnamespace = \"{namespace}\"\n");
    let map = |map: &&str| {
        let (name, value) = map.split_once('=').unwrap_or((map, "1"));
        format!("\n[config_map.{name}]\ndata.k = \"{value}\"\n")
    };
    let texts: Vec<String> = std::iter::once(head).chain(maps.iter().map(map)).collect();
    texts.concat()
}

/// The whole output, the same on every kind of cluster.
#[track_caller]
fn whole(name: &str, told: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, told);
    });
}

impl Project<'_> {
    #[track_caller]
    fn recover(&self, args: &[&str]) -> RunOutput {
        self.run(&[&["state", "recover"], args].concat())
    }

    fn damage(&self, extension: &str) {
        let path = self.state_path(extension);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    }

    fn lose(&self, extension: &str) {
        let path = self.state_path(extension);
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
        }
    }

    fn owned(&self) -> Vec<String> {
        self.state()["resources"].as_object().unwrap().keys().cloned().collect()
    }

    /// The run, with what no two runs have in common named.
    fn told(&self, output: &RunOutput, namespace: &str, lineage: &Value) -> String {
        let server = self.plane.server();
        let output = output.clone().redact(namespace, "[ns]").redact(lineage.as_str().unwrap(), "[lineage]");
        output.redact(server, "[server]").snapshot()
    }

    /// Nothing was written to the cluster meanwhile.
    #[track_caller]
    fn writes_nothing(&self, namespace: &str, act: impl FnOnce()) {
        let mark = self.plane.audit().mark();
        act();
        let writes = self.plane.audit().writes_since(mark).by_user("arrplan");
        assert_eq!(writes.in_namespace(namespace).to_string(), "");
    }
}

#[test]
fn a_damaged_state_is_rebuilt_from_its_previous_copy_its_revisions_and_what_is_live() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("ns-recover");
    let project = Project::new(plane, "recover", &stack("recover", &ns, &["a", "b", "c"]));
    drop(project.apply(&[]).expect_status(0));
    project.write(&stack("recover", &ns, &["a=2", "c", "d"]));
    drop(project.apply(&[]).expect_status(0));
    let lineage = project.state()["lineage"].clone();
    let sound = project.recover(&[]).expect_status(0);
    shows(&sound, &["The state is sound: there is nothing to recover."]);
    project.damage("json");
    let damaged = std::fs::read(project.state_path("json")).unwrap();

    let refused = project.plan(&[]).expect_status(1);
    whole("recover_refused", &project.told(&refused, &ns, &lineage));
    shows(&project.apply(&[]).expect_status(1), &["E502"]);
    shows(&project.destroy(&[]).expect_status(1), &["E502"]);

    project.writes_nothing(&ns, || {
        let asked = project.recover(&[]).expect_status(1);
        whole("recover_asks", &project.told(&asked, &ns, &lineage));
        assert_eq!(std::fs::read(project.state_path("json")).unwrap(), damaged);
        assert!(!project.state_path("damaged-1.json").exists());

        let written = project.recover(&["--yes"]).expect_status(0);
        shows(&written, &["The state is written: serial 3.", "recover.damaged-1.json", "Next: arrplan plan"]);
        assert_eq!(std::fs::read(project.state_path("damaged-1.json")).unwrap(), damaged);
        assert_eq!(project.owned(), ["config_map.a", "config_map.c", "config_map.d"]);
        project.settled(&[]);
    });
    // What it was told about fields is the server's own record: a field that leaves the stack leaves the object.
    project.write(&stack("recover", &ns, &["a", "d"]).replace("data.k = \"1\"\n\n", "data.x = \"1\"\n\n"));
    shows(&project.plan(&[]).expect_status(0), &["config_map.a", "data.k", "config_map.c", "1 to delete"]);
    drop(project.apply(&[]).expect_status(0));
    assert_eq!(plane.get_json("configmap", &ns, "a").unwrap()["data"], json!({"x": "1"}));
    assert_eq!(plane.get_json("configmap", &ns, "c"), None);
    project.settled(&[]);

    // A second time the first one's copy stays.
    project.damage("json");
    shows(&project.recover(&["--yes"]).expect_status(0), &["recover.damaged-2.json"]);
    assert_eq!(std::fs::read(project.state_path("damaged-1.json")).unwrap(), damaged);
    project.settled(&[]);
}

#[test]
fn a_state_that_is_gone_is_rebuilt_from_ever_less() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("ns-gone");
    let project = Project::new(plane, "gone", &stack("gone", &ns, &["a", "b"]));
    drop(project.apply(&[]).expect_status(0));
    project.write(&stack("gone", &ns, &["a=2", "b"]));
    drop(project.apply(&[]).expect_status(0));
    let lineage = project.state()["lineage"].clone();

    // Without the state and the key.
    project.lose("json");
    project.lose("key");
    shows(&project.plan(&[]).expect_status(1), &["E504", "arrplan state recover"]);
    shows(&project.recover(&["--yes"]).expect_status(0), &["gone", "serial 3"]);
    project.settled(&[]);
    drop(project.apply(&[]).expect_status(0));
    project.settled(&[]);

    // With the revisions alone: they are missed, too.
    for file in ["json", "prev.json", "key"] {
        project.lose(file);
    }
    shows(&project.plan(&[]).expect_status(1), &["E504", "gone.revisions"]);
    shows(&project.recover(&["--yes"]).expect_status(0), &["its mark, and the stack file"]);
    assert_eq!(project.state()["lineage"], lineage);
    project.settled(&[]);

    // With nothing but the cluster, and an object that the stack does not name any more.
    std::fs::remove_dir_all(project.folder.join("state")).unwrap();
    project.write(&stack("gone", &ns, &["a=2"]));
    shows(&project.plan(&[]).expect_status(1), &["E402", "arrplan state recover"]);
    project.writes_nothing(&ns, || {
        let recovered = project.recover(&["--yes"]).expect_status(0);
        whole("recover_from_the_cluster", &project.told(&recovered, &ns, &lineage));
        shows(&project.plan(&[]).expect_status(0), &["config_map.b", "1 to delete"]);
    });
    drop(project.apply(&[]).expect_status(0));
    project.settled(&[]);
    assert_eq!(plane.get_json("configmap", &ns, "b"), None);
}

#[test]
fn what_an_interrupted_run_left_open_is_settled_with_a_damaged_state() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("ns-open");
    let project = Project::new(plane, "open", &stack("open", &ns, &["a", "b"]));
    drop(project.apply(&[]).expect_status(0));
    let lineage = project.state()["lineage"].clone();
    project.write(&stack("open", &ns, &["a", "c"]));
    let apply =
        project.command(support::arrplan!(), &["apply", "stacks/open.toml", "--yes", "--parallelism", "1"]);
    let crashed = apply.env("ARRPLAN_FAILPOINT", "request.answered@2=abort").run();
    assert_eq!(crashed.status, None, "{crashed}");
    project.damage("json");
    let recovered = project.recover(&["--yes"]).expect_status(0);
    whole("recover_an_interrupted_run", &project.told(&recovered, &ns, &lineage));
    assert!(!project.state_path("journal").exists());
    drop(project.apply(&[]).expect_status(0));
    assert_eq!(project.owned(), ["config_map.a", "config_map.c"]);
    assert_eq!(plane.get_json("configmap", &ns, "b"), None);
    project.settled(&[]);

    // The journal itself damaged, in its middle and from its start.
    for cut in [2, 40] {
        project.write(&stack("open", &ns, &["a", if cut == 2 { "d" } else { "e" }]));
        let apply = project.command(support::arrplan!(), &["apply", "stacks/open.toml", "--yes"]);
        let crashed = apply.env("ARRPLAN_FAILPOINT", "request.answered@2=abort").run();
        assert_eq!(crashed.status, None, "{crashed}");
        let mut journal = std::fs::read(project.state_path("journal")).unwrap();
        let at = journal.len() / cut;
        journal[at] ^= 1;
        std::fs::write(project.state_path("journal"), &journal).unwrap();
        shows(&project.plan(&[]).expect_status(1), &["E502", "journal", "arrplan state recover"]);
        shows(&project.recover(&["--yes"]).expect_status(0), &["journal", "damaged: line"]);
        drop(project.apply(&[]).expect_status(0));
        project.settled(&[]);
    }
    let there =
        ["a", "b", "c", "d", "e"].into_iter().filter(|name| plane.get_json("configmap", &ns, name).is_some());
    assert_eq!(there.collect::<Vec<_>>(), ["a", "e"]);
}

#[test]
fn two_states_of_one_stack_are_told_apart() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let (ns, other) = (plane.create_namespace("ns-twice"), plane.create_namespace("ns-twice-other"));
    let project = Project::new(plane, "twice", &stack("twice", &ns, &["a"]));
    drop(project.apply(&[]).expect_status(0));
    let second = Project::new(plane, "twice", &stack("twice", &other, &["a"]));
    drop(second.apply(&[]).expect_status(0));
    let (lineage, foreign) = (project.state()["lineage"].clone(), second.state()["lineage"].clone());
    std::fs::remove_dir_all(project.folder.join("state")).unwrap();

    let refused = project.recover(&["--yes"]).expect_status(1);
    shows(&refused, &["E511", "more than one state", "1 object in the cluster", "--lineage LINEAGE"]);
    let lineage_of = |value: &Value| value.as_str().unwrap().to_owned();
    let none = project.recover(&["--yes", "--lineage", "x"]).expect_status(1);
    shows(&none, &["E511", "nothing is of lineage x"]);
    let recovered = project.recover(&["--yes", "--lineage", &lineage_of(&lineage)]).expect_status(0);
    shows(&recovered, &["It does not own:", "it is of another state: lineage", &lineage_of(&foreign)]);
    assert_eq!(project.owned(), ["config_map.a"]);
    project.settled(&[]);
    second.settled(&[]);

    // A sound state that has to give way to another one is kept.
    let sound = std::fs::read(project.state_path("json")).unwrap();
    std::fs::write(project.state_path("journal"), b"no journal").unwrap();
    drop(project.recover(&["--yes", "--lineage", &lineage_of(&foreign)]).expect_status(0));
    assert_eq!(project.state()["lineage"], foreign);
    assert_eq!(std::fs::read(project.state_path("damaged-1.json")).unwrap(), sound);

    let empty = Project::new(plane, "nothing-there", &stack("nothing-there", &ns, &["z"]));
    let refused = empty.recover(&["--yes"]).expect_status(1);
    shows(
        &refused,
        &["E511", "there is nothing to recover a state from", "`arrplan apply` begins a new state"],
    );
    hides(&refused, &["--lineage"]);
}
