//! What the API server does differently for some resources, beyond their strategies: the flags of their stores
//! (`pkg/registry/*/strategy.go` and `storage.go` of Kubernetes).

use crate::sandbox::resource::Resource;
use crate::sandbox::storage::Key;

/// Whether a PUT of an object that is not there makes it.
pub(super) fn creates_on_update(resource: &Resource) -> bool {
    matches!(
        (resource.group.as_str(), resource.plural.as_str()),
        ("", "endpoints" | "events" | "limitranges" | "services")
            | ("events.k8s.io", "events")
            | ("coordination.k8s.io", "leases")
            | ("rbac.authorization.k8s.io", _)
    )
}

/// Whether an update must say which resource version it is based on.
pub(super) fn needs_version(resource: &Resource) -> bool {
    let demands = matches!(
        (resource.group.as_str(), resource.plural.as_str()),
        ("apiextensions.k8s.io" | "apiregistration.k8s.io", _)
            | ("coordination.k8s.io", "leases")
            | ("policy", "poddisruptionbudgets")
    );
    demands || resource.custom.is_some()
}

/// Whether the answer to a DELETE that removed the object is the object; it is a `Status` otherwise.
pub(super) fn returns_deleted(resource: &Resource) -> bool {
    matches!(
        (resource.group.as_str(), resource.plural.as_str()),
        (
            "",
            "namespaces"
                | "persistentvolumeclaims"
                | "persistentvolumes"
                | "pods"
                | "podtemplates"
                | "resourcequotas"
                | "serviceaccounts"
                | "services"
        ) | ("storage.k8s.io", "storageclasses" | "volumeattributesclasses")
    )
}

/// Whether the garbage collector never has to do with these objects: no finalizer is set for it.
pub(super) fn is_uncollected(resource: &Resource) -> bool {
    resource.plural == "events" && matches!(resource.group.as_str(), "" | "events.k8s.io")
}

/// Whether these are `CustomResourceDefinition`s.
pub(in crate::sandbox) fn is_definition(resource: &Resource) -> bool {
    resource.group == "apiextensions.k8s.io" && resource.plural == "customresourcedefinitions"
}

/// Whether these are namespaces.
pub(in crate::sandbox) fn is_namespace(resource: &Resource) -> bool {
    resource.group.is_empty() && resource.plural == "namespaces"
}

/// Whether these are pods, the one kind that may take time to end.
pub(super) fn is_pod(resource: &Resource) -> bool {
    resource.group.is_empty() && resource.plural == "pods"
}

/// The key in etcd, which some messages show.
pub(super) fn etcd_key(resource: &Resource, key: &Key) -> String {
    let folder = match (key.group.as_str(), key.plural.as_str()) {
        ("", "services") => "services/specs".to_owned(),
        ("", "endpoints") => "services/endpoints".to_owned(),
        ("", "nodes") => "minions".to_owned(),
        ("networking.k8s.io", "ingresses") => "ingress".to_owned(),
        ("events.k8s.io", _) => "events".to_owned(),
        ("apiextensions.k8s.io" | "apiregistration.k8s.io", plural) => format!("{}/{plural}", key.group),
        (group, plural) if resource.custom.is_some() => format!("{group}/{plural}"),
        (_, plural) => plural.to_owned(),
    };
    format!("/registry/{folder}/{}", key.place())
}
