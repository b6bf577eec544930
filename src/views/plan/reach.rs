//! What goes with a delete: every lost claim a line, the rest counted by kind.

use std::collections::BTreeMap;

use super::PlanView;
use crate::plan::{Action, Change, ReachItem, Risk};
use crate::views::page::{Page, Text, Tone, count};

/// Objects of one kind, claims excepted, that are listed one by one without `--full`.
const ONE_BY_ONE: usize = 10;

pub(super) fn show(change: &Change, view: &PlanView<'_>, page: &mut Page) {
    let reach = &change.reach;
    let others = reach.items.iter().filter(|item| item.key != change.key).count();
    if others > 0 {
        let how = match change.action {
            Action::Update | Action::Replace => "goes and comes anew with it",
            _ => "goes with it",
        };
        page.line(6, &Text::plain(&format!("{how}, {}:", count(others, "object", "objects"))));
    }
    let (listed, counted): (Vec<&ReachItem>, Vec<&ReachItem>) =
        reach.items.iter().partition(|item| view.full || item.risk >= Risk::Irreversible);
    kinds(&counted, page);
    list(change, &listed, view.full, page);
    for what in &reach.unreadable {
        let text = Text::tone(Tone::Danger, "DATA LOSS")
            .add(Tone::Plain, "  must be assumed, not readable: ")
            .add(Tone::Plain, what);
        page.wrapped(8, 10, &text);
    }
    for what in &reach.stays {
        page.wrapped(6, 8, &Text::tone(Tone::Note, "stays: ").add(Tone::Plain, what));
    }
}

/// `3 Deployment  3 Service  3 Ingress`
fn kinds(items: &[&ReachItem], page: &mut Page) {
    if items.is_empty() {
        return;
    }
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for item in items {
        *kinds.entry(&item.key.kind).or_default() += 1;
    }
    let words: Vec<String> = kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    page.wrapped(8, 8, &Text::plain(&words.join(", ")));
}

/// kubectl's short name of the kinds that a reach is mostly made of.
fn short(kind: &str) -> &str {
    match kind {
        "PersistentVolumeClaim" => "pvc",
        "Deployment" => "deploy",
        "StatefulSet" => "sts",
        "DaemonSet" => "ds",
        "ConfigMap" => "cm",
        "Service" => "svc",
        "ServiceAccount" => "sa",
        "HelmRelease" => "hr",
        other => other,
    }
}

fn list(change: &Change, items: &[&ReachItem], full: bool, page: &mut Page) {
    let mut sorted: Vec<&&ReachItem> = items.iter().collect();
    sorted.sort_by(|a, b| b.risk.cmp(&a.risk).then_with(|| a.key.cmp(&b.key)));
    let names: Vec<(String, &ReachItem)> = sorted
        .into_iter()
        .map(|item| {
            let name = if item.key.namespace == change.key.namespace {
                format!("{}/{}", short(&item.key.kind), item.key.name)
            } else {
                item.key.human()
            };
            (name, *item)
        })
        .collect();
    let widest = names.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let column = 8 + widest.min(36) + 2;
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut hidden = 0;
    for (name, item) in &names {
        let n = seen.entry(&item.key.kind).or_default();
        *n += 1;
        if !full && *n > ONE_BY_ONE && item.key.kind != "PersistentVolumeClaim" {
            hidden += 1;
            continue;
        }
        let mut right = Text::default();
        match item.risk {
            Risk::DataLoss => right = right.add(Tone::Danger, "DATA LOSS"),
            Risk::Irreversible => right = right.add(Tone::Bad, "irreversible"),
            Risk::Disruptive | Risk::Safe => {}
        }
        if !item.detail.is_empty() {
            if !right.is_empty() {
                right = right.add(Tone::Plain, "  ");
            }
            right = right.add(Tone::Plain, &item.detail);
        }
        page.columns(8, &Text::plain(name), column, &right);
    }
    if hidden > 0 {
        page.line(8, &Text::plain(&format!("... and {} (--full)", count(hidden, "more", "more"))));
    }
}
