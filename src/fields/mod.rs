//! Who owns which field: `metadata.managedFields`, sets of field paths, and what server-side apply would record.
//!
//! *Invariants:* a [`FieldSet`] round-trips through `FieldsV1`; [`of_manifest`] gives, for a kind of the structure
//! table, exactly what the API server records for that manifest (compared with a real one in the live tests).

mod managers;
mod manifest;
mod set;

pub use managers::{Entry, Operation, is_untracked, managers, owned_by, owners};
pub use manifest::{canonical_path, of_manifest, present, same_value, value_at};
pub(crate) use manifest::{element_key, scalar_text};
pub use set::{FieldSet, FieldsError};
pub(crate) use set::{element, segment};
