//! TOML's own mistakes in words that help: one per line, at the place where the mistake was made.
//!
//! The parser goes on after a mistake, which is what lets a run collect all of them; what it then reports
//! about the rest of a broken list or table is noise. This file keeps the first cause.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use crate::diag::{Diagnostic, Diagnostics, FileId, Span};

use super::toml_text::{is_yaml, line_end, line_start, unclosed};

/// What of a file cannot be trusted after its mistakes.
#[derive(Debug, Default)]
pub(super) struct Damage {
    /// Ranges of the text whose meaning was guessed.
    ranges: Vec<Range<usize>>,
    /// Whether something may be missing that the user wrote.
    pub lossy: bool,
    /// Whether the file is no TOML at all.
    pub hopeless: bool,
}

impl Damage {
    pub(super) fn covers(&self, at: usize) -> bool {
        let behind = self.ranges.partition_point(|range| range.start <= at);
        behind > 0 && self.ranges[behind - 1].end > at
    }

    /// The ranges sorted and joined where they overlap, as `covers` needs them.
    fn merged(mut self) -> Self {
        self.ranges.sort_by_key(|range| range.start);
        let mut merged: Vec<Range<usize>> = Vec::with_capacity(self.ranges.len());
        for range in self.ranges {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        Self { ranges: merged, ..self }
    }
}

/// Reports the errors of one file.
pub(super) fn report(
    file: FileId,
    text: &str,
    errors: &[Error],
    root: &Spanned<DeTable<'_>>,
    diags: &mut Diagnostics,
) -> Damage {
    if errors.is_empty() {
        return Damage::default();
    }
    let mut report = Report { file, text, diags, damage: Damage::default(), searched: 0 };
    if report.foreign_format() {
        return report.damage;
    }
    // Everything behind an unclosed bracket was read as part of it.
    let end = if errors
        .iter()
        .any(|e| e.message().starts_with("unclosed") || e.message().contains("missing comma"))
    {
        report.unclosed_bracket()
    } else {
        None
    };
    let end = end.unwrap_or(text.len() + 1);
    let mut texts = BTreeMap::new();
    if errors.iter().any(misses_quote) {
        texts_by_end(root.get_ref(), &mut texts);
    }
    let mut by_line: BTreeMap<usize, Vec<&Error>> = BTreeMap::new();
    for error in errors {
        let at = error.span().map_or_else(|| longest_key(text), |span| span.start);
        let start = unterminated(error, &texts).map_or(at, |range| range.start);
        if start < end {
            by_line.entry(line_start(text, start)).or_default().push(error);
        }
    }
    for (start, errors) in by_line {
        report.line(start, &errors, &texts);
    }
    report.damage.merged()
}

/// Where each text value ends, and where it is: an error about a missing quote knows only the end.
fn texts_by_end(table: &DeTable<'_>, found: &mut BTreeMap<usize, Range<usize>>) {
    for (_, value) in table {
        text_by_end(value, found);
    }
}

fn text_by_end(value: &Spanned<DeValue<'_>>, found: &mut BTreeMap<usize, Range<usize>>) {
    match value.get_ref() {
        DeValue::String(_) => {
            found.insert(value.span().end, value.span());
        }
        DeValue::Array(items) => items.iter().for_each(|item| text_by_end(item, found)),
        DeValue::Table(table) => texts_by_end(table, found),
        _ => {}
    }
}

/// The value whose closing quote the error misses.
fn unterminated(error: &Error, texts: &BTreeMap<usize, Range<usize>>) -> Option<Range<usize>> {
    texts.get(&error.span()?.end).filter(|_| misses_quote(error)).cloned()
}

fn misses_quote(error: &Error) -> bool {
    error.message().ends_with("string, expected `\"`") || error.message().ends_with("string, expected `'`")
}

/// The line with the most dots: the one error without a place is about a key of too many parts.
fn longest_key(text: &str) -> usize {
    let mut longest = (0, 0);
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let dots = line.bytes().filter(|b| *b == b'.').count();
        if dots > longest.0 {
            longest = (dots, at);
        }
        at += line.len();
    }
    longest.1
}

/// The mistakes of one file as they are told.
pub(super) struct Report<'t, 'd> {
    file: FileId,
    pub text: &'t str,
    pub diags: &'d mut Diagnostics,
    pub damage: Damage,
    /// Searches for a first definition so far; each reads the text above it.
    pub searched: usize,
}

impl Report<'_, '_> {
    pub(super) fn span(&self, range: Range<usize>) -> Span {
        Span::new(self.file, range)
    }

    pub(super) fn error(&self, message: impl Into<String>, range: Range<usize>, label: &str) -> Diagnostic {
        Diagnostic::error("E004", message).at(self.span(range), label)
    }

