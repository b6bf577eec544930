//! A state rebuilt from what is left: what it is believed to be, and why.

use super::page::{Layout, Page, Text, Tone, count};
use crate::ops::{Believed, Entry, Seen};

/// What is left, what is made of it, what is left out, and what nobody knows.
#[must_use]
pub fn believed(believed: &Believed, layout: Layout) -> String {
    let mut page = Page::new(layout);
    let head =
        Text::tone(Tone::Strong, &believed.stack).add(Tone::Plain, &format!(" -> {}", believed.cluster));
    page.line(0, &head);
    page.blank();
    page.line(0, &Text::tone(Tone::Strong, "What is left of the state:"));
    for file in &believed.files {
        page.line(2, &Text::plain(&file.path));
        page.wrapped(6, 8, &Text::tone(if file.bad { Tone::Bad } else { Tone::Plain }, &file.says));
    }
    let (lineage, source) = &believed.lineage;
    page.wrapped(2, 6, &Text::plain(&format!("lineage {lineage} (from {source})")));
    page.blank();
    let objects = count(believed.entries.len(), "object", "objects");
    page.line(0, &Text::tone(Tone::Strong, &format!("It owns {objects}, as far as can be known:")));
    for one in &believed.entries {
        entry(one, &mut page);
    }
    if !believed.not_taken.is_empty() {
        page.blank();
        page.line(0, &Text::tone(Tone::Strong, "It does not own:"));
        for left in &believed.not_taken {
            let mut name = left.address.as_ref().map(|address| format!("{address}  ")).unwrap_or_default();
            name.push_str(&left.object.human());
            page.line(2, &Text::plain(&name));
            page.wrapped(6, 8, &Text::tone(Tone::Dim, &left.why));
        }
    }
    page.blank();
    page.line(0, &Text::tone(Tone::Strong, "Not known:"));
    for line in &believed.unknown {
        page.wrapped(2, 4, &Text::plain(line));
    }
    page.blank();
    page.line(0, &Text::plain(&format!("It would be written as serial {}.", believed.serial)));
    page.finish()
}

fn entry(entry: &Entry, page: &mut Page) {
    let formerly = if entry.former { "formerly " } else { "" };
    let name = Text::tone(Tone::Strong, &format!("{}  ", entry.address))
        .add(Tone::Plain, &format!("{formerly}{}", entry.object.human()));
    page.line(2, &name);
    let (tone, seen) = match &entry.seen {
        Seen::Live => (Tone::Good, "live".to_owned()),
        Seen::MadeAnew => (Tone::Change, "live, made anew since".to_owned()),
        Seen::Unmarked => (Tone::Change, "there, without the mark: the next plan decides".to_owned()),
        Seen::Unread(why) => (Tone::Change, format!("could not be looked at: {why}")),
    };
    let why = Text::tone(tone, &seen).add(Tone::Dim, &format!("; known from {}", entry.known_from));
    page.wrapped(6, 8, &why);
}
