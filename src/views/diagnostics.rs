//! Diagnostics with the lines they are about.
//!
//! *Invariant:* no byte of a stack or a message reaches the page unsanitised. Source lines are sanitised
//! before they are laid out, and the spans are moved along, so that the underlining stays true.

use std::collections::BTreeMap;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::page::Layout;
use super::sanitize::clean;
use crate::diag::{Diagnostic, Diagnostics, FileId, Label, Severity, SourceMap, Span};

/// Lines between two places of one file that are still shown in one piece.
const NEAR: usize = 6;
/// Longest piece of a source line that is shown, in bytes on each side of what is underlined.
const SIDE: usize = 200;

/// All diagnostics, one below the other, and how many there are.
#[must_use]
pub fn render(diagnostics: &Diagnostics, sources: &SourceMap, layout: Layout) -> String {
    let mut lines = Lines::default();
    let mut out = String::new();
    for diagnostic in &diagnostics.0 {
        out.push_str(&one(diagnostic, sources, &mut lines, layout));
        out.push_str("\n\n");
    }
    out.push_str(&summary(diagnostics));
    out
}

/// `2 errors, 1 warning`, and where an explanation is found; nothing if there is nothing to say.
fn summary(diagnostics: &Diagnostics) -> String {
    let of = |severity| diagnostics.0.iter().filter(|d| d.severity == severity).count();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    let count =
        |n: usize, word: &str| (n > 0).then(|| format!("{n} {word}{}", if n == 1 { "" } else { "s" }));
    let counts: Vec<String> =
        [count(errors, "error"), count(warnings, "warning")].into_iter().flatten().collect();
    let Some(first) = diagnostics.0.first() else {
        return String::new();
    };
    format!("{}; `arrplan help {}` explains the first\n", counts.join(", "), first.code)
}

/// Where the lines of each file begin, found once per file.
#[derive(Default)]
struct Lines(BTreeMap<FileId, Vec<usize>>);

impl Lines {
    fn of<'l>(&'l mut self, file: FileId, sources: &SourceMap) -> &'l [usize] {
        self.0.entry(file).or_insert_with(|| {
            let text = sources.text(file);
            std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
        })
    }

    /// Index of the line that holds the byte.
    fn line(&mut self, file: FileId, at: usize, sources: &SourceMap) -> usize {
        self.of(file, sources).partition_point(|start| *start <= at).saturating_sub(1)
    }
}

/// A piece of a source file, sanitised, with what is underlined in it.
struct Piece {
    path: String,
    first_line: usize,
    text: String,
    marks: Vec<(Range<usize>, String, bool)>,
}

