//! Cells about amounts: quotas and metrics.

use serde_json::Value;

use super::text::{amount, list, text};

/// What of a quota's requests and limits is used.
pub(super) fn quota(quota: &Value) -> [Value; 2] {
    let status = &quota["status"];
    let all: Vec<(bool, String)> = status["hard"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, hard)| {
            let used = amount(&status["used"][name], "0");
            (name.starts_with("limits."), format!("{name}: {used}/{}", amount(hard, "0")))
        })
        .collect();
    let joined = |limits: bool| {
        let parts: Vec<&str> =
            all.iter().filter(|(is, _)| *is == limits).map(|(_, text)| text.as_str()).collect();
        Value::from(parts.join(", "))
    };
    [joined(false), joined(true)]
}

/// What an autoscaler looks at.
pub(super) fn metrics(scaler: &Value) -> String {
    const MOST: usize = 2;
    let specs = list(&scaler["spec"], "metrics");
    let one = |(index, spec): (usize, &Value)| {
        let kind = match text(spec, "type") {
            "External" => "external",
            "Pods" => "pods",
            "Object" => "object",
            "Resource" => "resource",
            "ContainerResource" => "containerResource",
            _ => return "<unknown type>".to_owned(),
        };
        let (source, target) = (&spec[kind], &spec[kind]["target"]);
        let current = &scaler["status"]["currentMetrics"][index][kind]["current"];
        let now = |key: &str| amount(&current[key], "<unknown>");
        match kind {
            "resource" | "containerResource" => {
                let name = text(source, "name");
                if target["averageValue"].is_null() {
                    let percent = |value: &Value, none: &str| match value.as_i64() {
                        Some(percent) => format!("{percent}%"),
                        None => none.to_owned(),
                    };
                    let (now, wanted) = (&current["averageUtilization"], &target["averageUtilization"]);
                    format!("{name}: {}/{}", percent(now, "<unknown>"), percent(wanted, "<auto>"))
                } else {
                    format!("{name}: {}/{}", now("averageValue"), amount(&target["averageValue"], "0"))
                }
            }
            "pods" => format!("{}/{}", now("averageValue"), amount(&target["averageValue"], "0")),
            _ if target["averageValue"].is_null() => {
                format!("{}/{}", now("value"), amount(&target["value"], "0"))
            }
            _ => format!("{}/{} (avg)", now("averageValue"), amount(&target["averageValue"], "0")),
        }
    };
    let all: Vec<String> = specs.iter().enumerate().map(one).collect();
    match all.len() {
        0 => "<none>".to_owned(),
        count if count > MOST => format!("{} + {} more...", all[..MOST].join(", "), count - MOST),
        _ => all.join(", "),
    }
}
