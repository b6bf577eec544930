//! etcd and kube-apiserver, and the tests' own ways to talk to them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::audit::{self, AuditLog};
use crate::http_api::{Api, Reply};
use crate::identity::{self, Keys, User};
use crate::parts::Part;
use crate::process::{Process, free_port};
use crate::programs::Programs;
use crate::scratch::scratch_folder;
use crate::wait::eventually;

/// How long etcd and the API server may take together on a machine that is busy with the other tests.
const START_LIMIT: Duration = Duration::from_secs(90);
/// A port that was free may be taken when its user comes to it.
const START_ATTEMPTS: usize = 4;
const CORE: [&str; 3] = ["etcd", "kube-apiserver", "kubectl"];

/// A real Kubernetes control plane.
pub struct ControlPlane {
    folder: PathBuf,
    server: String,
    authority: PathBuf,
    /// Of a plane of processes; the sandbox has its own in memory.
    keys: Option<Keys>,
    pub(crate) core: Programs,
    pub(crate) admin: Api,
    audit: AuditLog,
    names: Mutex<BTreeMap<String, u32>>,
    processes: Mutex<BTreeMap<String, Process>>,
    pub(crate) parts: Mutex<BTreeSet<Part>>,
    pub(crate) definitions: Mutex<Vec<String>>,
    pub(crate) users: Mutex<BTreeMap<User, Api>>,
}

