//! PUT.

use serde_json::Value;

use super::decode::decode;
use super::metadata::{When, drop_duplicate_owners, text};
use super::write::{check_name, place, store};
use super::{Answer, Request, rules, scale};
use crate::sandbox::error::ApiError;
use crate::sandbox::http::Decoded;
use crate::sandbox::ownership;
use crate::sandbox::resource::{Endpoint, Resource};
use crate::sandbox::server::Server;

/// Puts an object, or a subresource of it, in place of what is there.
///
/// # Errors
/// As the API server refuses.
pub(in crate::sandbox) async fn update(
    server: &Server,
    resource: &Resource,
    request: &Request,
    body: Decoded,
) -> Result<Answer, ApiError> {
    if request.endpoint == Endpoint::Scale {
        return scale::update(server, resource, request, body).await;
    }
    let mut object = decode(resource, request, body)?;
    place(resource, request, &mut object)?;
    check_name(request, &object)?;
    request.warn(drop_duplicate_owners(&mut object, When::Received));
    // Through `status` too: of a Service, the only such kind that has one.
    let may_create = !request.finalize && rules::creates_on_update(resource);
    let uid = Some(text(&object, "uid")).filter(|uid| !uid.is_empty());
    let make = |live: Option<&Value>| {
        let object = object.clone();
        Ok(request.as_writer(server, resource, false, |writer| {
            ownership::update(&resource.schema, live, object, writer)
        }))
    };
    store(server, resource, request, uid, may_create, make).await
}
