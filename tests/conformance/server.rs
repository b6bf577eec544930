//! The two servers, and one way to talk to both.

use std::collections::VecDeque;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use arrplan::sandbox::{Options, Running};
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use support::{ControlPlane, User};

/// How long one answer may take, watches apart.
const ANSWER_LIMIT: Duration = Duration::from_mins(1);

/// What to compare. One of them may be left out by `ARRPLAN_CONFORMANCE`.
#[derive(Debug)]
pub(crate) struct Servers {
    /// kube-apiserver.
    pub(crate) real: Option<Server>,
    /// The sandbox.
    pub(crate) sandbox: Option<Server>,
}

/// One server and a client of it.
#[derive(Debug)]
pub(crate) struct Server {
    /// For people.
    pub(crate) name: &'static str,
    /// Content of a kubeconfig.
    pub(crate) kubeconfig: Value,
    client: Client,
}

struct Client(kube::Client);

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

/// One request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ask {
    /// `GET`.
    pub(crate) method: String,
    /// Path and query.
    pub(crate) path: String,
    /// Names and values.
    pub(crate) headers: Vec<(String, String)>,
    /// As it goes out.
    pub(crate) body: Vec<u8>,
}

/// One answer, of which all that is compared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// HTTP status; 0 where no answer came.
    pub(crate) status: u16,
    /// `Content-Type`.
    pub(crate) content_type: String,
    /// `Warning`, in order.
    pub(crate) warnings: Vec<String>,
    /// `Retry-After`.
    pub(crate) retry_after: Option<String>,
    /// A string where it is not JSON; a list of the events of a watch.
    pub(crate) body: Value,
}

/// The servers of this test run, started by the first who asks. `None`: the real one cannot be had here, which was said.
pub(crate) fn servers() -> Option<&'static Servers> {
    static SERVERS: OnceLock<Option<Servers>> = OnceLock::new();
    SERVERS.get_or_init(start).as_ref()
}

fn start() -> Option<Servers> {
    let which = std::env::var("ARRPLAN_CONFORMANCE").unwrap_or_else(|_| "both".into());
    let real = || {
        let kubeconfig = match std::env::var_os("ARRPLAN_CONFORMANCE_REAL") {
            Some(path) => {
                let text =
                    std::fs::read_to_string(path).expect("ARRPLAN_CONFORMANCE_REAL is a readable file");
                serde_json::from_str(&text).expect("a kubeconfig written in JSON")
            }
            None => ControlPlane::shared()?.kubeconfig_content(User::Admin),
        };
        Some(Server::new("real", kubeconfig))
    };
    let sandbox = || Server::new("sandbox", sandbox());
    match which.as_str() {
        "real" => Some(Servers { real: Some(real()?), sandbox: None }),
        "sandbox" => Some(Servers { real: None, sandbox: Some(sandbox()) }),
        "twice" => Some(Servers { real: Some(real()?), sandbox: Some(again()?) }),
        "both" => Some(Servers { real: Some(real()?), sandbox: Some(sandbox()) }),
        other => panic!("ARRPLAN_CONFORMANCE={other}: real, sandbox, both or twice"),
    }
}

impl Server {
    fn new(name: &'static str, kubeconfig: Value) -> Self {
        let file: Kubeconfig = serde_json::from_value(kubeconfig.clone()).expect("a kubeconfig");
        let client = block_on(async {
            let mut config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .expect("a kubeconfig that can be used");
            config.default_retry = false;
            config.read_timeout = None;
            kube::Client::try_from(config).expect("a client")
        });
        Self { name, kubeconfig, client: Client(client) }
    }

    /// The kubeconfig as a file, for kubectl.
    pub(crate) fn kubeconfig_file(&self) -> PathBuf {
        let path = support::scratch_dir().join(format!("{}.kubeconfig", self.name));
        if !path.exists() {
            std::fs::write(&path, self.kubeconfig.to_string()).expect("the scratch folder");
        }
        path
    }

