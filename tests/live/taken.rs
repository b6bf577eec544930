//! What would go along with a delete and must stay keeps what would take it.

use serde_json::json;
use support::{GitRepo, Part, User};

use crate::destroy::CHART;
use crate::project::Project;
use crate::runs::shows;

#[test]
fn a_release_stays_with_a_claim_of_it_that_is_protected() {
    let Some(plane) = crate::plane(&[Part::Flux, Part::Storage]) else {
        return;
    };
    let namespace = plane.create_namespace("taken");
    let repo = GitRepo::new(&CHART);
    let toml = format!(
        "[stack]\nname = \"taken\"\n[defaults]\nnamespace = \"{namespace}\"\n\
         [git_repository.charts.spec]\ninterval = \"5m\"\nurl = \"{}\"\nref.branch = \"main\"\n\
         [helm_release.app]\nspec.interval = \"5m\"\nspec.chart.spec.chart = \"./web\"\n\
         spec.chart.spec.sourceRef = \"${{git_repository.charts.ref}}\"\n",
        repo.url()
    );
    let project = Project::new(plane, "taken", &toml);
    drop(project.apply(&[]).expect_status(0));
    let claim = "[persistent_volume_claim.app-data]\nprotect = true\ndepends_on = [\"helm_release.app\"]\n\
                 spec.accessModes = [\"ReadWriteOnce\"]\nspec.storageClassName = \"replicated\"\n\
                 spec.resources.requests.storage = \"3Gi\"\n";
    project.write(&format!("{toml}{claim}"));
    drop(project.apply(&["--adopt", "persistent_volume_claim.app-data"]).expect_status(0));
    let uid = || {
        plane.get_json("persistentvolumeclaim", &namespace, "app-data").unwrap()["metadata"]["uid"].clone()
    };
    let before = uid();

    // A release of another name is another release: the first is uninstalled.
    let name = "[helm_release.app]\nspec.releaseName = \"other\"\n";
    project.edit("[helm_release.app]\n", name);
    let refused = project.plan(&[]).expect_status(1);
    shows(
        &refused,
        &[
            "E407",
            "helm_release.app: it would be uninstalled and installed anew",
            "app-data: it is protected",
        ],
    );
    project.edit(name, "[helm_release.app]\n");

    let consent =
        ["--allow", "data-loss=helm_release.app", "--allow", "data-loss=persistent_volume_claim.app-data"];
    let held = format!("= helm_release.app kept: it takes along PersistentVolumeClaim {namespace}/app-data");
    let done = project.destroy(&consent).expect_status(0);
    shows(&done, &["= persistent_volume_claim.app-data kept: protected", &held]);
    assert_eq!(uid(), before);
    assert!(plane.get_json("helmrelease", &namespace, "app").is_some());

    // Lifted, applied, destroyed: then all goes.
    project.edit("protect = true", "protect = false");
    drop(project.apply(&[]).expect_status(0));
    drop(project.destroy(&consent).expect_status(0));
    assert_eq!(plane.get_json("persistentvolumeclaim", &namespace, "app-data"), None);
}

#[test]
fn an_owner_stays_with_what_it_owns_that_is_protected() {
    let Some(plane) = crate::plane(&[]) else { return };
    let namespace = plane.create_namespace("owner");
    let group = format!("{namespace}.example.org");
    let (head, rest) = crate::lost::gears("owner", &namespace, &group);
    let rest = rest.replace("protect = true", "");
    let child = "[config_map.child]\ndata.k = \"1\"\n";
    let project = Project::new(plane, "owner", &format!("{head}{rest}{child}"));
    drop(project.apply(&[]).expect_status(0));
    let gear = format!("/apis/{group}/v1/namespaces/{namespace}/gears/precious");
    let uid = plane.request(User::Admin, "GET", &gear, None).ok()["metadata"]["uid"].clone();
    let path = format!("/api/v1/namespaces/{namespace}/configmaps/child");
    let patched = |metadata: serde_json::Value| {
        drop(plane.request(User::Admin, "PATCH", &path, Some(&json!({ "metadata": metadata }))).ok());
    };
    let owner =
        json!({ "apiVersion": format!("{group}/v1"), "kind": "Gear", "name": "precious", "uid": uid });
    patched(json!({ "ownerReferences": [owner] }));

    let definition = rest.split("[manifest.precious]").next().unwrap();
    project.write(&format!("{head}{definition}{child}"));
    drop(project.run(&["plan", "--out", "drop.plan"]).expect_status(0));
    patched(json!({ "annotations": { "arrplan.dev/protect": "true" } }));
    // Protected since: seen at the last moment.
    let refused = project.run(&["apply", "drop.plan"]).expect_status(1);
    shows(
        &refused,
        &["would take along what must stay", &format!("ConfigMap {namespace}/child: it is protected")],
    );
    let held =
        format!("= manifest.precious kept: it takes along ConfigMap {namespace}/child: it is protected");
    shows(&project.plan(&[]).expect_status(0), &[&held]);
    assert_eq!(plane.request(User::Admin, "GET", &gear, None).ok()["metadata"]["uid"], uid);
    patched(json!({ "annotations": { "arrplan.dev/protect": null } }));
    drop(project.apply(&[]).expect_status(0));
    assert_eq!(plane.request(User::Admin, "GET", &gear, None).status, 404);
}

/// Writes are counted, waiting is not: with room for one, two that wait for the same object keep nobody from working.
#[test]
fn who_waits_for_an_existing_object_takes_no_place() {
    let Some(plane) = crate::plane(&[]) else { return };
    let namespace = plane.create_namespace("places");
    let user =
        |name: &str| format!("[config_map.{name}]\ndata.k = \"${{existing.config_map.late.data.k}}\"\n");
    let toml = format!(
        "[stack]\nname = \"places\"\n[defaults]\nnamespace = \"{namespace}\"\n[existing.config_map.late]\nnamespace = \"{namespace}\"\n\
         {}{}[config_map.z]\ndata.k = \"1\"\n",
        user("a"),
        user("b")
    );
    let project = Project::new(plane, "places", &toml);
    let running = project.command(support::arrplan!(), &["apply", "--yes", "--parallelism", "1"]).spawn();
    support::eventually("the one that waits for nobody", || plane.get_json("configmap", &namespace, "z"));
    let late = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "late", "namespace": namespace }, "data": { "k": "v" } });
    plane.create(&late.to_string());
    drop(running.finish().expect_status(0));
    assert_eq!(plane.get_json("configmap", &namespace, "b").unwrap()["data"]["k"], "v");
}
