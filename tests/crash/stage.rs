//! A project and the cluster it is applied to.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use arrplan::failpoint;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use support::{ArrplanCmd, ControlPlane, RunOutput, User, scratch_dir};
use tokio::runtime::Runtime;

/// One runtime for all clients and servers of this test binary.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    })
}

/// A folder with `stacks/crash.toml` and the state beside it, and how its cluster is reached.
pub(crate) struct Stage {
    pub(crate) folder: PathBuf,
    pub(crate) kubeconfig: PathBuf,
    pub(crate) namespace: String,
    client: kube::Client,
}

impl Stage {
    /// A stage in `folder`, whose cluster `config` (the content of a kubeconfig) leads to.
    pub(crate) fn new(folder: &Path, config: &str, namespace: &str) -> Self {
        let project = folder.join("project");
        std::fs::create_dir_all(project.join("stacks")).unwrap();
        let kubeconfig = folder.join("kubeconfig");
        std::fs::write(&kubeconfig, config).unwrap();
        let file: Kubeconfig = serde_json::from_str(config).unwrap();
        let client = runtime().block_on(async {
            let options = KubeConfigOptions::default();
            let mut config = kube::Config::from_custom_kubeconfig(file, &options).await.unwrap();
            config.default_retry = false;
            kube::Client::try_from(config).unwrap()
        });
        Self { folder: project, kubeconfig, namespace: namespace.to_owned(), client }
    }

    /// A stage on a plane, in a namespace that exists.
    pub(crate) fn on_plane(plane: &ControlPlane, prefix: &str) -> Self {
        let namespace = plane.create_namespace(prefix);
        let folder = scratch_dir().join(format!("stage-{namespace}"));
        std::fs::create_dir_all(&folder).unwrap();
        Self::new(&folder, &plane.kubeconfig_content(User::Arrplan).to_string(), &namespace)
    }

    pub(crate) fn write(&self, stack: &str) {
        std::fs::write(self.folder.join("stacks/crash.toml"), stack.replace("NS", &self.namespace)).unwrap();
    }

    pub(crate) fn command(&self, args: &[&str]) -> ArrplanCmd {
        support::arrplan!()
            .home(self.folder.clone())
            .kubeconfig(&self.kubeconfig)
            .folder(&self.folder)
            .args(args.iter().copied())
    }

    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> RunOutput {
        self.command(args).run()
    }

    /// The same under failpoints, with a trace of what is hit.
    pub(crate) fn traced(&self, args: &[&str], failpoints: &str) -> ArrplanCmd {
        drop(std::fs::remove_file(self.trace_path()));
        self.also_traced(args, failpoints)
    }

    /// As [`Self::traced`], behind what the trace holds already.
    pub(crate) fn also_traced(&self, args: &[&str], failpoints: &str) -> ArrplanCmd {
        let spec = format!("trace={}{failpoints}", self.trace_path().display());
        self.command(args).env("ARRPLAN_FAILPOINT", spec)
    }

    pub(crate) fn trace_path(&self) -> PathBuf {
        self.folder.join("trace")
    }

    /// What the last traced run hit so far, in order.
    pub(crate) fn trace(&self) -> Vec<&'static str> {
        let text = std::fs::read_to_string(self.trace_path()).unwrap_or_default();
        // The last line may be on its way.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let known = |line: &str| *failpoint::ALL.iter().find(|name| **name == line).expect("a failpoint");
        whole.lines().map(known).collect()
    }

    /// How often the last traced run hit a failpoint so far.
    pub(crate) fn hits(&self, name: &str) -> usize {
        self.trace().iter().filter(|hit| **hit == name).count()
    }

    pub(crate) fn state_path(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("state/crash.{ending}"))
    }

    /// The state file; `None` if there is none.
    pub(crate) fn state(&self) -> Option<Value> {
        let text = std::fs::read_to_string(self.state_path("json")).ok()?;
        Some(serde_json::from_str(&text).unwrap())
    }

    /// A request as plain as it gets, and its answer.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, kube::Error> {
        let bytes = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request =
            http::Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = request.body(bytes).unwrap();
        runtime().block_on(self.client.request::<Value>(request))
    }

    /// What is there; `None` where there is nothing of that name.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        match self.ask("GET", path, None) {
            Ok(found) => Some(found),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("GET {path}: {error}"),
        }
    }

    /// A config map of somebody else's.
    pub(crate) fn foreign_map(&self, name: &str) {
        let path = format!("/api/v1/namespaces/{}/configmaps?fieldManager=kubectl-create", self.namespace);
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"version": "v0"}});
        self.ask("POST", &path, Some(&map)).unwrap();
    }

    /// The script of faults of a sandbox.
    pub(crate) fn faults(&self, script: &Value) {
        self.ask("PUT", "/sandbox/faults", Some(script)).unwrap();
    }

    /// Whether a request was struck by a rule of the script.
    pub(crate) fn struck(&self) -> bool {
        let told = self.ask("GET", "/sandbox/faults", None).unwrap();
        told.as_array().unwrap().iter().any(|rule| rule["struck"].as_u64().unwrap() > 0)
    }
}
