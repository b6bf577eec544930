//! `arrplan apply` and `arrplan destroy`

use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::plan::{addresses, beside, objects, options, said, show};
use super::{
    block_on, cluster_request, failure, of_env, of_stack, sandbox_flag, stack_request, state_request, world,
};
use crate::address::Named;
use crate::apply::Event;
use crate::cli::args::{Apply, Applying, Destroy, Import, Rm, Rollback};
use crate::cli::error::{Exit, Failed};
use crate::cli::host::{Host, Stdin};
use crate::cli::{prompt, signal};
use crate::ops::{self, Naming, PlanRequest, Prepared, Return};
use crate::plan::{Action, Options, Plan};
use crate::state::Holder;
use crate::views::page::{Layout, Page, Text, Tone, count};
use crate::views::problem::Failure;
use crate::views::progress::{ApplyView, JsonLines, Lines, Live};
use crate::views::{json, outputs, still_says, stood_in};

/// How often a view is told what time it is.
const TICK: Duration = Duration::from_millis(100);

pub(super) fn run(args: &Apply, host: &mut Host) -> Result<Exit, Failed> {
    let request = PlanRequest {
        stack: of_stack(&args.stack, &args.vars),
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
    let typed = Typed::new("apply", args.stack.stack.as_deref(), args.state.sandbox, full, &args.applying);
    execute(&request, &typed, host)
}

pub(super) fn destroy(args: &Destroy, host: &mut Host) -> Result<Exit, Failed> {
    let request = PlanRequest {
        stack: of_stack(&args.stack, &args.vars),
        state: state_request(&args.state),
        cluster: cluster_request(&args.cluster, &args.state, args.applying.parallelism),
        destroy: true,
        to: None,
        import: None,
        options: Options::default(),
        objects: Vec::new(),
        timeout: args.applying.timeout,
    };
    let sandbox = args.state.sandbox;
    let typed = Typed::new("destroy", args.stack.stack.as_deref(), sandbox, args.full, &args.applying);
    execute(&request, &typed, host)
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
    let mut typed = Typed::new("rollback", stack, args.state.sandbox, full, &args.applying);
    if let Some(serial) = args.to {
        typed.line.push_str(" --to ");
        typed.line.push_str(&serial.to_string());
    }
    execute(&request, &typed, host)
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
    let mut typed = Typed::new("import", None, args.state.sandbox, args.planning.full, &args.applying);
    typed.line = format!("import '{}' {}", args.address, args.object);
    execute(&request, &typed, host)
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
    let mut typed = Typed::new("state rm", None, args.state.sandbox, false, &args.applying);
    for address in &args.addresses {
        typed.line.extend([" '", &address.to_string(), "'"]);
    }
    execute(&request, &typed, host)
}

/// What was typed, as far as it is not about the plan.
struct Typed<'a> {
    command: &'static str,
    /// ` STACK`, where it was typed.
    stack: String,
    /// The command as it was typed, for hints.
    line: String,
    full: bool,
    applying: &'a Applying,
    allowed: Vec<Named>,
}

impl<'a> Typed<'a> {
    fn new(
        command: &'static str,
        stack: Option<&str>,
        sandbox: bool,
        full: bool,
        applying: &'a Applying,
    ) -> Self {
        let stack = stack.map(|stack| format!(" {stack}")).unwrap_or_default();
        let mut line = format!("{command}{stack}{}", sandbox_flag(sandbox));
        for (_, address) in &applying.allow {
            line.push_str(" --allow ");
            line.push_str(&crate::views::plan::data_loss(&address.to_string()));
        }
        Self {
            command,
            stack,
            line,
            full,
            applying,
            allowed: applying.allow.iter().map(|(_, named)| named.clone()).collect(),
        }
    }
}

fn execute(request: &PlanRequest, typed: &Typed<'_>, host: &mut Host) -> Result<Exit, Failed> {
    if typed.applying.json && !typed.applying.yes {
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
        let prepared = ops::prepare(request, typed.command, patience, &mut waiting, &world);
        let prepared = Box::pin(prepared).await?;
        Box::pin(approved(prepared, typed, host, &cancel)).await
    })?
}

/// From a plan under lock to its end.
async fn approved(
    prepared: Prepared,
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
    if plan.has_changes() && !typed.applying.yes {
        ask(plan, typed, host, cancel).await?;
    }
    if cancel.is_cancelled() {
        return Err(Failed::Interrupted);
    }
    let quiet = !plan.has_changes() && plan.changes.iter().all(|change| change.not_ready.is_none());
    let destroy = plan.destroy;
    let practice =
        prepared.outcome.sources.as_ref().map(|sources| stood_in(plan, sources, host.err_layout()));
    let still = prepared.outcome.still.clone();
    let (events, heard) = unbounded_channel();
    let (applied, ()) = {
        let view = view(typed, quiet, destroy, host);
        let run = prepared.run(&allowed, usize::from(typed.applying.parallelism), events, cancel.clone());
        tokio::join!(run, watch(heard, view))
    };
    let applied = applied?;
    host.say(&still_says(&still, host.err_layout()));
    let exit = finish(&applied, typed, host)?;
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

/// Shows the run: JSON lines on standard output, else live or line by line on standard error. A run that
/// has nothing to do has nothing to show.
fn view<'h>(typed: &Typed<'_>, quiet: bool, destroy: bool, host: &'h mut Host) -> Box<dyn ApplyView + 'h> {
    let layout = host.err_layout();
    if typed.applying.json {
        Box::new(JsonLines::new(host.out()))
    } else if quiet {
        Box::new(Lines::new(std::io::sink(), layout, destroy))
    } else if host.is_live() {
        host.say("\n");
        Box::new(Live::new(layout, destroy))
    } else {
        host.say("\n");
        Box::new(Lines::new(host.err(), layout, destroy))
    }
}

/// Feeds the view until the run is over.
async fn watch(mut events: UnboundedReceiver<Event>, mut view: Box<dyn ApplyView + '_>) {
    let start = Instant::now();
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => view.event(&event),
                None => return,
            },
            _ = tick.tick() => view.tick(start.elapsed()),
        }
    }
}

/// The question, naming what it is about. Without somebody to answer it is a refusal.
async fn ask(
    plan: &Plan,
    typed: &Typed<'_>,
    host: &mut Host,
    cancel: &CancellationToken,
) -> Result<(), Failed> {
    let changes =
        plan.changes.iter().filter(|change| !matches!(change.action, Action::NoOp | Action::Keep)).count();
    let changes = count(changes, "change", "changes");
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
