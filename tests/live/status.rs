//! `status/` on objects that real controllers write: Flux's, Kubernetes' own, Cozystack's.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use arrplan::address::ObjectKey;
use arrplan::cluster::{ConnectOptions, Error, Observation, ServedBy, Writer, connect};
use arrplan::object::Object;
use arrplan::status::chain::{Explained, Seen, behind, explain};
use arrplan::status::{Context, State, Status, compute};
use serde_json::json;
use support::{ControlPlane, GitRepo, Part, User};

const CHART: &[(&str, &str)] = &[
    ("charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n"),
    (
        "charts/web/templates/map.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: {{ .Release.Name }} }\ndata: { a: b }\n",
    ),
    (
        "charts/broken/Chart.yaml",
        "apiVersion: v2\nname: broken\nversion: 0.1.0\ndependencies: [{ name: nowhere, version: 1.0.0, repository: 'file://../nowhere' }]\n",
    ),
];

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_mins(3), test).await.expect("within 3 minutes")
    })
}

async fn connected(plane: &ControlPlane) -> Writer {
    let options =
        ConnectOptions { kubeconfig: Some(plane.kubeconfig(User::Arrplan)), ..ConnectOptions::default() };
    connect(&options).await.unwrap().1
}

async fn read(writer: &Writer, key: Option<ObjectKey>) -> Seen {
    let Some(key) = key else { return Seen::Unread };
    let version = format!("{}/v1", key.group);
    let api = writer.find_kind(&version, &key.kind).await.unwrap().unwrap();
    match writer.get(&api, key.namespace.as_deref(), &key.name).await.unwrap() {
        Some(object) => Seen::Present(object),
        None => Seen::Absent(key),
    }
}

/// Watches a release until it is ready, or waiting has no sense any more.
async fn outcome(writer: &Writer, namespace: &str, name: &str) -> Result<Status, Explained> {
    let api = writer.find_kind("helm.toolkit.fluxcd.io/v2", "HelmRelease").await.unwrap().unwrap();
    let mut watch = writer.watch_object(&api, Some(namespace), name);
    let mut last: Option<Object> = None;
    loop {
        // The chart changes without its release: look again now and then.
        if let Ok(Observation::Present(object)) =
            tokio::time::timeout(Duration::from_secs(1), watch.next()).await
        {
            last = Some(object);
        }
        let Some(object) = &last else { continue };
        let status = compute(object, &Context::default());
        if status.state == State::Ready {
            return Ok(status);
        }
        let behind = behind(object);
        let (chart, source) = (read(writer, behind.chart).await, read(writer, behind.source).await);
        let explained = explain(object, &Context::default(), &chart, &source).unwrap();
        if explained.terminal {
            return Err(explained);
        }
    }
}

fn release(namespace: &str, name: &str, chart: &str, source: &str) -> String {
    format!(
        "{{ apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, metadata: {{ name: {name}, namespace: {namespace} }}, \
         spec: {{ interval: 1h, chart: {{ spec: {{ chart: {chart}, reconcileStrategy: Revision, sourceRef: {{ \
         kind: GitRepository, name: {source} }} }} }} }} }}"
    )
}

fn source(namespace: &str, name: &str, url: &str) -> String {
    format!(
        "{{ apiVersion: source.toolkit.fluxcd.io/v1, kind: GitRepository, metadata: {{ name: {name}, namespace: {namespace} }}, \
         spec: {{ interval: 1h, timeout: 10s, url: '{url}', ref: {{ branch: main }} }} }}"
    )
}

