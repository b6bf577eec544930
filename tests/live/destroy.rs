//! What is deleted, in which order, under which conditions, and what is not (design §5.6, §7).

use std::path::Path;

use serde_json::Value;
use support::{ControlPlane, GitRepo, Mark, Part, Records, User, eventually};

use crate::project::Project;
use crate::runs::{hides, holders, said, shows};

/// Our deletes since the mark, in the order of the log. Each must carry what guards it, and none of our writes may
/// touch finalizers.
#[track_caller]
fn guarded_deletes(plane: &ControlPlane, mark: Mark, namespaces: &[&str]) -> Vec<String> {
    let writes = plane.audit().writes_since(mark).by_user("arrplan");
    let ours: Records = writes.filter(|w| namespaces.contains(&w.namespace.as_str()));
    let mut deletes = Vec::new();
    for write in ours.iter() {
        assert_ne!(write.verb, "deletecollection", "{write}");
        assert!(
            write.body.pointer("/metadata/finalizers").is_none() && !write.uri.ends_with("/finalize"),
            "a finalizer was written: {write}"
        );
        if write.verb == "delete" {
            let text =
                |pointer: &str| write.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            assert_eq!(text("/propagationPolicy"), "Background", "{write}");
            assert_eq!(text("/preconditions/uid").len(), 36, "{write}");
            assert_ne!(text("/preconditions/resourceVersion"), "", "{write}");
            assert!(write.succeeded(), "{write}");
            deletes.push(format!("{}/{}", write.resource, write.name));
        }
    }
    deletes
}

fn writes(plane: &ControlPlane, namespace: &str, mark: Mark) -> String {
    let writes = plane.audit().writes_since(mark).by_user("arrplan");
    writes.in_namespace(namespace).to_string()
}

/// The line to paste that a refusal prints, less the program.
fn line_to_paste(refused: &str) -> Vec<&str> {
    let line = refused
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("arrplan ") && line.contains("--allow"))
        .unwrap_or_else(|| panic!("no line to paste in\n{refused}"));
    line.split_whitespace().skip(1).collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
