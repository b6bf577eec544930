//! Volumes of a pod.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::env;
use crate::sandbox::kinds::Look as _;
use crate::sandbox::kinds::rules::claim;
use crate::sandbox::meta::{At, Causes, dns_label, dns_subdomain};
use crate::schema::Quantity;

/// Sources in the order in which the API server looks at them.
const SOURCES: [&str; 30] = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "persistentVolumeClaim",
    "rbd",
    "flexVolume",
    "configMap",
    "downwardAPI",
    "fc",
    "flocker",
    "cinder",
    "cephfs",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "storageos",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "projected",
    "csi",
    "ephemeral",
    "image",
];

/// Volumes without fault, by name.
pub(super) type Volumes<'v> = BTreeMap<&'v str, &'v Value>;

/// Checks volumes.
pub(super) fn check<'v>(causes: &mut Causes, spec: &'v Value, at: &At) -> Volumes<'v> {
    let mut volumes = Volumes::new();
    for (index, volume) in spec.items("volumes").iter().enumerate() {
        let at = at.index(index);
        let before = causes.len();
        source(causes, volume, &at);
        let name = volume.text("name");
        if name.is_empty() {
            causes.required(&at.child("name"), "");
        } else {
            causes.each_invalid(&at.child("name"), name, &dns_label(name));
        }
        if volumes.contains_key(name) {
            causes.duplicate(&at.child("name"), name);
        }
        if causes.len() == before {
            volumes.insert(name, volume);
        }
    }
    volumes
}

fn source(causes: &mut Causes, volume: &Value, at: &At) {
    let mut is_first = true;
    for name in SOURCES {
        let Some(source) = volume.some(name) else { continue };
        let at = at.child(name);
        if !is_first {
            causes.forbidden(&at, "may not specify more than 1 volume type");
            continue;
        }
        is_first = false;
        one_source(causes, name, source, &at);
    }
    if is_first {
        causes.required(at, "must specify a volume type");
    }
}

fn one_source(causes: &mut Causes, name: &str, source: &Value, at: &At) {
    match name {
        "emptyDir" if source.some("sizeLimit").is_some_and(is_negative) => {
            let detail = "SizeLimit field must be a valid resource quantity";
            causes.forbidden(&at.child("sizeLimit"), detail);
        }
        "hostPath" => host_path(causes, source, at),
        "secret" => {
            require(causes, source, "secretName", at);
            files(causes, source, at);
        }
        "configMap" => {
            require(causes, source, "name", at);
            files(causes, source, at);
        }
        "nfs" => nfs(causes, source, at),
        "persistentVolumeClaim" => require(causes, source, "claimName", at),
        "downwardAPI" => {
            mode(causes, source, "defaultMode", at);
            for file in source.items("items") {
                downward_file(causes, file, at);
            }
        }
        "projected" => projected(causes, source, at),
        "csi" => {
            driver(causes, source.text("driver"), &at.child("driver"));
            if let Some(secret) = source.some("nodePublishSecretRef") {
                let name = secret.text("name");
                if name.is_empty() {
                    causes.required(&at.child("nodePublishSecretRef.name"), "");
                } else {
                    causes.each_invalid(&at.child("name"), name, &dns_subdomain(name));
                }
            }
        }
        "ephemeral" => match source.some("volumeClaimTemplate") {
            Some(template) => claim::check_template(causes, template, &at.child("volumeClaimTemplate")),
            None => causes.required(&at.child("volumeClaimTemplate"), ""),
        },
        "image" => {
            require(causes, source, "reference", at);
            super::pull_policy(causes, source.text("pullPolicy"), &at.child("pullPolicy"));
        }
        _ => {}
    }
}

fn is_negative(amount: &Value) -> bool {
    Quantity::of(amount).is_ok_and(|amount| amount < Quantity::of(&0.into()).expect("0 is a quantity"))
}

fn require(causes: &mut Causes, source: &Value, field: &str, at: &At) {
    if source.text(field).is_empty() {
        causes.required(&at.child(field), "");
    }
}

/// Checks a path on the node.
pub(in super::super) fn host_path(causes: &mut Causes, source: &Value, at: &At) {
    const TYPES: [&str; 8] =
        ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
    let path = source.text("path");
    if path.is_empty() {
        return causes.required(&at.child("path"), "");
    }
    no_steps_back(causes, path, &at.child("path"));
    if let Some(of_type) = source.some("type").and_then(Value::as_str)
        && !TYPES.contains(&of_type)
    {
        causes.not_supported(&at.child("type"), of_type, &TYPES);
    }
}

