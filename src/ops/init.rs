//! The first stack.

use std::path::{Path, PathBuf};

use super::{Error, World};

/// What is in a starter stack, with `NAME` for its name.
const STARTER: &str = include_str!("starter.toml");

/// What Git must not see: the state names the cluster.
const IGNORED: &str = "state/";

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The stack file.
    pub stack: PathBuf,
    /// `.gitignore`, where a line was added to it.
    pub gitignore: Option<PathBuf>,
}

/// Writes `stacks/<name>.toml` and adds the state to `.gitignore`. Never overwrites.
///
/// # Errors
/// A name that cannot be a stack's, a stack file that exists, a folder that cannot be written.
pub fn init(name: &str, world: &World) -> Result<Made, Error> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty()
        || name.len() > 40
        || !name.chars().all(allowed)
        || name.starts_with('-')
        || name.ends_with('-')
    {
        return Err(Error::Unknown {
            what: format!("`{name}` cannot name a stack: use a-z, 0-9 and `-`, at most 40 characters"),
            choices: Vec::new(),
        });
    }
    let folder = world.cwd.join("stacks");
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Write { path, source }
    };
    fs_err::create_dir_all(&folder).map_err(failed(&folder))?;
    let stack = folder.join(format!("{name}.toml"));
    let text = STARTER.replace("NAME", name);
    let mut file =
        fs_err::OpenOptions::new().write(true).create_new(true).open(&stack).map_err(failed(&stack))?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed(&stack))?;
    Ok(Made { stack, gitignore: ignore(&world.cwd.join(".gitignore"))? })
}

fn ignore(path: &Path) -> Result<Option<PathBuf>, Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let mut text = match fs_err::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(error)),
    };
    let known = ["state/", "/state/", "state", "/state", "/state/*", "state/*"];
    if text.lines().any(|line| known.contains(&line.trim())) {
        return Ok(None);
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(IGNORED);
    text.push('\n');
    fs_err::write(path, text).map_err(failed)?;
    Ok(Some(path.to_owned()))
}
