//! Resources as people name them: by address, or by object as kubectl takes it where that is unique.

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, PlanRequest};
use crate::address::{Address, Named, ObjectKey};
use crate::plan::{Options, Plan};
use crate::stack::{Stack, is_meant};
use crate::state::State;

/// A flag of planning that names resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// `--target`.
    Target,
    /// `--exclude`.
    Exclude,
    /// `--replace`.
    Replace,
    /// `--adopt`.
    Adopt,
    /// What `state rm` names.
    Release,
}

/// The options of a request, with the resources in them that were named by their objects.
pub(super) fn options(request: &PlanRequest, stack: Option<&Stack>, state: &State) -> Result<Options, Error> {
    let mut options = request.options.clone();
    if request.objects.is_empty() {
        return Ok(options);
    }
    let all: Vec<_> = of_stack(stack).chain(of_state(state)).collect();
    for (naming, said) in &request.objects {
        let addresses = match naming {
            Naming::Target => &mut options.target,
            Naming::Exclude => &mut options.exclude,
            Naming::Replace => &mut options.replace,
            Naming::Adopt => &mut options.adopt,
            Naming::Release => &mut options.release,
        };
        addresses.insert(the_one(said, &all)?);
    }
    Ok(options)
}

/// The resource of the stack that is named.
pub(super) fn in_stack(named: &Named, stack: Option<&Stack>) -> Result<Address, Error> {
    one(named, || of_stack(stack).collect())
}

/// What of the state is named.
pub(super) fn in_state(named: &Named, state: &State) -> Result<Address, Error> {
    one(named, || of_state(state).collect())
}

/// The resources of a plan that are named.
///
/// # Errors
/// An object that is not exactly one resource's.
pub fn in_plan(named: &[Named], plan: &Plan) -> Result<BTreeSet<Address>, Error> {
    let all = || plan.changes.iter().map(|change| (change.key.clone(), change.address.clone())).collect();
    named.iter().map(|named| one(named, all)).collect()
}

fn one(named: &Named, all: impl FnOnce() -> Vec<(ObjectKey, Address)>) -> Result<Address, Error> {
    match named {
        Named::Address(address) => Ok(address.clone()),
        Named::Object(said) => the_one(said, &all()),
    }
}

fn of_stack(stack: Option<&Stack>) -> impl Iterator<Item = (ObjectKey, Address)> {
    let resources = stack.into_iter().flat_map(|stack| &stack.resources);
    resources.map(|(address, resource)| (resource.key(), address.clone()))
}

fn of_state(state: &State) -> impl Iterator<Item = (ObjectKey, Address)> {
    state.resources.iter().map(|(address, owned)| (owned.key.clone(), address.clone()))
}

/// The one resource whose object is meant.
fn the_one(said: &ObjectKey, all: &[(ObjectKey, Address)]) -> Result<Address, Error> {
    let meant = all.iter().filter(|(key, _)| is_meant(said, key));
    let meant: BTreeMap<&Address, &ObjectKey> = meant.map(|(key, address)| (address, key)).collect();
    let mut addresses = meant.keys();
    match (addresses.next(), addresses.next()) {
        (Some(address), None) => Ok((*address).clone()),
        (None, _) => Err(Error::Unknown {
            what: format!("{said} names no resource"),
            choices: all
                .iter()
                .map(|(_, address)| address)
                .collect::<BTreeSet<_>>()
                .into_iter()
                .map(ToString::to_string)
                .collect(),
        }),
        (Some(_), Some(_)) => Err(Error::Unknown {
            what: format!("{said} names more than one resource: say its address"),
            choices: meant
                .iter()
                .map(|(address, key)| format!("{address}, which is {}", key.human()))
                .collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(said: &str) -> String {
        let all = [
            ("config_map.a", "ConfigMap/one/a"),
            ("config_map.other", "ConfigMap/two/a"),
            ("yaml.x[\"Secret/one/a\"]", "Secret/one/a"),
            ("persistent_volume_claim.media", "PersistentVolumeClaim/one/media-pvc"),
        ];
        let all = all.map(|(address, key)| (key.parse().unwrap(), address.parse().unwrap()));
        match one(&said.parse().unwrap(), || [all.as_slice(), &all].concat()) {
            Ok(address) => address.to_string(),
            Err(Error::Unknown { what, choices }) => format!("{what}: {}", choices.join("; ")),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn an_object_names_its_resource_where_it_is_the_only_one() {
        assert_eq!(told("pvc/media-pvc"), "persistent_volume_claim.media");
        assert_eq!(told("cm/two/a"), "config_map.other");
        assert_eq!(told("secret/a"), "yaml.x[\"Secret/one/a\"]");
        assert_eq!(
            told("cm/a"),
            "cm/a names more than one resource: say its address: config_map.a, which is ConfigMap one/a; \
             config_map.other, which is ConfigMap two/a"
        );
        assert_eq!(
            told("pvc/none"),
            "pvc/none names no resource: config_map.a; config_map.other; persistent_volume_claim.media; \
             yaml.x[\"Secret/one/a\"]"
        );
        // An address is what it is; whether there is such a resource is for others to say.
        assert_eq!(told("config_map.nowhere"), "config_map.nowhere");
    }
}
