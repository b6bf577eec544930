//! The harness itself: what the other tests take for granted.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use support::{GitRepo, Part, User, eventually, eventually_within};

const CHART: &[(&str, &str)] = &[
    ("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
    ("charts/web/values.yaml", "replicas: 1\n"),
    (
        "charts/web/templates/deployment.yaml",
        r"apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  selector: { matchLabels: { app: {{ .Release.Name }} } }
  template:
    metadata: { labels: { app: {{ .Release.Name }} } }
    spec: { containers: [{ name: web, image: example.org/web:1 }] }
",
    ),
];

#[test]
fn the_api_server_answers_each_user_by_its_rights() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let namespaces = |user| plane.request(user, "GET", "/api/v1/namespaces", None).status;
    assert_eq!([User::Admin, User::Arrplan, User::Nobody].map(namespaces), [200, 200, 403]);
    let version: Value = serde_json::from_str(&plane.kubectl(&["version", "-o", "json"]).ok()).unwrap();
    assert_eq!(version["serverVersion"]["minor"], version["clientVersion"]["minor"]);
    assert_eq!(plane.kubectl_as(User::Nobody, &["get", "pods"], "").status, 1);
}

#[test]
fn the_audit_log_sees_a_write_of_kubectl_and_its_dry_run() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let namespace = plane.create_namespace("audit");
    let mark = plane.audit().mark();
    plane.create_config_map(&namespace, "seen", &[("a", "1")]);
    plane.kubectl(&["-n", &namespace, "delete", "configmap", "seen", "--dry-run=server"]).ok();
    let records = plane.audit().since(mark).by_agent("kubectl").in_namespace(&namespace);
    assert_eq!(records.len(), 2, "{records}");
    let [create, delete] = [&records[0], &records[1]];
    assert!(
        create.is_write() && create.succeeded() && create.is_about("configmaps", &namespace, "seen"),
        "{create}"
    );
    assert_eq!((create.verb.as_str(), create.user.as_str(), create.code), ("create", "admin", 201));
    assert_eq!(create.body["data"], json!({ "a": "1" }));
    assert!(create.received <= create.answered && create.answered < delete.answered, "{records}");
    assert!(delete.is_dry_run() && !delete.is_write(), "{delete}");
    assert_eq!(plane.audit().writes_since(mark).in_namespace(&namespace).len(), 1);
}

#[test]
fn controllers_collect_garbage_and_empty_namespaces() {
    let Some(plane) = crate::plane(&[Part::Controllers]) else {
        return;
    };
    let namespace = plane.create_namespace("garbage");
    let path = format!("/api/v1/namespaces/{namespace}/configmaps");
    let owner = json!({ "metadata": { "name": "owner" } });
    let owner = plane.request(User::Admin, "POST", &path, Some(&owner)).ok();
    let reference = json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"] }]);
    let dependent = json!({ "metadata": { "name": "dependent", "ownerReferences": reference } });
    plane.request(User::Admin, "POST", &path, Some(&dependent)).ok();
    plane.request(User::Admin, "DELETE", &format!("{path}/owner"), None).ok();
    let gone = |path: &str| (plane.request(User::Admin, "GET", path, None).status == 404).then_some(());
    eventually("the dependent to be collected", || gone(&format!("{path}/dependent")));
    plane.request(User::Admin, "DELETE", &format!("/api/v1/namespaces/{namespace}"), None).ok();
    eventually("the namespace to go", || gone(&format!("/api/v1/namespaces/{namespace}")));
}

#[test]
fn claims_of_both_classes_are_bound_and_pods_run() {
    let Some(plane) = crate::plane(&[Part::Storage]) else {
        return;
    };
    let namespace = plane.create_namespace("storage");
    for class in ["local", "replicated"] {
        plane.create(&format!(
            "{{ apiVersion: v1, kind: PersistentVolumeClaim, metadata: {{ name: {class}, namespace: {namespace} }}, spec: {{ \
             storageClassName: {class}, accessModes: [ReadWriteOnce], resources: {{ requests: {{ storage: 1Gi }} }} }} }}"
        ));
    }
    let phase = |name: &str| plane.get_json("pvc", &namespace, name).unwrap()["status"]["phase"].clone();
    eventually("the immediate claim to be bound", || (phase("replicated") == "Bound").then_some(()));
    assert_eq!(phase("local"), "Pending", "nobody uses it yet");
    plane.create(&format!(
        "{{ apiVersion: v1, kind: Pod, metadata: {{ name: user, namespace: {namespace} }}, spec: {{ containers: [{{ name: c, \
         image: example.org/c:1 }}], volumes: [{{ name: v, persistentVolumeClaim: {{ claimName: local }} }}] }} }}"
    ));
    plane.wait_for("pod", &namespace, "user", "Ready");
    assert_eq!(phase("local"), "Bound");
    plane.kubectl(&["-n", &namespace, "delete", "pod/user", "pvc/local", "pvc/replicated"]).ok();
    eventually("the volumes to go", || {
        let volumes =
            plane.kubectl(&["get", "pv", "-o", "jsonpath={.items[*].spec.claimRef.namespace}"]).ok();
        (!volumes.split_whitespace().any(|claimed_by| claimed_by == namespace)).then_some(())
    });
}

