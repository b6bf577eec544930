//! Planning: stack, state and live objects in, a [`Plan`] out. Holds a reader; cannot write.

mod adopt;
mod assess;
mod build;
mod changes;
mod check;
mod compile;
mod conflict;
mod create;
mod definition;
mod draft;
mod emptied;
pub mod guard;
mod immutable;
mod input;
mod live;
mod model;
mod moves;
mod not_ours;
mod order;
mod owned;
mod proof;
mod reach;
mod ready;
mod refuse;
mod releases;
mod removal;
mod replace;
mod saved;
mod scope;
mod seen;
mod show;
mod update;
mod write;

pub use build::build;
#[cfg(feature = "faults")]
#[doc(hidden)]
pub use immutable::immutable_causes;
pub use input::{Options, PlanInput, Take as TakeOption};
pub use model::*;
pub use reach::{Found, Held, Survey, Taken, held, inventory, release_name};
pub use ready::wait_for_first_consumer;
pub use saved::{Restored, SavedPlan, restore};
pub use seen::{Seen, differences};
pub use write::{Take, Write};
