//! Where the files of a sandbox are.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::ops::{Error, World};
use crate::stack::find_stack;
use crate::state::{project_of, sandbox_folder};

/// The sandbox of one project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxPlace {
    folder: PathBuf,
}

impl SandboxPlace {
    /// Of the project that a stack file belongs to.
    pub(super) fn of_stack(file: &Path) -> Self {
        Self { folder: sandbox_folder(&project_of(file)) }
    }

    /// Of the project meant by a stack's name; without one, of the project around the current folder.
    ///
    /// # Errors
    /// There is no such stack.
    pub fn find(stack: Option<&str>, world: &World) -> Result<Self, Error> {
        match find_stack(stack, &world.cwd) {
            Ok(file) => Ok(Self::of_stack(&world.cwd.join(file))),
            Err(problem) if stack.is_some() => Err(Error::Choose(problem)),
            // No stack, or several: the folder says enough.
            Err(_) => Ok(Self::of_stack(&world.cwd.join("stacks/any.toml"))),
        }
    }

    /// The folder that holds all of it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether there is anything in it.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.content().is_ok_and(|content| !content.is_empty())
    }

    /// The kubeconfig of the served sandbox.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// Everything but the lock, which outlives what it guards.
    pub(super) fn content(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs_err::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path != self.lock() {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    pub(super) fn cluster(&self) -> PathBuf {
        self.folder.join("cluster")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.folder.join("lock")
    }

    pub(super) fn sources(&self) -> PathBuf {
        self.folder.join("sources")
    }

    /// Makes the folder, for its owner alone.
    pub(super) fn make(&self) -> Result<(), Error> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|source| Error::Write { path: self.folder.clone(), source })
    }

    pub(super) fn kubeconfig_text(&self) -> Result<Option<String>, Error> {
        let path = self.kubeconfig();
        match fs_err::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::Sandbox(error.to_string())),
        }
    }

    pub(super) fn forget_kubeconfig(&self) -> Result<(), Error> {
        let path = self.kubeconfig();
        match fs_err::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Write { path, source }),
            _ => Ok(()),
        }
    }

    /// Writes a file as a whole, for its owner alone.
    pub(super) fn write(path: &Path, text: &str) -> Result<(), Error> {
        let failed = |source| Error::Write { path: path.to_owned(), source };
        let new = path.with_extension("new");
        let mut options = fs_err::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        options.options_mut().mode(0o600);
        let mut file = options.open(&new).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        fs_err::rename(&new, path).map_err(failed)
    }
}
