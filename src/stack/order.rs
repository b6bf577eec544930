//! In which order values are resolved: what is referred to before what refers to it.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::graph::{Edge, Graph, Reason, ReasonKind};

use super::expr::Expr;
use super::syntax::Node;

/// What a value refers to, by its text alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Needs {
    Local(String),
    Resource(Address),
    Existing(Address),
}

/// Everything that `nodes` refer to.
pub(super) fn needs<'n>(nodes: impl IntoIterator<Item = &'n Node>) -> BTreeSet<Needs> {
    let mut found = BTreeSet::new();
    for node in nodes {
        node.references(&mut |expr, _| match expr {
            Expr::Local(name, _) => {
                found.insert(Needs::Local(name.clone()));
            }
            Expr::Object(object) => {
                let address = Address {
                    table: object.table.clone(),
                    name: object.name.clone(),
                    index: object.index.clone(),
                };
                found.insert(if object.existing {
                    Needs::Existing(address)
                } else {
                    Needs::Resource(address)
                });
            }
            _ => {}
        });
    }
    found
}

/// Orders `items` so that each comes after what it needs; those in or behind a cycle come last.
pub(super) fn sorted(items: &BTreeMap<Needs, BTreeSet<Needs>>) -> Vec<&Needs> {
    let position: BTreeMap<&Needs, usize> = items.keys().enumerate().map(|(at, item)| (item, at)).collect();
    let names: Vec<&Needs> = items.keys().collect();
    let mut open = vec![0_usize; names.len()];
    let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
    for (at, needs) in items.values().enumerate() {
        for need in needs {
            if let Some(&to) = position.get(need) {
                open[at] += 1;
                waiting[to].push(at);
            }
        }
    }
    let mut order: Vec<usize> = (0..names.len()).filter(|at| open[*at] == 0).collect();
    let mut next = 0;
    while next < order.len() {
        for &dependent in &waiting[order[next]] {
            open[dependent] -= 1;
            if open[dependent] == 0 {
                order.push(dependent);
            }
        }
        next += 1;
    }
    let left: Vec<usize> = (0..names.len()).filter(|at| open[*at] > 0).collect();
    order.into_iter().chain(left).map(|at| names[at]).collect()
}

/// Cycles that are reported at most: each is found in what the ones before it leave.
const MAX_CYCLES: usize = 20;

/// Reports the cycles of local values.
pub(super) fn report_local_cycles(
    locals: &BTreeMap<String, (Span, BTreeSet<Needs>)>,
    diags: &mut Diagnostics,
) {
    let mut names: BTreeSet<&String> = locals.keys().collect();
    for _ in 0..MAX_CYCLES {
        let edges = names.iter().flat_map(|name| {
            let (span, needs) = &locals[*name];
            needs.iter().filter_map(|need| match need {
                Needs::Local(to) => Some(Edge {
                    from: (*name).clone(),
                    to: to.clone(),
                    reason: Reason {
                        kind: ReasonKind::Reference(format!("local.{to}")),
                        span: Some(span.clone()),
                    },
                }),
                _ => None,
            })
        });
        let Err(cycle) = Graph::new(names.iter().map(|name| (*name).clone()), edges.collect::<Vec<_>>())
        else {
            return;
        };
        let mut path: Vec<String> = cycle.edges.iter().map(|edge| format!("`{}`", edge.from)).collect();
        path.extend(path.first().cloned());
        let message = match cycle.edges.as_slice() {
            [only] => format!("local `{}` refers to itself", only.from),
            _ => format!("locals depend on each other: {}", path.join(" → ")),
        };
        let mut diagnostic = Diagnostic::error("E025", message);
        for edge in &cycle.edges {
            names.remove(&edge.from);
            if let Some(span) = &edge.reason.span {
                diagnostic = diagnostic.at(span.clone(), format!("needs `{}`", edge.to));
            }
        }
        diags.push(diagnostic.help("give one of them a value of its own"));
    }
}
