//! Resources that only changed their address (design §5.1): the same object, no write.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::stack::Stack;
use crate::state::Owned;

/// State as it stands under the stack's addresses, and for each moved resource the address it had:
/// what `[[moved]]` says first, then every object that is desired under another address than state has it.
pub(super) fn apply(
    state: &BTreeMap<Address, Owned>,
    stack: Option<&Stack>,
) -> (BTreeMap<Address, Owned>, BTreeMap<Address, Address>) {
    let mut owned = state.clone();
    let mut moved = BTreeMap::new();
    let Some(stack) = stack else { return (owned, moved) };
    for step in &stack.moved {
        for (from, to) in instances(&owned, &step.from, &step.to) {
            rename(&mut owned, &mut moved, &from, &to);
        }
    }
    for resource in stack.resources.values() {
        let key = resource.key();
        let holder = owned.iter().find(|(_, o)| o.key == key).map(|(address, _)| address.clone());
        let Some(from) = holder else { continue };
        let still_wanted = stack.resources.get(&from).is_some_and(|r| r.key() == key);
        if from != resource.address && !still_wanted && !owned.contains_key(&resource.address) {
            rename(&mut owned, &mut moved, &from, &resource.address);
        }
    }
    (owned, moved)
}

/// The pairs one `[[moved]]` means: a declaration takes all its instances along.
fn instances(owned: &BTreeMap<Address, Owned>, from: &Address, to: &Address) -> Vec<(Address, Address)> {
    if from.index.is_some() || to.index.is_some() {
        return vec![(from.clone(), to.clone())];
    }
    let matching = owned.keys().filter(|address| address.declaration() == *from);
    matching
        .map(|address| (address.clone(), Address { index: address.index.clone(), ..to.clone() }))
        .collect()
}

fn rename(
    owned: &mut BTreeMap<Address, Owned>,
    moved: &mut BTreeMap<Address, Address>,
    from: &Address,
    to: &Address,
) {
    if owned.contains_key(to) {
        return;
    }
    if let Some(entry) = owned.remove(from) {
        owned.insert(to.clone(), entry);
        let recorded = owned.values_mut().flat_map(|owned| owned.depends_on.iter_mut());
        recorded.filter(|used| *used == from).for_each(|used| used.clone_from(to));
        let origin = moved.remove(from).unwrap_or_else(|| from.clone());
        moved.insert(to.clone(), origin);
    }
}
