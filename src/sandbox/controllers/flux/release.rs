//! In place of helm-controller: the chart object is made, what it waits for is waited for, and the release is
//! recorded. No chart is rendered, so no object of a release exists.

use serde_json::{Map, Value, json};

use super::release_status::{Release, record, target_changed};
use super::{
    FINALIZER, HELM, NOT_FETCHED, Report, SOURCES, begin, dependency, dependents, generation, is_ready,
    is_true, message, source_key,
};
use crate::sandbox::controllers::Next;
use crate::sandbox::controllers::client::{Client, is_terminating, key, list, number, text};
use crate::sandbox::error::ApiError;
use crate::sandbox::storage::{Event, Key};
use crate::sandbox::verbs::DeleteOptions;

pub(super) const MANAGER: &str = "helm-controller";

/// Fields of a chart that come from the release's template as they are.
const TEMPLATE: [&str; 6] =
    ["chart", "version", "reconcileStrategy", "valuesFiles", "ignoreMissingValuesFiles", "verify"];

pub(in crate::sandbox::controllers) fn woken(client: &Client, event: &Event) -> Vec<Key> {
    let releases = |namespace| client.list(HELM, "helmreleases", namespace).into_iter();
    match (event.key.group.as_str(), event.key.plural.as_str()) {
        (HELM, "helmreleases") => {
            let mut keys = dependents(client, &event.key);
            keys.push(event.key.clone());
            keys
        }
        (SOURCES, "helmcharts" | "ocirepositories") => releases(None)
            .filter(|(key, release)| behind(key, release).as_ref() == Some(&event.key))
            .map(|(key, _)| key)
            .collect(),
        ("", "secrets" | "configmaps") => {
            let kind = if event.key.plural == "secrets" { "Secret" } else { "ConfigMap" };
            let reads = |release: &Value| {
                list(release, "/spec/valuesFrom")
                    .iter()
                    .any(|from| from["kind"] == kind && from["name"] == event.key.name)
            };
            releases(Some(&event.key.namespace))
                .filter(|(_, release)| reads(release))
                .map(|(key, _)| key)
                .collect()
        }
        _ => Vec::new(),
    }
}

/// The chart, or other source, that a release gets its content from.
fn behind(at: &Key, release: &Value) -> Option<Key> {
    if release["spec"]["chartRef"].is_object() {
        return source_key(&release["spec"]["chartRef"], &at.namespace);
    }
    Some(chart_key(at, release))
}

fn chart_key(at: &Key, release: &Value) -> Key {
    let namespace = match text(release, "/spec/chart/spec/sourceRef/namespace") {
        "" => &at.namespace,
        namespace => namespace,
    };
    key(SOURCES, "helmcharts", namespace, &format!("{}-{}", at.namespace, at.name))
}

pub(in crate::sandbox::controllers) async fn look(client: &Client, at: &Key) -> Result<Next, ApiError> {
    let Some(release) = begin(client, MANAGER, at).await? else { return Ok(Next::default()) };
    if is_terminating(&release) {
        if release["spec"]["suspend"] != true {
            delete_chart(client, text(&release, "/status/helmChart")).await?;
        }
        client.unfinalize(MANAGER, at, &release, FINALIZER).await?;
        return Ok(Next::default());
    }
    let mut report = Report::new(client, &release);
    if release["spec"]["chart"].is_object() {
        let chart = chart_key(at, &release);
        let name = format!("{}/{}", chart.namespace, chart.name);
        let old = text(&release, "/status/helmChart");
        if !old.is_empty() && old != name {
            delete_chart(client, old).await?;
        }
        apply_chart(client, at, &chart, &release).await?;
        report.put("helmChart", name);
    } else if !text(&release, "/status/helmChart").is_empty() {
        delete_chart(client, text(&release, "/status/helmChart")).await?;
        report.remove("helmChart");
    }
    if let Err((reason, why)) = prepare(client, at, &release, &mut report) {
        report.say("Reconciling", "True", "Progressing", "Fulfilling prerequisites");
        report.say("Ready", "False", reason, &why);
    }
    report.write(client, MANAGER, at).await?;
    Ok(Next::default())
}

/// From what a release waits for to its record; else why it cannot go on.
fn prepare(
    client: &Client,
    at: &Key,
    release: &Value,
    report: &mut Report<'_>,
) -> Result<(), (&'static str, String)> {
    if let Some(why) = dependency(client, at, release, "HelmRelease") {
        return Err(("DependencyNotReady", why));
    }
    let source = behind(at, release);
    let found = source.as_ref().and_then(|source| client.get(source));
    let (Some(at_source), Some(source)) = (source, found) else {
        let reference = &release["spec"]["chartRef"];
        let (plural, name) = match text(reference, "/kind") {
            "OCIRepository" => ("OCIRepository", text(reference, "/name").to_owned()),
            "" => ("HelmChart", chart_key(at, release).name),
            kind => (kind, text(reference, "/name").to_owned()),
        };
        let why = format!("could not get Source object: {plural}.{SOURCES} \"{name}\" not found");
        return Err(("ArtifactFailed", why));
    };
    let unseen = is_ready(&source) && message(&source, "Ready") == NOT_FETCHED;
    if !unseen && let Some(why) = not_ready(&source) {
        let kind = if at_source.plural == "helmcharts" { "HelmChart" } else { "OCIRepository" };
        let why = format!("{kind} '{}/{}' is not ready: {why}", at_source.namespace, at_source.name);
        return Err(("SourceNotReady", why));
    }
    let values = values(client, at, release).map_err(|why| ("ValuesError", why))?;
    let asked = text(release, "/spec/chart/spec/version");
    let named = text(release, "/spec/chart/spec/chart").trim_end_matches('/').rsplit('/').next();
    let chart = Release {
        chart: match text(&source, "/status/observedChartName") {
            "" => named.filter(|name| !name.is_empty()).unwrap_or(&at_source.name).to_owned(),
            name => name.to_owned(),
        },
        version: match text(&source, "/status/artifact/revision") {
            // Nobody looked: what was asked for is all that is known.
            "" if asked.is_empty() => "0.0.0".to_owned(),
            "" => asked.to_owned(),
            revision => revision.to_owned(),
        },
        values,
        seen: !unseen,
    };
    if target_changed(at, release, &chart.chart) {
        report.remove("history");
        report.remove("storageNamespace");
    }
    record(at, release, &chart, report);
    Ok(())
}