#[test]
fn releases_work_or_name_what_is_at_fault_within_seconds() {
    let Some(plane) = crate::plane(&[Part::Flux, Part::Controllers]) else {
        return;
    };
    let ns = plane.create_namespace("chain");
    let repository = GitRepo::new(CHART);
    plane.create(&source(&ns, "catalog", &repository.url()));
    plane.create(&release(&ns, "good", "charts/web", "catalog"));
    plane.create(&release(&ns, "wrong", "charts/no-such-chart", "catalog"));
    plane.create(&release(&ns, "broken", "charts/broken", "catalog"));
    let start = Instant::now();
    run(async {
        let writer = connected(plane).await;
        let (good, wrong, broken) = tokio::join!(
            outcome(&writer, &ns, "good"),
            outcome(&writer, &ns, "wrong"),
            outcome(&writer, &ns, "broken"),
        );
        assert!(good.is_ok(), "{good:?}");
        for (failed, reason) in [(wrong, "InvalidChartReference"), (broken, "DependencyBuildError")] {
            let failed = failed.unwrap_err().not_ready;
            assert_eq!(failed.reason, reason, "{failed:?}");
            let (at_fault, _, message) = failed.chain.last().unwrap();
            assert_eq!(at_fault.kind, "HelmChart", "{failed:?}");
            assert!(!message.is_empty());
        }
        assert!(start.elapsed() < Duration::from_mins(1), "{:?}", start.elapsed());

        // Mended in Git: the chart is built from the new revision, and the old failure is none any more.
        let chart = [("charts/no-such-chart/Chart.yaml", "apiVersion: v2\nname: late\nversion: 0.1.0\n")];
        repository.commit(&chart);
        let annotate =
            ["-n", &ns, "annotate", "gitrepository", "catalog", "reconcile.fluxcd.io/requestedAt=1"];
        plane.kubectl(&annotate).ok();
        let mended = loop {
            let now = outcome(&writer, &ns, "wrong").await;
            if now.is_ok() || start.elapsed() > Duration::from_mins(2) {
                break now;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        };
        assert!(mended.is_ok(), "{mended:?}");
    });
}

#[test]
fn a_source_that_cannot_be_fetched_is_the_end_of_the_chain() {
    let Some(plane) = crate::plane(&[Part::Flux]) else {
        return;
    };
    let ns = plane.create_namespace("fetch");
    plane.create(&source(&ns, "gone", "http://127.0.0.1:1/gone.git"));
    plane.create(&release(&ns, "waits", "charts/web", "gone"));
    plane.create(&release(&ns, "orphan", "charts/web", "nobody"));
    run(async {
        let writer = connected(plane).await;
        let api = writer.find_kind("helm.toolkit.fluxcd.io/v2", "HelmRelease").await.unwrap().unwrap();
        for (name, expected) in [("waits", "GitOperationFailed"), ("orphan", "NotFound")] {
            let mut last = None;
            for _ in 0..100 {
                let object = writer.get(&api, Some(&ns), name).await.unwrap().unwrap();
                let behind = behind(&object);
                let (chart, source) = (read(&writer, behind.chart).await, read(&writer, behind.source).await);
                let explained = explain(&object, &Context::default(), &chart, &source).unwrap();
                assert!(!explained.terminal, "the network may come back: {explained:?}");
                let done = explained.not_ready.reason == expected;
                last = Some(explained.not_ready);
                if done {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            assert_eq!(last.as_ref().map(|n| n.reason.as_str()), Some(expected), "{last:?}");
        }
    });
}

#[test]
fn kubernetes_own_kinds_become_ready() {
    let Some(plane) = crate::plane(&[Part::Storage]) else {
        return;
    };
    let ns = plane.create_namespace("ready");
    run(async {
        let writer = connected(plane).await;
        let context = Context {
            wait_for_first_consumer: BTreeSet::from(["local".to_owned()]),
            suspended_by_stack: false,
        };
        let labels = json!({ "app": "x" });
        let template = json!({ "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "c", "image": "example.org/c:1" }] } });
        let job = json!({ "spec": { "restartPolicy": "Never", "containers": [{ "name": "c", "image": "example.org/c:1" }] } });
        let claim = |class: &str| json!({ "storageClassName": class, "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } });
        let selector = json!({ "matchLabels": labels });
        for (version, kind, name, spec, reason) in [
            (
                "apps/v1",
                "Deployment",
                "x",
                json!({ "replicas": 2, "selector": selector, "template": template }),
                "Available",
            ),
            (
                "apps/v1",
                "StatefulSet",
                "x",
                json!({ "serviceName": "x", "selector": selector, "template": template }),
                "Available",
            ),
            ("apps/v1", "DaemonSet", "x", json!({ "selector": selector, "template": template }), "Available"),
            ("batch/v1", "Job", "x", json!({ "template": job }), "Complete"),
            ("v1", "Service", "x", json!({ "selector": labels, "ports": [{ "port": 80 }] }), "Current"),
            ("v1", "PersistentVolumeClaim", "local", claim("local"), "WaitForFirstConsumer"),
            ("v1", "PersistentVolumeClaim", "replicated", claim("replicated"), "Bound"),
        ] {
            let api = writer.find_kind(version, kind).await.unwrap().unwrap();
            let body = json!({ "apiVersion": version, "kind": kind, "metadata": { "name": name, "namespace": ns }, "spec": spec });
            writer.apply(&api, Some(&ns), name, &body, false).await.unwrap();
            let mut watch = writer.watch_object(&api, Some(&ns), name);
            let status = loop {
                if let Observation::Present(object) = watch.next().await {
                    let status = compute(&object, &context);
                    assert_ne!(status.state, State::Failed, "{kind}: {status:?}");
                    if status.state == State::Ready {
                        break status;
                    }
                }
            };
            assert_eq!(status.reason, reason, "{kind}");
        }
        let api = writer.find_kind("v1", "Namespace").await.unwrap().unwrap();
        let live = writer.get(&api, None, &ns).await.unwrap().unwrap();
        assert_eq!(compute(&live, &context).reason, "Active");
    });
}

#[test]
fn cozystacks_kinds_are_known_as_aggregated_and_get_no_dry_run() {
    let Some(plane) = crate::plane(&[Part::Cozystack]) else {
        return;
    };
    plane.serve_cozystack(support::ARRSTACK_DEFINITION, "arrstacks");
    let ns = plane.create_namespace("tenant-status");
    run(async {
        let writer = connected(plane).await;
        let version = "apps.cozystack.io/v1alpha1";
        let needed = BTreeSet::from([(version.to_owned(), "ArrStack".to_owned())]);
        let found = writer.discover(&needed).await.unwrap();
        let api = found.find(version, "ArrStack").unwrap().clone();
        assert_eq!(api.served_by, ServedBy::Aggregated);
        assert_eq!(
            writer.find_kind(version, "ArrStack").await.unwrap().as_ref().map(|a| a.served_by),
            Some(ServedBy::Aggregated)
        );
        let body = json!({ "apiVersion": version, "kind": "ArrStack", "metadata": { "name": "main", "namespace": ns }, "spec": { "replicas": 2 } });
        let mark = plane.audit().mark();
        let refused = writer.dry_run_apply(&api, Some(&ns), "main", &body, false).await;
        assert!(matches!(refused, Err(Error::DryRunUnsupported(_))), "{refused:?}");
        assert_eq!(plane.audit().since(mark).in_namespace(&ns).len(), 0);

        assert_eq!(writer.get(&api, Some(&ns), "main").await, Ok(None));
        let mut watch = writer.watch_object(&api, Some(&ns), "main");
        assert_eq!(watch.next().await, Observation::Absent);
        let made = writer.create(&api, Some(&ns), &body).await.unwrap();
        assert!(made.created);
        let status = compute(&made.object, &Context::default());
        assert_eq!(status.state, State::InProgress, "{status:?}");
        let Observation::Present(seen) = watch.next().await else { panic!() };
        assert_eq!(seen.uid(), made.object.uid());
        let again = writer.create(&api, Some(&ns), &body).await;
        assert!(matches!(again, Err(Error::AlreadyExists(_))), "{again:?}");
        let mut changed = writer.get(&api, Some(&ns), "main").await.unwrap().unwrap().0;
        changed["spec"]["replicas"] = json!(3);
        let replaced = writer.replace(&api, Some(&ns), "main", &changed).await.unwrap();
        assert_eq!(replaced.object.0["spec"]["replicas"], 3);
        changed["metadata"]["uid"] = json!("11111111-2222-3333-4444-555555555555");
        let other = writer.replace(&api, Some(&ns), "main", &changed).await;
        assert!(matches!(other, Err(Error::AnotherObject(_))), "{other:?}");
        writer.delete(&api, Some(&ns), "main", &arrplan::cluster::Preconditions::default()).await.unwrap();
        // Its release may have to be uninstalled first.
        while writer.get(&api, Some(&ns), "main").await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    });
}
