//! Which change waits for which, and the order they are shown and started in (design §5.10).

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, ObjectKey};
use crate::graph::{Edge, Graph, Reason, ReasonKind};
use crate::plan::{Action, Change};

/// What ordering needs to know beside the changes themselves.
#[derive(Debug)]
pub(super) struct Dependencies<'a> {
    /// The stack's own graph, for what is desired.
    pub(super) desired: &'a Graph<Address>,
    /// Direct dependencies according to state.
    pub(super) recorded: &'a BTreeMap<Address, Vec<Address>>,
}

/// Puts the changes in order and fills in [`Change::after`].
///
/// Creates and updates follow the stack's graph. A delete waits for every resource that depended on it
/// according to state to be updated or deleted. Where the key of one address changed, the new object comes
/// first, then the address's dependents, then the delete of the old one; for releases and Kustomizations,
/// which would fight over the same objects, the old one goes first.
pub(super) fn arrange(changes: Vec<Change>, dependencies: &Dependencies<'_>) -> Vec<Change> {
    let mut current: BTreeMap<&Address, usize> = BTreeMap::new();
    let mut former: BTreeMap<&Address, Vec<usize>> = BTreeMap::new();
    for (at, change) in changes.iter().enumerate() {
        if change.former {
            former.entry(&change.address).or_default().push(at);
        } else {
            current.insert(&change.address, at);
        }
    }
    let mut after: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); changes.len()];
    for (at, change) in changes.iter().enumerate() {
        if is_removal(change) {
            // Namespaces and definitions last, by what state recorded of everyone that depended on them.
            for (dependent, recorded) in dependencies.recorded {
                if !recorded.contains(&change.address) || *dependent == change.address {
                    continue;
                }
                let replaced = former.get(dependent).into_iter().flatten().copied();
                after[at].extend(current.get(dependent).copied().into_iter().chain(replaced));
            }
            // Where that is not all, as after moves and interrupted runs, by what lies in them.
            let inside = changes.iter().enumerate().filter(|(_, other)| is_removal(other));
            let inside = inside.filter(|(_, other)| takes_along(&change.key, &other.key));
            after[at].extend(inside.map(|(other, _)| other));
        } else {
            let direct = dependencies.desired.dependencies(&change.address).map(|(to, _)| to);
            after[at].extend(direct.filter_map(|to| current.get(to).copied()));
        }
    }
    for (address, olds) in &former {
        let Some(&new) = current.get(address) else {
            continue;
        };
        for &old in olds {
            if uninstalls_first(&changes[old].key) {
                after[old].clear();
                after[new].insert(old);
            } else {
                after[old].insert(new);
                let dependents = dependencies.desired.dependents(address);
                after[old].extend(dependents.iter().filter_map(|d| current.get(d).copied()));
            }
        }
    }
    sort(changes, after, dependencies)
}

/// Whether an object goes with its namespace, or with the definition of its kind.
fn takes_along(holder: &ObjectKey, key: &ObjectKey) -> bool {
    match (holder.group.as_str(), holder.kind.as_str()) {
        ("", "Namespace") => key.namespace.as_deref() == Some(holder.name.as_str()),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            holder.name.split_once('.').is_some_and(|(_, group)| group == key.group)
        }
        _ => false,
    }
}

fn is_removal(change: &Change) -> bool {
    change.former || matches!(change.action, Action::Delete | Action::Forget | Action::Keep)
}

/// Whether two objects of an address, its former one and its own, would fight over what they install.
pub(super) fn uninstalls_first(key: &ObjectKey) -> bool {
    matches!(key.group.as_str(), "helm.toolkit.fluxcd.io" | "kustomize.toolkit.fluxcd.io")
}

/// Topological order; among changes that could go at once the stack's order decides, and removals come in
/// the reverse of the order in which state says they were made.
fn sort(
    changes: Vec<Change>,
    mut after: Vec<BTreeSet<usize>>,
    dependencies: &Dependencies<'_>,
) -> Vec<Change> {
    let made = creation_ranks(dependencies.recorded);
    let wanted: BTreeMap<&Address, usize> = dependencies.desired.order().iter().zip(0..).collect();
    let rank = |at: usize| {
        let change = &changes[at];
        if is_removal(change) {
            let made = made.get(&change.address).copied().unwrap_or(0);
            (1, usize::MAX - made, at)
        } else {
            (0, wanted.get(&change.address).copied().unwrap_or(usize::MAX), at)
        }
    };
    let nodes: Vec<(u8, usize, usize)> = (0..changes.len()).map(rank).collect();
    let edges = |after: &[BTreeSet<usize>]| -> Vec<Edge<(u8, usize, usize)>> {
        let edge = |from: usize, to: usize| Edge {
            from: nodes[from],
            to: nodes[to],
            reason: Reason { kind: ReasonKind::DependsOn, span: None },
        };
        after.iter().enumerate().flat_map(|(from, tos)| tos.iter().map(move |to| edge(from, *to))).collect()
    };
    // State recorded by different revisions can contradict itself (two removals that depended on each other
    // at different times). An edge between two removals gives way then; nothing else can be on a cycle.
    let order = loop {
        match Graph::new(nodes.iter().copied(), edges(&after)) {
            Ok(graph) => break graph.order().to_vec(),
            Err(cycle) => {
                let Some(edge) = cycle.edges.iter().find(|e| is_removal(&changes[e.from.2])) else {
                    break nodes.clone();
                };
                after[edge.from.2].remove(&edge.to.2);
            }
        }
    };
    let place: BTreeMap<usize, usize> =
        order.iter().enumerate().map(|(place, node)| (node.2, place)).collect();
    let mut slots: Vec<Option<Change>> = changes.into_iter().map(Some).collect();
    let mut sorted = Vec::with_capacity(slots.len());
    for (_, _, at) in order {
        let Some(mut change) = slots[at].take() else {
            continue;
        };
        change.after = after[at].iter().map(|to| place[to]).collect();
        sorted.push(change);
    }
    sorted
}

