//! `arrplan apply` and `arrplan destroy`

use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;

use super::plan::{addresses, beside, objects, options, said, show};
use super::typed::{Flags, word};
use super::watch::{view, watch};
use super::{
    block_on, cluster_request, failure, of_env, of_stack, saved, stack_request, state_request, world,
};
use crate::address::Named;
use crate::cli::args::{Apply, Applying, Destroy, Import, Rm, Rollback};
use crate::cli::error::{Exit, Failed};
use crate::cli::host::{Host, Stdin};
use crate::cli::{prompt, signal};
use crate::ops::{self, Naming, PlanRequest, Prepared, Return, SavedFile};
use crate::plan::{Action, Change, Options, Plan};
use crate::state::Holder;
use crate::views::page::{Layout, Page, Text, Tone, count};
use crate::views::problem::Failure;
use crate::views::{json, outputs, still_says, stood_in};

/// What a run starts from.
enum Source<'a> {
    /// A plan that is yet to be made.
    Request(&'a PlanRequest),
    /// One that was made and kept; whether what the cluster moved on from is planned again.
    Saved(&'a SavedFile, &'a PlanRequest, bool),
}

pub(super) fn run(args: &Apply, host: &mut Host) -> Result<Exit, Failed> {
    if let Some(file) = saved::find(args, host)? {
        return from_file(args, &file, host);
    }
    if args.replan_stale {
        return saved::only_for_plans();
    }
    let request = PlanRequest {
        stack: stack_request(args.stack.as_deref(), Some(&args.vars)),
        state: state_request(&args.state),
        cluster: cluster_request(&args.cluster, &args.state, args.applying.parallelism),
        destroy: false,
        to: None,
        import: None,
        options: options(&args.planning, false),
        objects: objects(&args.planning),
        timeout: args.applying.timeout,
    };
    let full = args.planning.full;
    let flags = Flags::about(&args.state, Some(&args.vars), &args.cluster).planned(&args.planning);
    let typed = Typed::new("apply", args.stack.as_deref(), &flags, full, &args.applying);
    execute(&Source::Request(&request), &typed, host)
}

fn from_file(args: &Apply, file: &SavedFile, host: &mut Host) -> Result<Exit, Failed> {
    let request = saved::request(args, file)?;
    let full = args.planning.full;
    let mut typed = Typed::new(file.operation(), file.stack(), &Flags::default(), full, &args.applying);
    let given = args.applying.allow.iter().map(|(_, address)| address.clone()).collect::<Vec<_>>();
    let again = if args.replan_stale { " --replan-stale" } else { "" };
    typed.line = format!("apply {}{again}{}", word(&file.path.to_string_lossy()), allowances(&given));
    typed.approved = !args.replan_stale;
    execute(&Source::Saved(file, &request, args.replan_stale), &typed, host)
}

/// ` --allow RISK=ADDRESS` of each.
fn allowances(named: &[Named]) -> String {
    let flag = |named: &Named| format!(" --allow {}", crate::views::plan::data_loss(&named.to_string()));
    named.iter().map(flag).collect()
}

pub(super) fn destroy(args: &Destroy, host: &mut Host) -> Result<Exit, Failed> {
    let request = PlanRequest {
        stack: of_stack(&args.stack, &args.vars),
        state: state_request(&args.state),
        cluster: cluster_request(&args.cluster, &args.state, args.applying.parallelism),
        destroy: true,
        to: None,
        import: None,
        options: Options {
            target: addresses(&args.target),
            exclude: addresses(&args.exclude),
            ..Options::default()
        },
        objects: [said(Naming::Target, &args.target), said(Naming::Exclude, &args.exclude)].concat(),
        timeout: args.applying.timeout,
    };
    let mut flags = Flags::about(&args.state, Some(&args.vars), &args.cluster);
    args.target.iter().for_each(|address| flags.one("--target", &address.to_string()));
    args.exclude.iter().for_each(|address| flags.one("--exclude", &address.to_string()));
    let typed = Typed::new("destroy", args.stack.stack.as_deref(), &flags, args.full, &args.applying);
    execute(&Source::Request(&request), &typed, host)
}

