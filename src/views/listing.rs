//! Outputs, what the state holds, and what was applied when.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::page::{Layout, Page, Text, Tone};
use super::time::{ago, exact, moment, whole};
use super::value;
use crate::address::Address;
use crate::state::{Owned, Revision, State};

/// Outputs by name, values below each other; a value of several lines stands below its name.
#[must_use]
pub fn outputs(outputs: &BTreeMap<String, Value>, layout: Layout) -> String {
    let mut page = Page::new(layout);
    let widest = outputs.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    for (name, output) in outputs {
        let left = Text::tone(Tone::Strong, name);
        match output {
            Value::String(text) if text.contains('\n') => {
                page.line(2, &left);
                for line in text.lines() {
                    page.line(6, &Text::plain(line));
                }
            }
            other => page.columns(2, &left, widest + 5, &Text::plain(&value::inline(other))),
        }
    }
    page.finish()
}

/// Every owned object by address; former objects below their address.
#[must_use]
pub fn resources(state: &State, layout: Layout) -> String {
    let mut page = Page::new(layout);
    let widest = state.resources.keys().map(|address| address.to_string().chars().count()).max().unwrap_or(0);
    for (address, owned) in &state.resources {
        let left = Text::tone(Tone::Strong, &address.to_string());
        let mut right = Text::plain(&owned.key.human());
        if owned.protect {
            right = right.add(Tone::Note, "  protected");
        }
        page.columns(0, &left, widest.min(44) + 3, &right);
        for former in &owned.former {
            let what = Text::tone(Tone::Dim, "formerly ").add(Tone::Plain, &former.key.human());
            page.line(4, &what);
        }
    }
    if state.resources.is_empty() {
        page.line(0, &Text::plain("This stack owns nothing."));
    }
    page.finish()
}

/// What is known about one resource. Values are kept as keyed digests only, so none can be shown.
#[must_use]
pub fn resource(address: &Address, owned: &Owned, layout: Layout) -> String {
    let mut page = Page::new(layout);
    page.line(0, &Text::tone(Tone::Strong, &address.to_string()));
    let mut row = |name: &str, text: &str| {
        page.columns(2, &Text::tone(Tone::Dim, name), 20, &Text::plain(text));
    };
    row("object", &owned.key.human());
    row("apiVersion", &owned.api_version);
    row("uid", &owned.uid);
    row("resourceVersion", owned.resource_version.as_deref().unwrap_or("not known"));
    row("last written", &format!("serial {}", owned.since_serial));
    row("worked then", if owned.was_ready { "yes" } else { "no" });
    row("protected", if owned.protect { "yes" } else { "no" });
    if let Some(usual) = owned.usual() {
        row("usually takes", &whole(usual));
    }
    for to in &owned.depends_on {
        row("depends on", &to.to_string());
    }
    for former in &owned.former {
        row("formerly", &format!("{}, uid {}", former.key.human(), former.uid));
    }
    for (path, manager) in &owned.fights {
        row("taken back", &format!("{path} from {manager}"));
    }
    if !owned.owned.is_empty() {
        page.line(2, &Text::tone(Tone::Dim, &format!("fields we own ({})", owned.owned.len())));
        for path in owned.owned.keys() {
            page.line(4, &Text::plain(&path.to_string()));
        }
    }
    page.finish()
}

/// Revisions, the newest first; a damaged one says so in its place.
#[must_use]
pub fn histories(
    revisions: &[(u64, Result<Revision, crate::state::Error>)],
    now: Timestamp,
    layout: Layout,
) -> String {
    let mut page = Page::new(layout);
    if revisions.is_empty() {
        page.line(0, &Text::plain("Nothing was applied yet."));
        return page.finish();
    }
    let head = format!("{:>6}  {:<20}  {:<16}  {:<20}  {:>6}  works", "serial", "when", "by", "what", "took");
    page.line(0, &Text::tone(Tone::Dim, &head));
    for (serial, revision) in revisions {
        match revision {
            Ok(revision) => {
                let at = revision.at.to_string();
                let said = ago(&at, now);
                let when = if said.contains("ago") || said == "just now" { said } else { moment(&at) };
                let took = exact(std::time::Duration::from_millis(revision.took));
                let line = format!(
                    "{serial:>6}  {when:<20}  {:<16}  {:<20}  {took:>6}  ",
                    revision.by,
                    what(revision)
                );
                let works =
                    if revision.ready { Text::tone(Tone::Good, "yes") } else { Text::tone(Tone::Bad, "no") };
                page.line(0, &Text::plain(&line).join(works));
            }
            Err(error) => {
                let text = Text::plain(&format!("{serial:>6}  ")).add(Tone::Danger, &error.to_string());
                page.wrapped(0, 8, &text);
            }
        }
    }
    page.finish()
}

