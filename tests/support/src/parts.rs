//! What runs in a control plane besides the API server, started when the first test asks for it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::identity::User;
use crate::plane::{ControlPlane, lock};
use crate::process::free_port;
use crate::programs::Programs;
use crate::wait::eventually;

/// An `ApplicationDefinition` of kind `ArrStack`, for [`ControlPlane::serve_cozystack`].
pub const ARRSTACK_DEFINITION: &str = include_str!("arrstack-definition.yaml");

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
const FLUX_CRDS: [&str; 3] = [
    "share/crds/source-controller",
    "share/crds/helm-controller",
    "share/crds/kustomize-controller",
];
const FLUX_NAMESPACE: &str = "flux-system";
const COZYSTACK_NAMESPACE: &str = "cozy-system";
/// How long a controller may take to be ready on a machine busy with other tests.
const READY_LIMIT: Duration = Duration::from_mins(1);
const START_ATTEMPTS: usize = 4;

/// A part of a control plane. Those it needs come with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// kube-controller-manager and kube-scheduler: namespaces go away, garbage is collected, Deployments make pods.
    Controllers,
    /// kwok and one Node, `node-1`: pods run and are ready at once, Jobs complete. A pod with the label
    /// `tests.arrplan.dev/pod` does not work, in the way of its value: `crash`, `image`, `unready` or `hang`. With
    /// [`Part::Controllers`].
    Nodes,
    /// The storage classes `local` (`WaitForFirstConsumer`) and `replicated` (Immediate, the default class), and volumes for
    /// their claims. With [`Part::Nodes`].
    Storage,
    /// Flux's CRDs without its controllers.
    FluxCrds,
    /// source-, helm- and kustomize-controller. With [`Part::FluxCrds`].
    Flux,
    /// cert-manager's CRDs; its controllers cannot be had.
    CertManagerCrds,
    /// What [`ControlPlane::serve_cozystack`] needs. With [`Part::FluxCrds`].
    Cozystack,
}

impl Part {
    fn needs(self) -> &'static [Self] {
        match self {
            Self::Controllers | Self::FluxCrds | Self::CertManagerCrds => &[],
            Self::Nodes => &[Self::Controllers],
            Self::Storage => &[Self::Nodes],
            Self::Flux | Self::Cozystack => &[Self::FluxCrds],
        }
    }

    fn own_targets(self) -> &'static [&'static str] {
        match self {
            Self::Controllers => &["kube-controller-manager", "kube-scheduler"],
            Self::Nodes => &["kwok", "share/kwok-stages"],
            Self::Storage => &[],
            Self::FluxCrds => &FLUX_CRDS,
            Self::Flux => &["source-controller", "helm-controller", "kustomize-controller"],
            Self::CertManagerCrds => &["share/crds/cert-manager"],
            Self::Cozystack => &[
                "cozystack-api",
                "share/crds/cozystack-definitions",
                "share/crds/cozystack-controller",
            ],
        }
    }

    /// These parts and all they need, each after what it needs.
    fn closure(parts: &[Self]) -> Vec<Self> {
        fn visit(part: Part, seen: &mut BTreeSet<Part>, order: &mut Vec<Part>) {
            for &need in part.needs() {
                visit(need, seen, order);
            }
            if seen.insert(part) {
                order.push(part);
            }
        }
        let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
        for &part in parts {
            visit(part, &mut seen, &mut order);
        }
        order
    }

    /// The build targets of these parts and of a plane's core.
    pub(crate) fn targets<'a>(parts: &[Self], core: &[&'a str]) -> Vec<&'a str> {
        let parts = Self::closure(parts);
        core.iter()
            .copied()
            .chain(parts.iter().flat_map(|part| part.own_targets().iter().copied()))
            .collect()
    }
}

impl ControlPlane {
    /// Starts what is not running yet. Whoever asks for the same at the same time waits here.
    pub(crate) fn start_parts(&self, parts: &[Part], programs: &Programs) {
        let mut running = lock(&self.parts);
        for part in Part::closure(parts) {
            if running.contains(&part) {
                continue;
            }
            match part {
                Part::Controllers => self.start_controllers(programs),
                Part::Nodes => self.start_nodes(programs),
                Part::Storage => self.create_storage_classes(),
                Part::FluxCrds => FLUX_CRDS
                    .iter()
                    .for_each(|crds| self.install_crds(programs.path(crds))),
                Part::Flux => self.start_flux(programs),
                Part::CertManagerCrds => self.install_crds(programs.path("share/crds/cert-manager")),
                Part::Cozystack => self.prepare_cozystack(programs),
            }
            running.insert(part);
        }
    }

