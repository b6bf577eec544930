//! Reading the files of a stack: everything below its folder, nothing outside of it.
//!
//! *Invariants:* no link, `..` or absolute path leads out of the folder; only regular files are opened, so
//! that no device or pipe can hang a run; each file and all files together are bounded; every file read is
//! in the digest.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::diag::{Diagnostic, FileId, SourceMap, Span};

use super::suggest::nearest;

/// Largest file, in bytes.
pub(super) const MAX_FILE: u64 = 4 * 1024 * 1024;
/// Most bytes of all files together.
pub(super) const MAX_TOTAL: u64 = 64 * 1024 * 1024;
/// Most files that `include` may name.
const MAX_INCLUDED: usize = 10_000;

/// The files of one stack.
pub(super) struct Files {
    /// The stack's folder, without links.
    pub root: PathBuf,
    /// The stack's folder as the user wrote it; empty for the current one.
    shown: PathBuf,
    pub sources: SourceMap,
    digest: Sha256,
    /// Each file in the digest by its path below the folder, with the digest of its own text.
    each: BTreeMap<String, String>,
    total: u64,
    contents: BTreeMap<String, Arc<str>>,
}

/// Why a file was not read.
pub(super) struct ReadProblem {
    pub code: &'static str,
    pub message: String,
    pub notes: Vec<String>,
    pub help: Vec<String>,
    /// The text as far as it can be shown, and where in it the problem is.
    pub text: Option<Box<(String, std::ops::Range<usize>)>>,
}

impl ReadProblem {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), notes: Vec::new(), help: Vec::new(), text: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// The diagnostic, pointing at `span`, where the file is named.
    pub(super) fn diagnostic(self, span: Option<Span>) -> Diagnostic {
        let mut diagnostic = Diagnostic::error(self.code, self.message);
        if let Some(span) = span {
            diagnostic = diagnostic.at(span, "");
        }
        diagnostic.notes = self.notes;
        diagnostic.help = self.help;
        diagnostic
    }
}

impl Files {
    /// The folder of `file` and the file's own text.
    pub(super) fn open(file: &Path) -> Result<(Self, FileId), Box<(Self, Diagnostic)>> {
        let shown = file.parent().unwrap_or(Path::new("")).to_path_buf();
        let folder = if shown.as_os_str().is_empty() { Path::new(".") } else { &shown };
        let mut files = Self {
            root: folder.to_path_buf(),
            shown: shown.clone(),
            sources: SourceMap::default(),
            digest: Sha256::new(),
            each: BTreeMap::new(),
            total: 0,
            contents: BTreeMap::new(),
        };
        let result = fs_err::canonicalize(folder)
            .map_err(|error| {
                ReadProblem::new("E001", format!("cannot read {}: {}", file.display(), reason(&error)))
            })
            .and_then(|root| {
                files.root = root;
                files.read(file, &file.display().to_string())
            });
        match result {
            Ok(text) => {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                files.digest_file(&name, &text);
                let id = files.sources.add(file.to_path_buf(), text);
                Ok((files, id))
            }
            Err(mut problem) => {
                let span = problem
                    .text
                    .take()
                    .map(|t| *t)
                    .map(|(text, range)| Span::new(files.sources.add(file.to_path_buf(), text), range));
                Err(Box::new((files, problem.diagnostic(span))))
            }
        }
    }

    /// Where `relative` lies, if that is inside of the stack's folder. The file need not be there.
    pub(super) fn confined(&self, relative: &str) -> Result<PathBuf, ReadProblem> {
        let outside = |why: &str| {
            ReadProblem::new("E006", format!("`{relative}` {why}"))
                .help("a stack reads only files below its own folder; paths are relative to that folder, also in included files")
        };
        if relative.contains('\0') {
            return Err(outside("holds a NUL character"));
        }
        for component in Path::new(relative).components() {
            match component {
                Component::Normal(_) | Component::CurDir => {}
                Component::ParentDir => return Err(outside("leads out of the stack's folder by `..`")),
                Component::RootDir | Component::Prefix(_) => return Err(outside("is an absolute path")),
            }
        }
        let path = self.root.join(relative);
        match fs_err::canonicalize(&path) {
            Ok(real) if !real.starts_with(&self.root) => {
                Err(outside("leads out of the stack's folder by a link"))
            }
            Ok(real) => Ok(real),
            // What is not there leads nowhere; whoever needs it there finds out.
            Err(_) => Ok(path),
        }
    }

