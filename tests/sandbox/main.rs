//! The engine's suite once more, with the sandbox as the API server: the test functions of `tests/live`, but for those of a
//! closed list that says why (`not_here.rs`).

#[cfg(test)]
#[path = "../live/apply/mod.rs"]
mod apply;
#[cfg(test)]
#[path = "../live/canary.rs"]
mod canary;
#[cfg(test)]
#[path = "../live/cluster.rs"]
mod cluster;
#[cfg(test)]
#[path = "../live/corpus/mod.rs"]
mod corpus;
#[cfg(test)]
#[path = "../live/cozystack.rs"]
mod cozystack;
#[cfg(test)]
mod crash;
#[cfg(test)]
#[path = "../live/destroy.rs"]
mod destroy;
#[cfg(test)]
#[path = "../live/drift.rs"]
mod drift;
#[cfg(test)]
#[path = "../live/fields.rs"]
mod fields;
#[cfg(test)]
#[path = "../live/harness_selftest.rs"]
mod harness_selftest;
#[cfg(test)]
#[path = "../live/kill.rs"]
mod kill;
#[cfg(test)]
#[path = "../live/lost.rs"]
mod lost;
#[cfg(test)]
#[path = "../live/main_job.rs"]
mod main_job;
#[cfg(test)]
mod not_here;
#[cfg(test)]
#[path = "../live/ownership.rs"]
mod ownership;
#[cfg(test)]
mod practice;
#[cfg(test)]
#[path = "../live/project.rs"]
mod project;
#[cfg(test)]
#[path = "../live/readme.rs"]
mod readme;
#[cfg(test)]
#[path = "../live/recover.rs"]
mod recover;
#[cfg(test)]
#[path = "../live/rollback.rs"]
mod rollback;
#[cfg(test)]
#[path = "../live/runs.rs"]
mod runs;
#[cfg(test)]
#[path = "../live/saved.rs"]
mod saved;
#[cfg(test)]
mod scale;
#[cfg(test)]
mod serve;
#[cfg(test)]
#[path = "../live/status.rs"]
mod status;
#[cfg(test)]
#[path = "../live/structure/mod.rs"]
mod structure;
#[cfg(test)]
#[path = "../live/surgery.rs"]
mod surgery;
#[cfg(test)]
#[path = "../live/taken.rs"]
mod taken;

/// The sandbox of this test binary. `None` for a test of the closed list, which is said on the terminal.
#[cfg(test)]
pub(crate) fn plane(parts: &[support::Part]) -> Option<&'static support::ControlPlane> {
    if not_here::is_this_test() { None } else { support::ControlPlane::sandbox(serve::NAME, parts) }
}

/// A sandbox for one test alone.
#[cfg(test)]
pub(crate) fn own_plane(parts: &[support::Part]) -> Option<support::ControlPlane> {
    if not_here::is_this_test() { None } else { support::ControlPlane::own_sandbox(serve::NAME, parts) }
}
