//! A request about a resource: which verb it is, with what, and its answer in the form asked for.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::{Method, Response};

use super::answer::{self, Body};
use super::body::{Decoded, as_go_tells};
use super::dispatch::Head;
use super::negotiate::{self, Form, PatchType};
use super::options::{self, Of, WriteOptions};
use super::present::{Look, present};
use super::protobuf;
use super::route::Place;
use super::stream;
use crate::sandbox::custom;
use crate::sandbox::error::{ApiError, Details};
use crate::sandbox::kinds;
use crate::sandbox::resource::{Endpoint, Resource};
use crate::sandbox::server::Server;
use crate::sandbox::verbs::{self, Answer, ListParams, Patch, Request};

/// Subresources that the API server has and the sandbox has not.
const NOT_SERVED: [&str; 12] = [
    "attach",
    "binding",
    "ephemeralcontainers",
    "eviction",
    "exec",
    "log",
    "portforward",
    "proxy",
    "resize",
    "approval",
    "token",
    "rollback",
];

/// What a request about a resource asks.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// About what.
    pub(super) place: Place,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; otherwise the method in
    /// small letters.
    pub(super) verb: &'static str,
}

impl Asked {
    /// What `head` asks about `place`.
    pub(super) fn new(head: &Head, place: Place) -> Self {
        let one = !place.name.is_empty();
        let verb = match (&head.method, one) {
            (&Method::GET | &Method::HEAD, true) => "get",
            (&Method::GET | &Method::HEAD, false) if head.query.flag("watch") => "watch",
            (&Method::GET | &Method::HEAD, false) => "list",
            (&Method::POST, _) => "create",
            (&Method::PUT, _) => "update",
            (&Method::PATCH, _) => "patch",
            (&Method::DELETE, true) => "delete",
            (&Method::DELETE, false) => "deletecollection",
            _ => "",
        };
        Self { place, verb }
    }

    /// What the audit log tells of the object.
    pub(super) fn reference(&self) -> Vec<(&'static str, String)> {
        let place = self.place.clone();
        let is_namespace = place.group.is_empty() && place.plural == "namespaces";
        let own = if is_namespace { place.name.clone() } else { String::new() };
        vec![
            ("resource", place.plural),
            ("namespace", place.namespace.unwrap_or(own)),
            ("name", place.name),
            ("apiGroup", place.group),
            ("apiVersion", place.version),
            ("subresource", place.subresource),
        ]
    }
}

/// Answers a request about a resource.
pub(super) async fn answer(server: &Arc<Server>, head: &Head, asked: Asked, body: &Bytes) -> Response<Body> {
    let resource = match find(server, head, &asked) {
        Ok(resource) => resource,
        Err(response) => return *response,
    };
    let request = match request(&resource, &asked, head) {
        Ok(request) => request,
        Err(error) => return answer::refused(&error),
    };
    let warnings = request.warnings.clone();
    request.warn(custom::deprecation(&resource));
    request.warn(kinds::deprecation(&resource));
    let done = match asked.verb {
        "watch" => stream::watch(server, &resource, &asked, head).await,
        "list" => list(server, &resource, &asked, head).await,
        _ => one(server, &resource, &asked, head, request, body).await,
    };
    let mut response = done.unwrap_or_else(|error| answer::refused(&error));
    answer::warn(response.headers_mut(), &warnings.texts());
    response
}

