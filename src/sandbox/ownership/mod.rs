//! Field ownership: `metadata.managedFields`, and what server-side apply makes of an object.
//!
//! The semantics are those of `structured-merge-diff` v6 and of `apimachinery`'s field manager, in one pass each:
//! a value is checked against its structure ([`check`]), its fields are collected ([`collect`]), two values are
//! compared ([`compare`]) or merged ([`merge`]), what nobody wants any more is pruned ([`prune`]).
//!
//! *Invariants:* an entry exists for everybody who owns a field and for nobody else; entries are in the order of
//! the API server; an apply that changes nothing changes no time.

mod check;
mod collect;
mod compare;
mod conflict;
mod empty;
mod go;
mod last_applied;
mod managers;
mod merge;
mod prune;
mod reconcile;
mod scale;
mod set;
#[cfg(test)]
mod tests;
mod times;
mod typed;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::fields::FieldSet;
use crate::sandbox::error::ApiError;
use crate::sandbox::resource::Endpoint;
use crate::sandbox::schema::Schema;
use check::check;
use collect::fields_of;
use compare::{Comparison, compare};
use conflict::Conflicts;
use managers::{Identity, Managers, Owned, cap, decode, entries_of, is_reset, put, take};
use set::Set;
use typed::same;

pub(in crate::sandbox) use scale::{from_scale, scale_schema, to_scale};
pub(in crate::sandbox) use times::keep_times;

/// Who writes, and how.
#[derive(Clone, Copy)]
pub(in crate::sandbox) struct Writer<'a> {
    /// The field manager; empty for one that has no name.
    pub(in crate::sandbox) manager: &'a str,
    /// Whether an apply takes fields from others.
    pub(in crate::sandbox) force: bool,
    /// `apps/v1`: the version that the request is in.
    pub(in crate::sandbox) api_version: &'a str,
    /// Through which endpoint.
    pub(in crate::sandbox) endpoint: Endpoint,
    /// Fields that nobody owns by writing through it.
    pub(in crate::sandbox) reset: &'a FieldSet,
    /// The time, RFC 3339 in UTC with seconds.
    pub(in crate::sandbox) now: &'a str,
    /// The structure of the same kind in another version that is served; entries of versions that are not are
    /// dropped, as the API server does.
    pub(in crate::sandbox) other_version: &'a dyn Fn(&str) -> Option<Schema>,
}

/// Server-side apply: `live` (`None`: there is no such object) with `applied` laid over it, and who owns what
/// then. `schema` is the structure of the kind in the writer's version, `applied` is as the client sent it. The
/// result is to be decoded and defaulted like any written object.
///
/// # Errors
/// The 409 about fields of others, a 400 about `managedFields` in `applied`, or the API server's 500 without a
/// reason where `applied` is not of its structure.
pub(in crate::sandbox) fn apply(
    schema: &Schema,
    live: Option<&Value>,
    applied: &Value,
    writer: &Writer<'_>,
) -> Result<Value, ApiError> {
    let kind = applied.get("kind").and_then(Value::as_str).unwrap_or_default();
    let live = live.map_or_else(|| Cow::Owned(empty::empty(writer.api_version, kind)), Cow::Borrowed);
    let mut managers = decode(entries_of(&live))
        .map_err(|error| ApiError::new(500, "", format!("failed to decode managed fields: {error}")))?;
    let step = Step { schema, writer };
    if managers.is_empty() {
        let nothing = empty::empty(writer.api_version, kind);
        let owner = Writer { manager: "before-first-apply", ..*writer };
        Step { schema, writer: &owner }.record(&nothing, &live, &mut managers).map_err(|error| {
            ApiError::new(500, "", format!("failed to create manager for existing fields: {error}"))
        })?;
    }
    if entries_of(applied).is_array() {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    let before = (writer.manager == last_applied::KUBECTL).then(|| managers.clone());
    let outcome = step.lay_over(&live, applied, managers, writer.force)?;
    let mut object = match (outcome, before) {
        (Ok(object), _) => object,
        (Err(conflicts), Some(managers)) => {
            let Some(ours) = last_applied::still_applied(schema, &live, writer.api_version) else {
                return Err(conflicts.to_error());
            };
            let conflicts = conflicts.without(&ours);
            if !conflicts.is_empty() {
                return Err(conflicts.to_error());
            }
            step.lay_over(&live, applied, managers, true)?.map_err(|conflicts| conflicts.to_error())?
        }
        (Err(conflicts), None) => return Err(conflicts.to_error()),
    };
    if writer.manager == last_applied::KUBECTL {
        last_applied::refresh(&mut object, applied);
    }
    Ok(object)
}

/// A create, PUT, merge or JSON patch: `new`, decoded and defaulted, as it is to take the place of `live`
/// (`None`: there is no such object), with who owns what then. `managedFields` that `new` has are the client's
/// own word about it.
pub(in crate::sandbox) fn update(
    schema: &Schema,
    live: Option<&Value>,
    mut new: Value,
    writer: &Writer<'_>,
) -> Value {
    let kind = new.get("kind").and_then(Value::as_str).unwrap_or_default();
    let exists = live.is_some();
    let nothing;
    let live = if let Some(live) = live {
        live
    } else {
        nothing = empty::empty(writer.api_version, kind);
        &nothing
    };
    let of_live = || decode(entries_of(live)).unwrap_or_default();
    let mut managers = if writer.endpoint != Endpoint::Main {
        of_live()
    } else if is_reset(entries_of(&new)) {
        Managers::new()
    } else {
        decode(entries_of(&new)).ok().filter(|managers| !managers.is_empty()).unwrap_or_else(of_live)
    };
    take(&mut new);
    // Who owns nothing of an existing object is not tracked before the first apply.
    if managers.is_empty() && exists {
        return new;
    }
    if (Step { schema, writer }).record(live, &new, &mut managers).is_err() {
        // As the API server: an object whose owners cannot be told keeps the ones it has.
        managers = of_live();
    }
    put(&mut new, &managers);
    new
}

/// One write of one writer.
struct Step<'a> {
    schema: &'a Schema,
    writer: &'a Writer<'a>,
}

