//! The crash matrix: every failpoint × every operation × every time it is met. The process aborts there; the same command
//! runs again, and what is there then is what is there when nothing happens.
//!
//! With `ARRPLAN_SOAK=1`, `ARRPLAN_CRASH_ONLY` takes the cells whose name, as a failure tells it, holds that text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use arrplan::failpoint;

use crate::end::End;
use crate::operations::{OPERATIONS, Operation};
use crate::serve::{Served, Template};
use crate::stage::Stage;
use support::soak;

/// Most times that one failpoint is hit by one command, for this matrix.
const MOST_HITS: usize = 40;
const WORKERS: usize = 2;

/// Where the process ends: a failpoint and how many times it was met.
pub(crate) type Crash = (&'static str, usize);

/// An operation and everything it is compared with.
struct Scene {
    operation: &'static Operation,
    template: Template,
    end: End,
    /// Hits of an uninterrupted run, by failpoint.
    hits: BTreeMap<&'static str, usize>,
}

impl Scene {
    fn of(operation: &'static Operation) -> Self {
        let template = Served::prepare(operation);
        let served = template.copy();
        let hits = counted(&served.stage, operation);
        let end = End::read(&served.stage, operation.draws);
        served.forget();
        Self { operation, template, end, hits }
    }

    /// Every crash of this operation.
    fn crashes(&self) -> Vec<Crash> {
        let hits = self.hits.iter();
        hits.flat_map(|(name, count)| (1..=(*count).min(MOST_HITS)).map(move |hit| (*name, hit))).collect()
    }

    /// Aborts at these, one after the other, and runs to the end. Where it really ended.
    fn cell(&self, crashes: &[Crash]) -> Result<Vec<&'static str>, String> {
        let served = self.template.copy();
        let reached = endure(&served.stage, self.operation, crashes)?;
        let left = End::read(&served.stage, self.operation.draws).differences(&self.end);
        served.forget();
        if left.is_empty() { Ok(reached) } else { Err(left.join("\n")) }
    }
}

/// How often an uninterrupted run of the operation hits each failpoint.
pub(crate) fn counted(stage: &Stage, operation: &Operation) -> BTreeMap<&'static str, usize> {
    drop(stage.traced(operation.args, "").run().expect_status(0));
    let mut hits = BTreeMap::new();
    for name in stage.trace() {
        *hits.entry(name).or_insert(0) += 1;
    }
    hits
}

/// Aborts at each of `crashes` in turn, then runs to the end, unless one of the runs came to it already. At which of them it really aborted.
pub(crate) fn endure(
    stage: &Stage,
    operation: &Operation,
    crashes: &[Crash],
) -> Result<Vec<&'static str>, String> {
    let mut reached = Vec::new();
    for (name, hit) in crashes {
        let output = stage.traced(operation.args, &format!(";{name}@{hit}=abort")).run();
        match output.status {
            None => reached.push(*name),
            // It did not come by there and is done. Once more would be another command: a rollback of the rollback.
            Some(0) => return Ok(reached),
            Some(_) => return Err(format!("the run that was to abort at {name}: {output}")),
        }
    }
    let output = stage.run(operation.args);
    if output.status == Some(0) { Ok(reached) } else { Err(format!("the run after it: {output}")) }
}

/// What is interrupted, and where, one crash after the other.
type Cell<'a> = (&'a Scene, Vec<Crash>);

/// What came of the cells.
#[derive(Default)]
struct Tally {
    cells: usize,
    /// How often each failpoint ended a process.
    ended: BTreeMap<&'static str, usize>,
    /// Crashes that did not come, because fewer hits did.
    missed: Vec<String>,
    failures: Vec<String>,
}

/// Runs cells, as many at once as there are workers.
fn run(cells: &[Cell<'_>]) -> Tally {
    let (next, tally) = (AtomicUsize::new(0), Mutex::new(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((scene, crashes)) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let what = format!("{} {crashes:?}", scene.operation.name);
                    // A panic of one cell is its failure, and the others go on.
                    let cell = std::panic::AssertUnwindSafe(|| scene.cell(crashes));
                    let came = std::panic::catch_unwind(cell).unwrap_or_else(|panic| {
                        let text = panic.downcast_ref::<String>().map(String::as_str);
                        Err(text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned())
                    });
                    let mut tally = tally.lock().unwrap();
                    tally.cells += 1;
                    match came {
                        Ok(reached) => {
                            if reached.len() < crashes.len() {
                                tally.missed.push(what);
                            }
                            for name in reached {
                                *tally.ended.entry(name).or_insert(0) += 1;
                            }
                        }
                        Err(why) => tally.failures.push(format!("{what}:\n{why}")),
                    }
                }
            });
        }
    });
    tally.into_inner().unwrap()
}

