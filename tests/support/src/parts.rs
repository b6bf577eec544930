//! What runs in a control plane besides the API server, started when the first test asks for it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::identity::User;
use crate::plane::{ControlPlane, lock};
use crate::process::free_port;
use crate::programs::Programs;
use crate::wait::eventually;

pub(crate) const FLUX_CRDS: [&str; 3] =
    ["share/crds/source-controller", "share/crds/helm-controller", "share/crds/kustomize-controller"];
const FLUX_NAMESPACE: &str = "flux-system";
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
            Self::Cozystack => {
                &["cozystack-api", "share/crds/cozystack-definitions", "share/crds/cozystack-controller"]
            }
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

    /// What is installed for these parts besides programs: the sandbox has stand-ins for those.
    pub(crate) fn files(parts: &[Self]) -> Vec<&'static str> {
        let targets = Self::closure(parts);
        let targets = targets.iter().flat_map(|part| part.own_targets().iter().copied());
        targets.filter(|target| target.starts_with("share/crds/")).collect()
    }

    /// The build targets of these parts and of a plane's core.
    pub(crate) fn targets<'a>(parts: &[Self], core: &[&'a str]) -> Vec<&'a str> {
        let parts = Self::closure(parts);
        core.iter().copied().chain(parts.iter().flat_map(|part| part.own_targets().iter().copied())).collect()
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
                _ if self.is_sandbox() => self.provide(part, programs),
                Part::Controllers => self.start_controllers(programs),
                Part::Nodes => self.start_nodes(programs),
                Part::Storage => self.create_storage_classes(),
                Part::FluxCrds => FLUX_CRDS.iter().for_each(|crds| self.install_crds(programs.path(crds))),
                Part::Flux => self.start_flux(programs),
                Part::CertManagerCrds => self.install_crds(programs.path("share/crds/cert-manager")),
                Part::Cozystack => self.prepare_cozystack(programs),
            }
            running.insert(part);
        }
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
            ([vec![self.kubeconfig_flag("kube-scheduler")], flags.into()].concat(), Vec::new())
        };
        self.launch_until_ready(programs.path("kube-scheduler"), scheduler, || true);
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
            ("KUBECONFIG", self.kubeconfig(User::Controller(name)).into_os_string()),
            ("RUNTIME_NAMESPACE", FLUX_NAMESPACE.into()),
            ("TMPDIR", temporary.clone().into_os_string()),
            ("HOME", temporary.into_os_string()),
        ];
        (args, environment)
    }

    fn wait_for_health(&self, name: &str, address: &str) {
        eventually(&format!("{name} to be ready; its log is in {}", self.folder().display()), || {
            answers_ok(address).then_some(())
        });
    }

    pub(crate) fn kubeconfig_flag(&self, name: &'static str) -> String {
        format!("--kubeconfig={}", self.kubeconfig(User::Controller(name)).display())
    }

    pub(crate) fn ensure_namespace(&self, name: &str) {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        self.apply_as_installer(&namespace.to_string());
    }

    /// Server-side apply: a part that was half started by a test that then failed can be started again.
    pub(crate) fn apply_as_installer(&self, manifests: &str) {
        let args = ["apply", "--server-side", "--field-manager=installer", "-f", "-"];
        self.kubectl_as(User::Admin, &args, manifests).ok();
    }

    pub(crate) fn install_crds(&self, folder: &Path) {
        let path = folder.display().to_string();
        self.kubectl(&["apply", "--server-side", "--field-manager=installer", "-f", &path]).ok();
        let wait = ["wait", "--for=condition=Established", "--timeout=60s", "-f", &path];
        eventually("the definitions to be established", || {
            let output = self.kubectl(&wait);
            // kubectl stumbles over one whose status is still empty.
            let is_new = output.status != 0 && output.stderr.contains("accessor error");
            (!is_new).then(|| output.ok())
        });
    }

    /// Launches a program and waits; again with new arguments when a port of it was taken in between.
    pub(crate) fn launch_until_ready(
        &self,
        program: &Path,
        mut arguments: impl FnMut() -> Launch,
        ready: impl Fn() -> bool,
    ) {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
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
pub(crate) type Launch = (Vec<String>, Vec<(&'static str, OsString)>);

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
