//! Flux's stand-ins on a server in memory.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::sandbox::controllers::Sources;
use crate::sandbox::controllers::client::key;
use crate::sandbox::controllers::tests::{Place, conditions};
use crate::sandbox::verbs::DeleteOptions;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, text).unwrap();
}

/// A place where GitRepository `default/catalog` is a folder with the chart `charts/web`.
async fn place() -> (Place, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "charts/web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 0.1.0\n");
    let given = BTreeMap::from([(("default".into(), "catalog".into()), folder.path().to_owned())]);
    (Place::with(Sources { given, file: None }).await, folder)
}

fn repository(name: &str) -> Value {
    json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": { "namespace": "default", "name": name },
        "spec": { "interval": "5m", "url": "https://example.org/x.git", "ref": { "branch": "main" } },
    })
}

fn release(source: &str, chart: &str) -> Value {
    json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
        "metadata": { "namespace": "default", "name": "web" },
        "spec": {
            "interval": "10m",
            "chart": { "spec": {
                "chart": chart, "reconcileStrategy": "Revision",
                "sourceRef": { "kind": "GitRepository", "name": source },
            }},
            "values": { "a": 1 },
        },
    })
}

fn ready(object: &Value) -> (String, String) {
    let list = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let ready = list.iter().find(|condition| condition["type"] == "Ready").cloned().unwrap_or_default();
    let text = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
    (format!("{} {}", text("status"), text("reason")), text("message"))
}

#[tokio::test]
async fn a_release_is_recorded_upgraded_and_uninstalled() {
    let (mut place, folder) = place().await;
    let source = place.create(repository("catalog")).await;
    let web = place.create(release("catalog", "./charts/web")).await;
    assert_eq!(place.refused, [""; 0]);
    let repository = place.get(&source);
    let revision = repository["status"]["artifact"]["revision"].as_str().unwrap().to_owned();
    assert!(revision.starts_with("main@sha256:"), "{revision}");
    let version = format!("0.1.0+{}", &revision["main@sha256:".len()..][..12]);
    let now = place.get(&web);
    assert_eq!(
        ready(&now),
        (
            "True InstallSucceeded".to_owned(),
            format!(
                "Helm install succeeded for release default/web.v1 with chart web@{version} (sandbox: not rendered)"
            )
        )
    );
    assert_eq!(now["status"]["history"][0]["chartVersion"], version);
    assert_eq!(now["status"]["helmChart"], "default/default-web");
    assert_eq!(now["status"]["storageNamespace"], "default");
    assert_eq!(now["status"]["inventory"]["entries"], json!([]));
    assert_eq!(now["status"]["observedGeneration"], now["metadata"]["generation"]);

    place.change(&web, |object| object["spec"]["values"]["a"] = json!(2)).await.unwrap();
    let now = place.get(&web);
    assert_eq!(ready(&now).0, "True UpgradeSucceeded");
    assert_eq!(now["status"]["history"][0]["version"], 2);
    assert_eq!(now["status"]["history"][1]["status"], "superseded");

    // A push, and somebody who asks for a look.
    write(folder.path(), "charts/web/values.yaml", "a: 1\n");
    let ask = |object: &mut Value| {
        object["metadata"]["annotations"]["reconcile.fluxcd.io/requestedAt"] = "now".into();
    };
    place.change(&source, ask).await.unwrap();
    assert_eq!(place.get(&source)["status"]["lastHandledReconcileAt"], "now");
    assert_eq!(place.get(&web)["status"]["history"][0]["version"], 3);

    place.delete(&web, &DeleteOptions::default()).await;
    let chart = key("source.toolkit.fluxcd.io", "helmcharts", "default", "default-web");
    assert!(!place.is_there(&web) && !place.is_there(&chart));
    place.delete(&source, &DeleteOptions::default()).await;
    assert!(!place.is_there(&source));
    assert_eq!(place.refused, [""; 0]);
}