/// Crashes that only the run after a crash can have: what it finds is settled, or removed.
const SECOND: &[(Crash, &str)] = &[
    (("request.answered", 1), "settle.read"),
    (("request.sent", 1), "settle.read"),
    (("request.answered", 1), "settle.recorded"),
    (("request.sent", 1), "settle.recorded"),
    (("request.answered", 1), "record.written"),
    (("request.before", 1), "request.before"),
    (("request.sent", 2), "request.sent"),
    (("request.answered", 2), "request.answered"),
    (("state.written", 1), "temporary.removed"),
    (("state.synced", 1), "state.synced"),
    (("state.renamed", 1), "compact.before"),
    (("journal.synced", 1), "temporary.removed"),
];

#[test]
fn ended_at_any_step_a_command_run_again_comes_to_the_same_end() {
    let started = Instant::now();
    let scenes: Vec<Scene> = std::thread::scope(|scope| {
        let one = |part: usize| {
            let mine = OPERATIONS.iter().skip(part).step_by(WORKERS);
            scope.spawn(move || mine.map(Scene::of).collect::<Vec<_>>())
        };
        let threads: Vec<_> = (0..WORKERS).map(one).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut cells: Vec<Cell<'_>> = Vec::new();
    for scene in &scenes {
        let hits: usize = scene.hits.values().sum();
        println!("{}: {} failpoints, {hits} hits", scene.operation.name, scene.hits.len());
        cells.extend(scene.crashes().into_iter().map(|crash| (scene, vec![crash])));
        let second =
            SECOND.iter().filter(|(first, _)| scene.hits.get(first.0).is_some_and(|n| *n >= first.1));
        cells.extend(second.map(|(first, name)| (scene, vec![*first, (*name, 1)])));
    }
    let all = cells.len();
    if let Some(only) = std::env::var("ARRPLAN_CRASH_ONLY").ok().filter(|_| soak()) {
        cells.retain(|(scene, crashes)| format!("{} {crashes:?}", scene.operation.name).contains(&only));
    } else if !soak() {
        cells = slice(cells);
    }
    println!("crash matrix: {} of {all} cells, prepared in {:.0?}", cells.len(), started.elapsed());
    let tally = run(&cells);
    let ended: usize = tally.ended.values().sum();
    println!(
        "crash matrix: {} cells, {ended} aborts, {} not reached, {} failures, {:.0?}",
        tally.cells,
        tally.missed.len(),
        tally.failures.len(),
        started.elapsed()
    );
    for (name, count) in &tally.ended {
        println!("  {name}: {count}");
    }
    assert!(tally.failures.is_empty(), "{}", tally.failures.join("\n\n"));
    if cells.len() < all && soak() {
        return;
    }
    let never: Vec<&str> =
        failpoint::ALL.iter().copied().filter(|name| !tally.ended.contains_key(name)).collect();
    assert_eq!(never, [""; 0], "failpoints that never ended a process");
    // The journal's writer takes in one go what is waiting, so that its hits are not quite the same in each run.
    assert!(tally.missed.len() * 20 <= tally.cells, "not reached: {:#?}", tally.missed);
}

/// A cell for each failpoint and for each pair, going through the operations by turns.
fn slice(cells: Vec<Cell<'_>>) -> Vec<Cell<'_>> {
    let mut by_name: BTreeMap<Vec<&str>, Vec<Cell<'_>>> = BTreeMap::new();
    for (scene, crashes) in cells {
        let names = crashes.iter().map(|(name, _)| *name).collect();
        by_name.entry(names).or_default().push((scene, crashes));
    }
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let mut slice = Vec::new();
    for (number, mut group) in by_name.into_values().enumerate() {
        let preferred = OPERATIONS[number % OPERATIONS.len()].name;
        let at = group.iter().position(|(scene, _)| scene.operation.name == preferred).unwrap_or(0);
        let cell = group.swap_remove(at);
        used.insert(cell.0.operation.name);
        slice.push(cell);
    }
    assert_eq!(used.len(), OPERATIONS.len(), "{used:?}");
    slice
}
