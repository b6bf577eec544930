//! Faults by script, for tests alone: this module is there only with the feature `faults`.
//!
//! `PUT /sandbox/faults` with a list of [`Rule`]s in JSON replaces the script, `GET` tells it with how often each
//! rule was met, `DELETE` ends it. A rule counts the requests it fits, and strikes from the `nth` on, `times` of
//! them (0: all). What it does is a [`Fault`]:
//!
//! ```json
//! [{"method": "PATCH", "path": "*/configmaps/*", "nth": 3, "fault": {"answer": {"code": 429, "retryAfter": 1}}},
//!  {"path": "*", "query": "*dryRun=All*", "times": 0, "fault": "ignoreDryRun"}]
//! ```
//!
//! Delays add to whatever else strikes a request; of other faults the first in the script is done.

mod act;
mod rewrite;
mod script;
#[cfg(test)]
mod tests;

pub(super) use act::{Ending, around};
pub(super) use script::Faults;
