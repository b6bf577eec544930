//! A key or table of TOML that is there twice: where it stood first, and what to do with it.

use std::ops::Range;

use toml::de::Error;

use crate::diag::Diagnostic;

use super::toml_errors::Report;
use super::toml_text::{line_end, line_start};

/// More searches than this would make a file of nothing but duplicates slow.
const MAX_SEARCHES: usize = 100;

impl Report<'_, '_> {
    /// A key or table that is there twice. The parser keeps what it can, so the rest is still checked.
    pub(super) fn duplicate(&mut self, error: &Error) {
        let at = error.span().unwrap_or(0..0);
        let start = line_start(self.text, at.start);
        let line = self.text[start..line_end(self.text, start)].trim();
        let name = self.text.get(at.clone()).unwrap_or_default();
        let mut diagnostic = Diagnostic::error("E005", String::new());
        self.searched += 1;
        let earlier =
            (self.searched <= MAX_SEARCHES).then(|| self.first_definition(start, line, name)).flatten();
        if let Some(value) = error.message().strip_prefix("cannot extend value of type ") {
            let kind = value.split(" with").next().unwrap_or_default();
            diagnostic.message = format!("`{name}` is {} {kind} already and cannot hold keys", article(kind));
            diagnostic = diagnostic.at(self.span(at), "used as a table here");
            diagnostic = match earlier {
                Some(first) => diagnostic.at(self.span(first), "its value is set here"),
                None => diagnostic,
            };
            self.diags.push(diagnostic);
            return;
        }
        let header = line.starts_with('[');
        let (message, help) = match &earlier {
            Some(first)
                if header
                    && !self.text[line_start(self.text, first.start)..].trim_start().starts_with('[') =>
            {
                (
                    format!("the table `{name}` was made by a dotted key already"),
                    "write all of its keys with dots, or all of them below one header",
                )
            }
            _ if header => (
                format!("the table {line} is there twice"),
                "put all of its keys below one header, or give the second resource another name",
            ),
            _ => (format!("`{name}` is set twice"), "remove one of the two"),
        };
        diagnostic.message = message;
        diagnostic = diagnostic.at(self.span(at), "again here");
        if let Some(first) = earlier {
            diagnostic = diagnostic.at(self.span(first), "first here");
        }
        self.diags.push(diagnostic.help(help));
    }

    /// Where the same header, or the same key below the same header, stands before `start`.
    fn first_definition(&self, start: usize, line: &str, name: &str) -> Option<Range<usize>> {
        let before = &self.text[..start];
        let find_key = |from: usize, to: usize, key: &str| {
            let mut at = from;
            for candidate in self.text[from..to].split_inclusive('\n') {
                let text = candidate.trim_start();
                let indent = candidate.len() - text.len();
                let after = text.strip_prefix(key).map(str::trim_start);
                if after.is_some_and(|rest| rest.starts_with(['=', '.'])) {
                    return Some(at + indent..at + indent + key.len());
                }
                at += candidate.len();
            }
            None
        };
        if !line.starts_with('[') {
            let header = before.rfind("\n[").map_or(0, |at| at + 1);
            return find_key(header, start, line.split(['=', ' ']).next().unwrap_or(name).trim())
                .or_else(|| find_key(header, start, name));
        }
        let inner = line.trim_start_matches('[').split(']').next().unwrap_or_default().trim();
        let mut at = 0;
        for candidate in before.split_inclusive('\n') {
            let text = candidate.trim();
            if text.starts_with('[')
                && text.trim_start_matches('[').split(']').next().map(str::trim) == Some(inner)
            {
                let indent = candidate.len() - candidate.trim_start().len();
                return Some(at + indent..at + indent + text.len());
            }
            at += candidate.len();
        }
        // `[a.b]` after `b.c = 1` below `[a]`.
        let (parent, last) = inner.rsplit_once('.')?;
        let header = before.find(&format!("[{parent}]"))?;
        let body = line_end(self.text, header);
        let next = self.text[body..start].find("\n[").map_or(start, |len| body + len);
        find_key(body, next, last)
    }
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" }
}
