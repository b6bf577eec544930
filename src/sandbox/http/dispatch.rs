//! From a request to the verb it is.

use std::sync::Arc;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, HOST, USER_AGENT};
use hyper::{Method, Request as HttpRequest, Response};

use super::answer::{self, Body};
use super::body::Decoded;
use super::identity::Identity;
use super::query::Query;
use super::route;
use crate::sandbox::error::ApiError;
use crate::sandbox::resource::Resource;
use crate::sandbox::server::Server;
use crate::sandbox::verbs::{self, Answer, ListParams, Request};

/// The API server's own limit on a body.
const LARGEST_BODY: usize = 3 * 1024 * 1024;

/// Answers one request.
pub(super) async fn handle(
    server: Arc<Server>,
    identity: &Identity,
    request: HttpRequest<Incoming>,
) -> Response<Body> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !identity.is_host(header(HOST)) {
        let message = "the Host header does not name the sandbox";
        return answer::refused(&ApiError::new(403, "Forbidden", message));
    }
    let token = header(AUTHORIZATION).strip_prefix("Bearer ").unwrap_or_default().trim();
    let Some(user) = identity.user_of(token) else {
        return answer::refused(&ApiError::new(401, "Unauthorized", "Unauthorized"));
    };
    let head = Head {
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        query: Query::parse(request.uri().query().unwrap_or_default()),
        user_agent: header(USER_AGENT).to_owned(),
        user: user.to_owned(),
    };
    let body = match Limited::new(request.into_body(), LARGEST_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => {
            let message = format!("Request entity too large: limit is {LARGEST_BODY}");
            return answer::refused(&ApiError::new(413, "RequestEntityTooLarge", message));
        }
    };
    head.answer(&server, &body).await
}

struct Head {
    method: Method,
    path: String,
    query: Query,
    user_agent: String,
    user: String,
}

impl Head {
    async fn answer(&self, server: &Arc<Server>, body: &Bytes) -> Response<Body> {
        let place = route::place(&self.path);
        let resource = place.as_ref().and_then(|at| server.registry.find(&at.group, &at.version, &at.plural));
        let (Some(place), Some(resource)) = (place, resource) else {
            return answer::text(404, "404 page not found\n");
        };
        if self.method == Method::GET && place.name.is_empty() {
            return self.collection(server, &resource, place.namespace).await;
        }
        let request = Request {
            namespace: place.namespace.unwrap_or_default(),
            name: place.name,
            dry_run: self.query.get("dryRun") == Some("All"),
            manager: self.query.get("fieldManager").unwrap_or_default().to_owned(),
            user_agent: self.user_agent.clone(),
            user: self.user.clone(),
            ..Request::default()
        };
        let done = match self.method {
            Method::GET => verbs::get(server, &resource, &request),
            Method::POST => match Decoded::parse(body) {
                Ok(object) => verbs::create(server, &resource, &request, object).await,
                Err(error) => Err(ApiError::bad_request(error.to_string())),
            },
            Method::DELETE => {
                verbs::delete(server, &resource, &request, &verbs::DeleteOptions::default()).await
            }
            _ => Err(ApiError::new(
                405,
                "MethodNotAllowed",
                "the server does not allow this method on the requested resource",
            )),
        };
        match done {
            Ok(Answer { code, object, .. }) => answer::json(code, &object),
            Err(error) => answer::refused(&error),
        }
    }

    async fn collection(
        &self,
        server: &Arc<Server>,
        resource: &Arc<Resource>,
        namespace: Option<String>,
    ) -> Response<Body> {
        let params = match ListParams::parse(resource, |name| self.query.get(name)) {
            Ok(params) => params,
            Err(error) => return answer::refused(&error),
        };
        if params.watch {
            let watch = verbs::watch(Arc::clone(server), Arc::clone(resource), namespace, params).await;
            return watch.map_or_else(|error| answer::refused(&error), answer::events);
        }
        let listed = verbs::list(server, resource, namespace.as_deref(), &params).await;
        listed.map_or_else(|error| answer::refused(&error), |listed| answer::json(200, &listed))
    }
}