/// Why the object behind a release does not let it go on, as helm-controller puts it.
fn not_ready(source: &Value) -> Option<String> {
    if number(source, "/status/observedGeneration") != Some(generation(source)) {
        let said = list(source, "/status/conditions")
            .iter()
            .find(|condition| condition["type"] == "Ready" && condition["status"] == "False");
        let said = said.map(|condition| text(condition, "/message"));
        return Some(said.unwrap_or("latest generation of object has not been reconciled").to_owned());
    }
    if let Some(stalled) = is_true(source, "Stalled") {
        return Some(text(stalled, "/message").to_owned());
    }
    source["status"].get("artifact").is_none().then(|| "does not have an artifact".to_owned())
}

/// The values of a release: its own, and the text of those it refers to. They are not merged: nothing is
/// rendered from them, only their change counts.
fn values(client: &Client, at: &Key, release: &Value) -> Result<Value, String> {
    let mut read = Vec::new();
    for from in list(release, "/spec/valuesFrom") {
        let (kind, name) = (text(from, "/kind"), text(from, "/name"));
        let at_key = match text(from, "/valuesKey") {
            "" => "values.yaml",
            key => key,
        };
        let (plural, lower) =
            if kind == "Secret" { ("secrets", "secrets") } else { ("configmaps", "configmaps") };
        let optional = from["optional"] == true;
        let found = client.get(&key("", plural, &at.namespace, name));
        let why = match &found {
            None => format!("{lower} \"{name}\" not found"),
            Some(found) => match found["data"].get(at_key) {
                Some(value) => {
                    read.push(json!({ "from": from, "value": value }));
                    continue;
                }
                None => "values key not found".to_owned(),
            },
        };
        if !optional {
            return Err(format!(
                "could not resolve {kind} chart values reference '{}/{name}' with key '{at_key}': {why}",
                at.namespace
            ));
        }
    }
    Ok(json!({ "values": release["spec"]["values"], "from": read }))
}

/// Makes the chart object say what the release's template says.
async fn apply_chart(client: &Client, at: &Key, chart: &Key, release: &Value) -> Result<(), ApiError> {
    let template = &release["spec"]["chart"];
    let mut spec = Map::new();
    for field in TEMPLATE {
        if let Some(value) = template["spec"].get(field) {
            spec.insert(field.to_owned(), value.clone());
        }
    }
    let reference = &template["spec"]["sourceRef"];
    spec.insert("sourceRef".into(), json!({ "kind": reference["kind"], "name": reference["name"] }));
    let interval = template["spec"].get("interval").unwrap_or(&release["spec"]["interval"]);
    spec.insert("interval".into(), interval.clone());
    let mut labels = template["metadata"]["labels"].as_object().cloned().unwrap_or_default();
    labels.insert(format!("{HELM}/name"), at.name.as_str().into());
    labels.insert(format!("{HELM}/namespace"), at.namespace.as_str().into());
    let mut metadata = json!({ "namespace": chart.namespace, "name": chart.name, "labels": labels });
    if let Some(annotations) = template["metadata"].get("annotations") {
        metadata["annotations"] = annotations.clone();
    }
    let is_so = |live: &Value| {
        let held = live["spec"].as_object().into_iter().flatten();
        let surplus = held
            .map(|(field, _)| field)
            .any(|field| !spec.contains_key(field) && !DEFAULTED.contains(&field.as_str()));
        !surplus && spec.iter().all(|(field, value)| live["spec"].get(field) == Some(value))
    };
    let same = client.get(chart).is_some_and(|live| is_so(&live) && !is_terminating(&live));
    if same {
        return Ok(());
    }
    let object = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "HelmChart", "metadata": metadata, "spec": spec,
    });
    client.apply(MANAGER, chart, object).await
}

/// Fields of a chart that its definition fills in.
const DEFAULTED: [&str; 2] = ["reconcileStrategy", "version"];

/// Deletes the chart `namespace/name` of a release.
async fn delete_chart(client: &Client, name: &str) -> Result<(), ApiError> {
    let Some((namespace, name)) = name.split_once('/') else { return Ok(()) };
    let chart = key(SOURCES, "helmcharts", namespace, name);
    client.delete(MANAGER, &chart, &DeleteOptions::default()).await
}