pub(super) fn rollback(args: &Rollback, host: &mut Host) -> Result<Exit, Failed> {
    let request = PlanRequest {
        stack: of_stack(&args.stack, &args.vars),
        state: state_request(&args.state),
        cluster: cluster_request(&args.cluster, &args.state, args.applying.parallelism),
        destroy: false,
        to: Some(args.to.map_or(Return::LastThatWorked, Return::To)),
        import: None,
        options: options(&args.planning, false),
        objects: objects(&args.planning),
        timeout: args.applying.timeout,
    };
    let (stack, full) = (args.stack.stack.as_deref(), args.planning.full);
    let mut flags = Flags::about(&args.state, Some(&args.vars), &args.cluster).planned(&args.planning);
    if let Some(serial) = args.to {
        flags.one("--to", &serial.to_string());
    }
    let typed = Typed::new("rollback", stack, &flags, full, &args.applying);
    execute(&Source::Request(&request), &typed, host)
}

pub(super) fn import(args: &Import, host: &mut Host) -> Result<Exit, Failed> {
    let request = PlanRequest {
        stack: stack_request(args.stack.as_deref(), Some(&args.vars)),
        state: state_request(&args.state),
        cluster: cluster_request(&args.cluster, &args.state, args.applying.parallelism),
        destroy: false,
        to: None,
        import: Some(ops::Import { resource: args.address.clone(), object: args.object.clone() }),
        options: options(&args.planning, false),
        objects: objects(&args.planning),
        timeout: args.applying.timeout,
    };
    let mut flags = Flags::default();
    if let Some(stack) = &args.stack {
        flags.one("--stack", stack);
    }
    let about = Flags::about(&args.state, Some(&args.vars), &args.cluster).planned(&args.planning);
    let mut typed = Typed::new("import", None, &Flags::default(), args.planning.full, &args.applying);
    let (address, object) = (word(&args.address.to_string()), word(&args.object.to_string()));
    typed.line = format!("import {address} {object}{flags}{about}");
    execute(&Source::Request(&request), &typed, host)
}

/// `state rm`: a plan that lets go of some resources and does nothing else.
pub(super) fn release(args: &Rm, host: &mut Host) -> Result<Exit, Failed> {
    let release = addresses(&args.addresses);
    let request = PlanRequest {
        stack: of_env(args.stack.as_deref(), args.env.as_ref()),
        state: state_request(&args.state),
        cluster: cluster_request(&args.cluster, &args.state, args.applying.parallelism),
        destroy: true,
        to: None,
        import: None,
        options: Options { release, ..Options::default() },
        objects: said(Naming::Release, &args.addresses),
        timeout: args.applying.timeout,
    };
    let mut flags = Flags::about(&args.state, None, &args.cluster);
    args.stack.iter().for_each(|stack| flags.one("--stack", stack));
    args.env.iter().for_each(|env| flags.one("--env", env));
    let mut typed = Typed::new("state rm", None, &flags, false, &args.applying);
    for address in &args.addresses {
        typed.line.extend([" ", &word(&address.to_string())]);
    }
    execute(&Source::Request(&request), &typed, host)
}

/// What was typed, as far as it is not about the plan.
struct Typed<'a> {
    command: &'static str,
    /// ` STACK`, where it was typed.
    stack: String,
    /// The command as it was typed, for hints.
    line: String,
    full: bool,
    /// The plan was approved before: nothing is asked.
    approved: bool,
    applying: &'a Applying,
    allowed: Vec<Named>,
}

impl<'a> Typed<'a> {
    fn new(
        command: &'static str,
        stack: Option<&str>,
        flags: &Flags,
        full: bool,
        applying: &'a Applying,
    ) -> Self {
        let stack = stack.map(|stack| format!(" {}", word(stack))).unwrap_or_default();
        let mut line = format!("{command}{stack}{flags}");
        let allowed: Vec<Named> = applying.allow.iter().map(|(_, named)| named.clone()).collect();
        line.push_str(&allowances(&allowed));
        Self { command, stack, line, full, approved: false, applying, allowed }
    }
}

