//! Whose object it is: two stacks, two states, other tools, and what admission does to what we send (design §5.2,
//! §5.4, §5.5).

use serde_json::json;
use support::{ControlPlane, Mark, Part, User, eventually};

use crate::project::Project;
use crate::runs::{hides, holders, keys, shows};

fn one_map(stack: &str, namespace: &str, data: &str) -> String {
    format!("[stack]\nname = \"{stack}\"\n\n[config_map.shared]\nnamespace = \"{namespace}\"\n{data}\n")
}

/// Our writes in a namespace since the mark, one line each.
fn writes(plane: &ControlPlane, namespace: &str, mark: Mark) -> String {
    let writes = plane.audit().writes_since(mark).by_user("arrplan");
    writes.in_namespace(namespace).to_string()
}

#[test]
fn an_object_belongs_to_one_stack_and_one_state() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let namespace = plane.create_namespace("own-two");
    let first = Project::new(plane, "own-two-a", &one_map("own-two-a", &namespace, "data.a = \"1\""));
    drop(first.apply(&[]).expect_status(0));
    let before = plane.get_json("configmap", &namespace, "shared");

    let second = Project::new(plane, "own-two-b", &one_map("own-two-b", &namespace, "data.b = \"2\""));
    // The same stack file elsewhere, whose state knows nothing.
    let twin = Project::new(plane, "own-two-a", &one_map("own-two-a", &namespace, "data.a = \"3\""));
    let whatever = ["--adopt", "config_map.shared", "--take", "config_map.shared"];
    let mark = plane.audit().mark();
    let mut refusals = 0;
    for (project, says) in [
        (
            &second,
            [
                "E401]: config_map.shared",
                "belongs to stack `own-two-a`",
                "remove each other's fields",
                "[existing.",
            ],
        ),
        (
            &twin,
            ["E402]: config_map.shared", "another state of stack `own-two-a`", "state pull", "state recover"],
        ),
    ] {
        for output in
            [project.plan(&[]), project.plan(&whatever), project.apply(&[]), project.apply(&whatever)]
        {
            shows(&output.expect_status(1), &says);
            refusals += 1;
        }
        // Nothing is theirs, so there is nothing to destroy.
        drop(project.destroy(&[]).expect_status(0));
    }
    assert_eq!(refusals, 8);
    assert_eq!(writes(plane, &namespace, mark), "");
    assert_eq!(plane.get_json("configmap", &namespace, "shared"), before);
}

/// Objects that something else manages: name, metadata, and whom the refusal names.
const MANAGED: [(&str, &str, &str); 5] = [
    (
        "helm",
        r#"{"labels":{"app.kubernetes.io/managed-by":"Helm"},"annotations":{"meta.helm.sh/release-name":"web","meta.helm.sh/release-namespace":"x"}}"#,
        "the Helm release web",
    ),
    (
        "release",
        r#"{"labels":{"helm.toolkit.fluxcd.io/name":"web","helm.toolkit.fluxcd.io/namespace":"x"}}"#,
        "HelmRelease x/web",
    ),
    (
        "kustomized",
        r#"{"labels":{"kustomize.toolkit.fluxcd.io/name":"apps","kustomize.toolkit.fluxcd.io/namespace":"x"}}"#,
        "Kustomization x/apps",
    ),
    (
        "application",
        r#"{"labels":{"apps.cozystack.io/application.kind":"ArrStack","apps.cozystack.io/application.name":"arr"}}"#,
        "the Cozystack application ArrStack arr",
    ),
    (
        "owned",
        r#"{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"owner","uid":"OWNER","controller":true}]}"#,
        "its controller ConfigMap owner",
    ),
];

