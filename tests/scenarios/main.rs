//! What goes wrong around an apply, one test for each row of the failure scenarios; `README.md` names the test of every row.
//!
//! A test is named after its row: `row_13_too_many_requests_are_waited_for`. Each has a sandbox of its own, whose script of
//! faults is its own too, or a server of raw bytes where no API server would answer like that.

#[cfg(test)]
mod access;
#[cfg(test)]
mod cluster_side;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod files;
#[cfg(test)]
mod objects;
#[cfg(test)]
#[expect(dead_code, reason = "shared with the tests against a real control plane, which use more of it")]
#[path = "../live/project.rs"]
mod project;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod requests;
#[cfg(test)]
#[expect(dead_code, reason = "shared with the tests against a real control plane, which use more of it")]
#[path = "../live/runs.rs"]
mod runs;
#[cfg(test)]
#[path = "../sandbox/serve.rs"]
mod serve;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod table;
#[cfg(test)]
mod terminal;
