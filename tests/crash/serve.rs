//! Sandboxes inside this process, on a copy of what another one left.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use arrplan::sandbox::{self, Options, Running};
use serde_json::json;
use support::scratch_dir;

use crate::operations::{Operation, Step};
use crate::stage::{Stage, runtime};

/// The namespace of all stages on a sandbox of their own.
const NAMESPACE: &str = "home";

/// A stage whose cluster is a sandbox in this process.
pub(crate) struct Served {
    pub(crate) stage: Stage,
    folder: PathBuf,
    running: Option<Running>,
}

impl Served {
    /// On what `folder` holds.
    fn open(folder: PathBuf) -> Self {
        let options =
            Options { folder: Some(folder.join("cluster")), controllers: true, ..Options::default() };
        let running = runtime().block_on(sandbox::start(options)).unwrap();
        let stage = Stage::new(&folder, running.kubeconfig(), NAMESPACE);
        Self { stage, folder, running: Some(running) }
    }

    /// The stage of an operation, as it is when the operation is about to be done. Its folder can be copied.
    pub(crate) fn prepare(operation: &Operation) -> Template {
        let served = Self::empty();
        Step::take(&served.stage, operation.setup);
        Template { folder: served.folder.clone() }
    }

    /// With nothing but its namespace.
    pub(crate) fn empty() -> Self {
        let served = Self::open(new_folder("stage"));
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        served.stage.ask("POST", "/api/v1/namespaces", Some(&namespace)).unwrap();
        served
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            runtime().block_on(running.stop());
        }
    }
}

/// A folder to copy stages from.
pub(crate) struct Template {
    folder: PathBuf,
}

impl Template {
    /// A stage of its own.
    pub(crate) fn copy(&self) -> Served {
        let folder = new_folder("cell");
        copy(&self.folder, &folder);
        Served::open(folder)
    }
}

impl Served {
    /// Ends it and removes its folder.
    pub(crate) fn forget(self) {
        let folder = self.folder.clone();
        drop(self);
        std::fs::remove_dir_all(folder).unwrap();
    }
}

fn new_folder(purpose: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    scratch_dir().join(format!("{purpose}-{number}"))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
