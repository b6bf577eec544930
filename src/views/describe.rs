//! What an object is, in a few words: what somebody would ask first about a thing that is to be made.
//!
//! One function per kind where there is something worth saying; other kinds say nothing.

use serde_json::Value;

use super::page::count;
use crate::address::ObjectKey;

/// A short description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Description {
    /// Short enough to stand beside the name.
    pub remark: Option<String>,
    /// Lines to stand under it.
    pub lines: Vec<String>,
}

/// Describes the object `key` whose manifest, with secrets masked already, is `body`.
#[must_use]
pub fn describe(key: &ObjectKey, body: &Value) -> Description {
    let spec = Spec(body);
    let mut said = Description::default();
    match (key.group.as_str(), key.kind.as_str()) {
        ("", "PersistentVolumeClaim") => said.lines.extend(claim(&spec)),
        ("", "Secret") => secret(&spec, &mut said),
        ("", "ConfigMap") => {
            said.remark = Some(count(keys(body, &["data", "binaryData"]).len(), "key", "keys"));
        }
        ("", "Service") => said.lines.extend(service(&spec)),
        ("apps" | "batch", _) => said.lines.extend(workload(&spec)),
        ("networking.k8s.io", "Ingress") => said.lines.extend(ingress(&spec)),
        ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => {
            let rules = body.get("rules").and_then(Value::as_array).map_or(0, Vec::len);
            said.remark = Some(count(rules, "rule", "rules"));
        }
        ("rbac.authorization.k8s.io", _) => said.lines.extend(binding(body)),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            let line = [spec.text("/spec/names/kind"), spec.text("/spec/group")];
            said.lines.extend((line[0].is_some()).then(|| join(&line, " of ")));
        }
        ("source.toolkit.fluxcd.io", _) => said.lines.extend(source(&spec)),
        ("helm.toolkit.fluxcd.io", "HelmRelease") => said.lines.extend(release(&spec)),
        ("kustomize.toolkit.fluxcd.io", "Kustomization") => {
            let path = spec.text("/spec/path").unwrap_or("./");
            said.lines.push(format!("path {path}{}", from_source(&spec, "/spec/sourceRef")));
        }
        _ => {}
    }
    said
}

/// Reads texts out of a manifest by JSON pointer.
struct Spec<'a>(&'a Value);

impl<'a> Spec<'a> {
    fn text(&self, pointer: &str) -> Option<&'a str> {
        self.0.pointer(pointer)?.as_str()
    }

    fn list(&self, pointer: &str) -> &'a [Value] {
        self.0.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

fn join(parts: &[Option<&str>], separator: &str) -> String {
    let parts: Vec<&str> = parts.iter().copied().flatten().collect();
    parts.join(separator)
}

fn keys<'a>(body: &'a Value, fields: &[&str]) -> Vec<&'a str> {
    let maps = fields.iter().filter_map(|f| body.get(*f)?.as_object());
    maps.flat_map(|map| map.keys().map(String::as_str)).collect()
}

fn claim(spec: &Spec<'_>) -> Option<String> {
    let modes: Vec<&str> = spec.list("/spec/accessModes").iter().filter_map(Value::as_str).collect();
    let size = spec.0.pointer("/spec/resources/requests/storage");
    let size = size.map(super::value::inline);
    let modes = modes.join(",");
    let class = spec.text("/spec/storageClassName").unwrap_or("default class");
    let line = [size.as_deref(), (!modes.is_empty()).then_some(modes.as_str()), Some(class)];
    size.is_some().then(|| join(&line, " "))
}

fn secret(spec: &Spec<'_>, said: &mut Description) {
    let mut names = keys(spec.0, &["data", "stringData"]);
    names.sort_unstable();
    names.dedup();
    said.remark = Some(format!("{}, values hidden", count(names.len(), "key", "keys")));
    if !names.is_empty() {
        said.lines.push(names.join(", "));
    }
    let kind = spec.text("/type").filter(|kind| *kind != "Opaque");
    said.lines.extend(kind.map(|kind| format!("type {kind}")));
}

