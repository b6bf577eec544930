use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;
use crate::graph::{Edge, Reason, ReasonKind};

#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Done,
    Failed,
    Skipped(usize),
    Interrupted,
}

/// A unit that writes for some time, waits for some time, and then ends well or not. Time is counted in
/// turns of the scheduler, so that the runs are fast and the same each time.
#[derive(Debug, Clone)]
struct Fake {
    write: u64,
    wait: u64,
    fails: bool,
    writes: bool,
}

struct Fakes {
    units: Vec<Fake>,
    dependencies: Vec<BTreeSet<usize>>,
    parallelism: usize,
    in_flight: Arc<AtomicUsize>,
    started: BTreeSet<usize>,
    stopped: bool,
    ends: BTreeMap<usize, End>,
    order: Vec<usize>,
}

impl Fakes {
    fn end(&mut self, node: usize, end: End) {
        assert_eq!(self.ends.insert(node, end), None, "{node} ended twice");
        self.order.push(node);
    }
}

impl<'a> Units<'a> for Fakes {
    type Output = bool;

    fn writes(&self, node: usize) -> bool {
        self.units[node].writes
    }

    fn start(&mut self, node: usize, mut slot: Slot) -> LocalBoxFuture<'a, bool> {
        assert!(!self.stopped, "{node} started after the cancel");
        assert!(self.started.insert(node), "{node} started twice");
        for dependency in &self.dependencies[node] {
            assert_eq!(self.ends.get(dependency), Some(&End::Done), "{node} before {dependency}");
        }
        let fake = self.units[node].clone();
        let in_flight = Arc::clone(&self.in_flight);
        let parallelism = self.parallelism;
        Box::pin(async move {
            if fake.writes {
                slot.take().await;
                assert!(in_flight.fetch_add(1, Ordering::SeqCst) < parallelism, "too many writes at once");
                turns(fake.write).await;
                in_flight.fetch_sub(1, Ordering::SeqCst);
                slot.release();
            }
            turns(fake.wait).await;
            !fake.fails
        })
    }

    fn finished(&mut self, node: usize, output: bool) -> graph::Outcome {
        self.end(node, if output { End::Done } else { End::Failed });
        if output { graph::Outcome::Done } else { graph::Outcome::Failed }
    }

    fn skipped(&mut self, node: usize, cause: usize) {
        self.end(node, End::Skipped(cause));
    }

    fn interrupted(&mut self, node: usize) {
        self.end(node, End::Interrupted);
    }

    fn stopping(&mut self) {
        assert!(!self.stopped);
        self.stopped = true;
    }
}

async fn turns(number: u64) {
    for _ in 0..number {
        tokio::task::yield_now().await;
    }
}

fn graph_of(dependencies: &[BTreeSet<usize>]) -> Graph<usize> {
    let edges = dependencies.iter().enumerate().flat_map(|(from, tos)| {
        tos.iter().map(move |to| Edge {
            from,
            to: *to,
            reason: Reason { kind: ReasonKind::DependsOn, span: None },
        })
    });
    Graph::new(0..dependencies.len(), edges).unwrap()
}

fn run(
    units: Vec<Fake>,
    dependencies: Vec<BTreeSet<usize>>,
    parallelism: usize,
    cancel_at: Option<u64>,
) -> Fakes {
    let graph = graph_of(&dependencies);
    let mut fakes = Fakes {
        units,
        dependencies,
        parallelism,
        in_flight: Arc::default(),
        started: BTreeSet::new(),
        stopped: false,
        ends: BTreeMap::new(),
        order: Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let cancel = CancellationToken::new();
        if let Some(at) = cancel_at {
            let cancel = cancel.clone();
            tokio::spawn(async move {
                turns(at).await;
                cancel.cancel();
            });
        }
        dispatch(&graph, parallelism, &cancel, &mut fakes).await;
    });
    fakes
}

prop_compose! {
    fn fake()(write in 0..20_u64, wait in 0..50_u64, fails in proptest::bool::weighted(0.15), writes in proptest::bool::weighted(0.8)) -> Fake {
        Fake { write, wait, fails, writes }
    }
}

prop_compose! {
    fn dag()(size in 1..25_usize)(
        units in proptest::collection::vec(fake(), size),
        bits in proptest::collection::vec(proptest::collection::vec(proptest::bool::weighted(0.15), size), size),
    ) -> (Vec<Fake>, Vec<BTreeSet<usize>>) {
        let dependencies = bits.iter().enumerate().map(|(from, row)| (0..from).filter(|to| row[*to]).collect()).collect();
        (units, dependencies)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_node_ends_once((units, dependencies) in dag(), parallelism in 1..6_usize, cancel in proptest::option::of(0..200_u64)) {
        let fakes = run(units.clone(), dependencies.clone(), parallelism, cancel);
        prop_assert_eq!(fakes.ends.len(), units.len());
        for (node, end) in &fakes.ends {
            let started = fakes.started.contains(node);
            match end {
                End::Done => prop_assert!(started && !units[*node].fails),
                End::Failed => prop_assert!(started && units[*node].fails),
                End::Skipped(cause) => {
                    prop_assert!(!started);
                    prop_assert_eq!(&fakes.ends[cause], &End::Failed);
                    prop_assert!(graph_of(&dependencies).all_dependencies(node).contains(cause));
                }
                End::Interrupted => prop_assert!(!started && fakes.stopped),
            }
        }
        if cancel.is_none() {
            // Without a cancel exactly the failures and what depends on them are not done.
            let graph = graph_of(&dependencies);
            for (node, end) in &fakes.ends {
                let behind = graph.all_dependencies(node).iter().any(|d| units[*d].fails);
                prop_assert_eq!(matches!(end, End::Skipped(_)), behind);
            }
        }
    }
}

#[test]
fn waits_take_no_slot_and_there_are_no_barriers() {
    let waiter = Fake { write: 1, wait: 1000, fails: false, writes: true };
    let quick = Fake { write: 1, wait: 0, fails: false, writes: true };
    // Ten that wait long, ten quick ones in a chain: with one slot the chain is done while the ten wait.
    let mut units = vec![waiter; 10];
    let mut dependencies = vec![BTreeSet::new(); 10];
    for at in 10..20 {
        units.push(quick.clone());
        dependencies.push(if at == 10 { BTreeSet::new() } else { BTreeSet::from([at - 1]) });
    }
    let fakes = run(units, dependencies, 1, None);
    assert!(fakes.ends.values().all(|end| *end == End::Done));
    assert_eq!(fakes.order[..10], (10..20).collect::<Vec<_>>());
}

#[test]
fn one_failure_leaves_other_branches_alone() {
    let ok = Fake { write: 1, wait: 1, fails: false, writes: true };
    let bad = Fake { fails: true, ..ok.clone() };
    let dependencies =
        vec![BTreeSet::new(), BTreeSet::from([0]), BTreeSet::from([1]), BTreeSet::new(), BTreeSet::from([3])];
    let fakes = run(vec![bad, ok.clone(), ok.clone(), ok.clone(), ok], dependencies, 4, None);
    let expected = [End::Failed, End::Skipped(0), End::Skipped(0), End::Done, End::Done];
    assert_eq!(fakes.ends.into_values().collect::<Vec<_>>(), expected);
}
