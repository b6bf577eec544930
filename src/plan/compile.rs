//! A resource compiled with what planning knows of other objects and of secrets.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::address::{Address, ObjectKey};
use crate::manifest::{self, Desired, SecretValue};
use crate::object::Object;
use crate::plan::assess::Subject;
use crate::plan::build::Builder;
use crate::plan::input::Known;
use crate::plan::live::Live;
use crate::plan::{Action, Change};
use crate::stack::{FieldRef, Resource, SecretSource, Stack, Target, VariableValue};

impl Builder<'_> {
    pub(super) fn subject<'s>(
        &'s self,
        stack: &'s Stack,
        resource: &'s Resource,
        live: &Live,
        changes: &BTreeMap<Address, Change>,
    ) -> Subject<'s> {
        let prior = self.owned.get(&resource.address).filter(|owned| owned.key == resource.key());
        let protect = resource.protect.unwrap_or(false);
        let desired = self.compile(stack, resource, protect, live, changes);
        let moved_from = self.moved.get(&resource.address).cloned();
        Subject { resource, desired, prior, moved_from, protect }
    }

    pub(super) fn compile(
        &self,
        stack: &Stack,
        resource: &Resource,
        protect: bool,
        live: &Live,
        changes: &BTreeMap<Address, Change>,
    ) -> Desired {
        let fields = |field: &FieldRef| Self::field(stack, field, live, changes);
        let secrets = |name: &str| self.secret(stack, name, live);
        manifest::desired(resource, &self.mark, protect, &Known { fields: &fields, secrets: &secrets })
    }

    /// The value of a field of another object, unless this plan may change it.
    pub(super) fn field(
        stack: &Stack,
        field: &FieldRef,
        live: &Live,
        changes: &BTreeMap<Address, Change>,
    ) -> Option<Value> {
        let object = match &field.target {
            Target::Existing(address) => {
                let existing = stack.existing.get(address)?;
                let (group, _) = crate::address::split_api_version(&existing.api_version);
                let key =
                    ObjectKey::new(group, &existing.kind, existing.namespace.as_deref(), &existing.name);
                live.get(&key).ok()??
            }
            Target::Resource(address) => {
                let change = changes.get(address)?;
                let is_uid = field.path.to_string() == "metadata.uid";
                let stays = match change.action {
                    Action::NoOp => change.not_ready.is_none(),
                    Action::Update | Action::Adopt => is_uid,
                    _ => false,
                };
                if !stays {
                    return None;
                }
                live.get(&change.key).ok()??
            }
        };
        field.path.get(&object.0).cloned()
    }

    pub(super) fn secret(&self, stack: &Stack, name: &str, live: &Live) -> SecretValue {
        if let Some(variable) = stack.variables.get(name)
            && let VariableValue::Secret(SecretSource::Generate { length, home, .. }) = &variable.value
        {
            let (address, key) = home.as_ref();
            return match self.generated(stack, live, address, key) {
                Some(value) => SecretValue::Known(value),
                None => SecretValue::Drawn(*length),
            };
        }
        match self.input.secrets.get(name) {
            Some(value) => SecretValue::Known(value.to_owned()),
            None => SecretValue::NotRead,
        }
    }

    /// A generated value, read back from its home: a live Secret with our mark and lineage, whatever its uid.
    pub(super) fn generated(&self, stack: &Stack, live: &Live, home: &Address, key: &str) -> Option<String> {
        let resource = stack.resources.get(home)?;
        let object: &Object = live.get(&resource.key()).ok()??;
        if object.is_terminating() || object.mark().as_ref() != Some(&self.mark) {
            return None;
        }
        let value = String::from_utf8(crate::secrets::from_live(object, key)?).ok()?;
        self.input.redactor.add(&value);
        Some(value)
    }
}
