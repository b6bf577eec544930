//! The store on a disk that fails, fills up and forgets: nothing that was acknowledged is lost, nothing damaged is
//! taken for sound, and a crash leaves a store that opens.
//!
//! 500 runs; 10,000 with `ARRPLAN_SOAK=1`. A failing run prints its seed, and `ARRPLAN_DISK_SEED=N` runs it alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rustix::io::Errno;
use serde_json::json;

use super::super::disk::fake::{Random, Simulated, Trouble};
use super::super::journal::tests::{begin, owned};
use super::super::journal::{Begin, BeginId, OpenBegin, Operation, Outcome};
use super::super::model::State;
use super::super::{Disk, Location, Owned, Revision, locate, record};
use super::tests::{cluster, holder, revision};
use super::*;
use crate::address::Address;

const ROOT: &str = "/arrplan-simulated";
const ERRORS: [Errno; 5] = [Errno::IO, Errno::NOSPC, Errno::ROFS, Errno::ACCESS, Errno::DQUOT];

/// One thing the caller was told, or was not told, about the journal.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a few dozen of them in a test")]
enum Event {
    Begin(u64, Begin),
    End(u64, Outcome),
}

/// What the caller knows of a store.
#[derive(Debug, Default)]
struct Known {
    /// The resources as of the last commit that was acknowledged.
    base: BTreeMap<Address, Owned>,
    /// What happened since, what was open at that commit first.
    events: Vec<Event>,
    /// As many of the events must be there, whatever happens.
    durable: usize,
    /// Begins that may be open on the disk all the same: refused ones, which were never sent, and those whose end is
    /// in a state whose commit did not get to its end.
    doubtful: Vec<Begin>,
    serial: u64,
    outputs: Vec<BTreeMap<String, serde_json::Value>>,
    lineage: Option<String>,
    revisions: BTreeMap<u64, Revision>,
    doubtful_revisions: Vec<Revision>,
    key: Option<String>,
}

impl Known {
    /// The resources and what is open after as many events.
    fn after(&self, count: usize) -> (BTreeMap<Address, Owned>, Vec<&Begin>) {
        let mut state = State::new("L", "arr", "stacks/arr.toml");
        state.resources.clone_from(&self.base);
        let mut open = BTreeMap::new();
        for event in &self.events[..count] {
            match event {
                Event::Begin(at, begin) => drop(open.insert(*at, begin)),
                Event::End(at, outcome) => {
                    let begin = open.remove(at).expect("what ends has begun");
                    record(&mut state, begin, outcome);
                }
            }
        }
        (state.resources, open.into_values().collect())
    }

    /// A store that was opened must be one that what is known allows.
    fn check(&mut self, found: &State, open: &[OpenBegin], notes: &[String]) {
        // The events that are there, and which begins are open beyond them.
        let fits = |count: &usize| {
            let (resources, expected) = self.after(*count);
            let expected_are_open = expected.iter().all(|begin| open.iter().any(|one| one.begin == **begin));
            let mut rest = open.iter().filter(|one| !expected.contains(&&one.begin));
            resources == found.resources
                && expected_are_open
                && rest.all(|one| self.doubtful.contains(&one.begin))
        };
        let Some(count) = (self.durable..=self.events.len()).rev().find(fits) else {
            let open: Vec<String> = open.iter().map(|one| brief(one.id.0, &one.begin)).collect();
            panic!("found {}\nopen {open:?}\nknown {}", resources(&found.resources), self.brief());
        };
        let (_, expected) = self.after(count);
        let more = open.iter().filter(|one| !expected.contains(&&one.begin));
        let more: Vec<Event> = more.map(|one| Event::Begin(one.id.0, one.begin.clone())).collect();
        self.events.truncate(count);
        self.events.extend(more);
        assert!(found.serial >= self.serial, "serial {} after {}", found.serial, self.serial);
        assert!(self.outputs.contains(&found.outputs), "outputs {:?} of {:?}", found.outputs, self.outputs);
        // One that never owned anything and has nothing open begins anew.
        let began = found.serial > 0 || !open.is_empty() || !found.resources.is_empty();
        self.lineage = self.lineage.take().filter(|_| began);
        if let Some(lineage) = &self.lineage {
            assert_eq!(&found.lineage, lineage);
        }
        assert_eq!(notes, [] as [&str; 0]);
        self.serial = found.serial;
        self.outputs = vec![found.outputs.clone()];
    }

