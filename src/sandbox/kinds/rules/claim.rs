//! `PersistentVolumeClaim`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{amounts, selectors};
use crate::sandbox::error::ApiError;
use crate::sandbox::fault::go_json;
use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{At, Causes, annotations, dns_label, dns_subdomain, labels, same};
use crate::sandbox::resource::{Draw, Endpoint};

/// The annotation that named a storage class before the field did.
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

/// Protects a new claim while pods use it, and gives it the default class.
pub(super) fn prepare_create(object: &mut Value, draw: &dyn Draw) {
    add_finalizer(object, "kubernetes.io/pvc-protection");
    let has_class = object["spec"].some("storageClassName").is_some()
        || object["metadata"]["annotations"].get(CLASS_ANNOTATION).is_some();
    if !has_class && let Some(class) = draw.default_storage_class() {
        object["spec"]["storageClassName"] = class.into();
    }
    sources(&mut object["spec"], None);
}

/// Adds a finalizer that is not there.
pub(super) fn add_finalizer(object: &mut Value, name: &str) {
    let mut finalizers = object["metadata"].items("finalizers").to_vec();
    if !finalizers.iter().any(|known| known == name) {
        finalizers.push(name.into());
        object["metadata"]["finalizers"] = finalizers.into();
    }
}

/// Keeps the two fields for a source the same.
pub(super) fn prepare_update(object: &mut Value, old: &Value, endpoint: Endpoint, _: &dyn Draw) {
    if endpoint == Endpoint::Main {
        sources(&mut object["spec"], Some(&old["spec"]));
    }
}

fn sources(spec: &mut Value, old: Option<&Value>) {
    let was_used = old.is_some_and(|old| old.some("dataSource").is_some());
    if let Some(source) = spec.some("dataSource").cloned() {
        let (kind, group) = (source.text("kind"), source.text("apiGroup"));
        let is_known = matches!(
            (kind, group),
            ("PersistentVolumeClaim", "") | ("VolumeSnapshot", "snapshot.storage.k8s.io")
        );
        if spec.some("dataSourceRef").is_none() {
            if is_known || was_used {
                spec["dataSourceRef"] = source;
            } else if let Some(map) = spec.as_object_mut() {
                map.remove("dataSource");
            }
        }
    } else if let Some(source) = spec.some("dataSourceRef").cloned()
        && source.text("namespace").is_empty()
    {
        spec["dataSource"] = source;
    }
}

/// Checks a claim.
pub(super) fn validate(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    check_spec(causes, &object["spec"], &At::new("spec"));
    if let Some(old) = old {
        change(causes, object, old);
    }
}

/// Checks the template of a claim.
pub(super) fn check_template(causes: &mut Causes, template: &Value, at: &At) {
    annotations(causes, &template["metadata"]["annotations"], &at.child("metadata.annotations"));
    labels(causes, &template["metadata"]["labels"], &at.child("metadata.labels"));
    check_spec(causes, &template["spec"], &at.child("spec"));
}

/// Checks access modes of a claim or volume.
pub(super) fn access_modes(causes: &mut Causes, spec: &Value, at: &At) {
    let at = at.child("accessModes");
    let (mut alone, mut others) = (false, false);
    for mode in spec.items("accessModes").iter().filter_map(Value::as_str) {
        if !ACCESS_MODES.contains(&mode) {
            causes.not_supported(&at, mode, &ACCESS_MODES);
        } else if mode == "ReadWriteOncePod" {
            alone = true;
        } else {
            others = true;
        }
    }
    if alone && others {
        causes.forbidden(&at, "may not use ReadWriteOncePod with other access modes");
    }
}

