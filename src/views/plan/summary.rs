//! The lines a plan ends with: how much, how dangerous, how far it was checked.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::PlanView;
use crate::diag::Severity;
use crate::plan::{Action, Change, Fidelity, Plan, Risk};
use crate::views::page::{Page, Text, Tone, count};

/// Resources that share a reason are listed up to this number.
const LISTED: usize = 4;

pub(super) fn show(plan: &Plan, view: &PlanView<'_>, page: &mut Page) {
    page.wrapped(0, 2, &totals(plan));
    let broken = number(plan, |c| c.broken.is_some());
    if broken > 0 {
        let text = format!("The cluster moved on: {} not made.", count(broken, "change is", "changes are"));
        page.line(0, &Text::tone(Tone::Danger, &text));
    }
    unchanged(plan, view, page);
    checked(plan, view, page);
    if !plan.left_behind.is_empty() {
        page.wrapped(0, 2, &Text::plain(&format!("Left behind: {}", plan.left_behind.join(", "))));
    }
    let lost: Vec<&Change> = plan
        .changes
        .iter()
        .filter(|c| c.risk == Risk::DataLoss && acts(c) && !view.allowed.contains(&c.address))
        .collect();
    if !lost.is_empty() && !plan.problems.has_errors() {
        page.line(0, &Text::tone(Tone::Danger, "Needs your consent to lose data:"));
        for change in lost {
            page.line(2, &Text::plain(&format!("--allow {}", data_loss(&change.address.to_string()))));
        }
    }
    let errors = errors(plan);
    if errors > 0 {
        let text = format!("This plan cannot be applied: {}.", count(errors, "error", "errors"));
        page.line(0, &Text::tone(Tone::Danger, &text));
    }
}

/// The value of `--allow` that names this address, quoted for a shell where it needs to be.
pub(crate) fn data_loss(address: &str) -> String {
    let word = format!("data-loss={address}");
    if word.contains(['"', '[', ' ']) { format!("'{}'", word.replace('\'', "'\\''")) } else { word }
}

fn errors(plan: &Plan) -> usize {
    plan.problems.0.iter().filter(|d| d.severity == Severity::Error).count()
}

fn totals(plan: &Plan) -> Text {
    let of = |action: Action| number(plan, |c| c.action == action && !c.reinstalls);
    let parts: Vec<String> = [
        (of(Action::Create), "to create"),
        (of(Action::Update), "to change"),
        (of(Action::Replace), "to replace"),
        (number(plan, |c| c.reinstalls), "to reinstall"),
        (of(Action::Adopt), "to adopt"),
        (of(Action::Forget), "to forget"),
        (of(Action::Delete), "to delete"),
        (of(Action::Keep), "kept"),
    ]
    .iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, word)| format!("{n} {word}"))
    .collect();
    let broken = number(plan, |c| c.not_ready.is_some() && c.action == Action::NoOp);
    let mut text = if parts.is_empty() && broken == 0 && plan.problems.has_errors() {
        Text::tone(Tone::Strong, "Plan: nothing could be planned.")
    } else if parts.is_empty() && broken == 0 {
        Text::tone(Tone::Good, "No changes.").add(
            Tone::Plain,
            if plan.destroy {
                " This stack owns nothing."
            } else if plan.only.is_some() {
                " Nothing of what was asked about differs."
            } else if plan.returns_to.is_some() {
                " The cluster is as that revision says, and everything works."
            } else {
                " The cluster is as the stack says, and everything works."
            },
        )
    } else if parts.is_empty() {
        Text::tone(Tone::Strong, "Plan: nothing to change.")
    } else {
        Text::tone(Tone::Strong, &format!("Plan: {}.", parts.join(", ")))
    };
    if plan.has_changes() {
        text = risks(plan, text);
    }
    if broken > 0 {
        let broken = count(broken, "resource does not work.", "resources do not work.");
        text = text.add(Tone::Plain, " ").add(Tone::Danger, &broken);
    }
    text
}

fn number(plan: &Plan, test: impl Fn(&Change) -> bool) -> usize {
    plan.changes.iter().filter(|change| test(change)).count()
}

