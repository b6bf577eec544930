//! `arrplan apply FILE`: a plan that `plan --out` kept.

use std::path::Path;

use super::typed::word;
use super::{cluster_request, still_world};
use crate::cli::args::Apply;
use crate::cli::error::Failed;
use crate::cli::host::Host;
use crate::ops::{self, PlanRequest, SavedFile};
use crate::views::problem::Failure;

/// The saved plan that the command line names, if it names one.
pub(super) fn find(args: &Apply, host: &Host) -> Result<Option<SavedFile>, Failed> {
    let Some(argument) = &args.stack else {
        return Ok(None);
    };
    Ok(ops::find_saved(argument, &still_world(host))?)
}

/// What the command line adds to a saved plan: how the cluster is reached, and how it is applied.
///
/// # Errors
/// Flags that would make it another plan.
pub(super) fn request(args: &Apply, file: &SavedFile) -> Result<PlanRequest, Failed> {
    let planning = &args.planning;
    let typed = [
        ("--var", !args.vars.var.is_empty()),
        ("--var-file", !args.vars.var_file.is_empty()),
        ("--env", args.vars.env.is_some()),
        ("--state", args.state.state.is_some()),
        ("--sandbox", args.state.sandbox && !file.sandbox()),
        ("--take", !planning.take.is_empty()),
        ("--adopt", !planning.adopt.is_empty()),
        ("--refresh", planning.refresh.is_some()),
        ("--min-fidelity", planning.min_fidelity.is_some()),
        ("--target", !planning.target.is_empty()),
        ("--exclude", !planning.exclude.is_empty()),
        ("--replace", !planning.replace.is_empty()),
        ("--refresh-only", planning.refresh_only),
        ("--dry-run-namespace", planning.dry_run_namespace.is_some()),
    ];
    let flags: Vec<&str> = typed.iter().filter(|(_, given)| *given).map(|(flag, _)| *flag).collect();
    if !flags.is_empty() {
        let shown = file.path.display();
        let message = format!("{shown} is a saved plan: {} would make it another one", flags.join(", "));
        let hint = format!(
            "arrplan apply {}    does what was planned, with the flags it was planned with",
            word(&file.path.to_string_lossy())
        );
        return Err(Failed::Usage(Failure::new(message).hint(hint)));
    }
    Ok(PlanRequest {
        cluster: cluster_request(&args.cluster, &args.state, args.applying.parallelism),
        timeout: args.applying.timeout,
        ..PlanRequest::default()
    })
}

/// What follows a plan that was kept in a file, or was not because of its errors.
pub(super) fn after_plan(path: &Path, errors: bool, host: &mut Host) {
    let shown = path.display();
    if errors {
        host.say(&format!("Not saved to {shown}: a plan with errors cannot be applied.\n"));
    } else {
        host.say(&format!("Saved to {shown}.\nNext: arrplan apply {}\n", word(&path.to_string_lossy())));
    }
}

/// What follows a run that left out what the cluster had moved on from: while the state has not moved either,
/// the plan can still be applied (`line`).
pub(super) fn after_stop(line: Option<&str>, plan: &str) -> String {
    match line {
        Some(line) if !line.contains(" --replan-stale") => format!("\nNext: arrplan {line} --replan-stale\n"),
        _ => format!("\nNext: arrplan {plan}\n"),
    }
}

/// Exits with what was meant where `--replan-stale` stands beside a stack.
pub(super) fn only_for_plans<T>() -> Result<T, Failed> {
    let failure = Failure::new("--replan-stale is about a saved plan, and none was named");
    Err(Failed::Usage(failure.hint("arrplan apply FILE --replan-stale    with a FILE of `plan --out FILE`")))
}
