//! `kill -9` at a random moment between the first write and the last, of two stacks that take turns: the next run of the
//! same command comes to the end that an uninterrupted one comes to.
//!
//! `ARRPLAN_CRASH_SEED` replays the moments of a run.

use std::time::{Duration, Instant};

use support::{ControlPlane, Part};

use crate::end::End;
use crate::operations::{APPLY, APPLY_2, BACK, OTHER, WHOLE};
use crate::serve::Served;
use crate::stage::Stage;
use support::soak;

const WORKERS: usize = 2;

/// Xorshift: the same numbers for the same seed.
pub(crate) struct Random(u64);

impl Random {
    /// Of a seed of its own for each worker, all of them of one that is printed.
    pub(crate) fn of_worker(seed: u64, worker: usize) -> Self {
        let mut random = Self((seed ^ (worker as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1);
        for _ in 0..4 {
            random.below(2);
        }
        random
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

pub(crate) fn seed() -> u64 {
    match std::env::var("ARRPLAN_CRASH_SEED") {
        Ok(seed) => seed.parse().expect("ARRPLAN_CRASH_SEED is a number"),
        Err(_) => u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos()).unwrap(),
    }
}

/// One of the two stacks, coming from the other: what it writes and comes to.
struct Turn {
    stack: &'static [&'static str],
    args: &'static [&'static str],
    writes: usize,
    end: End,
}

impl Turn {
    fn take(stage: &Stage, stack: &'static [&'static str], args: &'static [&'static str]) -> Self {
        stage.write(&stack.concat());
        drop(stage.traced(args, "").run().expect_status(0));
        Self { stack, args, writes: stage.hits("request.answered"), end: End::read(stage, false) }
    }
}

/// Kills until `wanted` kills have lain between the first write and the last. How many others there were.
fn kill(stage: &Stage, wanted: usize, random: &mut Random) -> usize {
    stage.write(&WHOLE.concat());
    drop(stage.run(APPLY).expect_status(0));
    let turns = [Turn::take(stage, OTHER, APPLY_2), Turn::take(stage, BACK, APPLY)];
    assert!(turns.iter().all(|turn| turn.writes >= 4), "{:?}", turns.each_ref().map(|turn| turn.writes));
    let (mut killed, mut others) = (0, 0);
    // Microseconds; as long as a run of this machine goes on after a write.
    let mut longest = 15_000;
    for round in 0.. {
        if killed == wanted {
            break;
        }
        assert!(others < 20 + 2 * wanted, "{killed} kills counted, {others} not");
        let turn = &turns[round % 2];
        stage.write(&turn.stack.concat());
        let writes = usize::try_from(random.below(turn.writes as u64)).unwrap();
        let moment = ["request.sent", "record.synced"][usize::try_from(random.below(2)).unwrap()];
        let pause = Duration::from_micros(random.below(longest));
        let mut running = stage.traced(turn.args, "").spawn();
        while stage.hits(moment) <= writes && !running.has_ended() {
            std::thread::yield_now();
        }
        std::thread::sleep(pause);
        let output = running.kill();
        let before = stage.hits("request.sent");
        drop(stage.traced(turn.args, "").run().expect_status(0));
        let after = stage.hits("request.sent");
        if output.status.is_none() && before > 0 && after > 0 {
            killed += 1;
            longest = (longest + longest / 8).min(15_000);
        } else {
            others += 1;
            longest = if before == 0 { (longest * 2).min(15_000) } else { (longest / 2).max(250) };
        }
        let different = End::read(stage, false).differences(&turn.end);
        assert!(
            different.is_empty(),
            "killed {pause:?} after {moment} {writes}, {before} writes done:\n{}",
            different.join("\n")
        );
    }
    others
}

/// Runs `wanted` kills on stages of which each worker has its own.
fn kills(what: &str, wanted: usize, stage: impl Fn(&dyn Fn(&Stage)) + Sync) {
    let (started, seed) = (Instant::now(), seed());
    println!("{what}: {wanted} kills, ARRPLAN_CRASH_SEED={seed}");
    let others: usize = std::thread::scope(|scope| {
        let work = |worker: usize| {
            let stage = &stage;
            scope.spawn(move || {
                let share = wanted / WORKERS + usize::from(worker < wanted % WORKERS);
                let others = std::cell::Cell::new(0);
                let random = std::cell::RefCell::new(Random::of_worker(seed, worker));
                stage(&|stage| others.set(kill(stage, share, &mut random.borrow_mut())));
                others.get()
            })
        };
        let threads: Vec<_> = (0..WORKERS).map(work).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!(
        "{what}: {wanted} kills between the first write and the last, {others} outside of it, 0 failures, {:.0?}",
        started.elapsed()
    );
}

#[test]
fn killed_at_random_on_the_sandbox() {
    let wanted = if soak() { 300 } else { 10 };
    kills("kills on the sandbox", wanted, |with| {
        let served = Served::empty();
        with(&served.stage);
        served.forget();
    });
}

#[test]
fn killed_at_random_on_the_real_api_server() {
    let Some(plane) = ControlPlane::with(&[Part::Controllers]) else {
        return;
    };
    let wanted = if soak() { 50 } else { 4 };
    kills("kills on the real API server", wanted, |with| with(&Stage::on_plane(plane, "real-kill")));
}