impl ControlPlane {
    /// The control plane of this test binary, without controllers. `None`: see [`ControlPlane::with`].
    pub fn shared() -> Option<&'static Self> {
        Self::with(&[])
    }

    /// The control plane of this test binary, with these parts running in it. The first caller starts it.
    ///
    /// `None` when its programs can be neither found nor built, which has then been said on the terminal: the test returns.
    /// With `CI=true` that is a panic instead.
    pub fn with(parts: &[Part]) -> Option<&'static Self> {
        static SHARED: OnceLock<ControlPlane> = OnceLock::new();
        let programs = Programs::find(&Part::targets(parts, &CORE))?;
        let plane = SHARED.get_or_init(|| Self::start(&programs));
        plane.start_parts(parts, &programs);
        Some(plane)
    }

    /// A control plane for one test alone, to stop, freeze or break. Ends when dropped. `None` as in [`ControlPlane::with`].
    pub fn own(parts: &[Part]) -> Option<Self> {
        let programs = Programs::find(&Part::targets(parts, &CORE))?;
        let plane = Self::start(&programs);
        plane.start_parts(parts, &programs);
        Some(plane)
    }

    /// Where its API server listens, as an `https` address.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The certificate of the authority that signed the API server's.
    pub fn authority(&self) -> PathBuf {
        self.authority.clone()
    }

    /// Whether its API server is the sandbox.
    pub fn is_sandbox(&self) -> bool {
        self.keys.is_none()
    }

    /// The folder of its logs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The audit log.
    pub fn audit(&self) -> &AuditLog {
        &self.audit
    }

    /// A kubeconfig file of one user.
    pub fn kubeconfig(&self, user: User) -> PathBuf {
        let path = self.folder.join(format!("{}.kubeconfig", user.name()));
        if !path.exists() {
            // Whole or not at all: another test may ask for the same file at the same moment.
            let draft = tempfile::NamedTempFile::new_in(&self.folder).expect("the plane's folder");
            let content = self.kubeconfig_content(user);
            std::fs::write(draft.path(), content.to_string()).expect("the plane's folder");
            draft.persist(&path).expect("the plane's folder");
        }
        path
    }

    /// The content of that file, for tests that change something in it.
    pub fn kubeconfig_content(&self, user: User) -> Value {
        identity::kubeconfig(&self.server, &self.authority(), user)
    }

    /// A DNS-1123 name nobody else gets from this plane: `prefix`, and from its second use on with a number. Prefixes that only
    /// one test uses give the same name in every run, which snapshots like.
    pub fn namespace(&self, prefix: &str) -> String {
        let mut names = lock(&self.names);
        let uses = names.entry(prefix.to_owned()).or_insert(0);
        *uses += 1;
        if *uses == 1 { prefix.to_owned() } else { format!("{prefix}-{uses}") }
    }

    /// [`ControlPlane::namespace`], and the Namespace exists.
    pub fn create_namespace(&self, prefix: &str) -> String {
        let name = self.namespace(prefix);
        let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        let reply = self.request(User::Admin, "POST", "/api/v1/namespaces", Some(&object));
        // Some are there from the start.
        if !(self.is_sandbox() && reply.status == 409) {
            reply.ok();
        }
        name
    }

    /// Runs `act` with the process of this name (`etcd`, `kube-apiserver`, a controller), to signal it or read its log.
    #[track_caller]
    pub fn process<T>(&self, name: &str, act: impl FnOnce(&mut Process) -> T) -> T {
        act(lock(&self.processes)
            .get_mut(name)
            .unwrap_or_else(|| panic!("{name} does not run in this plane")))
    }

    /// Names and process ids of all that runs.
    pub fn processes(&self) -> BTreeMap<String, u32> {
        lock(&self.processes).iter().map(|(name, process)| (name.clone(), process.pid())).collect()
    }

    /// Ends one process at once, as a crash would.
    pub fn stop(&self, name: &str) {
        drop(lock(&self.processes).remove(name));
    }

    /// A process that was started apart.
    pub(crate) fn adopt(&self, name: &str, process: Process) {
        lock(&self.processes).insert(name.to_owned(), process);
    }

    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.keys.as_ref().expect("a plane of processes has keys").path(name)
    }

    /// A folder for bulk that even a failure does not keep.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        let path = self.folder.join("data").join(name);
        std::fs::create_dir_all(&path).expect("the plane's folder");
        path
    }

    pub(crate) fn launch(
        &self,
        program: &Path,
        args: impl IntoIterator<Item = impl Into<OsString>>,
        environment: &[(&str, OsString)],
    ) {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // One that crashed before must be gone before its successor takes its log and ports.
        self.stop(&name);
        let log = self.folder.join(format!("{name}.log"));
        let process = Process::start(program, args.into_iter().map(Into::into), environment, log);
        lock(&self.processes).insert(name, process);
    }

    fn start(programs: &Programs) -> Self {
        let mut last = String::new();
        for _ in 0..START_ATTEMPTS {
            match Self::try_start(programs) {
                Ok(plane) => return plane,
                Err(error) if error.contains("address already in use") => last = error,
                Err(error) => panic!("the control plane does not start: {error}"),
            }
        }
        panic!("the control plane does not start: {last}")
    }

    fn try_start(programs: &Programs) -> Result<Self, String> {
        let folder = scratch_folder("plane");
        let keys_folder = folder.join("data/keys");
        std::fs::create_dir_all(&keys_folder).expect("the plane's folder");
        let keys = Keys::create(keys_folder);
        let audit_path = folder.join("audit.log");
        std::fs::write(&audit_path, "").expect("the plane's folder");
        let server = format!("https://127.0.0.1:{}", free_port());
        let authority = std::fs::read_to_string(keys.path("ca.crt")).expect("just written");
        let admin = Api::new(&server, &authority, User::Admin);
        let authority = keys.path("ca.crt");
        let plane = Self::new(folder, server, authority, Some(keys), programs, admin, audit_path);
        let etcd = plane.start_etcd(programs);
        plane.start_apiserver(programs, &etcd);
        plane.wait_until_ready()?;
        plane.bind_arrplan();
        Ok(plane)
    }

    /// What the two kinds of planes have in common.
    pub(crate) fn new(
        folder: PathBuf,
        server: String,
        authority: PathBuf,
        keys: Option<Keys>,
        programs: &Programs,
        admin: Api,
        audit: PathBuf,
    ) -> Self {
        Self {
            audit: AuditLog::new(audit, admin.clone()),
            core: programs.clone(),
            names: Mutex::default(),
            processes: Mutex::default(),
            parts: Mutex::default(),
            definitions: Mutex::default(),
            users: Mutex::default(),
            folder,
            server,
            authority,
            keys,
            admin,
        }
    }

    fn start_etcd(&self, programs: &Programs) -> String {
        let client = format!("http://127.0.0.1:{}", free_port());
        let peer = format!("http://127.0.0.1:{}", free_port());
        let args = [
            format!("--data-dir={}", self.data("etcd").display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            // Durability is not what these tests are about, and each fsync is a wait.
            "--unsafe-no-fsync".to_owned(),
        ];
        self.launch(programs.path("etcd"), args, &[]);
        client
    }

    fn start_apiserver(&self, programs: &Programs, etcd: &str) {
        let key = |name: &str| self.key(name).display().to_string();
        let write = |name: &str, content: String| {
            std::fs::write(self.key(name), content).expect("the plane's folder");
            key(name)
        };
        let tokens = write("tokens.csv", identity::token_file());
        let policy = write("audit-policy.json", audit::policy().to_string());
        let port = self.server.rsplit(':').next().unwrap_or_default();
        let args = [
            format!("--etcd-servers={etcd}"),
            format!("--secure-port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            // The Endpoints of the `kubernetes` service must not hold loopback, and nobody goes there.
            "--endpoint-reconciler-type=none".to_owned(),
            format!("--tls-cert-file={}", key("apiserver.crt")),
            format!("--tls-private-key-file={}", key("apiserver.key")),
            format!("--service-account-issuer={}", self.server),
            format!("--service-account-key-file={}", key("service-accounts.pub")),
            format!("--service-account-signing-key-file={}", key("service-accounts.key")),
            "--authorization-mode=RBAC".to_owned(),
            format!("--token-auth-file={tokens}"),
            // The sandbox has the same, so that one corpus fits both.
            "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            "--allow-privileged=true".to_owned(),
            format!("--client-ca-file={}", key("ca.crt")),
            format!("--requestheader-client-ca-file={}", key("front-proxy-ca.crt")),
            "--requestheader-allowed-names=front-proxy-client".to_owned(),
            "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
            "--requestheader-group-headers=X-Remote-Group".to_owned(),
            "--requestheader-username-headers=X-Remote-User".to_owned(),
            format!("--proxy-client-cert-file={}", key("front-proxy-client.crt")),
            format!("--proxy-client-key-file={}", key("front-proxy-client.key")),
            format!("--audit-log-path={}", self.audit.path().display()),
            format!("--audit-policy-file={policy}"),
            // A line is in the file before the request's handler returns, and the file is never rotated away.
            "--audit-log-mode=blocking".to_owned(),
            "--audit-log-maxsize=100000".to_owned(),
            "--profiling=false".to_owned(),
        ];
        self.launch(programs.path("kube-apiserver"), args, &[]);
    }

    fn wait_until_ready(&self) -> Result<(), String> {
        let started = Instant::now();
        loop {
            if self.is_ready() {
                return Ok(());
            }
            for name in ["etcd", "kube-apiserver"] {
                let ended = self.process(name, |process| process.has_ended().then(|| process.log_tail()));
                if let Some(tail) = ended {
                    return Err(format!("{name} ended; logs in {}:\n{tail}", self.folder.display()));
                }
            }
            if started.elapsed() > START_LIMIT {
                let tail = self.process("kube-apiserver", |process| process.log_tail());
                return Err(format!("not ready in {} s: {tail}", START_LIMIT.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        let answers = |path| self.admin.send("GET", path, None).is_ok_and(|reply: Reply| reply.status == 200);
        // The namespace comes a moment after the server calls itself ready.
        answers("/readyz") && answers("/api/v1/namespaces/default")
    }

    fn bind_arrplan(&self) {
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": { "name": "arrplan-tests" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": User::Arrplan.name() }],
        });
        let path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
        self.request(User::Admin, "POST", path, Some(&binding)).ok();
        // The authorizer learns of it from a watch.
        eventually("the rights of the user arrplan", || {
            let reply = self.request(User::Arrplan, "GET", "/api/v1/nodes", None);
            (reply.status == 200).then_some(())
        });
    }
}

impl fmt::Debug for ControlPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlPlane").field("server", &self.server).finish_non_exhaustive()
    }
}

/// A test that panicked while it held a lock has left nothing half done behind it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
