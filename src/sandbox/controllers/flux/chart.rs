//! In place of source-controller's `HelmChart` part: the chart's folder is looked up and its `Chart.yaml` read;
//! nothing is packaged.

use serde_json::{Value, json};

use super::{
    FINALIZER, NOT_FETCHED, Report, SOURCES, begin, folder, generation, is_ready, message, source_key,
};
use crate::sandbox::controllers::Next;
use crate::sandbox::controllers::client::{Client, is_terminating, list, text};
use crate::sandbox::error::ApiError;
use crate::sandbox::storage::{Event, Key};

use super::source::MANAGER;

pub(in crate::sandbox::controllers) fn woken(client: &Client, event: &Event) -> Vec<Key> {
    if event.key.group != SOURCES {
        return Vec::new();
    }
    if event.key.plural == "helmcharts" {
        return vec![event.key.clone()];
    }
    let charts = client.list(SOURCES, "helmcharts", Some(&event.key.namespace)).into_iter();
    let of = |chart: &Value| {
        source_key(&chart["spec"]["sourceRef"], &event.key.namespace) == Some(event.key.clone())
    };
    charts.filter(|(_, chart)| of(chart)).map(|(key, _)| key).collect()
}

/// How a build went wrong.
struct Failure {
    condition: &'static str,
    reason: &'static str,
    message: String,
    /// Only a change of the chart or its source helps.
    stalled: bool,
}

/// What was found out about a chart.
enum Built {
    Chart { name: String, version: String, source_revision: String, url: String },
    Unseen,
}

pub(in crate::sandbox::controllers) async fn look(client: &Client, at: &Key) -> Result<Next, ApiError> {
    let Some(chart) = begin(client, MANAGER, at).await? else { return Ok(Next::default()) };
    if is_terminating(&chart) {
        client.unfinalize(MANAGER, at, &chart, FINALIZER).await?;
        return Ok(Next::default());
    }
    let mut report = Report::new(client, &chart);
    let built = build(client, at, &chart, &mut report);
    report.unsay(&["Reconciling", "Stalled", "FetchFailed", "BuildFailed", "ArtifactOutdated"]);
    match built {
        Ok(Built::Chart { name, version, source_revision, url }) => {
            if text(&chart, "/status/artifact/revision") != version
                || text(&chart, "/status/observedChartName") != name
            {
                let now = report.now.clone();
                report.put(
                    "artifact",
                    json!({
                        "digest": format!("sha256:{}", source_revision.rsplit(':').next().unwrap_or_default()),
                        "lastUpdateTime": now, "revision": version, "url": url,
                        "path": format!("helmchart/{}/{}/{name}-{version}", at.namespace, at.name),
                    }),
                );
            }
            let mut told = format!("packaged '{name}' chart with version '{version}'");
            let files = list(&chart, "/spec/valuesFiles");
            if !files.is_empty() {
                let files: Vec<&str> = files.iter().filter_map(Value::as_str).collect();
                told = format!("{told} and merged values files [{}]", files.join(" "));
            }
            told.push_str(" (sandbox: Chart.yaml read, not packaged)");
            report.put("observedChartName", name);
            report.say("ArtifactInStorage", "True", "ChartPackageSucceeded", &told);
            report.say("Ready", "True", "ChartPackageSucceeded", &told);
            report.observed();
        }
        Ok(Built::Unseen) => {
            report.remove("artifact");
            let name =
                text(&chart, "/spec/chart").trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            report.put("observedChartName", name);
            report.unsay(&["ArtifactInStorage"]);
            report.say("Ready", "True", "ChartPullSucceeded", NOT_FETCHED);
            report.observed();
        }
        Err(failure) => {
            report.say(failure.condition, "True", failure.reason, &failure.message);
            report.say("Ready", "False", failure.reason, &failure.message);
            if failure.stalled {
                report.say("Stalled", "True", failure.reason, &failure.message);
                report.observed();
            }
        }
    }
    report.write(client, MANAGER, at).await?;
    Ok(Next::default())
}

fn fetch_failed(reason: &'static str, message: String) -> Failure {
    Failure { condition: "FetchFailed", reason, message, stalled: false }
}

fn build(client: &Client, at: &Key, chart: &Value, report: &mut Report<'_>) -> Result<Built, Failure> {
    let reference = &chart["spec"]["sourceRef"];
    let (kind, name) = (text(reference, "/kind"), text(reference, "/name"));
    let source = source_key(reference, &at.namespace).and_then(|key| client.get(&key));
    let Some(source) = source else {
        let message = format!("failed to get source: {kind}.{SOURCES} \"{name}\" not found");
        return Err(fetch_failed("SourceUnavailable", message));
    };
    let revision = text(&source, "/status/artifact/revision");
    if revision.is_empty() {
        let unseen = is_ready(&source) && message(&source, "Ready") == NOT_FETCHED;
        // A Helm repository in a registry has no artifact, and says nothing.
        if unseen || (kind == "HelmRepository" && text(&source, "/spec/type") == "oci") {
            return Ok(Built::Unseen);
        }
        let message = format!("no artifact available for {kind} source '{name}'");
        return Err(fetch_failed("NoSourceArtifact", message));
    }
    report.put("observedSourceArtifactRevision", revision);
    let Some(folder) = client.sources.folder(&at.namespace, name) else {
        // It was a folder when the source was looked at.
        let message = format!("no artifact available for {kind} source '{name}'");
        return Err(fetch_failed("NoSourceArtifact", message));
    };
    let path = text(chart, "/spec/chart");
    let found = folder::chart(&folder, path).map_err(|why| Failure {
        stalled: true,
        ..fetch_failed("InvalidChartReference", format!("invalid chart reference: {why}"))
    })?;
    let files = list(chart, "/spec/valuesFiles");
    let own = files.len() == 1
        && files[0].as_str().map(|file| file.trim_start_matches("./")) == Some("values.yaml");
    for file in files.iter().filter_map(Value::as_str).filter(|_| !own) {
        let ignore = chart["spec"]["ignoreMissingValuesFiles"] == true;
        if !ignore && !folder::join(&folder, file).is_file() {
            let why = format!("no values file found at path '{file}'");
            return Err(Failure {
                condition: "BuildFailed",
                reason: "ValuesFilesError",
                message: format!("values files merge error: {why}"),
                stalled: true,
            });
        }
    }
    let mut metadata = String::new();
    if text(chart, "/spec/reconcileStrategy") == "Revision" {
        metadata = revision.rsplit(':').next().unwrap_or_default().chars().take(12).collect();
    }
    if !files.is_empty() && !own {
        let number = generation(chart).to_string();
        metadata = if metadata.is_empty() { number } else { format!("{metadata}.{number}") };
    }
    let version = if metadata.is_empty() {
        found.version
    } else {
        folder::with_metadata(&found.version, &metadata).map_err(|message| Failure {
            condition: "BuildFailed",
            reason: "MetadataPatchError",
            message,
            stalled: true,
        })?
    };
    let url = format!("file://{}", folder::join(&folder, path).display());
    Ok(Built::Chart { name: found.name, version, source_revision: revision.to_owned(), url })
}