/// Whether the change does something: its risk counts.
fn acts(change: &Change) -> bool {
    !matches!(change.action, Action::NoOp | Action::Keep)
}

fn risks(plan: &Plan, mut text: Text) -> Text {
    for (risk, word, tone) in
        [(Risk::Disruptive, "disruptive", Tone::Change), (Risk::Irreversible, "irreversible", Tone::Bad)]
    {
        let n = number(plan, |c| c.risk == risk && acts(c));
        if n > 0 {
            text = text.add(Tone::Plain, " ").add(tone, &format!("{n} {word}."));
        }
    }
    let lost = number(plan, |c| c.risk == Risk::DataLoss && acts(c));
    let only_new =
        plan.changes.iter().all(|c| matches!(c.action, Action::Create | Action::NoOp | Action::Keep));
    if lost > 0 {
        text.add(Tone::Plain, " ").add(Tone::Danger, &format!("DATA LOSS in {lost}."))
    } else if only_new && plan.risk() == Risk::Safe {
        text.add(Tone::Plain, " Nothing changed, deleted or at risk.")
    } else {
        text.add(Tone::Plain, " No data at risk.")
    }
}

/// How many are unchanged, and how many of them were not asked about because the server's own record of
/// the object proves it. That record does not tell of admission rules changed since.
fn unchanged(plan: &Plan, view: &PlanView<'_>, page: &mut Page) {
    let calm = plan.changes.iter().filter(|c| c.action == Action::NoOp && c.not_ready.is_none());
    let (mut all, mut proven, mut serial) = (0, 0, None);
    for change in calm {
        all += 1;
        if let Some(since) = change.unchanged_since {
            proven += 1;
            serial = serial.max(Some(since));
        }
    }
    if all == 0 || view.full {
        return;
    }
    let mut text = format!("Unchanged: {all}");
    if let Some(serial) = serial {
        let which = if proven == all { String::new() } else { format!("{proven} of them ") };
        write!(text, ", {which}since serial {serial} (--refresh=full dry-runs them again)")
            .expect("writing to a String cannot fail");
    }
    text.push('.');
    page.wrapped(0, 2, &Text::tone(Tone::Dim, &text));
}

/// Only what is not fully checked is named, with the reason.
fn checked(plan: &Plan, view: &PlanView<'_>, page: &mut Page) {
    let written: Vec<&Change> = plan
        .changes
        .iter()
        .filter(|c| {
            matches!(c.action, Action::Create | Action::Update | Action::Replace | Action::Adopt)
                || (c.action == Action::NoOp && c.fidelity != Fidelity::Server)
        })
        .collect();
    let mut open: BTreeMap<(Fidelity, &str), Vec<String>> = BTreeMap::new();
    for change in written.iter().filter(|c| c.fidelity != Fidelity::Server) {
        let reason = change.fidelity_reason.as_deref().unwrap_or_default();
        open.entry((change.fidelity, reason)).or_default().push(change.address.to_string());
    }
    let left: usize = open.values().map(Vec::len).sum();
    if left == 0 {
        return;
    }
    let text =
        format!("Checked by the server: {} of {}. Not fully: {left}", written.len() - left, written.len());
    page.line(0, &Text::plain(&text));
    for ((fidelity, reason), addresses) in open {
        let how = match fidelity {
            Fidelity::StandIn => "dry-run in a stand-in namespace",
            Fidelity::Schema => "checked against its schema only",
            Fidelity::Offline => "not checked",
            Fidelity::Server => continue,
        };
        let why = if reason.is_empty() { how.to_owned() } else { format!("{how}: {reason}") };
        let shown = if view.full || addresses.len() <= LISTED { addresses.len() } else { LISTED - 1 };
        let mut names = addresses[..shown].join(", ");
        if shown < addresses.len() {
            write!(names, " and {} more", addresses.len() - shown).expect("writing to a String cannot fail");
        }
        page.wrapped(2, 6, &Text::plain(&names));
        page.wrapped(6, 8, &Text::tone(Tone::Dim, &why));
    }
}
