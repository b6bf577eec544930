//! Objects that are there and not in state (design §5.4).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cluster::{Api, Error};
use crate::diag::Diagnostic;
use crate::fields::Entry;
use crate::object::Object;
use crate::path::FieldPath;
use crate::plan::assess::{Assessed, Assessor, Subject};
use crate::plan::update::Adoption;
use crate::plan::{Action, owned, refuse};

impl Assessor<'_> {
    /// Adopts an object that is there but not in state.
    pub(super) async fn adopt(
        &self,
        subject: &Subject<'_>,
        api: &Api,
        live: &Object,
        reason: &str,
    ) -> Result<Assessed, Error> {
        let mut assessed = if api.served_by == crate::cluster::ServedBy::Aggregated {
            let mut assessed = self.update_unchecked(subject, api, live).await?;
            if let Some(change) = &mut assessed.change {
                change.action = Action::Adopt;
                change.reason = Some(reason.to_owned());
                change.write.get_or_insert_with(|| Self::write(subject, subject.desired.body.clone()));
            }
            assessed.problems.extend(self.adoption_needs_consent(subject, live));
            assessed
        } else {
            let adoption = Adoption { reason: reason.to_owned() };
            let assessed = self.update(subject, api, live, Some(adoption)).await?;
            Assessed { not_ours: self.foreign_fields(subject, live), ..assessed }
        };
        if let Some(change) = assessed.change.as_mut().filter(|_| self.asked_to_replace(subject)) {
            change.notes.push("not made anew for --replace: it is not ours before this apply".to_owned());
        }
        Ok(assessed)
    }

    pub(super) fn adoption_needs_consent(&self, subject: &Subject<'_>, live: &Object) -> Option<Diagnostic> {
        if self.input.options.adopt.contains(&subject.resource.address) || live.mark().is_some() {
            return None;
        }
        let owner = foreign_owner(live)?;
        Some(refuse::needs_adopt(subject.resource, &owner))
    }
}

/// The managers whose entries on the main resource hold fields that we set: adoption moves these to us, or a
/// later removal of such a field would do nothing (measured).
pub(super) fn adopted_managers(live: &Object, ours: &BTreeSet<FieldPath>) -> Vec<String> {
    let entries = owned::entries(live);
    let holds = |entry: &&Entry| {
        !owned::is_ours(entry)
            && owned::is_plain_update(entry)
            && ours.iter().any(|path| owned::holds(entry, path))
    };
    let mut managers: Vec<String> = entries.iter().filter(holds).map(|entry| entry.manager.clone()).collect();
    managers.sort();
    managers.dedup();
    managers
}

/// Another tool that manages the object (PF-45), or its controlling owner.
pub(super) fn foreign_owner(live: &Object) -> Option<String> {
    let label = |key: &str| live.label(key).map(str::to_owned);
    for (group, what) in
        [("helm.toolkit.fluxcd.io", "HelmRelease"), ("kustomize.toolkit.fluxcd.io", "Kustomization")]
    {
        if let (Some(name), Some(namespace)) =
            (label(&format!("{group}/name")), label(&format!("{group}/namespace")))
        {
            return Some(format!("{what} {namespace}/{name}"));
        }
    }
    if let Some(kind) = label("apps.cozystack.io/application.kind") {
        let name = label("apps.cozystack.io/application.name").unwrap_or_default();
        return Some(format!("the Cozystack application {kind} {name}"));
    }
    if label("app.kubernetes.io/managed-by").as_deref() == Some("Helm")
        && let Some(release) = live.annotation("meta.helm.sh/release-name")
    {
        return Some(format!("the Helm release {release}"));
    }
    let controller = live.controller()?;
    let text = |key: &str| controller.get(key).and_then(Value::as_str).unwrap_or_default();
    Some(format!("its controller {} {}", text("kind"), text("name")))
}