    /// The text of a file named by the stack; remembered, so that many uses cost one read.
    pub(super) fn text(&mut self, relative: &str) -> Result<Arc<str>, ReadProblem> {
        if let Some(text) = self.contents.get(relative) {
            return Ok(Arc::clone(text));
        }
        let path = self.confined(relative)?;
        let text: Arc<str> = self
            .read(&path, relative)
            .map_err(|mut problem| {
                problem.help.extend(self.near(relative));
                problem
            })?
            .into();
        self.digest_file(relative, &text);
        self.contents.insert(relative.to_owned(), Arc::clone(&text));
        Ok(text)
    }

    /// Reads a file named by the stack into the source map, for its own mistakes to be shown.
    pub(super) fn source(&mut self, relative: &str) -> Result<FileId, Box<(ReadProblem, Option<Span>)>> {
        match self.text(relative) {
            Ok(text) => Ok(self.sources.add(self.shown_path(relative), text)),
            Err(mut problem) => {
                let span = problem.text.take().map(|t| *t).map(|(text, range)| {
                    let id = self.sources.add(self.shown_path(relative), text);
                    Span::new(id, range)
                });
                Err(Box::new((problem, span)))
            }
        }
    }

    /// How a path below the folder is shown.
    pub(super) fn shown_path(&self, relative: &str) -> PathBuf {
        self.shown.join(relative)
    }

