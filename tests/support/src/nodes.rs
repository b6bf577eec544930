//! Nodes that only look alive, their pods, and volumes: kwok and the stages it is given.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::identity::User;
use crate::plane::ControlPlane;
use crate::programs::Programs;

const VOLUME_STAGES: &str = include_str!("kwok-volumes.yaml");
const POD_STAGES: &str = include_str!("kwok-pods.yaml");
/// What makes kwok's stages leave alone the pods of [`POD_STAGES`].
const WORKING_PODS_ONLY: &str = "
    matchExpressions:
    - key: '.metadata.labels[\"tests.arrplan.dev/pod\"]'
      operator: 'DoesNotExist'
";
/// kwok's stages, and whether they are for working pods only.
const STAGES: [(&str, bool); 5] = [
    ("node/fast/node-initialize.yaml", false),
    ("node/heartbeat/node-heartbeat.yaml", false),
    ("pod/fast/pod-ready.yaml", true),
    ("pod/fast/pod-complete.yaml", true),
    ("pod/fast/pod-delete.yaml", false),
];

impl ControlPlane {
    pub(crate) fn start_nodes(&self, programs: &Programs) {
        let capacity = json!({ "cpu": "64", "memory": "256Gi", "pods": "1000", "ephemeral-storage": "1Ti" });
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": { "name": "node-1", "labels": {
                "kubernetes.io/hostname": "node-1", "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
            } },
            "status": { "capacity": capacity, "allocatable": capacity },
        });
        self.apply_as_installer(&node.to_string());
        let stages = self.write_stages(programs.path("share/kwok-stages"));
        let kwok = || {
            let mut args = vec![
                self.kubeconfig_flag("kwok"),
                "--manage-all-nodes=true".to_owned(),
                // Its kubelet look-alike would listen on a fixed port of every address.
                "--node-port=0".to_owned(),
            ];
            args.push(format!("--config={}", stages.display()));
            (args, Vec::new())
        };
        self.launch_until_ready(programs.path("kwok"), kwok, || {
            let node = self.request(User::Admin, "GET", "/api/v1/nodes/node-1", None).body;
            let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
            let ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
            conditions.is_some_and(|conditions| conditions.iter().any(ready))
        });
    }

    /// One file with all stages.
    fn write_stages(&self, kwok: &Path) -> PathBuf {
        let read = |(stage, working_pods_only): (&str, bool)| {
            let text =
                std::fs::read_to_string(kwok.join(stage)).unwrap_or_else(|error| panic!("{stage}: {error}"));
            if !working_pods_only {
                return text;
            }
            let changed = text.replacen("\n    matchExpressions:\n", WORKING_PODS_ONLY, 1);
            assert_ne!(changed, text, "{stage} has no selector as it used to");
            changed
        };
        let stages = STAGES.map(read).into_iter().chain([VOLUME_STAGES.to_owned(), POD_STAGES.to_owned()]);
        let path = self.data("kwok").join("stages.yaml");
        std::fs::write(&path, stages.collect::<Vec<_>>().join("\n---\n")).expect("the plane's folder");
        path
    }

    pub(crate) fn create_storage_classes(&self) {
        for (name, mode) in [("local", "WaitForFirstConsumer"), ("replicated", "Immediate")] {
            let is_default = (name == "replicated").to_string();
            let class = json!({
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {
                    "name": name,
                    "annotations": { "storageclass.kubernetes.io/is-default-class": is_default },
                },
                "provisioner": "tests.arrplan.dev/volumes",
                "volumeBindingMode": mode,
                "allowVolumeExpansion": true,
            });
            self.apply_as_installer(&class.to_string());
        }
    }
}