fn the_shipped_stack_goes_in_reverse_order_with_consent_and_without_leftovers() {
    let Some(plane) = crate::plane(&[Part::Flux, Part::Storage]) else {
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let catalog = GitRepo::from_folder(&root.join("stacks/catalog"));
    let (media, public) = (plane.namespace("destroy-media"), plane.create_namespace("destroy-public"));
    let toml = std::fs::read_to_string(root.join("stacks/arr.toml")).unwrap();
    let toml = toml.replace("name = \"arr\"", "name = \"destroy-arr\"").replace("tenant-media", &media);
    let project = Project::new(plane, "destroy-arr", &toml);
    project.edit("[sources.external-arr-stack]\npath = \"catalog\"\n", "");
    let (url, source) = (format!("catalog_url={}", catalog.url()), format!("source_namespace={public}"));
    let vars = ["--var", &url, "--var", &source, "--var", "keep_config=false"];
    drop(project.apply(&vars).expect_status(0));
    let release = plane.get_json("helmrelease", &media, "arr-stack").unwrap();
    let installed = release["status"]["inventory"]["entries"].as_array().unwrap().len();
    plane.create_config_map(&media, "foreign", &[("a", "b")]);

    // The claim is protected: it stays, and the namespace with it.
    let mark = plane.audit().mark();
    let plan = project.plan(&["--destroy"]).expect_status(0);
    shows(
        &plan,
        &[
            "- helm_release.arr-stack DATA LOSS",
            &format!("goes with it, {installed} objects"),
            "pvc/arr-stack-prowlarr-config DATA LOSS 5Gi replicated (reclaim policy Delete)",
            "pvc/arr-stack-radarr-config DATA LOSS 5Gi replicated (reclaim policy Delete)",
            "pvc/arr-stack-sonarr-config DATA LOSS 5Gi replicated (reclaim policy Delete)",
            "- secret.arr-secrets irreversible",
            "= persistent_volume_claim.media-pvc kept: protected",
            &format!("= namespace.{media} kept: it holds PersistentVolumeClaim {media}/media-pvc"),
            "3 to delete, 2 kept",
            "Left behind: certificate Secrets and DNS records of the Ingresses",
            "--allow data-loss=helm_release.arr-stack",
        ],
    );
    drop(project.destroy(&[]).expect_status(1));
    assert_eq!(writes(plane, &media, mark), "");

    // Lifted, everything may go, and each loss wants its own word.
    project.edit("protect = true\n", "protect = false\n");
    drop(project.apply(&vars).expect_status(0));
    let mark = plane.audit().mark();
    let refused = project.destroy(&[]).expect_status(1);
    shows(
        &refused,
        &[
            "- helm_release.arr-stack DATA LOSS",
            "- persistent_volume_claim.media-pvc DATA LOSS",
            "500Gi replicated (reclaim policy Delete)",
            &format!("- namespace.{media} DATA LOSS"),
            &format!("ConfigMap {media}/foreign DATA LOSS in the namespace, not of this plan"),
            "5 to delete",
            "E410",
        ],
    );
    let paste = line_to_paste(&refused.stderr);
    let allowed = paste.iter().filter(|word| word.starts_with("data-loss="));
    assert_eq!(allowed.count(), 3, "{paste:?}");
    // Two consents of three are a refusal still.
    let short = &paste[..paste.len() - 2];
    drop(project.run(&[short, &["--yes"]].concat()).expect_status(1));
    assert_eq!(writes(plane, &media, mark) + &writes(plane, &public, mark), "");

    let mark = plane.audit().mark();
    let done = project.run(&[&paste[..], &["--yes"]].concat()).expect_status(0);
    shows(&done, &["Deleted 5 of 5"]);
    let deletes = guarded_deletes(plane, mark, &[&media, &public]);
    let at =
        |what: &str| deletes.iter().position(|d| d == what).unwrap_or_else(|| panic!("{what}: {deletes:?}"));
    assert_eq!(deletes.len(), 5, "{deletes:?}");
    assert_eq!(at("helmreleases/arr-stack"), 0);
    assert_eq!(at(&format!("namespaces/{media}")), 4);
    assert!(at("persistentvolumeclaims/media-pvc") < 4 && at("gitrepositories/external-arr-stack") < 4);

    // Each delete waits for what the log shows: the uninstall is over before anything it uses goes.
    let log = plane.audit().since(mark);
    let answered = |verb: &str, resource: &str, name: &str| {
        let record = log
            .iter()
            .rev()
            .find(|r| r.verb == verb && r.resource == resource && r.name == name && r.succeeded());
        record.unwrap_or_else(|| panic!("{verb} {resource}/{name}")).answered.clone()
    };
    let received = |resource: &str, name: &str| {
        let record = log
            .iter()
            .find(|r| r.user == "arrplan" && r.verb == "delete" && r.resource == resource && r.name == name);
        record.unwrap().received.clone()
    };
    let uninstalled = ["prowlarr", "radarr", "sonarr"]
        .map(|app| answered("delete", "deployments", &format!("arr-stack-{app}")))
        .into_iter()
        .max()
        .unwrap();
    for (resource, name) in [
        ("secrets", "arr-secrets"),
        ("persistentvolumeclaims", "media-pvc"),
        ("gitrepositories", "external-arr-stack"),
    ] {
        assert!(received(resource, name) > uninstalled, "{resource}/{name}");
        if resource != "gitrepositories" {
            assert!(received("namespaces", &media) > received(resource, name));
        }
    }

    assert_eq!(plane.get_json("namespace", "", &media), None);
    assert_eq!(plane.get_json("gitrepository", &public, "external-arr-stack"), None);
    let left = plane.kubectl(&["-n", &public, "get", "helmchart", "-o", "name"]).ok();
    assert_eq!(left, "");
    let again = project.destroy(&[]).expect_status(0);
    hides(&again, &["to delete"]);
}

#[test]
fn protection_outlives_its_lines_and_holds_the_namespace() {
    let Some(plane) = crate::plane(&[Part::Controllers]) else {
        return;
    };
    let namespace = plane.namespace("destroy-protected");
    let guarded = "[config_map.guarded]\nprotect = true\ndata.a = \"1\"\n";
    let toml = format!(
        "[stack]\nname = \"destroy-protected\"\n[defaults]\nnamespace = \"{namespace}\"\n[namespace.{namespace}]\n\
         [config_map.plain]\ndata.a = \"1\"\n{guarded}"
    );
    let project = Project::new(plane, "destroy-protected", &toml);
    drop(project.apply(&[]).expect_status(0));
    let live = || plane.get_json("configmap", &namespace, "guarded");
    assert_eq!(live().unwrap()["metadata"]["annotations"]["arrplan.dev/protect"], "true");

    // Its lines are gone.
    project.edit(guarded, "");
    let kept = "= config_map.guarded kept: protected";
    let mark = plane.audit().mark();
    for output in [project.plan(&[]), project.apply(&[])] {
        let output = output.expect_status(0);
        shows(&output, &[kept, "1 kept"]);
        hides(&output, &["to delete", "to forget"]);
    }
    // No consent overrules it, and the namespace around it stays for its sake.
    let allow = [
        "--allow".to_owned(),
        "data-loss=config_map.guarded".to_owned(),
        "--allow".to_owned(),
        format!("data-loss=namespace.{namespace}"),
    ];
    let allow: Vec<&str> = allow.iter().map(String::as_str).collect();
    let held = format!("= namespace.{namespace} kept: it holds ConfigMap {namespace}/guarded");
    let done = project.destroy(&allow).expect_status(0);
    for line in [kept, "- config_map.plain", &held, "1 to delete, 2 kept"] {
        shows(&done, &[line]);
    }
    assert_eq!(guarded_deletes(plane, mark, &[&namespace]), ["configmaps/plain"]);
    assert!(live().is_some());
    // Still owned: a later destroy says the same.
    shows(&project.destroy(&allow).expect_status(0), &[kept, "2 kept"]);

    // The annotation alone, set by hand on an object of ours, holds as well.
    drop(project.apply(&[]).expect_status(0));
    let path = format!("/api/v1/namespaces/{namespace}/configmaps/plain");
    let patch = serde_json::json!({ "metadata": { "annotations": { "arrplan.dev/protect": "true" } } });
    plane.request(User::Admin, "PATCH", &path, Some(&patch)).ok();
    shows(&project.plan(&["--destroy"]).expect_status(0), &["= config_map.plain kept: protected"]);
    let patch = serde_json::json!({ "metadata": { "annotations": { "arrplan.dev/protect": null } } });
    plane.request(User::Admin, "PATCH", &path, Some(&patch)).ok();

    // Lifted, applied, removed: then it goes.
    project.edit("[config_map.plain]", &format!("{}[config_map.plain]", guarded.replace("true", "false")));
    drop(project.apply(&[]).expect_status(0));
    project.edit(&guarded.replace("true", "false"), "");
    let mark = plane.audit().mark();
    shows(&project.apply(&[]).expect_status(0), &["- config_map.guarded no longer in the stack"]);
    assert_eq!(guarded_deletes(plane, mark, &[&namespace]), ["configmaps/guarded"]);
    let mark = plane.audit().mark();
    drop(project.destroy(&[]).expect_status(0));
    assert_eq!(
        guarded_deletes(plane, mark, &[&namespace]),
        ["configmaps/plain".to_owned(), format!("namespaces/{namespace}")]
    );
    assert_eq!(plane.get_json("namespace", "", &namespace), None);
}

#[test]
fn another_stacks_object_holds_the_namespace() {
    let Some(plane) = crate::plane(&[Part::Controllers]) else {
        return;
    };
    let namespace = plane.namespace("destroy-shared");
    let host = Project::new(
        plane,
        "destroy-host",
        &format!("[stack]\nname = \"destroy-host\"\n[namespace.{namespace}]\n"),
    );
    drop(host.apply(&[]).expect_status(0));
    let guest = Project::new(
        plane,
        "destroy-guest",
        &format!(
            "[stack]\nname = \"destroy-guest\"\n[config_map.theirs]\nnamespace = \"{namespace}\"\ndata.a = \"1\"\n"
        ),
    );
    drop(guest.apply(&[]).expect_status(0));
    let allow = format!("data-loss=namespace.{namespace}");
    let mark = plane.audit().mark();
    let kept = host.destroy(&["--allow", &allow]).expect_status(0);
    shows(
        &kept,
        &[
            &format!("= namespace.{namespace} kept: it holds ConfigMap {namespace}/theirs"),
            "it belongs to stack `destroy-guest`",
        ],
    );
    assert_eq!(writes(plane, &namespace, mark), "");
    drop(guest.destroy(&[]).expect_status(0));
    drop(host.destroy(&[]).expect_status(0));
    assert_eq!(plane.get_json("namespace", "", &namespace), None);
}

#[test]
fn removed_renamed_and_forgotten() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let namespace = plane.create_namespace("destroy-removed");
    let middle = "[config_map.middle]\ndepends_on = [\"config_map.base\"]\ndata.a = \"1\"\n";
    let toml = format!(
        "[stack]\nname = \"destroy-removed\"\n[defaults]\nnamespace = \"{namespace}\"\n[config_map.base]\ndata.a = \"1\"\n{middle}\
         [config_map.top]\ndata.a = \"${{config_map.middle.name}}\"\n[config_map.free]\ndata.a = \"1\"\n"
    );
    let project = Project::new(plane, "destroy-removed", &toml);
    drop(project.apply(&[]).expect_status(0));
    let get = |name: &str| plane.get_json("configmap", &namespace, name);
    let free = get("free").unwrap();

    // `middle` leaves, its dependent changes; `base` takes another name; `free` is given up.
    project.edit(middle, "");
    project.edit("data.a = \"${config_map.middle.name}\"", "data.a = \"alone\"");
    project.edit("[config_map.base]\n", "[config_map.base]\nname = \"base-2\"\n");
    project.edit(
        "[config_map.free]\ndata.a = \"1\"\n",
        "[[removed]]\nresource = \"config_map.free\"\ndestroy = false\n",
    );
    let mark = plane.audit().mark();
    let done = project.apply(&[]).expect_status(0);
    shows(&done, &["1 to create, 1 to change, 1 to forget, 2 to delete"]);
    for line in [
        "+ config_map.base 1 key, as base-2",
        "~ config_map.top",
        "- config_map.middle no longer in the stack",
        "x config_map.free forgotten: it stays, no longer ours",
        "- config_map.base the resource has another object now",
    ] {
        shows(&done, &[line]);
    }
    assert_eq!(guarded_deletes(plane, mark, &[&namespace]).len(), 2);
    let log = plane.audit().writes_since(mark).by_user("arrplan").in_namespace(&namespace);
    let at = |verb: &str, name: &str| {
        let found = log.iter().find(|r| r.verb == verb && r.name == name && r.succeeded());
        found.unwrap_or_else(|| panic!("{verb} {name} in\n{log}"))
    };
    // First the dependent is changed, then what it depended on goes; first the new object, then the old.
    assert!(at("patch", "top").answered < at("delete", "middle").received);
    assert!(at("patch", "base-2").answered < at("delete", "base").received);
    assert!(at("delete", "middle").answered < at("delete", "base").received);
    assert_eq!([get("middle"), get("base")], [None, None]);

    // Forgotten: as it was, and nothing of us in it.
    let left = get("free").unwrap();
    assert_eq!([&left["data"], &left["metadata"]["uid"]], [&free["data"], &free["metadata"]["uid"]]);
    assert_eq!(left.pointer("/metadata/labels"), None);
    assert_eq!(left.pointer("/metadata/annotations"), None);
    assert_eq!(holders(&left, &["data"]), [""; 0]);
    let listed = project.run(&["state", "list", "destroy-removed"]).expect_status(0);
    hides(&listed, &["config_map.free", "config_map.middle"]);
    project.settled(&[]);

    let mark = plane.audit().mark();
    drop(project.destroy(&[]).expect_status(0));
    let mut deletes = guarded_deletes(plane, mark, &[&namespace]);
    deletes.sort();
    assert_eq!(deletes, ["configmaps/base-2", "configmaps/top"]);
    assert_eq!(get("free").unwrap()["data"], free["data"]);
}

