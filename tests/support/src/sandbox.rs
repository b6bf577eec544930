//! A plane whose API server is the sandbox, for the suite that runs on both.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::http_api::{Api, decoded};
use crate::identity::{self, User};
use crate::parts::{FLUX_CRDS, Part};
use crate::plane::ControlPlane;
use crate::programs::Programs;
use crate::scratch::scratch_folder;
use crate::wait::eventually;

/// Names the file of an [`Order`] to a child process.
const VARIABLE: &str = "ARRPLAN_TESTS_SANDBOX";
/// Where a test looks for the API server's process.
const API_SERVER: &str = "kube-apiserver";

/// What the child process is to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Tokens and users.
    pub tokens: Vec<(String, String)>,
    /// The audit log.
    pub audit: PathBuf,
    /// Where its kubeconfig is to be written once it serves; whole or not at all.
    pub kubeconfig: PathBuf,
}

impl Order {
    /// The order of this process, if it is such a child.
    pub fn received() -> Option<Self> {
        let text = std::fs::read_to_string(std::env::var_os(VARIABLE)?).expect("the order can be read");
        let order: Value = serde_json::from_str(&text).expect("an order");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let tokens = order["tokens"].as_array().expect("tokens").iter();
        Some(Self {
            tokens: tokens.map(|pair| (text(&pair[0]), text(&pair[1]))).collect(),
            audit: text(&order["audit"]).into(),
            kubeconfig: text(&order["kubeconfig"]).into(),
        })
    }

    fn to_value(&self) -> Value {
        json!({ "tokens": self.tokens, "audit": self.audit, "kubeconfig": self.kubeconfig })
    }
}

impl ControlPlane {
    /// The plane of this test binary, served by the sandbox and its stand-ins for controllers. `serve` is the ignored test
    /// that serves what [`Order::received`] says and does not end: a child process of this binary runs it. `None`: there is
    /// no kubectl, which was said on the terminal.
    pub fn sandbox(serve: &str, parts: &[Part]) -> Option<&'static Self> {
        static SHARED: OnceLock<ControlPlane> = OnceLock::new();
        let programs = Self::files(parts)?;
        let plane = SHARED.get_or_init(|| Self::start_sandbox(serve, &programs));
        plane.start_parts(parts, &programs);
        Some(plane)
    }

    /// Such a plane for one test alone. Its process is called `kube-apiserver`.
    pub fn own_sandbox(serve: &str, parts: &[Part]) -> Option<Self> {
        let programs = Self::files(parts)?;
        let plane = Self::start_sandbox(serve, &programs);
        plane.start_parts(parts, &programs);
        Some(plane)
    }

    fn files(parts: &[Part]) -> Option<Programs> {
        Programs::find(&[&["kubectl"], Part::files(parts).as_slice()].concat())
    }

    fn start_sandbox(serve: &str, programs: &Programs) -> Self {
        let folder = scratch_folder("plane");
        let order = Order {
            tokens: identity::everybody().map(|user| (user.token(), user.name().to_owned())).collect(),
            audit: folder.join("audit.log"),
            kubeconfig: folder.join("sandbox.kubeconfig"),
        };
        std::fs::write(&order.audit, "").expect("the plane's folder");
        let told = folder.join("order.json");
        std::fs::write(&told, order.to_value().to_string()).expect("the plane's folder");
        let program = std::env::current_exe().expect("this test binary");
        let log = folder.join(format!("{API_SERVER}.log"));
        let args = ["--exact", serve, "--ignored", "--nocapture", "--test-threads=1"];
        let mut process =
            crate::process::Process::start(&program, args, &[(VARIABLE, OsString::from(told))], log);
        let kubeconfig = eventually("the sandbox to serve", || {
            assert!(
                !process.has_ended(),
                "the sandbox ended; logs in {}:\n{}",
                folder.display(),
                process.log_tail()
            );
            std::fs::read_to_string(&order.kubeconfig).ok()
        });
        let kubeconfig: Value = serde_json::from_str(&kubeconfig).expect("its kubeconfig is JSON");
        let cluster = &kubeconfig["clusters"][0]["cluster"];
        let text = |key: &str| cluster[key].as_str().expect("the cluster of a kubeconfig").to_owned();
        let authority_pem =
            String::from_utf8(decoded(&text("certificate-authority-data"))).expect("a certificate is text");
        let authority = folder.join("ca.crt");
        std::fs::write(&authority, &authority_pem).expect("the plane's folder");
        let server = text("server");
        let admin = Api::new(&server, &authority_pem, User::Admin);
        let plane = Self::new(folder, server, authority, None, programs, admin, order.audit);
        plane.adopt(API_SERVER, process);
        eventually("the sandbox to be ready", || plane.is_ready().then_some(()));
        plane
    }

    /// A part of a plane of the sandbox: its controllers stand in for the programs, and what they need is there or installed.
    pub(crate) fn provide(&self, part: Part, programs: &Programs) {
        match part {
            Part::Controllers | Part::Nodes => {}
            Part::Storage => {
                for class in ["local", "replicated"] {
                    assert!(
                        self.get_json("storageclass", "", class).is_some(),
                        "the sandbox comes with {class}"
                    );
                }
            }
            Part::FluxCrds | Part::Flux => {
                let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
                if !self.has(&format!("{path}/helmreleases.helm.toolkit.fluxcd.io")) {
                    for crds in FLUX_CRDS {
                        self.install_crds(programs.path(crds));
                    }
                }
            }
            Part::CertManagerCrds => self.install_crds(programs.path("share/crds/cert-manager")),
            Part::Cozystack => panic!("the sandbox does not run Cozystack's API server"),
        }
    }

    fn has(&self, path: &str) -> bool {
        self.request(User::Admin, "GET", path, None).status == 200
    }
}
