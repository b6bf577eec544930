//! `StorageClass`, `VolumeAttributesClass` and `PersistentVolume`.

use serde_json::{Value, json};

use super::{amounts, claim, pod, selectors};
use crate::sandbox::kinds::Look as _;
use crate::sandbox::meta::{At, Causes, dns_subdomain, label_key, same};
use crate::sandbox::resource::{Draw, Endpoint};

/// Checks a `StorageClass`.
pub(super) fn validate_class(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    if let Some(old) = old {
        for field in ["provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"] {
            causes.declared_immutable(&At::new(field), &object[field], &old[field]);
        }
        return;
    }
    let name = object.text("provisioner");
    if name.is_empty() {
        causes.declared(|causes| causes.required(&At::new("provisioner"), ""));
    } else {
        provisioner(causes, name, &At::new("provisioner"));
    }
    parameters(causes, object, true);
    let reclaim = object.text("reclaimPolicy");
    if !matches!(reclaim, "Delete" | "Retain" | "") {
        causes.not_supported(&At::new("reclaimPolicy"), reclaim, &["Delete", "Retain"]);
    }
    let mode = object.text("volumeBindingMode");
    if !matches!(mode, "Immediate" | "WaitForFirstConsumer") {
        let at = At::new("volumeBindingMode");
        causes.not_supported(&at, mode, &["Immediate", "WaitForFirstConsumer"]);
    }
    let terms = object.items("allowedTopologies");
    for (index, term) in terms.iter().enumerate() {
        let at = At::new("allowedTopologies").index(index).child("matchLabelExpressions");
        topology(causes, term.items("matchLabelExpressions"), &at);
        if terms[..index].contains(term) {
            causes.duplicate(&at, "");
        }
    }
}

fn topology(causes: &mut Causes, expressions: &[Value], at: &At) {
    for (index, expression) in expressions.iter().enumerate() {
        let at = at.index(index);
        let (key, values) = (expression.text("key"), expression.items("values"));
        if values.is_empty() {
            causes.required(&at.child("values"), "");
        }
        for (index, value) in values.iter().enumerate() {
            if values[..index].contains(value) {
                causes.duplicate(&at.child("values").index(index), value.clone());
            }
        }
        causes.each_invalid(&at.child("key"), key, &label_key(key));
        if expressions[..index].iter().any(|before| before.text("key") == key) {
            causes.duplicate(&at.child("key"), key);
        }
    }
}

fn provisioner(causes: &mut Causes, name: &str, at: &At) {
    if name.is_empty() {
        causes.required(at, "");
    } else {
        let name = name.to_lowercase();
        causes.each_invalid(at, &name, &label_key(&name));
    }
}

fn parameters(causes: &mut Causes, object: &Value, allows_none: bool) {
    const MOST_BYTES: u32 = 256 << 10;
    let at = At::new("parameters");
    let count = object.entries("parameters").count();
    if count > 512 {
        return causes.too_long(&at, 512);
    }
    let mut size = 0;
    for (key, value) in object.entries("parameters") {
        if key.is_empty() {
            causes.invalid(&at, key, "field can not be empty.");
        }
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > MOST_BYTES as usize {
        causes.too_long(&at, MOST_BYTES);
    }
    if !allows_none && count == 0 {
        causes.required(&at, "must contain at least one key/value pair");
    }
}

/// Checks a `VolumeAttributesClass`.
pub(super) fn validate_attributes(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    if let Some(old) = old {
        for field in ["driverName", "parameters"] {
            if !same(&object[field], &old[field]) {
                causes.forbidden(&At::new(field), &format!("updates to {field} are forbidden."));
            }
        }
    }
    provisioner(causes, object.text("driverName"), &At::new("driverName"));
    parameters(causes, object, false);
}

/// Protects a new volume while claims use it.
pub(super) fn prepare_volume(object: &mut Value, draw: &dyn Draw) {
    claim::add_finalizer(object, "kubernetes.io/pv-protection");
    object["status"] = json!({ "phase": "Pending", "lastPhaseTransitionTime": draw.now() });
}

/// Notes when the phase changes.
pub(super) fn prepare_volume_update(object: &mut Value, old: &Value, endpoint: Endpoint, draw: &dyn Draw) {
    const TIME: &str = "lastPhaseTransitionTime";
    if endpoint != Endpoint::Status {
        return;
    }
    let is_same = object["status"]["phase"] == old["status"]["phase"];
    let has_time = object["status"].some(TIME).is_some();
    if is_same && !has_time {
        if let Some(time) = old["status"].some(TIME) {
            object["status"][TIME] = time.clone();
        }
    } else if !is_same && (!has_time || object["status"][TIME] == old["status"][TIME]) {
        object["status"][TIME] = draw.now().into();
    }
}

const VOLUMES: [&str; 22] = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
];