/// The resource, if it is served and may be asked so.
fn find(server: &Server, head: &Head, asked: &Asked) -> Result<Arc<Resource>, Box<Response<Body>>> {
    let place = &asked.place;
    let (group, version) = (place.group.as_str(), place.version.as_str());
    let served = server.registry.served();
    let refuse = |error: &ApiError| Box::new(answer::refused(error));
    if served.values().filter(|other| other.group == group).all(|other| other.custom.is_some()) {
        return find_custom(server, asked);
    }
    let found = server.registry.find(group, version, &place.plural);
    if place.plural == "watch" {
        return Err(refuse(&not_served("the old paths of watches: use ?watch=true")));
    }
    let Some(resource) = found else { return Err(refuse(&not_found())) };
    let is_collection = place.name.is_empty();
    match (&place.namespace, resource.namespaced) {
        (Some(_), false) => return Err(refuse(&not_found())),
        (None, true) if !is_collection => return Err(refuse(&not_found())),
        (None, true) if !matches!(asked.verb, "list" | "watch") => return Err(refuse(&not_allowed())),
        _ => {}
    }
    match place.subresource.as_str() {
        "" => {}
        "status" if resource.status => {}
        "scale" if resource.scale.is_some() => {}
        "finalize" if place.plural == "namespaces" && group.is_empty() => {}
        name if NOT_SERVED.contains(&name) => {
            return Err(refuse(&not_served(&format!("the subresource {name} of {}", place.plural))));
        }
        _ => return Err(refuse(&not_found())),
    }
    let is_allowed = match place.subresource.as_str() {
        "" if is_collection => matches!(asked.verb, "list" | "watch" | "create" | "deletecollection"),
        "" => matches!(asked.verb, "get" | "update" | "patch" | "delete"),
        "finalize" => asked.verb == "update",
        _ => matches!(asked.verb, "get" | "update" | "patch"),
    };
    if !is_allowed || head.method == Method::HEAD {
        return Err(refuse(&not_allowed()));
    }
    if place.subresource.is_empty() && !resource.verbs.iter().any(|verb| verb == asked.verb) {
        let error = match group {
            "apiregistration.k8s.io" => not_served(&format!("{} of {}", asked.verb, place.plural)),
            _ => not_allowed(),
        };
        return Err(refuse(&error));
    }
    Ok(resource)
}

/// The same of a group that definitions alone serve; its handler words refusals differently.
fn find_custom(server: &Server, asked: &Asked) -> Result<Arc<Resource>, Box<Response<Body>>> {
    let place = &asked.place;
    let found = server.registry.find(&place.group, &place.version, &place.plural);
    let in_scope = |resource: &Arc<Resource>| match (&place.namespace, resource.namespaced) {
        (Some(_), false) => false,
        (None, true) => matches!(asked.verb, "list" | "watch"),
        _ => true,
    };
    let Some(resource) = found.filter(in_scope) else { return Err(Box::new(answer::no_page())) };
    let refuse = |error: &ApiError| Err(Box::new(answer::refused(error)));
    let (group, plural) = (&place.group, &place.plural);
    let is_served = match place.subresource.as_str() {
        "" => true,
        "status" => resource.status,
        "scale" => resource.scale.is_some(),
        _ => false,
    };
    if !is_served {
        return refuse(&ApiError::not_found(group, plural, &place.name));
    }
    let is_allowed = match (place.subresource.as_str(), place.name.is_empty()) {
        ("", true) => matches!(asked.verb, "list" | "watch" | "create" | "deletecollection"),
        ("", false) => matches!(asked.verb, "get" | "update" | "patch" | "delete"),
        _ => matches!(asked.verb, "get" | "update" | "patch"),
    };
    if is_allowed {
        return Ok(resource);
    }
    if place.name.is_empty() && matches!(asked.verb, "update" | "patch") {
        return refuse(&ApiError::bad_request("name must be provided"));
    }
    let qualified = crate::sandbox::error::qualified(group, plural);
    let message = format!("{} is not supported on resources of kind \"{qualified}\"", asked.verb);
    let details = Details { group: group.clone(), kind: plural.clone(), ..Details::default() };
    refuse(&ApiError::new(405, "MethodNotAllowed", message).with(details))
}

fn request(resource: &Resource, asked: &Asked, head: &Head) -> Result<Request, ApiError> {
    let place = &asked.place;
    let request = Request {
        namespace: place.namespace.clone().unwrap_or_default(),
        name: place.name.clone(),
        endpoint: match place.subresource.as_str() {
            "status" => Endpoint::Status,
            "scale" => Endpoint::Scale,
            _ => Endpoint::Main,
        },
        finalize: place.subresource == "finalize",
        user_agent: head.user_agent.clone(),
        user: head.user.clone(),
        ..Request::default()
    };
    let of = match asked.verb {
        "create" => Of::Create,
        "update" => Of::Update,
        "patch" => match negotiate::patch_type(&head.content_type, resource.custom.is_some())? {
            PatchType::Apply => Of::Apply,
            PatchType::Merge | PatchType::Json => Of::Patch,
        },
        _ => return Ok(request),
    };
    let options = WriteOptions::parse(&head.query, of)?;
    Ok(Request {
        dry_run: options.dry_run,
        validation: options.validation,
        manager: options.manager,
        ..request
    })
}

