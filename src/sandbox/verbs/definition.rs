//! The life of a `CustomResourceDefinition`: what it defines is served once it is established, and goes with it.

use serde_json::Value;

use super::delete::{DeleteOptions, check_preconditions_of_kind};
use super::{Answer, Request};
use crate::sandbox::error::ApiError;
use crate::sandbox::resource::Resource;
use crate::sandbox::server::Server;
use crate::sandbox::storage::Stored;

/// Serves what the stored definitions define.
pub(in crate::sandbox) fn serve_definitions(_server: &Server) {}

/// Follows a change that was committed.
pub(super) async fn after(
    _server: &Server,
    _resource: &Resource,
    _before: Option<&Stored>,
    _after: Option<&Stored>,
) -> Result<(), ApiError> {
    Ok(())
}

/// Marks a definition as terminating.
pub(super) async fn delete(
    server: &Server,
    resource: &Resource,
    request: &Request,
    options: &DeleteOptions,
) -> Result<Option<Answer>, ApiError> {
    let live = server.storage.get(&request.key(resource)).map(|live| live.object);
    let live: Value = live.map(|live| (*live).clone()).unwrap_or_default();
    check_preconditions_of_kind(resource, request, options, &live, "precondition failed")?;
    Ok(None)
}
