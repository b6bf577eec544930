//! The real program against a model of what it is for: random stacks, edits, drift, faults, crashes, a second process.
//!
//! A history begins with a random stack, takes some ten steps (see `generate.rs`) and ends with an undisturbed apply and an
//! undisturbed destroy. Every command is a process of the real binary; the cluster is a sandbox of the history's own, seen
//! through its audit log and its lists. After every command the invariants hold (`always.rs`); what an undisturbed one comes
//! to is known to the last field (`oracle.rs`), whatever crashes lay before it, and a second apply writes nothing.
//!
//! `cargo test` runs a slice, `ARRPLAN_SOAK=1 cargo test --profile soak --test machine` 3,000 histories;
//! `ARRPLAN_MACHINE_HISTORIES=N` as many as that, new ones every time; the slice has the same ones every time. What histories
//! have to come to is listed in `reached.rs`. Each history has a number, which is its seed: numbers count up from a first
//! one that is printed.
//! `ARRPLAN_MACHINE_SEED=N` runs that one again. A failing history is made shorter before it is shown, and ends the run; with
//! `ARRPLAN_MACHINE_ALL=1` all are run, and what fails is shown as it is.

#[cfg(test)]
mod advice;
#[cfg(test)]
mod always;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod generate;
#[cfg(test)]
mod intent;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod reached;
#[cfg(test)]
mod render;
#[cfg(test)]
mod system;
#[cfg(test)]
mod trouble;
#[cfg(test)]
mod world;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::time::Instant;

    use proptest::strategy::{Strategy as _, ValueTree as _};
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    use proptest_state_machine::{ReferenceStateMachine as _, StateMachineTest as _};

    use crate::generate::Model;
    use crate::reached;
    use crate::system::System;

    /// Histories of the slice, and of the soak run.
    const SLICE: u64 = 12;
    const SOAK: u64 = 3000;
    /// Classes of [`reached`] that a slice may miss: what depends on the moment.
    const MAY_MISS: usize = 10;
    /// Histories under way at once: most of a history's time is waiting.
    const WORKERS: u64 = 4;

    /// One history; why it fails, if it does, and the shortest that does so, if that is wanted.
    fn history(seed: u64, shorten: bool) -> Result<(), String> {
        let config = Config {
            cases: 1,
            failure_persistence: None,
            max_shrink_iters: 100,
            max_shrink_time: 120_000,
            ..Config::default()
        };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(config.clone(), rng);
        let histories = Model::sequential_strategy(5..13);
        let tree = histories.new_tree(&mut runner).unwrap();
        if shorten {
            let failed = runner.run_one(tree, |(state, steps, seen)| {
                System::test_sequential(config.clone(), state, steps, seen);
                Ok(())
            });
            return failed.map(drop).map_err(|error| error.to_string());
        }
        let (state, steps, seen) = tree.current();
        let run = || System::test_sequential(config, state, steps, seen);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).map_err(|panic| {
            panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic without a text".to_owned())
        })
    }

    fn number(variable: &str) -> Option<u64> {
        let text = std::env::var(variable).ok()?;
        Some(text.parse().unwrap_or_else(|error| panic!("{variable}={text}: {error}")))
    }

    #[test]
    fn nothing_is_lost_in_any_history() {
        if let Some(seed) = number("ARRPLAN_MACHINE_SEED") {
            println!("history {seed}");
            if let Err(error) = history(seed, true) {
                panic!("history {seed}: {error}");
            }
            reached::tell();
            return;
        }
        let all = std::env::var_os("ARRPLAN_MACHINE_ALL").is_some();
        let soak = support::soak();
        let asked = number("ARRPLAN_MACHINE_HISTORIES").or(soak.then_some(SOAK));
        let new = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() * 10_000;
        let (first, histories) = asked.map_or((1, SLICE), |histories| (new(), histories));
        println!("{histories} histories from seed {first}");
        let begun = Instant::now();
        let (next, ran) = (AtomicU64::new(0), AtomicU64::new(0));
        let stop = AtomicBool::new(false);
        let failures = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        if at >= histories || stop.load(Ordering::Relaxed) {
                            return;
                        }
                        match history(first + at, !all) {
                            Ok(()) => {
                                let so_far = ran.fetch_add(1, Ordering::Relaxed) + 1;
                                if so_far.is_multiple_of(100) {
                                    println!("{so_far} histories in {:.0} s", begun.elapsed().as_secs_f64());
                                }
                            }
                            Err(error) => {
                                stop.store(!all, Ordering::Relaxed);
                                failures.lock().unwrap().push(format!("history {}: {error}", first + at));
                            }
                        }
                    }
                });
            }
        });
        let (ran, failures) = (ran.into_inner(), failures.into_inner().unwrap());
        println!("{ran} histories in {:.0} s", begun.elapsed().as_secs_f64());
        reached::tell();
        assert!(failures.is_empty(), "{}", failures.join("\n\n"));
        assert!(ran >= histories, "only {ran} of {histories} histories");
        let (missing, may_miss) = (reached::missing(), if soak { 0 } else { MAY_MISS });
        assert!(missing.len() <= may_miss, "never reached: {missing:?}");
    }
}