/// Checks a `PersistentVolume`.
pub(super) fn validate_volume(causes: &mut Causes, object: &Value, old: Option<&Value>) {
    let (spec, at) = (&object["spec"], At::new("spec"));
    if spec.items("accessModes").is_empty() {
        causes.required(&at.child("accessModes"), "");
    }
    claim::access_modes(causes, spec, &at);
    capacity(causes, spec, &at.child("capacity"));
    let reclaim = spec.text("persistentVolumeReclaimPolicy");
    if !matches!(reclaim, "Delete" | "Recycle" | "Retain" | "") {
        let at = at.child("persistentVolumeReclaimPolicy");
        causes.not_supported(&at, reclaim, &["Delete", "Recycle", "Retain"]);
    }
    if let Some(affinity) = spec.some("nodeAffinity") {
        let at = at.child("nodeAffinity.required");
        match affinity.some("required") {
            Some(required) => selectors::check_nodes(causes, required, &at),
            None => causes.required(&at, "must specify required node constraints"),
        }
    }
    source(causes, spec, &at);
    let class = spec.text("storageClassName");
    if !class.is_empty() {
        causes.each_invalid(&at.child("storageClassName"), class, &dns_subdomain(class));
    }
    claim::volume_mode(causes, spec, &at);
    if let Some(old) = old {
        let old = &old["spec"];
        if VOLUMES.iter().any(|field| !same(&spec[*field], &old[*field])) {
            let detail = "spec.persistentvolumesource is immutable after creation";
            causes.forbidden(&At::new("spec.persistentvolumesource"), detail);
        }
        causes.immutable(&At::new("volumeMode"), &spec["volumeMode"], &old["volumeMode"]);
    }
}

fn capacity(causes: &mut Causes, spec: &Value, at: &At) {
    let amounts: Vec<(&str, &Value)> = spec.entries("capacity").collect();
    if amounts.is_empty() {
        causes.required(at, "");
    }
    if !matches!(amounts.as_slice(), [("storage", _)]) {
        causes.not_supported(at, spec["capacity"].clone(), &["storage"]);
    }
    for (name, amount) in amounts {
        amounts::positive(causes, amount, &at.key(name));
    }
}

fn source(causes: &mut Causes, spec: &Value, at: &At) {
    let mut is_first = true;
    for name in VOLUMES {
        let Some(source) = spec.some(name) else { continue };
        let at_source = at.child(name);
        if !is_first {
            causes.forbidden(&at_source, "may not specify more than 1 volume type");
            continue;
        }
        is_first = false;
        match name {
            "hostPath" => pod::host_path(causes, source, &at_source),
            "nfs" => pod::nfs(causes, source, &at_source),
            "csi" => {
                pod::driver(causes, source.text("driver"), &at_source.child("driver"));
                if source.text("volumeHandle").is_empty() {
                    causes.required(&at_source.child("volumeHandle"), "");
                }
            }
            "local" => {
                if source.text("path").is_empty() {
                    causes.required(&at_source.child("path"), "");
                } else {
                    pod::no_steps_back(causes, source.text("path"), &at_source.child("path"));
                }
                if spec.some("nodeAffinity").is_none() {
                    causes.required(&at.child("nodeAffinity"), "Local volume requires node affinity");
                }
            }
            _ => {}
        }
    }
    if is_first {
        causes.required(at, "must specify a volume type");
    }
}