#[test]
fn what_another_tool_manages_is_adopted_only_by_name() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let namespace = plane.create_namespace("own-adopt");
    let path = format!("/api/v1/namespaces/{namespace}/configmaps");
    let create = |name: &str, metadata: &str| {
        let mut metadata: serde_json::Value = serde_json::from_str(metadata).unwrap();
        metadata["name"] = json!(name);
        let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": { "a": "1", "b": "2" } });
        plane.request(User::Admin, "POST", &path, Some(&object)).ok()
    };
    let owner = create("owner", "{}");
    let uid = owner["metadata"]["uid"].as_str().unwrap();
    let mut toml = format!(
        "[stack]\nname = \"own-adopt\"\n[defaults]\nnamespace = \"{namespace}\"\n[config_map.plain]\ndata.a = \"1\"\n"
    );
    create("plain", "{}");
    for (name, metadata, _) in MANAGED {
        create(name, &metadata.replace("OWNER", uid));
        toml.extend(["[config_map.", name, "]\ndata.a = \"9\"\n"]);
    }
    let declared = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "declared" }, "data": { "a": "1" } });
    plane.server_side_apply(&format!("{path}/declared"), "flux", &declared, false).ok();
    toml.push_str("[config_map.declared]\ndata.a = \"9\"\n");
    let project = Project::new(plane, "own-adopt", &toml);

    let mark = plane.audit().mark();
    let refused = project.apply(&[]).expect_status(1);
    for (name, _, owner) in MANAGED {
        shows(
            &refused,
            &[
                &format!("E403]: config_map.{name}: ConfigMap {namespace}/{name} is managed by {owner}"),
                &format!("--adopt 'config_map.{name}'"),
            ],
        );
    }
    shows(
        &refused,
        &["E404]: config_map.declared: data.a", "flux declares it", "--adopt 'config_map.declared'"],
    );
    // Nobody's mark: the ordinary yes is enough.
    shows(&refused, &["<- config_map.plain adopted: exists already"]);
    assert_eq!(writes(plane, &namespace, mark), "");

    let mut adopt = vec!["--adopt".to_owned(), "config_map.declared".to_owned()];
    for (name, _, _) in MANAGED {
        adopt.extend(["--adopt".to_owned(), format!("config_map.{name}")]);
    }
    let adopt: Vec<&str> = adopt.iter().map(String::as_str).collect();
    let output = project.apply(&adopt).expect_status(0);
    shows(
        &output,
        &["<- config_map.helm", "~ data.a \"1\" -> \"9\" taken from", "7 to adopt", "Applied 7 of 7"],
    );
    project.settled(&[]);
    for (name, value) in
        MANAGED.map(|(name, ..)| (name, "9")).into_iter().chain([("plain", "1"), ("declared", "9")])
    {
        let live = plane.get_json("configmap", &namespace, name).unwrap();
        assert_eq!(live["data"]["a"], value, "{name}");
        assert_eq!(live["metadata"]["labels"]["arrplan.dev/stack"], "own-adopt", "{name}");
        assert_eq!(holders(&live, &["data", "a"]), ["arrplan Apply"], "{name}");
    }
    // What nobody took over is listed, and a parent map is not its content.
    let plan = project.plan(&[]).expect_status(0);
    shows(&plan, &["Not ours, left alone", "config_map.plain data.b = \"2\""]);
    hides(&plan, &["data = {"]);

    // The field came over to us, so that it goes with its line; what others set stays.
    project.edit("[config_map.plain]\ndata.a = \"1\"\n", "[config_map.plain]\ndata.c = \"3\"\n");
    drop(project.apply(&[]).expect_status(0));
    let live = plane.get_json("configmap", &namespace, "plain").unwrap();
    assert_eq!(keys(&live["data"]), ["b", "c"]);
}

fn two_maps(stack: &str, namespace: &str) -> String {
    format!(
        "[stack]\nname = \"{stack}\"\n[defaults]\nnamespace = \"{namespace}\"\n[config_map.settings]\ndata.mode = \"fast\"\n\
         [config_map.replaceable]\non_immutable = \"replace\"\ndata.mode = \"fast\"\n"
    )
}

/// A policy of this kind, bound to one namespace.
fn policy(kind: &str, name: &str, namespace: &str, rules: &str, binding: &str) -> String {
    format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: {kind}\nmetadata: {{ name: {name} }}\nspec:\n  failurePolicy: Fail\n  \
         matchConstraints:\n    namespaceSelector: {{ matchLabels: {{ kubernetes.io/metadata.name: {namespace} }} }}\n    \
         resourceRules: [{{ apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps] }}]\n{rules}\
         ---\napiVersion: admissionregistration.k8s.io/v1\nkind: {kind}Binding\nmetadata: {{ name: {name} }}\n\
         spec: {{ policyName: {name}{binding} }}\n"
    )
}