impl Step<'_> {
    /// Notes what an update of `live` to `new` changes about who owns what.
    ///
    /// # Errors
    /// One of the objects is not of the kind's structure.
    fn record(&self, live: &Value, new: &Value, managers: &mut Managers) -> Result<(), String> {
        for object in [live, new] {
            if let Some(message) = check(self.schema, object, true).message() {
                return Err(message);
            }
        }
        self.reconcile(managers);
        let change = compare(self.schema, live, new).without(&self.reset());
        self.settle(live, new, &change, managers, None);
        let mut set = change.set();
        strip(&mut set);
        if !set.is_empty() {
            let identity = self.identity(false);
            if let Some(before) = managers.remove(&identity) {
                set.add(before.set);
            }
            managers.insert(identity, self.owned(set));
        }
        cap(managers);
        Ok(())
    }

    /// Lays `applied` over `live`. The inner result is the object, or whose fields it would take.
    fn lay_over(
        &self,
        live: &Value,
        applied: &Value,
        mut managers: Managers,
        force: bool,
    ) -> Result<Result<Value, Conflicts>, ApiError> {
        self.checked("patch", applied, false)?;
        self.checked("live", live, true)?;
        self.reconcile(&mut managers);
        let merged = merge::merge(self.schema, live, applied);
        let mut set = fields_of(self.schema, applied);
        set.remove_below(&self.reset());
        let identity = self.identity(true);
        let last = managers.remove(&identity);
        let time = last.as_ref().and_then(|last| last.time.clone());
        managers.insert(identity.clone(), Owned { time, ..self.owned(set) });
        let mut object = match last {
            Some(last) if !last.set.is_empty() => self.prune(merged, &last, &managers),
            _ => merged,
        };
        let change = compare(self.schema, live, &object).without(&self.reset());
        let conflicts = self.settle(live, &object, &change, &mut managers, Some((&identity, force)));
        if !conflicts.is_empty() {
            return Ok(Err(conflicts));
        }
        let is_same = same(live, &object);
        if let Some(owned) = managers.get_mut(&identity) {
            strip(&mut owned.set);
            if !is_same {
                owned.time = Some(self.writer.now.to_owned());
            }
            if owned.set.is_empty() {
                managers.remove(&identity);
            }
        }
        if is_same {
            object = live.clone();
        }
        put(&mut object, &managers);
        Ok(Ok(object))
    }

    /// Takes from everybody else what the change sets or removes, unless somebody objects. `applier`: who applies,
    /// and whether with force; for an update nobody is asked.
    fn settle(
        &self,
        live: &Value,
        new: &Value,
        change: &Comparison,
        managers: &mut Managers,
        applier: Option<(&Identity, bool)>,
    ) -> Conflicts {
        let mut conflicts = Conflicts::default();
        let mut others: BTreeMap<String, Option<Comparison>> = BTreeMap::new();
        managers.retain(|_, owned| {
            let version = &owned.api_version;
            if *version == self.writer.api_version {
                return true;
            }
            if let Some(change) = others.get(version) {
                return change.is_some();
            }
            let schema = (self.writer.other_version)(version);
            let change = schema.map(|schema| compare(&schema, live, new).without(&self.reset()));
            let is_served = change.is_some();
            others.insert(version.clone(), change);
            is_served
        });
        let set = change.set();
        let of_version = |version: &str| match others.get(version).and_then(Option::as_ref) {
            Some(change) => (change.set(), &change.removed),
            None => (set.clone(), &change.removed),
        };
        let is_applier = |identity: &Identity| applier.is_some_and(|(applier, _)| applier == identity);
        for (identity, owned) in managers.iter().filter(|(identity, _)| !is_applier(identity)) {
            conflicts.add(identity, owned.set.intersection(&of_version(&owned.api_version).0));
        }
        if applier.is_some_and(|(_, force)| !force) && !conflicts.is_empty() {
            return conflicts;
        }
        for (identity, owned) in managers.iter_mut().filter(|(identity, _)| !is_applier(identity)) {
            if let Some(taken) = conflicts.of(identity) {
                owned.set.remove_all(taken);
            }
            owned.set.remove_all(of_version(&owned.api_version).1);
        }
        managers.retain(|_, owned| !owned.set.is_empty());
        Conflicts::default()
    }

    fn prune(&self, merged: Value, last: &Owned, managers: &Managers) -> Value {
        let Some(schema) = self.schema_of(&last.api_version) else { return merged };
        let mut of_version = managers.values().filter(|owned| owned.api_version == last.api_version);
        if of_version.any(|owned| prune::is_kept(&schema, &last.set, &owned.set)) {
            return merged;
        }
        let sets = managers.values().map(|owned| (owned.api_version.as_str(), &owned.set));
        let mut by_version = prune::by_version(sets);
        // The version that `last` is in comes first.
        let first = by_version.remove_entry(&last.api_version);
        let claimed: Vec<(Schema, Set)> = first
            .into_iter()
            .chain(by_version)
            .filter_map(|(version, set)| Some((self.schema_of(&version)?, set)))
            .collect();
        prune::prune(&schema, &merged, &last.set, &claimed)
    }

    fn reconcile(&self, managers: &mut Managers) {
        managers.retain(|_, owned| {
            let Some(schema) = self.schema_of(&owned.api_version) else { return false };
            reconcile::reconcile(&schema, &mut owned.set);
            true
        });
    }

    fn schema_of(&self, api_version: &str) -> Option<Schema> {
        if api_version == self.writer.api_version {
            return Some(self.schema.clone());
        }
        (self.writer.other_version)(api_version)
    }

    fn checked(&self, what: &str, object: &Value, duplicates: bool) -> Result<(), ApiError> {
        let Some(message) = check(self.schema, object, duplicates).message() else { return Ok(()) };
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (group, version) =
            self.writer.api_version.split_once('/').unwrap_or(("", self.writer.api_version));
        Err(ApiError::new(
            500,
            "",
            format!(
                "failed to create typed {what} object ({}/{}; {group}/{version}, Kind={}): {message}",
                text("/metadata/namespace"),
                text("/metadata/name"),
                text("/kind"),
            ),
        ))
    }

    fn identity(&self, applied: bool) -> Identity {
        let writer = self.writer;
        let manager = if writer.manager.is_empty() { "unknown" } else { writer.manager };
        let subresource = match writer.endpoint {
            Endpoint::Main => "",
            Endpoint::Status => "status",
            Endpoint::Scale => "scale",
        };
        Identity {
            manager: manager.to_owned(),
            applied,
            api_version: if applied { String::new() } else { writer.api_version.to_owned() },
            subresource: subresource.to_owned(),
        }
    }

    fn owned(&self, set: Set) -> Owned {
        Owned { set, api_version: self.writer.api_version.to_owned(), time: Some(self.writer.now.to_owned()) }
    }

    fn reset(&self) -> Set {
        Set::from(self.writer.reset)
    }
}

/// Takes out what nobody owns: the object's names and what the server writes (`internal/stripmeta.go`).
fn strip(set: &mut Set) {
    const METADATA: &[&str] = &[
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ];
    let mut stripped: FieldSet =
        [["apiVersion"], ["kind"], ["metadata"]].map(crate::path::FieldPath::keys).into_iter().collect();
    for field in METADATA {
        stripped.insert(crate::path::FieldPath::keys(["metadata", field]));
    }
    set.remove_all(&Set::from(&stripped));
}
