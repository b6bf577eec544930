//! Plain requests to the API server: whatever method, path and body a test wants, and the answer as it is.

use std::sync::{OnceLock, mpsc};

use http::Request;
use kube::client::Body;
use serde_json::Value;

use crate::identity::User;

/// One answer of the API server, whatever its status.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The HTTP status code.
    pub status: u16,
    /// The body; a string where it is not JSON.
    pub body: Value,
}

impl Reply {
    /// The body, when the status says success.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "the API server answered {}: {}", self.status, self.body);
        self.body
    }
}

/// A client of one user. One, and kept: a connection costs more than a request.
#[derive(Clone)]
pub(crate) struct Api {
    client: kube::Client,
}

impl Api {
    pub(crate) fn new(server: &str, authority_pem: &str, user: User) -> Self {
        let mut config = kube::Config::new(server.parse().expect("the server's address"));
        config.root_cert = Some(vec![der(authority_pem)]);
        config.auth_info.token = Some(user.token().into());
        config.default_retry = false;
        config.read_timeout = Some(std::time::Duration::from_mins(1));
        config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static("arrplan-tests")));
        let _runtime = runtime().enter();
        Self { client: kube::Client::try_from(config).expect("a client of the tests' API server") }
    }

    /// Sends one request. `Err` only where no answer came.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<Reply, String> {
        let mut request = Request::builder().method(method).uri(path);
        let bytes = match body {
            Some((content_type, value)) => {
                request = request.header(http::header::CONTENT_TYPE, content_type);
                value.to_string().into_bytes()
            }
            None => Vec::new(),
        };
        let request = request.body(Body::from(bytes)).map_err(|error| error.to_string())?;
        let client = self.client.clone();
        // Through a channel: a test may be on a runtime of its own, where blocking on a future is refused.
        let (sender, receiver) = mpsc::channel();
        runtime().spawn(async move {
            let reply = async {
                let response = client.send(request).await?;
                let status = response.status().as_u16();
                Ok((status, response.into_body().collect_bytes().await?))
            };
            let reply: Result<_, kube::Error> = reply.await;
            // The receiver is gone only when the waiting test is.
            drop(sender.send(reply));
        });
        let (status, bytes) =
            receiver.recv().map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Ok(Reply { status, body })
    }
}

fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
    })
}

/// The certificate inside PEM armour.
fn der(pem: &str) -> Vec<u8> {
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    decoded(&base64)
}

/// The bytes that base64 stands for.
pub(crate) fn decoded(base64: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => panic!("{byte} in base64"),
    };
    let sextets: Vec<u8> = base64.bytes().filter(|&byte| byte != b'=').map(value).collect();
    let bytes = sextets.chunks(4).flat_map(|chunk| {
        let bits = chunk.iter().fold(0_u32, |bits, &sextet| bits << 6 | u32::from(sextet))
            << (6 * (4 - chunk.len()));
        let [_, bytes @ ..] = bits.to_be_bytes();
        bytes.into_iter().take(chunk.len() - 1)
    });
    bytes.collect()
}
