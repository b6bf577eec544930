//! What each kind does with its objects beyond structure and defaults. After `pkg/registry/*/strategy.go` and
//! `pkg/apis/*/validation`.

mod amounts;
mod basic;
mod claim;
mod config;
mod cron;
mod endpoints;
mod failure_policy;
mod ip;
mod job;
mod network;
mod pod;
mod quota;
mod rbac;
mod scaling;
mod selectors;
mod service;
mod small;
mod storage;
mod workload;

use serde_json::Value;

use crate::sandbox::error::ApiError;
use crate::sandbox::meta::{self, Causes, NameRule};
use crate::sandbox::resource::{Draw, Endpoint, Propagation};

/// When `metadata.generation` counts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counts {
    /// The kind has none.
    Never,
    /// It is 1 and stays so.
    Once,
    /// When `spec` changes.
    Spec,
    /// When `spec` or annotations change.
    SpecAndAnnotations,
    /// When anything but metadata, or a label, changes.
    AllAndLabels,
}

/// Checks an object; with the object it replaces, the change.
type Validate = fn(&mut Causes, &Value, Option<&Value>);

/// The rules of a kind.
pub(super) struct Rules {
    /// What its objects may be called.
    pub(super) name: NameRule,
    /// See [`Counts`].
    pub(super) counts: Counts,
    /// Whether clients write `status` through an endpoint of its own alone.
    pub(super) resets_status: bool,
    /// What nobody owns by writing through the status endpoint.
    pub(super) status_resets: &'static [&'static [&'static str]],
    /// What the server sets in a new object.
    pub(super) prepare_create: fn(&mut Value, &dyn Draw),
    /// What the server sets in a changed object.
    pub(super) prepare_update: fn(&mut Value, &Value, Endpoint, &dyn Draw),
    /// Checks beyond metadata, at create and at update.
    pub(super) validate: Validate,
    /// Checks beyond metadata, of a write through the status endpoint.
    pub(super) validate_status: fn(&mut Causes, &Value, &Value),
    /// Warnings about an accepted object; with the object it replaces, about the change.
    pub(super) warnings: fn(&Value, Option<&Value>) -> Vec<String>,
    /// What becomes of dependents when a delete does not say.
    pub(super) propagation: Propagation,
    /// What admission plugins refuse.
    pub(super) admit: fn(&Value, Option<&Value>, &dyn Draw) -> Result<(), ApiError>,
    /// Seconds an object may take to end.
    pub(super) grace_period: fn(&Value) -> u64,
}

/// The rules of a kind without any.
const PLAIN: Rules = Rules {
    name: meta::dns_subdomain,
    counts: Counts::Never,
    resets_status: false,
    status_resets: &[],
    prepare_create: |_, _| {},
    prepare_update: |_, _, _, _| {},
    validate: |_, _, _| {},
    validate_status: |_, _, _| {},
    warnings: |_, _| Vec::new(),
    propagation: Propagation::Background,
    admit: |_, _, _| Ok(()),
    grace_period: |_| 0,
};

/// The rules of a kind with a status.
const WITH_STATUS: Rules = Rules { resets_status: true, status_resets: &[&["spec"]], ..PLAIN };

/// The rules of a kind with a status whose generation counts.
const COUNTED: Rules = Rules { counts: Counts::Spec, ..WITH_STATUS };

/// The rules of a workload.
const WORKLOAD: Rules =
    Rules { validate_status: workload::validate_status, warnings: workload::warnings, ..COUNTED };

/// The rules of a kind that anything in a URL may name.
const RBAC: Rules = Rules { name: meta::path_segment, ..PLAIN };

/// The rules of a kind.
pub(super) fn of_kind(kind: &str) -> Rules {
    core(kind).or_else(|| grouped(kind)).unwrap_or(PLAIN)
}

fn core(kind: &str) -> Option<Rules> {
    Some(match kind {
        "ConfigMap" => Rules { validate: config::validate_config_map, ..PLAIN },
        "Secret" => Rules { validate: config::validate_secret, warnings: config::secret_warnings, ..PLAIN },
        "Namespace" => Rules {
            name: meta::dns_label,
            prepare_create: basic::prepare_namespace,
            prepare_update: basic::prepare_namespace_update,
            validate: basic::validate_namespace,
            validate_status: basic::validate_namespace_status,
            ..WITH_STATUS
        },
        "ServiceAccount" => Rules {
            prepare_create: |object, _| basic::prepare_service_account(object),
            prepare_update: |object, _, _, _| basic::prepare_service_account(object),
            ..PLAIN
        },
        "Service" => Rules {
            name: meta::dns_label,
            prepare_create: service::prepare_create,
            prepare_update: service::prepare_update,
            validate: service::validate,
            validate_status: service::validate_status,
            admit: service::admit,
            warnings: service::warnings,
            ..WITH_STATUS
        },
        "PersistentVolumeClaim" => Rules {
            prepare_create: claim::prepare_create,
            prepare_update: claim::prepare_update,
            validate: claim::validate,
            admit: claim::admit,
            warnings: claim::warnings,
            ..WITH_STATUS
        },
        "PersistentVolume" => Rules {
            prepare_create: storage::prepare_volume,
            prepare_update: storage::prepare_volume_update,
            validate: storage::validate_volume,
            ..WITH_STATUS
        },
        "Pod" => Rules {
            prepare_create: pod::prepare_create,
            prepare_update: pod::prepare_update,
            validate: pod::validate,
            grace_period: pod::grace_period,
            warnings: |object, _| pod::template_warnings(object, &meta::At::new("")),
            ..COUNTED
        },
        "Event" => Rules { validate: small::validate_event, ..PLAIN },
        "Endpoints" => Rules { validate: endpoints::validate, ..PLAIN },
        "LimitRange" => Rules { validate: small::validate_limits, ..PLAIN },
        "ResourceQuota" => Rules { validate: quota::validate, warnings: quota::warnings, ..WITH_STATUS },
        "Node" => {
            Rules { prepare_create: basic::prepare_node, validate: basic::validate_node, ..WITH_STATUS }
        }
        _ => return None,
    })
}

fn grouped(kind: &str) -> Option<Rules> {
    Some(match kind {
        "Deployment" => Rules {
            counts: Counts::SpecAndAnnotations,
            status_resets: &[&["spec"], &["metadata", "labels"]],
            validate: workload::validate_deployment,
            warnings: workload::named_warnings,
            ..WORKLOAD
        },
        "ReplicaSet" => {
            Rules { validate: workload::validate_replica_set, warnings: workload::named_warnings, ..WORKLOAD }
        }
        "StatefulSet" => {
            Rules { name: meta::dns_subdomain, validate: workload::validate_stateful_set, ..WORKLOAD }
        }
        "DaemonSet" => Rules {
            prepare_create: workload::prepare_daemon_set,
            prepare_update: workload::prepare_daemon_set_update,
            validate: workload::validate_daemon_set,
            validate_status: |_, _, _| {},
            ..WORKLOAD
        },
        "Job" => Rules {
            prepare_create: job::prepare_create,
            validate: job::validate,
            warnings: job::warnings,
            propagation: Propagation::Orphan,
            ..COUNTED
        },
        "CronJob" => Rules { validate: job::validate_cron, warnings: job::cron_warnings, ..COUNTED },
        "HorizontalPodAutoscaler" => Rules { validate: scaling::validate_autoscaler, ..COUNTED },
        "PodDisruptionBudget" => Rules { validate: scaling::validate_budget, ..COUNTED },
        "Ingress" => Rules {
            prepare_create: network::prepare_ingress,
            validate: network::validate_ingress,
            validate_status: network::validate_ingress_status,
            warnings: network::ingress_warnings,
            ..COUNTED
        },
        "IngressClass" => Rules { counts: Counts::Spec, validate: network::validate_class, ..PLAIN },
        "NetworkPolicy" => Rules { counts: Counts::Spec, validate: network::validate_policy, ..PLAIN },
        "EndpointSlice" => Rules {
            counts: Counts::AllAndLabels,
            validate: endpoints::validate_slice,
            warnings: endpoints::slice_warnings,
            ..PLAIN
        },
        "Role" => Rules { validate: rbac::validate_role, ..RBAC },
        "ClusterRole" => Rules { validate: rbac::validate_cluster_role, ..RBAC },
        "RoleBinding" => Rules { validate: rbac::validate_binding, ..RBAC },
        "ClusterRoleBinding" => Rules { validate: rbac::validate_cluster_binding, ..RBAC },
        "StorageClass" => Rules { validate: storage::validate_class, ..PLAIN },
        "VolumeAttributesClass" => Rules {
            prepare_create: |object, _| claim::add_finalizer(object, "kubernetes.io/vac-protection"),
            validate: storage::validate_attributes,
            ..PLAIN
        },
        "PriorityClass" => Rules { counts: Counts::Once, validate: small::validate_priority, ..PLAIN },
        "Lease" => Rules {
            prepare_create: |object, _| small::strip_lease(object),
            prepare_update: |object, _, _, _| small::strip_lease(object),
            validate: small::validate_lease,
            ..PLAIN
        },
        _ => return None,
    })
}
