//! Fields that cannot change in place: refused, or deleted and made anew where the stack allows it.

use serde_json::Value;

use crate::cluster::{Api, Error, ServedBy};
use crate::object::Object;
use crate::plan::assess::{Assessed, Assessor, Subject};
use crate::plan::draft::probe_name;
use crate::plan::update::no_dry_run;
use crate::plan::{Action, Change, Fidelity, Risk, immutable, refuse};

impl Assessor<'_> {
    /// A change of the data of an immutable Secret or ConfigMap: known without asking, and asking would send
    /// the value.
    pub(super) fn frozen_data(subject: &Subject<'_>, body: &Value, live: &Object) -> Option<String> {
        let kind = subject.resource.kind.as_str();
        if subject.resource.api_version != "v1" || !matches!(kind, "Secret" | "ConfigMap") {
            return None;
        }
        if live.0.get("immutable") != Some(&Value::Bool(true)) {
            return None;
        }
        let differs = |field: &str| {
            let wanted = body.get(field).and_then(Value::as_object);
            wanted.is_some_and(|map| {
                map.iter().any(|(k, v)| live.0.get(field).and_then(|l| l.get(k)) != Some(v))
            })
        };
        (differs("data") || differs("binaryData"))
            .then(|| format!("the {kind} is immutable: its data cannot change"))
    }

    /// A 422: an immutable field, or a mistake.
    pub(super) async fn invalid(
        &self,
        subject: &Subject<'_>,
        api: &Api,
        live: &Object,
        change: Change,
        probe: &Value,
        error: Error,
    ) -> Result<Assessed, Error> {
        let resource = subject.resource;
        let mut body = probe.clone();
        let name = probe_name(&resource.key().to_string());
        body["metadata"]["name"] = Value::String(name.clone());
        let answer =
            self.input.reader.dry_run_apply(api, resource.namespace.as_deref(), &name, &body, true).await;
        let causes = immutable::causes(&error, answer.as_ref().err());
        if causes.is_empty() {
            return self.refused_dry_run(subject, api, change, error, Some(live)).await;
        }
        let text = causes.iter().map(immutable::text).collect::<Vec<_>>().join("; ");
        let text = self.clean(&text);
        let new = answer.ok().map(|created| {
            let mut new = created.object;
            new.0["metadata"]["name"] = Value::String(resource.name.clone());
            new
        });
        self.replace(subject, api, live, change, &text, new.as_ref()).await
    }

    /// `--replace`: deleted and made anew, whatever differs. What is made is checked as any create is.
    pub(super) async fn replace_as_asked(
        &self,
        subject: &Subject<'_>,
        api: &Api,
        live: &Object,
    ) -> Result<Assessed, Error> {
        let mut change = self.change(subject, Action::Replace, Some(api));
        change.fidelity = Fidelity::Server;
        let resource = subject.resource;
        let mut body = Self::probe_body(subject, &subject.desired.body, Some(live));
        let name = probe_name(&resource.key().to_string());
        body["metadata"]["name"] = Value::String(name.clone());
        if api.served_by == ServedBy::Aggregated {
            change.fidelity = Fidelity::Schema;
            change.fidelity_reason = Some(no_dry_run(api));
            return self.replace(subject, api, live, change, "", None).await;
        }
        let namespace = resource.namespace.as_deref();
        match self.input.reader.dry_run_apply(api, namespace, &name, &body, true).await {
            Ok(made) => {
                let mut new = made.object;
                new.0["metadata"]["name"] = Value::String(resource.name.clone());
                self.replace(subject, api, live, change, "", Some(&new)).await
            }
            Err(error) => self.refused_dry_run(subject, api, change, error, Some(live)).await,
        }
    }

    pub(super) fn asked_to_replace(&self, subject: &Subject<'_>) -> bool {
        let (asked, address) = (&self.input.options.replace, &subject.resource.address);
        asked.contains(address) || asked.contains(&address.declaration())
    }

    /// Delete and make anew, where the stack allows it for this resource. `new` is what the server would make.
    pub(super) async fn replace(
        &self,
        subject: &Subject<'_>,
        api: &Api,
        live: &Object,
        mut change: Change,
        why: &str,
        new: Option<&Object>,
    ) -> Result<Assessed, Error> {
        let resource = subject.resource;
        if !resource.replace_immutable && !self.asked_to_replace(subject) {
            return Ok(Assessed::refused(refuse::immutable(resource, why)));
        }
        if live.is_protected() || subject.prior.is_some_and(|prior| prior.protect) {
            return Ok(Assessed::refused(refuse::protected_replace(resource, why)));
        }
        if live.mark().as_ref() != Some(self.mark) {
            let was_ours = subject.prior.is_some();
            return Ok(Assessed::refused(refuse::unmarked_replace(resource, self.mark, was_ours, why)));
        }
        if resource.kind == "PersistentVolumeClaim" {
            let pods = self.pods_with_claim(resource.namespace.as_deref(), &resource.name).await?;
            if !pods.is_empty() {
                return Ok(Assessed::refused(refuse::claim_in_use(resource, &pods)));
            }
        }
        change.action = Action::Replace;
        change.reason = Some(if self.asked_to_replace(subject) {
            "--replace".to_owned()
        } else {
            format!("cannot change in place: {why}")
        });
        change.risk = Risk::Disruptive;
        change.fields = match new {
            Some(new) => self.replaced_fields(subject, live, new),
            None => self.unchecked_fields(subject, &subject.desired.body, live),
        };
        change.write = Some(Self::write(subject, subject.desired.body.clone()));
        change.guard = self.guard(&resource.address, live, &[]);
        change.seen = self.seen(subject, live, &[]);
        change.api = Some(api.clone());
        Ok(Assessed { change: Some(change), problems: Vec::new(), not_ours: Vec::new() })
    }

    pub(super) async fn pods_with_claim(
        &self,
        namespace: Option<&str>,
        claim: &str,
    ) -> Result<Vec<String>, Error> {
        let Some(api) = self.discovery.preferred("", "Pod") else {
            return Ok(Vec::new());
        };
        let pods = self.input.reader.list(api, namespace, None).await?;
        let mounts = |pod: &Object| {
            let volumes = pod.0.pointer("/spec/volumes").and_then(Value::as_array);
            let name = Some(claim);
            let mounted = volumes
                .into_iter()
                .flatten()
                .any(|v| v.pointer("/persistentVolumeClaim/claimName").and_then(Value::as_str) == name);
            let done = matches!(
                pod.0.pointer("/status/phase").and_then(Value::as_str),
                Some("Succeeded" | "Failed")
            );
            mounted && !done
        };
        Ok(pods.iter().filter(|pod| mounts(pod)).map(|pod| pod.name().to_owned()).collect())
    }
}
