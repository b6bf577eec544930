//! The sandbox of a project: a practice cluster in `<project>/state/sandbox/`.
//!
//! *Invariants:* one process at a time holds it, under a lock; a command starts the server inside itself and
//! ends it with itself, or talks to the one that `sandbox serve` runs; the user's kubeconfig is neither read nor
//! touched.

mod place;
mod serve;
mod sources;

pub use place::SandboxPlace;
pub use serve::{Served, reset, serve};
pub use sources::Sources;

use std::time::{Duration, Instant};

use super::{Error, World};
use crate::sandbox::{Options, Running};
use crate::stack::{Head, Stack};
use crate::state::{self, Holder, Lock, LockWait, probe};

/// What the holder of a served sandbox calls itself.
const SERVE: &str = "sandbox serve";
/// How long a command waits for another one to be done with the sandbox, at least: most take less than that.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a starting server is asked for its kubeconfig again.
const RETRY: Duration = Duration::from_millis(50);

/// A sandbox that can be talked to for as long as this is held.
#[derive(Debug)]
pub(super) struct Session {
    kubeconfig: String,
    sources: Sources,
    // The server ends before the lock is let go.
    own: Option<(Running, Lock)>,
}

/// What a session is for.
pub(super) struct Purpose<'a> {
    /// As the lock's holder is named: `apply`, `plan`, …
    pub(super) operation: &'a str,
    /// Whether the stack's sources are remembered for whoever runs the sandbox next.
    pub(super) writes: bool,
    /// How long another holder is waited for, if longer than usual.
    pub(super) wait: LockWait<'a>,
}

impl Session {
    /// Joins the sandbox that is served, or starts it.
    ///
    /// # Errors
    /// Another command holds it; its files cannot be read or written.
    pub(super) async fn open(
        head: &Head,
        stack: Option<&Stack>,
        purpose: Purpose<'_>,
        world: &World,
    ) -> Result<Self, Error> {
        let place = SandboxPlace::of_stack(&head.file);
        place.make()?;
        let mut sources = Sources::read(&place.sources())?;
        if let Some(stack) = stack
            && sources.take_in(stack)
            && purpose.writes
        {
            sources.write(&place.sources())?;
        }
        let operation = format!("{} --sandbox", purpose.operation);
        let mut wait = purpose.wait;
        let patience = wait.timeout.max(PATIENCE);
        let start = Instant::now();
        loop {
            if let Some(holder) = probe(&world.disk, &place.lock())
                && holder.operation == SERVE
            {
                if let Some(kubeconfig) = place.kubeconfig_text()? {
                    return Ok(Self { kubeconfig, sources, own: None });
                }
                if start.elapsed() > patience {
                    return Err(Error::SandboxHeld(Box::new(holder)));
                }
                tokio::time::sleep(RETRY).await;
                continue;
            }
            let left = patience.saturating_sub(start.elapsed());
            let again = LockWait { timeout: left, waiting: &mut *wait.waiting };
            match hold(&place, &operation, again, world).await {
                Ok(lock) => {
                    let running = run(&place, &sources, None).await?;
                    let kubeconfig = running.kubeconfig().to_owned();
                    return Ok(Self { kubeconfig, sources, own: Some((running, lock)) });
                }
                // It came up while we waited.
                Err(Error::SandboxHeld(holder)) if holder.operation == SERVE => {}
                Err(error) => return Err(error),
            }
            wait = LockWait { timeout: patience, waiting: wait.waiting };
        }
    }

    /// The content of the kubeconfig that leads to it.
    pub(super) fn kubeconfig(&self) -> &str {
        &self.kubeconfig
    }

    /// Which Git sources are folders here.
    pub(super) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Ends the server, if it is this command's own.
    pub(super) async fn close(self) {
        if let Some((running, lock)) = self.own {
            running.stop().await;
            drop(lock);
        }
    }
}

/// Takes the sandbox's lock. Nobody serves it then: a kubeconfig that lies there is of a server that was killed.
async fn hold(
    place: &SandboxPlace,
    operation: &str,
    wait: LockWait<'_>,
    world: &World,
) -> Result<Lock, Error> {
    let holder = Holder::this_process(operation, (world.now)());
    let lock =
        Lock::acquire(&world.disk, &place.lock(), &holder, wait).await.map_err(|error| match error {
            state::Error::Locked { holder, .. } => Error::SandboxHeld(Box::new(holder)),
            other => other.into(),
        })?;
    place.forget_kubeconfig()?;
    Ok(lock)
}

/// Starts the server on what the place holds.
async fn run(place: &SandboxPlace, sources: &Sources, port: Option<u16>) -> Result<Running, Error> {
    let options = Options {
        folder: Some(place.cluster()),
        port,
        controllers: true,
        sources: sources.folders(),
        sources_file: Some(place.sources()),
        ..Options::default()
    };
    crate::sandbox::start(options).await.map_err(|error| Error::Sandbox(error.to_string()))
}
