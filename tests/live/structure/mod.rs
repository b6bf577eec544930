//! The structure table is what a real API server says.
//!
//! `ARRPLAN_GENERATE=1 cargo test --test live structure` writes `src/schema/structure.txt` instead of comparing.

mod convert;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use support::{ControlPlane, Part, User, eventually};

/// The kinds a user of this tool writes.
#[rustfmt::skip]
const KINDS: &[(&str, &[&str])] = &[
    ("v1", &["ConfigMap", "Endpoints", "Event", "LimitRange", "Namespace", "Node", "PersistentVolume", "PersistentVolumeClaim", "Pod", "ResourceQuota",
        "Secret", "Service", "ServiceAccount"]),
    ("admissionregistration.k8s.io/v1", &["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration"]),
    ("apiextensions.k8s.io/v1", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io/v1", &["APIService"]),
    ("apps/v1", &["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"]),
    ("autoscaling/v2", &["HorizontalPodAutoscaler"]),
    ("batch/v1", &["CronJob", "Job"]),
    ("coordination.k8s.io/v1", &["Lease"]),
    ("cozystack.io/v1alpha1", &["ApplicationDefinition"]),
    ("discovery.k8s.io/v1", &["EndpointSlice"]),
    ("helm.toolkit.fluxcd.io/v2", &["HelmRelease"]),
    ("kustomize.toolkit.fluxcd.io/v1", &["Kustomization"]),
    ("networking.k8s.io/v1", &["Ingress", "IngressClass", "NetworkPolicy"]),
    ("policy/v1", &["PodDisruptionBudget"]),
    ("rbac.authorization.k8s.io/v1", &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]),
    ("scheduling.k8s.io/v1", &["PriorityClass"]),
    ("source.toolkit.fluxcd.io/v1", &["Bucket", "ExternalArtifact", "GitRepository", "HelmChart", "HelmRepository", "OCIRepository"]),
    ("storage.k8s.io/v1", &["StorageClass", "VolumeAttributesClass"]),
];

/// Modules whose versions the table names, and in which of the control plane's module files they stand.
const MODULES: [(&str, &str); 4] = [
    ("github.com/fluxcd/source-controller", "source-controller"),
    ("github.com/fluxcd/helm-controller", "helm-controller"),
    ("github.com/fluxcd/kustomize-controller", "kustomize-controller"),
    ("github.com/cozystack/cozystack", "cozystack"),
];

#[test]
fn the_structure_table_is_the_servers_own() {
    let Some(plane) = crate::plane(&[Part::FluxCrds]) else {
        return;
    };
    let Some(definitions) = support::program("share/crds/cozystack-definitions") else {
        return;
    };
    let definitions = definitions.display().to_string();
    plane.kubectl(&["apply", "--server-side", "--field-manager=installer", "-f", &definitions]).ok();

    let documents: BTreeMap<String, Value> = KINDS
        .iter()
        .map(|(api_version, kinds)| ((*api_version).to_owned(), document(plane, api_version, kinds)))
        .collect();
    let made = convert::table(&versions(plane), &documents, KINDS);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/schema/structure.txt");
    if std::env::var_os("ARRPLAN_GENERATE").is_some() {
        std::fs::write(&path, &made).expect("the table can be written");
        return;
    }
    let committed = std::fs::read_to_string(&path).expect("the table can be read");
    let differs = made.lines().zip(committed.lines()).find(|(made, committed)| made != committed);
    assert!(
        made == committed,
        "src/schema/structure.txt is not what the server says; ARRPLAN_GENERATE=1 makes it anew. First difference: {differs:#?}"
    );
}

/// What the server publishes about one version of a group; a new CRD's part comes a moment after the CRD.
fn document(plane: &ControlPlane, api_version: &str, kinds: &[&str]) -> Value {
    let root = if api_version.contains('/') { "apis" } else { "api" };
    let path = format!("/openapi/v3/{root}/{api_version}");
    eventually(&path, || {
        let reply = plane.request(User::Admin, "GET", &path, None);
        let all_there = kinds.iter().all(|kind| {
            convert::schema_name(&reply.body["components"]["schemas"], api_version, kind).is_some()
        });
        all_there.then_some(reply.body)
    })
}

fn versions(plane: &ControlPlane) -> Vec<(String, String)> {
    let server = plane.request(User::Admin, "GET", "/version", None).ok();
    let kubernetes = server["gitVersion"].as_str().expect("the server's version").to_owned();
    let mut versions = vec![("kubernetes".to_owned(), kubernetes)];
    for (module, folder) in MODULES {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/controlplane/modules")
            .join(folder)
            .join("go.mod");
        let text = std::fs::read_to_string(&file).expect("the control plane's module file");
        let version = text
            .lines()
            .find_map(|line| line.trim().trim_start_matches("require ").strip_prefix(&format!("{module} v")))
            .and_then(|rest| rest.split_whitespace().next())
            .unwrap_or_else(|| panic!("{module} in {}", file.display()));
        let name = module.rsplit('/').next().expect("a module has a name");
        versions.push((name.to_owned(), format!("v{version}")));
    }
    versions
}
