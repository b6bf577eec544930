//! The cluster: the only module that names kube. [`Reader`] reads, dry-runs and watches; [`Writer`] also writes.
//!
//! *Invariants:* every request has a deadline; a kind's 404 is never an object's 404; a partial list never
//! implies absence; a dry-run is sent only to an API known to honour it; an answer that is not about the
//! object asked for is an error.

pub mod error;

pub use error::{Cause, Error, FieldConflict};

/// One served kind, as discovery describes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Api {
    /// Group; empty for the core group.
    pub group: String,
    /// Version the stack writes.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Plural resource name of its URL.
    pub plural: String,
    /// Whether its objects lie in namespaces.
    pub namespaced: bool,
    /// Whether the `scale` subresource is served.
    pub scalable: bool,
    /// Served verbs, sorted.
    pub verbs: Vec<String>,
    /// Who serves it, which decides whether `dryRun=All` can be trusted.
    pub served_by: ServedBy,
}

/// Who serves a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServedBy {
    /// kube-apiserver itself.
    BuiltIn,
    /// kube-apiserver through a CustomResourceDefinition.
    Crd,
    /// An aggregated API server (an APIService with `spec.service`), or one that could not be told from it.
    /// May ignore `dryRun=All` (measured for Cozystack's): it gets none.
    Aggregated,
}

/// Identity of a cluster, for "is this the cluster that state is about".
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClusterIdentity {
    /// How it was told. Identities of different kinds are never compared.
    pub kind: IdentityKind,
    /// The uid, or the digest.
    pub id: String,
}

/// How a cluster was told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityKind {
    /// uid of namespace `kube-system`.
    KubeSystemUid,
    /// Digest of CA and server URL, where the namespace may not be read.
    ServerDigest,
}
