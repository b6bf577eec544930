//! What happens to the state beside an apply: moved, let go of, pulled, imported; and plans of a part.

use serde_json::{Value, json};

use crate::project::Project;
use crate::runs::{hides, holders, shows};

impl Project<'_> {
    #[track_caller]
    fn on_state(&self, args: &[&str]) -> support::RunOutput {
        self.run(&[&["state"], args].concat())
    }

    fn owns(&self) -> Vec<String> {
        let state = self.state();
        state["resources"].as_object().unwrap().keys().cloned().collect()
    }

    fn writes(&self, namespace: &str, act: impl FnOnce()) -> String {
        let mark = self.plane.audit().mark();
        act();
        let writes = self.plane.audit().writes_since(mark).by_user("arrplan");
        writes.in_namespace(namespace).to_string()
    }
}

fn maps(stack: &str, namespace: &str, maps: &[&str]) -> String {
    let head = format!("[stack]\nname = \"{stack}\"\n\n[defaults]\nnamespace = \"{namespace}\"\n");
    let map = |map: &&str| {
        let (name, rest) = map.split_once(' ').unwrap_or((map, ""));
        format!("\n[config_map.{name}]\ndata.k = \"1\"\n{rest}\n")
    };
    let texts: Vec<String> = std::iter::once(head).chain(maps.iter().map(map)).collect();
    texts.concat()
}

#[test]
fn an_address_is_moved_without_a_write_and_the_state_before_is_kept() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("mv");
    let project = Project::new(plane, "mv", &maps("mv", &ns, &["a", "b depends_on = [\"config_map.a\"]"]));
    drop(project.apply(&[]).expect_status(0));
    let before = std::fs::read(project.state_path("json")).unwrap();
    let moved = |from: &str, to: &str| project.on_state(&["mv", from, to]);
    shows(&moved("config_map.none", "config_map.x").expect_status(1), &["the state has no config_map.none"]);
    shows(
        &moved("config_map.a", "config_map.b").expect_status(1),
        &["the state has config_map.b already: it owns ConfigMap"],
    );
    assert_eq!(std::fs::read(project.state_path("json")).unwrap(), before);

    let writes = project.writes(&ns, || {
        let moved = moved("config_map.a", "config_map.first").expect_status(0);
        shows(&moved, &["config_map.a is config_map.first now", "serial 2", "mv.prev.json"]);
        project.edit("[config_map.a]", "[config_map.first]\nname = \"a\"");
        project.edit("\"config_map.a\"", "\"config_map.first\"");
        project.settled(&[]);
        drop(project.apply(&[]).expect_status(0));
        project.settled(&[]);
    });
    assert_eq!(writes, "");
    assert_eq!(project.owns(), ["config_map.b", "config_map.first"]);
    assert_eq!(project.state()["resources"]["config_map.b"]["depends_on"], json!(["config_map.first"]));

    // What is pulled is a state file: put back, it is the state.
    let pulled = project.on_state(&["pull"]).expect_status(0);
    assert_eq!(pulled.stdout, std::fs::read_to_string(project.state_path("json")).unwrap());
    std::fs::write(project.state_path("json"), &pulled.stdout).unwrap();
    project.settled(&[]);
    shows(&project.on_state(&["unlock"]).expect_status(0), &["Nobody holds the lock"]);
}

