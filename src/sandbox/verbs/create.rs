//! POST.

use super::{Answer, Request, not_written};
use crate::sandbox::error::ApiError;
use crate::sandbox::http::Decoded;
use crate::sandbox::resource::{Draw as _, Resource};
use crate::sandbox::server::Server;
use crate::sandbox::storage::CommitError;

/// Makes an object.
///
/// # Errors
/// As the API server refuses.
pub(in crate::sandbox) async fn create(
    server: &Server,
    resource: &Resource,
    request: &Request,
    object: Decoded,
) -> Result<Answer, ApiError> {
    let Decoded { value: mut object, duplicates } = object;
    let strategy = &resource.strategy;
    let warnings = strategy.decode(resource, &mut object, &duplicates, request.validation)?;
    strategy.default(&mut object);
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    object["metadata"]["uid"] = server.uid().into();
    object["metadata"]["creationTimestamp"] = server.now().into();
    if !request.namespace.is_empty() {
        object["metadata"]["namespace"] = request.namespace.clone().into();
    }
    strategy.prepare_create(&mut object, server);
    let causes = strategy.validate_create(&object);
    if !causes.is_empty() {
        return Err(ApiError::invalid(&resource.group, &resource.kind, &name, causes));
    }
    let key = Request { name: name.clone(), ..request.clone() }.key(resource);
    let object = match server.storage.commit(&key, None, Some(object)).await {
        Ok(stored) => (*stored.object).clone(),
        Err(CommitError::Stale) => {
            return Err(ApiError::already_exists(&resource.group, &resource.plural, &name));
        }
        Err(error) => return Err(not_written(&error)),
    };
    Ok(Answer { code: 201, object, warnings })
}
