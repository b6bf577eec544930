//! The tests against a real control plane. One binary, so that one control plane serves them all.

#[cfg(test)]
mod apply;
#[cfg(test)]
mod canary;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod cozystack;
#[cfg(test)]
mod destroy;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod fields;
#[cfg(test)]
mod harness_selftest;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod lost;
#[cfg(test)]
mod main_job;
#[cfg(test)]
mod ownership;
#[cfg(test)]
mod project;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod recover;
#[cfg(test)]
mod rollback;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod saved;
#[cfg(test)]
mod status;
#[cfg(test)]
mod structure;
#[cfg(test)]
mod surgery;
#[cfg(test)]
mod taken;

/// The control plane of this test binary; see [`support::ControlPlane::with`]. The suite on the sandbox has another.
#[cfg(test)]
pub(crate) fn plane(parts: &[support::Part]) -> Option<&'static support::ControlPlane> {
    support::ControlPlane::with(parts)
}

/// A control plane for one test alone.
#[cfg(test)]
pub(crate) fn own_plane(parts: &[support::Part]) -> Option<support::ControlPlane> {
    support::ControlPlane::own(parts)
}
