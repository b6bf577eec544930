//! A plan as people read it: a list in the order of apply.
//!
//! What is written here must be enough to say yes or no by: nothing that a plan will do is left out, and
//! what is cut for length says how to see the rest. Unchanged resources that work are only counted.

mod change;
mod fields;
mod reach;
mod summary;

pub(super) use change::masked;
pub(crate) use summary::data_loss;

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::page::{Layout, Page, Text, Tone};
use super::problem;
use super::time::ago;
use super::value;
use crate::address::Address;
use crate::diag::SourceMap;
use crate::plan::{Action, Change, NotOurs, Only, Plan};

/// Resources that a line of the head names at most.
const NAMED: usize = 6;

/// How a plan is shown.
#[derive(Debug, Clone, Copy)]
pub struct PlanView<'a> {
    /// Show everything: no-op resources, whole manifests, long texts, every object of a reach.
    pub full: bool,
    /// Colour and width.
    pub layout: Layout,
    /// For relative times.
    pub now: Timestamp,
    /// Addresses whose loss of data was allowed already.
    pub allowed: &'a BTreeSet<Address>,
    /// Where the problems' spans point into.
    pub sources: Option<&'a SourceMap>,
}

/// The whole plan as text.
#[must_use]
pub fn human(plan: &Plan, view: &PlanView<'_>) -> String {
    let mut page = Page::new(view.layout);
    head(plan, &mut page);
    let listed: Vec<&Change> = plan.changes.iter().filter(|c| is_listed(c, view.full)).collect();
    if !listed.is_empty() {
        page.blank();
        let frame = change::Frame::of(plan, &listed);
        for change in listed {
            change::show(change, &frame, view, &mut page);
        }
    }
    not_ours(&plan.not_ours, view, &mut page);
    if view.full && !plan.outputs.is_empty() {
        page.blank();
        page.line(2, &Text::tone(Tone::Strong, "Outputs"));
        for (name, output) in &plan.outputs {
            page.wrapped(4, 8, &Text::plain(&format!("{name} = {}", value::shown(output))));
        }
    }
    if !plan.problems.is_empty() {
        page.blank();
        for diagnostic in plan.problems.clone().sorted() {
            problem::diagnostic(&diagnostic, view.sources, &mut page);
        }
    }
    page.blank();
    summary::show(plan, view, &mut page);
    page.finish()
}

/// Whether the change has its own lines.
fn is_listed(change: &Change, full: bool) -> bool {
    full || change.action != Action::NoOp
        || change.not_ready.is_some()
        || change.moved_from.is_some()
        || change.broken.is_some()
        || !change.notes.is_empty()
}

fn head(plan: &Plan, page: &mut Page) {
    let cluster = &plan.cluster;
    let mut target = match &cluster.context {
        Some(context) => format!("context {context}"),
        None => String::new(),
    };
    if cluster.sandbox {
        "sandbox".clone_into(&mut target);
    }
    // Where the sandbox listens is another port each time, and nobody's business.
    let server = if cluster.sandbox { "" } else { cluster.server.as_str() };
    for part in [server, cluster.version.as_str()] {
        if !part.is_empty() {
            if !target.is_empty() {
                target.push_str(", ");
            }
            target.push_str(part);
        }
    }
    if cluster.server.is_empty() {
        "no cluster (offline)".clone_into(&mut target);
    }
    let left = Text::tone(Tone::Strong, &plan.stack).add(Tone::Plain, " -> ").add(Tone::Plain, &target);
    let right = match plan.serial {
        0 => "state: new".to_owned(),
        serial => format!("state: serial {serial}"),
    };
    page.ends(&left, &Text::tone(Tone::Dim, &right));
    if let Some(only) = &plan.only {
        confined(only, page);
    }
    if let Some(serial) = plan.returns_to {
        page.wrapped(0, 2, &Text::tone(Tone::Note, &format!("Back to revision {serial}.")));
    }
    if let Some(serial) = plan.forward_from {
        let text = format!("The last apply went back to revision {serial}; this plan goes forward again.");
        page.wrapped(0, 2, &Text::tone(Tone::Note, &text));
    }
}

/// What a plan that is not about everything is about, and how much it leaves out.
fn confined(only: &Only, page: &mut Page) {
    let text = match only {
        Only::Release => "Only letting go: the objects stay in the cluster.".to_owned(),
        Only::Refresh => "Only the state: what is gone from the cluster leaves it.".to_owned(),
        Only::Part { along, left_out } => {
            let names = |set: &BTreeSet<Address>| {
                let names: Vec<String> = set.iter().take(NAMED).map(ToString::to_string).collect();
                let more = set.len().saturating_sub(NAMED);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!("{}{more}", names.join(", "))
            };
            let mut text = if left_out.is_empty() {
                "The whole stack: nothing is left out".to_owned()
            } else {
                format!("Only a part: {} left out ({})", left_out.len(), names(left_out))
            };
            if !along.is_empty() {
                text.extend(["; along with what was named: ", &names(along)]);
            }
            text.push('.');
            text
        }
    };
    page.wrapped(0, 2, &Text::tone(Tone::Note, &text));
}

fn not_ours(list: &[NotOurs], view: &PlanView<'_>, page: &mut Page) {
    if list.is_empty() {
        return;
    }
    page.blank();
    page.line(2, &Text::tone(Tone::Strong, &format!("Not ours, left alone ({})", list.len())));
    for field in list {
        let what = Text::plain(&field.address.to_string())
            .add(Tone::Plain, "  ")
            .add(Tone::Plain, &format!("{} = {}", field.path, value::shown(&field.value)));
        page.wrapped(4, 8, &what);
        let mut by = format!("set by {}", field.manager);
        if let Some(time) = &field.time {
            by.push_str(", ");
            by.push_str(&ago(time, view.now));
        }
        let mut text = Text::tone(Tone::Dim, &by);
        if let Some(effect) = &field.effect {
            text = text.add(Tone::Dim, "; ").add(Tone::Note, effect);
        }
        page.wrapped(8, 8, &text);
    }
}

#[cfg(test)]
pub(super) mod samples;
#[cfg(test)]
mod tests;
