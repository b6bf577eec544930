//! What a Git source holds, where it is a folder of this computer.

use std::io;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// Digest of everything in a folder: names and content, in order; Git's own folder is left out. Links are not
/// followed, what they point at counts.
///
/// # Errors
/// It cannot be read.
pub(super) fn digest(folder: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    add(folder, Path::new(""), &mut hash)?;
    Ok(super::hex(&hash.finalize()))
}

fn add(folder: &Path, below: &Path, hash: &mut Sha256) -> io::Result<()> {
    let mut entries = fs_err::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs_err::DirEntry::file_name);
    for entry in entries {
        let name = below.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if entry.file_name() != ".git" {
                add(&entry.path(), &name, hash)?;
            }
            continue;
        }
        let content = if kind.is_symlink() {
            fs_err::read_link(entry.path())?.to_string_lossy().into_owned().into_bytes()
        } else if kind.is_file() {
            fs_err::read(entry.path())?
        } else {
            continue;
        };
        let name = name.to_string_lossy();
        for part in [name.as_bytes(), &content] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
    }
    Ok(())
}

/// A path inside a folder, as source-controller joins them: `..` does not lead out.
pub(super) fn join(folder: &Path, path: &str) -> PathBuf {
    let mut parts: Vec<&std::ffi::OsStr> = Vec::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => parts.push(name),
            Component::ParentDir => drop(parts.pop()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    parts.into_iter().fold(folder.to_owned(), |path, part| path.join(part))
}

/// What counts of a `Chart.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Chart {
    /// Its name.
    pub(super) name: String,
    /// Its version.
    pub(super) version: String,
    /// Version of what it installs.
    pub(super) app_version: String,
}

/// Reads the chart at `path` in `folder`.
///
/// # Errors
/// Why it is none, in source-controller's words.
pub(super) fn chart(folder: &Path, path: &str) -> Result<Chart, String> {
    if path.is_empty() {
        return Err("no path set for local chart reference".to_owned());
    }
    if Path::new(path).is_absolute() {
        return Err("local chart reference path is expected to be relative".to_owned());
    }
    let place = join(folder, path);
    let found = std::fs::metadata(&place).map_err(|error| go("stat", &place, &error))?;
    if !found.is_dir() {
        return Err(format!("{} is a packaged chart, which the sandbox does not read", place.display()));
    }
    let file = place.join("Chart.yaml");
    let text = std::fs::read_to_string(&file).map_err(|error| go("open", &file, &error))?;
    let chart: Chart =
        serde_saphyr::from_str(&text).map_err(|error| format!("cannot load 'Chart.yaml': {error}"))?;
    for (value, name) in [(&chart.name, "name"), (&chart.version, "version")] {
        if value.is_empty() {
            return Err(format!("validation: chart.metadata.{name} is required"));
        }
    }
    Ok(chart)
}

/// A version with build metadata in place of its own.
///
/// # Errors
/// It is no semantic version.
pub(super) fn with_metadata(version: &str, metadata: &str) -> Result<String, String> {
    let bare = version.strip_prefix('v').unwrap_or(version);
    let (bare, _) = bare.split_once('+').unwrap_or((bare, ""));
    let (numbers, pre) = match bare.split_once('-') {
        Some((numbers, pre)) => (numbers, Some(pre)),
        None => (bare, None),
    };
    let parts: Vec<&str> = numbers.split('.').collect();
    let are_numbers = parts.iter().all(|part| part.parse::<u64>().is_ok());
    if parts.len() > 3 || !are_numbers {
        let why = "failed to parse version from chart metadata as SemVer: invalid semantic version";
        return Err(format!("chart metadata patch error: {why}"));
    }
    let mut whole = parts.join(".");
    for _ in parts.len()..3 {
        whole.push_str(".0");
    }
    if let Some(pre) = pre {
        whole = format!("{whole}-{pre}");
    }
    Ok(format!("{whole}+{metadata}"))
}

/// An error as Go's standard library words it, so that it reads as the real controllers' messages.
fn go(operation: &str, path: &Path, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotADirectory => "not a directory".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        _ => error.to_string(),
    };
    format!("{operation} {}: {why}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        for (path, expected) in [
            ("./charts/web", "/src/charts/web"),
            ("../../etc", "/src/etc"),
            ("/etc", "/src/etc"),
            ("a/../../b", "/src/b"),
        ] {
            assert_eq!(join(Path::new("/src"), path), Path::new(expected), "{path}");
        }
    }

    #[test]
    fn versions() {
        for (version, expected) in [
            ("0.1.0", Some("0.1.0+abc")),
            ("v1.2", Some("1.2.0+abc")),
            ("1.2.3-rc.1+old", Some("1.2.3-rc.1+abc")),
            ("one", None),
            ("1.2.3.4", None),
        ] {
            assert_eq!(with_metadata(version, "abc").ok().as_deref(), expected, "{version}");
        }
    }

    #[test]
    fn a_digest_is_of_names_and_content() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        file("a/Chart.yaml", "name: web\nversion: 0.1.0\nappVersion: 1\n");
        let first = digest(folder.path()).unwrap();
        file(".git/HEAD", "ref");
        assert_eq!(digest(folder.path()).unwrap(), first);
        file("b", "");
        assert_ne!(digest(folder.path()).unwrap(), first);
        let chart = chart(folder.path(), "./a").unwrap();
        assert_eq!((chart.name.as_str(), chart.version.as_str()), ("web", "0.1.0"));
    }

    #[test]
    fn a_chart_that_is_not_there_is_told_as_flux_does() {
        let folder = Path::new("/nonexistent");
        assert_eq!(
            chart(folder, "charts/wep").unwrap_err(),
            "stat /nonexistent/charts/wep: no such file or directory"
        );
    }
}
