//! One desired resource against one live object: what has to be done, checked by the server where it can be.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::address::Address;
use crate::cluster::{Api, Discovery, Error, ServedBy};
use crate::diag::Diagnostic;
use crate::diff::Veil;
use crate::fields;
use crate::manifest::{Desired, Unknown};
use crate::object::{Mark, Object};
use crate::path::FieldPath;
use crate::plan::input::PlanInput;
use crate::plan::live::{Live, NamespaceState};
use crate::plan::show::Mask;
use crate::plan::{Action, Change, Fidelity, Guard, NotOurs, Reach, Risk, Write, owned, proof, refuse};
use crate::schema::Node;
use crate::stack::{Resource, Stack};
use crate::state::Owned;
use crate::status;

/// Judges resources; shared by all of one plan.
pub(super) struct Assessor<'a> {
    pub(super) input: &'a PlanInput<'a>,
    pub(super) stack: &'a Stack,
    pub(super) discovery: &'a Discovery,
    pub(super) live: &'a Live,
    pub(super) mark: &'a Mark,
    /// Resources that an installer of the plan (a HelmRelease, Kustomization, Tenant or `ApplicationDefinition`
    /// being created or changed) comes before: kinds and namespaces may appear by then.
    pub(super) after_installer: &'a BTreeSet<Address>,
}

/// What became of one resource.
#[derive(Debug)]
pub(super) struct Assessed {
    pub(super) change: Option<Change>,
    pub(super) problems: Vec<Diagnostic>,
    pub(super) not_ours: Vec<NotOurs>,
}

impl Assessed {
    pub(super) fn refused(problem: Diagnostic) -> Self {
        Self {
            change: None,
            problems: vec![problem],
            not_ours: Vec::new(),
        }
    }

    fn done(change: Change) -> Self {
        Self {
            change: Some(change),
            problems: Vec::new(),
            not_ours: Vec::new(),
        }
    }
}

/// One resource, everything about it at hand.
pub(super) struct Subject<'a> {
    pub(super) resource: &'a Resource,
    pub(super) desired: Desired,
    pub(super) prior: Option<&'a Owned>,
    pub(super) moved_from: Option<Address>,
    pub(super) protect: bool,
}