#[test]
fn what_a_finalizer_holds_is_named_and_waited_for_and_never_freed() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let namespace = plane.create_namespace("destroy-held");
    let toml = format!(
        "[stack]\nname = \"destroy-held\"\n[defaults]\nnamespace = \"{namespace}\"\n[config_map.base]\ndata.a = \"1\"\n\
         [config_map.held]\ndata.a = \"${{config_map.base.name}}\"\n[config_map.beside]\ndata.a = \"1\"\n"
    );
    let project = Project::new(plane, "destroy-held", &toml);
    drop(project.apply(&[]).expect_status(0));
    let path = format!("/api/v1/namespaces/{namespace}/configmaps/held");
    let finalizers = |value: Value| {
        let patch = serde_json::json!({ "metadata": { "finalizers": value } });
        plane.request(User::Admin, "PATCH", &path, Some(&patch)).ok();
    };
    finalizers(serde_json::json!(["example.org/hold"]));
    let mark = plane.audit().mark();
    let failed = project.destroy(&["--timeout", "2s"]).expect_status(1);
    shows(&failed, &["config_map.held", "held by example.org/hold"]);
    // What it depended on stays, by the name of the cause; the rest is gone.
    shows(&failed, &["config_map.base"]);
    let mut deletes = guarded_deletes(plane, mark, &[&namespace]);
    deletes.sort();
    assert_eq!(deletes, ["configmaps/beside", "configmaps/held"]);
    let get = |name: &str| plane.get_json("configmap", &namespace, name);
    assert!(get("base").is_some() && get("beside").is_none());
    let held = get("held").unwrap();
    assert_eq!(held["metadata"]["finalizers"], serde_json::json!(["example.org/hold"]));

    // Under way already: said, and not asked for again.
    let plan = project.plan(&["--destroy"]).expect_status(0);
    shows(&plan, &["- config_map.held already being deleted, held by example.org/hold"]);
    let mark = plane.audit().mark();
    finalizers(Value::Null);
    eventually("the object to go", || get("held").is_none().then_some(()));
    drop(project.destroy(&[]).expect_status(0));
    assert_eq!(guarded_deletes(plane, mark, &[&namespace]), ["configmaps/base"]);
}