/// Checks the spec of a claim.
pub(super) fn check_spec(causes: &mut Causes, spec: &Value, at: &At) {
    if spec.items("accessModes").is_empty() {
        causes.required(&at.child("accessModes"), "at least 1 access mode is required");
    }
    selectors::check(causes, &spec["selector"], &at.child("selector"));
    access_modes(causes, spec, at);
    let at_size = at.child("resources").key("storage");
    match spec["resources"]["requests"].get("storage") {
        None => causes.required(&at_size, ""),
        Some(size) => {
            amounts::positive(causes, size, &at_size);
        }
    }
    for field in
        ["storageClassName", "volumeMode", "dataSource", "dataSourceRef", "volumeAttributesClassName"]
    {
        let at_field = at.child(field);
        match field {
            "volumeMode" => volume_mode(causes, spec, at),
            "dataSource" | "dataSourceRef" => {
                if let Some(source) = spec.some(field) {
                    data_source(causes, source, &at_field);
                }
            }
            _ => {
                let class = spec.text(field);
                if !class.is_empty() {
                    causes.each_invalid(&at_field, class, &dns_subdomain(class));
                }
            }
        }
    }
}

/// Checks `volumeMode`.
pub(super) fn volume_mode(causes: &mut Causes, spec: &Value, at: &At) {
    if let Some(mode) = spec.some("volumeMode").and_then(Value::as_str)
        && !matches!(mode, "Block" | "Filesystem")
    {
        causes.not_supported(&at.child("volumeMode"), mode, &["Block", "Filesystem"]);
    }
}

fn data_source(causes: &mut Causes, source: &Value, at: &At) {
    for field in ["name", "kind"] {
        if source.text(field).is_empty() {
            causes.required(&at.child(field), "");
        }
    }
    let (group, kind, namespace) = (source.text("apiGroup"), source.text("kind"), source.text("namespace"));
    if group.is_empty() && kind != "PersistentVolumeClaim" {
        let detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
        causes.invalid(at, kind, detail);
    }
    if !group.is_empty() {
        causes.each_invalid(&at.child("apiGroup"), group, &dns_subdomain(group));
    }
    if !namespace.is_empty() {
        causes.each_invalid(&at.child("namespace"), namespace, &dns_label(namespace));
    }
}

/// After its creation a claim may get a volume and, if it is bound, grow.
fn change(causes: &mut Causes, object: &Value, old: &Value) {
    let (mut now, mut was) = (object["spec"].clone(), old["spec"].clone());
    let at_size = At::new("spec.resources.requests.storage");
    if was.text("volumeName").is_empty() {
        was["volumeName"] = now["volumeName"].clone();
    }
    let class = |object: &Value| object["metadata"]["annotations"].text(CLASS_ANNOTATION).to_owned();
    let (class_now, class_was) = (class(object), class(old));
    if class_now != class_was {
        let at = At::new("metadata.annotations").child(CLASS_ANNOTATION);
        causes.invalid(&at, class_now, "field is immutable");
    }
    if was.some("storageClassName").is_none()
        && now
            .some("storageClassName")
            .is_some_and(|name| class_was.is_empty() || *name == class_was.as_str())
    {
        now["storageClassName"] = was["storageClassName"].clone();
    }
    let (size_now, size_was) =
        (now["resources"]["requests"]["storage"].clone(), was["resources"]["requests"]["storage"].clone());
    if object["status"].text("phase") == "Bound" {
        now["resources"]["requests"]["storage"] = size_was.clone();
        now["volumeAttributesClassName"] = was["volumeAttributesClassName"].clone();
    }
    if !same(&now, &was) {
        let detail = format!(
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound \
             claims\n{}",
            difference(&printed(&was), &printed(&now))
        );
        causes.forbidden(&At::new("spec"), &detail);
    }
    if amounts::compare(&size_now, &size_was).is_lt()
        && amounts::compare(&size_now, &old["status"]["capacity"]["storage"]).is_le()
    {
        causes.forbidden(&at_size, "field can not be less than status.capacity");
    }
    causes.immutable(&At::new("volumeMode"), &object["spec"]["volumeMode"], &old["spec"]["volumeMode"]);
}

