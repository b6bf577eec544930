//! The main job: the shipped stack on a real control plane with real Flux.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use support::{AuditRecord, GitRepo, Part, Records, eventually};

use crate::project::{Project, assert_order, differences, predicted, shipped};

const NAMESPACE: &str = "tenant-media";
const SOURCES: &str = "cozy-public";

fn write_count(records: &Records) -> usize {
    records.iter().filter(|record| record.is_write()).count()
}

#[track_caller]
fn is_ready(object: &Value) -> bool {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions.is_some_and(|conditions| {
        conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    })
}

/// A plane of its own: the cluster is empty, and every request of user `arrplan` is this test's.
#[test]
fn the_shipped_stack_is_applied_in_order_stays_as_it_is_and_changes_where_its_text_does() {
    let Some(plane) = crate::own_plane(&[Part::Flux, Part::Storage]) else {
        return;
    };
    assert_eq!(plane.create_namespace(SOURCES), SOURCES);
    let catalog = GitRepo::from_folder(&shipped("catalog"));
    let project = Project::shipped(&plane);
    let url = format!("catalog_url={}", catalog.url());
    let args = |command: &[&'static str]| -> Vec<String> {
        let mut args: Vec<String> = command.iter().map(|&arg| arg.to_owned()).collect();
        args.extend(["stacks/arr.toml".to_owned(), "--var".to_owned(), url.clone()]);
        args
    };
    let run = |command: &[&'static str]| {
        let args = args(command);
        project.run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };

    practice_leaves_no_trace(&project, &run);
    from_an_empty_cluster_in_the_right_order(&project, &run);
    again_nothing_is_written(&project, &run);
    one_value_changes_one_object(&project, &run);
}

