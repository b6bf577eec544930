//! From a request to its answer: who asks, what for, and the line in the audit log.

use std::sync::Arc;

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as HttpBody, Bytes};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request as HttpRequest, Response};
use serde_json::Value;

use super::answer::{self, Body};
use super::audit::Entry;
use super::identity::Identity;
use super::query::Query;
use super::resource::Asked;
use super::{info, resource, route};
use crate::sandbox::discovery;
use crate::sandbox::error::{ApiError, Details};
use crate::sandbox::openapi;
use crate::sandbox::resource::Draw as _;
use crate::sandbox::server::Server;

/// The API server's own limit on a body.
const LARGEST_BODY: usize = 3 * 1024 * 1024;

/// Name of who shows no token.
const ANONYMOUS: &str = "system:anonymous";

/// A request, read.
#[derive(Debug, Clone)]
pub(super) struct Head {
    /// `GET`, …
    pub(super) method: hyper::Method,
    /// Still with its escapes.
    pub(super) path: String,
    /// What stands after the `?`.
    pub(super) query: Query,
    /// `Accept`.
    pub(super) accept: String,
    /// `Content-Type`.
    pub(super) content_type: String,
    /// `User-Agent`.
    pub(super) user_agent: String,
    /// Who asks.
    pub(super) user: String,
}

/// Answers one request.
pub(super) async fn handle<B>(
    server: Arc<Server>,
    identity: &Identity,
    request: HttpRequest<B>,
) -> Response<Body>
where
    B: HttpBody<Data = Bytes> + Send + Sync,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let received = server.time();
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !Identity::is_host(header(HOST)) {
        let message = "the Host header does not name the sandbox";
        return answer::refused(&ApiError::new(403, "Forbidden", message));
    }
    let user = match header(AUTHORIZATION).strip_prefix("Bearer ").map(str::trim) {
        None | Some("") => ANONYMOUS,
        Some(token) => match identity.user_of(token) {
            Some(user) => user,
            None => return answer::refused(&ApiError::new(401, "Unauthorized", "Unauthorized")),
        },
    };
    let head = Head {
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        query: Query::parse(request.uri().query().unwrap_or_default()),
        accept: header(ACCEPT).to_owned(),
        content_type: header(CONTENT_TYPE).to_owned(),
        user_agent: header(USER_AGENT).to_owned(),
        user: user.to_owned(),
    };
    let uri = request.uri().to_string();
    let asked = route::place(&head.path).map(|place| Asked::new(&head, place));
    if user == ANONYMOUS && !info::is_public(&head.path) {
        return answer::refused(&forbidden(&head, asked.as_ref()));
    }
    let body = match Limited::new(request.into_body(), LARGEST_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("Request entity too large: limit is {LARGEST_BODY}");
            return answer::refused(&ApiError::new(413, "RequestEntityTooLarge", message));
        }
        Err(error) => return answer::refused(&ApiError::bad_request(error.to_string())),
    };
    let entry = Entry {
        id: server.uid(),
        verb: asked
            .as_ref()
            .map_or_else(|| head.method.as_str().to_lowercase(), |asked| asked.verb.to_owned()),
        user: head.user.clone(),
        user_agent: head.user_agent.clone(),
        uri,
        object: asked.as_ref().map(Asked::reference).unwrap_or_default(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        received,
    };
    let response = match asked {
        Some(asked) => resource::answer(&server, &head, asked, &body).await,
        None => about_server(&server, &head),
    };
    match server.log(&entry, response.status().as_u16()) {
        Ok(()) => response,
        Err(error) => {
            let message = format!("the sandbox cannot write its audit log: {error}");
            answer::refused(&ApiError::new(500, "InternalError", message))
        }
    }
}

fn about_server(server: &Server, head: &Head) -> Response<Body> {
    if head.method != hyper::Method::GET {
        return match info::answer(&head.path) {
            Some(_) => answer::refused(&resource::not_allowed()),
            None => answer::no_page(),
        };
    }
    if let Some(response) = info::answer(&head.path) {
        return response;
    }
    let served = server.registry.served();
    if let Some(document) = openapi::answer(&served, &head.path) {
        return answer::json(200, &document);
    }
    match discovery::answer(&served, &head.path, &head.accept, server.address()) {
        Some((content_type, value)) => answer::json_as(200, content_type, &value),
        None if head.path.starts_with("/api/") => answer::refused(&resource::not_found()),
        None => answer::no_page(),
    }
}

/// 403 of who shows no token, as RBAC words it.
fn forbidden(head: &Head, asked: Option<&Asked>) -> ApiError {
    let Some(asked) = asked else {
        let verb = head.method.as_str().to_lowercase();
        let message = format!("forbidden: User \"{ANONYMOUS}\" cannot {verb} path \"{}\"", head.path);
        return ApiError::new(403, "Forbidden", message).with(Details::default());
    };
    let place = &asked.place;
    let sub = if place.subresource.is_empty() { String::new() } else { format!("/{}", place.subresource) };
    let scope = match &place.namespace {
        Some(namespace) => format!("in the namespace \"{namespace}\""),
        None => "at the cluster scope".to_owned(),
    };
    let name = if place.name.is_empty() { String::new() } else { format!(" \"{}\"", place.name) };
    let message = format!(
        "{}{name} is forbidden: User \"{ANONYMOUS}\" cannot {} resource \"{}{sub}\" in API group \"{}\" {scope}",
        crate::sandbox::error::qualified(&place.group, &place.plural),
        asked.verb,
        place.plural,
        place.group,
    );
    let details = Details {
        name: place.name.clone(),
        group: place.group.clone(),
        kind: place.plural.clone(),
        ..Details::default()
    };
    ApiError::new(403, "Forbidden", message).with(details)
}
