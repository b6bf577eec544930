//! `ObjectMeta` as the API server reads it for custom kinds: through its own type and back.

use serde_json::Value;

use super::typed::{self, Empty, Struct, Type};

/// `ObjectMeta`.
pub(super) static OBJECT_META: Struct = Struct {
    name: "ObjectMeta",
    fields: &[
        ("annotations", Type::TextMap, Empty::Omitted),
        ("creationTimestamp", Type::Time, Empty::Omitted),
        ("deletionGracePeriodSeconds", Type::Int64, Empty::Kept),
        ("deletionTimestamp", Type::Time, Empty::Kept),
        ("finalizers", Type::Texts, Empty::Omitted),
        ("generateName", Type::Text, Empty::Omitted),
        ("generation", Type::Int64, Empty::Omitted),
        ("labels", Type::TextMap, Empty::Omitted),
        ("managedFields", Type::List(&MANAGED_FIELDS), Empty::Omitted),
        ("name", Type::Text, Empty::Omitted),
        ("namespace", Type::Text, Empty::Omitted),
        ("ownerReferences", Type::List(&OWNER_REFERENCE), Empty::Omitted),
        ("resourceVersion", Type::Text, Empty::Omitted),
        ("selfLink", Type::Text, Empty::Omitted),
        ("uid", Type::Named("types.UID"), Empty::Omitted),
    ],
};

static OWNER_REFERENCE: Struct = Struct {
    name: "OwnerReference",
    fields: &[
        ("apiVersion", Type::Text, Empty::Written),
        ("blockOwnerDeletion", Type::Bool, Empty::Kept),
        ("controller", Type::Bool, Empty::Kept),
        ("kind", Type::Text, Empty::Written),
        ("name", Type::Text, Empty::Written),
        ("uid", Type::Named("types.UID"), Empty::Written),
    ],
};

static MANAGED_FIELDS: Struct = Struct {
    name: "ManagedFieldsEntry",
    fields: &[
        ("apiVersion", Type::Text, Empty::Omitted),
        ("fieldsType", Type::Text, Empty::Omitted),
        ("fieldsV1", Type::Json, Empty::Kept),
        ("manager", Type::Text, Empty::Omitted),
        ("operation", Type::Named("v1.ManagedFieldsOperationType"), Empty::Omitted),
        ("subresource", Type::Text, Empty::Omitted),
        ("time", Type::Time, Empty::Kept),
    ],
};

/// Brings metadata into the form it is stored in, and adds the paths of unknown fields to `unknown`.
///
/// # Errors
/// As Go's decoder words it.
pub(super) fn read(metadata: &mut Value, path: &str, unknown: &mut Vec<String>) -> Result<(), String> {
    typed::read(metadata, &OBJECT_META, path, unknown)
}
