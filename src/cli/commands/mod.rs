//! One file per command: flags to a request, the use case, its result to a view.

mod apply;
mod completions;
mod failure;
mod graph;
mod help;
mod history;
mod init;
mod output;
mod plan;
mod recover;
mod render;
mod sandbox;
mod saved;
mod schema;
mod state;
mod typed;
mod validate;
mod watch;

use std::future::Future;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::args::{Cluster, Command, StackArg, StateArg, Vars};
use super::error::{Exit, Failed};
use super::host::{Host, Stdin};
use crate::ops::{ClusterRequest, OnRetry, StackRequest, StateRequest, World};
use crate::state::Disk;
use crate::views::page::{Page, Text};
use crate::views::progress::Pauses;

/// What `--version` says: the tool's version, and what its structure table was made from.
pub(super) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let of: Vec<String> =
        crate::schema::versions().iter().map(|(name, version)| format!("{name} {version}")).collect();
    format!("{} (structure of {})", env!("CARGO_PKG_VERSION"), of.join(", "))
});

pub(super) fn run(command: &Command, host: &mut Host) -> Result<Exit, Failed> {
    let result = match command {
        Command::Init(args) => init::run(args, host),
        Command::Validate(args) => validate::run(args, host),
        Command::Plan(args) => plan::run(args, host),
        Command::Apply(args) => apply::run(args, host),
        Command::Destroy(args) => apply::destroy(args, host),
        Command::Rollback(args) => apply::rollback(args, host),
        Command::Graph(args) => graph::run(args, host),
        Command::Output(args) => output::run(args, host),
        Command::Render(args) => render::run(args, host),
        Command::Import(args) => apply::import(args, host),
        Command::State(args) => state::run(args, host),
        Command::History(args) => history::run(args, host),
        Command::Sandbox(args) => sandbox::run(args, host),
        Command::Schema(args) => schema::run(args, host),
        Command::Completions(args) => completions::run(args, host),
        Command::Help(args) => help::run(args, host),
    };
    result.map_err(|failed| failed.about(&typed::place(command)))
}

fn world(host: &Host, cancel: CancellationToken) -> World {
    World {
        env: host.env.clone(),
        cwd: host.cwd.clone(),
        disk: disk(host),
        now: host.now,
        lineage: || uuid::Uuid::new_v4().to_string(),
        interactive: matches!(host.stdin, Stdin::Terminal(_)) && !host.env.contains_key("CI"),
        cancel,
        retrying: retries(host),
    }
}

/// Says on standard error why nothing happens, where that takes long enough to be asked.
fn retries(host: &Host) -> OnRetry {
    let (layout, err, told) = (host.err_layout(), host.beside(), Mutex::new(Pauses::default()));
    OnRetry::new(move |retrying| {
        let now = Instant::now();
        let line = told.lock().unwrap_or_else(PoisonError::into_inner).line(retrying, now);
        if let Some(line) = line {
            let mut page = Page::new(layout);
            page.wrapped(0, 2, &Text::plain(&line));
            err.say(&page.finish());
        }
    })
}

/// The disk of this machine.
#[cfg(not(feature = "faults"))]
fn disk(_: &Host) -> Disk {
    Disk::real()
}

/// The disk of this machine, or one that fails as a test says.
#[cfg(feature = "faults")]
fn disk(host: &Host) -> Disk {
    host.env.get("ARRPLAN_DISK_FAULTS").map_or_else(Disk::real, |script| {
        Disk::scripted(script).unwrap_or_else(|why| panic!("ARRPLAN_DISK_FAULTS: {why}"))
    })
}

/// A world for commands that talk to nobody and cannot be waited for.
fn still_world(host: &Host) -> World {
    world(host, CancellationToken::new())
}

fn stack_request(stack: Option<&str>, vars: Option<&Vars>) -> StackRequest {
    StackRequest {
        stack: stack.map(str::to_owned),
        env: vars.and_then(|vars| vars.env.clone()),
        vars: vars.map(|vars| vars.var.clone()).unwrap_or_default(),
        var_files: vars.map(|vars| vars.var_file.clone()).unwrap_or_default(),
    }
}

fn of_stack(stack: &StackArg, vars: &Vars) -> StackRequest {
    stack_request(stack.stack.as_deref(), Some(vars))
}

fn of_env(stack: Option<&str>, env: Option<&String>) -> StackRequest {
    StackRequest { env: env.cloned(), ..stack_request(stack, None) }
}

fn state_request(state: &StateArg) -> StateRequest {
    StateRequest { file: state.state.clone(), sandbox: state.sandbox }
}

fn cluster_request(cluster: &Cluster, state: &StateArg, parallelism: u16) -> ClusterRequest {
    ClusterRequest {
        kubeconfig: cluster.kubeconfig.clone(),
        context: cluster.context.clone(),
        server: cluster.server.clone(),
        sandbox: state.sandbox,
        parallelism: usize::from(parallelism),
        request_timeout: cluster.request_timeout,
    }
}

/// Says of which state a text on standard output is, where it is not the ordinary one.
fn say_sandbox(state: &StateArg, host: &mut Host) {
    if state.sandbox {
        host.say("in the sandbox\n");
    }
}

/// The same for JSON: a field says so.
fn marked(mut value: serde_json::Value, state: &StateArg) -> serde_json::Value {
    if let Some(map) = value.as_object_mut().filter(|_| state.sandbox) {
        map.insert("sandbox".to_owned(), true.into());
    }
    value
}

/// Runs a use case on a runtime of its own. What still waits for a terminal when it is over is left behind.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failed::error(format!("cannot start: {error}")))?;
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(result)
}
