//! GET of one object.

use super::{Answer, Request, not_found, scale};
use crate::sandbox::error::ApiError;
use crate::sandbox::resource::{Endpoint, Resource};
use crate::sandbox::server::Server;

/// Reads one object, or a subresource of it.
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
    let object = match request.endpoint {
        Endpoint::Scale => scale::of(resource, &stored.object)?,
        Endpoint::Main | Endpoint::Status => in_version(resource, (*stored.object).clone()),
    };
    Ok(Answer { code: 200, object })
}

/// The object as this version of its kind shows it. Versions of a group differ in nothing but their name here;
/// a custom kind's definition may have changed since: what it has no field for is not shown, new defaults are.
pub(in crate::sandbox) fn in_version(
    resource: &Resource,
    mut object: serde_json::Value,
) -> serde_json::Value {
    let version = super::api_version(&resource.group, &resource.version);
    if let serde_json::Value::Object(map) = &mut object {
        map.insert("apiVersion".into(), version.into());
    }
    if resource.custom.is_some() {
        crate::sandbox::custom::reshape(resource, &mut object);
    }
    resource.strategy.default(&mut object);
    object
}
