//! POST.

use serde_json::Value;

use super::decode::decode;
use super::metadata::{self, When, drop_duplicate_owners, text};
use super::write::{begin, place};
use super::{Answer, Request, definition, not_written, review};
use crate::sandbox::error::{ApiError, qualified};
use crate::sandbox::http::Decoded;
use crate::sandbox::ownership;
use crate::sandbox::resource::Resource;
use crate::sandbox::server::Server;
use crate::sandbox::storage::CommitError;

/// How often a generated name is drawn anew when it is taken.
const ATTEMPTS: usize = 8;

/// Makes an object.
///
/// # Errors
/// As the API server refuses.
pub(in crate::sandbox) async fn create(
    server: &Server,
    resource: &Resource,
    request: &Request,
    body: Decoded,
) -> Result<Answer, ApiError> {
    if review::is_review(resource) {
        return review::answer(server, resource, request, body);
    }
    let mut object = decode(resource, request, body)?;
    metadata::wipe(&mut object);
    place(resource, request, &mut object)?;
    request.warn(drop_duplicate_owners(&mut object, When::Received));
    let object = request.as_writer(server, resource, false, |writer| {
        ownership::update(&resource.schema, None, object, writer)
    });
    let is_generated = !text(&object, "generateName").is_empty() && text(&object, "name").is_empty();
    let attempts = if is_generated { ATTEMPTS } else { 1 };
    for _ in 1..attempts {
        match attempt(server, resource, request, object.clone()).await {
            Err(error) if error.reason == "AlreadyExists" => {}
            done => return done,
        }
    }
    attempt(server, resource, request, object).await
}

async fn attempt(
    server: &Server,
    resource: &Resource,
    request: &Request,
    mut object: Value,
) -> Result<Answer, ApiError> {
    begin(server, resource, request, &mut object)?;
    let request = Request { name: text(&object, "name").to_owned(), ..request.clone() };
    let key = request.key(resource);
    if let Some(live) = server.storage.get(&key) {
        return Err(taken(resource, &object, &live.object));
    }
    if !text(&object, "resourceVersion").is_empty() {
        let why = "resourceVersion should not be set on objects to be created";
        return Err(ApiError::new(500, "", why));
    }
    if request.dry_run {
        return Ok(Answer { code: 201, object });
    }
    match server.storage.commit(&key, None, Some(object.clone())).await {
        Ok(stored) => {
            definition::after(server, resource, None, Some(&stored)).await?;
            Ok(Answer { code: 201, object: (*stored.object).clone() })
        }
        Err(CommitError::Stale) => {
            let live = server.storage.get(&key);
            Err(taken(resource, &object, live.as_ref().map_or(&Value::Null, |live| &live.object)))
        }
        Err(error) => Err(not_written(&error)),
    }
}

/// The name is another's.
fn taken(resource: &Resource, object: &Value, live: &Value) -> ApiError {
    let (group, plural, name) = (&resource.group, &resource.plural, text(object, "name"));
    let mut error = ApiError::already_exists(group, plural, name);
    if !text(object, "generateName").is_empty() {
        error.message = format!(
            "{} \"{name}\" already exists, the server was not able to generate a unique name for the object",
            qualified(group, plural)
        );
        let details = error.details.get_or_insert_default();
        details.retry_after_seconds = 1;
    }
    if metadata::is_deleting(live) {
        error.message = format!("object is being deleted: {}", error.message);
    }
    error
}