    /// One request and its whole answer.
    pub(crate) async fn ask(&self, ask: &Ask) -> Answer {
        let answer = async {
            let (head, body) = self.open(ask).await?;
            let bytes = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            Ok::<_, String>(Answer { body: parse(&bytes), ..head })
        };
        match tokio::time::timeout(ANSWER_LIMIT, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Answer::none(&error),
            Err(_) => Answer::none("no answer in time"),
        }
    }

    /// One request, and its answer as it comes.
    pub(crate) async fn watch(&self, ask: &Ask) -> Result<Watch, Answer> {
        let opened = tokio::time::timeout(ANSWER_LIMIT, self.open(ask)).await;
        let (head, body) = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => return Err(Answer::none(&error)),
            Err(_) => return Err(Answer::none("no answer in time")),
        };
        if head.status != 200 {
            let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            return Err(Answer { body: parse(&bytes), ..head });
        }
        Ok(Watch { head, body, partial: Vec::new(), events: VecDeque::new() })
    }

    async fn open(&self, ask: &Ask) -> Result<(Answer, Body), String> {
        let mut request = Request::builder().method(ask.method.as_str()).uri(&ask.path);
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(ask.body.clone())).map_err(|error| error.to_string())?;
        let response = self.client.0.send(request).await.map_err(|error| error.to_string())?;
        let head = Answer::head(response.status().as_u16(), response.headers());
        Ok((head, response.into_body()))
    }
}

/// An answer that goes on.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Its head.
    pub(crate) head: Answer,
    body: Body,
    partial: Vec<u8>,
    events: VecDeque<Value>,
}

impl Watch {
    /// The next event; `None` at the end. An answer that breaks off gives a last event that says so.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.partial.extend_from_slice(&data);
                    while let Some(end) = self.partial.iter().position(|&byte| byte == b'\n') {
                        let line: Vec<u8> = self.partial.drain(..=end).collect();
                        self.events.push_back(parse(&line));
                    }
                }
                Some(Err(error)) => return Some(Value::String(format!("broken off: {error}"))),
                None if self.partial.is_empty() => return None,
                None => return Some(parse(&std::mem::take(&mut self.partial))),
            }
        }
    }
}

impl Answer {
    fn head(status: u16, headers: &HeaderMap) -> Self {
        let text = |name: &str| {
            headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let warnings = headers.get_all("warning").iter();
        Self {
            status,
            content_type: text("content-type").unwrap_or_default(),
            warnings: warnings.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect(),
            retry_after: text("retry-after"),
            body: Value::Null,
        }
    }

    /// No answer came.
    pub(crate) fn none(why: &str) -> Self {
        Self {
            status: 0,
            content_type: String::new(),
            warnings: Vec::new(),
            retry_after: None,
            body: Value::String(why.to_owned()),
        }
    }
}

fn parse(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}

/// Runs a future to its end on the suite's own runtime.
pub(crate) fn block_on<T: Send>(future: impl Future<Output = T> + Send) -> T {
    // Scoped, so that a future may borrow: the runtime's own `block_on` on a thread that no runtime runs on.
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The receiver waits below.
            drop(sender.send(runtime().block_on(future)));
        });
    });
    receiver.recv().expect("the future ends without a panic")
}

fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
    })
}

/// A second kube-apiserver in the sandbox's place: what differs then is the suite's own fault.
fn again() -> Option<Server> {
    static PLANE: OnceLock<Option<ControlPlane>> = OnceLock::new();
    let plane = PLANE.get_or_init(|| ControlPlane::own(&[])).as_ref()?;
    Some(Server::new("real again", plane.kubeconfig_content(User::Admin)))
}

/// Starts the sandbox as kube-apiserver runs here: empty and without controllers. Content of its kubeconfig.
fn sandbox() -> Value {
    // It lives as long as the test process does.
    static RUNNING: OnceLock<Running> = OnceLock::new();
    let running = RUNNING.get_or_init(|| {
        let options = Options { tokens: vec![(User::Admin.token(), "admin".into())], ..Options::default() };
        block_on(arrplan::sandbox::start(options)).expect("the sandbox starts")
    });
    serde_json::from_str(running.kubeconfig()).expect("its kubeconfig is JSON")
}