fn one(diagnostic: &Diagnostic, sources: &SourceMap, lines: &mut Lines, layout: Layout) -> String {
    let (level, secondary) = match diagnostic.severity {
        Severity::Error => (Level::ERROR, Level::NOTE),
        Severity::Warning => (Level::WARNING, Level::NOTE),
    };
    let pieces = pieces(&diagnostic.labels, sources, lines);
    let message = clean(&diagnostic.message).into_owned();
    let notes: Vec<String> =
        diagnostic.notes.iter().flat_map(|n| n.lines()).map(|n| clean(n).into_owned()).collect();
    let helps: Vec<String> =
        diagnostic.help.iter().flat_map(|h| h.lines()).map(|h| clean(h).into_owned()).collect();
    let mut group: Group<'_> = Group::with_title(level.primary_title(message).id(diagnostic.code));
    for piece in &pieces {
        let annotations = piece.marks.iter().map(|(range, text, primary)| {
            let kind = if *primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            let annotation = kind.span(range.clone());
            if text.is_empty() { annotation } else { annotation.label(text.as_str()) }
        });
        let snippet = Snippet::source(piece.text.as_str())
            .line_start(piece.first_line)
            .path(piece.path.as_str())
            .annotations(annotations);
        group = group.element(snippet);
    }
    for note in &notes {
        group = group.element(secondary.clone().message(note.as_str()));
    }
    for help in &helps {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let renderer = if layout.color { Renderer::styled() } else { Renderer::plain() };
    renderer.term_width(layout.width).render(&[group])
}

/// Groups labels that stand near to each other; the first label stays in the first piece.
fn pieces(labels: &[Label], sources: &SourceMap, lines: &mut Lines) -> Vec<Piece> {
    struct Open {
        file: FileId,
        first: usize,
        last: usize,
        labels: Vec<usize>,
    }
    let mut open: Vec<Open> = Vec::new();
    for (at, label) in labels.iter().enumerate() {
        let Span { file, start, end } = label.span;
        let (first, last) =
            (lines.line(file, start, sources), lines.line(file, end.max(start + 1) - 1, sources));
        // What is underlined over many lines is shown by its first.
        let last = if last > first + NEAR { first } else { last };
        let near = open
            .iter_mut()
            .find(|piece| piece.file == file && first <= piece.last + NEAR && last + NEAR >= piece.first);
        match near {
            Some(piece) => {
                piece.first = piece.first.min(first);
                piece.last = piece.last.max(last);
                piece.labels.push(at);
            }
            None => open.push(Open { file, first, last, labels: vec![at] }),
        }
    }
    open.into_iter()
        .map(|piece| {
            let starts = lines.of(piece.file, sources);
            let whole = sources.text(piece.file);
            let from = starts[piece.first];
            let to = starts.get(piece.last + 1).map_or(whole.len(), |next| next - 1);
            let raw = &whole[from..to];
            let spans: Vec<Range<usize>> = piece
                .labels
                .iter()
                .map(|at| {
                    let span = &labels[*at].span;
                    let start = span.start.clamp(from, to) - from;
                    start..span.end.clamp(from + start, to) - from
                })
                .collect();
            let (text, spans) = sanitised(raw, &spans);
            let marks = spans
                .into_iter()
                .zip(&piece.labels)
                .map(|(span, at)| (span, clean(&labels[*at].text).into_owned(), *at == 0));
            Piece {
                path: clean(&sources.path(piece.file).display().to_string()).into_owned(),
                first_line: piece.first + 1,
                marks: marks.collect(),
                text,
            }
        })
        .collect()
}

/// The lines with everything unsafe escaped and long lines cut, and where the spans are now.
fn sanitised(raw: &str, spans: &[Range<usize>]) -> (String, Vec<Range<usize>>) {
    let mut text = String::with_capacity(raw.len());
    let mut moved: Vec<Range<usize>> = spans.iter().map(|_| 0..0).collect();
    let mut at = 0;
    for line in raw.split_inclusive('\n') {
        let here = at..at + line.len();
        let inside: Vec<&Range<usize>> =
            spans.iter().filter(|s| s.start < here.end && s.end >= here.start).collect();
        let near = |offset: usize| {
            inside.iter().any(|s| offset + SIDE >= s.start && offset <= s.end.min(s.start + SIDE) + SIDE)
        };
        let long = line.len() > 4 * SIDE;
        let mut cut = false;
        for (offset, c) in line.char_indices() {
            let offset = at + offset;
            for (span, new) in spans.iter().zip(&mut moved) {
                if span.start == offset {
                    new.start = text.len();
                }
                if span.end == offset {
                    new.end = text.len();
                }
            }
            if long && c != '\n' && !near(offset) {
                if !cut {
                    text.push('…');
                }
                cut = true;
                continue;
            }
            cut = false;
            let crlf = c == '\r' && line[offset - at..].starts_with("\r\n");
            match c {
                '\n' | '\t' => text.push(c),
                '\r' if crlf || (at + line.len() == raw.len() && offset + 1 == at + line.len()) => {}
                c => text.push_str(&clean(c.encode_utf8(&mut [0; 4]))),
            }
        }
        at = here.end;
    }
    for (span, new) in spans.iter().zip(&mut moved) {
        if span.start >= raw.len() {
            new.start = text.len();
        }
        if span.end >= raw.len() {
            new.end = text.len();
        }
        new.end = new.end.max(new.start);
    }
    (text, moved)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(text: &str, spans: &[Range<usize>]) -> String {
        let mut sources = SourceMap::default();
        let file = sources.add("a\u{1b}b.toml".into(), text.to_owned());
        let mut diagnostic =
            Diagnostic::error("E001", text.to_owned()).note(text.to_owned()).help(text.to_owned());
        for span in spans {
            diagnostic = diagnostic.at(Span::new(file, span.clone()), text.to_owned());
        }
        render(&Diagnostics(vec![diagnostic]), &sources, Layout::PLAIN)
    }

    #[test]
    fn escapes_stay_under_their_line() {
        insta::assert_snapshot!(page("a = \"\u{1b}[31m\" x", std::slice::from_ref(&(12..13))), @r#"
        error[E001]: a = "\u{1b}[31m" x
         --> a\u{1b}b.toml:1:18
          |
        1 | a = "\u{1b}[31m" x
          |                  ^ a = "\u{1b}[31m" x
          |
          = note: a = "\u{1b}[31m" x
          = help: a = "\u{1b}[31m" x

        1 error; `arrplan help E001` explains the first
        "#);
    }

    #[test]
    fn nothing_to_say_is_nothing() {
        assert_eq!(render(&Diagnostics::default(), &SourceMap::default(), Layout::PLAIN), "");
    }

    proptest! {
        #[test]
        fn nothing_unsafe_passes(text in "(?s).{0,60}", cuts in proptest::collection::vec((0..80_usize, 0..80_usize), 0..4)) {
            let boundary = |mut at: usize| {
                at = at.min(text.len());
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                at
            };
            let spans: Vec<Range<usize>> = cuts
                .iter()
                .map(|(a, b)| boundary(*a.min(b))..boundary(*a.max(b)))
                .collect();
            let page = page(&text, &spans);
            for line in page.lines() {
                prop_assert_eq!(clean(line), line);
            }
        }
    }
}
