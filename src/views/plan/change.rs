//! One change: its line and what stands under it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{PlanView, fields, reach};
use crate::object::{LINEAGE_ANNOTATION, STACK_LABEL};
use crate::path::{FieldPath, Segment};
use crate::plan::{Action, Change, NotReady, Plan, Risk, Shown, Write};
use crate::views::describe::describe;
use crate::views::page::{Page, Text, Tone};
use crate::views::time::since;
use crate::views::{value, yaml};

/// What all changes of a plan share on the page.
pub(super) struct Frame {
    /// Column of the remarks.
    column: usize,
    /// The namespace that most changes are in: it is not named.
    namespace: Option<String>,
}

impl Frame {
    pub(super) fn of(plan: &Plan, listed: &[&Change]) -> Self {
        let longest = listed.iter().map(|c| c.address.to_string().chars().count()).max().unwrap_or(0);
        let mut uses: BTreeMap<&str, usize> = BTreeMap::new();
        for namespace in plan.changes.iter().filter_map(|c| c.key.namespace.as_deref()) {
            *uses.entry(namespace).or_default() += 1;
        }
        let most = uses.iter().max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0)));
        Self {
            column: (longest + 7).clamp(30, 48),
            namespace: most.map(|(namespace, _)| (*namespace).to_owned()),
        }
    }
}

/// The symbol of a change, as wide as it is, and its tone.
pub(super) fn symbol(change: &Change) -> (&'static str, Tone) {
    match change.action {
        Action::Create => ("+", Tone::Good),
        Action::Update if change.reinstalls => ("-/+", Tone::Bad),
        Action::Update => ("~", Tone::Change),
        Action::Replace => ("-/+", Tone::Bad),
        Action::Delete => ("-", Tone::Bad),
        Action::Adopt => ("<-", Tone::Good),
        Action::Forget => ("x", Tone::Change),
        Action::Keep => ("=", Tone::Note),
        Action::NoOp if change.not_ready.is_some() => ("!", Tone::Danger),
        Action::NoOp => (" ", Tone::Plain),
    }
}

pub(super) fn show(change: &Change, frame: &Frame, view: &PlanView<'_>, page: &mut Page) {
    let (symbol, tone) = symbol(change);
    let left = Text::tone(tone, symbol).add(Tone::Plain, " ").add(Tone::Strong, &change.address.to_string());
    // The symbol ends where the shorter ones end, so that the names stand below each other.
    let indent = 3usize.saturating_sub(symbol.len());
    let body = change.write.as_ref().map(masked);
    let said = match (&change.action, &body) {
        (Action::Create | Action::Replace, Some(body)) => describe(&change.key, body),
        _ => crate::views::describe::Description::default(),
    };
    let remarks = remarks(change, frame, said.remark.as_deref(), view);
    page.columns_hang(indent, &left, frame.column, &remarks, 6);

    for line in &said.lines {
        page.wrapped(6, 8, &Text::tone(Tone::Dim, line));
    }
    if let (true, Some(body), Action::Create | Action::Replace) = (view.full, &body, change.action) {
        for line in yaml::to_string(body).lines() {
            page.line(6, &Text::tone(Tone::Dim, line));
        }
    }
    if change.action != Action::Create {
        fields::show(&change.fields, view, page);
    }
    if let Some(write) = &change.write {
        late(change, write, page);
    }
    reach::show(change, view, page);
    for (at, line) in change.broken.iter().flatten().enumerate() {
        let text = if at == 0 { format!("NOT MADE: {line}") } else { line.clone() };
        page.wrapped(if at == 0 { 6 } else { 8 }, 10, &Text::tone(Tone::Danger, &text));
    }
    for note in &change.notes {
        page.wrapped(6, 8, &Text::plain(note));
    }
    if let Some(not_ready) = &change.not_ready {
        cause(not_ready, page);
    }
}

