//! Plans that are not about everything: `--target`, `--exclude`, `--refresh-only`, and letting go of objects.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::plan::input::Options;
use crate::plan::{Change, Only};
use crate::stack::Stack;
use crate::state::Owned;

/// What a plan is about.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// Why it is not everything.
    pub(super) only: Option<Only>,
    /// The addresses; `None` for all.
    inside: Option<BTreeSet<Address>>,
    /// Names that name nothing, with their flags.
    pub(super) unknown: Vec<(&'static str, Address)>,
}

impl Scope {
    /// Works out what the options mean for what is desired and owned.
    pub(super) fn of(options: &Options, stack: Option<&Stack>, owned: &BTreeMap<Address, Owned>) -> Self {
        let world = World { stack, owned };
        let mut unknown = Vec::new();
        let mut named = |flag: &'static str, names: &BTreeSet<Address>| -> BTreeSet<Address> {
            let mut found = BTreeSet::new();
            for name in names {
                let matching = world.matching(name);
                if matching.is_empty() {
                    unknown.push((flag, name.clone()));
                }
                found.extend(matching);
            }
            found
        };
        if !options.release.is_empty() {
            let inside = named("state rm", &options.release);
            return Self { only: Some(Only::Release), inside: Some(inside), unknown };
        }
        if options.refresh_only {
            return Self { only: Some(Only::Refresh), inside: None, unknown };
        }
        if options.target.is_empty() && options.exclude.is_empty() {
            return Self { only: None, inside: None, unknown };
        }
        let targets = named("--target", &options.target);
        let excluded = named("--exclude", &options.exclude);
        let mut inside = if options.target.is_empty() {
            world.all()
        } else {
            closure(&targets, |address| world.needed_by(address))
        };
        for address in closure(&excluded, |address| world.need(address)) {
            inside.remove(&address);
        }
        let along = if options.target.is_empty() {
            BTreeSet::new()
        } else {
            inside.difference(&targets).cloned().collect()
        };
        let left_out = world.all().difference(&inside).cloned().collect();
        Self { only: Some(Only::Part { along, left_out }), inside: Some(inside), unknown }
    }

    /// Whether the plan is about the address.
    pub(super) fn has(&self, address: &Address) -> bool {
        self.inside.as_ref().is_none_or(|inside| inside.contains(address))
    }

    /// Whether something that the plan is not about was recorded as depending on the address: what the address had
    /// before may still be used.
    pub(super) fn leaves_a_user_of(&self, address: &Address, owned: &BTreeMap<Address, Owned>) -> bool {
        let mut users = owned.iter().filter(|(_, owned)| owned.depends_on.contains(address));
        matches!(self.only, Some(Only::Part { .. })) && users.any(|(user, _)| !self.has(user))
    }

    /// Whether the change is one that such a plan makes. A refresh only forgets.
    pub(super) fn makes(&self, change: &Change) -> bool {
        self.only != Some(Only::Refresh) || change.action == crate::plan::Action::Forget
    }
}

fn closure(start: &BTreeSet<Address>, next: impl Fn(&Address) -> BTreeSet<Address>) -> BTreeSet<Address> {
    let mut found = start.clone();
    let mut open: Vec<Address> = start.iter().cloned().collect();
    while let Some(address) = open.pop() {
        for address in next(&address) {
            if found.insert(address.clone()) {
                open.push(address);
            }
        }
    }
    found
}

struct World<'a> {
    stack: Option<&'a Stack>,
    owned: &'a BTreeMap<Address, Owned>,
}

