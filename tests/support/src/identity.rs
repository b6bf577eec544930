//! Who may talk to the API server, and the keys everybody needs.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};

/// Whose credentials a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum User {
    /// In `system:masters`: past RBAC and past the limits of API priority and fairness. The tests' own hand.
    Admin,
    /// Bound to `cluster-admin` but subject to fairness, as a person's account is. What the binary under test uses.
    Arrplan,
    /// Authenticated, with no rights at all.
    Nobody,
    /// The controllers, one account each so that the audit log tells them apart; in `system:masters`.
    Controller(&'static str),
}

/// The programs that get an account of their own.
const CONTROLLERS: [&str; 7] = [
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
    "source-controller",
    "helm-controller",
    "kustomize-controller",
    "cozystack-api",
];

impl User {
    /// The name RBAC and the audit log know.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Arrplan => "arrplan",
            Self::Nobody => "nobody",
            Self::Controller(name) => name,
        }
    }

    /// The bearer token.
    pub fn token(self) -> String {
        format!("token-of-{}", self.name())
    }
}

/// Who has a token.
pub(crate) fn everybody() -> impl Iterator<Item = User> {
    [User::Admin, User::Arrplan, User::Nobody].into_iter().chain(CONTROLLERS.map(User::Controller))
}

/// The lines of `--token-auth-file`.
pub(crate) fn token_file() -> String {
    let line = |user: User| {
        let groups =
            if matches!(user, User::Admin | User::Controller(_)) { ",\"system:masters\"" } else { "" };
        format!("{},{name},{name}{groups}\n", user.token(), name = user.name())
    };
    everybody().map(line).collect()
}

/// A kubeconfig for one user. JSON is YAML, and kubectl and client libraries read it as such.
pub(crate) fn kubeconfig(server: &str, authority: &Path, user: User) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "tests", "cluster": { "server": server, "certificate-authority": authority } }],
        "users": [{ "name": user.name(), "user": { "token": user.token() } }],
        "contexts": [{ "name": "tests", "context": { "cluster": "tests", "user": user.name() } }],
        "current-context": "tests",
    })
}

/// The files of keys and certificates of one control plane.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    folder: PathBuf,
}

impl Keys {
    /// Makes them all; a fifth of a second at most, since the keys are elliptic.
    pub(crate) fn create(folder: PathBuf) -> Self {
        let keys = Self { folder };
        let authority_key = KeyPair::generate().expect("a key");
        let authority = authority("arrplan tests");
        keys.write("ca.crt", &authority.self_signed(&authority_key).expect("a certificate").pem());
        let issuer = Issuer::new(authority, authority_key);
        let names = [
            "127.0.0.1",
            "localhost",
            "10.96.0.1",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
        ];
        keys.issue("apiserver", "kube-apiserver", &names, &issuer);

        // A different authority for the aggregation layer: the API server refuses to share it with its clients'.
        let proxy_key = KeyPair::generate().expect("a key");
        let proxy_authority = self::authority("arrplan tests front proxy");
        keys.write(
            "front-proxy-ca.crt",
            &proxy_authority.self_signed(&proxy_key).expect("a certificate").pem(),
        );
        keys.issue("front-proxy-client", "front-proxy-client", &[], &Issuer::new(proxy_authority, proxy_key));

        let accounts = KeyPair::generate().expect("a key");
        keys.write("service-accounts.key", &accounts.serialize_pem());
        // A file of its own: the API server does not find the public key in a PKCS#8 private one.
        keys.write("service-accounts.pub", &accounts.public_key_pem());
        keys
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn issue(&self, file: &str, common_name: &str, names: &[&str], issuer: &Issuer<'_, KeyPair>) {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names of certificates");
        params.distinguished_name.push(DnType::CommonName, common_name);
        let certificate = params.signed_by(&key, issuer).expect("a certificate");
        self.write(&format!("{file}.crt"), &certificate.pem());
        self.write(&format!("{file}.key"), &key.serialize_pem());
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).expect("the plane's folder is writable");
    }
}

fn authority(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params
}
