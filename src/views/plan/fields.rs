//! Field differences: `path  before -> after`, texts of several lines as a diff with context.

use similar::{ChangeTag, TextDiff};

use super::PlanView;
use crate::plan::{FieldCause, FieldChange, Shown};
use crate::views::page::{Page, Text, Tone, chunks, count};
use crate::views::time::ago;
use crate::views::value;

/// Lines of a diff or an added text that are shown without `--full`.
const LINES: usize = 40;
/// Characters of a value that are shown without `--full`.
const CHARS: usize = 400;

const INDENT: usize = 6;
const DEEP: usize = 10;

pub(super) fn show(fields: &[FieldChange], view: &PlanView<'_>, page: &mut Page) {
    for field in fields {
        if field.cause == FieldCause::Owned && !view.full {
            continue;
        }
        one(field, view, page);
    }
    let owned = fields.iter().filter(|f| f.cause == FieldCause::Owned).count();
    if owned > 0 && !view.full {
        let text =
            format!("{} ours too from now on, same values (--full)", count(owned, "field is", "fields are"));
        page.line(INDENT, &Text::tone(Tone::Dim, &text));
    }
}

/// `+` added, `-` removed, `~` changed, `=` stays although we let go of it: the field itself, not its parent.
fn symbol(field: &FieldChange) -> (&'static str, Tone) {
    match (&field.before, &field.after) {
        _ if matches!(field.cause, FieldCause::Stays { .. }) => ("= ", Tone::Note),
        (Shown::Absent, _) => ("+ ", Tone::Good),
        (_, Shown::Absent) => ("- ", Tone::Bad),
        (_, Shown::NotRead) | (Shown::NotRead, _) => ("? ", Tone::Change),
        _ => ("~ ", Tone::Change),
    }
}

fn one(field: &FieldChange, view: &PlanView<'_>, page: &mut Page) {
    let (symbol, tone) = symbol(field);
    let path = Text::tone(tone, symbol).add(Tone::Plain, &field.path.to_string());
    let room = page.width().saturating_sub(DEEP);
    let why = cause(&field.cause, view);
    let stays = matches!(field.cause, FieldCause::Stays { .. });
    let before = value::block(&field.before, room).filter(|_| !stays);
    let after = value::block(&field.after, room).filter(|_| !stays);
    if before.is_some() || after.is_some() {
        page.columns(INDENT, &path, 0, &why);
        let text = |block: Option<String>, shown: &Shown| match (block, shown) {
            (Some(block), _) => block,
            (None, Shown::Absent) => String::new(),
            (None, shown) => format!("{}\n", value::shown(shown)),
        };
        diff(&text(before, &field.before), &text(after, &field.after), view.full, page);
        return;
    }
    let values = values(field);
    let line = path.clone().add(Tone::Plain, "  ").add(Tone::Plain, &values);
    if INDENT + line.width() <= page.width() {
        page.columns(INDENT, &line, 0, &why);
        return;
    }
    page.columns(INDENT, &path, 0, &why);
    if values.chars().count() <= room {
        page.line(DEEP, &Text::plain(&values));
        return;
    }
    if field.before != Shown::Absent {
        long(&field.before, "", view.full, page);
    }
    if field.after != Shown::Absent {
        let lead = if field.before == Shown::Absent { "" } else { "-> " };
        long(&field.after, lead, view.full, page);
    }
}

/// `before -> after`, or the one value there is.
fn values(field: &FieldChange) -> String {
    match (&field.before, &field.after) {
        (stays, _) if matches!(field.cause, FieldCause::Stays { .. }) => value::shown(stays),
        (Shown::Masked, Shown::Masked) => "(secret, changed)".to_owned(),
        (Shown::Absent, one) | (one, Shown::Absent) => value::shown(one),
        (before, after) => format!("{} -> {}", value::shown(before), value::shown(after)),
    }
}

/// A value of more than one line.
fn long(shown: &Shown, lead: &str, full: bool, page: &mut Page) {
    let text = value::shown(shown);
    let length = text.chars().count();
    let kept = if full || length <= CHARS { length } else { CHARS };
    let kept: String = text.chars().take(kept).collect();
    let room = page.width().saturating_sub(DEEP + lead.len());
    for (at, piece) in chunks(&kept, room).iter().enumerate() {
        if at == 0 {
            page.line(DEEP, &Text::tone(Tone::Dim, lead).add(Tone::Plain, piece));
        } else {
            page.line(DEEP + lead.len(), &Text::plain(piece));
        }
    }
    if !full && length > CHARS {
        let text = format!("... {length} characters in all (--full)");
        page.line(DEEP + lead.len(), &Text::tone(Tone::Dim, &text));
    }
}

/// Why the field differs, when it is not the stack that changed.
fn cause(cause: &FieldCause, view: &PlanView<'_>) -> Text {
    match cause {
        FieldCause::Stack => Text::default(),
        FieldCause::Drift { manager, time } => {
            let mut text = format!("changed outside by {manager}");
            if let Some(time) = time {
                text.push_str(", ");
                text.push_str(&ago(time, view.now));
            }
            Text::tone(Tone::Note, &text)
        }
        FieldCause::DriftUnrecorded => Text::tone(Tone::Note, "changed outside, by whom is not recorded"),
        FieldCause::CoOwned { manager } => Text::tone(Tone::Note, &format!("also owned by {manager}")),
        FieldCause::Taken { manager } => Text::tone(Tone::Note, &format!("taken from {manager}")),
        FieldCause::Stays { managers } => {
            Text::tone(Tone::Note, &format!("stays: also owned by {}", managers.join(", ")))
        }
        FieldCause::Server => Text::tone(Tone::Dim, "by the server"),
        FieldCause::Owned => Text::tone(Tone::Dim, "the value stays, ours too from now on"),
    }
}

/// A unified diff with three lines of context. Trailing spaces show as `·`, a missing last line break is said.
fn diff(before: &str, after: &str, full: bool, page: &mut Page) {
    let diff = TextDiff::from_lines(before, after);
    let mut lines: Vec<Text> = Vec::new();
    for (at, group) in diff.grouped_ops(3).iter().enumerate() {
        if at > 0 {
            lines.push(Text::tone(Tone::Dim, "  ..."));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let (sign, tone) = match change.tag() {
                ChangeTag::Delete => ("- ", Tone::Bad),
                ChangeTag::Insert => ("+ ", Tone::Good),
                ChangeTag::Equal => ("  ", Tone::Dim),
            };
            let line = change.value();
            let text = line.strip_suffix('\n').unwrap_or(line);
            let mut shown = Text::tone(tone, sign);
            if change.tag() == ChangeTag::Equal {
                shown = shown.add(tone, text);
            } else {
                let bare = text.trim_end_matches(' ');
                shown = shown.add(tone, bare).add(tone, &"\u{b7}".repeat(text.len() - bare.len()));
            }
            if !line.ends_with('\n') {
                shown = shown.add(Tone::Dim, "  (no line break at the end)");
            }
            lines.push(shown);
        }
    }
    let shown = if full || lines.len() <= LINES + 3 { lines.len() } else { LINES };
    for line in &lines[..shown] {
        page.line(DEEP, line);
    }
    let rest = lines.len() - shown;
    if rest > 0 {
        page.line(
            DEEP,
            &Text::tone(Tone::Dim, &format!("... {} (--full)", count(rest, "more line", "more lines"))),
        );
    }
}