/// Checks an NFS export.
pub(in super::super) fn nfs(causes: &mut Causes, source: &Value, at: &At) {
    require(causes, source, "server", at);
    require(causes, source, "path", at);
    let path = source.text("path");
    if !path.starts_with('/') {
        causes.invalid(&at.child("path"), path, "must be an absolute path");
    }
}

/// Checks the name of a CSI driver.
pub(in super::super) fn driver(causes: &mut Causes, name: &str, at: &At) {
    if name.is_empty() {
        return causes.required(at, "");
    }
    if name.len() > 63 {
        causes.too_long(at, 63);
    }
    causes.each_invalid(at, name, &dns_subdomain(&name.to_lowercase()));
}

/// Checks that a path does not climb.
pub(in super::super) fn no_steps_back(causes: &mut Causes, path: &str, at: &At) {
    if path.split('/').any(|part| part == "..") {
        causes.invalid(at, path, "must not contain '..'");
    }
}

/// Checks that a path leads down.
pub(super) fn descending(causes: &mut Causes, path: &str, at: &At) {
    if path.starts_with('/') {
        causes.invalid(at, path, "must be a relative path");
    }
    no_steps_back(causes, path, at);
}

fn mode(causes: &mut Causes, source: &Value, field: &str, at: &At) {
    if let Some(mode) = source.int(field)
        && !(0..=0o777).contains(&mode)
    {
        let detail = "must be a number between 0 and 0777 (octal), both inclusive";
        causes.invalid(&at.child(field), mode, detail);
    }
}

fn files(causes: &mut Causes, source: &Value, at: &At) {
    mode(causes, source, "defaultMode", at);
    for (index, item) in source.items("items").iter().enumerate() {
        file(causes, item, &at.child("items").index(index));
    }
}

fn file(causes: &mut Causes, item: &Value, at: &At) {
    require(causes, item, "key", at);
    require(causes, item, "path", at);
    local_path(causes, item.text("path"), &at.child("path"));
    mode(causes, item, "mode", at);
}

fn local_path(causes: &mut Causes, path: &str, at: &At) {
    descending(causes, path, at);
    // A second cause beside the one about a step up: both are told.
    if path.starts_with("..") && !path.starts_with("../") {
        causes.invalid(at, path, "must not start with '..'");
    }
}

fn downward_file(causes: &mut Causes, file: &Value, at: &At) {
    require(causes, file, "path", at);
    local_path(causes, file.text("path"), &at.child("path"));
    match (file.some("fieldRef"), file.some("resourceFieldRef")) {
        (Some(field), resource) => {
            env::field_reference(causes, field, &env::VOLUME_FIELDS, &at.child("fieldRef"));
            if resource.is_some() {
                let detail = "fieldRef and resourceFieldRef can not be specified simultaneously";
                causes.invalid(at, "resource", detail);
            }
        }
        (None, Some(resource)) => {
            env::resource_reference(causes, resource, true, &at.child("resourceFieldRef"));
        }
        (None, None) => causes.required(at, "one of fieldRef and resourceFieldRef is required"),
    }
    mode(causes, file, "mode", at);
}

fn projected(causes: &mut Causes, source: &Value, at: &At) {
    mode(causes, source, "defaultMode", at);
    let mut paths = BTreeSet::new();
    for (index, source) in source.items("sources").iter().enumerate() {
        let at_source = at.child("sources").index(index);
        let mut count = 0;
        for kind in ["secret", "configMap"] {
            let Some(source) = source.some(kind) else { continue };
            let at_kind = at_source.child(kind);
            count += 1;
            require(causes, source, "name", &at_kind);
            for (index, item) in source.items("items").iter().enumerate() {
                file(causes, item, &at_kind.child("items").index(index));
                if !item.text("path").is_empty() && !paths.insert(item.text("path")) {
                    causes.invalid(at, source.text("name"), "conflicting duplicate paths");
                }
            }
        }
        if let Some(source) = source.some("downwardAPI") {
            count += 1;
            for item in source.items("items") {
                downward_file(causes, item, &at_source.child("downwardAPI"));
                let path = item.text("path");
                if !path.is_empty() && !paths.insert(path) {
                    causes.invalid(at, path, "conflicting duplicate paths");
                }
            }
        }
        if let Some(token) = source.some("serviceAccountToken") {
            count += 1;
            let at_token = at_source.child("serviceAccountToken.expirationSeconds");
            let seconds = token.int("expirationSeconds").unwrap_or_default();
            if seconds < 600 {
                causes.invalid(&at_token, seconds, "may not specify a duration less than 10 minutes");
            }
            if seconds > 1 << 32 {
                causes.invalid(&at_token, seconds, "may not specify a duration larger than 2^32 seconds");
            }
            if token.text("path").is_empty() {
                causes.required(&at.child("path"), "");
            } else {
                local_path(causes, token.text("path"), &at.child("path"));
            }
        }
        count += ["clusterTrustBundle", "podCertificate"]
            .iter()
            .filter(|field| source.some(field).is_some())
            .count();
        if count > 1 {
            causes.forbidden(&at_source, "may not specify more than 1 volume type per source");
        }
    }
}