async fn list(
    server: &Server,
    resource: &Resource,
    asked: &Asked,
    head: &Head,
) -> Result<Response<Body>, ApiError> {
    let (form, version) = negotiate::form(&head.accept, resource.custom.is_some())?;
    let look = Look::read(server, &head.query)?;
    let params = ListParams::parse(resource, |name| head.query.get(name))?;
    let list = verbs::list(server, resource, asked.place.namespace.as_deref(), &params).await?;
    if form == Form::Whole {
        return Ok(answer::json(200, &list));
    }
    Ok(answer::json(200, &present(resource, list.to_value(), form, version, look)?))
}

async fn one(
    server: &Server,
    resource: &Resource,
    asked: &Asked,
    head: &Head,
    request: Request,
    body: &Bytes,
) -> Result<Response<Body>, ApiError> {
    let (form, version) = negotiate::form(&head.accept, resource.custom.is_some())?;
    let look = Look::read(server, &head.query)?;
    let Answer { code, object } = match asked.verb {
        "get" => {
            verbs::fresh(server, head.query.get("resourceVersion").unwrap_or_default()).await?;
            verbs::get(server, resource, &request)?
        }
        "create" => {
            let object = if let Some(review) = protobuf::access_review(body) {
                review.into()
            } else {
                negotiate::check_body(&head.content_type)?;
                decode(resource, body)?
            };
            verbs::create(server, resource, &request, object).await?
        }
        "update" => {
            negotiate::check_body(&head.content_type)?;
            verbs::update(server, resource, &request, decode(resource, body)?).await?
        }
        "patch" => {
            let patch = patch(resource, head, body)?;
            verbs::patch(server, resource, &request, patch).await?
        }
        "delete" => {
            let (options, dry_run) = delete_options(head, body)?;
            verbs::delete(server, resource, &Request { dry_run, ..request }, &options).await?
        }
        _ => {
            let params = ListParams::parse(resource, |name| head.query.get(name))?;
            let (options, dry_run) = delete_options(head, body)?;
            let request = Request { dry_run, ..request };
            verbs::delete_collection(server, resource, &request, &params, &options).await?
        }
    };
    Ok(answer::json(code, &present(resource, object, form, version, look)?))
}

fn delete_options(head: &Head, body: &Bytes) -> Result<(verbs::DeleteOptions, bool), ApiError> {
    if !body.is_empty() {
        negotiate::check_body(&head.content_type)?;
    }
    options::delete(&head.query, body)
}

fn decode(resource: &Resource, body: &Bytes) -> Result<Decoded, ApiError> {
    let decoded = if resource.custom.is_some() { Decoded::parse(body) } else { Decoded::parse_merged(body) };
    decoded.map_err(|error| verbs::unrecognized(&resource.kind, &as_go_tells(&error, body), body))
}

fn patch(resource: &Resource, head: &Head, body: &Bytes) -> Result<Patch, ApiError> {
    let decoded = Decoded::parse(body);
    let invalid = |_| ApiError::bad_request("invalid JSON patch");
    match negotiate::patch_type(&head.content_type, resource.custom.is_some())? {
        PatchType::Apply => {
            let object = decoded.map_err(|_| negotiate::not_json_apply())?;
            Ok(Patch::Apply { object, force: head.query.flag("force") })
        }
        PatchType::Merge => Ok(Patch::Merge(decoded.map_err(invalid)?)),
        PatchType::Json => Ok(Patch::Json(decoded.map_err(invalid)?)),
    }
}

/// 404 of a path below a group that is served.
pub(super) fn not_found() -> ApiError {
    generic(404, "NotFound", "the server could not find the requested resource")
}

/// 405.
pub(super) fn not_allowed() -> ApiError {
    generic(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
}

/// 501: the API server has it, the sandbox has not.
fn not_served(what: &str) -> ApiError {
    generic(501, "NotImplemented", &format!("the sandbox does not serve {what}"))
}

fn generic(code: u16, reason: &'static str, message: &str) -> ApiError {
    ApiError::new(code, reason, message).with(Details::default())
}
