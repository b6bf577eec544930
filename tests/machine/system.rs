//! The real program through a history.

use std::collections::{BTreeMap, BTreeSet};

use proptest_state_machine::StateMachineTest;
use serde_json::{Value, json};

use crate::advice::{advice, came_back, is_contested_late, is_typed, of_contested, unmarked};
use crate::always::{self, Ran, key_of, writes};
use crate::drift::{HOLD, drift, let_go};
use crate::generate::{Drift, Model, Run, Step, Trouble};
use crate::intent::Intent;
use crate::ledger::Entry;
use crate::oracle;
use crate::reached::{count, reached};
use crate::render::STACK;
use crate::trouble;
use crate::world::{Seen, World};

/// How often the advice that a refusal gives is followed before it must have helped.
const ADVICE: usize = 5;

/// See the module.
pub(crate) struct System {
    pub(crate) world: World,
    /// What revisions are known to desire.
    revisions: BTreeMap<u64, Intent>,
    /// Uids of objects that somebody else put our mark on.
    restored: BTreeSet<String>,
    pub(crate) number: u32,
}

impl StateMachineTest for System {
    type SystemUnderTest = Self;
    type Reference = Model;

    fn init_test(intent: &Intent) -> Self {
        let (revisions, restored) = (BTreeMap::new(), BTreeSet::new());
        let mut system = Self { world: World::start(), revisions, restored, number: 0 };
        if intent.begins_applied {
            system.clean(intent, &Run::Apply);
        }
        system
    }

    fn apply(mut system: Self, intent: &Intent, step: Step) -> Self {
        system.number += 1;
        match step {
            Step::Edit(_) => system.world.write_stack(intent),
            Step::MoveState { .. } => system.move_state(intent),
            Step::Run(run) => system.clean(intent, &run),
            Step::Disturbed(run, trouble) => system.disturbed(intent, &run, &trouble),
            Step::Race { patient } => system.race(intent, patient),
            Step::Drift { at, drift } => system.drift(intent, at, drift),
        }
        system
    }

    fn teardown(mut system: Self, intent: Intent) {
        system.clean(&intent, &Run::Apply);
        system.clean(&intent, &Run::Destroy);
        system.world.end();
    }
}

impl System {
    pub(crate) fn drift(&mut self, intent: &Intent, at: u8, what: Drift) {
        if let Some(decl) = intent.nth(at) {
            self.restored.extend(drift(&self.world, decl, what, self.number));
        }
    }

    /// The arguments of a command; `None`: there is nothing it could be about.
    fn args(&self, intent: &Intent, run: &Run, seen: &Seen) -> Option<Vec<String>> {
        let nth = |at: u8, of: usize| usize::from(at) % of.max(1);
        let mut args: Vec<String> = match run {
            Run::Apply => vec!["apply".into()],
            Run::Destroy => vec!["destroy".into()],
            Run::Rollback(at) => {
                let known: Vec<u64> =
                    self.revisions.keys().copied().filter(|serial| seen.revisions.contains(serial)).collect();
                vec!["rollback".into(), "--to".into(), known.get(nth(*at, known.len()))?.to_string()]
            }
            Run::Release(at) => {
                let mut owned = seen.owned();
                owned.retain(|entry| !entry.former);
                vec!["state".into(), "rm".into(), owned.get(nth(*at, owned.len()))?.address.clone()]
            }
            Run::Import(at) => {
                let owned: BTreeSet<String> =
                    seen.owned().into_iter().flat_map(|entry| [entry.address, entry.key]).collect();
                let free = |decl: &&crate::intent::Decl| {
                    !owned.contains(&decl.address()) && !owned.contains(&decl.key())
                };
                let free: Vec<_> = intent.decls.values().filter(free).collect();
                let decl = free.get(nth(*at, free.len()))?;
                vec!["import".into(), decl.address(), decl.key()]
            }
            Run::Target(at) => vec!["apply".into(), "--target".into(), intent.nth(*at)?.address()],
            Run::Replace(at) => vec!["apply".into(), "--replace".into(), intent.nth(*at)?.address()],
            Run::RefreshOnly => vec!["apply".into(), "--refresh-only".into()],
            Run::Plan => return Some(vec!["plan".into(), "--json".into()]),
        };
        args.extend(["--yes".to_owned(), "--json".to_owned()]);
        Some(args)
    }

    pub(crate) fn run(&self, args: &[String]) -> Ran {
        Ran::new(args.join(" "), self.world.arrplan(args).run())
    }