/// A create dry-run of another manager, to see whether a policy is in force.
fn probe(plane: &ControlPlane, namespace: &str) -> support::Reply {
    let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "probe" }, "data": { "mode": "fast" } });
    let path = format!("/api/v1/namespaces/{namespace}/configmaps?dryRun=All");
    plane.request(User::Admin, "POST", &path, Some(&object))
}

#[test]
fn a_policy_that_came_after_the_apply_refuses_and_never_replaces() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let namespace = plane.create_namespace("own-policy");
    let project = Project::new(plane, "own-policy", &two_maps("own-policy", &namespace));
    drop(project.apply(&[]).expect_status(0));
    let rules = "  validations: [{ expression: \"object.data['mode'] != 'fast'\", message: fast is forbidden here }]\n";
    plane.create(&policy(
        "ValidatingAdmissionPolicy",
        "own-policy",
        &namespace,
        rules,
        ", validationActions: [Deny]",
    ));
    eventually("the policy", || (probe(plane, &namespace).status == 422).then_some(()));

    let mark = plane.audit().mark();
    // A proof sees no admission rules, and says since when it speaks.
    let plan = project.plan(&["--detailed-exitcode"]).expect_status(0);
    shows(&plan, &["No changes.", "Unchanged: 2, since serial 1 (--refresh=full"]);
    let refusal = |resource: &str| {
        [
            format!("E406]: config_map.{resource}: admission refuses it"),
            "ValidatingAdmissionPolicy 'own-policy'".to_owned(),
            "fast is forbidden here".to_owned(),
        ]
    };
    project.edit("[config_map.replaceable]\n", "[config_map.replaceable]\nlabels = { team = \"media\" }\n");
    let full = project.plan(&["--refresh=full"]).expect_status(1);
    let apply = project.apply(&[]).expect_status(1);
    for (output, resource) in [(&full, "settings"), (&full, "replaceable"), (&apply, "replaceable")] {
        shows(output, &refusal(resource).each_ref().map(String::as_str));
        hides(output, &["E407", "on_immutable", "-/+", "cannot change in place"]);
    }
    assert_eq!(writes(plane, &namespace, mark), "");
}

#[test]
fn a_policy_that_changes_what_we_send_is_no_fight() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let namespace = plane.create_namespace("own-mutated");
    let rules = "  reinvocationPolicy: IfNeeded\n  mutations:\n  - patchType: ApplyConfiguration\n    applyConfiguration:\n      \
                 expression: 'Object{data: {\"mode\": \"forced\"}, metadata: Object.metadata{labels: {\"policy\": \"here\"}}}'\n";
    let project = Project::new(plane, "own-mutated", &two_maps("own-mutated", &namespace));
    let mutate = || {
        plane.create(&policy("MutatingAdmissionPolicy", "own-mutated", &namespace, rules, ""));
        eventually("the policy", || {
            (probe(plane, &namespace).body["data"]["mode"] == "forced").then_some(())
        });
    };
    let mode = |name: &str| plane.get_json("configmap", &namespace, name).unwrap()["data"]["mode"].clone();

    // It came after the apply: proofs do not see it, dry-runs do, and it is not the stack that changed.
    drop(project.apply(&[]).expect_status(0));
    mutate();
    project.settled(&[]);
    let plan = project.plan(&["--refresh=full"]).expect_status(0);
    shows(
        &plan,
        &[
            "~ config_map.settings",
            "~ data.mode fast -> forced by the server",
            "+ metadata.labels.policy here by the server",
            "2 to change",
        ],
    );
    drop(project.apply(&["--refresh=full"]).expect_status(0));
    assert_eq!(mode("settings"), "forced");

    // From then on there is nothing to do, by proof and by dry-run, and nothing is written.
    let mark = plane.audit().mark();
    project.settled(&[]);
    project.settled(&["--refresh=full"]);
    for args in [&[][..], &["--refresh=full"]] {
        drop(project.apply(args).expect_status(0));
    }
    assert_eq!(writes(plane, &namespace, mark), "");

    // A change beside it is the only one; a new object is made as the policy has it.
    project.edit(
        "[config_map.settings]\n",
        "[config_map.fresh]\ndata.mode = \"fast\"\n[config_map.settings]\ndata.other = \"1\"\n",
    );
    let plan = project.plan(&[]).expect_status(0);
    shows(
        &plan,
        &["+ config_map.fresh", "~ config_map.settings", "+ data.other \"1\"", "1 to create, 1 to change"],
    );
    hides(&plan, &["forced ->", "-> forced", "labels.policy"]);
    drop(project.apply(&[]).expect_status(0));
    assert_eq!([mode("settings"), mode("fresh")], ["forced", "forced"]);
    project.settled(&[]);
    project.settled(&["--refresh=full"]);
}

