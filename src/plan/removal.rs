//! What is in state and not desired: delete, keep or forget (design §5.1's other rows, D1–D3).

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, ObjectKey};
use crate::cluster::{Discovery, Error};
use crate::diag::Diagnostic;
use crate::object::Object;
use crate::plan::input::PlanInput;
use crate::plan::live::Live;
use crate::plan::reach::{self, Survey};
use crate::plan::{Action, Change, Fidelity, Guard, guard, refuse};
use crate::stack::Removed;
use crate::state::{FormerStatus, Owned};
use crate::status;

/// One object that state owns and nobody wants.
#[derive(Debug, Clone)]
pub(super) struct Leaving<'a> {
    pub(super) address: Address,
    pub(super) key: ObjectKey,
    pub(super) api_version: String,
    pub(super) uid: String,
    pub(super) prior: &'a Owned,
    /// The address has a current object beside this one.
    pub(super) former: bool,
    /// It was protected when it was the current object of its address. What the address has now says nothing
    /// about what it had before.
    pub(super) protect: bool,
}

/// Every object of state that is not desired under its address any more.
pub(super) fn leaving<'a>(
    state: &'a BTreeMap<Address, Owned>,
    desired: &BTreeMap<Address, ObjectKey>,
) -> Vec<Leaving<'a>> {
    let wanted: BTreeSet<&ObjectKey> = desired.values().collect();
    let mut leaving = Vec::new();
    for (address, prior) in state {
        let current = desired.get(address);
        if current != Some(&prior.key) && !wanted.contains(&prior.key) {
            leaving.push(Leaving {
                address: address.clone(),
                key: prior.key.clone(),
                api_version: prior.api_version.clone(),
                uid: prior.uid.clone(),
                prior,
                former: current.is_some(),
                protect: prior.protect,
            });
        }
        for former in prior.former.iter().filter(|f| !wanted.contains(&f.key)) {
            leaving.push(Leaving {
                address: address.clone(),
                key: former.key.clone(),
                api_version: former.api_version.clone(),
                uid: former.uid.clone(),
                prior,
                former: true,
                protect: former.status == FormerStatus::Kept,
            });
        }
    }
    leaving
}

/// Judges removals; shared by all of one plan.
pub(super) struct Remover<'a> {
    pub(super) input: &'a PlanInput<'a>,
    pub(super) discovery: &'a Discovery,
    pub(super) live: &'a Live,
    pub(super) removed: &'a [Removed],
}