    /// Everybody else is done: no faults, nothing held, nothing on its way. What is there then.
    fn calm(&self) -> Seen {
        let mut seen = self.world.see();
        let held = |object: &Value| object["metadata"]["finalizers"].to_string().contains(HOLD);
        let is_going = |object: &Value| !object["metadata"]["deletionTimestamp"].is_null();
        if seen.objects.values().any(|object| held(object) || is_going(object)) {
            for (key, _) in seen.objects.iter().filter(|(_, object)| held(object)) {
                let_go(&self.world, key);
            }
            seen = support::eventually("nothing to be on its way", || {
                let seen = self.world.see();
                (!seen.objects.values().any(is_going)).then_some(seen)
            });
        }
        seen
    }

    /// An undisturbed command, and what it comes to.
    pub(crate) fn clean(&mut self, intent: &Intent, run: &Run) {
        self.world.write_stack(intent);
        let mut before = self.calm();
        if let Run::Import(at) = run
            && self.args(intent, run, &before).is_none()
        {
            self.clean(intent, &Run::Release(*at));
            before = self.world.see();
        }
        let Some(args) = self.args(intent, run, &before) else { return };
        if let Run::Import(_) = run {
            drift(&self.world, &intent.decls[&args[1]], Drift::Make, self.number);
            before = self.world.see();
        }
        let (ran, records, after) = self.advised(args, &before);
        let done = ran.output.status == Some(0);
        count(&ran);
        if matches!(run, Run::Apply | Run::Rollback(_))
            && !done
            && (is_contested_late(&ran) || came_back(&ran))
        {
            return self.clean(intent, run);
        }
        match run {
            Run::Apply | Run::Destroy | Run::Release(_) | Run::RefreshOnly => assert!(done, "{}", ran.told()),
            Run::Rollback(_) if !done => {
                assert!(ran.output.stdout.contains("E416"), "{}", ran.told());
                return;
            }
            _ => {}
        }
        let line = ran.told();
        match run {
            Run::Apply => self.settled(intent, &before, &after, &ran),
            Run::Destroy => {
                let nothing = Intent::nothing();
                self.is_as_wanted(&nothing, &before, &after, &line);
                reached("destroy", 1);
            }
            Run::Rollback(_) => {
                let serial: u64 = ran.line.split(' ').nth(2).unwrap().parse().unwrap();
                let wanted = self.revisions[&serial].clone();
                self.is_as_wanted(&wanted, &before, &after, &line);
                reached("rollback", 1);
            }
            Run::Release(_) => {
                let address = ran.line.split(' ').nth(2).unwrap();
                let fates = oracle::released(address, &before);
                oracle::check(&fates, &before, &after, &line);
                let mut left = before.owned();
                left.retain(|entry| entry.address != address);
                let known = |entries: Vec<Entry>| -> BTreeSet<(String, String)> {
                    entries.into_iter().map(|entry| (entry.address, entry.key)).collect()
                };
                assert_eq!(known(after.owned()), known(left), "{line}");
                reached("state rm", 1);
            }
            Run::RefreshOnly => {
                assert!(writes(&records).is_empty(), "{line}");
                let mut left = before.owned();
                left.retain(|entry| before.uid(&entry.key) == Some(&entry.uid));
                let known = |entries: Vec<Entry>| -> BTreeSet<(String, String)> {
                    entries.into_iter().map(|entry| (entry.key, entry.uid)).collect()
                };
                // What the journal had besides is in the state now.
                let (left, found) = (known(left), known(after.owned()));
                assert!(found.is_superset(&left), "{line}");
                assert!(found.iter().all(|(key, uid)| after.uid(key) == Some(uid)), "{line}");
            }
            Run::Import(_) if done => {
                let address = ran.line.split(' ').nth(1).unwrap();
                let entry = after.owned().into_iter().find(|entry| entry.address == address && !entry.former);
                let entry = entry.unwrap_or_else(|| panic!("{address} is not in the state: {line}"));
                assert_eq!(before.uid(&entry.key), Some(entry.uid.as_str()), "{line}");
                reached("import", 1);
            }
            Run::Replace(_) if done => {
                let address = ran.line.split(' ').nth(2).unwrap();
                let key = intent.decls[address].key();
                // What is not ours is taken over as it is.
                let is_this = |entry: &Entry| entry.key == key && Some(&*entry.uid) == before.uid(&key);
                let is_ours = |entry: &Entry| entry.address == address && !entry.former && is_this(entry);
                let ours = before.owned().iter().any(is_ours);
                assert_eq!(ours, ours && before.uid(&key) != after.uid(&key), "{line}");
            }
            Run::Plan => {
                assert!(writes(&records).is_empty(), "{line}");
                assert_eq!(before.state, after.state, "{line}");
                assert_eq!(before.journal, after.journal, "{line}");
            }
            Run::Target(_) | Run::Import(_) | Run::Replace(_) => {}
        }
    }

