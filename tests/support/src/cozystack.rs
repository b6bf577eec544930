//! Cozystack's own API server behind the aggregation layer.

use std::ffi::OsString;

use serde_json::{Value, json};

use crate::identity::User;
use crate::parts::Part;
use crate::plane::{ControlPlane, lock};
use crate::process::free_port;
use crate::programs::Programs;
use crate::wait::eventually;

/// An `ApplicationDefinition` of kind `ArrStack`, for [`ControlPlane::serve_cozystack`].
pub const ARRSTACK_DEFINITION: &str = include_str!("arrstack-definition.yaml");

const COZYSTACK_NAMESPACE: &str = "cozy-system";

impl ControlPlane {
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
                let kubeconfig = self.kubeconfig(User::Controller("cozystack-api")).display().to_string();
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
            let reply =
                self.request(User::Admin, "GET", &format!("/apis/apps.cozystack.io/v1alpha1/{plural}"), None);
            (reply.status == 200).then_some(())
        });
        definitions.push(definition.to_owned());
    }

    pub(crate) fn prepare_cozystack(&self, programs: &Programs) {
        self.install_crds(programs.path("share/crds/cozystack-definitions"));
        self.install_crds(programs.path("share/crds/cozystack-controller"));
        self.ensure_namespace(COZYSTACK_NAMESPACE);
    }
}

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
