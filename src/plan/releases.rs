//! What an update of a HelmRelease or Kustomization does beyond its own fields.

use serde_json::Value;

use crate::object::Object;
use crate::path::FieldPath;
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
        change
            .notes
            .push(format!("changed {}: the release is uninstalled and installed anew", moved.join(", ")));
    }
    if change.reinstalls || change.fields.iter().any(|field| rolls_out(&field.path)) {
        change.risk = change.risk.max(Risk::Disruptive);
    }
}

/// Whether helm-controller upgrades a release for a change of this field. It compares the chart, the digests of
/// values and post-renderers and the common metadata; how often it looks, how long it waits and what it does
/// about failures change no object of the release. A field not known here counts as one that does.
fn rolls_out(path: &FieldPath) -> bool {
    const QUIET: [&[&str]; 11] = [
        &["spec", "interval"],
        &["spec", "timeout"],
        &["spec", "maxHistory"],
        &["spec", "dependsOn"],
        &["spec", "persistentClient"],
        &["spec", "install"],
        &["spec", "upgrade"],
        &["spec", "rollback"],
        &["spec", "uninstall"],
        &["spec", "test"],
        &["spec", "chart", "spec", "interval"],
    ];
    let quiet = QUIET.iter().any(|names| path.starts_with(&FieldPath::keys(names.iter().copied())));
    !quiet && path.starts_with(&FieldPath::keys(["spec"]))
}

type Effective = fn(&Object) -> Option<String>;

/// The values that decide which release a HelmRelease is.
const TARGET: [(&str, Effective); 4] = [
    ("releaseName", |object| {
        text(object, "/spec/releaseName").or_else(|| {
            let target = text(object, "/spec/targetNamespace").map(|t| format!("{t}-")).unwrap_or_default();
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
        Some(chart.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_owned())
    }),
];

fn text(object: &Object, pointer: &str) -> Option<String> {
    object.0.pointer(pointer).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned)
}

/// A changed pod template restarts pods.
fn risk_of_fields(change: &Change) -> Risk {
    let workload = matches!(change.key.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet");
    let restarts = change.fields.iter().any(|field| field.path.to_string().starts_with("spec.template"));
    if workload && restarts { Risk::Disruptive } else { Risk::Safe }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_helm_controller_rolls_out_is_disruptive() {
        let table = [
            ("spec.values.ingress.enabled", true),
            ("spec.valuesFrom[0].name", true),
            ("spec.chart.spec.chart", true),
            ("spec.chart.spec.version", true),
            ("spec.chartRef.name", true),
            ("spec.postRenderers[0].kustomize", true),
            ("spec.commonMetadata.labels.a", true),
            ("spec.suspend", true),
            ("spec.chart.spec.interval", false),
            ("spec.interval", false),
            ("spec.timeout", false),
            ("spec.install.strategy.name", false),
            ("spec.upgrade.remediation.retries", false),
            ("metadata.labels.a", false),
        ];
        for (path, expected) in table {
            let parsed: FieldPath = path.parse().unwrap();
            assert_eq!(rolls_out(&parsed), expected, "{path}");
        }
    }
}