#[test]
fn moved_between_addresses_is_no_write() {
    let Some(plane) = crate::plane(&[Part::Controllers]) else {
        return;
    };
    let namespace = plane.create_namespace("own-moved");
    let project = Project::new(
        plane,
        "own-moved",
        &one_map("own-moved", &namespace, "name = \"shared\"\ndata.a = \"1\""),
    );
    drop(project.apply(&[]).expect_status(0));
    project.edit("[config_map.shared]", "[config_map.renamed]");
    let mark = plane.audit().mark();
    let plan = project.plan(&[]).expect_status(0);
    shows(&plan, &["config_map.renamed", "moved from config_map.shared"]);
    hides(&plan, &["to delete", "to create", "to adopt"]);
    drop(project.apply(&[]).expect_status(0));
    assert_eq!(writes(plane, &namespace, mark), "");
    project.settled(&[]);
    // It is owned under the new address only.
    let listed = project.run(&["state", "list", "own-moved"]).expect_status(0);
    shows(&listed, &["config_map.renamed"]);
    hides(&listed, &["config_map.shared"]);
}

#[test]
fn what_lost_its_mark_is_never_made_anew() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let namespace = plane.create_namespace("own-unmarked");
    let sealed = |value: &str| format!("immutable = true\non_immutable = \"replace\"\ndata.a = \"{value}\"");
    let project = Project::new(plane, "own-unmarked", &one_map("own-unmarked", &namespace, &sealed("1")));
    drop(project.apply(&[]).expect_status(0));
    let uid = || plane.get_json("configmap", &namespace, "shared").unwrap()["metadata"]["uid"].clone();
    let (before, lineage) = (uid(), project.state()["lineage"].as_str().unwrap().to_owned());
    let on = |args: &[&str]| {
        plane.kubectl(&[&["-n", namespace.as_str()], args].concat()).ok();
    };
    on(&["label", "configmap/shared", "arrplan.dev/stack-"]);
    on(&["annotate", "configmap/shared", "arrplan.dev/lineage-"]);
    project.write(&one_map("own-unmarked", &namespace, &sealed("2")));
    let (label, annotation) =
        ("arrplan.dev/stack=own-unmarked".to_owned(), format!("arrplan.dev/lineage={lineage}"));
    let mark = plane.audit().mark();
    for refused in [project.plan(&[]).expect_status(1), project.apply(&[]).expect_status(1)] {
        shows(
            &refused,
            &[
                "E407",
                "does not carry the mark of this stack any more",
                &format!("kubectl -n {namespace} label configmap/shared {label}"),
                &format!("kubectl -n {namespace} annotate configmap/shared {annotation}"),
            ],
        );
    }
    assert_eq!((writes(plane, &namespace, mark), uid()), (String::new(), before.clone()));
    // What the refusal says to do.
    on(&["label", "configmap/shared", &label]);
    on(&["annotate", "configmap/shared", &annotation]);
    drop(project.apply(&[]).expect_status(0));
    assert_ne!(uid(), before);
    project.settled(&[]);
}
