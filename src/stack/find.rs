//! Which stack file a command is about.

use std::path::{Path, PathBuf};

use crate::diag::Diagnostic;

use super::suggest::{listed, nearest};

/// The stack file that `arg` names: a path, or the name of a file in `./stacks`. Without `arg`, the only
/// file with `[stack]` directly in `./stacks`. `cwd` is the current folder; the path comes back as it is best
/// shown, relative to it where it was found from there.
///
/// # Errors
/// What was looked for, and the choices there are.
pub fn find_stack(arg: Option<&str>, cwd: &Path) -> Result<PathBuf, Box<Diagnostic>> {
    let Some(arg) = arg else { return only_stack(cwd) };
    let given = Path::new(arg);
    if cwd.join(given).is_file() {
        return Ok(given.to_path_buf());
    }
    let in_folder = Path::new("stacks").join(format!("{arg}.toml"));
    if !arg.contains(['/', '\\']) && cwd.join(&in_folder).is_file() {
        return Ok(in_folder);
    }
    let choices = stacks(cwd);
    let names: Vec<&str> = choices.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    let mut diagnostic = if cwd.join(given).is_dir() {
        Diagnostic::error("E070", format!("`{arg}` is a folder, not a stack file"))
    } else {
        let mut looked = format!("looked for the file {arg}");
        if !arg.contains(['/', '\\']) {
            looked = format!("{looked} and for {}", in_folder.display());
        }
        Diagnostic::error("E070", format!("there is no stack `{arg}`")).note(looked)
    };
    let stem = arg.rsplit('/').next().unwrap_or(arg).trim_end_matches(".toml");
    diagnostic = match nearest(stem, names.iter().copied()) {
        Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
        None if !names.is_empty() => {
            diagnostic.help(format!("the stacks in ./stacks are {}", listed(names, 10)))
        }
        None => diagnostic.help("`arrplan init` writes a first stack"),
    };
    Err(Box::new(diagnostic))
}

fn only_stack(cwd: &Path) -> Result<PathBuf, Box<Diagnostic>> {
    let mut choices = stacks(cwd);
    match choices.len() {
        0 => Err(Box::new(
            Diagnostic::error("E070", "there is no stack in ./stacks")
                .help("name a stack file, or let `arrplan init` write a first one"),
        )),
        1 => Ok(choices.remove(0)),
        _ => {
            let names = choices.iter().filter_map(|path| path.file_stem()?.to_str());
            Err(Box::new(
                Diagnostic::error(
                    "E071",
                    format!("there are {} stacks in ./stacks: say which one", choices.len()),
                )
                .help(format!("they are {}", listed(names, 20))),
            ))
        }
    }
}

/// The stack files directly in `./stacks`, sorted, relative to `cwd`.
fn stacks(cwd: &Path) -> Vec<PathBuf> {
    let folder = cwd.join("stacks");
    let Ok(entries) = fs_err::read_dir(&folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| {
            let stem = name.strip_suffix(".toml").map(|stem| stem.split('.').collect::<Vec<_>>());
            stem.is_some_and(|parts| parts.last() != Some(&"vars") && parts.first() != Some(&""))
        })
        .filter(|name| declares_stack(&folder.join(name)))
        .collect();
    names.sort();
    names.into_iter().map(|name| Path::new("stacks").join(name)).collect()
}

/// Whether the file has a `[stack]` table. A file that is broken elsewhere still counts: its mistakes are to
/// be shown, not hidden behind "no stack".
fn declares_stack(path: &Path) -> bool {
    let small = fs_err::metadata(path).is_ok_and(|m| m.is_file() && m.len() <= super::read::MAX_FILE);
    if !small {
        return false;
    }
    fs_err::read(path).is_ok_and(|bytes| {
        let text = String::from_utf8_lossy(&bytes);
        text.lines().any(|line| {
            let line = line.trim_start_matches('\u{feff}').trim_start();
            line.starts_with("[stack]")
                || line.starts_with("stack.")
                || line.replace(' ', "").starts_with("stack={")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("stacks")).unwrap();
        for (name, text) in files {
            fs_err::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn find(folder: &tempfile::TempDir, arg: Option<&str>) -> Result<String, String> {
        match find_stack(arg, folder.path()) {
            Ok(path) => Ok(path.display().to_string()),
            Err(d) => Err(format!("{}: {} | {}", d.code, d.message, d.help.join(" | "))),
        }
    }

    #[test]
    fn by_path_by_name_or_alone() {
        let one = folder(&[
            ("stacks/arr.toml", "# x\n[stack]\nname = \"arr\""),
            ("stacks/arr.prod.vars.toml", "[stack]"),
            ("stacks/other.toml", "[tool]"),
        ]);
        assert_eq!(find(&one, None), Ok("stacks/arr.toml".into()));
        assert_eq!(find(&one, Some("arr")), Ok("stacks/arr.toml".into()));
        assert_eq!(find(&one, Some("stacks/arr.toml")), Ok("stacks/arr.toml".into()));
        assert_eq!(
            find(&one, Some("ar")),
            Err("E070: there is no stack `ar` | the stacks in ./stacks are `arr`".into())
        );
        assert_eq!(
            find(&one, Some("stacks")),
            Err("E070: `stacks` is a folder, not a stack file | the stacks in ./stacks are `arr`".into())
        );
    }

    #[test]
    fn says_the_choices() {
        let two = folder(&[("stacks/media.toml", "[stack]"), ("stacks/games.toml", "[stack]")]);
        assert_eq!(
            find(&two, None),
            Err("E071: there are 2 stacks in ./stacks: say which one | they are `games` and `media`".into())
        );
        assert_eq!(
            find(&two, Some("medai")),
            Err("E070: there is no stack `medai` | did you mean `media`?".into())
        );
        let none = folder(&[]);
        assert_eq!(find(&none, None).unwrap_err().split(':').next(), Some("E070"));
    }
}
