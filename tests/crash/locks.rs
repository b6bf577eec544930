//! Two at once on one host: one works at a time, the other one waits, or refuses and says who holds the lock.

use std::time::Instant;

use support::{RunOutput, eventually, redact};

use crate::end::End;
use crate::operations::{APPLY, WHOLE};
use crate::serve::Served;
use crate::stage::Stage;
use support::soak;

/// A run that stands still with the lock in its hands.
fn frozen(stage: &Stage, args: &[&str], at: &str) -> support::Running {
    let running = stage.traced(args, &format!(";{at}@1=freeze")).spawn();
    eventually("the run to come to the failpoint", || (stage.hits(at) > 0).then_some(()));
    running
}

/// What a run said, without what is this host's and this moment's.
fn said(output: &RunOutput, holder: u32) -> String {
    let text = redact(&output.stderr).replace(&format!("process {holder}"), "process [pid]");
    let who = text.split_once(" of ").and_then(|(_, rest)| rest.split_once(" (process"));
    let who = who.map(|(who, _)| who.to_owned()).unwrap_or_default();
    text.replace(&who, "[user]@[host]")
}

#[test]
fn row_08_the_other_one_waits_or_refuses_and_names_the_holder() {
    let served = Served::empty();
    let stage = &served.stage;
    stage.write(&WHOLE.concat());
    let holder = frozen(stage, APPLY, "prepare.reserved");
    let pid = holder.pid();

    let refused = stage.run(APPLY).expect_status(1);
    let text = said(&refused, pid);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains(
            "the state is locked by `arrplan apply` of [user]@[host] (process [pid], since [time] UTC)"
        ),
        "{text}"
    );
    assert!(words.contains("--lock-timeout"), "{text}");
    let destroyed = said(&stage.run(&["destroy", "--yes"]).expect_status(1), pid);
    assert!(destroyed.contains("locked by `arrplan apply`"), "{destroyed}");
    let unlocked = said(&stage.run(&["state", "unlock"]).expect_status(1), pid);
    assert!(unlocked.contains("`arrplan apply` of"), "{unlocked}");
    assert!(unlocked.contains("wait for it to end") && !unlocked.contains("--lock-timeout"), "{unlocked}");
    // A plan takes no lock, and says that it may be late.
    let plan = stage.run(&["plan"]).expect_status(0);
    assert!(said(&plan, pid).contains("`arrplan apply` of"), "{plan}");

    let waiter = stage.command(&["apply", "--yes", "--lock-timeout", "60s"]).spawn();
    eventually("the other one to say whom it waits for", || {
        waiter.stderr().contains("waiting for `arrplan apply` of").then_some(())
    });
    drop(holder.kill());
    let output = waiter.finish().expect_status(0);
    assert_eq!(output.stderr.matches("waiting for").count(), 1, "{output}");
    let state = stage.state().unwrap();
    assert_eq!((&state["serial"], state["resources"].as_object().unwrap().len()), (&1.into(), 4));
    drop(stage.run(&["state", "unlock"]).expect_status(0));
    served.forget();
}

#[test]
fn row_08_two_applies_at_once_take_turns_and_serials_have_no_gap() {
    let rounds = if soak() { 100 } else { 10 };
    let started = Instant::now();
    let served = Served::empty();
    let stage = &served.stage;
    stage.write(&WHOLE.concat());
    drop(stage.run(APPLY).expect_status(0));
    let (mut waited, mut refused) = (0, 0);
    for round in 0..rounds {
        let serial = stage.state().unwrap()["serial"].as_u64().unwrap();
        let versions = [1, 2].map(|number| format!("version={}", 10 + 2 * round + number));
        let patient = round % 2 == 0;
        // One trace for both: what they do is in one order.
        let runs: Vec<_> = versions
            .iter()
            .enumerate()
            .map(|(number, version)| {
                let mut args = vec!["apply", "--yes", "--var", version];
                if patient {
                    args.extend(["--lock-timeout", "60s"]);
                }
                // Longer than a lock is tried without a word, so that the two meet on any machine.
                let pause = ";lock.taken@1=pause:400";
                let command =
                    if number == 0 { stage.traced(&args, pause) } else { stage.also_traced(&args, pause) };
                command.spawn()
            })
            .collect();
        let outputs: Vec<RunOutput> = runs.into_iter().map(support::Running::finish).collect();
        let done = outputs.iter().filter(|output| output.status == Some(0)).count();
        for output in &outputs {
            waited += usize::from(output.stderr.contains("waiting for `arrplan apply` of"));
            if output.status != Some(0) {
                assert!(!patient, "{output}");
                assert!(
                    output.status == Some(1) && output.stderr.contains("locked by `arrplan apply` of"),
                    "{output}"
                );
                refused += 1;
            }
        }
        assert!(done >= 1, "{outputs:?}");
        // Who comes second may find the version of the first, and gives it its own.
        let state = stage.state().unwrap();
        assert_eq!(state["serial"].as_u64().unwrap(), serial + done as u64, "round {round}: {outputs:?}");
        one_at_a_time(&stage.trace(), done);
        drop(End::read(stage, false));
    }
    println!(
        "two at once: {rounds} rounds, {waited} waited, {refused} refused, no gap, {:.0?}",
        started.elapsed()
    );
    assert!(
        waited * 4 >= rounds && refused * 4 >= rounds,
        "{waited} waited and {refused} refused of {rounds}"
    );
    served.forget();
}

/// Between two takings of the lock it is let go of, and whoever writes holds it.
#[track_caller]
fn one_at_a_time(trace: &[&str], holders: usize) {
    let mut held = false;
    let mut taken = 0;
    for hit in trace {
        match *hit {
            "lock.taken" => {
                assert!(!held, "taken twice: {trace:?}");
                (held, taken) = (true, taken + 1);
            }
            "lock.releasing" => {
                assert!(held, "let go of twice: {trace:?}");
                held = false;
            }
            other => assert!(held, "{other} without the lock: {trace:?}"),
        }
    }
    assert_eq!((held, taken), (false, holders));
}