    /// A commit was acknowledged.
    fn committed(&mut self, state: &State, open: &[OpenBegin]) {
        let (resources, expected) = self.after(self.events.len());
        assert_eq!(state.resources, resources);
        assert_eq!(open.len(), expected.len());
        self.base = resources;
        self.events = open.iter().map(|one| Event::Begin(one.id.0, one.begin.clone())).collect();
        self.durable = self.events.len();
        self.doubtful.clear();
        self.serial = state.serial;
        self.outputs = vec![state.outputs.clone()];
        // A store that never owned anything may begin anew.
        self.lineage = (state.serial > 0 || !open.is_empty()).then(|| state.lineage.clone());
    }

    /// A commit failed: it may have got anywhere.
    fn commit_failed(&mut self) {
        let (_, open) = self.after(self.events.len());
        let begins = self.events.iter().filter_map(|event| match event {
            Event::Begin(_, begin) if !open.contains(&begin) => Some(begin.clone()),
            _ => None,
        });
        let begins: Vec<Begin> = begins.collect();
        self.doubtful.extend(begins);
    }
}

fn brief(id: u64, begin: &Begin) -> String {
    let Begin { operation, address, key, fields, .. } = begin;
    format!("{id} {operation:?} {} {} {}", address.name, key.name, fields[0])
}

