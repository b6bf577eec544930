//! Why a Flux object does not work, down to the object at fault: release → chart → source. Pure: the objects
//! behind it are read by the caller, [`behind`] names them.

use serde_json::Value;

use super::{Context, State, Status, compute, condition, text};
use crate::address::{ObjectKey, split_api_version};
use crate::object::Object;
use crate::plan::NotReady;

/// Flux's group of sources and charts.
const SOURCES: &str = "source.toolkit.fluxcd.io";

/// The objects an object gets its content from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Behind {
    /// The `HelmChart` of a release.
    pub chart: Option<ObjectKey>,
    /// The source of the chart, or of a Kustomization.
    pub source: Option<ObjectKey>,
}

/// An object behind another one, as far as it could be read.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// Not read, or not readable: nothing is said about it.
    Unread,
    /// There is none.
    Absent(ObjectKey),
    /// As it is.
    Present(Object),
}

/// An explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The chain, outermost first.
    pub not_ready: NotReady,
    /// Waiting does not help: something must be changed first.
    pub terminal: bool,
}

/// Which objects are behind a HelmRelease, Kustomization or `HelmChart`; nothing for other kinds.
#[must_use]
pub fn behind(object: &Object) -> Behind {
    let (group, _) = split_api_version(object.api_version());
    match (group, object.kind()) {
        ("helm.toolkit.fluxcd.io", "HelmRelease") => behind_release(object),
        ("kustomize.toolkit.fluxcd.io", "Kustomization") | (SOURCES, "HelmChart") => {
            Behind { chart: None, source: reference(object, "/spec/sourceRef") }
        }
        _ => Behind::default(),
    }
}

fn behind_release(object: &Object) -> Behind {
    if let Some(chart) = reference(object, "/spec/chartRef") {
        let is_chart = chart.kind == "HelmChart";
        return Behind {
            chart: Some(chart.clone()).filter(|_| is_chart),
            source: Some(chart).filter(|_| !is_chart),
        };
    }
    let source = reference(object, "/spec/chart/spec/sourceRef");
    // helm-controller says which chart it made; before it did, the name follows from its rule.
    let named = text(object, "/status/helmChart").split_once('/');
    let chart = match (named, &source) {
        (Some((namespace, name)), _) => Some(ObjectKey::new(SOURCES, "HelmChart", Some(namespace), name)),
        (None, Some(source)) => {
            let name = format!("{}-{}", object.namespace().unwrap_or_default(), object.name());
            Some(ObjectKey::new(SOURCES, "HelmChart", source.namespace.as_deref(), &name))
        }
        (None, None) => None,
    };
    Behind { chart, source }
}

fn reference(object: &Object, pointer: &str) -> Option<ObjectKey> {
    let reference = object.0.pointer(pointer)?;
    let text = |key: &str| reference.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let group = match text("apiVersion") {
        Some(version) => split_api_version(version).0,
        None => SOURCES,
    };
    let namespace = text("namespace").or_else(|| object.namespace());
    Some(ObjectKey::new(group, text("kind")?, namespace, text("name")?))
}

/// Why `object` does not work; `None` if it does. `chart` and `source` are the objects [`behind`] it.
#[must_use]
pub fn explain(object: &Object, context: &Context, chart: &Seen, source: &Seen) -> Option<Explained> {
    let own = compute(object, context);
    if own.state == State::Ready {
        return None;
    }
    let mut chain = vec![(object.key(), own.reason.clone(), own.message.clone())];
    let mut since = own.since.clone();
    let mut terminal = own.state == State::Failed;
    for (seen, is_chart) in [(chart, true), (source, false)] {
        match seen {
            Seen::Unread => {}
            Seen::Absent(key) => {
                // helm-controller makes the chart; the source is the user's. It may still come.
                if !is_chart {
                    chain.push((key.clone(), "NotFound".to_owned(), "does not exist".to_owned()));
                }
            }
            Seen::Present(behind) => {
                let status = fault(behind);
                if status.state == State::Ready {
                    continue;
                }
                terminal |= status.state == State::Failed
                    && (!is_chart || (is_for(behind, object) && !is_outdated(behind, source)));
                since = status.since.clone().or(since);
                chain.push((behind.key(), status.reason, status.message));
            }
        }
    }
    let reason = chain.last().map(|(_, reason, _)| reason.clone()).unwrap_or_default();
    Some(Explained { not_ready: NotReady { reason, chain, since }, terminal })
}

/// Reasons of `BuildFailed` and `FetchFailed` that the next try meets again.
const PERSISTENT: &[&str] = &[
    "AuthenticationFailed",
    "ChartPackageError",
    "ChartVerificationError",
    "DependencyBuildError",
    "InvalidChartReference",
    "MetadataPatchError",
    "ValuesFilesError",
];

/// How a chart or source is, with what keeps failing told from what may pass: a build that fails the same way
/// each time fails now, not when the release's time is up.
fn fault(object: &Object) -> Status {
    let status = compute(object, &Context::default());
    if status.state != State::InProgress {
        return status;
    }
    // While tries go on, `status.observedGeneration` stays behind (measured); the condition has its own.
    let persistent = |kind| {
        condition(object, kind).filter(|failed| {
            failed.is_true() && failed.observed == object.generation() && PERSISTENT.contains(&failed.reason)
        })
    };
    match persistent("BuildFailed").or_else(|| persistent("FetchFailed")) {
        Some(failed) => Status::by(State::Failed, &failed),
        None => status,
    }
}

/// Whether a chart is already the one the release asks for: helm-controller may not have updated it yet.
fn is_for(chart: &Object, release: &Object) -> bool {
    ["chart", "version", "valuesFiles", "reconcileStrategy"].iter().all(|field| {
        let wanted = release.0.pointer(&format!("/spec/chart/spec/{field}"));
        wanted.is_none_or(|wanted| chart.0.pointer(&format!("/spec/{field}")) == Some(wanted))
    })
}

/// Whether the chart was built from another revision than the source has now: it will be built again.
fn is_outdated(chart: &Object, source: &Seen) -> bool {
    let Seen::Present(source) = source else {
        return false;
    };
    let (built, now) =
        (text(chart, "/status/observedSourceArtifactRevision"), text(source, "/status/artifact/revision"));
    !built.is_empty() && !now.is_empty() && built != now
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