    /// (Re)starts Cozystack's own API server with one more `ApplicationDefinition` (YAML, with any objects it needs), as
    /// its controller would, and waits until `plural.apps.cozystack.io` of it is served. Needs [`Part::Cozystack`]; the releases
    /// it makes come to life only with [`Part::Flux`]. A restart disturbs others that use this API on the same plane.
    ///
    /// `kubectl create` and `apply` of its kinds need `--validate=false`: v1.6.1 publishes an OpenAPI with a dangling reference.
    #[track_caller]
    pub fn serve_cozystack(&self, definition: &str, plural: &str) {
        let programs =
            Programs::find(&Part::targets(&[Part::Cozystack], &[])).expect("Part::Cozystack was asked for");
        let mut definitions = lock(&self.definitions);
        if definitions.iter().any(|known| known == definition) {
            return;
        }
        self.apply_as_installer(definition);
        let program = programs.path("cozystack-api");
        let mut port = 0;
        self.launch_until_ready(
            program,
            || {
                port = free_port();
                let kubeconfig = self
                    .kubeconfig(User::Controller("cozystack-api"))
                    .display()
                    .to_string();
                let args = vec![
                    format!("--kubeconfig={kubeconfig}"),
                    format!("--authentication-kubeconfig={kubeconfig}"),
                    format!("--authorization-kubeconfig={kubeconfig}"),
                    format!("--secure-port={port}"),
                    "--bind-address=127.0.0.1".to_owned(),
                    format!("--cert-dir={}", self.data("cozystack-api").display()),
                ];
                let environment = vec![("KUBECONFIG", OsString::from(kubeconfig))];
                (args, environment)
            },
            // TLS with a certificate of its own: whether it serves is asked through the API server, below.
            || true,
        );
        self.apply_as_installer(&cozystack_service(port).to_string());
        eventually(&format!("{plural}.apps.cozystack.io to be served"), || {
            let reply = self.request(
                User::Admin,
                "GET",
                &format!("/apis/apps.cozystack.io/v1alpha1/{plural}"),
                None,
            );
            (reply.status == 200).then_some(())
        });
        definitions.push(definition.to_owned());
    }

    fn start_controllers(&self, programs: &Programs) {
        let manager = || {
            let args = vec![
                self.kubeconfig_flag("kube-controller-manager"),
                format!("--service-account-private-key-file={}", self.key("service-accounts.key").display()),
                format!("--root-ca-file={}", self.authority().display()),
                "--leader-elect=false".to_owned(),
                "--secure-port=0".to_owned(),
                // Those left out need what is not here: bootstrap tokens, address ranges for nodes.
                "--controllers=*,-token-cleaner-controller,-bootstrap-signer-controller,-node-ipam-controller".to_owned(),
                "--kube-api-qps=200".to_owned(),
                "--kube-api-burst=400".to_owned(),
                "--pvclaimbinder-sync-period=2s".to_owned(),
            ];
            (args, Vec::new())
        };
        let account = "/api/v1/namespaces/default/serviceaccounts/default";
        self.launch_until_ready(programs.path("kube-controller-manager"), manager, || {
            self.request(User::Admin, "GET", account, None).status == 200
        });
        let scheduler = || {
            let flags = ["--leader-elect=false".to_owned(), "--secure-port=0".to_owned()];
            (
                [vec![self.kubeconfig_flag("kube-scheduler")], flags.into()].concat(),
                Vec::new(),
            )
        };
        self.launch_until_ready(programs.path("kube-scheduler"), scheduler, || true);
    }

    fn start_nodes(&self, programs: &Programs) {
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
            let node = self
                .request(User::Admin, "GET", "/api/v1/nodes/node-1", None)
                .body;
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
        let stages = STAGES
            .map(read)
            .into_iter()
            .chain([VOLUME_STAGES.to_owned(), POD_STAGES.to_owned()]);
        let path = self.data("kwok").join("stages.yaml");
        std::fs::write(&path, stages.collect::<Vec<_>>().join("\n---\n")).expect("the plane's folder");
        path
    }

