//! What a pod template names, wherever it stands: claims, Secrets, `ConfigMaps`, service accounts.

use super::cell::{Cell, Data};
use super::edges::{Edges, Named, is_container};

/// Searches a manifest for pod templates: tables with a list of `containers`.
pub(super) fn walk(edges: &mut Edges<'_, '_>, cell: &Cell, path: &mut Vec<String>) {
    match &cell.data {
        Data::Map(map) => {
            if matches!(map.get("containers").map(|(_, c)| &c.data), Some(Data::List(_))) {
                let place = path.join(".");
                pod(edges, cell, &place);
                return;
            }
            for (key, (_, below)) in map.iter().filter(|(_, (_, below))| is_container(below)) {
                path.push(key.clone());
                walk(edges, below, path);
                path.pop();
            }
        }
        Data::List(items) => {
            items.iter().filter(|item| is_container(item)).for_each(|item| walk(edges, item, path));
        }
        _ => {}
    }
}

fn pod(edges: &mut Edges<'_, '_>, spec: &Cell, place: &str) {
    let mut name = |cell: Option<&Cell>, keys: &[&str], kind: &str, field: &str| {
        let Some(cell) = cell.and_then(|cell| cell.at(keys)) else {
            return;
        };
        let Some(name) = cell.text() else { return };
        let object = edges.object;
        let named = Named { group: "", kind, namespace: object.namespace.as_deref(), name };
        edges.named(&named, &format!("{place}.{field}"), &cell.span);
    };
    let list = |key: &str| spec.get(key).map(Cell::list).unwrap_or_default();
    name(Some(spec), &["serviceAccountName"], "ServiceAccount", "serviceAccountName");
    name(Some(spec), &["serviceAccount"], "ServiceAccount", "serviceAccount");
    for item in list("imagePullSecrets") {
        name(Some(item), &["name"], "Secret", "imagePullSecrets");
    }
    for volume in list("volumes") {
        name(Some(volume), &["persistentVolumeClaim", "claimName"], "PersistentVolumeClaim", "volumes");
        name(Some(volume), &["secret", "secretName"], "Secret", "volumes");
        name(Some(volume), &["configMap", "name"], "ConfigMap", "volumes");
        name(Some(volume), &["csi", "nodePublishSecretRef", "name"], "Secret", "volumes");
        for source in volume.at(&["projected", "sources"]).map(Cell::list).unwrap_or_default() {
            name(Some(source), &["secret", "name"], "Secret", "volumes");
            name(Some(source), &["configMap", "name"], "ConfigMap", "volumes");
        }
    }
    for field in ["containers", "initContainers", "ephemeralContainers"] {
        for container in list(field) {
            for env in container.get("env").map(Cell::list).unwrap_or_default() {
                name(Some(env), &["valueFrom", "secretKeyRef", "name"], "Secret", "env");
                name(Some(env), &["valueFrom", "configMapKeyRef", "name"], "ConfigMap", "env");
            }
            for env in container.get("envFrom").map(Cell::list).unwrap_or_default() {
                name(Some(env), &["secretRef", "name"], "Secret", "envFrom");
                name(Some(env), &["configMapRef", "name"], "ConfigMap", "envFrom");
            }
        }
    }
}