/// A claim's spec as the server's own type prints it, line by line.
fn printed(spec: &Value) -> String {
    let mut text = String::from("{\n");
    let amounts = json!({
        "Limits": spec["resources"]["limits"],
        "Requests": spec["resources"]["requests"],
    });
    let reference = |field: &str, has_namespace: bool| match spec.some(field) {
        None => Value::Null,
        Some(source) => {
            let mut parts = vec![("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name")];
            if has_namespace {
                parts.push(("Namespace", "namespace"));
            }
            parts.iter().map(|(shown, field)| ((*shown).to_owned(), source[*field].clone())).collect()
        }
    };
    let name = |field: &str| Value::from(spec.text(field));
    for (index, (field, value)) in [
        ("AccessModes", spec["accessModes"].clone()),
        ("Selector", spec["selector"].clone()),
        ("Resources", amounts),
        ("VolumeName", name("volumeName")),
        ("StorageClassName", spec["storageClassName"].clone()),
        ("VolumeMode", spec["volumeMode"].clone()),
        ("DataSource", reference("dataSource", false)),
        ("DataSourceRef", reference("dataSourceRef", true)),
        ("VolumeAttributesClassName", spec["volumeAttributesClassName"].clone()),
    ]
    .iter()
    .enumerate()
    {
        let comma = if index == 8 { "" } else { "," };
        writeln!(text, " \"{field}\": {}{comma}", indented(value, 1)).expect("a String takes all text");
    }
    text.push('}');
    text
}

fn indented(value: &Value, depth: usize) -> String {
    let pad = " ".repeat(depth + 1);
    let (open, close, parts): (_, _, Vec<String>) = match value {
        Value::Object(map) if !map.is_empty() => {
            let part = |(key, value): (&String, &Value)| {
                format!("{}: {}", go_json(&json!(key)), indented(value, depth + 1))
            };
            ('{', '}', map.iter().map(part).collect())
        }
        Value::Array(items) if !items.is_empty() => {
            ('[', ']', items.iter().map(|item| indented(item, depth + 1)).collect())
        }
        other => return go_json(other),
    };
    let lines: Vec<String> = parts.iter().map(|part| format!("{pad}{part}")).collect();
    format!("{open}\n{}\n{}{close}", lines.join(",\n"), " ".repeat(depth))
}

/// A unified difference without file names.
fn difference(was: &str, now: &str) -> String {
    let (was, now) = (format!("{was}\n"), format!("{now}\n"));
    let diff = similar::TextDiff::from_lines(was.as_str(), now.as_str());
    diff.unified_diff().context_radius(3).to_string()
}

/// Refuses to let a claim grow that cannot; after the admission plugin `PersistentVolumeClaimResize`.
pub(super) fn admit(object: &Value, old: Option<&Value>, draw: &dyn Draw) -> Result<(), ApiError> {
    let Some(old) = old else { return Ok(()) };
    let size = |object: &Value| object["spec"]["resources"]["requests"]["storage"].clone();
    if amounts::compare(&size(object), &size(old)).is_le() {
        return Ok(());
    }
    let refuse = |why: &str| {
        Err(ApiError::forbidden("", "persistentvolumeclaims", object["metadata"].text("name"), why))
    };
    if old["status"].text("phase") != "Bound" {
        return refuse("Only bound persistent volume claims can be expanded");
    }
    let annotated = |object: &Value| object["metadata"]["annotations"].text(CLASS_ANNOTATION).to_owned();
    let named = |object: &Value| match annotated(object) {
        name if name.is_empty() => object["spec"].text("storageClassName").to_owned(),
        name => name,
    };
    let (name, name_was) = (named(object), named(old));
    let can_grow =
        |class: &Value| class["metadata"].text("name") == name && class.flag("allowVolumeExpansion");
    let classes = draw.all("storage.k8s.io", "storageclasses");
    if name.is_empty() || name != name_was || !classes.iter().any(|class| can_grow(class)) {
        return refuse(
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must \
             support resize",
        );
    }
    Ok(())
}

/// Warnings about a claim.
pub(super) fn warnings(object: &Value, _: Option<&Value>) -> Vec<String> {
    if object["metadata"]["annotations"].get(CLASS_ANNOTATION).is_none() {
        return Vec::new();
    }
    let at = At::new("metadata.annotations").key(CLASS_ANNOTATION);
    vec![format!("{at}: deprecated since v1.8; use \"storageClassName\" attribute instead")]
}