impl Assessor<'_> {
    /// Decides what to do about one resource (design §5.1's table, the rows with "desired").
    ///
    /// # Errors
    /// Only what ends the whole plan: the cluster does not answer, or an API persists dry-runs.
    pub(super) async fn assess(&self, subject: &Subject<'_>) -> Result<Assessed, Error> {
        let resource = subject.resource;
        let Some(api) = self.discovery.find(&resource.api_version, &resource.kind) else {
            return Ok(self.not_served(subject));
        };
        if let Some(problem) = refuse::scope(resource, api) {
            return Ok(Assessed::refused(problem));
        }
        let live = match self.live.get(&subject.desired.key) {
            Ok(live) => live,
            Err(error) => {
                return Ok(Assessed::refused(refuse::unreadable(
                    resource,
                    error,
                    self.input.redactor,
                )));
            }
        };
        let Some(live) = live else {
            let reason = subject.prior.map(|_| "deleted outside".to_owned());
            return self.create(subject, api, Guard::Absent, reason).await;
        };
        if let Some(problem) = self.foreign_stack(resource, live) {
            return Ok(Assessed::refused(problem));
        }
        if live.is_terminating() {
            let finalizers = live.finalizers().join(", ");
            let held = if finalizers.is_empty() {
                String::new()
            } else {
                format!(", held by {finalizers}")
            };
            let reason = Some(format!("is being deleted{held}: made anew once it is gone"));
            return self
                .create(
                    subject,
                    api,
                    Guard::AfterGone {
                        uid: live.uid().to_owned(),
                    },
                    reason,
                )
                .await;
        }
        match subject.prior {
            Some(prior) if prior.uid == live.uid() => self.present(subject, api, live).await,
            Some(_) => self.adopt(subject, api, live, "recreated outside").await,
            None => self.adopt(subject, api, live, "exists already").await,
        }
    }

    /// Two stacks never own one object: with one field manager they would not even conflict, and each apply
    /// would remove the other's fields (measured).
    fn foreign_stack(&self, resource: &Resource, live: &Object) -> Option<Diagnostic> {
        let mark = live.mark()?;
        if mark.stack != self.mark.stack {
            return Some(refuse::other_stack(resource, &mark));
        }
        (mark.lineage != self.mark.lineage).then(|| refuse::other_lineage(resource, &mark, self.mark))
    }

    fn not_served(&self, subject: &Subject<'_>) -> Assessed {
        let resource = subject.resource;
        let (group, _) = crate::address::split_api_version(&resource.api_version);
        let defined_here = self.stack.resources.values().any(|other| {
            other.kind == "CustomResourceDefinition" && defines(&other.manifest, group, &resource.kind)
        });
        let (fidelity, why) = if defined_here {
            (
                Fidelity::Schema,
                "its kind is defined by this plan; checked again at apply",
            )
        } else if self.after_installer.contains(&resource.address) {
            (
                Fidelity::Offline,
                "its kind arrives with what it depends on; checked at apply",
            )
        } else {
            if !self.discovery.unavailable().is_empty() && subject.prior.is_some() {
                let (address, key) = (&resource.address, &subject.desired.key);
                return Assessed::refused(refuse::kind_hidden(address, key, self.discovery.unavailable()));
            }
            return Assessed::refused(refuse::kind_not_served(resource));
        };
        let mut change = self.change(subject, Action::Create, None);
        change.reason = subject.prior.map(|_| "deleted outside".to_owned());
        change.fidelity = fidelity;
        change.fidelity_reason = Some(why.to_owned());
        change.fields = self.added(subject, &subject.desired.body, None);
        change.write = Some(Self::write(subject, subject.desired.body.clone()));
        Assessed::done(change)
    }

    async fn present(&self, subject: &Subject<'_>, api: &Api, live: &Object) -> Result<Assessed, Error> {
        let Some(prior) = subject.prior else {
            return self.adopt(subject, api, live, "exists already").await;
        };
        let hash = self
            .input
            .key
            .manifest(&subject.resource.address, &subject.desired.body);
        let may_prove = !self.input.options.refresh_full && !self.takes_any(&subject.resource.address);
        if may_prove
            && api.served_by != ServedBy::Aggregated
            && proof::unchanged(&subject.desired, &hash, prior, live)
        {
            let mut change = self.no_op(subject, api, live);
            change.unchanged_since = Some(prior.since_serial);
            return Ok(self.with_not_ours(subject, api, live, change));
        }
        let assessed = if api.served_by == ServedBy::Aggregated {
            self.update_unchecked(subject, api, live)
        } else {
            self.update(subject, api, live, None).await?
        };
        Ok(match assessed.change {
            Some(change) => {
                let mut all = self.with_not_ours(subject, api, live, change);
                all.problems.extend(assessed.problems);
                all
            }
            None => assessed,
        })
    }

    fn takes_any(&self, address: &Address) -> bool {
        self.input
            .options
            .take
            .iter()
            .any(|take| take.address == *address)
    }

    /// The unchanged resource, with what keeps it from working.
    pub(super) fn no_op(&self, subject: &Subject<'_>, api: &Api, live: &Object) -> Change {
        let mut change = self.change(subject, Action::NoOp, Some(api));
        change.fidelity = Fidelity::Server;
        change.guard = self.guard(&subject.resource.address, live, &[]);
        change
    }

    /// The guard of a change to a live object.
    pub(super) fn guard(&self, address: &Address, live: &Object, force: &[crate::plan::Take]) -> Guard {
        Guard::Object {
            uid: live.uid().to_owned(),
            resource_version: live.resource_version().to_owned(),
            digest: crate::plan::guard::digest(self.input.key, address, live, force),
        }
    }

    /// An object that is made: dry-run where its namespace is, or in a stand-in.
    async fn create(
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
        change.fields = self.added(subject, &subject.desired.body, Some(api));
        let unchecked = |mut change: Change, why: String| {
            change.fidelity = Fidelity::Schema;
            change.fidelity_reason = Some(why);
            Ok(Assessed::done(change))
        };
        if api.served_by == ServedBy::Aggregated {
            return unchecked(
                change,
                format!(
                    "{} is served by an aggregated API, which gets no dry-run",
                    api.kind
                ),
            );
        }
        let namespace = resource.namespace.as_deref();
        let stand_in = match namespace.map(|name| (name, self.live.namespace(name))) {
            None | Some((_, NamespaceState::Active)) => false,
            Some((name, NamespaceState::Unknown(why))) => {
                return unchecked(change, format!("namespace {name} could not be read: {why}"));
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
            self.input
                .reader
                .dry_run_apply(api, namespace, &resource.name, &body, true)
                .await
        };
        match answer {
            Ok(dry_run) => {
                if !dry_run.created && matches!(change.guard, Guard::Absent) && !stand_in {
                    // Somebody made it after we read: what there is now has to be judged, not this.
                    return Ok(Assessed::refused(refuse::appeared(resource)));
                }
                change.fields = self.added(subject, &dry_run.object.0, Some(api));
                change.fidelity = if stand_in {
                    Fidelity::StandIn
                } else {
                    Fidelity::Server
                };
                change.fidelity_reason = stand_in.then(|| "its namespace is made by this plan".to_owned());
                if !subject.desired.unknown.is_empty() {
                    change
                        .notes
                        .push("some values are known after apply and were not checked".to_owned());
                }
                Ok(Assessed::done(change))
            }
            Err(error) if stand_in && is_admission(&error) => {
                let text = self.clean(&error.to_string());
                unchecked(
                    change,
                    format!("admission refused it in the stand-in namespace: {text}"),
                )
            }
            Err(error) => self.refused_dry_run(subject, api, change, error, None).await,
        }
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
                    if !self
                        .input
                        .reader
                        .allowed(verb, api, namespace, Some(&resource.name))
                        .await?
                    {
                        change.fidelity = Fidelity::Schema;
                        change.fidelity_reason = Some(format!("no right to dry-run (verb {verb})"));
                        return Ok(Assessed::done(change));
                    }
                }
                Ok(Assessed::refused(refuse::admission(
                    resource,
                    &self.clean(&error.to_string()),
                )))
            }
            Error::Refused { .. } => Ok(Assessed::refused(refuse::admission(
                resource,
                &self.clean(&error.to_string()),
            ))),
            Error::DryRunUnsupported(_) => {
                change.fidelity = Fidelity::Schema;
                change.fidelity_reason = Some(format!(
                    "a webhook takes no dry-run: {}",
                    self.clean(&error.to_string())
                ));
                Ok(Assessed::done(change))
            }
            Error::Invalid { .. } if !subject.desired.unknown.is_empty() => {
                change.fidelity = Fidelity::Schema;
                let text = self.clean(&error.to_string());
                change.fidelity_reason = Some(format!(
                    "not checkable before values are known after apply: {text}"
                ));
                Ok(Assessed::done(change))
            }
            error => Ok(Assessed::refused(refuse::rejected(
                resource,
                &self.clean(&error.to_string()),
            ))),
        }
    }

    /// Dry-run where the real namespace is not there yet: under another name, in a namespace that is.
    async fn dry_run_in_stand_in(
        &self,
        api: &Api,
        resource: &Resource,
        mut body: Value,
    ) -> Result<crate::cluster::DryRun, Error> {
        let namespace = self
            .input
            .options
            .dry_run_namespace
            .as_deref()
            .unwrap_or("default");
        let name = probe_name(&resource.key().to_string());
        body["metadata"]["name"] = Value::String(name.clone());
        body["metadata"]["namespace"] = Value::String(namespace.to_owned());
        let rename = |text: &str| text.replace(&name, &resource.name);
        let mut dry_run = match self
            .input
            .reader
            .dry_run_apply(api, Some(namespace), &name, &body, true)
            .await
        {
            Ok(dry_run) => dry_run,
            Err(Error::Invalid { message, causes }) => {
                return Err(Error::Invalid {
                    message: rename(&message),
                    causes,
                });
            }
            Err(Error::Refused {
                status,
                message,
                causes,
            }) => {
                return Err(Error::Refused {
                    status,
                    message: rename(&message),
                    causes,
                });
            }
            Err(error) => return Err(error),
        };
        dry_run.object.0["metadata"]["name"] = Value::String(resource.name.clone());
        dry_run.object.0["metadata"]["namespace"] =
            resource.namespace.clone().map_or(Value::Null, Value::String);
        Ok(dry_run)
    }

    /// Whether a namespace, or a Tenant that makes it, is in the stack.
    fn makes_namespace(&self, name: &str) -> bool {
        self.stack
            .resources
            .values()
            .any(|r| r.kind == "Namespace" && r.name == name)
    }

    /// The body for a dry-run: secrets that differ from what is live, and values not known yet, are stood in
    /// for by texts of the same length; a value of unknown type is left out.
    pub(super) fn probe_body(subject: &Subject<'_>, body: &Value, live: Option<&Object>) -> Value {
        let mut body = body.clone();
        for path in &subject.desired.secret {
            let canonical = Self::canonical(subject, path);
            let live = live.and_then(|live| canonical.get(&live.0));
            if let Some(value) = path.get_mut(&mut body)
                && live != Some(&*value)
            {
                *value = placeholder(path, value);
            }
        }
        for (path, unknown) in subject.desired.unknown.iter().rev() {
            match unknown {
                Unknown::AfterApply {
                    placeholder: Some(text),
                } => set(&mut body, path, Value::String(text.clone())),
                Unknown::AfterApply { placeholder: None } => drop(path.remove(&mut body)),
                // What was not read is taken to be what is live: no change is claimed, and none is denied.
                Unknown::NotRead => {
                    let canonical = Self::canonical(subject, path);
                    let live = live.and_then(|live| canonical.get(&live.0)).cloned();
                    set(
                        &mut body,
                        path,
                        live.unwrap_or_else(|| Value::String("bm90LXJlYWQ=".to_owned())),
                    );
                }
            }
        }
        body
    }

    pub(super) fn canonical(subject: &Subject<'_>, path: &FieldPath) -> FieldPath {
        fields::canonical_path(Self::root(subject), &subject.desired.body, path)
    }

    /// The structure of the resource's kind.
    pub(super) fn root(subject: &Subject<'_>) -> Node {
        owned::structure(&subject.resource.api_version, &subject.resource.kind)
    }

    /// What is written at apply. Ignored paths, proofs and drift were settled by the caller.
    pub(super) fn write(subject: &Subject<'_>, body: Value) -> Write {
        Write {
            body,
            unknown: subject.desired.unknown.keys().cloned().collect(),
            secret: subject.desired.secret.clone(),
            force: Vec::new(),
            remove: Vec::new(),
            adopt_managers: Vec::new(),
        }
    }

    pub(super) fn mask(&self, subject: &Subject<'_>) -> Mask<'_> {
        let late = |(path, unknown): (&FieldPath, &Unknown)| {
            matches!(unknown, Unknown::AfterApply { .. }).then(|| path.clone())
        };
        let late = subject.desired.unknown.iter().filter_map(late).collect();
        Mask {
            veil: Veil::new(&subject.desired.body, &subject.desired.secret, &late),
            redactor: self.input.redactor,
        }
    }

    pub(super) fn clean(&self, text: &str) -> String {
        self.input.redactor.redact(text).into_owned()
    }

    /// A change of this resource with nothing decided yet.
    pub(super) fn change(&self, subject: &Subject<'_>, action: Action, api: Option<&Api>) -> Change {
        let resource = subject.resource;
        let depends_on: BTreeMap<Address, String> = self
            .stack
            .graph
            .dependencies(&resource.address)
            .filter(|(to, _)| self.stack.resources.contains_key(*to))
            .map(|(to, reasons)| {
                (
                    to.clone(),
                    reasons.first().map(refuse::reason).unwrap_or_default(),
                )
            })
            .collect();
        let timeout = resource
            .timeout
            .unwrap_or_else(|| status::default_timeout(&subject.desired.body));
        Change {
            address: resource.address.clone(),
            key: subject.desired.key.clone(),
            moved_from: subject.moved_from.clone(),
            action,
            reason: None,
            api: api.cloned(),
            fields: Vec::new(),
            risk: Risk::Safe,
            reach: Reach::default(),
            reinstalls: false,
            fidelity: Fidelity::Offline,
            fidelity_reason: None,
            guard: Guard::Absent,
            notes: Vec::new(),
            not_ready: None,
            unchanged_since: None,
            write: None,
            wait: resource.wait.clone(),
            timeout: timeout.as_secs(),
            protect: subject.protect,
            depends_on,
            after: BTreeSet::new(),
            former: false,
            location: Some(self.stack.sources_map.location(&resource.span)),
        }
    }
}