fn resources(all: &BTreeMap<Address, Owned>) -> String {
    let one =
        |(address, owned): (&Address, &Owned)| format!("{}={} {}", address.name, owned.key.name, owned.uid);
    all.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl Known {
    fn brief(&self) -> String {
        let events = self.events.iter().map(|event| match event {
            Event::Begin(id, begin) => brief(*id, begin),
            Event::End(id, Outcome::Owned(owned)) => format!("end {id} {} {}", owned.key.name, owned.uid),
            Event::End(id, outcome) => format!("end {id} {outcome:?}"),
        });
        let events: Vec<String> = events.collect();
        let doubtful: Vec<String> = self.doubtful.iter().map(|begin| brief(0, begin)).collect();
        let (base, durable) = (resources(&self.base), self.durable);
        format!("base {base}\nevents {events:#?}\ndurable {durable}\ndoubtful {doubtful:#?}")
    }
}

/// How often what happened, over all runs.
#[derive(Debug, Default)]
struct Counts {
    operations: u64,
    refused: u64,
    struck: u64,
    crashes: u64,
    power_cuts: u64,
    commits: u64,
    reopened: u64,
}

struct Run {
    disk: Simulated,
    store: Store,
    location: Location,
    random: Random,
    known: Known,
    /// Distinguishes begins that are otherwise the same.
    number: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let folder = Path::new(ROOT);
        let disk = Simulated::new(folder, seed);
        let location = locate(&folder.join("stacks/arr.toml"), "arr", None, None, None).unwrap();
        let store = Store::new(Disk::of(Arc::new(disk.clone())), location.clone(), "arr");
        let known = Known { outputs: vec![BTreeMap::new()], ..Known::default() };
        Self { disk, store, location, random: Random::new(seed ^ 0xD15C), known, number: 0 }
    }

    async fn open(&mut self) -> Result<LockedStore, Error> {
        self.number += 1;
        let lineage = format!("L{}", self.number);
        self.store.open_locked_now(&holder(), || lineage).await
    }

    /// A process: opens the store, works on it, and ends, maybe in the middle.
    async fn process(&mut self, counts: &mut Counts) {
        let errno = ERRORS[usize::try_from(self.random.below(5)).unwrap()];
        let trouble = match self.random.below(4) {
            0 => None,
            1 => Some(Trouble::Crash),
            2 => Some(Trouble::Once(errno)),
            _ => Some(Trouble::Lasting(errno)),
        };
        let trouble = trouble.map(|trouble| (self.random.below(60), trouble));
        self.disk.trouble(trouble);
        let before = self.disk.struck();
        match self.open().await {
            Ok(store) => {
                self.known.check(&store.state(), &store.open_begins(), store.notes());
                self.known.key.get_or_insert_with(|| store.key().id());
                assert_eq!(self.known.key, Some(store.key().id()), "the key is the one of the digests");
                let mut running = Vec::new();
                running.extend(store.open_begins().into_iter().map(|one| (one.id, one.begin)));
                for _ in 0..self.random.below(14) {
                    counts.operations += 1;
                    if !self.step(&store, &mut running, counts).await {
                        counts.refused += 1;
                    }
                }
            }
            Err(error) => {
                counts.refused += 1;
                assert!(
                    matches!(error, Error::Io { .. }),
                    "an operation failed, and nothing is damaged: {error:?}"
                );
            }
        }
        counts.struck += self.disk.struck() - before;
        counts.crashes += u64::from(self.disk.has_crashed());
        // A process that ended well may be cut off too, before its last words got to the disk.
        let power_cut = self.random.one_in(2);
        counts.power_cuts += u64::from(power_cut);
        self.disk.restart(power_cut);
    }

    /// One call; whether it was acknowledged.
    async fn step(
        &mut self,
        store: &LockedStore,
        running: &mut Vec<(BeginId, Begin)>,
        counts: &mut Counts,
    ) -> bool {
        let small = |random: &mut Random| u8::try_from(random.below(4)).unwrap();
        match self.random.below(10) {
            0..4 => {
                let operation = [Operation::Create, Operation::Update, Operation::Delete]
                    [usize::from(small(&mut self.random).min(2))];
                let (address, object, uid) =
                    (small(&mut self.random), small(&mut self.random), small(&mut self.random));
                let mut begin = begin(operation, address, object, uid);
                self.number += 1;
                begin.fields = vec![format!("data.n{}", self.number).parse().unwrap()];
                if let Ok(id) = store.begin(begin.clone()).await {
                    self.known.events.push(Event::Begin(id.0, begin.clone()));
                    self.known.durable = self.known.events.len();
                    self.known.lineage.get_or_insert_with(|| store.state().lineage);
                    running.push((id, begin));
                    true
                } else {
                    self.known.doubtful.push(begin);
                    false
                }
            }
            4..7 if !running.is_empty() => {
                let at = usize::try_from(self.random.below(running.len() as u64)).unwrap();
                let (id, begin) = running.swap_remove(at);
                let outcome = match begin.operation {
                    _ if self.random.one_in(5) => Outcome::Unchanged,
                    Operation::Delete => Outcome::Gone,
                    _ => {
                        let mut outcome = owned(small(&mut self.random), small(&mut self.random), false);
                        if let Outcome::Owned(owned) = &mut outcome {
                            owned.key = begin.key.clone();
                        }
                        outcome
                    }
                };
                let acknowledged = store.end(id, outcome.clone()).is_ok();
                store.written_for_tests();
                // The end is followed in memory even if it is not on the disk.
                self.known.events.push(Event::End(id.0, outcome));
                let (resources, _) = self.known.after(self.known.events.len());
                assert_eq!(store.state().resources, resources);
                acknowledged
            }
            7 => {
                self.number += 1;
                let number = self.number;
                let outputs: BTreeMap<_, _> = [("n".to_owned(), json!(number))].into();
                let edits = self.random.one_in(2);
                let edit = |state: &mut State| {
                    if edits {
                        state.outputs.clone_from(&outputs);
                    }
                };
                if edits {
                    self.known.outputs.push(outputs.clone());
                }
                let committed = store.commit(edit).await;
                if let Ok(committed) = &committed {
                    counts.commits += 1;
                    // One that failed may have counted already.
                    let least = self.known.serial + u64::from(committed.changed);
                    assert!(committed.serial >= least, "{committed:?} after {}", self.known.serial);
                    self.known.committed(&store.state(), &store.open_begins());
                } else {
                    self.known.commit_failed();
                }
                committed.is_ok()
            }
            8 => {
                let serial = self.known.serial;
                // What is recorded was applied, and so is in a state.
                let enough = self.known.revisions.len() > 8;
                if serial == 0 || enough || self.known.revisions.contains_key(&serial) {
                    return true;
                }
                let revision = revision(serial, self.random.one_in(2));
                let recorded = store.record_revision(&revision).await.is_ok();
                if recorded {
                    self.known.doubtful_revisions.retain(|revision| revision.serial != serial);
                    self.known.revisions.insert(serial, revision);
                } else {
                    self.known.doubtful_revisions.push(revision);
                }
                recorded
            }
            _ => store.prepare(usize::from(small(&mut self.random)), &cluster()).await.is_ok(),
        }
    }

    /// On a disk that works everything opens, whatever happened before.
    async fn look(&mut self, counts: &mut Counts) {
        let snapshot = self.store.open_read(|| "new".to_owned()).await.unwrap();
        let previous = Disk::of(Arc::new(self.disk.clone())).read(&self.location.previous()).unwrap();
        if let Some(previous) = previous {
            load::parse_for_tests(&self.location, "arr", &previous).unwrap();
        }
        for (serial, found) in self.store.revisions().await.unwrap() {
            let found = found.unwrap();
            let recorded = self.known.revisions.get(&serial) == Some(&found);
            assert!(recorded || self.known.doubtful_revisions.contains(&found), "{found:?}");
        }
        for (serial, revision) in &self.known.revisions {
            assert_eq!(self.store.revision(*serial).await.unwrap().as_ref(), Some(revision));
        }
        let store = self.open().await.unwrap();
        counts.reopened += 1;
        assert_eq!(snapshot.state.resources, store.state().resources);
        assert_eq!(snapshot.open, store.open_begins());
        self.known.check(&store.state(), &store.open_begins(), store.notes());
        if let Some(key) = &self.known.key {
            assert_eq!(key, &store.key().id(), "the key is the one of the digests");
        }
    }
}

