//! A command while something goes wrong.

use std::time::Duration;

use serde_json::{Value, json};

use crate::always::{Ran, writes};
use crate::generate::{Fault, Trouble, What};
use crate::intent::Intent;
use crate::reached::reached;
use crate::system::System;

/// How long every write takes, at least, where a moment in the midst of them is wanted: long enough to be met.
const SLOW: u64 = 12;

/// Runs the command with that trouble.
pub(crate) fn run(system: &mut System, intent: &Intent, args: &[String], trouble: &Trouble) -> Ran {
    match trouble {
        Trouble::Faults(faults) => {
            system.world.script(&faults.iter().map(rule).collect());
            let ran = system.run(args);
            reached("fault that struck", system.world.end_script());
            let lost =
                |fault: &&Fault| matches!(fault.what, What::ResetAfter | What::ResetMiddle | What::Truncate);
            reached("answer that never came", faults.iter().filter(lost).count() as u64);
            ran
        }
        Trouble::Crash { point, hit } => {
            let points = points();
            let point = points[usize::from(*point) % points.len()];
            // Most are hit once or twice by a command.
            let hit = if is_often(point) { *hit } else { 1 + hit / 5 };
            let armed = system.world.arrplan(args).env("ARRPLAN_FAILPOINT", format!("{point}@{hit}=abort"));
            let ran = Ran::new(format!("{} ({point}@{hit})", args.join(" ")), armed.run());
            reached("crash at a failpoint", u64::from(ran.output.status.is_none()));
            system.world.until_quiet();
            ran
        }
        Trouble::KillAnnounced(count) => {
            let journal = system.world.state_path("journal");
            kill(system, args, &mut || {
                let text = std::fs::read_to_string(&journal).unwrap_or_default();
                text.matches("\"record\":\"begin\"").count() >= usize::from(*count)
            })
        }
        Trouble::KillWritten(count) => {
            let records = || writes(&system.world.peek()).len();
            kill(system, args, &mut || records() >= usize::from(*count))
        }
        Trouble::Meddle { after, at, drift } => {
            slow(system);
            let mut running = system.world.arrplan(args).spawn();
            while writes(&system.world.peek()).len() < usize::from(*after) && !running.has_ended() {
                std::thread::sleep(Duration::from_millis(2));
            }
            reached("meddling during a command", u64::from(!running.has_ended()));
            system.drift(intent, *at, *drift);
            let ran = Ran::new(args.join(" "), running.finish());
            system.world.end_script();
            ran
        }
    }
}

/// Every failpoint, those that many changes come by more often.
fn points() -> Vec<&'static str> {
    let all = arrplan::failpoint::ALL.iter().copied();
    let many = all.clone().filter(|point| is_often(point));
    all.chain(many.clone()).chain(many.clone()).chain(many).collect()
}

/// Whether each change comes by it.
fn is_often(point: &str) -> bool {
    ["request.", "record.", "end."].iter().any(|prefix| point.starts_with(prefix))
}

fn slow(system: &System) {
    let rule = |method: &str| json!({"method": method, "path": "*", "times": 0, "fault": {"delay": SLOW}});
    system.world.script(&json!([rule("PATCH"), rule("POST"), rule("DELETE"), rule("PUT")]));
}

/// SIGKILL as soon as `now` says so.
fn kill(system: &System, args: &[String], now: &mut dyn FnMut() -> bool) -> Ran {
    slow(system);
    let mut running = system.world.arrplan(args).spawn();
    while !now() && !running.has_ended() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = running.kill();
    system.world.end_script();
    system.world.until_quiet();
    Ran::new(args.join(" "), output)
}

/// A rule of the sandbox's script.
fn rule(fault: &Fault) -> Value {
    let what = match fault.what {
        What::TooMany => json!({"answer": {"code": 429, "retryAfter": 0}}),
        What::Internal => json!({"answer": {"code": 500}}),
        What::Unavailable => json!({"answer": {"code": 503}}),
        What::GatewayTimeout => json!({"answer": {"code": 504}}),
        What::Conflict => json!({"answer": {"code": 409, "body": {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Conflict", "code": 409,
            "message": "Operation cannot be fulfilled: the object has been modified; please apply your changes to the \
                        latest version and try again",
        }}}),
        What::NotJson => json!({"answer": {"code": 502, "body": "<html>bad gateway</html>"}}),
        What::ResetBefore => json!({"reset": "before"}),
        What::ResetMiddle => json!({"reset": "middle"}),
        What::ResetAfter => json!({"reset": "after"}),
        What::Truncate => json!("truncate"),
        What::Delay => json!({"delay": 40}),
    };
    let mut rule = json!({"path": "*", "nth": fault.nth, "times": fault.times, "fault": what});
    if fault.writes {
        // An apply is a PATCH; dry-runs among them count as well.
        rule["method"] = json!(["PATCH", "DELETE"][usize::from(fault.nth) % 2]);
    }
    rule
}
