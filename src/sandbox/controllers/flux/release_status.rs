//! What helm-controller records of a release.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Report, generation};
use crate::sandbox::controllers::client::{list, number, text};
use crate::sandbox::storage::Key;

/// What a release is made of.
pub(super) struct Release {
    /// Name of the chart.
    pub(super) chart: String,
    /// Its version.
    pub(super) version: String,
    /// Everything its values come from.
    pub(super) values: Value,
    /// Whether the chart was looked at.
    pub(super) seen: bool,
}

fn target<'o>(release: &'o Value, field: &str, else_: &'o str) -> &'o str {
    match text(release, &format!("/spec/{field}")) {
        "" => else_,
        set => set,
    }
}

/// The release's name: `[targetNamespace-]name`, shortened to 53 characters by a digest.
fn name(at: &Key, release: &Value) -> String {
    let given = text(release, "/spec/releaseName");
    if !given.is_empty() {
        return given.to_owned();
    }
    let name = match text(release, "/spec/targetNamespace") {
        "" => at.name.clone(),
        target => format!("{target}-{}", at.name),
    };
    if name.len() <= 53 {
        return name;
    }
    format!("{}-{}", &name[..40], &hex(name.as_bytes())[..12])
}

fn hex(bytes: &[u8]) -> String {
    super::hex(&Sha256::digest(bytes))
}

/// Whether the release is another one now: it is uninstalled and installed anew.
pub(super) fn target_changed(at: &Key, release: &Value, chart: &str) -> bool {
    let Some(last) = list(release, "/status/history").first() else { return false };
    text(last, "/name") != name(at, release)
        || text(last, "/namespace") != target(release, "targetNamespace", &at.namespace)
        || text(last, "/chartName") != chart
        || text(release, "/status/storageNamespace") != target(release, "storageNamespace", &at.namespace)
}

/// Records an install, an upgrade, or that all is as it was.
pub(super) fn record(at: &Key, release: &Value, of: &Release, report: &mut Report<'_>) {
    let namespace = target(release, "targetNamespace", &at.namespace);
    let (name, config) = (name(at, release), format!("sha256:{}", hex(of.values.to_string().as_bytes())));
    let mut history = report.status.get("history").and_then(Value::as_array).cloned().unwrap_or_default();
    let now = report.now.clone();
    let last = history.first().cloned();
    let same = last.as_ref().is_some_and(|last| {
        last["chartVersion"] == of.version && last["configDigest"] == config && last["status"] == "deployed"
    });
    let failed_before = history.is_empty();
    let (reason, verb) =
        if failed_before { ("InstallSucceeded", "install") } else { ("UpgradeSucceeded", "upgrade") };
    if !same {
        let version = last.as_ref().and_then(|last| number(last, "/version")).unwrap_or(0) + 1;
        let first = last.as_ref().map_or_else(|| now.clone().into(), |last| last["firstDeployed"].clone());
        if let Some(last) = history.first_mut() {
            last["status"] = "superseded".into();
        }
        let content = format!("{namespace}/{name}.v{version} {}@{} {config}", of.chart, of.version);
        history.insert(
            0,
            json!({
                "digest": format!("sha256:{}", hex(content.as_bytes())), "name": name, "namespace": namespace,
                "version": version, "status": "deployed", "action": verb, "chartName": of.chart,
                "chartVersion": of.version, "configDigest": config, "firstDeployed": first,
                "lastDeployed": now,
            }),
        );
        // helm-controller keeps the last two that were deployed.
        history.truncate(2);
        report.put("lastAttemptedReleaseAction", verb);
    }
    let version = number(&history[0], "/version").unwrap_or(1);
    let what = if of.seen { "not rendered" } else { "chart not fetched, not rendered" };
    let message = format!(
        "Helm {verb} succeeded for release {namespace}/{name}.v{version} with chart {}@{} (sandbox: {what})",
        of.chart, of.version
    );
    report.put("history", history);
    report.put("storageNamespace", target(release, "storageNamespace", &at.namespace));
    report.put("inventory", json!({ "entries": [] }));
    report.put("lastAttemptedGeneration", generation(release));
    report.put("lastAttemptedRevision", of.version.clone());
    report.put("lastAttemptedConfigDigest", config);
    report.unsay(&["Reconciling", "Stalled"]);
    let was_ready = |kind: &str| {
        report.conditions.iter().any(|condition| condition["type"] == kind && condition["status"] == "True")
    };
    // A look that finds nothing new leaves the word on what was done last.
    if same && was_ready("Released") {
        let released = report.conditions.iter().find(|condition| condition["type"] == "Released").cloned();
        let released = released.unwrap_or_default();
        let (reason, message) = (text(&released, "/reason"), text(&released, "/message"));
        report.say("Released", "True", reason, message);
        report.say("Ready", "True", reason, message);
    } else {
        report.say("Released", "True", reason, &message);
        report.say("Ready", "True", reason, &message);
    }
    report.observed();
}
