//! Back to what was applied before, and forward again (design §7).

use base64::Engine as _;
use serde_json::{Value, json};
use support::{Part, canary, watch_for};

use crate::project::Project;
use crate::runs::{hides, shows};

impl Project<'_> {
    #[track_caller]
    fn rollback(&self, args: &[&str]) -> support::RunOutput {
        self.run(&[&["rollback", self.stack_argument().as_str(), "--yes"], args].concat())
    }
}

/// The data of a ConfigMap or Secret; `null` where it is not there.
fn data(project: &Project<'_>, kind: &str, namespace: &str, name: &str) -> Value {
    let object = project.plane.get_json(kind, namespace, name);
    object.map_or(Value::Null, |object| object["data"].clone())
}

/// A value of a Secret.
fn plain(value: &Value) -> String {
    let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn there_and_back_and_forward_again() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("back");
    let first = format!(
        "[stack]\nname = \"back\"\n\n[config_map.base]\nnamespace = \"{ns}\"\ndata.size = \"1Gi\"\n\n\
         [config_map.old]\nnamespace = \"{ns}\"\ndata.base = \"${{config_map.base.uid}}\"\n\n\
         [outputs]\nsize = \"${{config_map.base.data.size}}\"\n"
    );
    let project = Project::new(plane, "back", &first);
    let refused = project.rollback(&[]).expect_status(1);
    shows(&refused, &["nothing was applied yet"]);
    drop(project.apply(&[]).expect_status(0));
    let refused = project.rollback(&[]).expect_status(1);
    shows(
        &refused,
        &["no earlier revision than 1 worked and was different", "there are:", "1 apply, it worked"],
    );
    let uid = plane.get_json("configmap", &ns, "base").unwrap()["metadata"]["uid"].clone();

    project.edit("data.size = \"1Gi\"", "data.size = \"5Gi\"");
    project.edit("[config_map.old]", "[config_map.new]");
    drop(project.apply(&[]).expect_status(0));
    let second = || {
        assert_eq!(data(&project, "configmap", &ns, "base"), json!({"size": "5Gi"}));
        assert_eq!(data(&project, "configmap", &ns, "new"), json!({"base": uid}));
        assert_eq!(data(&project, "configmap", &ns, "old"), Value::Null);
    };
    second();

    // A plan of it writes nothing, and tells the whole way.
    let mark = plane.audit().mark();
    let state = project.state();
    let plan = project.plan(&["--to", "1"]).expect_status(0);
    shows(
        &plan,
        &[
            "Back to revision 1.",
            "config_map.base",
            "data.size",
            "5Gi",
            "1Gi",
            "config_map.old",
            "config_map.new",
            "1 to create, 1 to change, 1 to delete",
            "Next: arrplan rollback --to 1",
        ],
    );
    let json = project.plan(&["--to", "1", "--json"]).expect_status(0);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&json["returns_to"], &json["forward_from"]), (&json!(1), &Value::Null));
    assert_eq!(project.state(), state);
    assert_eq!(plane.audit().writes_since(mark).by_user("arrplan").in_namespace(&ns).to_string(), "");

    let back = project.rollback(&[]).expect_status(0);
    shows(
        &back,
        &[
            "The stack says otherwise, so the next apply goes forward again:",
            "stacks/back.toml:6 config_map.base data.size: 5Gi",
            "stacks/back.toml:8 config_map.new is declared, and the revision does not have it",
            "nowhere config_map.old is not declared, and the revision has it",
        ],
    );
    assert_eq!(data(&project, "configmap", &ns, "base"), json!({"size": "1Gi"}));
    assert_eq!(data(&project, "configmap", &ns, "old"), json!({"base": uid}));
    assert_eq!(data(&project, "configmap", &ns, "new"), Value::Null);
    assert_eq!(project.state()["outputs"], json!({"size": "1Gi"}));

    // Until the files agree, a plan goes forward and says so; once they do, there is nothing to do.
    let plan = project.plan(&[]).expect_status(0);
    shows(&plan, &["The last apply went back to revision 1; this plan goes forward again."]);
    let now = std::fs::read_to_string(project.stack_file()).unwrap();
    project.write(&first);
    project.settled(&[]);
    hides(&project.plan(&[]), &["goes forward"]);
    project.write(&now);

    // A rollback of the rollback is where we started.
    let again = project.rollback(&[]).expect_status(0);
    shows(&again, &["Back to revision 2."]);
    hides(&again, &["The stack says otherwise"]);
    second();
    project.settled(&[]);
    let history = project.run(&["history"]).expect_status(0);
    shows(&history, &["4 ", "rollback to 2: +1 ~1 -1", "3 ", "rollback to 1: +1 ~1 -1", "2 ", "1 "]);

    // A destroy is undone like anything else, from files that nobody can read any more.
    drop(project.destroy(&[]).expect_status(0));
    project.write(&now.replace("[config_map.new]", "[config_map.new"));
    let back = project.rollback(&[]).expect_status(0);
    shows(&back, &["Back to revision 4.", "the stack's files have mistakes"]);
    assert_eq!(data(&project, "configmap", &ns, "base"), json!({"size": "5Gi"}));

    let refused = project.rollback(&["--to", "77"]).expect_status(1);
    shows(&refused, &["no revision 77 is recorded", "there are:", "6 rollback", "5 destroy", "1 apply"]);
    let folder = project.state_path("revisions");
    std::fs::write(folder.join("2.json"), "{}").unwrap();
    let refused = project.rollback(&["--to", "2"]).expect_status(1);
    shows(&refused, &["E502", "revision", "2.json is damaged"]);
}

