#![expect(clippy::needless_pass_by_value, reason = "the arguments are `json!` temporaries")]

use serde_json::{Value, json};

use super::*;

fn release(conditions: Value) -> Object {
    Object(json!({
        "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
        "metadata": { "name": "arr", "namespace": "media", "generation": GENERATION },
        "spec": { "chart": { "spec": { "chart": "./packages/arr", "sourceRef": { "kind": "GitRepository", "name": "catalog", "namespace": "cozy-public" } } } },
        "status": { "observedGeneration": GENERATION, "conditions": conditions, "helmChart": "cozy-public/media-arr" },
    }))
}

/// The generation every object here has.
const GENERATION: i64 = 3;

fn chart(path: &str, built: &str, conditions: Value) -> Seen {
    Seen::Present(Object(json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmChart",
        "metadata": { "name": "media-arr", "namespace": "cozy-public", "generation": GENERATION },
        "spec": { "chart": path, "sourceRef": { "kind": "GitRepository", "name": "catalog" } },
        "status": { "observedGeneration": GENERATION, "observedSourceArtifactRevision": built, "conditions": conditions },
    })))
}

fn source(revision: &str, conditions: Value) -> Seen {
    Seen::Present(Object(json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": { "name": "catalog", "namespace": "cozy-public", "generation": GENERATION },
        "spec": {},
        "status": { "observedGeneration": GENERATION, "artifact": { "revision": revision }, "conditions": conditions },
    })))
}

fn condition(kind: &str, status: &str, reason: &str) -> Value {
    json!({ "type": kind, "status": status, "reason": reason, "message": format!("about {reason}"), "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": GENERATION })
}

fn waiting() -> Object {
    release(json!([condition("Ready", "False", "SourceNotReady")]))
}

fn ok() -> Value {
    json!([condition("Ready", "True", "Succeeded")])
}

fn told(object: &Object, chart: &Seen, source: &Seen) -> (Vec<String>, bool) {
    let explained = explain(object, &Context::default(), chart, source).unwrap();
    let chain = explained.not_ready.chain.iter().map(|(key, reason, _)| format!("{} {reason}", key.kind));
    (chain.collect(), explained.terminal)
}

#[test]
fn what_is_behind() {
    let keys = |object: &Object| {
        let behind = behind(object);
        (behind.chart.map(|key| key.human()), behind.source.map(|key| key.human()))
    };
    let some = |text: &str| Some(text.to_owned());
    let mut object = waiting();
    let both = (some("HelmChart cozy-public/media-arr"), some("GitRepository cozy-public/catalog"));
    assert_eq!(keys(&object), both);
    object.0["status"] = json!({});
    assert_eq!(keys(&object), both, "the name follows from helm-controller's rule");
    object.0["spec"] = json!({ "chartRef": { "kind": "OCIRepository", "name": "o" } });
    assert_eq!(keys(&object), (None, some("OCIRepository media/o")));
    object.0["spec"] = json!({ "chartRef": { "kind": "HelmChart", "name": "c", "namespace": "n" } });
    assert_eq!(keys(&object), (some("HelmChart n/c"), None));
    object.0["spec"] = json!({});
    assert_eq!(keys(&object), (None, None));
    assert_eq!(behind(&Object(json!({ "apiVersion": "v1", "kind": "ConfigMap" }))), Behind::default());
}

#[test]
fn a_chart_that_cannot_be_built_ends_the_wait_and_is_named() {
    let stalled = json!([
        condition("Stalled", "True", "InvalidChartReference"),
        condition("Ready", "False", "InvalidChartReference"),
    ]);
    let (chain, terminal) =
        told(&waiting(), &chart("./packages/arr", "r1", stalled.clone()), &source("r1", ok()));
    assert_eq!(chain, ["HelmRelease SourceNotReady", "HelmChart InvalidChartReference"]);
    assert!(terminal);
    let explained = explain(
        &waiting(),
        &Context::default(),
        &chart("./packages/arr", "r1", stalled.clone()),
        &Seen::Unread,
    )
    .unwrap();
    assert_eq!(explained.not_ready.reason, "InvalidChartReference");
    assert_eq!(explained.not_ready.since.as_deref(), Some("2026-01-01T00:00:00Z"));
    // It will be built again from the source's new revision, or for the release's new path.
    assert!(!told(&waiting(), &chart("./packages/arr", "r1", stalled.clone()), &source("r2", ok())).1);
    assert!(!told(&waiting(), &chart("./packages/old", "r1", stalled), &source("r1", ok())).1);
}

#[test]
fn what_keeps_failing_is_told_from_what_may_pass() {
    let failed =
        |reason: &str| json!([condition("BuildFailed", "True", reason), condition("Ready", "False", reason)]);
    for (reason, terminal) in
        [("DependencyBuildError", true), ("ValuesFilesError", true), ("ChartPullError", false)]
    {
        let told = told(&waiting(), &chart("./packages/arr", "r1", failed(reason)), &source("r1", ok()));
        assert_eq!(
            told,
            (vec!["HelmRelease SourceNotReady".to_owned(), format!("HelmChart {reason}")], terminal)
        );
    }
    let fetch =
        |reason: &str| json!([condition("FetchFailed", "True", reason), condition("Ready", "False", reason)]);
    let unavailable = json!([
        condition("FetchFailed", "True", "NoSourceArtifact"),
        condition("Ready", "False", "NoSourceArtifact")
    ]);
    for (reason, terminal) in [("AuthenticationFailed", true), ("GitOperationFailed", false)] {
        let told =
            told(&waiting(), &chart("./packages/arr", "", unavailable.clone()), &source("", fetch(reason)));
        let chain = [
            "HelmRelease SourceNotReady".to_owned(),
            "HelmChart NoSourceArtifact".to_owned(),
            format!("GitRepository {reason}"),
        ];
        assert_eq!(told, (chain.to_vec(), terminal));
    }
}

#[test]
fn the_release_itself() {
    let own = release(json!([
        condition("Ready", "False", "InstallFailed"),
        condition("Stalled", "True", "RetriesExceeded")
    ]));
    assert_eq!(
        told(&own, &chart("./packages/arr", "r1", ok()), &source("r1", ok())),
        (vec!["HelmRelease RetriesExceeded".to_owned()], true)
    );
    assert_eq!(explain(&release(ok()), &Context::default(), &Seen::Unread, &Seen::Unread), None);
    let missing = Seen::Absent(ObjectKey::new(SOURCES, "GitRepository", Some("cozy-public"), "catalog"));
    assert_eq!(
        told(&waiting(), &Seen::Unread, &missing),
        (vec!["HelmRelease SourceNotReady".to_owned(), "GitRepository NotFound".to_owned()], false)
    );
}