fn execute(source: &Source<'_>, typed: &Typed<'_>, host: &mut Host) -> Result<Exit, Failed> {
    if typed.applying.json && !typed.applying.yes && !typed.approved {
        let hint = format!("arrplan {} --json --yes", typed.line);
        return Err(Failed::Usage(Failure::new("--json asks nothing, so it needs --yes").hint(hint)));
    }
    block_on(async {
        let cancel = signal::watch(signal::LEFT)
            .map_err(|error| Failed::error(format!("cannot watch for signals: {error}")))?;
        let world = world(host, cancel.clone());
        let layout = host.err_layout();
        let mut waiting = |holder: &Holder| {
            let mut page = Page::new(layout);
            page.wrapped(0, 2, &Text::plain(&format!("waiting for {holder}")));
            host.say(&page.finish());
        };
        let patience = typed.applying.lock_timeout;
        let waiting = &mut waiting;
        let prepared = match source {
            Source::Request(request) => {
                Box::pin(ops::prepare(request, typed.command, patience, waiting, &world)).await?
            }
            Source::Saved(file, given, again) => {
                Box::pin(ops::prepare_saved(file, given, *again, patience, waiting, &world)).await?
            }
        };
        let unapproved = match source {
            Source::Request(_) => prepared.outcome.plan.has_changes(),
            Source::Saved(..) => prepared.again > 0,
        };
        Box::pin(approved(prepared, unapproved, typed, host, &cancel)).await
    })?
}

/// From a plan under lock to its end.
async fn approved(
    prepared: Prepared,
    unapproved: bool,
    typed: &Typed<'_>,
    host: &mut Host,
    cancel: &CancellationToken,
) -> Result<Exit, Failed> {
    beside(&prepared.outcome, host);
    let plan = &prepared.outcome.plan;
    let allowed = ops::in_plan(&typed.allowed, plan)?;
    let text = if typed.applying.json {
        let sources = prepared.outcome.stack.as_ref().map(|stack| &stack.sources_map);
        json::line(&json::plan_line(&json::plan(plan, sources)))
    } else {
        show(&prepared.outcome, typed.full, &allowed, host)
    };
    match host.print(&text) {
        // A reader that went away must not look like an apply that was done: what is approved already is done.
        Err(Failed::Pipe) if typed.applying.yes => {}
        Err(Failed::Pipe) => return Err(Failed::error("nobody reads the plan, so nothing was applied")),
        printed => printed?,
    }
    match prepared.refusal(&allowed) {
        Some(ops::Error::Consent(missing)) => {
            return Err(Failed::Error(failure::consent(&typed.line, &missing)));
        }
        Some(error) => return Err(error.into()),
        None => {}
    }
    if unapproved && !typed.applying.yes {
        ask(plan, prepared.again, typed, host, cancel).await?;
    }
    if cancel.is_cancelled() {
        return Err(Failed::Interrupted);
    }
    let calm = |change: &Change| change.not_ready.is_none() && change.broken.is_none();
    let quiet = !plan.has_changes() && plan.changes.iter().all(calm);
    let (destroy, serial) = (plan.destroy, plan.serial);
    let broken = plan.changes.iter().any(|change| change.broken.is_some());
    let practice =
        prepared.outcome.sources.as_ref().map(|sources| stood_in(plan, sources, host.err_layout()));
    let still = prepared.outcome.still.clone();
    let (events, heard) = unbounded_channel();
    let (applied, ()) = {
        let view = view(typed.applying.json, quiet, destroy, host);
        let run = prepared.run(&allowed, usize::from(typed.applying.parallelism), events, cancel.clone());
        tokio::join!(run, watch(heard, view))
    };
    let applied = applied?;
    host.say(&still_says(&still, host.err_layout()));
    let exit = finish(&applied, typed, host)?;
    if broken && !typed.applying.json {
        let unmoved = applied.summary.serial == serial;
        let sandbox = if practice.is_some() { " --sandbox" } else { "" };
        let plan = format!("plan{}{sandbox}", typed.stack);
        host.say(&saved::after_stop(unmoved.then_some(typed.line.as_str()), &plan));
    }
    if let Some(stood_in) = practice.filter(|_| !typed.applying.json) {
        if !stood_in.is_empty() {
            host.say(&format!("\n{stood_in}"));
        }
        if exit == Exit::Done {
            host.say(&format!("\n{}", after_practice(typed, host.err_layout())));
        }
    }
    Ok(exit)
}

