//! A stack file, its state and a connection; what happens between a plan and its apply is the test's to do.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use arrplan::apply::{self, ApplyInput, End, Event, EventKind, Outcome};
use arrplan::cluster::{ConnectOptions, Target, Writer, connect};
use arrplan::plan::{self, Action, Options, Plan, PlanInput};
use arrplan::secrets::{self, Redactor, SecretValues};
use arrplan::stack::{self, LoadRequest, Stack};
use arrplan::state::{Disk, Holder, LockedStore, State, Store, locate};
use support::{ControlPlane, User};
use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;

pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_mins(4), test).await.expect("within 4 minutes")
    })
}

pub(crate) struct Bench {
    writer: Writer,
    target: Target,
    folder: PathBuf,
    pub(crate) options: Options,
    pub(crate) cancel: CancellationToken,
    /// A test that hangs says on what, before its own time is over.
    pub(crate) timeout: Option<Duration>,
}

/// A plan, and what its apply needs.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) stack: Option<Stack>,
    store: LockedStore,
    secrets: SecretValues,
    redactor: Redactor,
}

/// What an apply said and did.
pub(crate) struct Applied {
    pub(crate) outcome: Outcome,
    pub(crate) events: Vec<Event>,
    pub(crate) took: Duration,
}

impl Bench {
    pub(crate) async fn new(plane: &ControlPlane, name: &str) -> Self {
        let options =
            ConnectOptions { kubeconfig: Some(plane.kubeconfig(User::Arrplan)), ..ConnectOptions::default() };
        let (reader, writer) = connect(&options).await.unwrap();
        let target = reader.target().clone();
        let folder = support::scratch_dir().join(format!("apply-{name}"));
        std::fs::create_dir_all(folder.join("stacks")).unwrap();
        Self {
            writer,
            target,
            folder,
            options: Options::default(),
            cancel: CancellationToken::new(),
            timeout: Some(Duration::from_mins(1)),
        }
    }

    pub(crate) async fn plan(&self, toml: &str) -> Planned {
        let file = self.folder.join("stacks/test.toml");
        std::fs::write(&file, format!("[stack]\nname = \"test\"\n{toml}")).unwrap();
        let (stack, problems, _) = stack::load(&LoadRequest::new(&file));
        let stack = stack.unwrap_or_else(|| panic!("{problems:#?}"));
        let secrets = secrets::resolve(&stack.variables, &self.folder, &|_| None, false).await.unwrap();
        self.plan_of(Some(stack), secrets).await
    }

    pub(crate) async fn plan_destroy(&self) -> Planned {
        self.plan_of(None, SecretValues::default()).await
    }

    async fn plan_of(&self, stack: Option<Stack>, secrets: SecretValues) -> Planned {
        let store = self.store().await;
        let redactor = secrets.redactor();
        let state = store.state();
        let plan = plan::build(&PlanInput {
            stack: stack.as_ref(),
            state: &state,
            key: store.key(),
            reader: self.writer.reader(),
            target: &self.target,
            secrets: &secrets,
            redactor: &redactor,
            options: &self.options,
        })
        .await
        .unwrap();
        assert!(!plan.problems.has_errors(), "{:#?}", plan.problems);
        Planned { plan, stack, store, secrets, redactor }
    }

    async fn store(&self) -> LockedStore {
        let location = locate(&self.folder.join("stacks/test.toml"), "test", None, None, None).unwrap();
        let holder = Holder::this_process("test", jiff::Timestamp::now());
        Store::new(Disk::real(), location, "test")
            .open_locked_now(&holder, || "11111111-1111-4111-8111-111111111111".to_owned())
            .await
            .unwrap()
    }

    pub(crate) async fn state(&self) -> State {
        self.store().await.state()
    }

    pub(crate) async fn apply(&self, planned: Planned) -> Applied {
        let (sender, mut receiver) = unbounded_channel();
        let started = Instant::now();
        let outcome = Box::pin(apply::run(ApplyInput {
            plan: &planned.plan,
            stack: planned.stack.as_ref(),
            store: &planned.store,
            writer: &self.writer,
            secrets: &planned.secrets,
            redactor: &planned.redactor,
            parallelism: 8,
            timeout: self.timeout,
            cancel: self.cancel.clone(),
            events: sender,
            record: None,
        }))
        .await
        .unwrap();
        let took = started.elapsed();
        let mut events = Vec::new();
        while let Ok(event) = receiver.try_recv() {
            events.push(event);
        }
        assert_eq!(outcome.problem, None);
        Applied { outcome, events, took }
    }

    /// Plans and applies, and everything has to end well.
    pub(crate) async fn up(&self, toml: &str) -> Applied {
        let planned = self.plan(toml).await;
        let applied = self.apply(planned).await;
        assert_eq!(applied.outcome.summary.failed, 0, "{applied}");
        assert_eq!(applied.outcome.summary.skipped, 0, "{applied}");
        applied
    }

    /// Plans once more: nothing may be left to do.
    pub(crate) async fn settled(&self, toml: &str) {
        let planned = self.plan(toml).await;
        assert!(!planned.plan.has_changes(), "{:#?}", planned.actions());
    }
}

impl Planned {
    /// Each change with what it does.
    pub(crate) fn actions(&self) -> Vec<(String, Action)> {
        let change = |change: &plan::Change| (change.address.to_string(), change.action);
        self.plan.changes.iter().map(change).collect()
    }
}

impl Applied {
    /// How each change ended.
    pub(crate) fn ends(&self) -> BTreeMap<String, End> {
        let results = self.outcome.results.iter();
        results.map(|result| (result.address.to_string(), result.end)).collect()
    }

    /// The lines of a failure.
    pub(crate) fn failure(&self, address: &str) -> String {
        let found = self.events.iter().find_map(|event| match &event.kind {
            EventKind::Failed { address: own, lines, .. } if own.to_string() == address => {
                Some(lines.join("\n"))
            }
            _ => None,
        });
        found.unwrap_or_else(|| panic!("{address} did not fail:\n{self}"))
    }

    /// The detail of a success.
    pub(crate) fn detail(&self, address: &str) -> Option<String> {
        self.events.iter().find_map(|event| match &event.kind {
            EventKind::Done { address: own, detail, .. } if own.to_string() == address => detail.clone(),
            _ => None,
        })
    }
}

impl std::fmt::Display for Applied {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for event in &self.events {
            writeln!(f, "{:>8.3} {:?}", event.elapsed.as_secs_f32(), event.kind)?;
        }
        Ok(())
    }
}
