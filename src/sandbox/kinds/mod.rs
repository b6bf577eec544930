//! The built-in kinds: what each is called and how it is served, its structure as Go has it, its defaults and
//! its rules.
//!
//! An object goes through `decode` (types, unknown fields, one form per value), `fill` (defaults and what Go
//! always writes), the kind's own `Rules` (prepare, validate), and comes out in the form a read gives.

mod conditional;
mod decode;
mod fill;
mod look;
mod needed;
mod rules;
mod strategy;
mod text;
mod types;

pub(super) use look::Look;

use std::sync::Arc;

use super::resource::{Resource, Scale};
use super::schema::Schema;
use crate::schema::lookup;

/// One line per kind: group and version, kind, plural, short names, categories, scope, `status`, `scale`,
/// fields that a selector may name. `-` is none.
const RESOURCES: &str = include_str!("resources.txt");

const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// What the API server says at every request about a kind that it means to give up.
pub(in crate::sandbox) fn deprecation(resource: &Resource) -> Option<String> {
    let is_endpoints = resource.group.is_empty() && resource.kind == "Endpoints";
    is_endpoints
        .then(|| "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".to_owned())
}

/// All built-in kinds that are served.
pub(in crate::sandbox) fn built_in() -> Vec<Resource> {
    RESOURCES.lines().map(resource).collect()
}

fn resource(line: &str) -> Resource {
    let mut words = line.split(' ');
    let mut word = || words.next().expect("every line has nine words");
    let list = |word: &str| match word {
        "-" => Vec::new(),
        words => words.split(',').map(str::to_owned).collect(),
    };
    let (group, version) = word().split_once('/').expect("a group and a version");
    let group = if group == "core" { "" } else { group };
    let (kind, plural, short_names, categories) = (word(), word(), list(word()), list(word()));
    let (namespaced, status, scale) = (word() == "N", word() == "status", word() == "scale");
    let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    let structure = lookup(&api_version, kind).expect("the structure table has every kind of this one");
    let verbs = VERBS.iter().filter(|verb| match kind {
        "Namespace" => **verb != "deletecollection",
        "APIService" => matches!(**verb, "get" | "list" | "watch"),
        _ => true,
    });
    Resource {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        list_kind: format!("{kind}List"),
        plural: plural.to_owned(),
        singular: kind.to_lowercase(),
        short_names,
        categories,
        namespaced,
        verbs: verbs.map(|verb| (*verb).to_owned()).collect(),
        status,
        scale: scale.then(|| Scale {
            spec_path: ".spec.replicas".into(),
            status_path: ".status.replicas".into(),
            selector_path: Some(".spec.selector".into()),
        }),
        selectable: list(word()),
        schema: Schema::BuiltIn(structure.root),
        strategy: Arc::new(strategy::BuiltIn::new(&api_version, kind, namespaced)),
        custom: None,
    }
}

#[cfg(test)]
mod tests;
