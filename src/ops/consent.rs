//! Data is lost only where the user said so, address by address.

use std::collections::BTreeSet;

use crate::address::Address;
use crate::plan::{Action, Plan, Risk};

/// The addresses whose deletion would lose data and that `allowed` does not name.
#[must_use]
pub fn missing_consents(plan: &Plan, allowed: &BTreeSet<Address>) -> Vec<Address> {
    let losing = plan.changes.iter().filter(|change| {
        change.risk == Risk::DataLoss
            && !matches!(change.action, Action::NoOp | Action::Keep | Action::Forget)
    });
    let missing: BTreeSet<&Address> =
        losing.map(|change| &change.address).filter(|address| !allowed.contains(address)).collect();
    missing.into_iter().cloned().collect()
}
