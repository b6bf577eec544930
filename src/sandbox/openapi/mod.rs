//! `/openapi/v3`: an index, and a document per group and version, with what clients of Kubernetes look at: which
//! parameters a request takes, and what the objects are made of.

mod document;
mod schemas;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha512};

use super::resource::{Resource, Served};

/// The answer to a request below `/openapi/v3`; `None`: nothing of the kind is served.
pub(super) fn answer(served: &Served, path: &str) -> Option<Value> {
    let name = path.strip_prefix("/openapi/v3")?.trim_matches('/');
    match name {
        "" => Some(index(served)),
        "version" => Some(document::version()),
        name => {
            let (group, version) = group_version(name)?;
            let resources = of(served, group, version);
            (!resources.is_empty()).then(|| document::of(&resources))
        }
    }
}

fn group_version(name: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = name.split('/').collect();
    match parts.as_slice() {
        ["api", version] => Some(("", version)),
        ["apis", group, version] => Some((group, version)),
        _ => None,
    }
}

fn of<'s>(served: &'s Served, group: &str, version: &str) -> Vec<&'s Resource> {
    let all = served.values().map(AsRef::as_ref);
    all.filter(|resource| resource.group == group && resource.version == version).collect()
}

fn index(served: &Served) -> Value {
    let versions: BTreeSet<(&str, &str)> =
        served.values().map(|resource| (resource.group.as_str(), resource.version.as_str())).collect();
    let mut paths = Map::new();
    for (group, version) in versions {
        let name =
            if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") };
        let hash = hash(&of(served, group, version));
        paths.insert(name.clone(), json!({ "serverRelativeURL": format!("/openapi/v3/{name}?hash={hash}") }));
    }
    paths.insert("version".into(), json!({ "serverRelativeURL": "/openapi/v3/version" }));
    json!({ "paths": paths })
}

/// Tells clients whether they have the document of these resources already: it follows from their definitions
/// and from what is built in.
fn hash(resources: &[&Resource]) -> String {
    let mut digest = Sha512::new();
    digest.update(env!("CARGO_PKG_VERSION"));
    for resource in resources {
        digest.update(&resource.plural);
        digest.update(resource.verbs.join(","));
        if let Some(definition) = &resource.custom {
            digest.update(definition["spec"].to_string());
        }
    }
    let mut text = String::new();
    for byte in digest.finalize() {
        write!(text, "{byte:02X}").expect("a String takes all text");
    }
    text
}