fn service(spec: &Spec<'_>) -> Option<String> {
    let ports: Vec<String> =
        spec.list("/spec/ports").iter().filter_map(|p| Some(p.get("port")?.to_string())).collect();
    let kind = spec.text("/spec/type").unwrap_or("ClusterIP");
    (!ports.is_empty()).then(|| format!("{kind}, port {}", ports.join(", ")))
}

fn ingress(spec: &Spec<'_>) -> Option<String> {
    let hosts: Vec<&str> =
        spec.list("/spec/rules").iter().filter_map(|rule| rule.get("host")?.as_str()).collect();
    let class = spec.text("/spec/ingressClassName").map(|class| format!("class {class}"));
    let hosts = hosts.join(", ");
    let line = join(&[(!hosts.is_empty()).then_some(hosts.as_str()), class.as_deref()], ", ");
    (!line.is_empty()).then_some(line)
}

/// Deployment, StatefulSet, DaemonSet, Job and `CronJob`.
fn workload(spec: &Spec<'_>) -> Option<String> {
    let pod = ["/spec/template/spec/containers", "/spec/jobTemplate/spec/template/spec/containers"];
    let containers = pod.iter().map(|at| spec.list(at)).find(|list| !list.is_empty())?;
    let mut images: Vec<&str> = containers.iter().filter_map(|c| c.get("image")?.as_str()).collect();
    images.dedup();
    let replicas = spec.0.pointer("/spec/replicas").and_then(Value::as_u64);
    let replicas =
        replicas.map(|n| format!("{} of", count(usize::try_from(n).unwrap_or(0), "replica", "replicas")));
    let schedule = spec.text("/spec/schedule").map(|s| format!("at `{s}`:"));
    let images = images.join(", ");
    Some(join(&[replicas.as_deref(), schedule.as_deref(), Some(images.as_str())], " "))
}

fn binding(body: &Value) -> Option<String> {
    let role = body.get("roleRef")?;
    let role = format!("{} {}", role.get("kind")?.as_str()?, role.get("name")?.as_str()?);
    let subjects = body.get("subjects").and_then(Value::as_array);
    let subjects: Vec<String> = subjects
        .into_iter()
        .flatten()
        .filter_map(|s| {
            let (kind, name) = (s.get("kind")?.as_str()?, s.get("name")?.as_str()?);
            let namespace = s.get("namespace").and_then(Value::as_str);
            Some(namespace.map_or_else(|| format!("{kind} {name}"), |ns| format!("{kind} {ns}/{name}")))
        })
        .collect();
    Some(format!("{role} to {}", subjects.join(", ")))
}

/// `GitRepository`, `HelmRepository`, `OCIRepository`, `Bucket` and `HelmChart`.
fn source(spec: &Spec<'_>) -> Option<String> {
    if let Some(chart) = spec.text("/spec/chart") {
        return Some(format!("chart {chart}{}", from_source(spec, "/spec/sourceRef")));
    }
    let url = spec.text("/spec/url")?;
    let reference = ["commit", "name", "semver", "tag", "branch", "digest"]
        .iter()
        .find_map(|key| spec.text(&format!("/spec/ref/{key}")));
    Some(match reference {
        Some(reference) => format!("{reference} of {url}"),
        None => url.to_owned(),
    })
}

fn release(spec: &Spec<'_>) -> Option<String> {
    if let Some(chart) = spec.text("/spec/chart/spec/chart") {
        let version = spec.text("/spec/chart/spec/version").filter(|v| *v != "*");
        let chart = join(&[Some(chart), version], " ");
        return Some(format!("chart {chart}{}", from_source(spec, "/spec/chart/spec/sourceRef")));
    }
    let reference = from_source(spec, "/spec/chartRef");
    (!reference.is_empty()).then(|| format!("chart{reference}"))
}

/// ` from GitRepository cozy-public/catalog`, or nothing.
fn from_source(spec: &Spec<'_>, pointer: &str) -> String {
    let part = |key: &str| spec.text(&format!("{pointer}/{key}"));
    let (Some(kind), Some(name)) = (part("kind"), part("name")) else {
        return String::new();
    };
    match part("namespace") {
        Some(namespace) => format!(" from {kind} {namespace}/{name}"),
        None => format!(" from {kind} {name}"),
    }
}
