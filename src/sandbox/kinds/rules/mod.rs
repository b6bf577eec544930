//! What each kind does with its objects beyond structure and defaults. After `pkg/registry/*/strategy.go` and
//! `pkg/apis/*/validation`.

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
    /// Warnings about an accepted object.
    pub(super) warnings: fn(&Value) -> Vec<String>,
    /// What becomes of dependents when a delete does not say.
    pub(super) propagation: Propagation,
    /// Whether a PUT may make an object.
    pub(super) creates_on_update: bool,
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
    warnings: |_| Vec::new(),
    propagation: Propagation::Background,
    creates_on_update: false,
    admit: |_, _, _| Ok(()),
    grace_period: |_| 0,
};

/// The rules of a kind with a status.
const WITH_STATUS: Rules = Rules { resets_status: true, status_resets: &[&["spec"]], ..PLAIN };

/// The rules of a kind with a status whose generation counts.
const COUNTED: Rules = Rules { counts: Counts::Spec, ..WITH_STATUS };

/// The rules of a kind.
pub(super) fn of_kind(kind: &str) -> Rules {
    match kind {
        "Namespace" | "PersistentVolume" | "PersistentVolumeClaim" | "Service" | "ResourceQuota" | "Node" => {
            WITH_STATUS
        }
        "Deployment" => Rules {
            counts: Counts::SpecAndAnnotations,
            status_resets: &[&["spec"], &["metadata", "labels"]],
            ..COUNTED
        },
        "DaemonSet"
        | "ReplicaSet"
        | "StatefulSet"
        | "CronJob"
        | "HorizontalPodAutoscaler"
        | "PodDisruptionBudget"
        | "Ingress"
        | "Pod" => COUNTED,
        "Job" => Rules { propagation: Propagation::Orphan, ..COUNTED },
        "IngressClass" | "NetworkPolicy" => Rules { counts: Counts::Spec, ..PLAIN },
        "EndpointSlice" => Rules { counts: Counts::AllAndLabels, ..PLAIN },
        "PriorityClass" => Rules { counts: Counts::Once, ..PLAIN },
        _ => PLAIN,
    }
}