#[test]
fn pods_fail_in_the_way_their_label_says() {
    let Some(plane) = crate::plane(&[Part::Nodes]) else {
        return;
    };
    let namespace = plane.create_namespace("pods");
    let reasons = [
        ("crash", "Running", "/waiting/reason", "CrashLoopBackOff"),
        ("image", "Pending", "/waiting/reason", "ImagePullBackOff"),
        ("hang", "Pending", "/waiting/reason", "ContainerCreating"),
    ];
    for name in ["crash", "image", "hang", "unready", "works"] {
        plane.create(&format!(
            "{{ apiVersion: v1, kind: Pod, metadata: {{ name: {name}, namespace: {namespace}, labels: {{ \
             {label}: {name} }} }}, spec: {{ containers: [{{ name: c, image: example.org/c:1 }}] }} }}",
            label = if name == "works" { "app" } else { "tests.arrplan.dev/pod" },
        ));
    }
    plane.wait_for("pod", &namespace, "works", "Ready");
    for (name, phase, pointer, reason) in reasons {
        let status = eventually(&format!("{name} to have a status"), || {
            let status = plane.get_json("pod", &namespace, name)?["status"].clone();
            status.get("containerStatuses").is_some().then_some(status)
        });
        let state = &status["containerStatuses"][0]["state"];
        assert_eq!(
            (&status["phase"], state.pointer(pointer)),
            (&json!(phase), Some(&json!(reason))),
            "{name}"
        );
    }
    let unready = eventually("the unready pod to run", || {
        let status = plane.get_json("pod", &namespace, "unready")?["status"].clone();
        (status["phase"] == "Running").then_some(status)
    });
    assert_eq!(unready["containerStatuses"][0]["ready"], false);
}

#[test]
fn flux_installs_two_releases_from_a_local_repository() {
    let Some(plane) = crate::plane(&[Part::Flux, Part::Nodes]) else {
        return;
    };
    let namespace = plane.create_namespace("flux");
    let repository = GitRepo::new(CHART);
    plane.create(&format!(
        "{{ apiVersion: source.toolkit.fluxcd.io/v1, kind: GitRepository, metadata: {{ name: catalog, namespace: {namespace} }}, \
         spec: {{ interval: 1h, url: '{}', ref: {{ branch: main }} }} }}",
        repository.url()
    ));
    for (name, replicas) in [("one", 1), ("two", 2)] {
        plane.create(&format!(
            "{{ apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, metadata: {{ name: {name}, namespace: {namespace} }}, \
             spec: {{ interval: 1h, chart: {{ spec: {{ chart: charts/web, reconcileStrategy: Revision, sourceRef: {{ \
             kind: GitRepository, name: catalog }} }} }}, values: {{ replicas: {replicas} }} }} }}"
        ));
    }
    plane.wait_for("gitrepository", &namespace, "catalog", "Ready");
    // The controller writes its conditions first and the rest of its status with a second request.
    let revision = eventually("the artifact of the source", || {
        let source = plane.get_json("gitrepository", &namespace, "catalog")?;
        source["status"]["artifact"]["revision"].as_str().map(str::to_owned)
    });
    assert!(revision.ends_with(&repository.head()), "{revision}");
    plane.wait_for("helmrelease", &namespace, "one", "Ready");
    plane.wait_for("helmrelease", &namespace, "two", "Ready");
    let pods =
        plane.kubectl(&["-n", &namespace, "get", "pods", "-o", "jsonpath={.items[*].status.phase}"]).ok();
    assert_eq!(pods, "Running Running Running");

    let second = repository.commit(&[("charts/web/values.yaml", "replicas: 3\n")]);
    let now = "2026-01-01T00:00:00Z";
    plane
        .kubectl(&[
            "-n",
            &namespace,
            "annotate",
            "gitrepository",
            "catalog",
            &format!("reconcile.fluxcd.io/requestedAt={now}"),
        ])
        .ok();
    eventually("the second commit", || {
        let source = plane.get_json("gitrepository", &namespace, "catalog")?;
        source["status"]["artifact"]["revision"].as_str()?.ends_with(&second).then_some(())
    });
    plane.kubectl(&["-n", &namespace, "delete", "helmrelease", "one", "two"]).ok();
    eventually("the pods to go", || {
        plane.kubectl(&["-n", &namespace, "get", "pods", "-o", "name"]).ok().is_empty().then_some(())
    });
}

