//! The plan as JSON.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{FORMAT_VERSION, diagnostics};
use crate::diag::SourceMap;
use crate::plan::{Action, Change, Plan};
use crate::views::plan::masked;

/// The whole plan, every field of it that a program could decide by.
#[must_use]
pub fn plan(plan: &Plan, sources: Option<&SourceMap>) -> Value {
    json!({
        "format_version": FORMAT_VERSION,
        "tool_version": env!("CARGO_PKG_VERSION"),
        "stack": plan.stack,
        "destroy": plan.destroy,
        "returns_to": plan.returns_to,
        "forward_from": plan.forward_from,
        "only": value(&plan.only),
        "lineage": plan.lineage,
        "serial": plan.serial,
        "cluster": {
            "context": plan.cluster.context,
            "server": plan.cluster.server,
            "sandbox": plan.cluster.sandbox,
            "version": plan.cluster.version,
            "identity": plan.cluster.identity,
        },
        "applicable": !plan.problems.has_errors(),
        "has_changes": plan.has_changes(),
        "risk": plan.risk(),
        "summary": summary(plan),
        "changes": plan.changes.iter().map(change).collect::<Vec<_>>(),
        "not_ours": value(&plan.not_ours),
        "left_behind": plan.left_behind,
        "problems": diagnostics(&plan.problems, sources),
        "outputs": value(&plan.outputs),
    })
}

fn summary(plan: &Plan) -> Value {
    let number = |action: Action| plan.changes.iter().filter(|c| c.action == action).count();
    json!({
        "create": number(Action::Create),
        "update": number(Action::Update),
        "replace": number(Action::Replace),
        "delete": number(Action::Delete),
        "adopt": number(Action::Adopt),
        "forget": number(Action::Forget),
        "keep": number(Action::Keep),
        "no-op": number(Action::NoOp),
        "reinstalls": plan.changes.iter().filter(|c| c.reinstalls).count(),
        "not_ready": plan.changes.iter().filter(|c| c.not_ready.is_some()).count(),
    })
}

fn change(change: &Change) -> Value {
    let mut json = planned(change);
    if let (Some(lines), Some(members)) = (&change.broken, json.as_object_mut()) {
        members.insert("broken".to_owned(), json!(lines));
    }
    json
}

fn planned(change: &Change) -> Value {
    let api_version = change.api.as_ref().map(|api| {
        if api.group.is_empty() { api.version.clone() } else { format!("{}/{}", api.group, api.version) }
    });
    let not_ready = change.not_ready.as_ref().map(|n| {
        let chain: Vec<Value> = n
            .chain
            .iter()
            .map(
                |(object, reason, message)| json!({ "object": object, "reason": reason, "message": message }),
            )
            .collect();
        json!({ "reason": n.reason, "since": n.since, "chain": chain })
    });
    let write = change.write.as_ref();
    json!({
        "address": change.address,
        "object": change.key,
        "api_version": api_version,
        "moved_from": change.moved_from,
        "action": change.action,
        "reason": change.reason,
        "fields": value(&change.fields),
        "risk": change.risk,
        "reach": value(&change.reach),
        "reinstalls": change.reinstalls,
        "fidelity": change.fidelity,
        "fidelity_reason": change.fidelity_reason,
        "guard": value(&change.guard),
        "notes": change.notes,
        "not_ready": not_ready,
        "unchanged_since": change.unchanged_since,
        "manifest": write.map(masked),
        "known_after_apply": write.map_or_else(Vec::new, |w| w.unknown.iter().map(ToString::to_string).collect()),
        "force": write.map_or_else(|| json!([]), |w| value(&w.force)),
        "protect": change.protect,
        "take_away": write.map_or_else(Vec::new, |w| w.remove.iter().map(ToString::to_string).collect()),
        "after": change.after,
        "former": change.former,
        "depends_on": change.depends_on.iter().map(|(to, why)| (to.to_string(), json!(why))).collect::<Map<_, _>>(),
        "location": change.location,
        "timeout_seconds": change.timeout,
    })
}

/// Plain data of the plan cannot fail to serialise: its maps have text keys.
fn value(data: &impl Serialize) -> Value {
    serde_json::to_value(data).unwrap_or(Value::Null)
}