#[test]
fn a_rollback_keeps_secrets_as_they_are_now() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("back-secret");
    let stack = format!(
        "[stack]\nname = \"back-secret\"\n\n[variables.token]\nsecret = true\nfrom = {{ env = \"TOKEN\" }}\n\n\
         [variables.other]\nsecret = true\nfrom = {{ env = \"OTHER\" }}\n\n\
         [variables.drawn]\nsecret = true\nfrom = {{ generate = {{ length = 24, charset = \"hex\" }} }}\n\n\
         [secret.keys]\nnamespace = \"{ns}\"\nstringData.token = \"${{var.token}}\"\n\
         stringData.url = \"https://me:${{var.other}}@host\"\nstringData.drawn = \"${{var.drawn}}\"\n\
         stringData.size = \"small\"\n"
    );
    let project = Project::new(plane, "back-secret", &stack);
    // What may leave the cluster of these is nothing: the harness looks at all that each run leaves.
    let (one, two, other) = (canary(), canary(), canary());
    let run = |args: &[&str], token: &str| {
        let stack = project.stack_argument();
        let args = [&args[..1], &[stack.as_str()], &args[1..]].concat();
        let program = support::arrplan!().env("TOKEN", token).env("OTHER", &other);
        project.command(program, &args).run()
    };
    drop(run(&["apply", "--yes"], &one).expect_status(0));
    let first = data(&project, "secret", &ns, "keys");
    project.edit("\"small\"", "\"large\"");
    drop(run(&["apply", "--yes"], &two).expect_status(0));
    let second = data(&project, "secret", &ns, "keys");
    assert!(first["token"] != second["token"] && first["drawn"] == second["drawn"]);

    // Only what is no secret goes back; the value that differs is named and stays.
    let back = run(&["rollback", "--yes"], &two).expect_status(0);
    shows(
        &back,
        &["secret.keys", "data.token: the value stays as it is in the cluster", "revisions hold no values"],
    );
    hides(&back, &["data.url:", "data.drawn:"]);
    let mut expected = second.clone();
    expected["size"] = first["size"].clone();
    assert_eq!(data(&project, "secret", &ns, "keys"), expected);

    // The variable went meanwhile: still nothing is lost, and going back once more knows the variable.
    project.edit("stringData.token = \"${var.token}\"\n", "");
    project.edit("[variables.token]\nsecret = true\nfrom = { env = \"TOKEN\" }\n\n", "");
    drop(run(&["apply", "--yes"], "-").expect_status(0));
    assert_eq!(data(&project, "secret", &ns, "keys")["token"], Value::Null);
    let refused = run(&["rollback", "--to", "3", "--yes"], "-").expect_status(1);
    shows(
        &refused,
        &[
            "E416",
            "secret.keys: revision 3 has no value for data.token",
            "the stack has no secret variable `token` any more",
        ],
    );
    watch_for(&plain(&second["drawn"]));
    drop(run(&["plan"], "-").expect_status(0));
}

#[test]
fn a_claim_that_grew_stays_as_large_as_it_is() {
    let Some(plane) = crate::plane(&[Part::Storage]) else {
        return;
    };
    let ns = plane.create_namespace("back-claim");
    let stack = format!(
        "[stack]\nname = \"back-claim\"\n\n[persistent_volume_claim.data]\nnamespace = \"{ns}\"\n\
         spec.accessModes = [\"ReadWriteMany\"]\nspec.storageClassName = \"replicated\"\n\
         spec.resources.requests.storage = \"1Gi\"\n\n[config_map.a]\nnamespace = \"{ns}\"\ndata.k = \"1\"\n"
    );
    let project = Project::new(plane, "back-claim", &stack);
    drop(project.apply(&[]).expect_status(0));
    project.edit("storage = \"1Gi\"", "storage = \"5Gi\"");
    project.edit("data.k = \"1\"", "data.k = \"2\"");
    drop(project.apply(&[]).expect_status(0));
    let back = project.rollback(&[]).expect_status(0);
    shows(&back, &["cannot be undone: it stays 5Gi, not 1Gi (claims never shrink)", "1 to change"]);
    let claim = plane.get_json("pvc", &ns, "data").unwrap();
    assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "5Gi");
    assert_eq!(data(&project, "configmap", &ns, "a"), json!({"k": "1"}));
}
