//! The tables with a known kind. A new kind is one row here.

use super::names::NameRule;
use super::suggest::{fold, nearest};
use crate::address::ObjectKey;

/// A table of the stack language and the kind it stands for.
#[derive(Debug, Clone, Copy)]
pub struct KindRow {
    /// The table: `helm_release`.
    pub table: &'static str,
    /// The `apiVersion` it gets unless the resource says another.
    pub api_version: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
    /// kubectl's short name and plural, for those who type them.
    pub aliases: &'static [&'static str],
    pub(super) names: NameRule,
}

/// The table of resources that carry their own `apiVersion` and `kind`.
pub const MANIFEST: &str = "manifest";

const fn row(
    table: &'static str,
    api_version: &'static str,
    kind: &'static str,
    namespaced: bool,
    names: NameRule,
    aliases: &'static [&'static str],
) -> KindRow {
    KindRow { table, api_version, kind, namespaced, aliases, names }
}

use NameRule::{Label, PathSegment, Short, Subdomain, Tenant};

const RBAC: &str = "rbac.authorization.k8s.io/v1";
const SOURCE: &str = "source.toolkit.fluxcd.io/v1";

/// Every table with a known kind.
pub const KINDS: &[KindRow] = &[
    row("namespace", "v1", "Namespace", false, Label, &["ns", "namespaces"]),
    row(
        "persistent_volume_claim",
        "v1",
        "PersistentVolumeClaim",
        true,
        Subdomain,
        &["pvc", "persistentvolumeclaims", "volume_claim"],
    ),
    row("secret", "v1", "Secret", true, Subdomain, &["secrets"]),
    row("config_map", "v1", "ConfigMap", true, Subdomain, &["cm", "configmaps"]),
    row("service_account", "v1", "ServiceAccount", true, Subdomain, &["sa", "serviceaccounts"]),
    row("service", "v1", "Service", true, Label, &["svc", "services"]),
    row("ingress", "networking.k8s.io/v1", "Ingress", true, Subdomain, &["ing", "ingresses"]),
    row(
        "network_policy",
        "networking.k8s.io/v1",
        "NetworkPolicy",
        true,
        Subdomain,
        &["netpol", "networkpolicies"],
    ),
    row("role", RBAC, "Role", true, PathSegment, &["roles"]),
    row("role_binding", RBAC, "RoleBinding", true, PathSegment, &["rolebindings"]),
    row("cluster_role", RBAC, "ClusterRole", false, PathSegment, &["clusterroles"]),
    row("cluster_role_binding", RBAC, "ClusterRoleBinding", false, PathSegment, &["clusterrolebindings"]),
    // The controller appends 11 characters to the name of each Job.
    row("cron_job", "batch/v1", "CronJob", true, Short(52), &["cj", "cronjobs"]),
    row("job", "batch/v1", "Job", true, Short(63), &["jobs"]),
    row("deployment", "apps/v1", "Deployment", true, Subdomain, &["deploy", "deployments"]),
    row("stateful_set", "apps/v1", "StatefulSet", true, Subdomain, &["sts", "statefulsets"]),
    row("daemon_set", "apps/v1", "DaemonSet", true, Subdomain, &["ds", "daemonsets"]),
    row(
        "custom_resource_definition",
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        false,
        Subdomain,
        &["crd", "crds"],
    ),
    row("git_repository", SOURCE, "GitRepository", true, Subdomain, &["gitrepo", "gitrepositories"]),
    row("helm_repository", SOURCE, "HelmRepository", true, Subdomain, &["helmrepo", "helmrepositories"]),
    row("oci_repository", SOURCE, "OCIRepository", true, Subdomain, &["ocirepo", "ocirepositories"]),
    row("helm_chart", SOURCE, "HelmChart", true, Subdomain, &["hc", "helmcharts"]),
    row(
        "helm_release",
        "helm.toolkit.fluxcd.io/v2",
        "HelmRelease",
        true,
        Subdomain,
        &["hr", "helmreleases", "release"],
    ),
    row(
        "kustomization",
        "kustomize.toolkit.fluxcd.io/v1",
        "Kustomization",
        true,
        Subdomain,
        &["ks", "kustomizations"],
    ),
    row("tenant", "apps.cozystack.io/v1alpha1", "Tenant", true, Tenant, &["tenants"]),
    row(
        "application_definition",
        "cozystack.io/v1alpha1",
        "ApplicationDefinition",
        false,
        Subdomain,
        &["applicationdefinitions"],
    ),
];