#[test]
fn flux_applies_a_kustomization() {
    let Some(plane) = crate::plane(&[Part::Flux]) else {
        return;
    };
    let namespace = plane.create_namespace("kustomization");
    let repository = GitRepo::new(&[(
        "deploy/map.yaml",
        "{ apiVersion: v1, kind: ConfigMap, metadata: { name: made }, data: { by: flux } }",
    )]);
    plane.create(&format!(
        "{{ apiVersion: source.toolkit.fluxcd.io/v1, kind: GitRepository, metadata: {{ name: catalog, namespace: {namespace} }}, \
         spec: {{ interval: 1h, url: '{}', ref: {{ branch: main }} }} }}",
        repository.url()
    ));
    plane.create(&format!(
        "{{ apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {{ name: all, namespace: {namespace} }}, \
         spec: {{ interval: 1h, prune: true, path: ./deploy, targetNamespace: {namespace}, sourceRef: {{ kind: GitRepository, \
         name: catalog }} }} }}"
    ));
    plane.wait_for("kustomization", &namespace, "all", "Ready");
    assert_eq!(plane.get_json("configmap", &namespace, "made").unwrap()["data"]["by"], "flux");
}

#[test]
fn cozystack_serves_the_kind_of_a_definition() {
    let Some(plane) = crate::plane(&[Part::Cozystack]) else {
        return;
    };
    plane.serve_cozystack(support::ARRSTACK_DEFINITION, "arrstacks");
    let namespace = plane.create_namespace("tenant-test");
    let stack = json!({
        "apiVersion": "apps.cozystack.io/v1alpha1",
        "kind": "ArrStack",
        "metadata": { "name": "main" },
        "spec": { "replicas": 2 },
    });
    let path = format!("/apis/apps.cozystack.io/v1alpha1/namespaces/{namespace}/arrstacks");
    plane.request(User::Admin, "POST", &path, Some(&stack)).ok();
    let release = plane.get_json("helmrelease", &namespace, "arr-stack-main").unwrap();
    assert_eq!(release["spec"]["values"]["replicas"], 2);
    assert_eq!(plane.get_json("arrstack", &namespace, "main").unwrap()["spec"]["domain"], "example.org");
}

#[test]
fn cert_manager_kinds_are_known() {
    let Some(plane) = crate::plane(&[Part::CertManagerCrds]) else {
        return;
    };
    assert!(plane.get_json("certificates.cert-manager.io", "default", "none").is_none());
}

/// Not a test of its own: the process that the next test kills. It shows its processes and waits for the end.
#[test]
#[ignore = "started by `nothing_outlives_a_killed_test_process`"]
fn hold_a_control_plane_until_killed() {
    let Some(plane) = crate::own_plane(&[Part::Controllers]) else {
        return;
    };
    for (name, pid) in plane.processes() {
        println!("process {pid} {name}");
    }
    println!("folder {}", support::scratch_dir().display());
    println!("ready");
    std::thread::sleep(Duration::from_mins(10));
}

#[test]
fn nothing_outlives_a_killed_test_process() {
    if crate::plane(&[Part::Controllers]).is_none() {
        return;
    }
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "harness_selftest::hold_a_control_plane_until_killed", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pids = Vec::new();
    let mut folder = String::new();
    for line in BufReader::new(holder.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["process", pid, _] => pids.push(pid.to_owned()),
            ["folder", path] => path.clone_into(&mut folder),
            ["ready"] => break,
            _ => {}
        }
    }
    let runs =
        |pid: &str| Command::new("kill").args(["-0", pid]).stderr(Stdio::null()).status().unwrap().success();
    assert_eq!(pids.len(), 4, "etcd, API server, controller manager, scheduler");
    assert!(pids.iter().all(|pid| runs(pid)));
    // SIGKILL: nothing of the holder's own gets to run.
    holder.kill().unwrap();
    holder.wait().unwrap();
    eventually_within(Duration::from_secs(10), "all processes to be gone", || {
        (!pids.iter().any(|pid| runs(pid))).then_some(())
    });
    eventually_within(Duration::from_secs(20), "the folder to be gone", || {
        (!std::path::Path::new(&folder).exists()).then_some(())
    });
}

#[test]
fn a_frozen_part_of_an_own_plane_is_a_hanging_server() {
    let Some(plane) = crate::own_plane(&[]) else {
        return;
    };
    plane.process("kube-apiserver", |process| process.signal("STOP"));
    let refused = plane.kubectl(&["get", "namespaces", "--request-timeout=1s"]);
    assert_eq!(refused.status, 1, "{refused:?}");
    plane.process("kube-apiserver", |process| process.signal("CONT"));
    plane.kubectl(&["get", "namespaces"]).ok();
    let pids = plane.processes();
    drop(plane);
    let runs = |pid: &u32| {
        let mut kill = Command::new("kill");
        kill.args(["-0", &pid.to_string()]).stderr(Stdio::null()).status().unwrap().success()
    };
    eventually("the processes to be gone", || (!pids.values().any(runs)).then_some(()));
}

#[test]
fn the_binary_runs_without_the_environment_of_the_caller() {
    let output = support::arrplan!().args(["--version"]).run();
    assert_eq!(output.status, Some(0), "{output}");
}
