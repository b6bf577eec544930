//! TOML's own mistakes in words that help: one per line, at the place where the mistake was made.
//!
//! The parser goes on after a mistake, which is what lets a run collect all of them; what it then reports
//! about the rest of a broken list or table is noise. This file keeps the first cause.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use crate::diag::{Diagnostic, Diagnostics, FileId, Span};

use super::toml_text::{
    find_equals, is_yaml, line_end, line_start, mended_header, mended_key, mended_value, two_assignments,
    unclosed,
};

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
        Self {
            ranges: merged,
            ..self
        }
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
    let mut report = Report {
        file,
        text,
        diags,
        damage: Damage::default(),
        searched: 0,
    };
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
    texts
        .get(&error.span()?.end)
        .filter(|_| misses_quote(error))
        .cloned()
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

struct Report<'t, 'd> {
    file: FileId,
    text: &'t str,
    diags: &'d mut Diagnostics,
    damage: Damage,
    /// Searches for a first definition so far; each reads the text above it.
    searched: usize,
}

/// More searches than this would make a file of nothing but duplicates slow.
const MAX_SEARCHES: usize = 100;

impl Report<'_, '_> {
    fn span(&self, range: Range<usize>) -> Span {
        Span::new(self.file, range)
    }

    fn error(&self, message: impl Into<String>, range: Range<usize>, label: &str) -> Diagnostic {
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
        let (what, label) = if json {
            ("JSON", "a JSON object starts here")
        } else {
            ("YAML", "a YAML key")
        };
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
        let (what, close) = if list {
            ("list", "]")
        } else {
            ("inline table", "}")
        };
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
        self.damage
            .ranges
            .push(line_start(self.text, open)..self.text.len() + 1);
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
        if let Some(error) = errors
            .iter()
            .find(|e| e.message() == "duplicate key" || e.message().starts_with("cannot extend"))
        {
            self.duplicate(error);
            return;
        }
        let control = line
            .char_indices()
            .find(|(_, c)| c.is_control() && !matches!(c, '\t' | '\r'));
        if let Some((at, c)) = control {
            let range = start + at..start + at + c.len_utf8();
            let diagnostic = self.error("a control character cannot stand in TOML", range, "");
            self.diags
                .push(diagnostic.help(format!("in `\"…\"` it is written `\\u{:04X}`", u32::from(c))));
            self.damage.lossy = true;
            self.damage.ranges.push(start..end + 1);
            return;
        }
        let message = errors.iter().map(|e| e.message()).next().unwrap_or_default();
        if message.contains("recursion") {
            let at = errors[0].span().unwrap_or(start..end);
            self.diags
                .push(Diagnostic::error("E008", "nested deeper than 80 levels").at(self.span(at), ""));
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
            let next = self.text[end..]
                .find("\n[")
                .map_or(self.text.len() + 1, |at| end + at + 1);
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
        let quote = if triple {
            &raw[..3]
        } else {
            &raw[..1.min(raw.len())]
        };
        let shown = if triple {
            range.start..range.start + 3
        } else {
            range.clone()
        };
        let mut diagnostic = self.error(
            "this text is not closed",
            shown,
            &format!("the closing `{quote}` is missing"),
        );
        if triple {
            diagnostic = diagnostic.note("everything below it was read as part of the text");
            self.damage.lossy = true;
        } else if raw[1..].contains(quote) {
            diagnostic = diagnostic.help("inside of `\"…\"` a quote is written `\\\"`");
        }
        self.diags.push(diagnostic);
        self.damage.ranges.push(range.start..range.end + 1);
    }

    /// A key or table that is there twice. The parser keeps what it can, so the rest is still checked.
    fn duplicate(&mut self, error: &Error) {
        let at = error.span().unwrap_or(0..0);
        let start = line_start(self.text, at.start);
        let line = self.text[start..line_end(self.text, start)].trim();
        let name = self.text.get(at.clone()).unwrap_or_default();
        let mut diagnostic = Diagnostic::error("E005", String::new());
        self.searched += 1;
        let earlier = (self.searched <= MAX_SEARCHES)
            .then(|| self.first_definition(start, line, name))
            .flatten();
        if let Some(value) = error.message().strip_prefix("cannot extend value of type ") {
            let kind = value.split(" with").next().unwrap_or_default();
            diagnostic.message = format!(
                "`{name}` is {} {kind} already and cannot hold keys",
                article(kind)
            );
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
                    && !self.text[line_start(self.text, first.start)..]
                        .trim_start()
                        .starts_with('[') =>
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
            return find_key(
                header,
                start,
                line.split(['=', ' ']).next().unwrap_or(name).trim(),
            )
            .or_else(|| find_key(header, start, name));
        }
        let inner = line
            .trim_start_matches('[')
            .split(']')
            .next()
            .unwrap_or_default()
            .trim();
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

    fn header(&mut self, at: usize, line: &str) {
        let double = line.starts_with("[[");
        let inner = line.trim_start_matches('[');
        let inner = inner.split(']').next().unwrap_or_default();
        let inner = inner.split('#').next().unwrap_or_default().trim();
        let mended = mended_header(inner);
        let (open, close) = if double { ("[[", "]]") } else { ("[", "]") };
        let right = format!("{open}{mended}{close}");
        let range = at..at + line.len();
        let closing = line.bytes().filter(|b| *b == b']').count();
        let diagnostic = if inner.is_empty() {
            self.error("this table header names nothing", range, "")
                .help("write `[TABLE.NAME]`, for example `[namespace.media]`")
        } else if mended != inner {
            self.error("this table header is not well formed", range, "")
                .help(format!("quote what is not a bare word: `{right}`"))
        } else if closing < open.len() {
            self.error(
                "this table header is not closed",
                range,
                &format!("`{close}` is missing"),
            )
            .help(format!("write `{right}`"))
        } else {
            self.error("this table header is not well formed", range, "")
                .help(format!("write `{right}`, alone on its line"))
        };
        self.diags.push(diagnostic);
    }

    fn key_value(&mut self, start: usize, line: &str, errors: &[&Error]) {
        let indent = line.len() - line.trim_start().len();
        let whole = start + indent..start + line.len();
        let body = line.trim_start();
        if body.starts_with("//") || body.starts_with("/*") || body.starts_with("--") {
            self.diags.push(
                self.error("not a comment of TOML", whole, "")
                    .help("a comment starts with `#`"),
            );
            return;
        }
        let Some(equals) = find_equals(body) else {
            self.damage.lossy = true;
            let mut diagnostic = self.error("expected `key = value`", whole, "");
            if is_yaml(body) {
                let (key, value) = body.split_once(':').unwrap_or((body, ""));
                let value = value.trim();
                let value = if value.is_empty() {
                    "…".to_owned()
                } else {
                    mended_value(value).unwrap_or_else(|| value.to_owned())
                };
                diagnostic = diagnostic.help(format!(
                    "`key: value` is YAML; in TOML: `{} = {value}`",
                    mended_key(key.trim())
                ));
            } else if body.starts_with("- ") {
                diagnostic =
                    diagnostic.help("`- item` is YAML; in TOML a list is `key = [\"item\", \"item\"]`");
            }
            self.diags.push(diagnostic);
            return;
        };
        let key = body[..equals].trim_end();
        let value_at = start + indent + equals + 1;
        let value = &body[equals + 1..];
        let space = value.len() - value.trim_start().len();
        let value_range = value_at + space..start + line.len();
        let value = value.trim();
        if errors
            .iter()
            .any(|e| e.message().contains("unquoted key") || e.message().contains("key with no value"))
            && mended_key(key) != key
        {
            let range = start + indent..start + indent + key.len();
            let diagnostic = self.error("this key must stand in quotes", range, "not a bare word");
            self.diags
                .push(diagnostic.help(format!("quote the key: `{} = {value}`", mended_key(key))));
            return;
        }
        let at = errors[0].span().unwrap_or_else(|| value_range.clone());
        let diagnostic = self.value(key, value, value_range, at, errors[0].message());
        self.diags.push(diagnostic);
    }

    fn value(
        &mut self,
        key: &str,
        value: &str,
        range: Range<usize>,
        at: Range<usize>,
        message: &str,
    ) -> Diagnostic {
        if value.is_empty() {
            self.damage.lossy = true;
            return self.error(format!("`{key}` has no value"), at, "").help(format!(
                "an empty text is `{key} = \"\"`; leave the line out if nothing is meant"
            ));
        }
        if message.contains("escaped value") {
            return self
                .error("a `\\` in `\"…\"` starts an escape, and this is none", at, "")
                .help("write `\\\\` for a backslash, or use a literal string: '…'");
        }
        if let Some(stripped) = value.strip_prefix('=') {
            return self
                .error("one `=` too many", at, "")
                .help(format!("write `{key} = {}`", stripped.trim()));
        }
        if let Some(two) = two_assignments(value) {
            return self
                .error("two keys on one line", range, "")
                .help(format!("put `{two}` on a line of its own"));
        }
        let shown: String = value.chars().take(40).collect();
        let message_for = |what: &str| format!("`{shown}` is {what}");
        if matches!(value.to_lowercase().as_str(), "null" | "nil" | "none" | "~") {
            return self.error(message_for("nothing that TOML knows"), range, "").help(format!(
                "leave the line out; in a free-form field, such as the values of a release, write `{key} = \"${{null}}\"`"
            ));
        }
        if message.contains("leading zero") {
            return self
                .error(message_for("no number: it starts with a zero"), range, "")
                .help(format!(
                    "write `{key} = \"{value}\"` for text, or `0o{}` for an octal number",
                    value.trim_start_matches('0')
                ));
        }
        if let Some(right) = mended_value(value) {
            let (what, label) = match right.as_str() {
                "true" | "false" => (
                    "no boolean of TOML",
                    "a boolean is `true` or `false`, in lower case",
                ),
                _ => ("no value of TOML", "text must stand in quotes"),
            };
            return self
                .error(message_for(what), range, label)
                .help(format!("write `{key} = {right}`"));
        }
        let words = message.split(", expected").next().unwrap_or(message);
        self.error(words.to_owned(), at, "")
    }
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o']) {
        "an"
    } else {
        "a"
    }
}

fn is_value_message(message: &str) -> bool {
    message.contains("missing comma")
        || message.contains("must be quoted")
        || message.contains("in array")
        || message.contains("unclosed array, ")
}