/// A name no object has, for dry-runs: `arrplan-` and eight hex digits drawn from what it stands for, so that
/// the same plan sends the same requests.
pub(super) fn probe_name(of: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(of.as_bytes());
    let number = digest
        .iter()
        .take(4)
        .fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    format!("arrplan-{number:08x}")
}

/// Whether the CRD manifest defines `kind` of `group`.
fn defines(manifest: &crate::stack::Val, group: &str, kind: &str) -> bool {
    use crate::stack::Val;
    let field = |val: &Val, name: &str| match val {
        Val::Map(map) => map.get(name).cloned(),
        _ => None,
    };
    let text = |val: Option<Val>| match val {
        Some(Val::String(text)) => Some(text),
        _ => None,
    };
    let Some(spec) = field(manifest, "spec") else {
        return false;
    };
    let defined = field(&spec, "names").and_then(|names| text(field(&names, "kind")));
    text(field(&spec, "group")).as_deref() == Some(group) && defined.as_deref() == Some(kind)
}

/// A text that stands in for a secret at `path`, of the same length, and valid where it stands.
fn placeholder(path: &FieldPath, value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(crate::secrets::placeholder(path, text)),
        other => other.clone(),
    }
}

/// Puts `value` at `path`, making the maps on the way; a list element that is not there is left alone.
fn set(body: &mut Value, path: &FieldPath, value: Value) {
    let Some(parent) = path.parent() else { return };
    if parent.get(body).is_none() {
        set(body, &parent, Value::Object(serde_json::Map::new()));
    }
    match (parent.get_mut(body), path.0.last()) {
        (Some(Value::Object(map)), Some(crate::path::Segment::Key(key))) => {
            map.insert(key.clone(), value);
        }
        (Some(Value::Array(items)), Some(crate::path::Segment::Index(at))) => {
            if let Some(item) = items.get_mut(*at) {
                *item = value;
            }
        }
        _ => {}
    }
}

fn is_admission(error: &Error) -> bool {
    match error {
        Error::Forbidden(_) | Error::Refused { .. } => true,
        Error::Invalid { causes, .. } => causes.iter().any(|cause| cause.field.is_none()),
        _ => false,
    }
}