/// `+5 ~1 -/+1 -2`, and what failed.
fn what(revision: &Revision) -> String {
    let counts = &revision.changes;
    let parts: Vec<String> = [
        ("+", counts.create),
        ("~", counts.update),
        ("-/+", counts.replace),
        ("-", counts.delete),
        ("<-", counts.adopt),
        ("x", counts.forget),
    ]
    .iter()
    .filter(|(_, n)| *n > 0)
    .map(|(symbol, n)| format!("{symbol}{n}"))
    .collect();
    let mut text = if parts.is_empty() { "nothing".to_owned() } else { parts.join(" ") };
    match (revision.operation.as_str(), revision.returned_to) {
        ("apply", None) => {}
        (operation, None) => text = format!("{operation} {text}"),
        (operation, Some(serial)) => text = format!("{operation} to {serial}: {text}"),
    }
    if counts.failed > 0 {
        write!(text, ", {} failed", counts.failed).expect("writing to a String cannot fail");
    }
    text
}

/// Revisions as JSON, without their manifests.
#[must_use]
pub fn histories_json(revisions: &[(u64, Result<Revision, crate::state::Error>)]) -> Value {
    let list = revisions.iter().map(|(serial, revision)| match revision {
        Ok(revision) => json!({
            "serial": serial,
            "operation": revision.operation,
            "returned_to": revision.returned_to,
            "at": revision.at.to_string(),
            "by": revision.by,
            "took_ms": revision.took,
            "ready": revision.ready,
            "changes": revision.changes,
            "tool_version": revision.tool_version,
        }),
        Err(error) => json!({ "serial": serial, "error": error.to_string() }),
    });
    json!({ "format_version": super::json::FORMAT_VERSION, "revisions": list.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{ChangeCounts, Former, FormerStatus};

    fn state() -> State {
        let mut state = State::new("5f0c8a52", "arr", "stacks/arr.toml");
        let mut claim =
            Owned::new("PersistentVolumeClaim/tenant-media/media-pvc".parse().unwrap(), "v1", "0a1b");
        claim.protect = true;
        claim.was_ready = true;
        claim.since_serial = 3;
        claim.resource_version = Some("812".into());
        claim.took(std::time::Duration::from_secs(3));
        claim.depends_on = vec!["namespace.tenant-media".parse().unwrap()];
        claim.owned = [
            ("spec.accessModes".parse().unwrap(), None),
            ("spec.resources.requests.storage".parse().unwrap(), None),
        ]
        .into();
        claim.former = vec![Former {
            key: "PersistentVolumeClaim/tenant-media/old".parse().unwrap(),
            api_version: "v1".into(),
            uid: "9z".into(),
            status: FormerStatus::Kept,
        }];
        state.resources.insert("persistent_volume_claim.media-pvc".parse().unwrap(), claim);
        let release = Owned::new(
            "HelmRelease.helm.toolkit.fluxcd.io/tenant-media/arr".parse().unwrap(),
            "helm.toolkit.fluxcd.io/v2",
            "7c",
        );
        state.resources.insert("helm_release.app[\"sonarr\"]".parse().unwrap(), release);
        state
    }

    #[test]
    fn lists_and_shows() {
        let state = state();
        let address: Address = "persistent_volume_claim.media-pvc".parse().unwrap();
        let text = format!(
            "{}---\n{}---\n{}",
            resources(&state, Layout::PLAIN),
            resource(&address, &state.resources[&address], Layout::PLAIN),
            resources(&State::new("l", "s", "f"), Layout::PLAIN),
        );
        insta::assert_snapshot!(text);
    }

    #[test]
    fn tells_history() {
        let revision = |serial, at: &str, operation: &str, changes, ready| {
            let revision = Revision {
                format_version: 1,
                lineage: "l".into(),
                serial,
                stack: "arr".into(),
                tool_version: "0.1.0".into(),
                key_id: "k".into(),
                operation: operation.into(),
                at: at.parse().unwrap(),
                by: "admin@home".into(),
                changes,
                took: 57_000,
                ready,
                returned_to: (operation == "rollback").then_some(1),
                resources: BTreeMap::new(),
                existing: BTreeMap::new(),
                outputs: BTreeMap::new(),
            };
            (serial, Ok(revision))
        };
        let list = [
            revision(
                3,
                "2026-11-22T11:40:00Z",
                "destroy",
                ChangeCounts { delete: 3, ..ChangeCounts::default() },
                true,
            ),
            revision(
                2,
                "2026-11-21T12:40:00Z",
                "apply",
                ChangeCounts { update: 1, replace: 1, failed: 2, ..ChangeCounts::default() },
                false,
            ),
            revision(
                1,
                "2026-01-03T10:00:00Z",
                "apply",
                ChangeCounts { create: 5, ..ChangeCounts::default() },
                true,
            ),
        ];
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        insta::assert_snapshot!(histories(&list, now, Layout::PLAIN));
        insta::assert_snapshot!(outputs(
            &[
                ("sonarr".to_owned(), json!("https://x")),
                ("n".to_owned(), json!(5)),
                ("ca".to_owned(), json!("a\nb"))
            ]
            .into(),
            Layout::PLAIN
        ));
    }
}