/// The row of a table.
#[must_use]
pub fn by_table(table: &str) -> Option<&'static KindRow> {
    KINDS.iter().find(|row| row.table == table)
}

/// The row of a kind, at whatever version.
#[must_use]
pub fn by_kind(group: &str, kind: &str) -> Option<&'static KindRow> {
    KINDS.iter().find(|row| row.kind == kind && crate::address::split_api_version(row.api_version).0 == group)
}

/// Whether a person means this object by `said`: its kind in any of kubectl's words and in any case, its namespace
/// or not.
#[must_use]
pub fn is_meant(said: &ObjectKey, key: &ObjectKey) -> bool {
    let word = fold(&said.kind);
    let row = by_kind(&key.group, &key.kind);
    let mut words =
        row.into_iter().flat_map(|row| row.aliases.iter().chain([&row.table]).map(|word| fold(word)));
    said.name == key.name
        && (said.namespace.is_none() || said.namespace == key.namespace)
        && (said.group.is_empty() || said.group == key.group)
        && (word == fold(&key.kind) || word == fold(&key.kind) + "s" || words.any(|known| known == word))
}

/// Whether all kinds of a group lie in namespaces, where no row says it of a kind: an `ApplicationDefinition` makes
/// nothing but namespaced kinds, whatever their names.
pub(super) fn scope_of_group(group: &str) -> Option<bool> {
    (group == "apps.cozystack.io").then_some(true)
}

/// Whether resources are declared under this table.
pub(super) fn is_resource_table(table: &str) -> bool {
    table == MANIFEST || by_table(table).is_some()
}

/// The table that a mistyped one was meant to be: by kubectl's names, then by likeness.
pub(super) fn nearest_table(word: &str) -> Option<&'static str> {
    let folded = fold(word);
    let by_name = KINDS
        .iter()
        .find(|row| fold(row.table) == folded || row.aliases.iter().any(|alias| fold(alias) == folded));
    by_name
        .map(|row| row.table)
        .or_else(|| nearest(word, KINDS.iter().map(|row| row.table).chain([MANIFEST])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_kinds_are_unique() {
        for (at, row) in KINDS.iter().enumerate() {
            assert!(KINDS[at + 1..].iter().all(|other| other.table != row.table && other.kind != row.kind));
        }
    }

    #[test]
    fn what_people_type_for_an_object() {
        let release: ObjectKey = "HelmRelease.helm.toolkit.fluxcd.io/media/app".parse().unwrap();
        let other: ObjectKey = "GrafanaDashboard.grafana.org/media/app".parse().unwrap();
        for (said, meant) in [
            ("hr/app", (true, false)),
            ("helmrelease/app", (true, false)),
            ("HelmReleases/media/app", (true, false)),
            ("helm_release/app", (true, false)),
            ("helmreleases.helm.toolkit.fluxcd.io/app", (true, false)),
            ("hr.other.io/app", (false, false)),
            ("hr/elsewhere/app", (false, false)),
            ("hr/ap", (false, false)),
            ("pvc/app", (false, false)),
            ("grafanadashboards/app", (false, true)),
        ] {
            let said = said.parse().unwrap();
            assert_eq!((is_meant(&said, &release), is_meant(&said, &other)), meant, "{said}");
        }
    }

    #[test]
    fn what_people_type_for_a_table() {
        for (word, table) in [
            ("pvc", Some("persistent_volume_claim")),
            ("HelmRelease", Some("helm_release")),
            ("helm-release", Some("helm_release")),
            ("helmreleases", Some("helm_release")),
            ("gitrepository", Some("git_repository")),
            ("namspace", Some("namespace")),
            ("manifests", Some("manifest")),
            ("zzzzzz", None),
        ] {
            assert_eq!(nearest_table(word), table, "{word}");
        }
    }
}
