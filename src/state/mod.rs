//! State: what a stack owns in its cluster, kept on disk so that a crash at any moment loses nothing.
//!
//! A [`Store`] is read without a lock ([`Store::open_read`]) or opened for writing under it
//! ([`Store::open_locked`]). Each write to the cluster stands between [`LockedStore::begin`], durable before
//! it returns, and [`LockedStore::end`]; [`LockedStore::commit`] folds the journal into the state file.
//! Callers see no paths and no files in this interface, so that a store inside the cluster can stand behind it.
//!
//! *Invariants:*
//! - an object that was written is in the state or in an open `begin`;
//! - an object leaves the state only by an [`Outcome::Gone`] of its own key and uid;
//! - an object key occurs once over all current and former objects;
//! - the lineage never changes; the serial grows by one exactly when the content changed;
//! - what is damaged, unknown or newer is refused and left untouched, never read as "no state";
//! - no secret value is ever in a file of this module.

mod disk;
mod envelope;
mod error;
mod files;
mod journal;
mod key;
mod ledger;
mod location;
mod lock;
mod model;
mod revision;
mod salvage;
mod settle;
mod store;

pub use disk::Disk;
#[cfg(feature = "faults")]
#[doc(hidden)]
pub use envelope::forge;
pub use envelope::{seal, unseal};
pub use error::Error;
pub use journal::{Begin, BeginId, OpenBegin, Operation, Outcome, replay};
pub use key::{Digest, HashKey};
pub use ledger::record;
pub use location::{Location, locate, locate_in_sandbox, project_of, sandbox_folder};
pub use lock::{Holder, Lock, LockWait, probe};
pub use model::{Former, FormerStatus, Owned, State};
pub use revision::{ChangeCounts, Recipe, Recorded, Revision, RevisionExisting, RevisionManifest};
pub use salvage::{Found, JournalHead, Replaced, Salvage};
pub use settle::{settle, settle_adopt, settle_create, settle_delete, settle_forget};
pub use store::{Committed, LockedStore, Snapshot, Store, document};