    /// Reads any regular file within the limits; `shown` names it in messages.
    pub(super) fn read(&mut self, path: &Path, shown: &str) -> Result<String, ReadProblem> {
        let fail = |error: &std::io::Error| {
            ReadProblem::new("E001", format!("cannot read {shown}: {}", reason(error)))
        };
        let metadata = fs_err::metadata(path).map_err(|e| fail(&e))?;
        if metadata.is_dir() {
            return Err(ReadProblem::new("E001", format!("cannot read {shown}: it is a folder")));
        }
        if !metadata.is_file() {
            return Err(ReadProblem::new("E001", format!("cannot read {shown}: it is not a regular file")));
        }
        let too_large = || {
            ReadProblem::new("E002", format!("{shown} is larger than 4 MiB"))
                .help("split the stack with `include`, or keep large content in files of its own")
        };
        if metadata.len() > MAX_FILE {
            return Err(too_large());
        }
        let file = fs_err::File::open(path).map_err(|e| fail(&e))?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|e| fail(&e))?;
        let size = bytes.len() as u64;
        if size > MAX_FILE {
            return Err(too_large());
        }
        self.total += size;
        if self.total > MAX_TOTAL {
            return Err(ReadProblem::new(
                "E002",
                format!("with {shown} the stack's files are larger than 64 MiB together"),
            ));
        }
        String::from_utf8(bytes).map_err(|error| not_utf8(shown, &error))
    }

    fn digest_file(&mut self, name: &str, text: &str) {
        self.digest(name, text);
        self.each.insert(name.to_owned(), hex(&Sha256::digest(text.as_bytes())));
    }

    fn digest(&mut self, name: &str, text: &str) {
        for part in [name, text] {
            self.digest.update((part.len() as u64).to_le_bytes());
            self.digest.update(part.as_bytes());
        }
    }

    /// Adds what is no file but decides what the stack means.
    pub(super) fn digest_value(&mut self, name: &str, value: &serde_json::Value) {
        self.digest(name, &value.to_string());
    }

    /// The digest of everything read, that of each file, and the texts.
    pub(super) fn finish(self) -> (String, BTreeMap<String, String>, SourceMap) {
        (hex(&self.digest.finalize()), self.each, self.sources)
    }

    /// What to say about a file that is not there: one beside it with a name like it.
    fn near(&self, relative: &str) -> Option<String> {
        let path = Path::new(relative);
        let folder = path.parent().unwrap_or(Path::new(""));
        let name = path.file_name()?.to_str()?;
        let entries = fs_err::read_dir(self.root.join(folder)).ok()?;
        let mut names: Vec<String> =
            entries.filter_map(|e| e.ok()?.file_name().into_string().ok()).take(1000).collect();
        names.sort();
        let found = nearest(name, names.iter().map(String::as_str))?;
        Some(format!("there is `{}`", folder.join(found).display()))
    }

    /// The files below the folder that a pattern names, sorted; `*` and `?` stand for characters of one name.
    pub(super) fn matching(&self, pattern: &str) -> Result<Vec<String>, ReadProblem> {
        self.confined(&pattern.replace(['*', '?'], "x"))?;
        if pattern.contains("**") || pattern.contains(['[', '{']) {
            return Err(ReadProblem::new(
                "E007",
                format!("`{pattern}` is not a pattern that `include` reads"),
            )
            .help("`*` stands for any characters of one file or folder name, `?` for one of them"));
        }
        let mut found = vec![String::new()];
        for part in pattern.split('/').filter(|p| !p.is_empty() && *p != ".") {
            let mut next = Vec::new();
            for folder in &found {
                let join = |name: &str| {
                    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
                };
                if !part.contains(['*', '?']) {
                    next.push(join(part));
                    continue;
                }
                let Ok(entries) = fs_err::read_dir(self.root.join(folder)) else {
                    continue;
                };
                let names = entries.filter_map(|e| e.ok()?.file_name().into_string().ok());
                next.extend(
                    names
                        .filter(|n| !n.starts_with('.') && wild(part.as_bytes(), n.as_bytes()))
                        .map(|n| join(&n)),
                );
            }
            next.sort();
            next.truncate(MAX_INCLUDED + 1);
            found = next;
        }
        if found.len() > MAX_INCLUDED {
            return Err(ReadProblem::new(
                "E007",
                format!("`{pattern}` names more than {MAX_INCLUDED} files"),
            ));
        }
        if pattern.contains(['*', '?']) {
            found.retain(|relative| self.root.join(relative).is_file());
        }
        Ok(found)
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Whether `name` matches `pattern`; linear but for the stars, each of which is tried once per position.
fn wild(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

fn not_utf8(shown: &str, error: &std::string::FromUtf8Error) -> ReadProblem {
    let bytes = error.as_bytes();
    let at = error.utf8_error().valid_up_to();
    let mut problem = ReadProblem::new("E003", format!("{shown} is not UTF-8"));
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return problem.help("it is saved as UTF-16; save it as UTF-8");
    }
    let text = String::from_utf8_lossy(bytes).into_owned();
    problem.text = Some(Box::new((text, at..at + '\u{fffd}'.len_utf8())));
    problem.notes.push(format!("byte {at} is 0x{:02x}", bytes.get(at).copied().unwrap_or_default()));
    problem.help("save the file as UTF-8")
}

/// The system's words without the number and path that follow them.
pub(super) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::NotADirectory => "a part of the path is not a folder".to_owned(),
        kind => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, matches) in [
            ("*.toml", "a.toml", true),
            ("*.toml", "a.tom", false),
            ("a?c*", "abcdef", true),
            ("*a*b", "xaxxb", true),
            ("*a*b", "xaxxc", false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(wild(pattern.as_bytes(), name.as_bytes()), matches, "{pattern} {name}");
        }
    }

    fn stack() -> (tempfile::TempDir, Files) {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("stacks");
        fs_err::create_dir_all(inner.join("apps")).unwrap();
        for (name, text) in
            [("s.toml", "x"), ("apps/b.toml", "b"), ("apps/a.toml", "a"), ("apps/.hidden.toml", "h")]
        {
            fs_err::write(inner.join(name), text).unwrap();
        }
        fs_err::write(folder.path().join("outside.txt"), "o").unwrap();
        std::os::unix::fs::symlink("../outside.txt", inner.join("link.txt")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", inner.join("zero")).unwrap();
        let Ok((files, _)) = Files::open(&inner.join("s.toml")) else { panic!("the stack is there") };
        (folder, files)
    }

    #[test]
    fn nothing_outside_of_the_folder_is_read() {
        let (folder, mut files) = stack();
        assert_eq!(files.text("apps/a.toml").ok().as_deref(), Some("a"));
        let absolute = folder.path().join("outside.txt").display().to_string();
        for (path, code) in [
            ("../outside.txt", "E006"),
            ("apps/../../outside.txt", "E006"),
            (absolute.as_str(), "E006"),
            ("link.txt", "E006"),
            ("zero", "E006"),
            ("a\0b", "E006"),
            ("apps", "E001"),
            ("none.txt", "E001"),
        ] {
            assert_eq!(files.text(path).err().map(|p| p.code), Some(code), "{path:?}");
        }
        let near = files.text("apps/aa.toml").err().map(|p| p.help.concat()).unwrap();
        assert_eq!(near, "there is `apps/a.toml`");
        let near = files.text("apps.d/a.toml").err().map(|p| p.help.concat()).unwrap();
        assert_eq!(near, "");
    }

    #[test]
    fn patterns_find_files_in_order() {
        let (_folder, files) = stack();
        assert_eq!(
            files.matching("apps/*.toml").ok(),
            Some(vec!["apps/a.toml".to_owned(), "apps/b.toml".to_owned()])
        );
        assert_eq!(files.matching("*/?.toml").ok().map(|f| f.len()), Some(2));
        assert_eq!(files.matching("../*.toml").err().map(|p| p.code), Some("E006"));
        assert_eq!(files.matching("**/a.toml").err().map(|p| p.code), Some("E007"));
    }

    #[test]
    fn a_device_given_as_the_stack_is_refused() {
        let Err(refused) = Files::open(Path::new("/dev/zero")) else { panic!("a device is no stack") };
        let (_, diagnostic) = *refused;
        assert_eq!(diagnostic.message, "cannot read /dev/zero: it is not a regular file");
    }
}
