//! `arrplan plan`

use std::collections::BTreeSet;

use super::typed::{Flags, word};
use super::{block_on, cluster_request, of_stack, saved, state_request, world};
use crate::address::{Address, Named, ObjectKey};
use crate::cli::args::{Plan, Planning};
use crate::cli::error::{Exit, Failed};
use crate::cli::host::Host;
use crate::cli::signal;
use crate::ops::{self, Naming, PlanOutcome, PlanRequest, Return};
use crate::plan::{Action, Options, TakeOption};
use crate::views::page::{Page, Text, Tone};
use crate::views::plan::PlanView;
use crate::views::{diagnostics, json, still_says};

pub(super) fn run(args: &Plan, host: &mut Host) -> Result<Exit, Failed> {
    let request = PlanRequest {
        stack: of_stack(&args.stack, &args.vars),
        state: state_request(&args.state),
        cluster: cluster_request(&args.cluster, &args.state, 0),
        destroy: args.destroy,
        to: args.to.map(Return::To),
        import: None,
        options: options(&args.planning, args.skip_secrets),
        objects: objects(&args.planning),
        timeout: None,
    };
    let outcome = block_on(async {
        let cancel =
            signal::watch("").map_err(|error| Failed::error(format!("cannot watch for signals: {error}")))?;
        let world = world(host, cancel);
        Ok::<_, Failed>(match &args.out {
            Some(out) => Box::pin(ops::plan_into(&request, out, &world)).await?,
            None => Box::pin(ops::plan(&request, &world)).await?,
        })
    })??;
    beside(&outcome, host);
    let plan = &outcome.plan;
    if args.json {
        let sources = outcome.stack.as_ref().map(|stack| &stack.sources_map);
        host.print(&json::pretty(&json::plan(plan, sources)))?;
    } else {
        let text = show(&outcome, args.planning.full, &BTreeSet::new(), host);
        host.print(&text)?;
        if plan.has_changes() && !plan.problems.has_errors() && args.out.is_none() {
            let command = match args.to {
                _ if args.destroy => "destroy".to_owned(),
                Some(serial) => format!("rollback --to {serial}"),
                None => "apply".to_owned(),
            };
            let vars = (!args.destroy).then_some(&args.vars);
            let mut flags = Flags::about(&args.state, vars, &args.cluster);
            flags = if args.destroy {
                if let Some(env) = &args.vars.env {
                    flags.one("--env", env);
                }
                flags.part(&args.planning)
            } else {
                flags.planned(&args.planning)
            };
            next(&command, args.stack.stack.as_deref(), &flags, host);
        }
        host.say(&still_says(&outcome.still, host.err_layout()));
    }
    if let Some(out) = &args.out {
        saved::after_plan(out, plan.problems.has_errors(), host);
    }
    Ok(if plan.problems.has_errors() {
        Exit::Error
    } else if args.detailed_exitcode && plan.has_changes() {
        detailed(plan)
    } else {
        Exit::Done
    })
}

pub(super) fn options(planning: &Planning, skip_secrets: bool) -> Options {
    Options {
        take: planning
            .take
            .iter()
            .map(|(address, path)| TakeOption { address: address.clone(), path: path.clone() })
            .collect(),
        adopt: addresses(&planning.adopt),
        refresh_full: planning.refresh.is_some(),
        target: addresses(&planning.target),
        exclude: addresses(&planning.exclude),
        replace: addresses(&planning.replace),
        refresh_only: planning.refresh_only,
        release: BTreeSet::new(),
        skip_secrets,
        dry_run_namespace: planning.dry_run_namespace.clone(),
        min_fidelity: planning.min_fidelity.map(Into::into),
    }
}

/// What is named by its address.
pub(super) fn addresses(named: &[Named]) -> BTreeSet<Address> {
    let address = |named: &Named| match named {
        Named::Address(address) => Some(address.clone()),
        Named::Object(_) => None,
    };
    named.iter().filter_map(address).collect()
}

/// What is named by its object, flag by flag.
pub(super) fn objects(planning: &Planning) -> Vec<(Naming, ObjectKey)> {
    let flags = [
        (Naming::Target, &planning.target),
        (Naming::Exclude, &planning.exclude),
        (Naming::Replace, &planning.replace),
        (Naming::Adopt, &planning.adopt),
    ];
    flags.into_iter().flat_map(|(naming, named)| said(naming, named)).collect()
}

/// What of one flag is named by its object.
pub(super) fn said(naming: Naming, named: &[Named]) -> Vec<(Naming, ObjectKey)> {
    let object = |named: &Named| match named {
        Named::Address(_) => None,
        Named::Object(said) => Some((naming, said.clone())),
    };
    named.iter().filter_map(object).collect()
}

/// The plan as text.
pub(super) fn show(outcome: &PlanOutcome, full: bool, allowed: &BTreeSet<Address>, host: &Host) -> String {
    let view = PlanView {
        full,
        layout: host.out_layout(),
        now: (host.now)(),
        allowed,
        sources: outcome.stack.as_ref().map(|stack| &stack.sources_map),
    };
    crate::views::plan::human(&outcome.plan, &view)
}

/// What is worth knowing beside the plan: warnings about the files, notes about the state, who else is at it.
pub(super) fn beside(outcome: &PlanOutcome, host: &mut Host) {
    let layout = host.err_layout();
    if let Some(stack) = &outcome.stack {
        host.say(&diagnostics::render(&outcome.warnings, &stack.sources_map, layout));
    }
    let mut page = Page::new(layout);
    let holder = outcome
        .held_by
        .as_ref()
        .map(|holder| format!("the state is being written by {holder}: this plan may be out of date soon"));
    for note in outcome.notes.iter().chain(&holder) {
        page.wrapped(0, 2, &Text::tone(Tone::Change, "note: ").add(Tone::Plain, note));
    }
    host.say(&page.finish());
}

fn next(command: &str, stack: Option<&str>, flags: &Flags, host: &mut Host) {
    let stack = stack.map(|stack| format!(" {}", word(stack))).unwrap_or_default();
    let mut page = Page::new(host.err_layout());
    page.line(0, &Text::tone(Tone::Dim, &format!("Next: arrplan {command}{stack}{flags}")));
    host.say(&page.finish());
}

fn detailed(plan: &crate::plan::Plan) -> Exit {
    let destructive = plan
        .changes
        .iter()
        .any(|change| matches!(change.action, Action::Delete | Action::Replace) || change.reinstalls);
    if destructive { Exit::Destructive } else { Exit::Changes }
}
