//! The truth corpus: what a plan predicts is what happens, over every kind a user of this tool writes.
//!
//! The stacks lie in `corpus/`. A line of one may change from a round on: `A #~1 B #~2 C` is `A` in round 0, `B` in round 1
//! and `C` from round 2 on (nothing after the marker: the line is gone). `#=1` marks another spelling of the same, which must
//! be no change. Each round is planned three times over the same live objects (as it is, without no-op proofs, after a
//! foreign annotation moved every resourceVersion), applied, and then each object is compared with what was predicted, by
//! code that shares nothing with `arrplan::diff`.

mod compare;
mod stacks;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Value, json};
use support::{ControlPlane, Part, RunOutput, User};

use stacks::Variants;

/// Fewer than this is no corpus.
const LEAST_OBJECTS: usize = 120;
const LEAST_MUTATIONS: usize = 200;
const ANNOTATION: &str = "truth.example.org/touched";

#[derive(Debug, Default)]
struct Totals {
    objects: usize,
    kinds: BTreeSet<String>,
    changes: usize,
    respelled: usize,
    fields: usize,
    plans: usize,
    left_out: BTreeSet<String>,
    wrong: Vec<String>,
}

/// One stack in a folder of its own.
struct Run<'p> {
    plane: &'p ControlPlane,
    folder: PathBuf,
    variants: Variants,
    totals: Totals,
}

impl<'p> Run<'p> {
    fn new(plane: &'p ControlPlane, name: &str) -> Self {
        let folder = support::scratch_dir().join(format!("corpus-{name}"));
        std::fs::create_dir_all(folder.join("stacks")).unwrap();
        let mut variants = Variants::read(name);
        let mut totals = Totals::default();
        if plane.is_sandbox() {
            totals.left_out = variants.leave_out("admissionregistration.k8s.io/v1");
        }
        Self { plane, folder, variants, totals }
    }

    fn write(&self, round: u32) {
        std::fs::write(self.folder.join("stacks/corpus.toml"), self.variants.text(round)).unwrap();
    }

    fn arrplan(&self, args: &[&str]) -> RunOutput {
        support::arrplan!()
            .kubeconfig(self.plane.kubeconfig(User::Arrplan))
            .folder(&self.folder)
            .args(args.iter().copied())
            .run()
    }

    fn plan(&mut self, more: &[&str]) -> Value {
        self.totals.plans += 1;
        let args: Vec<&str> = ["plan", "--json"].iter().chain(more).copied().collect();
        let output = self.arrplan(&args);
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"))
    }

    fn live(&self, change: &Value) -> Option<Value> {
        stacks::live(self.plane, change)
    }

    fn wrong(&mut self, what: impl Into<String>) {
        let what = format!("{}: {}", self.variants.name, what.into());
        self.totals.wrong.push(what);
    }

    /// Moves the resourceVersion of every object by an annotation of somebody else.
    fn touch(&mut self, changes: &[Value], round: u32) {
        for change in changes {
            let path = stacks::path(self.plane, change);
            let patch = json!({ "metadata": { "annotations": { ANNOTATION: format!("{round}") } } });
            self.plane
                .request(User::Admin, "PATCH", &format!("{path}?fieldManager=somebody"), Some(&patch))
                .ok();
        }
    }

    fn expect_empty(&mut self, more: &[&str], when: &str) {
        let plan = self.plan(more);
        for change in plan["changes"].as_array().unwrap() {
            if change["action"] != "no-op" {
                let fields = &change["fields"];
                self.wrong(format!("{when}, {} is a {}: {fields}", change["address"], change["action"]));
            }
        }
        if plan["applicable"] != true {
            self.wrong(format!("{when}: {}", plan["problems"]));
        }
    }

