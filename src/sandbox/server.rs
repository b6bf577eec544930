//! The server: what all requests share, and its start and end.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::controllers::{self, Sources};
use super::custom;
use super::http::{self, AuditLog, Entry, Identity};
use super::resource::{Draw, Registry};
use super::seed::seed;
use super::storage::{OpenError, Storage};
use super::{kinds, local_api, verbs};

/// How long a start waits for the controllers.
const SETTLE: Duration = Duration::from_secs(3);

/// How a sandbox is to run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where its objects are kept; `None` keeps them in memory alone.
    pub folder: Option<PathBuf>,
    /// The port on loopback; `None` takes a free one.
    pub port: Option<u16>,
    /// Whether the stand-ins for controllers run.
    pub controllers: bool,
    /// Folders that Git sources, by namespace and name, are served from.
    pub sources: BTreeMap<(String, String), PathBuf>,
    /// A file of more of them (see [`super::parse_sources`]), read each time it matters: others may write it.
    pub sources_file: Option<PathBuf>,
    /// Where one line per request is appended, in the form of `audit.k8s.io/v1`.
    pub audit: Option<PathBuf>,
    /// Bearer tokens and their users. Every user may do everything. The kubeconfig has the first; without
    /// any, one is drawn.
    pub tokens: Vec<(String, String)>,
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port.
    #[error("the sandbox cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// What it keeps.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// What every cluster has cannot be made.
    #[error("the sandbox cannot be furnished: {0}")]
    Seed(String),
    /// Keys or certificates.
    #[error("the sandbox cannot make its certificate: {0}")]
    Certificate(String),
    /// The audit log.
    #[error("the sandbox cannot write its audit log {}: {source}", path.display())]
    Audit {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Why the objects of a sandbox cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StorageError(OpenError);

/// What all requests share.
pub(super) struct Server {
    /// Objects.
    pub(super) storage: Storage,
    /// Kinds.
    pub(super) registry: Registry,
    /// What a test wants to go wrong.
    #[cfg(feature = "faults")]
    pub(super) faults: super::faults::Faults,
    /// Where it listens: `127.0.0.1:6443`.
    address: String,
    audit: Option<AuditLog>,
    source: Source,
    addresses: AtomicU32,
}

/// Where times and uids are drawn from.
pub(super) struct Source {
    /// The time.
    pub(super) now: Box<dyn Fn() -> jiff::Timestamp + Send + Sync>,
    /// A uid nobody has.
    pub(super) uid: Box<dyn Fn() -> String + Send + Sync>,
}

impl Default for Source {
    fn default() -> Self {
        Self { now: Box::new(jiff::Timestamp::now), uid: Box::new(|| uuid::Uuid::new_v4().to_string()) }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("storage", &self.storage).finish_non_exhaustive()
    }
}

impl Server {
    /// A server over `storage` that draws from `source` and is told to listen at `address`.
    pub(super) fn new(storage: Storage, source: Source, address: String, audit: Option<AuditLog>) -> Self {
        let registry = Registry::default();
        registry.change(|served| {
            let built_in = kinds::built_in().into_iter().chain([custom::definition()]);
            for resource in built_in.chain(verbs::review::resources()) {
                let key = (resource.group.clone(), resource.version.clone(), resource.plural.clone());
                served.insert(key, Arc::new(resource));
            }
        });
        let addresses = AtomicU32::new(0);
        let server = Self {
            storage,
            registry,
            #[cfg(feature = "faults")]
            faults: super::faults::Faults::default(),
            address,
            audit,
            source,
            addresses,
        };
        verbs::serve_definitions(&server);
        server
    }

    /// Where it listens.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The time.
    pub(super) fn time(&self) -> jiff::Timestamp {
        (self.source.now)()
    }

    /// Logs a request that is about to be answered.
    ///
    /// # Errors
    /// The log cannot be written.
    pub(super) fn log(&self, entry: &Entry, code: u16) -> std::io::Result<()> {
        self.audit.as_ref().map_or(Ok(()), |audit| audit.write(entry, code, self.time()))
    }
}

/// Letters of generated names: no vowels, nothing that is easily misread (`util/rand` of Kubernetes).
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

impl Server {
    /// A name that begins with `prefix`, as far as that fits into a DNS label.
    pub(super) fn generate_name(&self, prefix: &str) -> String {
        const LONGEST_PREFIX: usize = 58;
        let mut end = prefix.len().min(LONGEST_PREFIX);
        while !prefix.is_char_boundary(end) {
            end -= 1;
        }
        let uid = self.uid();
        let mut drawn = uid.bytes().fold(14_695_981_039_346_656_037_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211)
        });
        let mut name = prefix[..end].to_owned();
        for _ in 0..5 {
            let letters = LETTERS.len() as u64;
            name.push(char::from(LETTERS[usize::try_from(drawn % letters).unwrap_or_default()]));
            drawn /= letters;
        }
        name
    }
}

