//! Who the server is and who its users are: certificate, tokens, kubeconfig.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::json;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// The server's certificate and its users' tokens.
pub(in crate::sandbox) struct Identity {
    address: SocketAddr,
    authority: String,
    tls: Arc<ServerConfig>,
    tokens: Vec<(String, String)>,
}

impl Identity {
    /// A new authority and a certificate of it for the address. Keys never leave memory.
    pub(in crate::sandbox) fn new(
        address: SocketAddr,
        tokens: Vec<(String, String)>,
    ) -> Result<Self, String> {
        let (authority, tls) = certificate().map_err(|error| error.to_string())?;
        Ok(Self { address, authority, tls: Arc::new(tls), tokens })
    }

    /// Content of a kubeconfig for the first user.
    pub(in crate::sandbox) fn kubeconfig(&self) -> String {
        let (token, user) = self.tokens.first().cloned().unwrap_or_default();
        let named = |key: &str, value| json!([{ "name": "sandbox", key: value }]);
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": named("cluster", json!({
                "server": format!("https://{}", self.address),
                "certificate-authority-data": STANDARD.encode(&self.authority),
            })),
            "users": [{ "name": user, "user": { "token": token } }],
            "contexts": named("context", json!({ "cluster": "sandbox", "user": user })),
            "current-context": "sandbox",
        });
        format!("{config:#}\n")
    }

    pub(super) fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls)
    }

    /// The user of a bearer token.
    pub(super) fn user_of(&self, token: &str) -> Option<&str> {
        self.tokens.iter().find(|(known, _)| known == token).map(|(_, user)| user.as_str())
    }

    /// Whether a `Host` header names loopback, on whatever port: a tunnel has its own. A page in a browser that
    /// had its own name resolve to loopback would send that name.
    pub(super) fn is_host(host: &str) -> bool {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        ["127.0.0.1", "localhost"].contains(&name)
    }
}

fn certificate() -> Result<(String, ServerConfig), Box<dyn std::error::Error>> {
    let authority_key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params.distinguished_name.push(DnType::CommonName, "arrplan sandbox");
    let authority = params.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, "arrplan sandbox server");
    let leaf = params.signed_by(&key, &issuer)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let mut tls = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key.into())?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((authority, tls))
}
