use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn edge(from: u32, to: u32) -> Edge<u32> {
    Edge { from, to, reason: Reason { kind: ReasonKind::DependsOn, span: None } }
}

fn dag() -> impl Strategy<Value = (u32, Vec<(u32, u32)>)> {
    (1u32..30).prop_flat_map(|n| {
        let pairs = proptest::collection::vec((0..n, 0..n), 0..80);
        (Just(n), pairs.prop_map(|p| p.into_iter().filter(|(a, b)| a > b).collect()))
    })
}

/// Length of the shortest cycle by brute force: the shortest walk from each node back to itself.
fn shortest_cycle_length(n: u32, edges: &[(u32, u32)]) -> Option<usize> {
    let next: BTreeMap<u32, Vec<u32>> =
        (0..n).map(|v| (v, edges.iter().filter(|(a, _)| *a == v).map(|(_, b)| *b).collect())).collect();
    (0..n)
        .filter_map(|start| {
            let mut layer: BTreeSet<u32> = [start].into();
            (1..=n as usize).find(|_| {
                layer = layer.iter().flat_map(|v| next[v].iter().copied()).collect();
                layer.contains(&start)
            })
        })
        .min()
}

proptest! {
    #[test]
    fn order_puts_dependencies_first((n, edges) in dag()) {
        let graph = Graph::new(0..n, edges.iter().map(|(a, b)| edge(*a, *b))).unwrap();
        let at: BTreeMap<u32, usize> = graph.order().iter().copied().zip(0..).collect();
        prop_assert_eq!(at.len(), n as usize);
        for (from, to) in edges {
            prop_assert!(at[&to] < at[&from]);
        }
    }

    #[test]
    fn the_cycle_found_is_a_shortest_one(n in 1u32..9, pairs in proptest::collection::vec((0u32..9, 0u32..9), 0..24)) {
        let edges: Vec<(u32, u32)> = pairs.into_iter().filter(|(a, b)| *a < n && *b < n).collect();
        match Graph::new(0..n, edges.iter().map(|(a, b)| edge(*a, *b))) {
            Ok(_) => prop_assert_eq!(shortest_cycle_length(n, &edges), None),
            Err(cycle) => {
                prop_assert_eq!(Some(cycle.edges.len()), shortest_cycle_length(n, &edges));
                for (at, e) in cycle.edges.iter().enumerate() {
                    prop_assert!(edges.contains(&(e.from, e.to)));
                    prop_assert_eq!(e.to, cycle.edges[(at + 1) % cycle.edges.len()].from);
                }
            }
        }
    }

    #[test]
    fn the_queue_hands_out_each_node_once_after_its_dependencies(
        (n, edges) in dag(), failing in proptest::collection::btree_set(0u32..30, 0..4), picks in proptest::collection::vec(any::<usize>(), 0..200),
    ) {
        let graph = Graph::new(0..n, edges.iter().map(|(a, b)| edge(*a, *b))).unwrap();
        let mut queue = ReadyQueue::new(&graph);
        let (mut running, mut done, mut blocked) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        let mut seen = BTreeSet::new();
        let mut picks = picks.into_iter().cycle();
        while !queue.is_idle() {
            while let Some(node) = queue.pop() {
                prop_assert!(seen.insert(node));
                for (dependency, _) in graph.dependencies(&node) {
                    prop_assert!(done.contains(dependency));
                }
                running.push(node);
            }
            let node = running.swap_remove(picks.next().unwrap_or(0) % running.len());
            if failing.contains(&node) {
                for b in queue.finish(&node, Outcome::Failed) {
                    prop_assert!(blocked.insert(b));
                }
            } else {
                prop_assert!(queue.finish(&node, Outcome::Done).is_empty());
                done.insert(node);
            }
        }
        let expected: BTreeSet<u32> = failing.iter().filter(|f| seen.contains(f)).flat_map(|f| graph.all_dependents(f)).collect();
        prop_assert_eq!(&blocked, &expected);
        prop_assert_eq!(seen.len() + blocked.len(), n as usize);
    }
}

#[test]
fn an_edge_to_nothing_is_ignored() {
    let graph = Graph::new([1, 2], [edge(1, 9), edge(9, 1), edge(1, 2)]).unwrap();
    assert_eq!(graph.order(), [2, 1]);
    assert_eq!(graph.edge_count(), 1);
}
