//! What others do to our objects, planned and applied (design §5.3): by kubectl, by managers that declare fields,
//! through `scale`, by deleting.

use serde_json::{Value, json};
use support::{ControlPlane, Mark, Part, User, eventually};

use crate::project::Project;
use crate::runs::{hides, holders, keys, shows};

/// A ConfigMap `settings` of three keys in a namespace of its own.
struct Settings {
    plane: &'static ControlPlane,
    namespace: String,
    project: Project<'static>,
}

impl Settings {
    fn applied(name: &str) -> Option<Self> {
        let plane = crate::plane(&[Part::Nodes])?;
        let namespace = plane.create_namespace(name);
        let toml = format!(
            "[stack]\nname = \"{name}\"\n\n[config_map.settings]\nnamespace = \"{namespace}\"\n\
             data.mode = \"fast\"\ndata.level = \"3\"\ndata.note = \"ours\"\n"
        );
        let project = Project::new(plane, name, &toml);
        drop(project.apply(&[]).expect_status(0));
        Some(Self { plane, namespace, project })
    }

    fn live(&self) -> Value {
        let live = self.plane.get_json("configmap", &self.namespace, "settings");
        live.expect("the ConfigMap")
    }

    /// As `kubectl edit` does it: an Update of the whole object.
    fn edit(&self, manager: &str, patch: &Value) {
        let path = format!("/api/v1/namespaces/{}/configmaps/settings", self.namespace);
        let path = format!("{path}?fieldManager={manager}");
        self.plane.request(User::Admin, "PATCH", &path, Some(patch)).ok();
    }

    fn declare(&self, manager: &str, data: &Value) {
        let path = format!("/api/v1/namespaces/{}/configmaps/settings", self.namespace);
        let manifest = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings" }, "data": data });
        self.plane.server_side_apply(&path, manager, &manifest, true).ok();
    }