pub(crate) const CHART: [(&str, &str); 2] = [
    ("web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
    (
        "web/templates/claim.yaml",
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: {{ .Release.Name }}-data }\n\
         spec: { accessModes: [ReadWriteOnce], storageClassName: replicated, resources: { requests: { storage: 3Gi } } }\n",
    ),
];

#[test]
fn a_suspended_release_is_not_deleted_and_a_renamed_one_goes_first() {
    let Some(plane) = crate::plane(&[Part::Flux, Part::Storage]) else {
        return;
    };
    let namespace = plane.create_namespace("destroy-release");
    let repo = GitRepo::new(&CHART);
    let toml = format!(
        "[stack]\nname = \"destroy-release\"\n[defaults]\nnamespace = \"{namespace}\"\n[config_map.beside]\ndata.a = \"1\"\n\
         [git_repository.charts.spec]\ninterval = \"5m\"\nurl = \"{}\"\nref.branch = \"main\"\n\
         [helm_release.app]\nspec.interval = \"5m\"\nspec.chart.spec.chart = \"./web\"\n\
         spec.chart.spec.sourceRef = \"${{git_repository.charts.ref}}\"\n",
        repo.url()
    );
    let project = Project::new(plane, "destroy-release", &toml);
    drop(project.apply(&[]).expect_status(0));
    let suspend = |value: Value| {
        let path = format!("/apis/helm.toolkit.fluxcd.io/v2/namespaces/{namespace}/helmreleases/app");
        let patch = serde_json::json!({ "spec": { "suspend": value } });
        plane.request(User::Admin, "PATCH", &path, Some(&patch)).ok();
    };
    let consent = ["--allow", "data-loss=helm_release.app"];

    suspend(Value::Bool(true));
    let mark = plane.audit().mark();
    let refused = project.destroy(&consent).expect_status(1);
    shows(
        &refused,
        &[
            "E411]: helm_release.app",
            "is suspended and would not be uninstalled",
            "left behind",
            "resume it first",
        ],
    );
    shows(&project.plan(&[]).expect_status(0), &["NOT READY", "Suspended"]);
    assert_eq!(writes(plane, &namespace, mark), "");
    suspend(Value::Null);
    plane.wait_for("helmrelease", &namespace, "app", "Ready");

    // Another name: the old release is uninstalled before the new one is made, or both would want the same objects.
    project.edit("[helm_release.app]\n", "[helm_release.app]\nname = \"app-2\"\n");
    let refused = project.apply(&[]).expect_status(1);
    shows(
        &refused,
        &[
            "- helm_release.app",
            "DATA LOSS",
            "pvc/app-data DATA LOSS 3Gi replicated (reclaim policy Delete)",
            "+ helm_release.app",
        ],
    );
    assert!(said(&refused).contains("E410"), "{refused}");
    let mark = plane.audit().mark();
    drop(project.apply(&consent).expect_status(0));
    assert_eq!(guarded_deletes(plane, mark, &[&namespace]), ["helmreleases/app"]);
    let log = plane.audit().since(mark).in_namespace(&namespace);
    let gone = log
        .iter()
        .find(|r| r.verb == "delete" && r.resource == "persistentvolumeclaims" && r.name == "app-data")
        .expect("the uninstall");
    let made = log
        .iter()
        .find(|r| r.user == "arrplan" && r.is_write() && r.name == "app-2")
        .expect("the new release");
    assert!(gone.answered < made.received, "{gone}\n{made}");
    project.settled(&[]);
    drop(project.destroy(&consent).expect_status(0));
}
