//! `import`: one object that is there becomes ours, under the address that declares it. The adoption itself is
//! an ordinary change of an ordinary plan, confined to that resource and what it needs.

use super::{Error, named, stack};
use crate::address::{Address, Named, ObjectKey};
use crate::plan::{Action, Options, Plan};
use crate::stack::is_meant;
use crate::state::State;

/// What is to be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The resource that declares it.
    pub resource: Named,
    /// The object, as kubectl takes it or in full.
    pub object: ObjectKey,
}

/// What is meant by an [`Import`].
#[derive(Debug)]
pub(super) struct Found {
    address: Address,
    key: ObjectKey,
}

fn refuse(what: String) -> Error {
    Error::Unknown { what, choices: Vec::new() }
}

impl Import {
    /// What is to be imported, if files and state leave room for it.
    ///
    /// # Errors
    /// An address that is not declared, or declares another object; one of the two is owned already.
    pub(super) fn find(&self, desired: &stack::Desired, state: &State) -> Result<Found, Error> {
        let said = &self.object;
        let address = named::in_stack(&self.resource, desired.stack.as_ref())?;
        let declared = desired.stack.as_ref().map(|stack| &stack.resources);
        let Some(resource) = declared.and_then(|resources| resources.get(&address)) else {
            return Err(Error::Unknown {
                what: format!(
                    "the stack has no {address}: declare {} under that address first",
                    said.human()
                ),
                choices: declared.into_iter().flat_map(|all| all.keys()).map(ToString::to_string).collect(),
            });
        };
        let key = resource.key();
        if !is_meant(said, &key) {
            return Err(refuse(format!("{address} declares {}, not {}", key.human(), said.human())));
        }
        if let Some(owned) = state.resources.get(&address) {
            return Err(refuse(format!("{address} owns {} already", owned.key.human())));
        }
        if let Some((_, holder, _)) = state.objects().find(|(owned, _, _)| **owned == key) {
            let move_it = format!("`arrplan state mv {holder} {address}` gives it the new address");
            return Err(refuse(format!("{} belongs to {holder} already: {move_it}", key.human())));
        }
        Ok(Found { address, key })
    }
}

impl Found {
    /// Confines a plan to it.
    pub(super) fn confine(&self, options: Options) -> Options {
        Options { target: [self.address.clone()].into(), ..options }
    }

    /// Whether the plan adopts it. A plan with errors says itself what is wrong.
    ///
    /// # Errors
    /// The object is not there.
    pub(super) fn confirm(&self, plan: &Plan) -> Result<(), Error> {
        let change = plan.changes.iter().find(|change| change.address == self.address);
        match change.map(|change| change.action) {
            Some(Action::Adopt) => Ok(()),
            None if plan.problems.has_errors() => Ok(()),
            _ => Err(refuse(format!("{} is not in the cluster: nothing to import", self.key.human()))),
        }
    }
}
