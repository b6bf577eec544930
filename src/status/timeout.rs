//! How long a change may take unless the stack says so.

use std::time::Duration;

use serde_json::Value;

use crate::address::split_api_version;

const MINUTE: Duration = Duration::from_mins(1);

/// The longest time the kind of a manifest may take to become ready, by what the manifest itself allows.
#[must_use]
pub fn default_timeout(manifest: &Value) -> Duration {
    let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str);
    let (group, _) = split_api_version(text("/apiVersion").unwrap_or_default());
    match (group, text("/kind").unwrap_or_default()) {
        ("helm.toolkit.fluxcd.io", "HelmRelease") => release(manifest),
        ("kustomize.toolkit.fluxcd.io", "Kustomization") => {
            let own = duration(manifest, "/spec/timeout").or_else(|| duration(manifest, "/spec/interval"));
            own.unwrap_or(5 * MINUTE) + MINUTE
        }
        ("source.toolkit.fluxcd.io", _) => duration(manifest, "/spec/timeout").unwrap_or(MINUTE) + MINUTE,
        ("apps", "Deployment") => {
            seconds(manifest, "/spec/progressDeadlineSeconds").unwrap_or(10 * MINUTE) + MINUTE
        }
        ("apps" | "cert-manager.io", _) => 10 * MINUTE,
        ("batch", "Job") => {
            seconds(manifest, "/spec/activeDeadlineSeconds").map_or(10 * MINUTE, |own| own + MINUTE)
        }
        // A tenant or an application is one or more releases.
        ("apps.cozystack.io", _) => 15 * MINUTE,
        ("apiextensions.k8s.io", _) => 2 * MINUTE,
        _ => 5 * MINUTE,
    }
}

/// One minute more than Helm needs to give up, else we would give up just as it reports: each try may take the
/// whole timeout. Without an end to its tries: two of them.
fn release(manifest: &Value) -> Duration {
    let common = duration(manifest, "/spec/timeout").unwrap_or(5 * MINUTE);
    ["install", "upgrade"]
        .map(|action| {
            let at = |rest: &str| manifest.pointer(&format!("/spec/{action}/{rest}"));
            let one = duration(manifest, &format!("/spec/{action}/timeout")).unwrap_or(common);
            let retries = at("remediation/retries").and_then(Value::as_i64).unwrap_or(0);
            let for_ever = at("strategy/name").and_then(Value::as_str) == Some("RetryOnFailure");
            match u32::try_from(retries) {
                Ok(retries) if !for_ever => one.saturating_mul(retries.saturating_add(1)),
                _ => 2 * one,
            }
        })
        .into_iter()
        .max()
        .unwrap_or(common)
        .saturating_add(MINUTE)
}

fn seconds(manifest: &Value, pointer: &str) -> Option<Duration> {
    manifest.pointer(pointer)?.as_u64().map(Duration::from_secs)
}

fn duration(manifest: &Value, pointer: &str) -> Option<Duration> {
    parse(manifest.pointer(pointer)?.as_str()?)
}

/// A Go duration as Flux takes it: `1h30m`, `90s`, `1.5m`, `500ms`.
fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let units =
            [("ms", 0.001), ("us", 1e-6), ("µs", 1e-6), ("ns", 1e-9), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];
        let (unit, factor) = units.into_iter().find(|(unit, _)| rest.starts_with(unit))?;
        total += number * factor;
        rest = &rest[unit.len()..];
    }
    (!text.is_empty()).then(|| Duration::try_from_secs_f64(total).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn durations_as_go_writes_them() {
        for (text, seconds) in
            [("90s", 90.0), ("1h30m", 5400.0), ("1.5m", 90.0), ("500ms", 0.5), ("5m0s", 300.0)]
        {
            assert_eq!(parse(text), Some(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "5", "m", "5x", "1..2s", "9999999999999999999999h"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn releases_get_a_minute_more_than_helm() {
        let timeout = |spec: Value| {
            let manifest =
                json!({ "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "spec": spec });
            default_timeout(&manifest).as_secs()
        };
        assert_eq!(timeout(json!({})), 360);
        assert_eq!(timeout(json!({ "timeout": "2m" })), 180);
        assert_eq!(timeout(json!({ "timeout": "2m", "install": { "remediation": { "retries": 3 } } })), 540);
        assert_eq!(timeout(json!({ "timeout": "2m", "upgrade": { "remediation": { "retries": -1 } } })), 300);
        assert_eq!(
            timeout(
                json!({ "timeout": "2m", "install": { "strategy": { "name": "RetryOnFailure" }, "remediation": { "retries": 9 } } })
            ),
            300
        );
        assert_eq!(timeout(json!({ "timeout": "2m", "install": { "timeout": "20m" } })), 1260);
    }

    #[test]
    fn other_kinds() {
        for (version, kind, spec, seconds) in [
            ("v1", "ConfigMap", json!({}), 300),
            ("apps/v1", "Deployment", json!({ "progressDeadlineSeconds": 30 }), 90),
            ("apps/v1", "Deployment", json!({}), 660),
            ("batch/v1", "Job", json!({ "activeDeadlineSeconds": 30 }), 90),
            ("source.toolkit.fluxcd.io/v1", "GitRepository", json!({}), 120),
            ("kustomize.toolkit.fluxcd.io/v1", "Kustomization", json!({ "interval": "10m" }), 660),
            ("apps.cozystack.io/v1alpha1", "Tenant", json!({}), 900),
        ] {
            let manifest = json!({ "apiVersion": version, "kind": kind, "spec": spec });
            assert_eq!(default_timeout(&manifest).as_secs(), seconds, "{kind}");
        }
    }
}
