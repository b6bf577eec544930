//! The stream of an apply: one JSON object a line.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::FORMAT_VERSION;
use crate::apply::{Event, EventKind};

/// The line that starts the stream: the plan that is about to be applied.
#[must_use]
pub fn plan_line(plan: &Value) -> Value {
    json!({ "format_version": FORMAT_VERSION, "type": "plan", "plan": plan })
}

/// The line that ends the stream of a run that did everything.
#[must_use]
pub fn outputs(outputs: &BTreeMap<String, Value>) -> Value {
    json!({ "format_version": FORMAT_VERSION, "type": "outputs", "outputs": outputs })
}

/// One event. Durations are whole milliseconds.
#[must_use]
pub fn event(event: &Event) -> Value {
    let mut line = Map::new();
    let mut put = |key: &str, value: Value| {
        line.insert(key.to_owned(), value);
    };
    put("format_version", json!(FORMAT_VERSION));
    put("elapsed_ms", millis(event.elapsed));
    let kind = match &event.kind {
        EventKind::Started { total } => {
            put("total", json!(total));
            "started"
        }
        EventKind::ChangeStarted { address, action, usual } => {
            put("address", json!(address));
            put("action", json!(action));
            put("usual_ms", usual.map_or(Value::Null, millis));
            "change-started"
        }
        EventKind::Written { address } => {
            put("address", json!(address));
            "written"
        }
        EventKind::Waiting { address, what } => {
            put("address", json!(address));
            put("what", json!(what));
            "waiting"
        }
        EventKind::Done { address, action, took, detail } => {
            put("address", json!(address));
            put("action", json!(action));
            put("took_ms", millis(*took));
            put("detail", json!(detail));
            "done"
        }
        EventKind::Failed { address, action, took, lines } => {
            put("address", json!(address));
            put("action", json!(action));
            put("took_ms", millis(*took));
            put("lines", json!(lines));
            "failed"
        }
        EventKind::Skipped { address, cause } => {
            put("address", json!(address));
            put("cause", json!(cause));
            "skipped"
        }
        EventKind::Interrupted { address, written, in_doubt } => {
            put("address", json!(address));
            put("written", json!(written));
            put("in_doubt", json!(in_doubt));
            "interrupted"
        }
        EventKind::Stopping => "stopping",
        EventKind::Retrying { address, why, pause } => {
            put("address", json!(address));
            put("why", json!(why));
            put("pause_ms", millis(*pause));
            "retrying"
        }
        EventKind::Finished { summary } => {
            put("summary", json!(summary));
            "finished"
        }
    };
    put("type", json!(kind));
    Value::Object(line)
}

fn millis(duration: std::time::Duration) -> Value {
    json!(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
