//! Diagnostics: what is wrong with a user's files or request, collected as data and rendered by a view.
//!
//! *Invariants:* a diagnostic holds byte spans, never rendered text; every code is in [`codes::all`] with
//! an explanation; a bag is sorted only when it is shown.

pub mod codes;
mod engine_codes;
mod file_codes;
mod reference_codes;
mod resource_codes;
mod variable_codes;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A source file of a [`SourceMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub usize);

/// A range of bytes in a source file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// Start of the range, in bytes.
    pub start: usize,
    /// End of the range, in bytes, exclusive.
    pub end: usize,
}

impl Span {
    /// A span of `range` in `file`.
    #[must_use]
    pub fn new(file: FileId, range: Range<usize>) -> Self {
        Self { file, start: range.start, end: range.end }
    }
}

/// The texts that spans point into.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    files: Vec<(PathBuf, Arc<str>)>,
}

impl SourceMap {
    /// Adds a file; `path` is how it is shown to the user.
    pub fn add(&mut self, path: PathBuf, text: impl Into<Arc<str>>) -> FileId {
        self.files.push((path, text.into()));
        FileId(self.files.len() - 1)
    }

    /// The id that the next file added will have.
    #[must_use]
    pub fn next_id(&self) -> FileId {
        FileId(self.files.len())
    }

    /// How the file is shown to the user.
    #[must_use]
    pub fn path(&self, file: FileId) -> &Path {
        &self.files[file.0].0
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self, file: FileId) -> &str {
        &self.files[file.0].1
    }

    /// The file's text, to keep beside changes to the map.
    #[must_use]
    pub fn shared_text(&self, file: FileId) -> Arc<str> {
        Arc::clone(&self.files[file.0].1)
    }

    /// Line and column of the span's start, both counted from 1, the column in characters.
    #[must_use]
    pub fn position(&self, span: &Span) -> (usize, usize) {
        let before = &self.text(span.file)[..span.start.min(self.text(span.file).len())];
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    /// `path:line` of the span's start.
    #[must_use]
    pub fn location(&self, span: &Span) -> String {
        format!("{}:{}", self.path(span.file).display(), self.position(span).0)
    }
}

/// How bad it is. An error stops the command; a warning does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing can be done with the request as it stands.
    Error,
    /// Worth knowing.
    Warning,
}

/// One place a diagnostic points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is said there; may be empty.
    pub text: String,
}

/// One mistake, with what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Code of [`codes::all`], e.g. `E012`; `arrplan help E012` explains it.
    pub code: &'static str,
    /// What is wrong, on what: one sentence without a full stop.
    pub message: String,
    /// The place of the mistake first, then related places.
    pub labels: Vec<Label>,
    /// Facts that explain it, one line each.
    pub notes: Vec<String>,
    /// What to do next, one line each; may hold a line to paste.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// An error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            labels: Vec::new(),
            notes: Vec::new(),
            help: Vec::new(),
        }
    }

    /// A warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Adds a place; the first one added is the place of the mistake.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}

/// All that is wrong, in the order found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Whether any of them is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    /// Whether there is none at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// By file and position, then severity, code and message; those without a place come last. Equal ones
    /// are kept once.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        let key = |d: &Diagnostic| {
            let first = d.labels.first().map(|l| l.span.clone());
            (first.is_none(), first, d.severity, d.code, d.message.clone())
        };
        self.0.sort_by_cached_key(key);
        self.0.dedup();
        self
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, iter: I) {
        self.0.extend(iter);
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
