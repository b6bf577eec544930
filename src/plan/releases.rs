//! What an update of a HelmRelease or Kustomization does beyond its own fields.

use serde_json::Value;

use crate::object::Object;
use crate::plan::{Change, Risk};

/// Marks an update that makes helm-controller uninstall the release and install it anew: a changed release
/// name, target namespace, storage namespace, or chart name (helm-controller's `ReleaseTargetChanged`).
pub(super) fn judge(change: &mut Change, live: &Object, planned: &Object) {
    if change.key.group != "helm.toolkit.fluxcd.io" || change.key.kind != "HelmRelease" {
        change.risk = change.risk.max(risk_of_fields(change));
        return;
    }
    let installed = live.0.pointer("/status/history/0").is_some();
    let moved: Vec<&str> = TARGET
        .iter()
        .filter(|(_, effective)| effective(live) != effective(planned))
        .map(|(name, _)| *name)
        .collect();
    if installed && !moved.is_empty() {
        change.reinstalls = true;
        change.notes.push(format!(
            "changed {}: the release is uninstalled and installed anew",
            moved.join(", ")
        ));
    }
    change.risk = change.risk.max(Risk::Disruptive);
}

type Effective = fn(&Object) -> Option<String>;

/// The values that decide which release a HelmRelease is.
const TARGET: [(&str, Effective); 4] = [
    ("releaseName", |object| {
        text(object, "/spec/releaseName").or_else(|| {
            let target = text(object, "/spec/targetNamespace")
                .map(|t| format!("{t}-"))
                .unwrap_or_default();
            Some(format!("{target}{}", object.name()))
        })
    }),
    ("targetNamespace", |object| {
        text(object, "/spec/targetNamespace").or_else(|| object.namespace().map(str::to_owned))
    }),
    ("storageNamespace", |object| {
        text(object, "/spec/storageNamespace").or_else(|| object.namespace().map(str::to_owned))
    }),
    ("chart name", |object| {
        // Only the last part of a path names the chart; a moved folder is the same chart.
        let chart = text(object, "/spec/chart/spec/chart").or_else(|| text(object, "/spec/chartRef/name"))?;
        Some(
            chart
                .trim_end_matches('/')
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned(),
        )
    }),
];

fn text(object: &Object, pointer: &str) -> Option<String> {
    object
        .0
        .pointer(pointer)
        .and_then(Value::as_str)
        .filter(|t| !t.is_empty())
        .map(str::to_owned)
}

/// A changed pod template restarts pods.
fn risk_of_fields(change: &Change) -> Risk {
    let workload = matches!(
        change.key.kind.as_str(),
        "Deployment" | "StatefulSet" | "DaemonSet"
    );
    let restarts = change
        .fields
        .iter()
        .any(|field| field.path.to_string().starts_with("spec.template"));
    if workload && restarts {
        Risk::Disruptive
    } else {
        Risk::Safe
    }
}