#[tokio::test]
async fn a_chart_that_is_not_there_fails_as_with_flux_until_it_comes() {
    let (mut place, folder) = place().await;
    let source = place.create(repository("catalog")).await;
    let web = place.create(release("catalog", "charts/late")).await;
    let chart = key("source.toolkit.fluxcd.io", "helmcharts", "default", "default-web");
    let why = format!(
        "invalid chart reference: stat {}/charts/late: no such file or directory",
        folder.path().display()
    );
    assert_eq!(ready(&place.get(&chart)), ("False InvalidChartReference".to_owned(), why.clone()));
    assert!(conditions(&place.get(&chart)).contains(&"Stalled=True InvalidChartReference".to_owned()));
    assert_eq!(
        ready(&place.get(&web)),
        ("False SourceNotReady".to_owned(), format!("HelmChart 'default/default-web' is not ready: {why}"))
    );
    write(folder.path(), "charts/late/Chart.yaml", "name: late\nversion: 1.0.0\n");
    let ask = |object: &mut Value| {
        object["metadata"]["annotations"] = json!({ "reconcile.fluxcd.io/requestedAt": "now" });
    };
    place.change(&source, ask).await.unwrap();
    assert_eq!(ready(&place.get(&web)).0, "True InstallSucceeded");
    assert_eq!(conditions(&place.get(&chart)).len(), 2, "what failed is not told any more");
    assert_eq!(place.refused, [""; 0]);
}

#[tokio::test]
async fn what_is_not_fetched_says_so_down_the_chain() {
    let (mut place, _folder) = place().await;
    let source = place.create(repository("elsewhere")).await;
    let web = place.create(release("elsewhere", "charts/web")).await;
    assert_eq!(ready(&place.get(&source)), ("True Succeeded".to_owned(), "not fetched (sandbox)".to_owned()));
    let (state, message) = ready(&place.get(&web));
    assert_eq!(state, "True InstallSucceeded");
    assert!(message.ends_with("(sandbox: chart not fetched, not rendered)"), "{message}");
    let kustomization = |path: &str, source: &str, name: &str, after: &str| {
        json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": { "namespace": "default", "name": name },
            "spec": {
                "interval": "10m", "prune": true, "path": path,
                "sourceRef": { "kind": "GitRepository", "name": source },
                "dependsOn": [{ "name": after }],
            },
        })
    };
    let waits = place.create(kustomization("./", "elsewhere", "second", "first")).await;
    assert_eq!(ready(&place.get(&waits)).0, "False DependencyNotReady");
    let mut first = kustomization("./", "elsewhere", "first", "");
    first["spec"]["dependsOn"] = json!([]);
    place.create(first).await;
    assert_eq!(ready(&place.get(&waits)).0, "True ReconciliationSucceeded");
    assert_eq!(place.refused, [""; 0]);
}

#[tokio::test]
async fn a_release_waits_for_its_values_and_rests_while_suspended() {
    let (mut place, _folder) = place().await;
    place.create(repository("catalog")).await;
    let mut object = release("catalog", "charts/web");
    object["spec"]["valuesFrom"] = json!([{ "kind": "ConfigMap", "name": "values" }]);
    let web = place.create(object).await;
    assert_eq!(
        ready(&place.get(&web)),
        (
            "False ValuesError".to_owned(),
            "could not resolve ConfigMap chart values reference 'default/values' with key 'values.yaml': configmaps \"values\" not found".to_owned()
        )
    );
    let values = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "namespace": "default", "name": "values" },
        "data": { "values.yaml": "b: 1" },
    });
    place.create(values).await;
    assert_eq!(ready(&place.get(&web)).0, "True InstallSucceeded");
    let suspend = |object: &mut Value| {
        object["spec"]["suspend"] = true.into();
        object["spec"]["values"]["a"] = json!(3);
    };
    place.change(&web, suspend).await.unwrap();
    let now = place.get(&web);
    assert_eq!(now["status"]["history"][0]["version"], 1);
    assert_ne!(now["status"]["observedGeneration"], now["metadata"]["generation"]);
    assert_eq!(place.refused, [""; 0]);
}
