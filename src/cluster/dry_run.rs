//! Server-Side Apply, and what its dry-run answers.

use http::Method;
use serde_json::Value;

use super::answer::echoed;
use super::classify::Asked;
use super::error::Error;
use super::reader::{JSON, Reader, what};
use super::transport::Call;
use super::url::{self, Query};
use super::{Api, ServedBy};
use crate::fields::{self, Entry};
use crate::object::{FIELD_MANAGER, Object};

/// Content type of Server-Side Apply; the body is JSON, which is YAML.
const APPLY: &str = "application/apply-patch+yaml";

/// What a dry-run answered.
#[derive(Debug, Clone, PartialEq)]
pub struct DryRun {
    /// The object as it would be. A create has a random uid and no resourceVersion.
    pub object: Object,
    /// Whether it would be made (201) rather than changed (200).
    pub created: bool,
}

impl DryRun {
    /// Whether the reply's resourceVersion is another than the one read before: the object changed meanwhile,
    /// or the server persisted the dry-run. Read once more; see [`DryRun::persisted`].
    #[must_use]
    pub fn moved(&self, read: &Object) -> bool {
        !self.created && self.object.resource_version() != read.resource_version()
    }

    /// Whether an update was persisted: our managedFields entry, or a value it owns, changed between the object read
    /// before and the one read after. Whoever else changes such a value takes it out of our entry. Controllers bump
    /// resourceVersions all the time; that alone means nothing.
    #[must_use]
    pub fn persisted(before: &Object, after: &Object) -> bool {
        before.uid() == after.uid() && ours(before) != ours(after)
    }
}

impl Reader {
    /// What a Server-Side Apply would do, by the server's own word, strictly validated.
    ///
    /// # Errors
    /// [`Error::DryRunUnsupported`] without a request for an aggregated API, which may ignore `dryRun`;
    /// [`Error::DryRunPersisted`] if a create came back stored.
    pub async fn dry_run_apply(
        &self,
        api: &Api,
        namespace: Option<&str>,
        name: &str,
        body: &Value,
        force: bool,
    ) -> Result<DryRun, Error> {
        if api.served_by == ServedBy::Aggregated {
            return Err(Error::DryRunUnsupported(format!(
                "{} is served by an aggregated API, which may ignore dryRun",
                api.kind
            )));
        }
        let asked = Asked { api, namespace, name };
        let call = apply_call(&asked, body, force, true)?;
        let (status, value) = self.ask(&call, &asked).await?;
        let dry_run = DryRun { object: echoed(value, &asked)?, created: status == 201 };
        let guarded = body.pointer("/metadata/resourceVersion").is_some();
        if dry_run.created && !guarded && !dry_run.object.resource_version().is_empty() {
            return Err(Error::DryRunPersisted {
                kind: api.kind_and_group(),
                what: format!(
                    "the dry-run of {} came back with resourceVersion {}. It was made, and is yours to delete",
                    asked.api.key(namespace, name).human(),
                    dry_run.object.resource_version()
                ),
            });
        }
        Ok(dry_run)
    }
}

/// Our Apply entry of the main resource, and the values it owns: its time has whole seconds, and two writes of one
/// second differ in the values alone.
fn ours(object: &Object) -> Option<(Entry, Vec<Option<Value>>)> {
    let entry = fields::owned_by(&fields::managers(object).ok()?, FIELD_MANAGER)?.clone();
    let values = entry.fields.leaves().map(|path| path.get(&object.0).cloned()).collect();
    Some((entry, values))
}

/// A Server-Side Apply of ours.
pub(super) fn apply_call(asked: &Asked<'_>, body: &Value, force: bool, dry_run: bool) -> Result<Call, Error> {
    let path = url::object(asked.api, asked.namespace, asked.name)?;
    let query = Query::default()
        .with("fieldManager", FIELD_MANAGER)
        .with("fieldValidation", "Strict")
        .with("force", if force { "true" } else { "false" })
        .maybe("dryRun", dry_run.then_some("All"));
    Ok(Call {
        method: Method::PATCH,
        uri: query.on(&path),
        body: Some((APPLY, body.to_string().into_bytes())),
        accept: JSON,
        // The same apply twice ends like once: 201, then 200 without a new resourceVersion (measured). One
        // guarded as a create answers 409 the second time, which the caller tells apart by the mark.
        repeatable: true,
        what: what(if dry_run { "DRY-RUN" } else { "APPLY" }, asked),
    })
}
