//! What is served, told to clients: `/api`, `/apis` and below, plain and aggregated.

mod aggregated;
mod order;
mod plain;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub(super) use order::compare_versions;

use super::resource::{Resource, Served};

/// The aggregated form's media type.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// The answer to a discovery request: its content type and body. `address` is where the server listens.
/// `None`: it is no discovery path, or nothing of the kind is served.
pub(super) fn answer(
    served: &Served,
    path: &str,
    accept: &str,
    address: &str,
) -> Option<(&'static str, Value)> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    if parts.len() == 1 && wants_aggregated(accept) {
        let body = match parts[0] {
            "api" => aggregated::core(served),
            "apis" => aggregated::groups(served),
            _ => return None,
        };
        return Some((AGGREGATED, body));
    }
    let body = match parts.as_slice() {
        ["api"] => plain::core(served, address),
        ["apis"] => plain::groups(served),
        ["api", version] => plain::resources(served, "", version)?,
        ["apis", group] => plain::group(served, group)?,
        ["apis", group, version] => plain::resources(served, group, version)?,
        _ => return None,
    };
    Some(("application/json", body))
}

/// Whether the client would take the aggregated form before the plain one.
fn wants_aggregated(accept: &str) -> bool {
    let first = accept.split(',').map(str::trim).find_map(|wanted| {
        let mut parameters = wanted.split(';').map(str::trim);
        let kind = parameters.next()?;
        let parameters: Vec<&str> = parameters.collect();
        let is_aggregated = ["g=apidiscovery.k8s.io", "v=v2", "as=APIGroupDiscoveryList"]
            .iter()
            .all(|wanted| parameters.contains(wanted));
        let names_form = parameters.iter().any(|parameter| parameter.starts_with("as="));
        match kind {
            "application/json" if is_aggregated => Some(true),
            "application/json" | "*/*" if !names_form => Some(false),
            _ => None,
        }
    });
    first.unwrap_or_default()
}

/// A subresource: its name, what it is made of, and its verbs.
struct Subresource {
    name: &'static str,
    kind: Kind,
    verbs: &'static [&'static str],
}

/// What a subresource is made of.
enum Kind {
    /// The object itself.
    Own,
    /// `autoscaling/v1` `Scale`.
    Scale,
}

/// Subresources in the order in which they are told.
fn subresources(resource: &Resource) -> Vec<Subresource> {
    const CHANGE: &[&str] = &["get", "patch", "update"];
    let status = resource.status.then_some(Subresource { name: "status", kind: Kind::Own, verbs: CHANGE });
    let scale =
        resource.scale.as_ref().map(|_| Subresource { name: "scale", kind: Kind::Scale, verbs: CHANGE });
    if resource.custom.is_some() {
        return status.into_iter().chain(scale).collect();
    }
    let is_namespace = resource.group.is_empty() && resource.plural == "namespaces";
    let finalize =
        is_namespace.then_some(Subresource { name: "finalize", kind: Kind::Own, verbs: &["update"] });
    finalize.into_iter().chain(scale).chain(status).collect()
}

/// Verbs in the order in which they are told: custom kinds have one of their own.
fn verbs(resource: &Resource) -> Vec<&str> {
    const CUSTOM: &[&str] =
        &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
    if resource.custom.is_some() {
        let is_served = |verb: &&&str| resource.verbs.iter().any(|served| served == **verb);
        return CUSTOM.iter().filter(is_served).copied().collect();
    }
    resource.verbs.iter().map(String::as_str).collect()
}

/// The resources of a group and version, in the order in which they are told.
fn of_version<'s>(served: &'s Served, group: &str, version: &str) -> Vec<&'s Resource> {
    let of_version = |resource: &&Resource| resource.group == group && resource.version == version;
    served.values().map(AsRef::as_ref).filter(of_version).collect()
}