/// Position of each address in an order of creation that fits what state recorded.
fn creation_ranks(recorded: &BTreeMap<Address, Vec<Address>>) -> BTreeMap<Address, usize> {
    let mut recorded = recorded.clone();
    loop {
        let edges = recorded.iter().flat_map(|(from, tos)| {
            tos.iter().map(move |to| Edge {
                from: from.clone(),
                to: to.clone(),
                reason: Reason { kind: ReasonKind::DependsOn, span: None },
            })
        });
        match Graph::new(recorded.keys().cloned(), edges) {
            Ok(graph) => return graph.order().iter().cloned().zip(0..).collect(),
            Err(cycle) => {
                for edge in cycle.edges.iter().take(1) {
                    if let Some(list) = recorded.get_mut(&edge.from) {
                        list.retain(|to| *to != edge.to);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::ObjectKey;
    use proptest::prelude::*;

    fn change(name: &str, action: Action, former: bool, kind: (&str, &str)) -> Change {
        let name_of_object = format!("{name}{}", if former { "-old" } else { "" });
        let key = ObjectKey::new(kind.0, kind.1, Some("ns"), &name_of_object);
        Change { former, ..Change::new(Address::new("t", name), key, action) }
    }

    const CONFIG: (&str, &str) = ("", "ConfigMap");

    fn graph(nodes: &[&str], edges: &[(&str, &str)]) -> Graph<Address> {
        let address = |name: &str| Address::new("t", name);
        let reason = || Reason { kind: ReasonKind::DependsOn, span: None };
        let edges = edges.iter().map(|(a, b)| Edge { from: address(a), to: address(b), reason: reason() });
        Graph::new(nodes.iter().map(|n| address(n)), edges.collect::<Vec<_>>()).unwrap()
    }

    fn recorded(edges: &[(&str, &[&str])]) -> BTreeMap<Address, Vec<Address>> {
        let address = |name: &str| Address::new("t", name);
        edges.iter().map(|(a, bs)| (address(a), bs.iter().map(|b| address(b)).collect())).collect()
    }

    /// `name(action) <- what it waits for`, in order.
    fn shown(changes: &[Change]) -> Vec<String> {
        let name =
            |c: &Change| format!("{}{}", c.key.name, if c.action == Action::Delete { "-" } else { "+" });
        changes
            .iter()
            .map(|c| {
                let after: Vec<String> = c.after.iter().map(|at| name(&changes[*at])).collect();
                if after.is_empty() { name(c) } else { format!("{} <- {}", name(c), after.join(" ")) }
            })
            .collect()
    }

    #[test]
    fn what_lies_in_a_removal_goes_before_it_whatever_was_recorded() {
        let of_cluster = |kind: (&str, &str), name: &str| {
            let key = ObjectKey::new(kind.0, kind.1, None, name);
            Change::new(Address::new("t", name), key, Action::Delete)
        };
        let changes = vec![
            of_cluster(("apiextensions.k8s.io", "CustomResourceDefinition"), "gears.example.org"),
            of_cluster(("", "Namespace"), "ns"),
            change("gear", Action::Delete, false, ("example.org", "Gear")),
            change("other", Action::Delete, false, ("example.com", "Gear")),
        ];
        let graph = graph(&[], &[]);
        let recorded = BTreeMap::new();
        let mut shown = shown(&arrange(changes, &Dependencies { desired: &graph, recorded: &recorded }));
        shown.sort();
        assert_eq!(shown, ["gear-", "gears.example.org- <- gear-", "ns- <- gear- other-", "other-"]);
    }

    #[test]
    fn destroying_is_the_exact_reverse_of_making() {
        let names = ["ns", "pvc", "git", "release"];
        let recorded =
            recorded(&[("ns", &[]), ("pvc", &["ns"]), ("git", &[]), ("release", &["ns", "pvc", "git"])]);
        let changes = names.map(|n| change(n, Action::Delete, false, CONFIG)).to_vec();
        let empty = graph(&[], &[]);
        let arranged = arrange(changes, &Dependencies { desired: &empty, recorded: &recorded });
        assert_eq!(
            shown(&arranged),
            ["release-", "pvc- <- release-", "ns- <- release- pvc-", "git- <- release-"]
        );
    }

    #[test]
    fn a_delete_waits_for_those_who_used_it_to_let_go() {
        let recorded = recorded(&[("old", &[]), ("user", &["old"])]);
        let changes =
            vec![change("old", Action::Delete, false, CONFIG), change("user", Action::Update, false, CONFIG)];
        let desired = graph(&["user"], &[]);
        let arranged = arrange(changes, &Dependencies { desired: &desired, recorded: &recorded });
        assert_eq!(shown(&arranged), ["user+", "old- <- user+"]);
    }

    #[test]
    fn a_renamed_object_is_made_first_and_a_renamed_release_is_uninstalled_first() {
        let desired = graph(&["a", "b"], &[("b", "a")]);
        let recorded = recorded(&[("a", &[]), ("b", &["a"])]);
        let dependencies = Dependencies { desired: &desired, recorded: &recorded };
        let changes = |kind| {
            vec![
                change("a", Action::Create, false, kind),
                change("a", Action::Delete, true, kind),
                change("b", Action::Update, false, CONFIG),
            ]
        };
        let arranged = arrange(changes(CONFIG), &dependencies);
        assert_eq!(shown(&arranged), ["a+", "b+ <- a+", "a-old- <- a+ b+"]);
        let arranged = arrange(changes(("helm.toolkit.fluxcd.io", "HelmRelease")), &dependencies);
        assert_eq!(shown(&arranged), ["a-old-", "a+ <- a-old-", "b+ <- a+"]);
    }

    #[test]
    fn state_that_contradicts_itself_still_gives_an_order() {
        let recorded = recorded(&[("a", &["b"]), ("b", &["a"])]);
        let changes =
            vec![change("a", Action::Delete, false, CONFIG), change("b", Action::Delete, false, CONFIG)];
        let empty = graph(&[], &[]);
        assert_eq!(arrange(changes, &Dependencies { desired: &empty, recorded: &recorded }).len(), 2);
    }

    proptest! {
        #[test]
        fn everything_a_change_waits_for_comes_before_it(
            desired in proptest::collection::vec((0usize..8, 0usize..8), 0..16),
            old in proptest::collection::vec((0usize..8, 0usize..8), 0..24),
            kinds in proptest::collection::vec(0u8..5, 8),
        ) {
            let names: Vec<String> = (0..8).map(|n| format!("r{n}")).collect();
            let mut changes = Vec::new();
            let mut wanted = Vec::new();
            for (name, kind) in names.iter().zip(&kinds) {
                let release = ("helm.toolkit.fluxcd.io", "HelmRelease");
                match kind {
                    0 => changes.push(change(name, Action::Delete, false, CONFIG)),
                    1 => { wanted.push(name.as_str()); changes.push(change(name, Action::NoOp, false, CONFIG)); }
                    2 => { wanted.push(name.as_str()); changes.push(change(name, Action::Create, false, CONFIG)); changes.push(change(name, Action::Delete, true, CONFIG)); }
                    3 => { wanted.push(name.as_str()); changes.push(change(name, Action::Create, false, release)); changes.push(change(name, Action::Delete, true, release)); }
                    _ => { wanted.push(name.as_str()); changes.push(change(name, Action::Update, false, CONFIG)); }
                }
            }
            let edges: Vec<(&str, &str)> = desired.iter().filter(|(a, b)| a > b)
                .map(|(a, b)| (names[*a].as_str(), names[*b].as_str())).collect();
            let graph = graph(&wanted, &edges);
            let mut records: BTreeMap<Address, Vec<Address>> = names.iter().map(|n| (Address::new("t", n.as_str()), Vec::new())).collect();
            for (a, b) in old.into_iter().filter(|(a, b)| a != b) {
                records.get_mut(&Address::new("t", names[a].as_str())).unwrap().push(Address::new("t", names[b].as_str()));
            }
            let total = changes.len();
            let arranged = arrange(changes, &Dependencies { desired: &graph, recorded: &records });
            prop_assert_eq!(arranged.len(), total);
            for (at, change) in arranged.iter().enumerate() {
                prop_assert!(change.after.iter().all(|before| *before < at));
            }
            for (from, to) in edges {
                let place = |name: &str| arranged.iter().position(|c| !c.former && c.address.name == name);
                if let (Some(from), Some(to)) = (place(from), place(to))
                    && wanted.contains(&arranged[from].address.name.as_str()) && wanted.contains(&arranged[to].address.name.as_str()) {
                    prop_assert!(to < from);
                }
            }
        }
    }
}
