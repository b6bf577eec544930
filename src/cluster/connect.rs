//! From options to a connection: TLS, credentials, the HTTP stack.
//!
//! The stack is our own rather than kube's default one, which retries 429 and 5xx for minutes without a word,
//! sets no keepalive and no `TCP_NODELAY`, and runs a credential plugin three times without a deadline.

use std::fmt::Write as _;
use std::time::Duration;

use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Client, ConfigExt as _};
use kube::config::{Config, KubeConfigOptions};
use sha2::{Digest as _, Sha256};
use tower::{BoxError, ServiceBuilder};
use tower_http::decompression::DecompressionLayer;

use super::kubeconfig::{self, ConnectError, ConnectOptions, Found};
use super::reader::{Reader, Shared};
use super::retry::Patience;
use super::transport::Transport;
use super::writer::Writer;

/// Requests under way at once, unless said otherwise: about where a small control plane is saturated
/// (measured: 16–24), and far below one user's share of its queues.
const PARALLELISM: usize = 16;

/// Which cluster we talk to, by its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Context of the kubeconfig; none inside a pod or with `--server` alone.
    pub context: Option<String>,
    /// Server URL, without a trailing slash.
    pub server: String,
    /// Whether it is the sandbox.
    pub sandbox: bool,
}

/// How to come by a client, also again when credentials ran out.
pub(crate) enum Login {
    /// From the options; the same context and server as the first time.
    Options { options: Box<ConnectOptions>, pinned: Target },
    /// A test's own.
    #[cfg(test)]
    Fake(Box<dyn Fn() -> Client + Send + Sync>),
}

impl Login {
    /// The server's URL at the start of a message.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Options { pinned, .. } => format!("{}: ", pinned.server),
            #[cfg(test)]
            Self::Fake(_) => String::new(),
        }
    }

    /// A new client, and when its credentials run out.
    pub(crate) async fn open(&self) -> Result<(Client, Option<jiff::Timestamp>), ConnectError> {
        match self {
            Self::Options { options, pinned } => {
                let opened = open(options).await?;
                if opened.target.server != pinned.server {
                    return Err(ConnectError::Incomplete(format!(
                        "the server of this context was {} when the run began and is {} now",
                        pinned.server, opened.target.server
                    )));
                }
                Ok((opened.client, opened.expires))
            }
            #[cfg(test)]
            Self::Fake(make) => Ok((make(), None)),
        }
    }
}

struct Opened {
    client: Client,
    expires: Option<jiff::Timestamp>,
    target: Target,
    /// Digest of CA and server URL.
    digest: String,
}

/// Finds the cluster and prepares a connection to it. Sends nothing.
///
/// # Errors
/// No cluster, a kubeconfig that cannot be used, or a credential plugin that failed.
pub async fn connect(options: &ConnectOptions) -> Result<(Reader, Writer), ConnectError> {
    let opened = open(options).await?;
    let mut again = options.clone();
    again.context = opened.target.context.clone().or(again.context);
    let login = Login::Options { options: Box::new(again), pinned: opened.target.clone() };
    let parallelism = match options.parallelism {
        0 => PARALLELISM,
        given => given,
    };
    let patience = Patience::with(options.request_timeout);
    let transport = Transport::new(opened.client, opened.expires, login, parallelism, patience);
    let reader = Reader::new(Shared { transport, target: opened.target, digest: opened.digest });
    Ok((reader.clone(), Writer::new(reader)))
}

async fn open(options: &ConnectOptions) -> Result<Opened, ConnectError> {
    let (mut config, context) = match kubeconfig::find(options)? {
        Found::Pod => {
            let config =
                Config::incluster_env().map_err(|error| ConnectError::Incomplete(error.to_string()))?;
            (config, None)
        }
        Found::Kubeconfig { config, context } => {
            if let Some(proxy) = kubeconfig::proxy(&config, &context) {
                return Err(ConnectError::Incomplete(format!(
                    "context `{context}` goes through the proxy {proxy}, and proxies are not supported"
                )));
            }
            let chosen = KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
            let config = Config::from_custom_kubeconfig(*config, &chosen)
                .await
                .map_err(|error| ConnectError::Incomplete(format!("context `{context}`: {error}")))?;
            (config, Some(context).filter(|name| !kubeconfig::is_made_up(name)))
        }
    };
    if config.cluster_url.scheme().is_none() || config.cluster_url.host().is_none() {
        let server = &config.cluster_url;
        return Err(ConnectError::Incomplete(format!(
            "`{server}` is no server URL; it looks like https://host:6443"
        )));
    }
    if let Some(provider) = &config.auth_info.auth_provider {
        return Err(ConnectError::Incomplete(format!(
            "auth-provider `{}` was removed from kubectl 1.26; use its credential plugin (exec)",
            provider.name
        )));
    }
    let mut expires = None;
    // Inline tokens and certificates win over a plugin, as with kubectl.
    if let Some(exec) = config.auth_info.exec.take()
        && config.auth_info.token.is_none()
    {
        let credential = super::exec::run(&exec, &options.env, options.interactive).await?;
        expires = credential.expires;
        if let Some((certificate, key)) = credential.certificate {
            use base64::Engine as _;
            let encode = |pem: String| base64::engine::general_purpose::STANDARD.encode(pem);
            config.auth_info.client_certificate_data = Some(encode(certificate));
            config.auth_info.client_key_data = Some(encode(key).into());
        }
        config.auth_info.token = credential.token.map(Into::into);
    }
    let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    let target = Target { context, server, sandbox: options.sandbox.is_some() };
    let digest = digest(&config, &target.server);
    Ok(Opened { client: client(&config)?, expires, target, digest })
}

fn client(config: &Config) -> Result<Client, ConnectError> {
    let trouble = |error: kube::Error| ConnectError::Incomplete(error.to_string());
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_keepalive(Some(Duration::from_secs(15)));
    connector.set_keepalive_interval(Some(Duration::from_secs(5)));
    connector.set_keepalive_retries(Some(3));
    connector.set_connect_timeout(Some(Duration::from_secs(10)));
    let connector = config.rustls_https_connector_with_connector(connector).map_err(trouble)?;
    let hyper = HyperClient::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        // The API server closes idle connections after 90 s; ours go first, so that none is closed under a
        // request.
        .pool_idle_timeout(Duration::from_mins(1))
        .build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .layer(DecompressionLayer::new().gzip(!config.disable_compression && !is_loopback(config)))
        .option_layer(config.auth_layer().map_err(trouble)?)
        .layer(config.extra_headers_layer().map_err(trouble)?)
        .map_err(BoxError::from)
        .service(hyper);
    Ok(Client::new(service, "default"))
}

/// Compressing costs both sides more than a loopback connection does.
fn is_loopback(config: &Config) -> bool {
    let host = config.cluster_url.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn digest(config: &Config, server: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(server.as_bytes());
    for certificate in config.root_cert.iter().flatten() {
        hash.update([0]);
        hash.update(certificate);
    }
    let mut text = String::new();
    for byte in hash.finalize() {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
    }
    text
}
