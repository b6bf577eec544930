//! One sandbox and one project folder, and what can be seen of both without the engine's eyes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use arrplan::sandbox::{self, Options, Running};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use support::{ArrplanCmd, AuditRecord, eventually};

use crate::intent::{EXTRA, Intent, MAIN};
use crate::render::{self, CANARY, STACK};

/// Lists that are looked at: `apiVersion`, kind, path.
const LISTS: [(&str, &str, &str); 7] = [
    ("v1", "Namespace", "/api/v1/namespaces"),
    ("v1", "ConfigMap", "/api/v1/configmaps"),
    ("v1", "Secret", "/api/v1/secrets"),
    ("v1", "Service", "/api/v1/services"),
    ("v1", "PersistentVolumeClaim", "/api/v1/persistentvolumeclaims"),
    (
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    ),
    ("machine.test/v1", "Gear", "/apis/machine.test/v1/gears"),
];

/// The runtime of all sandboxes.
pub(crate) fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    })
}

/// A sandbox, and a project of one stack that is applied to it.
pub(crate) struct World {
    pub(crate) folder: PathBuf,
    pub(crate) canary: String,
    home: PathBuf,
    audit: PathBuf,
    audit_read: u64,
    client: kube::Client,
    sandbox: Option<Running>,
}

impl World {
    /// Starts a sandbox with the namespace [`MAIN`].
    pub(crate) fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let folder =
            support::scratch_dir().join(format!("machine-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let home = folder.join("home");
        for path in [folder.join("stacks"), home.clone()] {
            std::fs::create_dir_all(path).unwrap();
        }
        let audit = folder.join("audit.log");
        let users = ["arrplan", "admin"].map(|user| (format!("token-of-{user}"), user.to_owned()));
        let options = Options {
            controllers: true,
            audit: Some(audit.clone()),
            tokens: users.into(),
            ..Options::default()
        };
        let sandbox = runtime().block_on(sandbox::start(options)).unwrap();
        let mut kubeconfig: Value = serde_json::from_str(sandbox.kubeconfig()).unwrap();
        std::fs::write(folder.join("kubeconfig"), kubeconfig.to_string()).unwrap();
        kubeconfig["users"][0]["user"]["token"] = json!("token-of-admin");
        let client = runtime().block_on(async {
            let file: Kubeconfig = serde_json::from_value(kubeconfig).unwrap();
            let options = KubeConfigOptions::default();
            let mut config = kube::Config::from_custom_kubeconfig(file, &options).await.unwrap();
            config.default_retry = false;
            kube::Client::try_from(config).unwrap()
        });
        let canary = format!("canary-{}", uuid::Uuid::new_v4().simple());
        let world = Self { folder, canary, home, audit, audit_read: 0, client, sandbox: Some(sandbox) };
        world.make(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": MAIN}}));
        world
    }

    /// Ends the sandbox and removes the folder.
    pub(crate) fn end(mut self) {
        if let Some(sandbox) = self.sandbox.take() {
            runtime().block_on(sandbox.stop());
        }
        std::fs::remove_dir_all(&self.folder).unwrap();
    }

    /// One request as the user `admin`: status and body.
    pub(crate) fn request(&self, method: &str, path: &str, kind: &str, body: &Value) -> (u16, Value) {
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = http::Request::builder().method(method).uri(path).header("content-type", kind);
        let request = request.body(Body::from(bytes)).unwrap();
        runtime().block_on(async {
            let response = self.client.clone().send(request).await.unwrap();
            let status = response.status().as_u16();
            let bytes = response.into_body().collect_bytes().await.unwrap();
            (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
        })
    }

    pub(crate) fn get(&self, key: &str) -> Option<Value> {
        let (status, body) = self.request("GET", &path(key), "application/json", &Value::Null);
        (status == 200).then_some(body)
    }

    pub(crate) fn make(&self, object: &Value) {
        let path = path(&key(object));
        let (folder, _) = path.rsplit_once('/').unwrap();
        self.request("POST", folder, "application/json", object);
    }

    /// A merge patch in the name of a field manager. What the server refuses does not happen.
    pub(crate) fn merge(&self, key: &str, manager: &str, patch: &Value) {
        let path = format!("{}?fieldManager={manager}", path(key));
        self.request("PATCH", &path, "application/merge-patch+json", patch);
    }

    /// Server-side apply by force.
    pub(crate) fn declare(&self, key: &str, manager: &str, manifest: &Value) {
        let path = format!("{}?fieldManager={manager}&force=true", path(key));
        self.request("PATCH", &path, "application/apply-patch+yaml", manifest);
    }

    pub(crate) fn delete(&self, key: &str) {
        let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"});
        self.request("DELETE", &path(key), "application/json", &options);
    }

    /// Waits until an object is not there.
    pub(crate) fn until_gone(&self, key: &str) {
        eventually(&format!("{key} to be gone"), || self.get(key).is_none().then_some(()));
    }

    /// Replaces the sandbox's script of faults.
    pub(crate) fn script(&self, rules: &Value) {
        let (status, answer) = self.request("PUT", "/sandbox/faults", "application/json", rules);
        assert_eq!(status, 200, "{answer}");
    }

    /// How often the script struck; it ends here.
    pub(crate) fn end_script(&self) -> u64 {
        let (_, told) = self.request("GET", "/sandbox/faults", "application/json", &Value::Null);
        self.request("DELETE", "/sandbox/faults", "application/json", &Value::Null);
        told.as_array().into_iter().flatten().filter_map(|rule| rule["struck"].as_u64()).sum()
    }

    pub(crate) fn write_stack(&self, intent: &Intent) {
        std::fs::write(self.folder.join(format!("stacks/{STACK}.toml")), render::stack(intent)).unwrap();
    }

    pub(crate) fn state_path(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("state/{STACK}.{extension}"))
    }

    pub(crate) fn arrplan(&self, args: &[String]) -> ArrplanCmd {
        support::arrplan!()
            .home(&self.home)
            .kubeconfig(self.folder.join("kubeconfig"))
            .folder(&self.folder)
            .env(CANARY, &self.canary)
            .args(args.iter().cloned())
    }

    /// What the audit log got since this was last asked.
    pub(crate) fn audited(&mut self) -> Vec<AuditRecord> {
        let (records, read) = self.audit_from(self.audit_read);
        self.audit_read = read;
        records
    }

    /// The same, once more to be had.
    pub(crate) fn peek(&self) -> Vec<AuditRecord> {
        self.audit_from(self.audit_read).0
    }

    fn audit_from(&self, start: u64) -> (Vec<AuditRecord>, u64) {
        let mut file = std::fs::File::open(&self.audit).unwrap();
        file.seek(SeekFrom::Start(start)).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let complete = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let text = String::from_utf8(bytes[..complete].to_vec()).unwrap();
        (text.lines().map(AuditRecord::parse).collect(), start + complete as u64)
    }

    /// Waits until nothing more is logged: requests of a process that was killed may still be under way.
    pub(crate) fn until_quiet(&self) {
        const QUIET: Duration = Duration::from_millis(40);
        let length = || std::fs::metadata(&self.audit).unwrap().len();
        let (mut last, mut since) = (length(), Instant::now());
        eventually("the sandbox to be quiet", || {
            let now = length();
            if now != last {
                (last, since) = (now, Instant::now());
            }
            (since.elapsed() >= QUIET).then_some(())
        });
    }

    /// The state file; null where there is none.
    pub(crate) fn state(&self) -> Value {
        let state = std::fs::read_to_string(self.state_path("json"));
        state.map_or(Value::Null, |state| serde_json::from_str(&state).unwrap())
    }

    /// State and objects as they are now.
    pub(crate) fn see(&self) -> Seen {
        let state = self.state();
        let journal = std::fs::read_to_string(self.state_path("journal")).unwrap_or_default();
        // The last line of an interrupted run may be half written.
        let journal = journal.lines().skip(1).filter_map(|line| serde_json::from_str(line).ok()).collect();
        let mut objects = BTreeMap::new();
        for (api_version, kind, path) in LISTS {
            let (status, list) = self.request("GET", path, "application/json", &Value::Null);
            assert!(status == 200 || status == 404, "{path}: {list}");
            for mut object in list["items"].as_array().cloned().unwrap_or_default() {
                object["apiVersion"] = api_version.into();
                object["kind"] = kind.into();
                if is_watched(&object) {
                    objects.insert(key(&object), object);
                }
            }
        }
        let revisions = std::fs::read_dir(self.state_path("revisions")).into_iter().flatten();
        let revisions =
            revisions.filter_map(|entry| entry.unwrap().path().file_stem()?.to_str()?.parse().ok());
        Seen { state, journal, objects, revisions: revisions.collect() }
    }
}

fn is_watched(object: &Value) -> bool {
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap();
    match metadata["namespace"].as_str() {
        Some(namespace) => [MAIN, EXTRA].contains(&namespace) && name != "kube-root-ca.crt",
        None => object["kind"] != "Namespace" || [MAIN, EXTRA].contains(&name),
    }
}

/// The key of an object in arrplan's notation.
pub(crate) fn key(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
    let kind = match text(&object["apiVersion"]).split_once('/') {
        Some((group, _)) => format!("{kind}.{group}"),
        None => kind,
    };
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => format!("{kind}/{namespace}/{name}"),
        None => format!("{kind}/{name}"),
    }
}

/// Where the object of a key is served.
fn path(key: &str) -> String {
    let parts: Vec<&str> = key.split('/').collect();
    let (kind, _) = parts[0].split_once('.').unwrap_or((parts[0], ""));
    let (_, _, list) = LISTS.iter().find(|(_, listed, _)| *listed == kind).unwrap();
    match parts[1..] {
        [name] => format!("{list}/{name}"),
        [namespace, name] => {
            let (folder, plural) = list.rsplit_once('/').unwrap();
            format!("{folder}/namespaces/{namespace}/{plural}/{name}")
        }
        _ => panic!("{key}"),
    }
}

/// What was seen at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The state file; null where there is none.
    pub(crate) state: Value,
    /// Records of the journal.
    pub(crate) journal: Vec<Value>,
    pub(crate) objects: BTreeMap<String, Value>,
    /// Serials of the recorded revisions.
    pub(crate) revisions: BTreeSet<u64>,
}

impl Seen {
    pub(crate) fn lineage(&self) -> &str {
        self.state["lineage"].as_str().unwrap_or_default()
    }

    pub(crate) fn serial(&self) -> u64 {
        self.state["serial"].as_u64().unwrap_or_default()
    }

    pub(crate) fn uid(&self, key: &str) -> Option<&str> {
        self.objects.get(key)?["metadata"]["uid"].as_str()
    }

    /// Whether a live object carries the mark of this state.
    pub(crate) fn is_marked(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        let lineage = metadata["annotations"]["arrplan.dev/lineage"].as_str();
        let is_ours = lineage.is_some_and(|lineage| self.lineage().is_empty() || lineage == self.lineage());
        metadata["labels"]["arrplan.dev/stack"] == STACK && is_ours
    }

    pub(crate) fn is_protected(&self, object: &Value) -> bool {
        self.is_marked(object) && object["metadata"]["annotations"]["arrplan.dev/protect"] == "true"
    }
}
