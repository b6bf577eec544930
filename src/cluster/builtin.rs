//! Kinds every API server has, known without discovery.

use super::{Api, ServedBy};

/// A kind every API server has, known without discovery.
pub(super) fn builtin(group: &str, version: &str, kind: &str, plural: &str, namespaced: bool) -> Api {
    Api {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
        namespaced,
        scalable: false,
        verbs: vec!["get".to_owned(), "list".to_owned()],
        served_by: ServedBy::BuiltIn,
    }
}

pub(super) fn namespaces() -> Api {
    builtin("", "v1", "Namespace", "namespaces", false)
}

pub(super) fn crds() -> Api {
    let kind = "CustomResourceDefinition";
    builtin("apiextensions.k8s.io", "v1", kind, "customresourcedefinitions", false)
}
