//! Probes and hooks of a container.

use serde_json::Value;

use crate::sandbox::kinds::Look as _;
use crate::sandbox::kinds::rules::service::port_or_name;
use crate::sandbox::meta::{At, Causes};

/// Checks the probes.
pub(super) fn check(causes: &mut Causes, container: &Value, at: &At) {
    for kind in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = container.some(kind) else { continue };
        let at = at.child(kind);
        handler(causes, probe, None, &at);
        for field in
            ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
        {
            causes.non_negative(&at.child(field), probe.int(field));
        }
        let grace = probe.int("terminationGracePeriodSeconds");
        let at_grace = at.child("terminationGracePeriodSeconds");
        if let Some(seconds) = grace.filter(|seconds| *seconds <= 0) {
            causes.invalid(&at_grace, seconds, "must be greater than 0");
        }
        if kind == "readinessProbe" {
            if let Some(seconds) = grace {
                causes.invalid(&at_grace, seconds, "must not be set for readinessProbes");
            }
        } else if let Some(threshold) = probe.int("successThreshold").filter(|threshold| *threshold != 1) {
            causes.invalid(&at.child("successThreshold"), threshold, "must be 1");
        }
    }
}

/// Checks the hooks.
pub(super) fn lifecycle(causes: &mut Causes, container: &Value, spec: &Value, at: &At) {
    let Some(lifecycle) = container.some("lifecycle") else { return };
    for hook in ["postStart", "preStop"] {
        if let Some(handled) = lifecycle.some(hook) {
            let grace = spec.int("terminationGracePeriodSeconds");
            handler(causes, handled, grace, &at.child("lifecycle").child(hook));
        }
    }
    if lifecycle.some("stopSignal").is_some() && spec["os"].text("name").is_empty() {
        let at = at.child("lifecycle.stopSignal");
        causes.forbidden(&at, "may not be set for containers with empty `spec.os.name`");
    }
}

fn handler(causes: &mut Causes, handled: &Value, grace: Option<i64>, at: &At) {
    let mut is_first = true;
    for kind in ["exec", "httpGet", "tcpSocket", "grpc", "sleep"] {
        let Some(action) = handled.some(kind) else { continue };
        let at = at.child(kind);
        if !is_first {
            causes.forbidden(&at, "may not specify more than 1 handler type");
            continue;
        }
        is_first = false;
        match kind {
            "exec" if action.items("command").is_empty() => causes.required(&at.child("command"), ""),
            "httpGet" => http(causes, action, &at),
            "tcpSocket" | "grpc" => port_or_name(causes, &action["port"], &at.child("port")),
            "sleep" => {
                let seconds = action.int("seconds").unwrap_or_default();
                if let Some(grace) = grace.filter(|grace| !(0..=*grace).contains(&seconds)) {
                    let detail =
                        format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
                    causes.invalid(&at, seconds, &detail);
                }
            }
            _ => {}
        }
    }
    if is_first {
        causes.required(at, "must specify a handler type");
    }
}

fn http(causes: &mut Causes, action: &Value, at: &At) {
    if action.text("path").is_empty() {
        causes.required(&at.child("path"), "");
    }
    port_or_name(causes, &action["port"], &at.child("port"));
    let scheme = action.text("scheme");
    if !matches!(scheme, "HTTP" | "HTTPS") {
        causes.not_supported(&at.child("scheme"), scheme, &["HTTP", "HTTPS"]);
    }
    for header in action.items("httpHeaders") {
        let name = header.text("name");
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            let detail = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. \
                          'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
            causes.invalid(&at.child("httpHeaders"), name, detail);
        }
    }
}
