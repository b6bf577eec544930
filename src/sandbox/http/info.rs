//! What the server tells about itself.

use hyper::Response;
use serde_json::json;

use super::answer::{self, Body};

/// The answer to a path that is about the server; `None` for another.
pub(super) fn answer(path: &str) -> Option<Response<Body>> {
    match path.trim_end_matches('/') {
        "/version" => Some(answer::json(200, &version())),
        "/readyz" | "/livez" | "/healthz" | "/readyz/ping" | "/livez/ping" | "/healthz/ping" => {
            Some(answer::text(200, "ok"))
        }
        _ => None,
    }
}

/// Whether a path is anybody's to ask.
pub(super) fn is_public(path: &str) -> bool {
    matches!(path.trim_end_matches('/'), "/version" | "/readyz" | "/livez" | "/healthz")
}

/// The version whose behaviour the sandbox is held to.
fn version() -> serde_json::Value {
    json!({
        "major": "1",
        "minor": "37",
        "emulationMajor": "1",
        "emulationMinor": "37",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "36",
        "gitVersion": "v1.37.1",
        "gitCommit": "arrplan-sandbox",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}
