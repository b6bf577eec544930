//! Which group and version comes first.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::sandbox::resource::Served;

/// Built-in groups in the API server's order; definitions' groups follow by name
/// (`k8s.io/kubernetes` `pkg/controlplane/apiserver/aggregator.go`).
const GROUPS: &[&str] = &[
    "apiregistration.k8s.io",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
    "discovery.k8s.io",
    "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "storagemigration.k8s.io",
];

/// Groups except the core one, and their versions, both in order.
pub(super) fn groups(served: &Served) -> Vec<(&str, Vec<&str>)> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (group, version, _) in served.keys().filter(|(group, ..)| !group.is_empty()) {
        let versions = groups.entry(group).or_default();
        if !versions.contains(&version.as_str()) {
            versions.push(version);
        }
    }
    let mut groups: Vec<(&str, Vec<&str>)> = groups.into_iter().collect();
    for (_, versions) in &mut groups {
        versions.sort_by(|a, b| compare_versions(b, a));
    }
    let place = |group: &str| GROUPS.iter().position(|known| *known == group).unwrap_or(GROUPS.len());
    groups.sort_by_key(|(group, _)| place(group));
    groups
}

/// Which version is more mature: `v2` > `v1` > `v1beta1` > `v1alpha1` > any other name.
pub(in crate::sandbox) fn compare_versions(a: &str, b: &str) -> Ordering {
    // Of other names, the first in the alphabet is the greatest.
    match (maturity(a), maturity(b)) {
        (None, None) => b.cmp(a),
        (a, b) => a.cmp(&b),
    }
}

/// Stage (stable 2, beta 1, alpha 0), major, minor.
fn maturity(version: &str) -> Option<(u8, u64, u64)> {
    let rest = version.strip_prefix('v')?;
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    let (major, stage) = rest.split_at(end);
    let major = major.parse().ok().filter(|major| *major > 0)?;
    let minor = |minor: &str| minor.parse().ok().filter(|minor| *minor > 0);
    match stage {
        "" => Some((2, major, 0)),
        _ => match (stage.strip_prefix("beta"), stage.strip_prefix("alpha")) {
            (Some(number), _) => Some((1, major, minor(number)?)),
            (_, Some(number)) => Some((0, major, minor(number)?)),
            _ => None,
        },
    }
}
