//! The file of a saved plan.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Document, FORMAT, FORMAT_VERSION};
use crate::diag::Diagnostic;
use crate::ops::{Error, World};
use crate::state::{seal, unseal};

/// Largest file that is read: the plan of a stack with every limit used up stays below.
const LARGEST: u64 = 1 << 30;

/// A saved plan, read and whole.
#[derive(Debug)]
pub struct SavedFile {
    /// The file, as it was named.
    pub path: PathBuf,
    pub(in crate::ops) document: Document,
}

impl SavedFile {
    /// Reads a saved plan from the bytes of `path`.
    ///
    /// # Errors
    /// What is wrong with it, by name.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, Diagnostic> {
        let shown = path.display();
        let parsed = unseal(bytes).map_err(str::to_owned).and_then(|text| {
            let document: Document = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            match (document.format.as_str(), document.format_version) {
                (FORMAT, FORMAT_VERSION) => Ok(document),
                (FORMAT, other) => Err(format!("it has format {other}")),
                (other, _) => Err(format!("it is `{other}`")),
            }
        });
        let path = path.to_owned();
        parsed.map(|document| Self { path, document }).map_err(|reason| {
            match serde_json::from_slice(bytes) {
                Ok(Header { format, format_version, tool_version })
                    if format == FORMAT && format_version > FORMAT_VERSION =>
                {
                    let message = format!(
                        "{shown} has format {format_version}; this version of arrplan knows format {FORMAT_VERSION}"
                    );
                    Diagnostic::error("E422", message)
                        .note(format!("it was written by arrplan {tool_version}"))
                        .help("apply it with that version, or plan again with this one")
                }
                _ => Diagnostic::error("E421", format!("{shown} is damaged: {reason}"))
                    .note("nothing was changed")
                    .help("plan again; a saved plan is used up by its apply and worth nothing afterwards"),
            }
        })
    }

    /// Whether it is about the sandbox.
    #[must_use]
    pub fn sandbox(&self) -> bool {
        self.document.state.sandbox
    }

    /// The stack as it was named when the plan was made.
    #[must_use]
    pub fn stack(&self) -> Option<&str> {
        self.document.stack.stack.as_deref()
    }

    /// What applying it is: `apply`, `destroy` or `rollback`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        match self.document.plan.returns_to {
            _ if self.document.plan.destroy => "destroy",
            Some(_) => "rollback",
            None => "apply",
        }
    }
}

/// The members that every format has.
#[derive(Deserialize)]
struct Header {
    format: String,
    format_version: u32,
    #[serde(default)]
    tool_version: String,
}

/// The saved plan that `argument` names; `None` where that is no such file, but a stack. They are told apart by
/// content: a stack is TOML, which never begins with a brace.
///
/// # Errors
/// A saved plan that is damaged or newer; a file that cannot be read.
pub fn find_saved(argument: &str, world: &World) -> Result<Option<SavedFile>, Error> {
    let path = Path::new(argument);
    let full = world.cwd.join(path);
    // Only a regular file: a pipe would be empty for whoever reads it next.
    if !fs_err::metadata(&full).is_ok_and(|metadata| metadata.is_file()) {
        return Ok(None);
    }
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let mut file = File::open(&full).map_err(failed)?.take(LARGEST);
    let mut first = [0];
    if file.read(&mut first).map_err(failed)? == 0 || first != *b"{" {
        return Ok(None);
    }
    let mut bytes = first.to_vec();
    file.read_to_end(&mut bytes).map_err(failed)?;
    SavedFile::parse(path, &bytes).map(Some).map_err(|problem| Error::Saved(Box::new(problem)))
}

/// Makes sure that a plan may be written to `path`: nothing is there, or a saved plan.
///
/// # Errors
/// Something else is there.
pub(in crate::ops) fn may_write(path: &Path) -> Result<(), Error> {
    let refused = |what: &str| {
        let message = format!("{} exists and is {what}; it is not overwritten", path.display());
        let help = "give --out another name, or move that file away";
        Err(Error::Saved(Box::new(Diagnostic::error("E420", message).help(help))))
    };
    let metadata = match fs_err::symlink_metadata(path) {
        Ok(metadata) => metadata,
        // Before a long plan, rather than after it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let failed = |source| Error::Write { path: path.to_owned(), source };
            return fs_err::metadata(folder(path)).map(drop).map_err(failed);
        }
        Err(source) => return Err(Error::Write { path: path.to_owned(), source }),
    };
    if metadata.is_dir() {
        return refused("a folder");
    }
    if !metadata.is_file() {
        return refused("no regular file");
    }
    let start = format!("{{\n  \"format\": \"{FORMAT}\"");
    let mut found = Vec::new();
    let read = File::open(path).and_then(|file| file.take(start.len() as u64).read_to_end(&mut found));
    read.map_err(|source| Error::Write { path: path.to_owned(), source })?;
    // An empty file is what `mktemp` makes for us.
    if found.is_empty() || found == start.as_bytes() { Ok(()) } else { refused("no saved plan") }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Writes the file: for its owner alone, and whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub(in crate::ops) fn write(path: &Path, document: &Document) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    // A path that is no Unicode cannot be kept.
    let pretty = serde_json::to_string_pretty(document).map_err(|error| failed(io::Error::other(error)))?;
    let folder = folder(path);
    let mut file = tempfile::Builder::new().prefix(".arrplan-").tempfile_in(folder).map_err(failed)?;
    file.write_all(seal(&pretty).as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
