//! `sandbox serve` and `sandbox reset`.

use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::place::SandboxPlace;
use super::sources::Sources;
use super::{PATIENCE, SERVE, hold, run};
use crate::ops::{Error, World};
use crate::sandbox::Running;
use crate::state::{Lock, LockWait};

/// A sandbox that is served.
#[derive(Debug)]
pub struct Served {
    place: SandboxPlace,
    running: Running,
    lock: Lock,
}

/// Starts the sandbox and lays its kubeconfig down beside it.
///
/// # Errors
/// Another process holds it; its files cannot be read or written; the port is taken.
pub async fn serve(place: &SandboxPlace, port: Option<u16>, world: &World) -> Result<Served, Error> {
    place.make()?;
    let wait = LockWait { timeout: Duration::ZERO, waiting: &mut |_| {} };
    let lock = hold(place, SERVE, wait, world).await?;
    let sources = Sources::read(&place.sources())?;
    let running = run(place, &sources, port).await?;
    SandboxPlace::write(&place.kubeconfig(), running.kubeconfig())?;
    Ok(Served { place: place.clone(), running, lock })
}

impl Served {
    /// URL of the server.
    #[must_use]
    pub fn url(&self) -> String {
        self.running.url()
    }

    /// Where its kubeconfig is.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.place.kubeconfig()
    }

    /// Serves until `cancel`. What it holds stays.
    ///
    /// # Errors
    /// The kubeconfig, which leads nowhere then, cannot be removed.
    pub async fn until(self, cancel: &CancellationToken) -> Result<(), Error> {
        cancel.cancelled().await;
        self.place.forget_kubeconfig()?;
        self.running.stop().await;
        drop(self.lock);
        Ok(())
    }
}

/// Throws the sandbox away: the cluster, and the state of every stack in it. Whether there was one.
///
/// # Errors
/// A process holds it; a file cannot be removed.
pub async fn reset(place: &SandboxPlace, world: &World) -> Result<bool, Error> {
    if !place.exists() {
        return Ok(false);
    }
    let wait = LockWait { timeout: PATIENCE, waiting: &mut |_| {} };
    let lock = hold(place, "sandbox reset", wait, world).await?;
    let content = place.content();
    let content = content.map_err(|source| Error::Write { path: place.folder().to_owned(), source })?;
    for path in content {
        let removed = if path.is_dir() { fs_err::remove_dir_all(&path) } else { fs_err::remove_file(&path) };
        removed.map_err(|source| Error::Write { path, source })?;
    }
    drop(lock);
    Ok(true)
}
