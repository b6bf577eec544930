//! A Kubernetes object as plain JSON, with the few metadata fields the engine decides by.

use serde_json::Value;

use crate::address::{ObjectKey, split_api_version};

/// Label that names the stack which owns an object.
pub const STACK_LABEL: &str = "arrplan.dev/stack";
/// Annotation with the lineage of the state that owns an object.
pub const LINEAGE_ANNOTATION: &str = "arrplan.dev/lineage";
/// Annotation of an object that a plan never deletes.
pub const PROTECT_ANNOTATION: &str = "arrplan.dev/protect";
/// Field manager of every write.
pub const FIELD_MANAGER: &str = "arrplan";

/// An object as the API server returned it.
#[derive(Clone, PartialEq)]
pub struct Object(pub Value);

/// Objects hold Secrets: their debug form is the name alone.
impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Object({})", self.key())
    }
}

/// What marks an object as owned by a stack: the label and the annotation together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The stack's name.
    pub stack: String,
    /// The lineage of its state.
    pub lineage: String,
}

impl Object {
    fn text(&self, pointer: &str) -> Option<&str> {
        self.0.pointer(pointer)?.as_str()
    }

    /// `apiVersion`, empty when absent.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.text("/apiVersion").unwrap_or_default()
    }

    /// `kind`, empty when absent.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("/kind").unwrap_or_default()
    }

    /// `metadata.name`, empty when absent.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("/metadata/name").unwrap_or_default()
    }

    /// `metadata.namespace`.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.text("/metadata/namespace")
    }

    /// `metadata.uid`, empty when absent.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.text("/metadata/uid").unwrap_or_default()
    }

    /// `metadata.resourceVersion`, empty when absent.
    #[must_use]
    pub fn resource_version(&self) -> &str {
        self.text("/metadata/resourceVersion").unwrap_or_default()
    }

    /// `metadata.generation`; kinds without one have none.
    #[must_use]
    pub fn generation(&self) -> Option<i64> {
        self.0.pointer("/metadata/generation")?.as_i64()
    }

    /// Whether `metadata.deletionTimestamp` is set.
    #[must_use]
    pub fn is_terminating(&self) -> bool {
        self.0.pointer("/metadata/deletionTimestamp").is_some_and(|t| !t.is_null())
    }

    /// `metadata.finalizers`.
    #[must_use]
    pub fn finalizers(&self) -> Vec<&str> {
        let list = self.0.pointer("/metadata/finalizers").and_then(Value::as_array);
        list.map(|l| l.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
    }

    /// One label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.0.get("metadata")?.get("labels")?.get(key)?.as_str()
    }

    /// One annotation.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.0.get("metadata")?.get("annotations")?.get(key)?.as_str()
    }

    /// The owner reference with `controller: true`.
    #[must_use]
    pub fn controller(&self) -> Option<&Value> {
        let owners = self.0.pointer("/metadata/ownerReferences")?.as_array()?;
        owners.iter().find(|owner| owner.get("controller") == Some(&Value::Bool(true)))
    }

    /// The object's key. The namespace is the object's own, so a cluster-scoped object has none.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        ObjectKey::new(split_api_version(self.api_version()).0, self.kind(), self.namespace(), self.name())
    }

    /// Our mark, counted only with both its parts and without a controlling owner: controllers copy labels
    /// and annotations to what they make, where they mean nothing (measured for `ReplicaSet`,
    /// `ControllerRevision`, `Endpoints` and `EndpointSlice`).
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        if self.controller().is_some() {
            return None;
        }
        Some(Mark {
            stack: self.label(STACK_LABEL)?.to_owned(),
            lineage: self.annotation(LINEAGE_ANNOTATION)?.to_owned(),
        })
    }

    /// Whether a plan must not delete this object: protection counts only beside a mark.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        self.mark().is_some() && self.annotation(PROTECT_ANNOTATION) == Some("true")
    }
}