type Run<'a> = &'a dyn Fn(&[&'static str]) -> support::RunOutput;

/// The sandbox in the same folder is another cluster with another state: the real cluster's first plan is a first plan.
fn practice_leaves_no_trace(project: &Project<'_>, run: Run<'_>) {
    let home = support::scratch_dir().join("practice-home");
    std::fs::create_dir_all(&home).unwrap();
    let practice =
        support::arrplan!().folder(&project.folder).home(&home).args(["apply", "--sandbox", "--yes"]);
    let practice = practice.run().expect_status(0);
    assert!(practice.stderr.contains("Sonarr") || practice.stdout.contains("sonarr"), "{practice:?}");
    assert!(!project.state_path("json").exists());
    let mark = project.plane.audit().mark();
    let planned = run(&["plan", "--json"]).expect_status(0);
    let planned: Value = serde_json::from_str(&planned.stdout).unwrap();
    let actions: Vec<&Value> = planned["changes"].as_array().unwrap().iter().map(|c| &c["action"]).collect();
    assert_eq!(actions, ["create"; 5]);
    assert_eq!(project.plane.audit().writes_since(mark).by_user("arrplan").len(), 0);
}

fn from_an_empty_cluster_in_the_right_order(project: &Project<'_>, run: Run<'_>) {
    let plane = project.plane;
    let mark = plane.audit().mark();
    drop(run(&["apply", "--yes"]).expect_status(0));
    let records = plane.audit().since(mark);

    let claim = plane.get_json("pvc", NAMESPACE, "media-pvc").unwrap();
    assert_eq!(claim["status"]["phase"], "Bound");
    let source = plane.get_json("gitrepository", SOURCES, "external-arr-stack");
    let release = plane.get_json("helmrelease", NAMESPACE, "arr-stack");
    assert!(is_ready(&source.unwrap()) && is_ready(&release.unwrap()));
    let pods = plane.kubectl(&["get", "pods", "-n", NAMESPACE, "-o", "json"]).ok();
    let pods: Value = serde_json::from_str(&pods).unwrap();
    let pods = pods["items"].as_array().unwrap();
    let ready: Vec<bool> = pods.iter().map(is_ready).collect();
    assert_eq!(ready, [true; 3], "{pods:#?}");

    let namespace = ("namespaces", "", NAMESPACE);
    let claim = ("persistentvolumeclaims", NAMESPACE, "media-pvc");
    let secret = ("secrets", NAMESPACE, "arr-secrets");
    let source = ("gitrepositories", SOURCES, "external-arr-stack");
    let release = ("helmreleases", NAMESPACE, "arr-stack");
    for (dependency, dependent) in [
        (namespace, claim),
        (namespace, secret),
        (namespace, release),
        (claim, release),
        (secret, release),
        (source, release),
    ] {
        assert_order(&records, dependency, dependent);
    }
    let writes = records.by_user("arrplan").writes();
    assert_eq!(writes.len(), 5, "one write for each resource:\n{writes}");
}

fn again_nothing_is_written(project: &Project<'_>, run: Run<'_>) {
    let state = project.state();
    let mark = project.plane.audit().mark();
    for command in [&["plan"][..], &["apply", "--yes"], &["plan", "--refresh=full"]] {
        let output = run(command).expect_status(0);
        assert!(output.stdout.contains("No changes."), "{output}");
    }
    let records = project.plane.audit().since(mark).by_user("arrplan");
    assert!(
        records.iter().any(AuditRecord::is_dry_run) && !records.is_empty(),
        "the log sees what arrplan asks"
    );
    assert_eq!(write_count(&records), 0, "{}", records.writes());
    assert_eq!(project.state(), state);
}

fn one_value_changes_one_object(project: &Project<'_>, run: Run<'_>) {
    let plane = project.plane;
    let release = "HelmRelease.helm.toolkit.fluxcd.io/tenant-media/arr-stack";
    let cases = [
        (
            "default = \"Etc/UTC\"",
            "default = \"Europe/Berlin\"",
            ("helmrelease", "helmreleases", NAMESPACE, "arr-stack"),
            release,
        ),
        (
            "timeout = \"5m\"",
            "timeout = \"6m\"",
            ("helmrelease", "helmreleases", NAMESPACE, "arr-stack"),
            release,
        ),
        (
            "default = \"500Gi\"",
            "default = \"600Gi\"",
            ("pvc", "persistentvolumeclaims", NAMESPACE, "media-pvc"),
            "PersistentVolumeClaim/tenant-media/media-pvc",
        ),
        (
            "spec.interval = \"5m\"",
            "spec.interval = \"7m\"",
            ("gitrepository", "gitrepositories", SOURCES, "external-arr-stack"),
            "GitRepository.source.toolkit.fluxcd.io/cozy-public/external-arr-stack",
        ),
        (
            "\"tenant.cozystack.io/tenant-root\" = \"\"",
            "\"tenant.cozystack.io/tenant-root\" = \"yes\"",
            ("namespace", "namespaces", "", NAMESPACE),
            "Namespace/tenant-media",
        ),
    ];
    for (from, to, (kind, resource, namespace, name), key) in cases {
        project.edit(from, to);
        let plan = run(&["plan", "--json"]).expect_status(0);
        let plan = predicted(&serde_json::from_str(&plan.stdout).unwrap());
        let before = plane.get_json(kind, namespace, name).unwrap();
        let mark = plane.audit().mark();
        drop(run(&["apply", "--yes"]).expect_status(0));
        let writes = plane.audit().writes_since(mark).by_user("arrplan");
        let after = plane.get_json(kind, namespace, name).unwrap();

        assert_eq!(writes.len(), 1, "{to}:\n{writes}");
        assert!(writes[0].is_about(resource, namespace, name) && writes[0].code == 200, "{to}:\n{writes}");
        let actual = differences(&before, &after);
        assert!(!actual.is_empty(), "{to}");
        assert_eq!(plan, BTreeMap::from([(key.to_owned(), actual)]), "{to}");
    }
}

const CHART: &[(&str, &str)] = &[
    ("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
    (
        "charts/web/templates/deployment.yaml",
        r"apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  selector: { matchLabels: { app: {{ .Release.Name }} } }
  template:
    metadata: { labels: { app: {{ .Release.Name }} } }
    spec: { containers: [{ name: web, image: example.org/web:1 }] }
",
    ),
];

/// Two branches under one namespace and source: `good` and what follows it, `broken` and what follows that.
fn two_branches(namespace: &str, url: &str, chart: &str) -> String {
    format!(
        r#"
        [stack]
        name = "{namespace}"
        [defaults]
        namespace = "{namespace}"
        [namespace.{namespace}]
        [git_repository.catalog.spec]
        interval = "1h"
        url = "{url}"
        ref.branch = "main"

        [helm_release.good.spec]
        interval = "1h"
        [helm_release.good.spec.chart.spec]
        chart = "charts/web"
        sourceRef = "${{git_repository.catalog.ref}}"
        reconcileStrategy = "Revision"
        [config_map.beside]
        depends_on = ["helm_release.good"]
        data.a = "1"

        [helm_release.broken.spec]
        interval = "1h"
        [helm_release.broken.spec.chart.spec]
        chart = "{chart}"
        sourceRef = "${{git_repository.catalog.ref}}"
        reconcileStrategy = "Revision"
        [config_map.behind]
        depends_on = ["helm_release.broken"]
        data.a = "1"
        "#
    )
}

/// Applies a stack whose second release names a chart that is not there: what every such test starts from.
fn apply_with_a_wrong_chart(project: &Project<'_>, namespace: &str) {
    let plane = project.plane;
    let output = project.run(&["apply", "--yes"]).expect_status(1);
    assert!(output.elapsed < Duration::from_mins(1), "{output}");
    let told = output.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        format!("HelmChart {namespace}/{namespace}-broken InvalidChartReference: invalid chart reference:"),
        "no such file or directory".to_owned(),
        "skipped config_map.behind because helm_release.broken failed".to_owned(),
    ] {
        assert!(told.contains(&part), "`{part}` is missing:\n{output}");
    }
    let release = plane.get_json("helmrelease", namespace, "good");
    assert!(is_ready(&release.unwrap()), "{output}");
    let there = ["beside", "behind"].map(|name| plane.get_json("configmap", namespace, name).is_some());
    assert_eq!(there, [true, false], "{output}");

    let plan = project.run(&["plan"]).expect_status(0);
    let shown = plan.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["! helm_release.broken unchanged, but NOT READY", "InvalidChartReference"] {
        assert!(shown.contains(part), "`{part}` is missing:\n{plan}");
    }
    assert!(!shown.contains("No changes."), "{plan}");
}

/// The last part of both tests: the apply after the fix does what was left to do, in order, and no more.
fn apply_goes_on(project: &Project<'_>, namespace: &str, expected: &[&str]) {
    let plane = project.plane;
    let mark = plane.audit().mark();
    drop(project.run(&["apply", "--yes"]).expect_status(0));
    let records = plane.audit().since(mark).in_namespace(namespace);
    let writes = records.clone().by_user("arrplan").writes();
    let written: Vec<&str> = writes.iter().map(|record| record.name.as_str()).collect();
    assert_eq!(written, expected, "{writes}");
    let release = plane.get_json("helmrelease", namespace, "broken");
    assert!(is_ready(&release.unwrap()));
    if expected.contains(&"broken") {
        assert_order(&records, ("helmreleases", namespace, "broken"), ("configmaps", namespace, "behind"));
    }
    let plan = project.run(&["plan"]).expect_status(0);
    assert!(plan.stdout.contains("No changes."), "{plan}");
}

#[test]
fn a_wrong_chart_path_fails_with_its_cause_and_goes_on_when_the_stack_is_mended() {
    let Some(plane) = crate::plane(&[Part::Flux, Part::Nodes]) else {
        return;
    };
    let namespace = plane.namespace("wrong-chart");
    let catalog = GitRepo::new(CHART);
    let project = Project::new(plane, &namespace, &two_branches(&namespace, &catalog.url(), "charts/wep"));
    apply_with_a_wrong_chart(&project, &namespace);
    project.edit("charts/wep", "charts/web");
    apply_goes_on(&project, &namespace, &["broken", "behind"]);
}

#[test]
fn a_chart_that_is_not_in_the_source_goes_on_when_it_is_pushed() {
    let Some(plane) = crate::plane(&[Part::Flux, Part::Nodes]) else {
        return;
    };
    let namespace = plane.namespace("late-chart");
    let catalog = GitRepo::new(CHART);
    let project = Project::new(plane, &namespace, &two_branches(&namespace, &catalog.url(), "charts/late"));
    apply_with_a_wrong_chart(&project, &namespace);

    let late: Vec<(String, String)> = CHART
        .iter()
        .map(|(path, text)| (path.replace("web", "late"), text.replace("name: web", "name: late")))
        .collect();
    let late: Vec<(&str, &str)> = late.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let commit = catalog.commit(&late);
    // Flux would look within the hour.
    let now =
        json!({ "metadata": { "annotations": { "reconcile.fluxcd.io/requestedAt": commit } } }).to_string();
    let source = ["patch", "gitrepository", "catalog", "--type=merge", "-p", &now, "-n", &namespace];
    plane.kubectl(&source).ok();
    let chart = format!("{namespace}-broken");
    eventually("the chart to be built from the new commit", || {
        let chart = plane.get_json("helmchart", &namespace, &chart)?;
        is_ready(&chart).then_some(())
    });
    apply_goes_on(&project, &namespace, &["behind"]);
}
