//! Which nodes may start now.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use super::Graph;

/// How a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Dependents may start.
    Done,
    /// Every transitive dependent is blocked by this node.
    Failed,
}

/// Hands out nodes in dependency order. *Invariants:* no node twice, none before its dependencies, none
/// behind a failure; the nodes handed out, blocked and left always add up to all nodes.
#[derive(Debug)]
pub struct ReadyQueue<N> {
    waiting: BTreeMap<N, BTreeSet<N>>,
    dependents: BTreeMap<N, Vec<N>>,
    ready: BTreeSet<(usize, N)>,
    rank: BTreeMap<N, usize>,
    running: BTreeSet<N>,
}

impl<N: Ord + Clone + Debug> ReadyQueue<N> {
    /// All nodes of the graph; nodes that are ready together come out in the graph's order.
    #[must_use]
    pub fn new(graph: &Graph<N>) -> Self {
        let rank: BTreeMap<N, usize> = graph.order().iter().cloned().zip(0..).collect();
        let mut queue = Self {
            waiting: BTreeMap::new(),
            dependents: BTreeMap::new(),
            ready: BTreeSet::new(),
            rank,
            running: BTreeSet::new(),
        };
        for node in graph.order() {
            let open: BTreeSet<N> = graph.dependencies(node).map(|(to, _)| to.clone()).collect();
            queue.dependents.insert(node.clone(), graph.dependents(node).to_vec());
            if open.is_empty() {
                queue.ready.insert((queue.rank[node], node.clone()));
            } else {
                queue.waiting.insert(node.clone(), open);
            }
        }
        queue
    }

    /// The next node that may start.
    pub fn pop(&mut self) -> Option<N> {
        let (_, node) = self.ready.pop_first()?;
        self.running.insert(node.clone());
        Some(node)
    }

    /// Ends a node that was handed out. Returns the nodes that this blocked, in the graph's order.
    pub fn finish(&mut self, node: &N, outcome: Outcome) -> Vec<N> {
        if !self.running.remove(node) {
            return Vec::new();
        }
        match outcome {
            Outcome::Done => {
                for dependent in self.dependents.get(node).cloned().unwrap_or_default() {
                    let Some(open) = self.waiting.get_mut(&dependent) else {
                        continue;
                    };
                    open.remove(node);
                    if open.is_empty() {
                        self.waiting.remove(&dependent);
                        self.ready.insert((self.rank[&dependent], dependent));
                    }
                }
                Vec::new()
            }
            Outcome::Failed => self.block_dependents(node),
        }
    }

    fn block_dependents(&mut self, node: &N) -> Vec<N> {
        let mut blocked = BTreeSet::new();
        let mut todo = self.dependents.get(node).cloned().unwrap_or_default();
        while let Some(next) = todo.pop() {
            if self.waiting.remove(&next).is_some() {
                todo.extend(self.dependents.get(&next).cloned().unwrap_or_default());
                blocked.insert((self.rank[&next], next));
            }
        }
        blocked.into_iter().map(|(_, node)| node).collect()
    }

    /// Whether nothing is running and nothing can start.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.running.is_empty() && self.ready.is_empty()
    }

    /// Takes out every node that was not handed out yet, in the graph's order.
    pub fn drain(&mut self) -> Vec<N> {
        let mut left: BTreeSet<(usize, N)> = std::mem::take(&mut self.ready);
        left.extend(std::mem::take(&mut self.waiting).into_keys().map(|n| (self.rank[&n], n)));
        left.into_iter().map(|(_, node)| node).collect()
    }
}