    /// Everything there is to know about a stack.
    fn rounds(mut self) -> Totals {
        for round in 0..=self.variants.last_round() {
            if round > 0 {
                self.expect_empty(&[], "after apply");
                self.expect_empty(&["--refresh=full"], "after apply, without proofs");
            }
            self.write(round);
            let plan = self.plan(&[]);
            if plan["applicable"] != true {
                self.wrong(format!("round {round}: {}", plan["problems"]));
                return self.totals;
            }
            let changes = plan["changes"].as_array().unwrap().clone();
            if round == 0 {
                self.totals.objects = changes.len();
                let kinds = changes
                    .iter()
                    .map(|c| c["object"].as_str().unwrap().split('/').next().unwrap().to_owned());
                self.totals.kinds = kinds.collect();
            }
            self.actions(round, &changes);
            if round > 0 {
                self.same_verdicts(round, &plan, &["--refresh=full"], "without proofs");
                self.touch(&changes, round);
                self.same_verdicts(round, &plan, &[], "after a foreign annotation");
                self.same_verdicts(
                    round,
                    &plan,
                    &["--refresh=full"],
                    "after a foreign annotation, without proofs",
                );
            }
            let before: BTreeMap<String, Option<Value>> = changes
                .iter()
                .map(|change| (change["address"].as_str().unwrap().to_owned(), self.live(change)))
                .collect();
            let applied = self.arrplan(&["apply", "--yes"]);
            if applied.status != Some(0) {
                self.wrong(format!("round {round}: {applied}"));
                return self.totals;
            }
            for change in &changes {
                let address = change["address"].as_str().unwrap();
                let Some(after) = self.live(change) else {
                    self.wrong(format!("round {round}: {address} is not there after apply"));
                    continue;
                };
                self.totals.fields += change["fields"].as_array().unwrap().len();
                let told = compare::differences(change, before[address].as_ref(), &after);
                for difference in told {
                    self.wrong(format!("round {round}, {address}: {difference}"));
                }
            }
        }
        self.expect_empty(&[], "at the end");
        self.expect_empty(&["--refresh=full"], "at the end, without proofs");
        self.totals
    }

    fn actions(&mut self, round: u32, changes: &[Value]) {
        let (changed, respelled) = self.variants.mutated(round);
        for change in changes {
            let address = change["address"].as_str().unwrap();
            let expected = match round {
                0 => "create",
                _ if changed.contains(address) => "update",
                _ => "no-op",
            };
            if change["action"] != expected {
                let fields = &change["fields"];
                self.wrong(format!(
                    "round {round}, {address}: {} instead of {expected}: {fields}",
                    change["action"]
                ));
            }
        }
        let there: BTreeSet<&str> = changes.iter().filter_map(|c| c["address"].as_str()).collect();
        for address in changed.iter().chain(&respelled).filter(|a| !there.contains(a.as_str())) {
            self.wrong(format!("round {round}: no change for {address}"));
        }
        self.totals.changes += changed.len();
        self.totals.respelled += respelled.len();
    }

    fn same_verdicts(&mut self, round: u32, expected: &Value, more: &[&str], when: &str) {
        let verdicts = |plan: &Value| -> BTreeMap<String, Value> {
            let changes = plan["changes"].as_array().unwrap().iter();
            changes
                .map(|c| {
                    let address = c["address"].as_str().unwrap().to_owned();
                    (address, json!([c["action"], c["fields"], c["risk"], c["known_after_apply"]]))
                })
                .collect()
        };
        let again = self.plan(more);
        let (expected, again) = (verdicts(expected), verdicts(&again));
        for address in expected.keys().chain(again.keys()).collect::<BTreeSet<_>>() {
            let (first, second) = (expected.get(address), again.get(address));
            if first != second {
                self.wrong(format!("round {round}, {when}: {address} was {first:?}, is {second:?}"));
            }
        }
    }
}

