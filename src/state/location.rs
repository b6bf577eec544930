//! Where the files of a state are.

use std::path::{Path, PathBuf};

use super::error::Error;

/// The files of one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The folder that holds `stacks/`, or the stack file.
    pub project: PathBuf,
    /// The stack file, absolute.
    pub stack_file: PathBuf,
    /// The state file. All others stand beside it.
    pub state: PathBuf,
}

/// Finds the state of a stack.
///
/// `flag` (`--state`) is taken as it is. `setting` (`[state] path`, absolute) serves every environment, so
/// `env` goes into its name, as it goes into the default name `<project>/state/<stack>.json`.
///
/// # Errors
/// When `env` cannot be part of a file name.
pub fn locate(
    stack_file: &Path,
    stack: &str,
    env: Option<&str>,
    flag: Option<&Path>,
    setting: Option<&Path>,
) -> Result<Location, Error> {
    if let Some(env) = env {
        check_env(env)?;
    }
    let stack_file = absolute(stack_file);
    let project = project(&stack_file);
    let state = match (flag, setting) {
        (Some(path), _) => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
        (None, Some(path)) => match env {
            Some(env) => path.with_file_name(format!("{}.{env}.json", stem(path))),
            None => path.to_owned(),
        },
        (None, None) => {
            let name = match env {
                Some(env) => format!("{stack}.{env}.json"),
                None => format!("{stack}.json"),
            };
            project.join("state").join(name)
        }
    };
    Ok(Location { project, stack_file, state })
}

/// Finds the state of a stack in the sandbox of its project: `<project>/state/sandbox/<stack>.json`. Nothing
/// moves it elsewhere, so that practice never meets the real thing.
///
/// # Errors
/// When `env` cannot be part of a file name.
pub fn locate_in_sandbox(stack_file: &Path, stack: &str, env: Option<&str>) -> Result<Location, Error> {
    let mut location = locate(stack_file, stack, env, None, None)?;
    let name = location.state.file_name().map(ToOwned::to_owned).unwrap_or_default();
    location.state = sandbox_folder(&location.project).join(name);
    Ok(location)
}

/// Where everything of a project's sandbox lies.
#[must_use]
pub fn sandbox_folder(project: &Path) -> PathBuf {
    project.join("state/sandbox")
}

/// The project of a stack file: the folder that holds the nearest `stacks/` above it, else its own folder.
#[must_use]
pub fn project_of(stack_file: &Path) -> PathBuf {
    project(&absolute(stack_file))
}

impl Location {
    /// The folder of the files.
    pub(super) fn folder(&self) -> &Path {
        match self.state.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    pub(super) fn previous(&self) -> PathBuf {
        self.beside("prev.json")
    }

    /// Where a file that is damaged is kept; `kind` is what it was.
    pub(super) fn damaged(&self, number: u64, kind: &str) -> PathBuf {
        self.beside(&format!("damaged-{number}.{kind}"))
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.beside("lock")
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.beside("journal")
    }

    pub(super) fn key(&self) -> PathBuf {
        self.beside("key")
    }

    pub(super) fn revisions(&self) -> PathBuf {
        self.beside("revisions")
    }

    pub(super) fn revision(&self, serial: u64) -> PathBuf {
        self.revisions().join(format!("{serial}.json"))
    }

    /// The stack file as the state records it: relative to the project where it lies in it.
    pub(super) fn recorded_stack_file(&self) -> String {
        let path = self.stack_file.strip_prefix(&self.project);
        path.unwrap_or(&self.stack_file).to_string_lossy().into_owned()
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        self.state.with_file_name(format!("{}.{suffix}", stem(&self.state)))
    }
}

fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(".json").unwrap_or(&name).to_owned()
}

fn check_env(env: &str) -> Result<(), Error> {
    let fail = |reason| Err(Error::Environment { env: env.to_owned(), reason });
    if env.is_empty() {
        return fail("it is empty");
    }
    if !env.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
        return fail("it would be part of a file name");
    }
    if env == "prev" {
        return fail("the state before the last change has that name");
    }
    if env.starts_with("damaged-") {
        return fail("damaged states are kept under such names");
    }
    Ok(())
}

/// The file's folder without symbolic links, so that one project has one name. The file itself may be a link.
fn absolute(file: &Path) -> PathBuf {
    let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => path,
    }
}

fn project(stack_file: &Path) -> PathBuf {
    let folder = stack_file.parent().unwrap_or(Path::new("/"));
    let stacks = folder.ancestors().find(|a| a.file_name().is_some_and(|n| n == "stacks"));
    stacks.and_then(Path::parent).unwrap_or(folder).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_holds_the_nearest_stacks_folder() {
        for (file, project) in [
            ("/p/stacks/arr.toml", "/p"),
            ("/p/stacks/media/arr.toml", "/p"),
            ("/p/stacks/x/stacks/arr.toml", "/p/stacks/x"),
            ("/p/arr.toml", "/p"),
            ("/stacks/arr.toml", "/"),
            ("/arr.toml", "/"),
        ] {
            let location = locate(Path::new(file), "arr", None, None, None).unwrap();
            assert_eq!(location.project, Path::new(project), "{file}");
            assert_eq!(location.state, Path::new(project).join("state/arr.json"));
        }
    }

    #[test]
    fn flag_then_setting_then_default_and_the_environment_keeps_them_apart() {
        let at = |env, flag: Option<&str>, setting: Option<&str>| {
            let location = locate(
                Path::new("/p/stacks/arr.toml"),
                "arr",
                env,
                flag.map(Path::new),
                setting.map(Path::new),
            );
            location.unwrap().state.to_string_lossy().into_owned()
        };
        assert_eq!(at(Some("prod"), None, None), "/p/state/arr.prod.json");
        assert_eq!(at(None, None, Some("/s/x.json")), "/s/x.json");
        assert_eq!(at(Some("prod"), None, Some("/s/x.json")), "/s/x.prod.json");
        assert_eq!(at(Some("prod"), Some("/f.json"), Some("/s/x.json")), "/f.json");
    }

    #[test]
    fn the_sandbox_has_states_of_its_own() {
        let at = |env| locate_in_sandbox(Path::new("/p/stacks/arr.toml"), "arr", env).unwrap().state;
        assert_eq!(at(None), Path::new("/p/state/sandbox/arr.json"));
        assert_eq!(at(Some("k3s")), Path::new("/p/state/sandbox/arr.k3s.json"));
        assert_eq!(project_of(Path::new("/p/stacks/arr.toml")), Path::new("/p"));
    }

    #[test]
    fn the_other_files_stand_beside_the_state() {
        let location =
            locate(Path::new("/p/arr.toml"), "arr", Some("prod"), None, Some(Path::new("/s/x"))).unwrap();
        let names: Vec<_> =
            [location.previous(), location.lock(), location.journal(), location.key(), location.revision(7)]
                .iter()
                .map(|p| p.to_string_lossy().into_owned())
                .collect();
        assert_eq!(
            names,
            [
                "/s/x.prod.prev.json",
                "/s/x.prod.lock",
                "/s/x.prod.journal",
                "/s/x.prod.key",
                "/s/x.prod.revisions/7.json"
            ]
        );
        assert_eq!(location.recorded_stack_file(), "arr.toml");
    }

    #[test]
    fn an_environment_is_a_plain_name() {
        for env in ["", "a/b", "..", "prev", "damaged-1", "a.b"] {
            assert!(locate(Path::new("/p/a.toml"), "a", Some(env), None, None).is_err(), "{env}");
        }
    }
}