    /// Runs a command until nothing of what it asks for is missing. The last run, what was written, what is there then.
    fn advised(&mut self, mut args: Vec<String>, before: &Seen) -> (Ran, Vec<support::AuditRecord>, Seen) {
        self.world.audited();
        for _ in 0..ADVICE {
            let ran = self.run(&args);
            let records = self.world.audited();
            let mut advice = advice(&ran);
            advice.retain(|one| !is_typed(&args, one));
            let marked = self.mark(&ran.plan["problems"]);
            let helped = marked || !advice.is_empty();
            let is_final = ran.output.status == Some(0) || !helped || ran.plan.is_null();
            if is_final {
                let after = self.world.see();
                let runs = [ran];
                always::check(&self.world, &runs, &records, before, &after, &self.restored);
                let [ran] = runs;
                return (ran, records, after);
            }
            assert!(writes(&records).is_empty(), "refused, and written: {}", ran.told());
            for one in advice {
                let is_claim = one[1].starts_with("data-loss=persistent_volume_claim.");
                reached("claim let go by consent", u64::from(is_claim));
                reached("contested object adopted", u64::from(one[0] == "--adopt"));
                args.extend(one);
            }
        }
        panic!("advice that does not help: arrplan {}", args.join(" "));
    }

    /// Puts our mark on what a refusal says would have to be made anew and does not carry it; whether there was any.
    fn mark(&mut self, problems: &Value) -> bool {
        let unmarked = unmarked(&problems.to_string());
        for [namespace, name, lineage] in &unmarked {
            let labels = json!({"arrplan.dev/stack": STACK});
            let patch =
                json!({"metadata": {"labels": labels, "annotations": {"arrplan.dev/lineage": lineage}}});
            let key = format!("ConfigMap/{namespace}/{name}");
            self.world.merge(&key, "kubectl-label", &patch);
            // Where it was not ours, it is not in the state yet.
            let live = self.world.get(&key);
            self.restored.extend(live.and_then(|live| Some(live["metadata"]["uid"].as_str()?.to_owned())));
        }
        !unmarked.is_empty()
    }

    fn is_as_wanted(&mut self, wanted: &Intent, before: &Seen, after: &Seen, line: &str) {
        let fates = oracle::fates(wanted, before);
        oracle::check(&fates, before, after, line);
        oracle::check_state(&fates, after, line);
        let new: Vec<u64> = after.revisions.difference(&before.revisions).copied().collect();
        assert!(new.len() <= 1, "{new:?} are new: {line}");
        self.revisions.extend(new.into_iter().map(|serial| (serial, wanted.recorded())));
    }

    /// After an apply that nothing disturbed: as wanted, and a second one finds nothing to do.
    fn settled(&mut self, intent: &Intent, before: &Seen, after: &Seen, ran: &Ran) {
        self.is_as_wanted(intent, before, after, &ran.told());
        reached("clean apply", 1);
        let again = self.run(&["apply", "--yes", "--json"].map(str::to_owned));
        let records = self.world.audited();
        let then = self.world.state();
        let what = || format!("{}\nagain:\n{}", ran.told(), again.told());
        assert_eq!(again.output.status, Some(0), "{}", what());
        assert!(writes(&records).is_empty(), "the second apply writes: {:?}\n{}", writes(&records), what());
        assert_eq!(again.to_write(), BTreeSet::new(), "{}", what());
        assert_eq!(after.state, then, "{}", what());
        reached("second apply without a write", 1);
    }

    /// A command in which something goes wrong.
    fn disturbed(&mut self, intent: &Intent, run: &Run, trouble: &Trouble) {
        self.world.write_stack(intent);
        let before = self.world.see();
        let Some(mut args) = self.args(intent, run, &before) else { return };
        args.extend(["--timeout".to_owned(), "3s".to_owned()]);
        // What it would ask for is given beforehand, so that it gets to its writes.
        args.extend(self.asked(&args));
        self.world.audited();
        let ran = trouble::run(self, intent, &args, trouble);
        let records = self.world.audited();
        let after = self.world.see();
        let meddled = matches!(trouble, Trouble::Meddle { .. });
        // Somebody else's part in it is not ours to answer for.
        let seen = if meddled { after.clone() } else { before.clone() };
        let (state, journal) = (before.state.clone(), before.journal.clone());
        let monotone = if meddled { Seen { state, journal, ..seen } } else { seen };
        let runs = [ran];
        always::check(&self.world, &runs, &records, &monotone, &after, &self.restored);
        let [ran] = &runs;
        let written: BTreeSet<String> = writes(&records).into_iter().map(key_of).collect();
        let killed = ran.output.status.is_none();
        reached("crash before the first write", u64::from(killed && written.is_empty()));
        let midway = killed && !written.is_empty() && written.len() < ran.to_write().len();
        reached("crash between first and last write", u64::from(midway));
        if killed && !after.journal.is_empty() {
            reached("crash, and the journal settled", 1);
        }
        // Success is said only where it is one.
        let apply = matches!(run, Run::Apply) && ran.output.status == Some(0);
        if apply && !meddled && !after.objects.values().any(|o| !o["metadata"]["deletionTimestamp"].is_null())
        {
            self.world.end_script();
            let again = self.run(&["apply", "--yes", "--json"].map(str::to_owned));
            let wrote = self.world.audited();
            assert!(writes(&wrote).is_empty(), "not done, and said so: {}\n{}", ran.told(), again.told());
        }
    }