impl Draw for Server {
    fn cluster_ip(&self) -> String {
        let (services, _) = self.storage.list("", "services", None);
        let is_taken = |address: &str| {
            services.iter().any(|(_, service)| service.object["spec"]["clusterIP"] == address)
        };
        loop {
            // 10.96.0.0/16 without its first ten, which well-known services ask for by number.
            // More services than that no sandbox has.
            let number = self.addresses.fetch_add(1, Ordering::Relaxed) % 65_000 + 10;
            let address = format!("10.96.{}.{}", number / 256, number % 256);
            if !is_taken(&address) {
                return address;
            }
        }
    }

    fn node_port(&self) -> u16 {
        const PORTS: u32 = 2768;
        let start = self.addresses.fetch_add(1, Ordering::Relaxed);
        let mut ports = (0..PORTS).map(|step| {
            let number = start.wrapping_add(step) % PORTS;
            30_000 + u16::try_from(number).unwrap_or_default()
        });
        // With all of them taken, one is shared: nothing listens on it.
        ports.find(|port| !self.is_node_port_taken(*port)).unwrap_or(30_000)
    }

    fn is_node_port_taken(&self, port: u16) -> bool {
        let (services, _) = self.storage.list("", "services", None);
        services.iter().any(|(_, service)| {
            let ports = service.object["spec"]["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
            let health = &service.object["spec"]["healthCheckNodePort"];
            ports.iter().any(|entry| entry["nodePort"] == port) || *health == port
        })
    }

    fn uid(&self) -> String {
        (self.source.uid)()
    }

    fn now(&self) -> String {
        let seconds = (self.source.now)().as_second();
        jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
    }

    fn all(&self, group: &str, plural: &str) -> Vec<Arc<Value>> {
        let (objects, _) = self.storage.list(group, plural, None);
        objects.into_iter().map(|(_, stored)| stored.object).collect()
    }

    fn default_storage_class(&self) -> Option<String> {
        const MARK: &str = "storageclass.kubernetes.io/is-default-class";
        let (classes, _) = self.storage.list("storage.k8s.io", "storageclasses", None);
        let defaults =
            classes.iter().filter(|(_, class)| class.object["metadata"]["annotations"][MARK] == "true");
        // The newest, and of several made in one second the first by name: as the admission plugin picks.
        let newest = defaults.max_by(|(a_key, a), (b_key, b)| {
            let time = |object: &Value| object["metadata"]["creationTimestamp"].as_str().map(str::to_owned);
            time(&a.object).cmp(&time(&b.object)).then_with(|| b_key.name.cmp(&a_key.name))
        });
        newest.map(|(key, _)| key.name.clone())
    }
}

/// A sandbox that runs.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    kubeconfig: String,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Running {
    /// Content of a kubeconfig file (JSON, which is YAML) for its first user.
    #[must_use]
    pub fn kubeconfig(&self) -> &str {
        &self.kubeconfig
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Ends it: no request is accepted any more, and those under way end with their connections.
    pub async fn stop(mut self) {
        self.stop.cancel();
        for task in std::mem::take(&mut self.tasks) {
            // It ends by itself; a panic in it has been reported by its own thread.
            drop(task.await);
        }
    }
}

/// Starts a sandbox on loopback.
///
/// # Errors
/// The port is taken, or a file cannot be written.
pub async fn start(options: Options) -> Result<Running, StartError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port.unwrap_or(0)));
    let listen = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let tokens = match options.tokens {
        none if none.is_empty() => vec![(uuid::Uuid::new_v4().to_string(), "admin".to_owned())],
        tokens => tokens,
    };
    let identity = Identity::new(address, tokens).map_err(StartError::Certificate)?;
    let kubeconfig = identity.kubeconfig();
    let storage = match &options.folder {
        Some(folder) => Storage::open(folder).map_err(StorageError)?,
        None => Storage::in_memory(),
    };
    let audit =
        options.audit.map(|path| AuditLog::open(&path).map_err(|source| StartError::Audit { path, source }));
    let audit = audit.transpose()?;
    let server = Arc::new(Server::new(storage, Source::default(), address.to_string(), audit));
    let written = local_api::publish(&server).await;
    written.map_err(|error| StartError::Seed(error.to_string()))?;
    seed(&server, options.controllers).await.map_err(|error| StartError::Seed(error.message))?;
    let stop = CancellationToken::new();
    let mut tasks = Vec::new();
    if options.controllers {
        let sources = Sources { given: options.sources, file: options.sources_file };
        let (idle, mut done) = watch::channel(0);
        tasks.push(tokio::spawn(controllers::run(Arc::clone(&server), sources, idle, stop.clone())));
        // What the last run left undone is done before anybody looks. Late is not wrong: a cluster is busy, too.
        drop(tokio::time::timeout(SETTLE, done.wait_for(|revision| *revision > 0)).await);
    }
    tasks.push(tokio::spawn(http::serve(Arc::clone(&server), listener, identity, stop.clone())));
    Ok(Running { address, kubeconfig, stop, tasks })
}
