//! Ownership through `scale`: one field of the object, under another path and version
//! (`apimachinery`, `pkg/util/managedfields/scalehandler.go`).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::managers::{Managers, Owned, decode, encode, entries_of};
use super::set::Set;
use crate::path::FieldPath;
use crate::sandbox::error::ApiError;
use crate::sandbox::schema::{CustomSchema, Scalar, Schema, Shape};
use crate::schema::root_of;

/// The version of every `Scale`.
const SCALE_VERSION: &str = "autoscaling/v1";

/// Where the replicas stand in an object, by `apiVersion`; `None` in versions that have no scale. An entry of a
/// version that is not there is left out.
pub(in crate::sandbox) type ReplicasPaths = BTreeMap<String, Option<FieldPath>>;

/// The entries that the `Scale` of `object` has: of those who own its replicas.
///
/// # Errors
/// 500 if the entries of the object cannot be read.
pub(in crate::sandbox) fn to_scale(object: &Value, paths: &ReplicasPaths) -> Result<Value, ApiError> {
    let mut scale = read(object)?;
    scale.retain(|_, owned| {
        let path = paths.get(&owned.api_version).and_then(Option::as_ref);
        let owns = path.is_some_and(|path| owned.set.contains(&path.0));
        owned.set = replicas(&FieldPath::keys(["spec", "replicas"]));
        SCALE_VERSION.clone_into(&mut owned.api_version);
        owns
    });
    Ok(encode_or_null(&scale))
}

/// The entries of `object` after its `Scale` became `scale`; `api_version` is that of the object.
///
/// # Errors
/// 500 if entries cannot be read.
pub(in crate::sandbox) fn from_scale(
    object: &Value,
    scale: &Value,
    api_version: &str,
    paths: &ReplicasPaths,
) -> Result<Value, ApiError> {
    let parent = read(object)?;
    let mut scale = read(scale)?;
    let mut managers = Managers::new();
    for (identity, mut owned) in parent {
        let Some(path) = paths.get(&owned.api_version) else { continue };
        if let Some(path) = path
            && owned.set.contains(&path.0)
            && scale.remove(&identity).is_none()
        {
            // Somebody else took the replicas.
            owned.set.remove_all(&replicas(path));
        }
        if !owned.set.is_empty() {
            managers.insert(identity, owned);
        }
    }
    let path = paths.get(api_version).and_then(Option::as_ref);
    for (identity, owned) in scale {
        let Some(path) = path.filter(|_| owned.set.contains(&FieldPath::keys(["spec", "replicas"]).0)) else {
            continue;
        };
        // The API server looks the time up in the object, where such an entry has none yet.
        managers
            .insert(identity, Owned { set: replicas(path), api_version: api_version.to_owned(), time: None });
    }
    Ok(encode_or_null(&managers))
}

fn read(object: &Value) -> Result<Managers, ApiError> {
    decode(entries_of(object)).map_err(|error| ApiError::new(500, "", error))
}

fn encode_or_null(managers: &Managers) -> Value {
    if managers.is_empty() { Value::Null } else { encode(managers) }
}

fn replicas(path: &FieldPath) -> Set {
    let mut set = Set::default();
    set.insert(&path.0);
    set
}

/// The structure of `Scale`.
pub(in crate::sandbox) fn scale_schema() -> Schema {
    Schema::Custom(Arc::new(Place::Root))
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Root,
    Spec,
    Status,
    Text,
    Count,
}

impl CustomSchema for Place {
    fn shape(&self) -> Shape {
        match self {
            Self::Root | Self::Spec | Self::Status => Shape::Object { atomic: false, open: false },
            Self::Text => Shape::Scalar(Scalar::String),
            Self::Count => Shape::Scalar(Scalar::Number),
        }
    }

    fn field(&self, name: &str) -> Option<Schema> {
        let place = match (self, name) {
            (Self::Root, "metadata") => {
                return root_of("v1", "ConfigMap").field(name).map(Schema::BuiltIn);
            }
            (Self::Root, "apiVersion" | "kind") | (Self::Status, "selector") => Self::Text,
            (Self::Root, "spec") => Self::Spec,
            (Self::Root, "status") => Self::Status,
            (Self::Spec | Self::Status, "replicas") => Self::Count,
            _ => return None,
        };
        Some(Schema::Custom(Arc::new(place)))
    }

    fn declares(&self, name: &str) -> bool {
        self.field(name).is_some()
    }

    fn item(&self) -> Option<Schema> {
        None
    }
}