impl Remover<'_> {
    /// Decides about every object that leaves, and what goes along.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub(super) async fn judge(
        &self,
        leaving: &[Leaving<'_>],
    ) -> Result<(Vec<Change>, Vec<Diagnostic>), Error> {
        let mut changes = Vec::new();
        let mut problems = Vec::new();
        for item in leaving {
            if let Some(problem) = self.unknown_kind(item).await? {
                problems.push(problem);
                continue;
            }
            match self.action(item) {
                Ok(change) => changes.push(change),
                Err(problem) => problems.push(*problem),
            }
        }
        let survey = Survey::new(self.input.reader, self.discovery, BTreeSet::new());
        self.keep_holders(&mut changes, &survey).await?;
        let going = changes.iter().filter(|c| c.action == Action::Delete).map(|c| c.key.clone()).collect();
        self.add_reach(&mut changes, &survey.for_deletes(going)).await?;
        for change in changes.iter().filter(|change| change.action == Action::Delete) {
            if let Some(problem) = self.controller_problem(change).await? {
                problems.push(problem);
            }
        }
        Ok((changes, problems))
    }

    /// A kind that is not served proves that its objects are gone only if nothing hides it.
    async fn unknown_kind(&self, item: &Leaving<'_>) -> Result<Option<Diagnostic>, Error> {
        let (group, kind) = (item.key.group.as_str(), item.key.kind.as_str());
        if self
            .discovery
            .find(&item.api_version, kind)
            .or_else(|| self.discovery.preferred(group, kind))
            .is_some()
            || self.input.reader.kind_is_gone(self.discovery, group, kind).await?
        {
            return Ok(None);
        }
        Ok(Some(refuse::kind_hidden(&item.address, &item.key, self.discovery.unavailable())))
    }

    fn action(&self, item: &Leaving<'_>) -> Result<Change, Box<Diagnostic>> {
        let api = self.discovery.find(&item.api_version, &item.key.kind).cloned();
        let api = api.or_else(|| self.discovery.preferred(&item.key.group, &item.key.kind).cloned());
        let live = match self.live.get(&item.key) {
            Ok(live) => live,
            Err(error) => return Err(Box::new(self.unreadable(item, error))),
        };
        let mut change = self.change(item, Action::Forget);
        change.api = api;
        let Some(live) = live else {
            change.reason = Some("gone already".to_owned());
            return Ok(change);
        };
        change.guard = self.guard(&item.address, live);
        if live.uid() != item.uid {
            change.reason = Some("another object of that name is there now; it was never ours".to_owned());
            return Ok(change);
        }
        if self.input.options.refresh_only {
            change.action = Action::NoOp;
            return Ok(change);
        }
        match live.mark() {
            Some(mark)
                if mark.stack == self.input.state.stack && mark.lineage == self.input.state.lineage => {}
            _ => {
                change.reason = Some("it does not carry our mark any more".to_owned());
                return Ok(change);
            }
        }
        if !self.input.options.release.is_empty() {
            change.reason = Some("state rm: the object stays, and is nobody's".to_owned());
            return Ok(change);
        }
        if live.is_protected() || item.protect {
            change.action = Action::Keep;
            change.protect = true;
            change.reason = Some("protected".to_owned());
            return Ok(change);
        }
        if self.is_released(&item.address) {
            change.reason = Some("[[removed]] says to leave the object".to_owned());
            return Ok(change);
        }
        if live.label("platform.cozystack.io/no-delete") == Some("true") {
            return Err(Box::new(refuse::no_delete(&item.address, &item.key)));
        }
        let flux =
            matches!(item.key.group.as_str(), "helm.toolkit.fluxcd.io" | "kustomize.toolkit.fluxcd.io");
        if flux && live.0.pointer("/spec/suspend") == Some(&serde_json::Value::Bool(true)) {
            return Err(Box::new(refuse::suspended(&item.address, &item.key)));
        }
        change.action = Action::Delete;
        change.reason = Some(match () {
            () if live.is_terminating() => {
                format!("already being deleted, held by {}", live.finalizers().join(", "))
            }
            () if item.former => "the resource has another object now".to_owned(),
            () if self.input.stack.is_none() => {
                return Ok(Change { reason: None, ..change });
            }
            () => "no longer in the stack".to_owned(),
        });
        Ok(change)
    }

    fn unreadable(&self, item: &Leaving<'_>, error: &Error) -> Diagnostic {
        let text = self.input.redactor.redact(&error.to_string()).into_owned();
        Diagnostic::error("E304", format!("{}: {} could not be read", item.address, item.key.human()))
            .note(text)
            .help("`arrplan help rbac` prints the rights a plan needs")
    }

    fn is_released(&self, address: &Address) -> bool {
        let names =
            |removed: &&Removed| removed.resource == *address || removed.resource == address.declaration();
        self.removed.iter().find(names).is_some_and(|removed| !removed.destroy)
    }

    /// What would take along anything kept, protected or of another stack is kept itself, whatever is allowed: a
    /// namespace or tenant that holds it, a definition of its kind, a release or Kustomization that installed it.
    async fn keep_holders(&self, changes: &mut [Change], survey: &Survey<'_>) -> Result<(), Error> {
        let mut deletes = Vec::new();
        for (at, change) in changes.iter().enumerate().filter(|(_, c)| c.action == Action::Delete) {
            if let Ok(Some(holder)) = self.live.get(&change.key) {
                deletes.push((at, survey.look(holder).await?.taken));
            }
        }
        // What is kept for one keeps what it lies in.
        loop {
            let kept: BTreeSet<ObjectKey> =
                changes.iter().filter(|c| c.action == Action::Keep).map(|c| c.key.clone()).collect();
            let before = deletes.len();
            deletes.retain(|(at, taken)| {
                let held = reach::held(taken, &self.input.state.stack, &kept);
                let why = reach::why_held(&changes[*at].key, &held);
                if why.is_some() {
                    changes[*at].action = Action::Keep;
                    changes[*at].reason.clone_from(&why);
                }
                why.is_none()
            });
            if deletes.len() == before {
                return Ok(());
            }
        }
    }

    async fn add_reach(&self, changes: &mut [Change], survey: &Survey<'_>) -> Result<(), Error> {
        for change in changes.iter_mut().filter(|c| c.action == Action::Delete) {
            let Ok(Some(live)) = self.live.get(&change.key) else {
                continue;
            };
            drop(add_reach(change, live, survey).await?);
        }
        Ok(())
    }

    /// D3: a delete that needs a controller to finish does not start without it.
    async fn controller_problem(&self, change: &Change) -> Result<Option<Diagnostic>, Error> {
        let Ok(Some(live)) = self.live.get(&change.key) else {
            return Ok(None);
        };
        if !live.finalizers().contains(&"finalizers.fluxcd.io") {
            return Ok(None);
        }
        let controller = match change.key.group.as_str() {
            "helm.toolkit.fluxcd.io" => "helm-controller",
            "kustomize.toolkit.fluxcd.io" => "kustomize-controller",
            _ => "source-controller",
        };
        let Some(api) = self.discovery.preferred("apps", "Deployment") else {
            return Ok(None);
        };
        // Cozystack runs all of Flux in one Deployment; everyone else names it like the controller.
        let deployments =
            match self.input.reader.list(api, None, Some("app.kubernetes.io/part-of=flux")).await {
                Ok(deployments) => deployments,
                Err(error) if super::live::is_fatal(&error) => return Err(error),
                // Without the right to look, the wait for the delete names the finalizer instead.
                Err(_) => return Ok(None),
            };
        let named: Vec<&Object> =
            deployments.iter().filter(|d| d.name() == controller || d.name() == "flux").collect();
        let available = |d: &&Object| {
            d.0.pointer("/status/availableReplicas").and_then(serde_json::Value::as_i64).unwrap_or(0) > 0
        };
        if named.is_empty() || named.iter().any(available) {
            return Ok(None);
        }
        Ok(Some(refuse::controller_down(&change.address, &change.key, controller)))
    }

    fn guard(&self, address: &Address, live: &Object) -> Guard {
        Guard::Object {
            uid: live.uid().to_owned(),
            resource_version: live.resource_version().to_owned(),
            digest: guard::digest(self.input.key, address, live, &[]),
        }
    }

    fn change(&self, item: &Leaving<'_>, action: Action) -> Change {
        let timeout = match self.live.get(&item.key) {
            Ok(Some(live)) => status::default_timeout(&live.0),
            _ => std::time::Duration::from_mins(5),
        };
        Change {
            fidelity: Fidelity::Server,
            timeout: timeout.as_secs(),
            protect: item.protect,
            depends_on: item.prior.depends_on.iter().map(|a| (a.clone(), String::new())).collect(),
            former: item.former,
            ..Change::new(item.address.clone(), item.key.clone(), action)
        }
    }
}

/// Fills in what goes with the delete, replace or reinstall of `live`, and the risk of it all; all that goes along.
///
/// # Errors
/// When the cluster does not answer.
pub(super) async fn add_reach(
    change: &mut Change,
    live: &Object,
    survey: &Survey<'_>,
) -> Result<Vec<reach::Taken>, Error> {
    let found = survey.look(live).await?;
    change.reach = found.reach;
    change.risk = change.risk.max(reach::risk(live, &change.reach));
    Ok(found.taken)
}