async fn run(seed: u64, counts: &mut Counts) {
    let mut run = Run::new(seed);
    for _ in 0..4 {
        run.process(counts).await;
        run.look(counts).await;
        let power_cut = run.random.one_in(3);
        run.disk.restart(power_cut);
    }
    run.look(counts).await;
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_damaged_is_accepted() {
    let seeds = match std::env::var("ARRPLAN_DISK_SEED") {
        Ok(seed) => {
            let seed: u64 = seed.parse().unwrap();
            seed..seed + 1
        }
        Err(_) if std::env::var_os("ARRPLAN_SOAK").is_some() => 1..10_001,
        Err(_) => 1..501,
    };
    let expected = seeds.end - seeds.start;
    let mut counts = Counts::default();
    let mut runs = 0;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for seed in seeds {
        let one = std::panic::AssertUnwindSafe(|| runtime.block_on(run(seed, &mut counts)));
        if let Err(panic) = std::panic::catch_unwind(one) {
            println!("run again with ARRPLAN_DISK_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
        runs += 1;
    }
    println!("{runs} runs on a simulated disk: {counts:?}");
    assert_eq!(runs, expected);
    if runs > 1 {
        // Each kind of trouble was met, and work was done between.
        assert!(counts.struck > runs && counts.crashes > runs / 4 && counts.power_cuts > runs);
        assert!(counts.commits > runs && counts.refused > runs && counts.reopened == 5 * runs);
    }
}