/// Checks where a container mounts volumes.
pub(super) fn mounts(causes: &mut Causes, container: &Value, volumes: &Volumes<'_>, at: &At) {
    let mut paths = BTreeSet::new();
    let devices = container.items("volumeDevices");
    for (index, mount) in container.items("volumeMounts").iter().enumerate() {
        let at_mount = at.index(index);
        let (name, path) = (mount.text("name"), mount.text("mountPath"));
        require(causes, mount, "name", &at_mount);
        if !volumes.contains_key(name) {
            causes.not_found(&at_mount.child("name"), name);
        }
        require(causes, mount, "mountPath", &at_mount);
        if !paths.insert(path) {
            causes.invalid(&at_mount.child("mountPath"), path, "must be unique");
        }
        if devices.iter().any(|device| device.text("name") == name) {
            let detail = "must not already exist in volumeDevices";
            causes.invalid(&at_mount.child("name"), name, detail);
        }
        if devices.iter().any(|device| device.text("devicePath") == path) {
            let detail = "must not already exist as a path in volumeDevices";
            causes.invalid(&at_mount.child("mountPath"), path, detail);
        }
        // The API server leaves the index out from here on.
        if !mount.text("subPath").is_empty() {
            descending(causes, mount.text("subPath"), &at.child("subPath"));
        }
        let expression = mount.text("subPathExpr");
        if !expression.is_empty() {
            if !mount.text("subPath").is_empty() {
                let detail = "subPathExpr and subPath are mutually exclusive";
                causes.invalid(&at_mount.child("subPathExpr"), expression, detail);
            }
            descending(causes, expression, &at.child("subPathExpr"));
        }
        propagation(causes, mount, container, &at.child("mountPropagation"));
    }
}

fn propagation(causes: &mut Causes, mount: &Value, container: &Value, at: &At) {
    let Some(mode) = mount.some("mountPropagation").and_then(Value::as_str) else { return };
    let supported = ["Bidirectional", "HostToContainer", "None"];
    if !supported.contains(&mode) {
        causes.not_supported(at, mode, &supported);
    }
    if mode == "Bidirectional" && !container["securityContext"].flag("privileged") {
        let detail = "Bidirectional mount propagation is available only to privileged containers";
        causes.forbidden(at, detail);
    }
}

/// Checks the block devices of a container.
pub(super) fn devices(causes: &mut Causes, container: &Value, volumes: &Volumes<'_>, at: &At) {
    let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
    let mounts = container.items("volumeMounts");
    for (index, device) in container.items("volumeDevices").iter().enumerate() {
        let at = at.index(index);
        let (name, path) = (device.text("name"), device.text("devicePath"));
        require(causes, device, "name", &at);
        if names.contains(name) {
            causes.invalid(&at.child("name"), name, "must be unique");
        }
        match volumes.get(name) {
            Some(volume) => {
                let claims = ["persistentVolumeClaim", "ephemeral"];
                if !claims.iter().any(|source| volume.some(source).is_some()) {
                    let detail = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                    causes.invalid(&at.child("name"), name, detail);
                }
            }
            None => causes.not_found(&at.child("name"), name),
        }
        require(causes, device, "devicePath", &at);
        if paths.contains(path) {
            causes.invalid(&at.child("devicePath"), path, "must be unique");
        }
        if path.split('/').any(|part| part == "..") {
            causes.invalid(&at.child("devicePath"), path, "can not contain backsteps ('..')");
        } else {
            paths.insert(path);
        }
        if mounts.iter().any(|mount| mount.text("name") == name) {
            causes.invalid(&at.child("name"), name, "must not already exist in volumeMounts");
        }
        if mounts.iter().any(|mount| mount.text("mountPath") == path) {
            let detail = "must not already exist as a path in volumeMounts";
            causes.invalid(&at.child("devicePath"), path, detail);
        }
        if !name.is_empty() {
            names.insert(name);
        }
    }
}
