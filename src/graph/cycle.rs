//! The shortest cycle of a graph that has one.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::{Edge, Reason};

/// A cycle: each edge's `to` is the next edge's `from`, and the last one's `to` the first one's `from`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle<N> {
    /// Its edges; it starts at its smallest node.
    pub edges: Vec<Edge<N>>,
}

/// Finds the shortest cycle. Only nodes of one strongly connected component can lie on a common cycle, so
/// the search by breadth runs inside the components alone, each bounded by the best cycle so far.
pub(super) fn shortest<N: Ord + Clone + Debug>(
    dependencies: &BTreeMap<N, BTreeMap<N, Vec<Reason>>>,
) -> Cycle<N> {
    let mut graph: DiGraph<&N, ()> = DiGraph::new();
    let index: BTreeMap<&N, NodeIndex> = dependencies.keys().map(|n| (n, graph.add_node(n))).collect();
    for (from, targets) in dependencies {
        for to in targets.keys() {
            graph.add_edge(index[from], index[to], ());
        }
    }
    let mut best: Option<Vec<&N>> = None;
    let mut components: Vec<Vec<&N>> = tarjan_scc(&graph)
        .into_iter()
        .map(|component| {
            let mut nodes: Vec<&N> = component.into_iter().map(|i| graph[i]).collect();
            nodes.sort();
            nodes
        })
        .collect();
    components.sort();
    for component in components {
        // The search from one node is linear in its component. A few hundred starting points find the
        // shortest cycle of any stack a person can read; beyond that a short one is as good.
        for &start in component.iter().take(256) {
            let limit = best.as_ref().map_or(usize::MAX, Vec::len);
            if let Some(found) = cycle_through(start, &component, dependencies, limit) {
                best = Some(found);
            }
        }
    }
    let nodes = best.unwrap_or_default();
    let edges = (0..nodes.len()).map(|at| {
        let (from, to) = (nodes[at], nodes[(at + 1) % nodes.len()]);
        let reason = dependencies[from][to].first().cloned();
        let reason = reason.unwrap_or(Reason { kind: super::ReasonKind::DependsOn, span: None });
        Edge { from: from.clone(), to: to.clone(), reason }
    });
    Cycle { edges: edges.collect() }
}

/// The shortest cycle through `start` with fewer than `limit` nodes.
fn cycle_through<'n, N: Ord>(
    start: &'n N,
    component: &[&'n N],
    dependencies: &'n BTreeMap<N, BTreeMap<N, Vec<Reason>>>,
    limit: usize,
) -> Option<Vec<&'n N>> {
    let mut came_from: BTreeMap<&N, &N> = BTreeMap::new();
    let mut todo = VecDeque::from([(start, 1)]);
    while let Some((node, length)) = todo.pop_front() {
        if length >= limit {
            return None;
        }
        for next in dependencies[node].keys() {
            if next == start {
                let mut nodes = vec![node];
                while let Some(previous) = came_from.get(nodes[nodes.len() - 1]) {
                    nodes.push(previous);
                }
                nodes.reverse();
                return Some(nodes);
            }
            if component.binary_search(&next).is_ok() && !came_from.contains_key(next) {
                came_from.insert(next, node);
                todo.push_back((next, length + 1));
            }
        }
    }
    None
}
