//! The cluster: the only module that names kube. [`Reader`] reads, dry-runs and watches; [`Writer`] also writes.
//!
//! *Invariants:* every request has a deadline; a kind's 404 is never an object's 404; a partial list never
//! implies absence; a dry-run is sent only to an API known to honour it; an answer that is not about the
//! object asked for is an error.

mod answer;
mod builtin;
mod classify;
mod clock;
mod connect;
mod discovery;
mod discovery_document;
mod dry_run;
pub mod error;
mod events;
mod exec;
#[cfg(test)]
mod fake;
mod kubeconfig;
mod limit;
mod reader;
mod retry;
mod transport;
mod url;
mod watch;
mod writer;

#[cfg(feature = "faults")]
#[doc(hidden)]
pub use classify::classify_bytes;
pub use connect::{Target, connect};
pub use discovery::Discovery;
pub use dry_run::DryRun;
pub use error::{Cause, ConflictOwner, Error, FieldConflict, Operation};
pub use events::WarningEvent;
pub use kubeconfig::{ConnectError, ConnectOptions, Looked};
pub use reader::Reader;
pub use retry::Retrying;
pub use watch::{ListObservation, ListWatch, ObjectWatch, Observation};
pub use writer::{Applied, Deleted, Preconditions, Writer};

use crate::address::ObjectKey;

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

impl Api {
    /// `apiVersion` of its objects.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `Kind.group`; the kind alone in the core group.
    #[must_use]
    pub fn kind_and_group(&self) -> String {
        if self.group.is_empty() { self.kind.clone() } else { format!("{}.{}", self.kind, self.group) }
    }

    /// The key of one of its objects; the namespace is dropped for cluster-scoped kinds.
    #[must_use]
    pub fn key(&self, namespace: Option<&str>, name: &str) -> ObjectKey {
        ObjectKey::new(&self.group, &self.kind, namespace.filter(|_| self.namespaced), name)
    }

    /// Whether the verb is served.
    #[must_use]
    pub fn can(&self, verb: &str) -> bool {
        self.verbs.iter().any(|served| served == verb)
    }
}

/// Who serves a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServedBy {
    /// kube-apiserver itself.
    BuiltIn,
    /// kube-apiserver through a `CustomResourceDefinition`.
    Crd,
    /// An aggregated API server (an `APIService` with `spec.service`), or one that could not be told from it.
    /// May ignore `dryRun=All` (measured for Cozystack's): it gets none.
    Aggregated,
}

/// Identity of a cluster, for "is this the cluster that state is about".
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
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
