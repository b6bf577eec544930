//! What has to be there before a change is written: existing objects it builds on, its kind, and the values
//! that were not known when the plan was made.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::fill::{self, Needs, Sources, target_text};
use super::unit::{Step, Stop, Unit, failed, lines_of};
use super::verdict::Rule;
use super::write::headed;
use crate::address::{Address, ObjectKey};
use crate::cluster::{Api, Error, ServedBy};
use crate::object::Object;
use crate::path::FieldPath;
use crate::secrets;
use crate::stack::{Existing, FieldRef, SecretSource, Target, VariableValue};
use crate::status::Context;

/// Pauses between two looks at whether a kind is served by now. Discovery cannot be watched.
const LOOK_AGAIN: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(2));

/// How long one of several API servers may not know a kind that another one serves already: each takes a
/// definition that is Established up by itself, some 5 s later.
const LAG: Duration = Duration::from_secs(10);

impl Unit<'_> {
    /// The kind, and the body to write with every value known.
    pub(super) async fn prepare(&mut self) -> Step<(Api, Value)> {
        self.wait_existing().await?;
        let mut body = self.write()?.body.clone();
        let appears = self.change.api.is_none();
        let api = match &self.change.api {
            Some(api) => api.clone(),
            None => self.wait_served(&body).await?,
        };
        self.fill_in(&mut body).await?;
        if appears && api.served_by != ServedBy::Aggregated {
            // Nothing but the stack's own rules has checked it so far.
            let (namespace, name) = self.place();
            let dry_run = || self.writer.dry_run_apply(&api, namespace, name, &body, false);
            if let Err(error) = self.once_served(dry_run).await {
                return Err(headed("the server does not accept it", &error));
            }
        }
        Ok((api, body))
    }

    /// Waits for the `existing` objects that the resource names.
    async fn wait_existing(&mut self) -> Step<()> {
        let Some(stack) = self.run.stack else {
            return Ok(());
        };
        let named: Vec<&Existing> = stack
            .graph
            .dependencies(&self.change.address)
            .filter_map(|(to, _)| stack.existing.get(to))
            .collect();
        for existing in named {
            let object = self.existing_object(existing).await?;
            self.objects.insert(Target::Existing(existing.address.clone()), object);
        }
        Ok(())
    }

    /// An `existing` object once it is ready; looked at once for all that name it.
    async fn existing_object(&mut self, existing: &Existing) -> Step<Arc<Object>> {
        let run = self.run;
        let Some(cell) = run.existing.get(&existing.address) else {
            return failed(format!("existing.{} is not in the stack", existing.address), []);
        };
        // Also who waits for another's look: writes are counted, waiting is not.
        if cell.get().is_none() {
            self.slot.release();
        }
        let found = cell.get_or_try_init(|| async {
            match self.look_for_existing(existing).await {
                Ok(object) => Ok(Ok(Arc::new(object))),
                Err(Stop::Failed(lines)) => Ok(Err(lines)),
                Err(stop) => Err(stop),
            }
        });
        match found.await? {
            Ok(object) => Ok(Arc::clone(object)),
            Err(lines) => {
                failed(format!("existing.{} is not ready", existing.address), lines.iter().cloned())
            }
        }
    }

    async fn look_for_existing(&mut self, existing: &Existing) -> Step<Object> {
        let api = self.api_of(&existing.api_version, &existing.kind).await?;
        let key = api.key(existing.namespace.as_deref(), &existing.name);
        let Some(rule) = Rule::of(&existing.wait)? else {
            let found = self.send(self.writer.get(&api, key.namespace.as_deref(), &key.name)).await;
            return match found {
                Ok(Some(object)) => Ok(object),
                Ok(None) => failed(format!("{} does not exist", key.human()), []),
                Err(error) => Err(Stop::Failed(lines_of(&error))),
            };
        };
        self.say(&format!("waiting for {}", key.human()));
        let own = self.deadline;
        if let Some(timeout) = existing.timeout {
            self.deadline = tokio::time::Instant::now() + timeout;
        }
        let found = self.watch_until(&api, &key, None, &rule, &Context::default(), false).await;
        self.deadline = own;
        found.map(|(object, _)| object)
    }

    /// A kind that is served now.
    async fn api_of(&self, api_version: &str, kind: &str) -> Step<Api> {
        if let Some(api) = self.run.discovery.find(api_version, kind) {
            return Ok(api.clone());
        }
        match self.send(self.writer.find_kind(api_version, kind)).await {
            Ok(Some(api)) => Ok(api),
            Ok(None) => failed(format!("no server knows the kind {kind} in {api_version}"), []),
            Err(error) => Err(headed(format!("whether {kind} is served cannot be read"), &error)),
        }
    }

    /// Waits until a kind that comes with something else in this plan is served.
    async fn wait_served(&mut self, body: &Value) -> Step<Api> {
        let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        self.slot.release();
        let (mut pause, longest) = LOOK_AGAIN;
        loop {
            match self.send(self.writer.find_kind(&api_version, &kind)).await {
                Ok(Some(api)) => return Ok(api),
                Ok(None) => self.say(&format!("waiting until {kind} in {api_version} is served")),
                Err(error) => self.say(&error.to_string()),
            }
            tokio::select! {
                biased;
                () = self.run.halt.cancelled() => return Err(Stop::Interrupted { written: false }),
                () = tokio::time::sleep_until(self.deadline) => {
                    return failed(format!("no server knows the kind {kind} in {api_version}"), []);
                }
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(longest),
            }
        }
    }

    /// Sends a request; again for a while, where a kind that came in this run is not known to whoever answered.
    pub(super) async fn once_served<T, F>(&self, request: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let end = self.deadline.min(tokio::time::Instant::now() + LAG);
        let (mut pause, longest) = LOOK_AGAIN;
        loop {
            let answer = self.send(request()).await;
            let unknown = matches!(answer, Err(Error::KindNotServed { .. })) && self.change.api.is_none();
            if !unknown || tokio::time::Instant::now() + pause > end {
                return answer;
            }
            tokio::select! {
                biased;
                () = self.run.halt.cancelled() => return answer,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(longest),
            }
        }
    }

    /// Puts in what was not known when the plan was made.
    async fn fill_in(&mut self, body: &mut Value) -> Step<()> {
        let unknown = self.write()?.unknown.clone();
        if unknown.is_empty() {
            return Ok(());
        }
        let resource = self.run.stack.and_then(|stack| stack.resources.get(&self.change.address));
        let Some(resource) = resource else {
            return failed("the stack does not have it any more", []);
        };
        let unfilled = |error: fill::Unfilled| Stop::failed(error.to_string());
        let Needs { fields, secrets } = fill::needs(&resource.manifest, &unknown).map_err(unfilled)?;
        for field in &fields {
            self.fetch(field).await?;
        }
        for name in &secrets {
            self.secret(name).await?;
        }
        let sources = Sources { objects: &self.objects, secrets: &self.secrets };
        fill::fill(body, &resource.manifest, &unknown, &sources).map_err(unfilled)
    }

    /// Makes sure that the object a field is taken from is at hand, and has the field.
    async fn fetch(&mut self, field: &FieldRef) -> Step<()> {
        let at_hand = self.objects.get(&field.target);
        if at_hand.is_some_and(|object| field.path.get(&object.0).is_some()) {
            return Ok(());
        }
        let (api, key) = self.target_of(&field.target).await?;
        self.slot.release();
        self.say(&format!("waiting for {} of {}", field.path, target_text(field)));
        let rule = Rule::Has(field.path.clone());
        let found = self.watch_until(&api, &key, None, &rule, &Context::default(), false).await;
        let (object, _) = found?;
        self.objects.insert(field.target.clone(), Arc::new(object));
        Ok(())
    }

    async fn target_of(&self, target: &Target) -> Step<(Api, ObjectKey)> {
        let stack = self.run.stack;
        match target {
            Target::Resource(address) => {
                let resource = stack.and_then(|stack| stack.resources.get(address));
                let Some(resource) = resource else {
                    return failed(format!("{address} is not in the stack"), []);
                };
                let api = self.api_of(&resource.api_version, &resource.kind).await?;
                Ok((api, resource.key()))
            }
            Target::Existing(address) => {
                let existing = stack.and_then(|stack| stack.existing.get(address));
                let Some(existing) = existing else {
                    return failed(format!("existing.{address} is not in the stack"), []);
                };
                let api = self.api_of(&existing.api_version, &existing.kind).await?;
                let key = api.key(existing.namespace.as_deref(), &existing.name);
                Ok((api, key))
            }
        }
    }

    /// Makes sure that a secret's value is at hand: read before, drawn here if this is its home, else read
    /// from its home.
    async fn secret(&mut self, name: &str) -> Step<()> {
        if self.secrets.get(name).is_some() {
            return Ok(());
        }
        let variable = self.run.stack.and_then(|stack| stack.variables.get(name));
        let Some(VariableValue::Secret(SecretSource::Generate { length, charset, home })) =
            variable.map(|variable| &variable.value)
        else {
            return failed(format!("variable {name} has no value"), []);
        };
        let (home, key) = (&home.0, home.1.as_str());
        let here = *home == self.change.address && self.is_unknown(key)?;
        let value = if here {
            match secrets::draw(*length, *charset) {
                Ok(value) => value,
                Err(error) => return failed(format!("variable {name} cannot be drawn: {error}"), []),
            }
        } else {
            self.read_home(name, home, key).await?.into()
        };
        self.run.redactor.add(&value);
        self.secrets.insert(name, value.as_str());
        if here {
            self.drawn.push((name.to_owned(), value));
        }
        Ok(())
    }

    fn is_unknown(&self, key: &str) -> Step<bool> {
        Ok(self.write()?.unknown.contains(&FieldPath::keys(["data", key])))
    }

    async fn read_home(&self, name: &str, home: &Address, key: &str) -> Step<String> {
        let (api, home_key) = self.target_of(&Target::Resource(home.clone())).await?;
        let found = self.send(self.writer.get(&api, home_key.namespace.as_deref(), &home_key.name)).await;
        let live = match found {
            Ok(live) => live.filter(|live| self.is_ours(live)),
            Err(Error::NamespaceNotFound(_)) => None,
            Err(error) => {
                return Err(headed(format!("variable {name} cannot be read from {home}"), &error));
            }
        };
        let bytes = live.as_ref().and_then(|live| secrets::from_live(live, key));
        match bytes.map(String::from_utf8) {
            Some(Ok(value)) => Ok(value),
            _ => failed(format!("variable {name} has no value in {home}"), []),
        }
    }
}
