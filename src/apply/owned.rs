//! What state remembers of an object that was just written.

use std::collections::BTreeMap;

use serde_json::Value;

use super::run::Run;
use crate::fields;
use crate::object::{FIELD_MANAGER, Object};
use crate::path::FieldPath;
use crate::plan::{Change, FieldCause};
use crate::schema;
use crate::state::{Digest, Owned};

/// The fields an apply of this body will own.
pub(super) fn wanted_fields(body: &Value) -> Vec<FieldPath> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let root = schema::root_of(text("apiVersion"), text("kind"));
    fields::of_manifest(root, body).leaves().cloned().collect()
}

/// The fields we own, by the server's own word, each with the keyed digest of its value. Where the server keeps no
/// record, they are those we `sent`.
pub(super) fn digests(
    run: &Run<'_>,
    change: &Change,
    live: &Object,
    sent: impl IntoIterator<Item = FieldPath>,
) -> BTreeMap<FieldPath, Option<Digest>> {
    let digest = |path: &FieldPath| {
        let value = path.get(&live.0)?;
        Some(run.store.key().field(&change.address, path, value))
    };
    if fields::is_untracked(live) {
        return sent
            .into_iter()
            .map(|path| {
                let digest = digest(&path);
                (path, digest)
            })
            .collect();
    }
    let entries = fields::managers(live).unwrap_or_default();
    let Some(ours) = fields::owned_by(&entries, FIELD_MANAGER) else {
        return BTreeMap::new();
    };
    ours.fields.leaves().map(|path| (path.clone(), digest(path))).collect()
}

/// The record of an object that was written as `body` and is now `live`.
pub(super) fn record(run: &Run<'_>, change: &Change, body: &Value, live: &Object) -> Owned {
    let earlier = change.moved_from.as_ref().unwrap_or(&change.address);
    let prior = run.before.resources.get(earlier);
    let mut owned = Owned::new(change.key.clone(), live.api_version(), live.uid());
    owned.resource_version = Some(live.resource_version().to_owned()).filter(|version| !version.is_empty());
    owned.desired_hash = Some(run.store.key().manifest(&change.address, body));
    owned.owned = digests(run, change, live, wanted_fields(body));
    let secret = change.write.as_ref().map(|write| &write.secret);
    owned.secrets = fields::present(live, secret.into_iter().flatten());
    owned.protect = change.protect;
    owned.depends_on = change.depends_on.keys().cloned().collect();
    owned.since_serial = run.before.serial + 1;
    if let Some(prior) = prior {
        owned.durations.clone_from(&prior.durations);
        owned.fights.clone_from(&prior.fights);
    }
    for field in &change.fields {
        if let FieldCause::Drift { manager, .. } = &field.cause {
            owned.fights.insert(field.path.clone(), manager.clone());
        }
    }
    owned.fights.retain(|path, _| owned.owned.contains_key(path));
    owned
}

/// The record of an unchanged object that stands at another address now.
pub(super) fn moved(run: &Run<'_>, change: &Change, prior: &Owned, live: &Object) -> Owned {
    Owned {
        // Digests depend on the address.
        desired_hash: None,
        owned: digests(run, change, live, prior.owned.keys().cloned()),
        depends_on: change.depends_on.keys().cloned().collect(),
        protect: change.protect,
        ..prior.clone()
    }
}
