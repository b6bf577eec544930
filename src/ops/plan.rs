//! Planning: reads everything, writes nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::rollback::{self, Return, StillSays};
use super::sandbox::{Purpose, Session, Sources};
use super::{Error, Import, Naming, StackRequest, StateRequest, World, named, saved, settle, stack, store};
use crate::address::ObjectKey;
use crate::cluster::{self, ConnectOptions, Reader, Writer};
use crate::diag::Diagnostics;
use crate::plan::{self, Options, Plan, PlanInput};
use crate::secrets::{self, SecretValues};
use crate::stack::Stack;
use crate::state::{Holder, LockWait};

/// Which cluster is meant.
#[derive(Debug, Clone, Default)]
pub struct ClusterRequest {
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`; wins over `[cluster] context`.
    pub context: Option<String>,
    /// `--server`.
    pub server: Option<String>,
    /// `--sandbox`: the project's own, and no other.
    pub sandbox: bool,
    /// Most requests at once; 0 = the default.
    pub parallelism: usize,
    /// `--request-timeout`.
    pub request_timeout: Option<Duration>,
}

/// What to plan.
#[derive(Debug, Clone, Default)]
pub struct PlanRequest {
    /// The stack.
    pub stack: StackRequest,
    /// Its state.
    pub state: StateRequest,
    /// The cluster.
    pub cluster: ClusterRequest,
    /// Plan as `destroy` would.
    pub destroy: bool,
    /// Plan to a recorded revision instead of what the files say.
    pub to: Option<Return>,
    /// Adopt this object, and do nothing that it does not need.
    pub import: Option<Import>,
    /// Flags of planning.
    pub options: Options,
    /// More of them: resources that are named by their objects.
    pub objects: Vec<(Naming, ObjectKey)>,
    /// `--timeout`: for every change, instead of its own.
    pub timeout: Option<Duration>,
}

/// A plan, and what is worth knowing beside it.
#[derive(Debug)]
pub struct PlanOutcome {
    /// The plan.
    pub plan: Plan,
    /// The stack it was made from; its spans point into its source map. `None` for a destroy.
    pub stack: Option<Stack>,
    /// Warnings about the stack's files.
    pub warnings: Diagnostics,
    /// What a person should know about the state.
    pub notes: Vec<String>,
    /// Who is writing the state right now.
    pub held_by: Option<Holder>,
    /// In the sandbox: which Git sources are folders.
    pub sources: Option<Sources>,
    /// Of a rollback: where the stack's files say otherwise than the revision.
    pub still: Vec<StillSays>,
}

/// Plans. Takes no lock: what an interrupted run left open is settled in memory.
///
/// # Errors
/// An invalid stack, no cluster, a state that cannot be read, secrets that cannot be resolved. Problems of
/// single resources are in the plan.
pub async fn plan(request: &PlanRequest, world: &World) -> Result<PlanOutcome, Error> {
    Box::pin(planned(request, None, world)).await
}

/// Plans, and writes the plan to the file `out`, to be applied later. A plan with errors is not written.
///
/// # Errors
/// As [`plan()`]; a file there that is no saved plan, or one that cannot be written.
pub async fn plan_into(request: &PlanRequest, out: &Path, world: &World) -> Result<PlanOutcome, Error> {
    let out = world.cwd.join(out);
    saved::may_write(&out)?;
    Box::pin(planned(request, Some(&out), world)).await
}

async fn planned(request: &PlanRequest, out: Option<&Path>, world: &World) -> Result<PlanOutcome, Error> {
    let desired = rollback::load(request, world)?;
    let wait = LockWait { timeout: Duration::ZERO, waiting: &mut |_| {} };
    let purpose = Purpose { operation: "plan", writes: false, wait };
    let connection = connect(&desired, &request.cluster, purpose, world).await?;
    let outcome = outcome(desired, request, out, &connection, world).await;
    connection.close().await;
    outcome
}

async fn outcome(
    mut desired: stack::Desired,
    request: &PlanRequest,
    out: Option<&Path>,
    connection: &Connection,
    world: &World,
) -> Result<PlanOutcome, Error> {
    let reader = &connection.reader;
    let store = store::of_head(&desired.head, &request.state, world)?;
    if out.is_some() {
        // Its digests must mean something to the apply.
        store.keep_key(&Holder::this_process("plan", (world.now)())).await?;
    }
    let mut snapshot = store.open_read(world.lineage).await?;
    settle::in_memory(&mut snapshot, reader).await?;
    let mut secrets = self::secrets(&desired, request.options.skip_secrets, world).await?;
    let inputs = out.and_then(|_| saved::Inputs::of(&desired, &secrets, &snapshot.key));
    let basis = rollback::Basis {
        store: &store,
        state: &snapshot.state,
        key: &snapshot.key,
        before: rollback::Before::default(),
        reader,
    };
    let back = rollback::back(request.to, &mut desired, &mut secrets, &basis, world).await?;
    let redactor = secrets.redactor();
    let options = named::options(request, desired.stack.as_ref(), &snapshot.state)?;
    let input = PlanInput {
        stack: desired.stack.as_ref(),
        state: &snapshot.state,
        key: &snapshot.key,
        reader,
        target: reader.target(),
        secrets: &secrets,
        redactor: &redactor,
        options: &options,
    };
    let mut plan = interruptible(world, Box::pin(plan::build(&input))).await??;
    let mut notes = snapshot.notes;
    let still = rollback::direction(&mut plan, back.as_ref(), &store, &mut notes).await;
    if let Some(out) = out.filter(|_| !plan.problems.has_errors()) {
        saved::write(out, &saved::Document::of(request, &options, inputs, &plan, &snapshot.key))?;
    }
    Ok(PlanOutcome {
        plan,
        stack: desired.stack,
        warnings: desired.warnings,
        notes,
        held_by: snapshot.held_by,
        sources: connection.sources(),
        still,
    })
}

/// A cluster to talk to, and what keeps it there.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    sandbox: Option<Session>,
}

impl Connection {
    /// In the sandbox: which Git sources are folders.
    pub(super) fn sources(&self) -> Option<Sources> {
        self.sandbox.as_ref().map(|sandbox| sandbox.sources().clone())
    }

    /// From here on something else shows what is done: repeated requests are told there.
    pub(super) fn shown(self) -> Self {
        Self { reader: self.reader.observed(|_| {}), writer: self.writer.observed(|_| {}), ..self }
    }

    /// Ends what was started for it.
    pub(super) async fn close(self) {
        if let Some(sandbox) = self.sandbox {
            sandbox.close().await;
        }
    }
}

/// Finds the cluster. What `[cluster]` says gives way to flags.
pub(super) async fn connect(
    desired: &stack::Desired,
    request: &ClusterRequest,
    purpose: Purpose<'_>,
    world: &World,
) -> Result<Connection, Error> {
    let mut options = ConnectOptions {
        interactive: world.interactive,
        parallelism: request.parallelism,
        request_timeout: request.request_timeout,
        ..Default::default()
    };
    let sandbox = if request.sandbox {
        let opened = Session::open(&desired.head, desired.stack.as_ref(), purpose, world);
        let sandbox = interruptible(world, opened).await??;
        options.sandbox = Some(sandbox.kubeconfig().to_owned());
        Some(sandbox)
    } else {
        options.kubeconfig = request.kubeconfig.as_ref().map(|file| world.cwd.join(file));
        options.context = request.context.clone().or_else(|| desired.head.cluster.context.clone());
        options.server.clone_from(&request.server);
        options.env.clone_from(&world.env);
        None
    };
    // A credential plugin may take its time.
    let connected = interruptible(world, cluster::connect(&options)).await?;
    let (reader, writer) = connected.map_err(|error| Error::Connect {
        error,
        stack: desired
            .stack
            .as_ref()
            .map(|stack| (stack.file.clone(), stack.resources.len(), stack.graph.edge_count())),
    })?;
    let told = world.retrying.clone();
    let reader = reader.observed(move |retrying| told.tell(retrying));
    Ok(Connection { reader, writer, sandbox })
}

/// Work that writes nothing and can be dropped at any moment.
pub(super) async fn interruptible<T>(world: &World, work: impl Future<Output = T>) -> Result<T, Error> {
    tokio::select! {
        () = world.cancel.cancelled() => Err(Error::Interrupted),
        done = work => Ok(done),
    }
}

/// Reads the values of the stack's secrets; a destroy needs none.
pub(super) async fn secrets(
    desired: &stack::Desired,
    skip: bool,
    world: &World,
) -> Result<SecretValues, Error> {
    let Some(stack) = &desired.stack else {
        return Ok(SecretValues::default());
    };
    let folder = match stack.file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let environment = |name: &str| world.env.get(name).cloned();
    let resolved = secrets::resolve(&stack.variables, folder, &environment, skip);
    interruptible(world, resolved)
        .await?
        .map_err(|problems| Error::Secrets(Box::new((problems, stack.sources_map.clone()))))
}
