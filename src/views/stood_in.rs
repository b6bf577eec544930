//! What a run in the sandbox did not really do.

use super::page::{Layout, Page, Text, Tone};
use crate::ops::Sources;
use crate::plan::{Action, Change, Plan};

/// Lists, by what the plan left in the sandbox, what was stood in for; nothing after a destroy.
#[must_use]
pub fn stood_in(plan: &Plan, sources: &Sources, layout: Layout) -> String {
    let mut said: Vec<(&'static str, Vec<String>)> = Vec::new();
    if plan.destroy {
        return String::new();
    }
    let stays = |change: &&Change| !matches!(change.action, Action::Delete | Action::Forget);
    for change in plan.changes.iter().filter(stays) {
        let Some(what) = of(change, sources) else { continue };
        let address = change.address.to_string();
        match said.iter_mut().find(|(known, _)| *known == what) {
            Some((_, addresses)) => addresses.push(address),
            None => said.push((what, vec![address])),
        }
    }
    let mut page = Page::new(layout);
    if said.is_empty() {
        return page.finish();
    }
    page.line(0, &Text::tone(Tone::Strong, "Stood in for, in the sandbox:"));
    for (what, addresses) in said {
        let shown = addresses.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
        let more = addresses.len().saturating_sub(3);
        let who = if more == 0 { shown } else { format!("{shown} and {more} more") };
        page.wrapped(2, 6, &Text::plain(&who).add(Tone::Dim, ": ").add(Tone::Dim, what));
    }
    page.finish()
}

/// What a stand-in did not do for the object of a change.
fn of(change: &Change, sources: &Sources) -> Option<&'static str> {
    let key = &change.key;
    let namespace = key.namespace.as_deref().unwrap_or_default();
    Some(match (key.group.as_str(), key.kind.as_str()) {
        ("", "PersistentVolumeClaim") => "the volume is a record, there is no disk",
        ("", "Pod") | ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") => {
            "pods are records, no container runs"
        }
        ("batch", "Job") => "its pods are said to be done, no container ran",
        ("batch", "CronJob") => "it is never due",
        ("source.toolkit.fluxcd.io", "GitRepository") => match sources.get(namespace, &key.name) {
            Some(_) => "read from the folder in [sources], not from its URL",
            None => "not fetched: no [sources] entry names a folder for it",
        },
        ("source.toolkit.fluxcd.io", "HelmChart") => "looked up, not packaged",
        ("source.toolkit.fluxcd.io", _) => "not fetched",
        ("helm.toolkit.fluxcd.io", "HelmRelease") => "recorded, not rendered: none of its objects were made",
        ("kustomize.toolkit.fluxcd.io", "Kustomization") => "recorded, nothing of it was applied",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::plan::samples;

    #[test]
    fn everything_that_is_not_real_is_named_once() {
        let change = |address: &str, key: &str, action| {
            Change::new(address.parse().unwrap(), key.parse().unwrap(), action)
        };
        let release = "HelmRelease.helm.toolkit.fluxcd.io/media";
        let plan = samples::plan(
            0,
            vec![
                change("namespace.media", "Namespace/media", Action::Create),
                change("persistent_volume_claim.media", "PersistentVolumeClaim/media/media", Action::NoOp),
                change("helm_release.a", &format!("{release}/a"), Action::Create),
                change("helm_release.b", &format!("{release}/b"), Action::Create),
                change("deployment.gone", "Deployment.apps/media/gone", Action::Delete),
                change("git_repository.c", "GitRepository.source.toolkit.fluxcd.io/media/c", Action::Create),
            ],
        );
        insta::assert_snapshot!(stood_in(&plan, &Sources::default(), Layout::PLAIN), @r"
        Stood in for, in the sandbox:
          persistent_volume_claim.media: the volume is a record, there is no disk
          helm_release.a, helm_release.b: recorded, not rendered: none of its objects
              were made
          git_repository.c: not fetched: no [sources] entry names a folder for it
        ");
        let destroy = Plan { destroy: true, ..plan };
        assert_eq!(stood_in(&destroy, &Sources::default(), Layout::PLAIN), "");
    }
}