    /// YAML and JSON, which people paste: one message instead of one for each line.
    fn foreign_format(&mut self) -> bool {
        let lines = || {
            let mut at = 0;
            self.text.split_inclusive('\n').map(move |line| {
                let start = at;
                at += line.len();
                (start, line)
            })
        };
        let meaning = |line: &str| {
            let line = line.trim();
            !(line.is_empty() || line.starts_with('#') || line == "---")
        };
        let Some((start, first)) = lines().find(|(_, line)| meaning(line)) else {
            return false;
        };
        let indent = first.len() - first.trim_start().len();
        let at = start + indent..start + first.trim_end().len();
        let json = first.trim_start().starts_with('{');
        let all = lines().filter(|(_, line)| meaning(line)).count();
        let yaml = lines().filter(|(_, line)| meaning(line) && is_yaml(line)).count();
        if !json && (yaml * 2 <= all || !is_yaml(first)) {
            return false;
        }
        let (what, label) = if json { ("JSON", "a JSON object starts here") } else { ("YAML", "a YAML key") };
        let mut diagnostic = self.error(format!("this is {what}; a stack is TOML"), at, label);
        diagnostic = diagnostic.help("a pasted manifest goes below a table header, one `key = value` per line: `[config_map.NAME]`, then `data.key = \"value\"`");
        self.diags.push(diagnostic);
        self.damage.hopeless = true;
        self.damage.lossy = true;
        true
    }

    /// Finds the list or inline table that swallowed the lines behind it. Returns where it starts.
    fn unclosed_bracket(&mut self) -> Option<usize> {
        let (open, next) = unclosed(self.text)?;
        let list = self.text[open..].starts_with('[');
        let (what, close) = if list { ("list", "]") } else { ("inline table", "}") };
        let mut diagnostic = self.error(
            format!("this {what} is not closed"),
            open..open + 1,
            &format!("`{close}` is missing"),
        );
        if let Some(next) = next {
            let end = next + self.text[next..line_end(self.text, next)].trim_end().len();
            diagnostic = diagnostic.at(self.span(next..end), "still inside of it here");
        }
        self.diags.push(diagnostic);
        self.damage.lossy = true;
        self.damage.ranges.push(line_start(self.text, open)..self.text.len() + 1);
        Some(line_start(self.text, open))
    }

    /// Reports what is wrong with one line.
    fn line(&mut self, start: usize, errors: &[&Error], texts: &BTreeMap<usize, Range<usize>>) {
        let end = line_end(self.text, start);
        let line = self.text[start..end].trim_end();
        let quoted = |range: &Range<usize>| self.text[range.clone()].starts_with(['"', '\'']);
        if let Some(range) = errors.iter().find_map(|e| unterminated(e, texts)).filter(quoted) {
            self.unterminated_text(range);
            return;
        }
        if let Some(error) =
            errors.iter().find(|e| e.message() == "duplicate key" || e.message().starts_with("cannot extend"))
        {
            self.duplicate(error);
            return;
        }
        let control = line.char_indices().find(|(_, c)| c.is_control() && !matches!(c, '\t' | '\r'));
        if let Some((at, c)) = control {
            let range = start + at..start + at + c.len_utf8();
            let diagnostic = self.error("a control character cannot stand in TOML", range, "");
            self.diags.push(diagnostic.help(format!("in `\"…\"` it is written `\\u{:04X}`", u32::from(c))));
            self.damage.lossy = true;
            self.damage.ranges.push(start..end + 1);
            return;
        }
        let message = errors.iter().map(|e| e.message()).next().unwrap_or_default();
        if message.contains("recursion") {
            let at = errors[0].span().unwrap_or(start..end);
            self.diags.push(Diagnostic::error("E008", "nested deeper than 80 levels").at(self.span(at), ""));
            self.damage.lossy = true;
            self.damage.ranges.push(start..end + 1);
            return;
        }
        let indent = line.len() - line.trim_start().len();
        let header =
            line.trim_start().starts_with('[') && !errors.iter().all(|e| is_value_message(e.message()));
        if header {
            self.header(start + indent, line.trim_start());
            // Keys below a header that was not understood belong nowhere.
            let next = self.text[end..].find("\n[").map_or(self.text.len() + 1, |at| end + at + 1);
            self.damage.ranges.push(start..next);
            self.damage.lossy = true;
            return;
        }
        self.damage.ranges.push(start..end + 1);
        self.key_value(start, line, errors);
    }

    fn unterminated_text(&mut self, range: Range<usize>) {
        let raw = &self.text[range.clone()];
        let triple = raw.starts_with("\"\"\"") || raw.starts_with("'''");
        let quote = if triple { &raw[..3] } else { &raw[..1.min(raw.len())] };
        let shown = if triple { range.start..range.start + 3 } else { range.clone() };
        let mut diagnostic =
            self.error("this text is not closed", shown, &format!("the closing `{quote}` is missing"));
        if triple {
            diagnostic = diagnostic.note("everything below it was read as part of the text");
            self.damage.lossy = true;
        } else if raw[1..].contains(quote) {
            diagnostic = diagnostic.help("inside of `\"…\"` a quote is written `\\\"`");
        }
        self.diags.push(diagnostic);
        self.damage.ranges.push(range.start..range.end + 1);
    }
}

fn is_value_message(message: &str) -> bool {
    message.contains("missing comma")
        || message.contains("must be quoted")
        || message.contains("in array")
        || message.contains("unclosed array, ")
}
