//! GET of one object.

use super::{Answer, Request, not_found};
use crate::sandbox::error::ApiError;
use crate::sandbox::resource::Resource;
use crate::sandbox::server::Server;

/// Reads one object.
///
/// # Errors
/// 404.
pub(in crate::sandbox) fn get(
    server: &Server,
    resource: &Resource,
    request: &Request,
) -> Result<Answer, ApiError> {
    let stored = server.storage.get(&request.key(resource));
    let stored = stored.ok_or_else(|| not_found(resource, &request.name))?;
    Ok(Answer::new(200, (*stored.object).clone()))
}