/// The words beside the name.
fn remarks(change: &Change, frame: &Frame, said: Option<&str>, view: &PlanView<'_>) -> Text {
    let mut parts: Vec<(Tone, String)> = Vec::new();
    let reason = change.reason.clone();
    match change.action {
        Action::Keep => {
            parts.push((Tone::Note, format!("kept: {}", reason.as_deref().unwrap_or("protected"))));
        }
        Action::Forget => {
            parts.push((Tone::Plain, "forgotten: it stays, no longer ours".to_owned()));
            parts.extend(reason.map(|r| (Tone::Plain, r)));
        }
        Action::Adopt => {
            let why = reason.as_deref().unwrap_or("exists already");
            parts.push((Tone::Plain, format!("adopted: {why}, becomes ours")));
        }
        Action::NoOp => {
            let state = match &change.not_ready {
                Some(not_ready) => {
                    let mut text = "unchanged, but NOT READY".to_owned();
                    if let Some(time) = &not_ready.since {
                        text.push(' ');
                        text.push_str(&since(time, view.now));
                    }
                    (Tone::Danger, text)
                }
                None => (
                    Tone::Dim,
                    change.unchanged_since.map_or_else(
                        || "unchanged".to_owned(),
                        |serial| format!("unchanged since serial {serial}"),
                    ),
                ),
            };
            parts.push(state);
            parts.extend(reason.map(|r| (Tone::Plain, r)));
        }
        _ => {
            if change.reinstalls {
                parts.push((Tone::Bad, "uninstalled and installed anew".to_owned()));
            }
            parts.extend(reason.map(|r| (Tone::Plain, r)));
        }
    }
    if change.former {
        parts.push((Tone::Plain, format!("the former object, {}", change.key.human())));
    }
    if let Some(former) = &change.moved_from {
        parts.push((Tone::Note, format!("moved from {former}")));
    }
    match change.risk {
        Risk::Safe => {}
        Risk::Disruptive => parts.push((Tone::Change, "disruptive".to_owned())),
        Risk::Irreversible => parts.push((Tone::Bad, "irreversible".to_owned())),
        Risk::DataLoss => parts.push((Tone::Danger, "DATA LOSS".to_owned())),
    }
    if change.protect && change.action != Action::Keep && change.action != Action::NoOp {
        parts.push((Tone::Note, "protected".to_owned()));
    }
    parts.extend(said.map(|s| (Tone::Dim, s.to_owned())));
    if !matches!(change.action, Action::NoOp | Action::Keep) {
        if change.key.namespace != frame.namespace
            && let Some(namespace) = &change.key.namespace
        {
            parts.push((Tone::Dim, format!("in {namespace}")));
        }
        let local = change.address.index.as_ref().unwrap_or(&change.address.name);
        if change.key.name != *local && !change.former {
            parts.push((Tone::Dim, format!("as {}", change.key.name)));
        }
    }
    let mut text = Text::default();
    for (at, (tone, part)) in parts.iter().enumerate() {
        if at > 0 {
            text = text.add(Tone::Plain, ", ");
        }
        text = text.add(*tone, part);
    }
    text
}

/// The manifest with every secret replaced, and without our own mark.
pub(in crate::views) fn masked(write: &Write) -> Value {
    let mut body = write.body.clone();
    let secret = Value::String("(secret)".to_owned());
    for path in &write.secret {
        if let Some(value) = path.get_mut(&mut body) {
            *value = secret.clone();
        }
    }
    // Whatever the paths say, the data of a Secret is never shown.
    if body.get("kind").and_then(Value::as_str) == Some("Secret") {
        for field in ["data", "stringData"] {
            let values = body.get_mut(field).and_then(Value::as_object_mut);
            for value in values.into_iter().flat_map(|map| map.values_mut()) {
                *value = secret.clone();
            }
        }
    }
    for path in &write.unknown {
        put(&mut body, path);
    }
    for (map, key) in [("labels", STACK_LABEL), ("annotations", LINEAGE_ANNOTATION)] {
        let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) else {
            continue;
        };
        if let Some(entries) = metadata.get_mut(map).and_then(Value::as_object_mut) {
            entries.remove(key);
            if entries.is_empty() {
                metadata.remove(map);
            }
        }
    }
    body
}

/// Says "known after apply" where the field will stand, where only maps lead to it.
fn put(body: &mut Value, path: &FieldPath) {
    if !path.0.iter().all(|segment| matches!(segment, Segment::Key(_))) {
        return;
    }
    let Some((last, parents)) = path.0.split_last() else {
        return;
    };
    let mut at = body;
    for segment in parents {
        let Segment::Key(key) = segment else { return };
        let Some(map) = at.as_object_mut() else { return };
        at = map.entry(key.clone()).or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    if let (Segment::Key(key), Some(map)) = (last, at.as_object_mut()) {
        map.insert(key.clone(), Value::String(value::shown(&Shown::KnownAfterApply)));
    }
}

/// Fields of a new object that only apply can fill in.
fn late(change: &Change, write: &Write, page: &mut Page) {
    if change.action != Action::Create && change.action != Action::Replace {
        return;
    }
    // What is in a Secret is hidden in any case, and its keys are named already.
    let shown =
        |path: &&FieldPath| change.key.kind != "Secret" || !path.starts_with(&FieldPath::keys(["data"]));
    let names: Vec<String> = write.unknown.iter().filter(shown).map(ToString::to_string).collect();
    if !names.is_empty() {
        page.wrapped(6, 8, &Text::tone(Tone::Dim, &format!("known after apply: {}", names.join(", "))));
    }
}

/// The chain of causes, the object at fault last.
fn cause(not_ready: &NotReady, page: &mut Page) {
    if not_ready.chain.is_empty() {
        page.wrapped(6, 8, &Text::tone(Tone::Bad, &not_ready.reason));
    }
    for (at, (key, reason, message)) in not_ready.chain.iter().enumerate() {
        let indent = 6 + 2 * at;
        page.wrapped(
            indent,
            indent + 2,
            &Text::plain(&key.human()).add(Tone::Plain, "  ").add(Tone::Bad, reason),
        );
        for line in message.lines().filter(|line| !line.trim().is_empty()) {
            page.wrapped(indent + 2, indent + 4, &Text::plain(line));
        }
    }
}
