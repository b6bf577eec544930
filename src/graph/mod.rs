//! A dependency graph whose edges say why they are there.
//!
//! *Invariants:* acyclic by construction; every order is deterministic (ties by node order); the order of
//! destruction is exactly the reverse of the order of creation; building is O(V+E). Knows no resource.

mod cycle;
mod ready;

pub use cycle::Cycle;
pub use ready::{Outcome, ReadyQueue};

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::diag::Span;

/// Why one node waits for another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// The kind of reason.
    pub kind: ReasonKind,
    /// Where in the files it comes from.
    pub span: Option<Span>,
}

/// The kinds of reasons, the strongest first: where two hold, the first is shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReasonKind {
    /// `depends_on`.
    DependsOn,
    /// A `${…}` reference to this field.
    Reference(String),
    /// The object lies in that namespace.
    Namespace,
    /// The custom resource's kind is defined there.
    Definition,
    /// The object names that one in this field (`spec.chart.spec.sourceRef`, `volumes`, …).
    Field(String),
}

/// An edge: `from` waits for `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge<N> {
    /// The dependent.
    pub from: N,
    /// The dependency.
    pub to: N,
    /// Why.
    pub reason: Reason,
}

/// An acyclic graph; `from` depends on `to`.
#[derive(Debug, Clone)]
pub struct Graph<N> {
    /// Nodes in order of creation (dependencies first, ties by node order).
    order: Vec<N>,
    /// Per node: its dependencies with all the reasons, sorted.
    dependencies: BTreeMap<N, BTreeMap<N, Vec<Reason>>>,
    /// Per node: who depends on it.
    dependents: BTreeMap<N, Vec<N>>,
}

impl<N: Ord + Clone + Debug> Graph<N> {
    /// Builds the graph. Edges to or from a node that is not in `nodes` are ignored: whoever names a node
    /// checks the name.
    ///
    /// # Errors
    /// The shortest cycle, if there is any.
    pub fn new(
        nodes: impl IntoIterator<Item = N>,
        edges: impl IntoIterator<Item = Edge<N>>,
    ) -> Result<Self, Cycle<N>> {
        let mut dependencies: BTreeMap<N, BTreeMap<N, Vec<Reason>>> =
            nodes.into_iter().map(|node| (node, BTreeMap::new())).collect();
        for Edge { from, to, reason } in edges {
            if !dependencies.contains_key(&to) {
                continue;
            }
            if let Some(targets) = dependencies.get_mut(&from) {
                targets.entry(to).or_default().push(reason);
            }
        }
        for reasons in dependencies.values_mut().flat_map(BTreeMap::values_mut) {
            reasons.sort();
            reasons.dedup();
        }
        let mut dependents: BTreeMap<N, Vec<N>> =
            dependencies.keys().map(|n| (n.clone(), Vec::new())).collect();
        for (from, targets) in &dependencies {
            for to in targets.keys() {
                if let Some(list) = dependents.get_mut(to) {
                    list.push(from.clone());
                }
            }
        }
        let order = order(&dependencies, &dependents);
        if order.len() < dependencies.len() {
            return Err(cycle::shortest(&dependencies));
        }
        Ok(Self { order, dependencies, dependents })
    }

    /// Every node, dependencies before dependents, ties by node order.
    #[must_use]
    pub fn order(&self) -> &[N] {
        &self.order
    }

    /// Number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Number of pairs that depend on each other.
    #[must_use]
    pub fn edge_count(&self) -> usize {
        self.dependencies.values().map(BTreeMap::len).sum()
    }

    /// Direct dependencies of a node with their reasons; nothing for an unknown node.
    pub fn dependencies(&self, node: &N) -> impl Iterator<Item = (&N, &[Reason])> {
        self.dependencies.get(node).into_iter().flatten().map(|(to, reasons)| (to, reasons.as_slice()))
    }

    /// Direct dependents of a node, sorted.
    #[must_use]
    pub fn dependents(&self, node: &N) -> &[N] {
        self.dependents.get(node).map_or(&[], Vec::as_slice)
    }

    /// Every node that `node` depends on, directly or not, itself excluded.
    #[must_use]
    pub fn all_dependencies(&self, node: &N) -> std::collections::BTreeSet<N> {
        closure(node, |n| self.dependencies(n).map(|(to, _)| to.clone()).collect())
    }

    /// Every node that depends on `node`, directly or not, itself excluded.
    #[must_use]
    pub fn all_dependents(&self, node: &N) -> std::collections::BTreeSet<N> {
        closure(node, |n| self.dependents(n).to_vec())
    }
}

/// Every node that `next` leads to from `node`, itself excluded unless it is on a way back.
fn closure<N: Ord + Clone>(node: &N, next: impl Fn(&N) -> Vec<N>) -> std::collections::BTreeSet<N> {
    let mut seen = std::collections::BTreeSet::new();
    let mut todo = next(node);
    while let Some(n) = todo.pop() {
        if !seen.contains(&n) {
            todo.extend(next(&n));
            seen.insert(n);
        }
    }
    seen
}

/// Kahn's algorithm with a sorted frontier; shorter than the number of nodes iff there is a cycle.
fn order<N: Ord + Clone>(
    dependencies: &BTreeMap<N, BTreeMap<N, Vec<Reason>>>,
    dependents: &BTreeMap<N, Vec<N>>,
) -> Vec<N> {
    let mut open: BTreeMap<&N, usize> = dependencies.iter().map(|(n, d)| (n, d.len())).collect();
    let mut ready: std::collections::BTreeSet<&N> =
        open.iter().filter(|(_, d)| **d == 0).map(|(n, _)| *n).collect();
    let mut order = Vec::with_capacity(dependencies.len());
    while let Some(node) = ready.pop_first() {
        order.push(node.clone());
        for dependent in &dependents[node] {
            if let Some(left) = open.get_mut(dependent) {
                *left -= 1;
                if *left == 0 {
                    ready.insert(dependent);
                }
            }
        }
    }
    order
}

#[cfg(test)]
mod tests;
