//! Help beyond the flags: what a code means, and the rights arrplan needs.

use super::page::{Layout, Page, Text, Tone};
use crate::diag::codes::Code;

/// What a code means and how to mend it.
#[must_use]
pub fn code(code: &Code, layout: Layout) -> String {
    let mut page = Page::new(layout);
    page.wrapped(
        0,
        2,
        &Text::tone(Tone::Strong, code.code).add(Tone::Plain, ": ").add(Tone::Strong, code.title),
    );
    page.blank();
    for line in code.text.lines() {
        let indent = line.len() - line.trim_start().len();
        // An indented line is an example: it stays as it is.
        if indent > 0 {
            page.line(indent, &Text::tone(Tone::Note, line.trim_start()));
        } else {
            page.wrapped(0, 0, &Text::plain(line));
        }
    }
    page.finish()
}

/// Every code with its title.
#[must_use]
pub fn codes<'c>(codes: impl Iterator<Item = &'c Code>, layout: Layout) -> String {
    let mut page = Page::new(layout);
    for code in codes {
        page.columns(0, &Text::tone(Tone::Strong, code.code), 6, &Text::plain(code.title));
    }
    page.finish()
}

/// The smallest roles for `plan` and for `apply`, ready for `kubectl apply`.
///
/// Server-side apply needs the verb `patch`, also for a dry-run, and `create` where the object is absent
/// (measured on kube-apiserver 1.37).
pub const RBAC: &str = include_str!("rbac.yaml");