    fn create_storage_classes(&self) {
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

    fn start_flux(&self, programs: &Programs) {
        self.ensure_namespace(FLUX_NAMESPACE);
        let storage = self.data("artifacts");
        let mut address = String::new();
        let mut health = String::new();
        self.launch_until_ready(
            programs.path("source-controller"),
            || {
                address = format!("127.0.0.1:{}", free_port());
                let (mut args, environment) = self.flux_arguments("source-controller", &mut health);
                args.extend([
                    format!("--storage-path={}", storage.display()),
                    format!("--storage-addr={address}"),
                    format!("--storage-adv-addr={address}"),
                ]);
                (args, environment)
            },
            || true,
        );
        self.wait_for_health("source-controller", &health);
        for name in ["helm-controller", "kustomize-controller"] {
            let mut health = String::new();
            self.launch_until_ready(
                programs.path(name),
                || {
                    let (mut args, mut environment) = self.flux_arguments(name, &mut health);
                    args.push("--requeue-dependency=2s".to_owned());
                    environment.push(("SOURCE_CONTROLLER_LOCALHOST", OsString::from(&address)));
                    (args, environment)
                },
                || true,
            );
            self.wait_for_health(name, &health);
        }
    }

    fn flux_arguments(&self, name: &'static str, health: &mut String) -> Launch {
        *health = format!("127.0.0.1:{}", free_port());
        let temporary = self.data(name);
        let args = vec![
            "--metrics-addr=127.0.0.1:0".to_owned(),
            format!("--health-addr={health}"),
            "--enable-leader-election=false".to_owned(),
            "--events-addr=".to_owned(),
        ];
        let environment = vec![
            (
                "KUBECONFIG",
                self.kubeconfig(User::Controller(name)).into_os_string(),
            ),
            ("RUNTIME_NAMESPACE", FLUX_NAMESPACE.into()),
            ("TMPDIR", temporary.clone().into_os_string()),
            ("HOME", temporary.into_os_string()),
        ];
        (args, environment)
    }

    fn wait_for_health(&self, name: &str, address: &str) {
        eventually(
            &format!("{name} to be ready; its log is in {}", self.folder().display()),
            || answers_ok(address).then_some(()),
        );
    }

    fn prepare_cozystack(&self, programs: &Programs) {
        self.install_crds(programs.path("share/crds/cozystack-definitions"));
        self.install_crds(programs.path("share/crds/cozystack-controller"));
        self.ensure_namespace(COZYSTACK_NAMESPACE);
    }

    fn kubeconfig_flag(&self, name: &'static str) -> String {
        format!(
            "--kubeconfig={}",
            self.kubeconfig(User::Controller(name)).display()
        )
    }

    fn ensure_namespace(&self, name: &str) {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        self.apply_as_installer(&namespace.to_string());
    }

    /// Server-side apply: a part that was half started by a test that then failed can be started again.
    fn apply_as_installer(&self, manifests: &str) {
        let args = ["apply", "--server-side", "--field-manager=installer", "-f", "-"];
        self.kubectl_as(User::Admin, &args, manifests).ok();
    }

    fn install_crds(&self, folder: &Path) {
        let path = folder.display().to_string();
        self.kubectl(&["apply", "--server-side", "--field-manager=installer", "-f", &path])
            .ok();
        self.kubectl(&[
            "wait",
            "--for=condition=Established",
            "--timeout=60s",
            "-f",
            &path,
        ])
        .ok();
    }

    /// Launches a program and waits; again with new arguments when a port of it was taken in between.
    fn launch_until_ready(
        &self,
        program: &Path,
        mut arguments: impl FnMut() -> Launch,
        ready: impl Fn() -> bool,
    ) {
        let name = program
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        for attempt in 1..=START_ATTEMPTS {
            let (args, environment) = arguments();
            self.launch(program, args, &environment);
            let started = Instant::now();
            // Who cannot listen says so within the first moments.
            let settled = Duration::from_millis(300);
            loop {
                let ended = self.process(&name, |process| process.has_ended().then(|| process.log_tail()));
                match ended {
                    Some(tail) if tail.contains("address already in use") && attempt < START_ATTEMPTS => {
                        break;
                    }
                    Some(tail) => panic!("{name} ended; logs in {}:\n{tail}", self.folder().display()),
                    None if started.elapsed() > settled && ready() => return,
                    None => assert!(
                        started.elapsed() < READY_LIMIT,
                        "{name} is not ready after {} s; logs in {}",
                        READY_LIMIT.as_secs(),
                        self.folder().display()
                    ),
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

/// Arguments and environment of one start.
type Launch = (Vec<String>, Vec<(&'static str, OsString)>);

fn cozystack_service(port: u16) -> Value {
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "cozystack-api", "namespace": COZYSTACK_NAMESPACE },
        "spec": { "type": "ExternalName", "externalName": "localhost", "ports": [{ "port": port }] },
    });
    let api_service = json!({
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": { "name": "v1alpha1.apps.cozystack.io" },
        "spec": {
            "group": "apps.cozystack.io",
            "version": "v1alpha1",
            "groupPriorityMinimum": 1000,
            "versionPriority": 15,
            "insecureSkipTLSVerify": true,
            "service": { "name": "cozystack-api", "namespace": COZYSTACK_NAMESPACE, "port": port },
        },
    });
    json!({ "apiVersion": "v1", "kind": "List", "items": [service, api_service] })
}

/// Whether a controller's health endpoint says yes.
fn answers_ok(address: &str) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.split_whitespace().nth(1) == Some("200"))
}