#[test]
fn what_is_predicted_is_what_happens() {
    let Some(plane) = crate::plane(&[Part::Storage, Part::FluxCrds]) else {
        return;
    };
    let totals: Vec<Totals> = std::thread::scope(|scope| {
        let names = ["core", "workloads", "network", "flux", "custom"];
        let threads = names.map(|name| scope.spawn(move || Run::new(plane, name).rounds()));
        threads.map(|thread| thread.join().unwrap()).into()
    });
    let sum = |count: fn(&Totals) -> usize| totals.iter().map(count).sum::<usize>();
    let (objects, changes, respelled) = (sum(|t| t.objects), sum(|t| t.changes), sum(|t| t.respelled));
    let kinds: BTreeSet<&String> = totals.iter().flat_map(|t| &t.kinds).collect();
    let wrong: Vec<&str> = totals.iter().flat_map(|t| &t.wrong).map(String::as_str).collect();
    println!(
        "corpus: {objects} objects of {} kinds, {changes} changes and {respelled} respellings, {} fields predicted, {} plans, {} wrong",
        kinds.len(),
        sum(|t| t.fields),
        sum(|t| t.plans),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let left_out: Vec<&String> = totals.iter().flat_map(|t| &t.left_out).collect();
    if !left_out.is_empty() {
        println!("corpus: left out, because the sandbox has no admission policies: {left_out:?}");
    }
    assert!(left_out.len() <= 3, "{left_out:?}");
    assert!(objects + left_out.len() >= LEAST_OBJECTS, "{objects} objects");
    // Each of those changes twice.
    let mutations = changes + respelled + 2 * left_out.len();
    assert!(mutations >= LEAST_MUTATIONS, "{changes} + {respelled} mutations");
}

#[test]
fn what_cannot_change_in_place_is_refused_or_made_anew() {
    let Some(plane) = crate::plane(&[Part::Storage]) else {
        return;
    };
    let mut run = Run::new(plane, "immutable");
    run.write(0);
    run.arrplan(&["apply", "--yes"]).expect_status(0);

    run.write(1);
    let (mutated, _) = run.variants.mutated(1);
    for more in [&[][..], &["--refresh=full"]] {
        let plan = run.plan(more);
        let problems = plan["problems"].as_array().unwrap();
        let refused: BTreeSet<String> = problems
            .iter()
            .filter(|p| p["code"] == "E407")
            .map(|p| p["message"].as_str().unwrap().split(": ").next().unwrap().to_owned())
            .collect();
        assert_eq!(refused, mutated, "{problems:#?}");
        assert_eq!(problems.len(), mutated.len(), "{problems:#?}");
    }
    let mark = plane.audit().mark();
    run.arrplan(&["apply", "--yes"]).expect_status(1);
    let written = plane.audit().writes_since(mark).by_user("arrplan").in_namespace("corpus-immutable");
    assert_eq!(written.to_string(), "", "a refused plan writes nothing");

    run.write(2);
    let plan = run.plan(&[]);
    assert_eq!(plan["applicable"], true, "{}", plan["problems"]);
    let changes = plan["changes"].as_array().unwrap().clone();
    let replaced: BTreeSet<String> = changes
        .iter()
        .filter(|c| c["action"] == "replace")
        .map(|c| c["address"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(replaced, mutated);
    let before: BTreeMap<String, Value> =
        changes.iter().map(|c| (c["address"].to_string(), run.live(c).unwrap())).collect();
    let volume = "data-loss=manifest.corpus-immutable-volume";
    run.arrplan(&["apply", "--yes"]).expect_status(1);
    run.arrplan(&["apply", "--yes", "--allow", volume]).expect_status(0);
    for change in changes.iter().filter(|c| c["action"] == "replace") {
        let address = change["address"].to_string();
        let after = run.live(change).unwrap();
        if before[&address]["metadata"]["uid"] == after["metadata"]["uid"] {
            run.wrong(format!("{address} is still the same object"));
        }
        for difference in compare::replaced(change, &after) {
            run.wrong(format!("{address}: {difference}"));
        }
    }
    run.expect_empty(&[], "after the replacement");
    run.expect_empty(&["--refresh=full"], "after the replacement, without proofs");
    println!("corpus: {} immutable changes refused, then made anew", mutated.len());
    assert!(run.totals.wrong.is_empty(), "{:#?}", run.totals.wrong);
    assert!(mutated.len() >= 26, "{mutated:?}");
}