    /// What a plan says that the command would ask for.
    fn asked(&mut self, args: &[String]) -> Vec<String> {
        let planned: Vec<String> = match args[0].as_str() {
            "apply" => vec!["plan".into(), "--json".into()],
            "destroy" => vec!["plan".into(), "--destroy".into(), "--json".into()],
            "rollback" => vec!["plan".into(), "--to".into(), args[2].clone(), "--json".into()],
            _ => return Vec::new(),
        };
        let output = self.world.arrplan(&planned).run();
        let plan: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
        let losing = plan["changes"].as_array().into_iter().flatten().filter(|c| c["risk"] == "data-loss");
        let losing = losing.map(|c| format!("data-loss={}", c["address"].as_str().unwrap()));
        let mut asked: Vec<String> = losing.flat_map(|word| ["--allow".to_owned(), word]).collect();
        self.mark(&plan["problems"]);
        asked.extend(of_contested(&plan["problems"].to_string()).into_iter().flatten());
        asked
    }

    fn move_state(&mut self, intent: &Intent) {
        let Some((from, to)) = intent.last_move.clone() else { return };
        let before = self.calm();
        self.world.audited();
        self.world.write_stack(intent);
        let ran = self.run(&["state".to_owned(), "mv".to_owned(), from.clone(), to.clone()]);
        let records = self.world.audited();
        let after = self.world.see();
        let runs = [ran];
        always::check(&self.world, &runs, &records, &before, &after, &self.restored);
        let line = runs[0].told();
        assert!(writes(&records).is_empty(), "{line}");
        let has = |address: &String| before.owned().iter().any(|entry| entry.address == *address);
        if has(&from) && !has(&to) && !before.is_unsettled() {
            assert_eq!(runs[0].output.status, Some(0), "{line}");
            let moved = |entry: &mut Entry| {
                if entry.address == from {
                    entry.address.clone_from(&to);
                }
                if entry.needs.remove(&from) {
                    entry.needs.insert(to.clone());
                }
            };
            let mut expected = before.owned();
            expected.iter_mut().for_each(moved);
            let (mut expected, mut found) = (expected, after.owned());
            for entries in [&mut expected, &mut found] {
                entries.sort_by(|a, b| (&a.address, &a.key).cmp(&(&b.address, &b.key)));
            }
            assert_eq!(expected, found, "{line}");
            reached("state mv", 1);
        }
    }

    /// Two applies of one stack at once: one works, the other waits or says who does.
    fn race(&mut self, intent: &Intent, patient: bool) {
        self.world.write_stack(intent);
        let before = self.calm();
        let mut args = self.args(intent, &Run::Apply, &before).unwrap();
        args.extend(self.asked(&args));
        let mut second = args.clone();
        if patient {
            second.extend(["--lock-timeout".to_owned(), "60s".to_owned()]);
        }
        self.world.audited();
        let running = [&args, &second].map(|args| (args.join(" "), self.world.arrplan(args).spawn()));
        let runs = running.map(|(line, running)| Ran::new(line, running.finish()));
        let records = self.world.audited();
        let after = self.world.see();
        always::check(&self.world, &runs, &records, &before, &after, &self.restored);
        let told = format!("{}\n{}", runs[0].told(), runs[1].told());
        let held = |ran: &&Ran| ran.output.status == Some(1) && ran.output.stderr.contains("E507");
        let refused = runs.iter().filter(held).count();
        reached("lock held by another", refused as u64);
        let done = runs.iter().filter(|ran| ran.output.status == Some(0)).count();
        // The one that was not refused may still find a field contested that a plan before saw otherwise: never both fail.
        assert!(done + refused == 2 && done > 0, "{told}");
        assert!(!(patient && held(&&runs[1])), "{told}");
        self.is_as_wanted(intent, &before, &after, &told);
    }
}