#[test]
fn what_is_let_go_of_stays_and_is_nobodys_and_can_be_imported_again() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("rm");
    let stack = maps("rm", &ns, &["a protect = true", "b"]);
    let project = Project::new(plane, "rm", &stack);
    drop(project.apply(&[]).expect_status(0));
    let refused = project.on_state(&["rm", "config_map.none", "--yes"]).expect_status(1);
    shows(&refused, &["E413", "config_map.none"]);
    let refused = project.on_state(&["rm", "config_map.a"]).expect_status(1);
    shows(&refused, &["x config_map.a", "need"]);
    assert_eq!(project.owns(), ["config_map.a", "config_map.b"]);

    // As kubectl takes it, where that is unique.
    let refused = project.on_state(&["show", "cm/none"]).expect_status(1);
    shows(&refused, &["cm/none names no resource", "there are:", "config_map.a", "config_map.b"]);
    shows(&project.on_state(&["show", "cm/a"]).expect_status(0), &["config_map.a"]);
    let released = project.on_state(&["rm", "cm/a", "--yes"]).expect_status(0);
    shows(&released, &["Only letting go: the objects stay in the cluster.", "config_map.a"]);
    hides(&released, &["config_map.b"]);
    assert_eq!(project.owns(), ["config_map.b"]);
    let object = plane.get_json("configmap", &ns, "a").unwrap();
    assert_eq!(object["data"], json!({"k": "1"}));
    assert_eq!(
        (&object["metadata"]["labels"], &object["metadata"]["annotations"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(holders(&object, &["data", "k"]), Vec::<String>::new());
    // No apply of anything: nothing to return to.
    let history = project.run(&["history", "--json"]).expect_status(0);
    let history: Value = serde_json::from_str(&history.stdout).unwrap();
    assert_eq!(history["revisions"].as_array().unwrap().len(), 1);

    let import = |address: &str, object: &str| project.run(&["import", address, object, "--yes"]);
    let key = format!("ConfigMap/{ns}/a");
    for (address, object, says) in [
        ("config_map.x", key.clone(), "the stack has no config_map.x"),
        ("config_map.a", format!("ConfigMap/{ns}/other"), "config_map.a declares ConfigMap"),
        ("config_map.b", format!("ConfigMap/{ns}/b"), "config_map.b owns ConfigMap"),
    ] {
        shows(&import(address, &object).expect_status(1), &[says]);
    }
    plane
        .kubectl(&["-n", &ns, "patch", "configmap", "a", "--type=merge", "-p", r#"{"data":{"k":"2"}}"#])
        .ok();
    let other = import("cm/a", "cm/elsewhere/a").expect_status(1);
    shows(&other, &["config_map.a declares ConfigMap", "not cm elsewhere/a"]);
    let imported = import("cm/a", "configmap/a").expect_status(0);
    shows(&imported, &["config_map.a", "data.k", "2", "1"]);
    assert_eq!(project.owns(), ["config_map.a", "config_map.b"]);
    project.settled(&[]);

    // What is not there is not imported, and what is gone leaves the state alone.
    project.write(&format!("{stack}\n[config_map.c]\ndata.k = \"1\"\n"));
    let absent = import("config_map.c", &format!("ConfigMap/{ns}/c")).expect_status(1);
    shows(&absent, &["is not in the cluster: nothing to import"]);
    plane.kubectl(&["-n", &ns, "delete", "configmap", "b"]).ok();
    let writes = project.writes(&ns, || {
        let plan = project.plan(&["--refresh-only"]).expect_status(0);
        shows(&plan, &["what is gone from the cluster leaves it", "config_map.b", "1 to forget"]);
        hides(&plan, &["config_map.c"]);
        drop(project.apply(&["--refresh-only"]).expect_status(0));
    });
    assert_eq!((writes.as_str(), project.owns()), ("", vec!["config_map.a".to_owned()]));
    shows(&project.plan(&["--refresh-only"]).expect_status(0), &["No changes."]);
}

#[test]
fn a_part_of_a_plan_takes_along_what_it_needs_and_leaves_the_rest() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("part");
    let all = ["a", "b depends_on = [\"config_map.a\"]", "c depends_on = [\"config_map.b\"]", "d"];
    let project = Project::new(plane, "part", &maps("part", &ns, &all));
    let there = || -> Vec<&str> {
        ["a", "b", "c", "d"]
            .into_iter()
            .filter(|name| plane.get_json("configmap", &ns, name).is_some())
            .collect()
    };
    let plan = project.plan(&["--target", "config_map.b"]).expect_status(0);
    shows(
        &plan,
        &[
            "Only a part: 2 left out (config_map.c, config_map.d); along with what was named: config_map.a.",
            "2 to create",
        ],
    );
    let whole = project.plan(&["--target", "config_map.c", "--target", "config_map.d"]).expect_status(0);
    let along = "along with what was named: config_map.a, config_map.b.";
    shows(&whole, &[&format!("The whole stack: nothing is left out; {along}"), "4 to create"]);
    drop(project.apply(&["--target", "config_map.b"]).expect_status(0));
    assert_eq!(there(), ["a", "b"]);
    // The revision is what was applied, no more.
    let first = std::fs::read_to_string(project.state_path("revisions").join("1.json")).unwrap();
    let first: Value = serde_json::from_str(&first).unwrap();
    let recorded: Vec<&String> = first["resources"].as_object().unwrap().keys().collect();
    assert_eq!(recorded, ["config_map.a", "config_map.b"]);

    drop(project.apply(&["--exclude", "config_map.b"]).expect_status(0));
    assert_eq!(there(), ["a", "b", "d"]);
    shows(
        &project.plan(&["--target", "config_map.zz"]).expect_status(1),
        &["E413", "--target config_map.zz"],
    );
    drop(project.apply(&[]).expect_status(0));
    assert_eq!(there(), ["a", "b", "c", "d"]);

    // What leaves goes with those that used it, and nothing else goes.
    project.write(&maps("part", &ns, &["d"]));
    shows(&project.plan(&["--target", "config_map.b"]).expect_status(0), &["2 to delete"]);
    drop(project.apply(&["--target", "config_map.b"]).expect_status(0));
    assert_eq!(there(), ["a", "d"]);

    let uid = |name: &str| plane.get_json("configmap", &ns, name).unwrap()["metadata"]["uid"].clone();
    let (a, d) = (uid("a"), uid("d"));
    let only = ["--replace", "config_map.d", "--target", "config_map.d"];
    shows(&project.plan(&only).expect_status(0), &["config_map.d", "--replace", "1 to replace"]);
    drop(project.apply(&only).expect_status(0));
    assert!(uid("a") == a && uid("d") != d);
    drop(project.apply(&[]).expect_status(0));
    assert_eq!(there(), ["d"]);
    project.settled(&[]);

    // A declaration names all its instances; what is left out or leaves is not made anew, and that is said.
    project.write(&maps("part", &ns, &["d", "w for_each = [\"x\", \"y\"]\nname = \"w-${each.key}\""]));
    drop(project.apply(&[]).expect_status(0));
    let (x, y) = (uid("w-x"), uid("w-y"));
    drop(project.apply(&["--replace", "config_map.w"]).expect_status(0));
    assert!(uid("w-x") != x && uid("w-y") != y);
    let outside = ["--replace", "config_map.d", "--target", "config_map.w"];
    shows(&project.plan(&outside).expect_status(1), &["E413", "--replace config_map.d"]);
    project.write(&maps("part", &ns, &["d"]));
    let leaves = ["--replace", "config_map.w"];
    shows(&project.plan(&leaves).expect_status(1), &["E413", "--replace config_map.w"]);
    drop(project.apply(&[]).expect_status(0));

    // What is not ours is never made anew in the place of somebody's.
    drop(project.on_state(&["rm", "config_map.d", "--yes"]).expect_status(0));
    let d = uid("d");
    shows(&project.plan(&only).expect_status(0), &["not made anew for --replace", "1 to adopt"]);
    drop(project.apply(&only).expect_status(0));
    assert_eq!(uid("d"), d);
    project.settled(&[]);
}

#[test]
fn what_is_left_out_keeps_what_it_uses() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("uses");
    let uses = |used: &str| format!("web depends_on = [\"config_map.{used}\"]");
    let project = Project::new(plane, "uses", &maps("uses", &ns, &["old", &uses("old")]));
    drop(project.apply(&[]).expect_status(0));
    let there = |name: &str| plane.get_json("configmap", &ns, name).is_some();

    project.write(&maps("uses", &ns, &["new", &uses("new")]));
    let done = project.apply(&["--exclude", "config_map.web"]).expect_status(0);
    shows(&done, &["Only a part: 2 left out (config_map.old, config_map.web)", "1 to create"]);
    assert!(there("old") && there("new"));
    let along =
        "The whole stack: nothing is left out; along with what was named: config_map.new, config_map.web.";
    shows(&project.plan(&["--target", "config_map.old"]).expect_status(0), &[along, "1 to delete"]);
    drop(project.apply(&[]).expect_status(0));
    assert!(!there("old"));

    // So it does with an object whose address has another one now.
    project.edit("[config_map.new]\n", "[config_map.new]\nname = \"newer\"\n");
    let done = project.apply(&["--exclude", "config_map.web"]).expect_status(0);
    hides(&done, &["to delete"]);
    assert!(there("new") && there("newer"));
    shows(&project.apply(&[]).expect_status(0), &["1 to delete"]);
    assert!(!there("new"));
    project.settled(&[]);
}

#[test]
fn a_part_says_nothing_of_whether_the_rest_works() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("works");
    let broken = "b timeout = \"1s\"\nwait = { cel = \"has(object.data.never)\" }";
    let project = Project::new(plane, "works", &maps("works", &ns, &["a", broken]));
    drop(project.apply(&[]).expect_status(1));
    let works = |serial: u64| {
        let path = project.state_path("revisions").join(format!("{serial}.json"));
        let revision: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        revision["ready"].as_bool().unwrap()
    };
    assert!(!works(1));
    for part in [&["--refresh-only"][..], &["--target", "config_map.a"]] {
        drop(project.apply(part).expect_status(0));
        assert!(!works(1), "{part:?}");
    }
    project.edit("[config_map.a]\ndata.k = \"1\"", "[config_map.a]\ndata.k = \"2\"");
    drop(project.apply(&["--target", "config_map.a"]).expect_status(0));
    assert!(!works(2), "what was left out does not work");
    project.edit("\nwait = { cel = \"has(object.data.never)\" }", "");
    drop(project.apply(&["--target", "config_map.b"]).expect_status(0));
    let last = project.state()["serial"].as_u64().unwrap();
    assert!(works(last), "all that is left out worked when it was looked at last");
}

#[test]
fn a_part_of_a_destroy_leaves_a_revision_that_can_be_returned_to() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("left");
    let rest = "\n[existing.namespace.home]\nname = \"NS\"\n[config_map.b]\ndata.home = \"${existing.namespace.home.uid}\"\n\
                [outputs]\nhome = \"${existing.namespace.home.uid}\"\na = \"${config_map.a.uid}\"\n";
    let stack = format!("{}{}", maps("left", &ns, &["a"]), rest.replace("NS", &ns));
    let project = Project::new(plane, "left", &stack);
    drop(project.apply(&[]).expect_status(0));
    drop(project.destroy(&["--target", "config_map.a"]).expect_status(0));
    project.edit("[config_map.b]\n", "[config_map.b]\ndata.more = \"1\"\n");
    drop(project.apply(&[]).expect_status(0));
    drop(project.run(&["rollback", "--to", "2", "--yes"]).expect_status(0));
    let b = plane.get_json("configmap", &ns, "b").unwrap();
    let home = plane.get_json("namespace", "", &ns).unwrap()["metadata"]["uid"].clone();
    assert_eq!(b["data"], json!({ "home": home }));
    assert!(plane.get_json("configmap", &ns, "a").is_none());
    let outputs = project.run(&["output", "--json"]).expect_status(0);
    let outputs: Value = serde_json::from_str(&outputs.stdout).unwrap();
    assert!(outputs.to_string().contains(home.as_str().unwrap()), "{outputs}");
}
