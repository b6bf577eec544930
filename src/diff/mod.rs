//! How a live object and a planned one differ, field by field.
//!
//! *Invariants:* pure; equal objects have no differences; what only the server writes never shows; applying the
//! differences to the live object gives the planned one ([`apply()`]); a difference's debug form holds no value, and
//! a value leaves this module for display only through a [`Veil`].

mod apply;
mod compare;
mod drawn;
mod veil;

pub use apply::apply;
pub use compare::{FieldDiff, compare};
pub use drawn::{controller_filled, drawn_by_server};
pub use veil::{HIDDEN, Veil};

use serde_json::Value;

use crate::schema::SERVER_METADATA;

/// Drops what only the server writes: `status` and its part of `metadata`.
pub fn normalize(object: &mut Value) {
    let Some(map) = object.as_object_mut() else { return };
    map.remove("status");
    if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
        for name in SERVER_METADATA {
            metadata.remove(*name);
        }
    }
}

#[cfg(test)]
mod tests;