/// What to do after a run in the sandbox.
fn after_practice(typed: &Typed<'_>, layout: Layout) -> String {
    let lines: &[(&str, &str)] = if typed.command == "destroy" {
        &[("apply --sandbox", "makes it all again"), ("sandbox reset", "throws the sandbox away")]
    } else {
        &[
            ("plan --sandbox", "finds nothing left to do"),
            ("sandbox serve", "opens the sandbox to kubectl"),
            ("destroy --sandbox", "takes it down again"),
            ("plan", "looks at your own cluster"),
        ]
    };
    let mut page = Page::new(layout);
    for (at, (command, what)) in lines.iter().enumerate() {
        let stack = if *command == "sandbox reset" { "" } else { typed.stack.as_str() };
        let (verb, flag) = command
            .split_once(" --")
            .map_or((*command, String::new()), |(verb, flag)| (verb, format!(" --{flag}")));
        let lead = Text::tone(Tone::Dim, if at == 0 { "Next: " } else { "      " });
        let line = lead.add(Tone::Note, &format!("arrplan {verb}{stack}{flag}"));
        page.columns(0, &line, 34 + stack.len(), &Text::tone(Tone::Dim, what));
    }
    page.finish()
}

fn finish(applied: &ops::Applied, typed: &Typed<'_>, host: &mut Host) -> Result<Exit, Failed> {
    if applied.summary.failed > 0 || applied.summary.skipped > 0 {
        return Ok(Exit::Error);
    }
    if applied.summary.interrupted > 0 {
        return Ok(Exit::Interrupted);
    }
    if matches!(typed.command, "destroy" | "state rm") {
        // They tell how to reach what is no longer there.
        return Ok(Exit::Done);
    }
    if typed.applying.json {
        host.print(&json::line(&json::outputs(&applied.outputs)))?;
    } else if !applied.outputs.is_empty() {
        let text = outputs(&applied.outputs, host.out_layout());
        host.print(&format!("\n{text}"))?;
    }
    Ok(Exit::Done)
}

/// The question, naming what it is about. Without somebody to answer it is a refusal.
async fn ask(
    plan: &Plan,
    again: usize,
    typed: &Typed<'_>,
    host: &mut Host,
    cancel: &CancellationToken,
) -> Result<(), Failed> {
    let changes =
        plan.changes.iter().filter(|change| !matches!(change.action, Action::NoOp | Action::Keep)).count();
    let changes = match again {
        0 => count(changes, "change", "changes"),
        again => format!("{}, planned again,", count(again, "change", "changes")),
    };
    let cluster = match &plan.cluster.context {
        _ if plan.cluster.sandbox => "the sandbox".to_owned(),
        Some(context) => format!("context {context} ({})", plan.cluster.server),
        None => plan.cluster.server.clone(),
    };
    let Stdin::Terminal(answers) = std::mem::replace(&mut host.stdin, Stdin::Other) else {
        let failure =
            Failure::new(format!("{changes} need your approval, and there is no terminal to ask on"));
        return Err(Failed::Error(failure.hint(format!("arrplan {} --yes", typed.line))));
    };
    let these = if changes.starts_with("1 ") { "this" } else { "these" };
    let verb = match plan.returns_to {
        _ if plan.destroy => "Destroy: apply".to_owned(),
        Some(serial) => format!("Back to revision {serial}: apply"),
        None => "Apply".to_owned(),
    };
    let question = Text::tone(Tone::Strong, &format!("{verb} {these} {changes} to {cluster}? [y/N] "));
    host.say(&format!("\n{}", question.render(host.err_layout().color)));
    let yes = prompt::is_yes(answers, cancel).await;
    if cancel.is_cancelled() {
        host.say("\n");
        return Err(Failed::Interrupted);
    }
    if yes {
        return Ok(());
    }
    Err(ops::Error::Declined.into())
}
