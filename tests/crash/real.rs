//! Cells of the crash matrix on the real API server: what the sandbox says holds there, too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use arrplan::failpoint;
use support::{ControlPlane, Part};

use crate::end::End;
use crate::matrix::{Crash, counted, endure};
use crate::operations::{OPERATIONS, Operation, Step};
use crate::stage::Stage;
use support::soak;

const WORKERS: usize = 2;

/// A stage on which the operation is about to be done.
fn prepared(plane: &ControlPlane, operation: &Operation) -> Stage {
    let stage = Stage::on_plane(plane, "real-cell");
    Step::take(&stage, operation.setup);
    stage
}

/// What the operation hits, and what it comes to.
fn reference(plane: &ControlPlane, operation: &Operation) -> (BTreeMap<&'static str, usize>, End) {
    let stage = prepared(plane, operation);
    let hits = counted(&stage, operation);
    // Each stage has a key and a lineage of its own.
    (hits, End::read(&stage, true))
}

#[test]
fn ended_at_any_step_on_the_real_api_server() {
    let Some(plane) = ControlPlane::with(&[Part::Controllers]) else {
        return;
    };
    let wanted = if soak() { 66 } else { 8 };
    let started = Instant::now();
    // Failpoints and operations by turns, and within them the hits.
    let mut picked: Vec<(usize, &'static str)> = Vec::new();
    for number in 0..wanted {
        let stride = failpoint::ALL.len() / wanted.min(failpoint::ALL.len());
        picked.push((number % OPERATIONS.len(), failpoint::ALL[number * stride % failpoint::ALL.len()]));
    }
    let operations: BTreeSet<usize> = picked.iter().map(|(operation, _)| *operation).collect();
    let references: BTreeMap<usize, _> =
        operations.into_iter().map(|at| (at, reference(plane, &OPERATIONS[at]))).collect();
    let (next, ended, failures) =
        (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Vec::<String>::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some((at, name)) = picked.get(number) else { break };
                    let (hits, end) = &references[at];
                    // Where the operation does not come by there, it ends in the middle of its writes.
                    let crash: Crash = match hits.get(name) {
                        Some(count) => (name, 1 + number / OPERATIONS.len() % count),
                        None => ("request.answered", 1 + number % hits["request.answered"]),
                    };
                    let operation = &OPERATIONS[*at];
                    let stage = prepared(plane, operation);
                    let came = endure(&stage, operation, &[crash]).map(|reached| {
                        ended.fetch_add(reached.len(), Ordering::Relaxed);
                        End::read(&stage, true).differences(end)
                    });
                    let why = match came {
                        Ok(different) if different.is_empty() => continue,
                        Ok(different) => different.join("\n"),
                        Err(why) => why,
                    };
                    failures.lock().unwrap().push(format!("{} {crash:?}:\n{why}", operation.name));
                }
            });
        }
    });
    let (ended, failures) = (ended.into_inner(), failures.into_inner().unwrap());
    println!(
        "crash matrix on the real API server: {wanted} cells, {ended} aborts, {} failures, {:.0?}",
        failures.len(),
        started.elapsed()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(ended * 20 >= wanted * 19, "only {ended} of {wanted} came to their crash");
}