impl World<'_> {
    fn desired(&self, address: &Address) -> bool {
        self.stack.is_some_and(|stack| stack.resources.contains_key(address))
    }

    fn all(&self) -> BTreeSet<Address> {
        let desired = self.stack.into_iter().flat_map(|stack| stack.resources.keys());
        desired.chain(self.owned.keys()).cloned().collect()
    }

    /// A declaration names all its instances.
    fn matching(&self, name: &Address) -> BTreeSet<Address> {
        self.all().into_iter().filter(|address| address == name || address.declaration() == *name).collect()
    }

    /// What has to be done before the resource is: what it depends on, or for one that leaves, those that
    /// used it: they leave too, or stop using it.
    fn needed_by(&self, address: &Address) -> BTreeSet<Address> {
        match self.stack {
            Some(stack) if self.desired(address) => self.only_desired(stack.graph.all_dependencies(address)),
            _ => self.users(address),
        }
    }

    /// What cannot be done without the resource: the other way round.
    fn need(&self, address: &Address) -> BTreeSet<Address> {
        let used = self.owned.get(address).into_iter().flat_map(|owned| owned.depends_on.iter());
        let leave = used.filter(|used| self.owned.contains_key(*used) && !self.desired(used)).cloned();
        match self.stack {
            Some(stack) if self.desired(address) => {
                self.only_desired(stack.graph.all_dependents(address)).into_iter().chain(leave).collect()
            }
            _ => leave.collect(),
        }
    }

    fn only_desired(&self, addresses: BTreeSet<Address>) -> BTreeSet<Address> {
        addresses.into_iter().filter(|address| self.desired(address)).collect()
    }

    /// Those that were recorded as depending on it.
    fn users(&self, address: &Address) -> BTreeSet<Address> {
        let users = self.owned.iter().filter(|(_, owned)| owned.depends_on.contains(address));
        users.map(|(user, _)| user.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(name: &str) -> Address {
        name.parse().unwrap()
    }

    fn set(names: &[&str]) -> BTreeSet<Address> {
        names.iter().map(|name| address(name)).collect()
    }

    /// What leaves, in a chain: c was made after b after a; and two instances of one declaration.
    fn leaving() -> BTreeMap<Address, Owned> {
        let one = |name: &str, needs: &[&str]| {
            let key = crate::address::ObjectKey::new("", "ConfigMap", Some("ns"), name);
            let mut owned = Owned::new(key, "v1", name);
            owned.depends_on = needs.iter().map(|name| address(name)).collect();
            (address(name), owned)
        };
        [
            one("t.a", &[]),
            one("t.b", &["t.a"]),
            one("t.c", &["t.b"]),
            one("t.d[\"x\"]", &[]),
            one("t.d[\"y\"]", &[]),
        ]
        .into()
    }

    #[test]
    fn a_part_of_a_destroy_takes_along_what_must_go_before() {
        let owned = leaving();
        // target, exclude: inside
        let cases: &[(&[&str], &[&str], &[&str])] = &[
            (&["t.c"], &[], &["t.c"]),
            (&["t.a"], &[], &["t.a", "t.b", "t.c"]),
            (&["t.d"], &[], &["t.d[\"x\"]", "t.d[\"y\"]"]),
            (&[], &["t.c"], &["t.d[\"x\"]", "t.d[\"y\"]"]),
            (&[], &["t.a"], &["t.b", "t.c", "t.d[\"x\"]", "t.d[\"y\"]"]),
            (&["t.a"], &["t.c"], &[]),
            (&[], &["t.d[\"x\"]"], &["t.a", "t.b", "t.c", "t.d[\"y\"]"]),
        ];
        for (target, exclude, inside) in cases {
            let options = Options { target: set(target), exclude: set(exclude), ..Options::default() };
            let scope = Scope::of(&options, None, &owned);
            let found: BTreeSet<Address> = owned.keys().filter(|a| scope.has(a)).cloned().collect();
            assert_eq!(found, set(inside), "{target:?} without {exclude:?}");
            assert_eq!(scope.unknown, Vec::new());
        }
    }

    #[test]
    fn names_of_nothing_are_told_with_their_flag() {
        let options = Options { target: set(&["t.none"]), exclude: set(&["t.nor"]), ..Options::default() };
        let scope = Scope::of(&options, None, &leaving());
        assert_eq!(scope.unknown, [("--target", address("t.none")), ("--exclude", address("t.nor"))]);
        let scope = Scope::of(&Options::default(), None, &leaving());
        assert!(scope.only.is_none() && scope.has(&address("t.any")));
    }
}
