//! Cells of volumes and claims; which storage class is the default.

use jiff::Timestamp;
use serde_json::Value;

use super::age;
use super::text::{access_modes, amount, list, or, text};

/// The storage class that a claim without one gets: the newest of those marked.
pub(super) fn default_class(classes: &[Value]) -> Option<&str> {
    const MARKS: [&str; 2] =
        ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
    let is_marked =
        |class: &&Value| MARKS.iter().any(|mark| class["metadata"]["annotations"][*mark] == "true");
    let marked = classes.iter().filter(is_marked).map(|class| &class["metadata"]);
    let newest = marked.max_by(|a, b| {
        let created = text(a, "creationTimestamp").cmp(text(b, "creationTimestamp"));
        created.then_with(|| text(b, "name").cmp(text(a, "name")))
    });
    newest.map(|metadata| text(metadata, "name"))
}

fn phase(object: &Value) -> Value {
    if object["metadata"]["deletionTimestamp"].is_null() {
        text(&object["status"], "phase").into()
    } else {
        "Terminating".into()
    }
}

/// The class by its old annotation, or by its field.
fn class(object: &Value) -> String {
    let old = &object["metadata"]["annotations"]["volume.beta.kubernetes.io/storage-class"];
    old.as_str().unwrap_or(text(&object["spec"], "storageClassName")).to_owned()
}

/// Cells of a volume.
pub(super) fn volume(volume: &Value, now: Timestamp) -> Vec<Value> {
    let spec = &volume["spec"];
    let claim = &spec["claimRef"];
    let claim = if claim.is_object() {
        format!("{}/{}", text(claim, "namespace"), text(claim, "name"))
    } else {
        String::new()
    };
    vec![
        volume["metadata"]["name"].clone(),
        amount(&spec["capacity"]["storage"], "0").into(),
        access_modes(list(spec, "accessModes")).into(),
        text(spec, "persistentVolumeReclaimPolicy").into(),
        phase(volume),
        claim.into(),
        class(volume).into(),
        or(spec, "volumeAttributesClassName", "<unset>").into(),
        text(&volume["status"], "reason").into(),
        age::of(volume, now),
        or(spec, "volumeMode", "<unset>").into(),
    ]
}

/// Cells of a claim.
pub(super) fn claim(claim: &Value, now: Timestamp) -> Vec<Value> {
    let (spec, status) = (&claim["spec"], &claim["status"]);
    let is_bound = !text(spec, "volumeName").is_empty();
    let (capacity, modes) = if is_bound {
        (amount(&status["capacity"]["storage"], "0"), access_modes(list(status, "accessModes")))
    } else {
        (String::new(), String::new())
    };
    vec![
        claim["metadata"]["name"].clone(),
        phase(claim),
        text(spec, "volumeName").into(),
        capacity.into(),
        modes.into(),
        class(claim).into(),
        or(spec, "volumeAttributesClassName", "<unset>").into(),
        age::of(claim, now),
        or(spec, "volumeMode", "<unset>").into(),
    ]
}
