//! Errors, warnings and hints in a few lines each.

use super::page::{Layout, Page, Text, Tone};
use crate::diag::{Diagnostic, Severity, SourceMap};

/// Why a command failed, ready to be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failure {
    /// Code of [`crate::diag::codes::all`], where there is one.
    pub code: Option<&'static str>,
    /// What failed: one sentence without a full stop.
    pub message: String,
    /// Facts that explain it, one line each.
    pub details: Vec<String>,
    /// What to type or do next, one line each.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure that is only a sentence.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// With a code.
    #[must_use]
    pub fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// With one more fact.
    #[must_use]
    pub fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// With one more thing to do.
    #[must_use]
    pub fn hint(mut self, line: impl Into<String>) -> Self {
        self.hints.push(line.into());
        self
    }
}

/// The failure as text.
#[must_use]
pub fn failure(failure: &Failure, layout: Layout) -> String {
    let mut page = Page::new(layout);
    let mut message = failure.message.lines();
    headline(Severity::Error, failure.code, message.next().unwrap_or_default(), &mut page);
    for line in message {
        page.wrapped(2, 4, &Text::plain(line));
    }
    for line in failure.details.iter().flat_map(|detail| detail.lines()) {
        let indent = 2 + line.len() - line.trim_start().len();
        page.wrapped(indent, indent + 2, &Text::plain(line.trim_start()));
    }
    if !failure.hints.is_empty() {
        page.blank();
        for hint in failure.hints.iter().flat_map(|hint| hint.lines()) {
            page.line(2, &Text::tone(Tone::Note, hint));
        }
    }
    page.finish()
}

/// One diagnostic in short, without the source text: for lists.
pub(super) fn diagnostic(diagnostic: &Diagnostic, sources: Option<&SourceMap>, page: &mut Page) {
    headline(diagnostic.severity, Some(diagnostic.code), &diagnostic.message, page);
    for label in &diagnostic.labels {
        let Some(sources) = sources else { continue };
        let place = Text::tone(Tone::Dim, &sources.location(&label.span));
        let text = if label.text.is_empty() {
            place
        } else {
            place.add(Tone::Plain, "  ").add(Tone::Plain, &label.text)
        };
        page.wrapped(2, 4, &text);
    }
    for note in diagnostic.notes.iter().flat_map(|note| note.lines()) {
        page.wrapped(2, 4, &Text::plain(note));
    }
    for help in diagnostic.help.iter().flat_map(|help| help.lines()) {
        page.wrapped(2, 4, &Text::tone(Tone::Note, help));
    }
}

fn headline(severity: Severity, code: Option<&str>, message: &str, page: &mut Page) {
    let (word, tone) = match severity {
        Severity::Error => ("error", Tone::Danger),
        Severity::Warning => ("warning", Tone::Change),
    };
    let code = code.filter(|code| !code.is_empty()).map(|code| format!("[{code}]"));
    let text = Text::tone(tone, word)
        .add(tone, code.as_deref().unwrap_or_default())
        .add(Tone::Plain, ": ")
        .add(Tone::Strong, message);
    page.wrapped(0, 2, &text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_failed_and_what_to_type() {
        let text = failure(
            &Failure::new("data would be lost and that was not allowed")
                .code("E410")
                .detail("helm_release.arr-stack takes 3 claims along")
                .hint("arrplan destroy --allow data-loss=helm_release.arr-stack"),
            Layout::PLAIN,
        );
        insta::assert_snapshot!(text, @r"
        error[E410]: data would be lost and that was not allowed
          helm_release.arr-stack takes 3 claims along

          arrplan destroy --allow data-loss=helm_release.arr-stack
        ");
    }
}
