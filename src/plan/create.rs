//! An object that is made, checked by a dry-run where its namespace is, or in a stand-in.

use serde_json::Value;

use crate::cluster::{Api, Cause, Error, ServedBy};
use crate::object::Object;
use crate::plan::assess::{Assessed, Assessor, Subject};
use crate::plan::draft::probe_name;
use crate::plan::live::NamespaceState;
use crate::plan::update::no_dry_run;
use crate::plan::{Action, Change, Fidelity, Guard, refuse};
use crate::stack::Resource;

impl Assessor<'_> {
    /// An object that is made: dry-run where its namespace is, or in a stand-in.
    pub(super) async fn create(
        &self,
        subject: &Subject<'_>,
        api: &Api,
        guard: Guard,
        reason: Option<String>,
    ) -> Result<Assessed, Error> {
        let resource = subject.resource;
        let mut change = self.change(subject, Action::Create, Some(api));
        change.guard = guard;
        change.reason = reason;
        change.write = Some(Self::write(subject, subject.desired.body.clone()));
        change.fields = self.added(subject, None);
        if api.served_by == ServedBy::Aggregated {
            return self.unchecked(subject, api, change, no_dry_run(api)).await;
        }
        let namespace = resource.namespace.as_deref();
        let stand_in = match namespace.map(|name| (name, self.live.namespace(name))) {
            None | Some((_, NamespaceState::Active)) => false,
            Some((name, NamespaceState::Unknown(why))) => {
                let why = format!("namespace {name} could not be read: {why}");
                return self.unchecked(subject, api, change, why).await;
            }
            Some((name, state @ (NamespaceState::Absent | NamespaceState::Terminating))) => {
                if !self.makes_namespace(name) && !self.after_installer.contains(&resource.address) {
                    return Ok(Assessed::refused(refuse::no_namespace(resource, name, &state)));
                }
                true
            }
        };
        let body = Self::probe_body(subject, &subject.desired.body, None);
        let answer = if stand_in {
            self.dry_run_in_stand_in(api, resource, body).await
        } else {
            self.input.reader.dry_run_apply(api, namespace, &resource.name, &body, true).await
        };
        match answer {
            Ok(dry_run) => {
                if !dry_run.created && matches!(change.guard, Guard::Absent) && !stand_in {
                    // Somebody made it after we read: what there is now has to be judged, not this.
                    return Ok(Assessed::refused(refuse::appeared(resource)));
                }
                change.fields = self.added(subject, Some(&dry_run.object.0));
                change.fidelity = if stand_in { Fidelity::StandIn } else { Fidelity::Server };
                change.fidelity_reason = stand_in.then(|| "its namespace is made by this plan".to_owned());
                if !subject.desired.unknown.is_empty() {
                    change.notes.push("some values are known after apply and were not checked".to_owned());
                }
                Ok(Assessed::done(change))
            }
            Err(error) if stand_in && is_admission(&error) => {
                let text = self.clean(&error.to_string());
                let why = format!("admission refused it in the stand-in namespace: {text}");
                self.unchecked(subject, api, change, why).await
            }
            Err(error) => self.refused_dry_run(subject, api, change, error, None).await,
        }
    }

    /// A change that no dry-run checks.
    async fn unchecked(
        &self,
        subject: &Subject<'_>,
        api: &Api,
        mut change: Change,
        why: String,
    ) -> Result<Assessed, Error> {
        let (fidelity, problems) = self.by_schema(subject, Some(api)).await?;
        change.fidelity = fidelity;
        change.fidelity_reason = Some(why);
        Ok(Assessed { change: problems.is_empty().then_some(change), problems, not_ours: Vec::new() })
    }

    /// What a refused dry-run means, once immutability is out of the question.
    pub(super) async fn refused_dry_run(
        &self,
        subject: &Subject<'_>,
        api: &Api,
        mut change: Change,
        error: Error,
        live: Option<&Object>,
    ) -> Result<Assessed, Error> {
        let resource = subject.resource;
        let namespace = resource.namespace.as_deref();
        match error {
            Error::Unavailable(_)
            | Error::Timeout { .. }
            | Error::Unauthorized(_)
            | Error::DryRunPersisted { .. } => Err(error),
            Error::Forbidden(_) | Error::Refused { status: 403, .. } => {
                let mut verbs = vec!["patch"];
                verbs.extend(live.is_none().then_some("create"));
                for verb in verbs {
                    if !self.input.reader.allowed(verb, api, namespace, Some(&resource.name)).await? {
                        let why = format!("no right to dry-run (verb {verb})");
                        return self.unchecked(subject, api, change, why).await;
                    }
                }
                Ok(Assessed::refused(refuse::admission(resource, &self.clean(&error.to_string()))))
            }
            Error::Refused { .. } => {
                Ok(Assessed::refused(refuse::admission(resource, &self.clean(&error.to_string()))))
            }
            Error::DryRunUnsupported(_) => {
                let why = format!("a webhook takes no dry-run: {}", self.clean(&error.to_string()));
                self.unchecked(subject, api, change, why).await
            }
            Error::Invalid { .. } if !subject.desired.unknown.is_empty() => {
                change.fidelity = Fidelity::Schema;
                let text = self.clean(&error.to_string());
                change.fidelity_reason =
                    Some(format!("not checkable before values are known after apply: {text}"));
                Ok(Assessed::done(change))
            }
            error => Ok(Assessed::refused(refuse::rejected(resource, &self.clean(&error.to_string())))),
        }
    }

    /// Dry-run where the real namespace is not there yet: under another name, in a namespace that is.
    pub(super) async fn dry_run_in_stand_in(
        &self,
        api: &Api,
        resource: &Resource,
        mut body: Value,
    ) -> Result<crate::cluster::DryRun, Error> {
        let namespace = self.input.options.dry_run_namespace.as_deref().unwrap_or("default");
        let name = probe_name(&resource.key().to_string());
        body["metadata"]["name"] = Value::String(name.clone());
        body["metadata"]["namespace"] = Value::String(namespace.to_owned());
        let rename = |text: &str| text.replace(&name, &resource.name);
        let mut dry_run =
            match self.input.reader.dry_run_apply(api, Some(namespace), &name, &body, true).await {
                Ok(dry_run) => dry_run,
                Err(Error::Invalid { message, causes }) => {
                    return Err(Error::Invalid { message: rename(&message), causes });
                }
                Err(Error::Refused { status, message, causes }) => {
                    return Err(Error::Refused { status, message: rename(&message), causes });
                }
                Err(error) => return Err(error),
            };
        dry_run.object.0["metadata"]["name"] = Value::String(resource.name.clone());
        dry_run.object.0["metadata"]["namespace"] =
            resource.namespace.clone().map_or(Value::Null, Value::String);
        Ok(dry_run)
    }

    /// Whether a namespace, or a Tenant that makes it, is in the stack.
    pub(super) fn makes_namespace(&self, name: &str) -> bool {
        self.stack.resources.values().any(|r| r.kind == "Namespace" && r.name == name)
    }
}

pub(super) fn is_admission(error: &Error) -> bool {
    match error {
        Error::Forbidden(_) | Error::Refused { .. } => true,
        Error::Invalid { causes, .. } => !causes.iter().all(Cause::is_validation),
        _ => false,
    }
}
