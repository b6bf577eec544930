//! A server for tests: a function from request to answer behind the real transport. No sockets.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use kube::client::{Body, Client};
use serde_json::{Value, json};
use tower::{BoxError, service_fn};

use super::connect::{Login, Target};
use super::reader::{Reader, Shared};
use super::retry::Patience;
use super::transport::Transport;
use super::writer::Writer;
use super::{Api, ServedBy};

/// What the server got.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Got {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) body: Value,
}

/// What the server says.
pub(crate) enum Say {
    Json(u16, Value),
    Text(u16, &'static str),
    /// With `Retry-After`.
    Wait(u16, u64),
    /// Parts of a body, then a clean end.
    Stream(Vec<String>),
    Break,
    Hang,
}

pub(crate) type Log = Arc<Mutex<Vec<Got>>>;

/// A client of a server that answers by `answer`, and the log of what it got.
pub(crate) fn client(log: &Log, answer: impl Fn(&Got) -> Say + Send + Sync + Clone + 'static) -> Client {
    let log = log.clone();
    let service = service_fn(move |request: Request<Body>| {
        let (log, answer) = (log.clone(), answer.clone());
        async move {
            let (parts, body) = request.into_parts();
            let bytes = body.collect_bytes().await?;
            let got = Got {
                method: parts.method.to_string(),
                uri: parts.uri.to_string(),
                body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            };
            log.lock().unwrap().push(got.clone());
            let (status, body) = match answer(&got) {
                Say::Json(status, body) => (status, body.to_string()),
                Say::Text(status, text) => (status, text.to_owned()),
                Say::Wait(status, seconds) => {
                    let response =
                        Response::builder().status(status).header("retry-after", seconds.to_string());
                    return Ok::<_, BoxError>(response.body(Body::empty())?);
                }
                Say::Stream(parts) => (200, parts.concat()),
                Say::Break => return Err("connection reset by peer".into()),
                Say::Hang => {
                    tokio::time::sleep(Duration::from_secs(1_000_000)).await;
                    return Err("unreachable".into());
                }
            };
            Ok(Response::builder().status(status).body(Body::from(body.into_bytes()))?)
        }
    });
    Client::new(service, "default")
}

/// A writer on such a server.
pub(crate) fn server(answer: impl Fn(&Got) -> Say + Send + Sync + Clone + 'static) -> (Writer, Log) {
    let log = Log::default();
    let renewed = {
        let (log, answer) = (log.clone(), answer.clone());
        move || {
            log.lock().unwrap().push(Got {
                method: "LOGIN".to_owned(),
                uri: String::new(),
                body: Value::Null,
            });
            client(&log, answer.clone())
        }
    };
    let transport =
        Transport::new(client(&log, answer), None, Login::Fake(Box::new(renewed)), 16, Patience::default());
    let reader = Reader::new(Shared {
        transport,
        target: Target { context: None, server: "https://fake".to_owned(), sandbox: false },
        digest: "digest".to_owned(),
    });
    (Writer::new(reader), log)
}

/// A server that gives these answers in turn, the last for ever.
pub(crate) fn script(answers: Vec<Say>) -> (Writer, Log) {
    let answers = Arc::new(Mutex::new(answers.into_iter().collect::<std::collections::VecDeque<_>>()));
    server(move |_| {
        let mut left = answers.lock().unwrap();
        left.pop_front().unwrap_or(Say::Text(599, "the script is over"))
    })
}

#[expect(clippy::needless_pass_by_value, reason = "the argument is a `json!` temporary")]
pub(crate) fn status(code: u16, reason: &str, message: &str, details: Value) -> Say {
    Say::Json(
        code,
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "reason": reason, "message": message, "details": details, "code": code,
        }),
    )
}

pub(crate) fn config_map(name: &str, resource_version: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": "a", "uid": format!("uid-{name}"), "resourceVersion": resource_version },
    })
}

fn api(plural: &str, kind: &str, namespaced: bool) -> Api {
    Api {
        group: String::new(),
        version: "v1".to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
        namespaced,
        scalable: false,
        verbs: ["create", "delete", "get", "list", "patch", "update", "watch"].map(str::to_owned).to_vec(),
        served_by: ServedBy::BuiltIn,
    }
}

pub(crate) fn config_maps() -> Api {
    api("configmaps", "ConfigMap", true)
}

pub(crate) fn namespaces() -> Api {
    api("namespaces", "Namespace", false)
}