    fn remove(&self, key: &str) {
        let patch = format!(r#"[{{"op":"remove","path":"/data/{key}"}}]"#);
        self.kubectl(&["patch", "configmap", "settings", "--type=json", "-p", &patch]);
    }

    fn kubectl(&self, args: &[&str]) {
        self.plane.kubectl(&[&["-n", &self.namespace], args].concat()).ok();
    }

    /// Verb and resource of each of our writes since the mark.
    fn writes(&self, mark: Mark) -> Vec<String> {
        let writes = self.plane.audit().writes_since(mark).by_user("arrplan").in_namespace(&self.namespace);
        writes.iter().map(|w| format!("{} {}/{}", w.verb, w.resource, w.name)).collect()
    }
}

#[test]
fn an_edited_field_is_taken_back_once_and_the_second_edit_is_a_fight() {
    let Some(it) = Settings::applied("drift-edit") else {
        return;
    };
    it.edit("kubectl-edit", &json!({ "data": { "mode": "slow" } }));
    let plan = it.project.plan(&["--detailed-exitcode"]).expect_status(2);
    shows(
        &plan,
        &["~ config_map.settings ~ data.mode slow -> fast changed outside by kubectl-edit", "1 to change"],
    );
    hides(&plan, &["Not ours"]);
    let mark = it.plane.audit().mark();
    drop(it.project.apply(&[]).expect_status(0));
    assert_eq!(it.writes(mark), ["patch configmaps/settings"]);
    assert_eq!(it.live()["data"]["mode"], "fast");
    assert_eq!(holders(&it.live(), &["data", "mode"]), ["arrplan Apply"]);
    it.project.settled(&[]);

    it.edit("kubectl-edit", &json!({ "data": { "mode": "slower" } }));
    let mark = it.plane.audit().mark();
    for refused in [it.project.plan(&[]), it.project.apply(&[])] {
        let refused = refused.expect_status(1);
        shows(
            &refused,
            &[
                "E404",
                "data.mode is somebody else's",
                "kubectl-edit changed it again",
                "--take 'config_map.settings.data.mode'",
                "ignore = [\"data.mode\"] in [config_map.settings]",
                "take it out of the stack",
            ],
        );
    }
    assert_eq!(it.writes(mark), [""; 0]);
    assert_eq!(it.live()["data"]["mode"], "slower");

    let take = ["--take", "config_map.settings.data.mode"];
    let plan = it.project.plan(&take).expect_status(0);
    shows(&plan, &["data.mode slower -> fast taken from kubectl-edit"]);
    hides(&plan, &["- data.mode", "Not ours"]);
    let mark = it.plane.audit().mark();
    drop(it.project.apply(&take).expect_status(0));
    assert_eq!(it.writes(mark), ["patch configmaps/settings"]);
    assert_eq!(it.live()["data"]["mode"], "fast");
    it.project.settled(&[]);
}

#[test]
fn a_field_that_another_manager_declares_is_contested_and_each_way_out_works() {
    let Some(it) = Settings::applied("drift-declared") else {
        return;
    };
    it.declare("flux", &json!({ "level": "9", "note": "theirs", "mode": "odd" }));
    let mark = it.plane.audit().mark();
    let refused = it.project.apply(&[]).expect_status(1);
    for path in ["data.level", "data.mode", "data.note"] {
        shows(
            &refused,
            &[
                &format!("E404]: config_map.settings: {path} is somebody else's"),
                "flux declares it by server-side apply",
                &format!("take it: --take 'config_map.settings.{path}'"),
                &format!("leave it to them: ignore = [\"{path}\"]"),
                "take it out of the stack",
            ],
        );
    }
    assert_eq!(it.writes(mark), [""; 0]);

    // Taken, ignored, dropped: one field each.
    it.project.edit("[config_map.settings]\n", "[config_map.settings]\nignore = [\"data.note\"]\n");
    it.project.edit("data.mode = \"fast\"\n", "");
    let take = ["--take", "config_map.settings.data.level"];
    let plan = it.project.plan(&take).expect_status(0);
    shows(&plan, &["~ config_map.settings", "data.level \"9\" -> \"3\" taken from flux"]);
    hides(&plan, &["data.note", "theirs"]);
    drop(it.project.apply(&take).expect_status(0));
    let live = it.live();
    assert_eq!(live["data"], json!({ "level": "3", "note": "theirs", "mode": "odd" }));
    assert_eq!(holders(&live, &["data", "level"]), ["arrplan Apply"]);
    assert_eq!(holders(&live, &["data", "note"]), ["flux Apply"]);
    assert_eq!(holders(&live, &["data", "mode"]), ["flux Apply"]);
    it.project.settled(&[]);
}

#[test]
fn replicas_that_were_scaled_are_contested() {
    let Some(plane) = crate::plane(&[Part::Nodes]) else {
        return;
    };
    let namespace = plane.create_namespace("drift-scale");
    let toml = format!(
        "[stack]\nname = \"drift-scale\"\n\n[deployment.web]\nnamespace = \"{namespace}\"\nspec.replicas = 2\n\
         spec.selector.matchLabels.app = \"web\"\n[deployment.web.spec.template]\nmetadata.labels.app = \"web\"\n\
         spec.containers = [{{ name = \"web\", image = \"nginx:1.27\" }}]\n"
    );
    let project = Project::new(plane, "drift-scale", &toml);
    drop(project.apply(&[]).expect_status(0));
    let scale = |to: &str| {
        let kubectl = |args: &[&str]| plane.kubectl(&[&["-n", &namespace], args].concat()).ok();
        kubectl(&["scale", "deployment/web", &format!("--replicas={to}")]);
        kubectl(&["rollout", "status", "deployment/web", "--timeout=1m"]);
    };
    let live = || plane.get_json("deployment", &namespace, "web").expect("the Deployment");
    let take = ["--take", "deployment.web.spec.replicas"];

    for (to, whose) in [
        ("5", "kubectl writes it through a subresource"),
        ("0", "was changed outside, by whom is not recorded"),
    ] {
        scale(to);
        let mark = plane.audit().mark();
        let refused = project.apply(&[]).expect_status(1);
        // Leaving it to the autoscaler is what is wanted most often: first.
        let ways = [
            "E404]: deployment.web: spec.replicas is somebody else's",
            whose,
            "ignore = [\"spec.replicas\"]",
            "--take 'deployment.web.spec.replicas'",
            "take it out of the stack",
        ];
        shows(&refused, &ways);
        let writes = plane.audit().writes_since(mark).by_user("arrplan");
        assert_eq!(writes.in_namespace(&namespace).to_string(), "");
        let plan = project.plan(&take).expect_status(0);
        shows(&plan, &[&format!("~ spec.replicas {to} -> 2")]);
        drop(project.apply(&take).expect_status(0));
        assert_eq!(live()["spec"]["replicas"], 2);
        assert_eq!(holders(&live(), &["spec", "replicas"]), ["arrplan Apply"]);
        project.settled(&[]);
    }

    // Ignored while it is ours: what the stack says does not count, and the field is not reset.
    project.edit("[deployment.web]\n", "[deployment.web]\nignore = [\"spec.replicas\"]\n");
    project.edit("spec.replicas = 2", "spec.replicas = 7");
    project.edit("nginx:1.27", "nginx:1.28");
    drop(project.apply(&[]).expect_status(0));
    assert_eq!(live()["spec"]["replicas"], 2);
    for to in ["4", "0"] {
        scale(to);
        project.settled(&[]);
        let image = &live()["spec"]["template"]["spec"]["containers"][0]["image"];
        let next = if image == "nginx:1.28" { "nginx:1.29" } else { "nginx:1.30" };
        project.edit(image.as_str().unwrap(), next);
        let plan = project.plan(&[]).expect_status(0);
        hides(&plan, &["spec.replicas"]);
        drop(project.apply(&[]).expect_status(0));
        assert_eq!(live()["spec"]["replicas"].to_string(), to);
    }
}

#[test]
fn what_others_add_is_left_alone_and_listed_until_it_is_taken() {
    let Some(it) = Settings::applied("drift-foreign") else {
        return;
    };
    it.edit("kubectl-edit", &json!({ "data": { "extra": "theirs" } }));
    it.kubectl(&["label", "configmap", "settings", "team=media"]);
    let listed = [
        "Not ours, left alone (2)",
        "config_map.settings data.extra = theirs set by kubectl-edit",
        "config_map.settings metadata.labels.team = media set by kubectl-label",
        "No changes.",
    ];
    let mark = it.plane.audit().mark();
    for output in [it.project.plan(&["--detailed-exitcode"]), it.project.apply(&[])] {
        shows(&output.expect_status(0), &listed);
    }
    assert_eq!(it.writes(mark), [""; 0]);

    let take = ["--take", "config_map.settings.data.extra"];
    let plan = it.project.plan(&take).expect_status(0);
    shows(
        &plan,
        &["- data.extra theirs taken from kubectl-edit", "Not ours, left alone (1)", "metadata.labels.team"],
    );
    drop(it.project.apply(&take).expect_status(0));
    let live = it.live();
    assert_eq!(keys(&live["data"]), ["level", "mode", "note"]);
    assert_eq!(live["metadata"]["labels"]["team"], "media");
    drop(it.project.apply(&["--take", "config_map.settings"]).expect_status(0));
    assert_eq!(keys(&it.live()["metadata"]["labels"]), ["arrplan.dev/stack"]);
    it.project.settled(&[]);
}

#[test]
fn a_key_that_somebody_removed_is_written_again() {
    let Some(it) = Settings::applied("drift-removed") else {
        return;
    };
    it.remove("note");
    let plan = it.project.plan(&["--detailed-exitcode"]).expect_status(2);
    shows(
        &plan,
        &["~ config_map.settings + data.note ours changed outside, by whom is not recorded", "1 to change"],
    );
    let mark = it.plane.audit().mark();
    drop(it.project.apply(&[]).expect_status(0));
    let writes = it.plane.audit().writes_since(mark).by_user("arrplan");
    let uris: Vec<String> = writes.in_namespace(&it.namespace).into_iter().map(|w| w.uri).collect();
    assert_eq!(uris.len(), 1);
    assert!(!uris[0].contains("force=true"), "{}", uris[0]);
    assert_eq!(it.live()["data"]["note"], "ours");
    it.project.settled(&[]);
}

#[test]
fn deleted_recreated_and_terminating_objects() {
    let Some(it) = Settings::applied("drift-deleted") else {
        return;
    };
    it.kubectl(&["delete", "configmap", "settings"]);
    let plan = it.project.plan(&["--detailed-exitcode"]).expect_status(2);
    shows(&plan, &["+ config_map.settings deleted outside", "1 to create"]);
    drop(it.project.apply(&[]).expect_status(0));
    it.project.settled(&[]);

    // The same name, another object.
    it.kubectl(&["delete", "configmap", "settings"]);
    it.plane.create_config_map(&it.namespace, "settings", &[("mode", "other"), ("more", "1")]);
    let uid = it.live()["metadata"]["uid"].clone();
    let plan = it.project.plan(&["--detailed-exitcode"]).expect_status(2);
    shows(
        &plan,
        &[
            "<- config_map.settings adopted: recreated outside",
            "+ data.level \"3\"",
            "~ data.mode other -> fast taken from kubectl-create",
            "Not ours, left alone (1)",
            "data.more = \"1\"",
            "1 to adopt",
        ],
    );
    hides(&plan, &["to delete", "to create"]);
    drop(it.project.apply(&[]).expect_status(0));
    let live = it.live();
    assert_eq!(live["metadata"]["uid"], uid);
    assert_eq!(live["data"], json!({ "level": "3", "mode": "fast", "more": "1", "note": "ours" }));
    assert_eq!(holders(&live, &["data", "mode"]), ["arrplan Apply"]);
    it.project.settled(&[]);
    // Adoption moved the field to us, so it goes with its line.
    it.project.edit("data.mode = \"fast\"\n", "");
    drop(it.project.apply(&[]).expect_status(0));
    assert_eq!(keys(&it.live()["data"]), ["level", "more", "note"]);

    // Held by a finalizer: made anew once it is gone, and not before.
    it.edit("holder", &json!({ "metadata": { "finalizers": ["example.org/hold"] } }));
    it.kubectl(&["delete", "configmap", "settings", "--wait=false"]);
    let plan = it.project.plan(&[]).expect_status(0);
    shows(
        &plan,
        &["+ config_map.settings is being deleted, held by example.org/hold: made anew once it is gone"],
    );
    let mark = it.plane.audit().mark();
    let line = ["apply", &it.project.stack_argument(), "--yes"];
    let apply = it.project.command(support::arrplan!(), &line).spawn();
    eventually("the heartbeat of the wait", || {
        let said = apply.stderr();
        (said.contains("config_map.settings") && said.contains("held by example.org/hold")).then_some(())
    });
    assert_eq!(it.writes(mark), [""; 0]);
    it.edit("holder", &json!({ "metadata": { "finalizers": null } }));
    drop(apply.finish().expect_status(0));
    assert_eq!(it.writes(mark), ["patch configmaps/settings"]);
    let live = it.live();
    assert_ne!(live["metadata"]["uid"], uid);
    assert_eq!(keys(&live["data"]), ["level", "note"]);
    it.project.settled(&[]);
}

#[test]
fn a_field_that_others_own_too_is_said_to_stay() {
    let Some(it) = Settings::applied("drift-shared") else {
        return;
    };
    // A manager of ordinary updates sets what the stack will say next: both own it then.
    it.edit("kubectl-edit", &json!({ "data": { "mode": "slow" } }));
    it.project.edit("data.mode = \"fast\"", "data.mode = \"slow\"");
    let plan = it.project.plan(&["--full"]).expect_status(0);
    shows(&plan, &["~ config_map.settings", "data.mode", "ours too from now on"]);
    hides(&plan, &["Not ours"]);
    drop(it.project.apply(&[]).expect_status(0));
    assert_eq!(holders(&it.live(), &["data", "mode"]), ["arrplan Apply", "kubectl-edit Update"]);
    it.project.settled(&[]);

    it.project.edit("data.mode = \"slow\"", "data.mode = \"slower\"");
    let plan = it.project.plan(&[]).expect_status(0);
    shows(&plan, &["~ data.mode slow -> slower also owned by kubectl-edit"]);
    drop(it.project.apply(&[]).expect_status(0));
    assert_eq!(it.live()["data"]["mode"], "slower");
    assert_eq!(holders(&it.live(), &["data", "mode"]), ["arrplan Apply"]);

    // One that declares the same value: no conflict, and our letting go removes nothing.
    it.declare("flux", &json!({ "level": "3" }));
    it.project.settled(&[]);
    it.project.edit("data.level = \"3\"\n", "");
    let plan = it.project.plan(&[]).expect_status(0);
    shows(&plan, &["data.level \"3\" stays: also owned by flux"]);
    hides(&plan, &["- data.level"]);
    drop(it.project.apply(&[]).expect_status(0));
    assert_eq!(it.live()["data"]["level"], "3");
    assert_eq!(holders(&it.live(), &["data", "level"]), ["flux Apply"]);
    it.project.settled(&[]);
}

#[test]
fn a_foreign_element_of_a_list_is_one_thing() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let namespace = plane.create_namespace("drift-element");
    let toml = format!(
        "[stack]\nname = \"drift-element\"\n[defaults]\nnamespace = \"{namespace}\"\n\
         [service.web]\nspec.selector.app = \"web\"\nspec.ports = [{{ port = 80, name = \"http\" }}]\n\
         [deployment.web]\nwait = \"applied\"\nspec.selector.matchLabels.app = \"web\"\n\
         spec.template.metadata.labels.app = \"web\"\n[[deployment.web.spec.template.spec.containers]]\n\
         name = \"web\"\nimage = \"nginx:1\"\nenv = [{{ name = \"A\", value = \"1\" }}]\n"
    );
    let project = Project::new(plane, "drift-element", &toml);
    drop(project.apply(&[]).expect_status(0));
    let kubectl = |args: &[&str]| plane.kubectl(&[&["-n", &namespace], args].concat()).ok();
    let add = |what: &str, path: &str, value: &str| {
        let change = format!(r#"[{{"op":"add","path":"{path}","value":{value}}}]"#);
        kubectl(&["patch", what, "web", "--type=json", "-p", &change]);
    };
    add("service", "/spec/ports/-", r#"{"port":443,"name":"https"}"#);
    add("deployment", "/spec/template/spec/containers/-", r#"{"name":"side","image":"busybox"}"#);
    let env = "/spec/template/spec/containers/0/env";
    let change = json!([
        { "op": "replace", "path": format!("{env}/0/value"), "value": "9" },
        { "op": "add", "path": format!("{env}/-"), "value": { "name": "B", "value": "2" } },
    ]);
    // What `kubectl set env` does, by a patch that says the same without a strategic merge.
    let change = change.to_string();
    kubectl(&["patch", "deployment", "web", "--type=json", "--field-manager=kubectl-set", "-p", &change]);

    let plan = project.plan(&[]).expect_status(0);
    shows(
        &plan,
        &[
            "~ deployment.web",
            "containers[name=web].env[name=A].value \"9\" -> \"1\" changed outside by kubectl-set",
            "Not ours, left alone (3)",
            "containers[name=side] =",
            "containers[name=web].env[name=B] =",
            "service.web spec.ports[port=443,protocol=TCP] =",
        ],
    );
    drop(project.apply(&[]).expect_status(0));
    let live = |kind: &str| plane.get_json(kind, &namespace, "web").expect("it is there");
    let containers = |deployment: &Value| deployment["spec"]["template"]["spec"]["containers"].clone();
    let after = containers(&live("deployment"));
    assert_eq!(after.as_array().map(Vec::len), Some(2));
    assert_eq!(after[0]["env"], json!([{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }]));

    let take = ["--take", "deployment.web", "--take", "service.web"];
    let plan = project.plan(&take).expect_status(0);
    shows(&plan, &["- spec.template.spec.containers[name=side]", "taken from kubectl-patch"]);
    drop(project.apply(&take).expect_status(0));
    let after = containers(&live("deployment"));
    assert_eq!(after.as_array().map(Vec::len), Some(1));
    assert_eq!(after[0]["env"], json!([{ "name": "A", "value": "1" }]));
    assert_eq!(live("service")["spec"]["ports"].as_array().map(Vec::len), Some(1));
    project.settled(&[]);
}
