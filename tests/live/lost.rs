//! What could once be lost, one test each.

use support::User;

use crate::project::Project;
use crate::runs::shows;

/// A definition `gears.GROUP` and one protected object of it.
pub(crate) fn gears(stack: &str, namespace: &str, group: &str) -> (String, String) {
    let head = format!("[stack]\nname = \"{stack}\"\n[defaults]\nnamespace = \"{namespace}\"\n");
    let definition = format!(
        r#"
        [custom_resource_definition.gears]
        name = "gears.{group}"
        [custom_resource_definition.gears.spec]
        group = "{group}"
        scope = "Namespaced"
        names = {{ plural = "gears", singular = "gear", kind = "Gear", listKind = "GearList" }}
        [[custom_resource_definition.gears.spec.versions]]
        name = "v1"
        served = true
        storage = true
        [custom_resource_definition.gears.spec.versions.schema.openAPIV3Schema]
        type = "object"
        properties.spec = {{ type = "object", properties = {{ size = {{ type = "integer" }} }} }}

        [manifest.precious]
        apiVersion = "{group}/v1"
        kind = "Gear"
        protect = true
        spec.size = 1
        "#
    );
    (head, definition)
}

#[test]
fn a_definition_whose_object_is_protected_stays_with_it() {
    let Some(plane) = crate::plane(&[]) else { return };
    let namespace = plane.create_namespace("gears");
    let group = format!("{namespace}.example.org");
    let (head, rest) = gears("gears", &namespace, &group);
    let project = Project::new(plane, "gears", &format!("{head}{rest}"));
    drop(project.apply(&[]).expect_status(0));
    let path = format!("/apis/{group}/v1/namespaces/{namespace}/gears/precious");
    let uid = || plane.request(User::Admin, "GET", &path, None).ok()["metadata"]["uid"].clone();
    let before = uid();

    let allow = ["--allow", "data-loss=custom_resource_definition.gears"];
    let kept = format!("kept: it defines Gear {namespace}/precious: it is kept");
    let done = project.destroy(&allow).expect_status(0);
    shows(&done, &["= manifest.precious kept: protected", &kept, "2 kept"]);
    assert_eq!(uid(), before);
    project.write(&head);
    shows(&project.apply(&allow).expect_status(0), &[&kept]);
    assert_eq!(uid(), before);

    // Lifted, applied, removed: then both go.
    project.write(&format!("{head}{}", rest.replace("protect = true", "protect = false")));
    drop(project.apply(&[]).expect_status(0));
    drop(project.destroy(&[]).expect_status(0));
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let definition = format!("{definitions}/gears.{group}");
    assert_eq!(plane.request(User::Admin, "GET", &definition, None).status, 404);
}

/// An object that gives way to a protected one is not protected by that, also where the delete was interrupted.
#[test]
fn an_interrupted_delete_of_what_a_protected_object_follows_is_taken_up() {
    let Some(plane) = crate::plane(&[]) else { return };
    let namespace = plane.create_namespace("follows");
    let stack = |name: &str, protect: bool| {
        format!(
            "[stack]\nname = \"follows\"\n[config_map.it]\nname = \"{name}\"\nnamespace = \"{namespace}\"\n\
             protect = {protect}\ndata.k = \"1\"\n"
        )
    };
    let project = Project::new(plane, "follows", &stack("first", false));
    drop(project.apply(&[]).expect_status(0));
    project.write(&stack("second", true));
    // The first request makes the new object, the second deletes the old one.
    let stopped = project
        .command(support::arrplan!(), &["apply", "--yes"])
        .env("ARRPLAN_FAILPOINT", "request.before@2=abort")
        .run();
    assert_eq!(stopped.status, None, "{stopped}");
    let there = |name: &str| plane.get_json("configmap", &namespace, name).is_some();
    assert!(there("first") && there("second"));

    shows(&project.apply(&[]).expect_status(0), &["- config_map.it", "1 to delete"]);
    assert!(!there("first") && there("second"));
    assert!(project.state()["resources"]["config_map.it"]["former"].is_null());
    project.settled(&[]);
}
