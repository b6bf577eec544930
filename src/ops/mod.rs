//! Use cases: one file each. They bring the parts together and return data; they never print, ask or exit.
//!
//! *Invariants:* nothing here reads the process's globals: environment, folder, clock, randomness and the
//! wish to stop come in with [`World`]; whoever writes holds the lock of the state from before it is read
//! until the end.

mod apply;
mod consent;
mod error;
mod history;
mod import;
mod init;
mod inspect;
mod named;
mod output;
mod plan;
mod recipe;
mod recover;
mod render;
mod revision;
mod rollback;
mod sandbox;
mod saved;
mod settle;
mod stack;
mod store;
mod surgery;
mod validate;

pub use apply::{Applied, Prepared, prepare, prepare_saved};
pub use consent::missing_consents;
pub use error::Error;
pub use history::history;
pub use import::Import;
pub use init::{Made, init};
pub use inspect::{state_list, state_show};
pub use named::{Naming, in_plan};
pub use output::output;
pub use plan::{ClusterRequest, PlanOutcome, PlanRequest, plan, plan_into};
pub use recover::{
    Believed, Entry, FileFound, NotTaken, RecoverRequest, Recovering, Recovery, Seen, state_recover,
};
pub use render::render;
pub use rollback::{Return, StillSays};
pub use sandbox::{SandboxPlace, Served, Sources, reset as sandbox_reset, serve as sandbox_serve};
#[cfg(test)]
pub(crate) use saved::text as saved_text;
pub use saved::{SavedFile, find_saved};
pub use stack::StackRequest;
pub use store::StateRequest;
pub use surgery::{Moved, state_mv, state_pull, state_unlock};
pub use validate::{Validated, validate};

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::cluster::Retrying;
use crate::state::Disk;

/// What a use case has of the world around it.
#[derive(Debug, Clone)]
pub struct World {
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// The folder that relative paths start from; empty for the process's own.
    pub cwd: PathBuf,
    /// The disk that states lie on.
    pub disk: Disk,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// A lineage for a state that does not exist yet.
    pub lineage: fn() -> String,
    /// Whether a person is there to answer a credential plugin or a secret command.
    pub interactive: bool,
    /// Cancelled when the user asks to stop.
    pub cancel: CancellationToken,
    /// Hears of requests that are repeated while nothing else is shown: until there is a plan.
    pub retrying: OnRetry,
}

/// Who hears of repeated requests.
#[derive(Clone)]
pub struct OnRetry(Arc<dyn Fn(&Retrying) + Send + Sync>);

impl OnRetry {
    /// Calls `told` before each pause.
    pub fn new(told: impl Fn(&Retrying) + Send + Sync + 'static) -> Self {
        Self(Arc::new(told))
    }

    fn tell(&self, retrying: &Retrying) {
        (self.0)(retrying);
    }
}

impl fmt::Debug for OnRetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnRetry")
    }
}
