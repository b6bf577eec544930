//! A watch as HTTP: one JSON document per line, as long as the client stays.

use std::io;
use std::sync::Arc;

use futures::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::Response;
use hyper::body::{Bytes, Frame};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use super::answer::Body;
use super::dispatch::Head;
use super::negotiate::{self, Form};
use super::present::{self, Look};
use super::resource::Asked;
use crate::sandbox::error::ApiError;
use crate::sandbox::resource::Resource;
use crate::sandbox::server::Server;
use crate::sandbox::verbs::{self, ListParams, WatchEvent};

/// Starts a watch.
///
/// # Errors
/// As the API server refuses.
pub(super) async fn watch(
    server: &Arc<Server>,
    resource: &Arc<Resource>,
    asked: &Asked,
    head: &Head,
) -> Result<Response<Body>, ApiError> {
    let (form, version) = negotiate::form(&head.accept, resource.custom.is_some())?;
    let look = Look::read(server, &head.query)?;
    let params = ListParams::parse(resource, |name| head.query.get(name))?;
    let shown = Arc::clone(resource);
    let namespace = asked.place.namespace.clone();
    let watch = verbs::watch(Arc::clone(server), Arc::clone(resource), namespace, params).await?;
    // Columns are told with the first event alone.
    let events = stream::unfold((watch, true), move |(mut watch, is_first)| {
        let shown = Arc::clone(&shown);
        async move {
            let event = watch.next().await?;
            let table = |object: &Value| look.table(&shown, object, is_first, version);
            let line = line(&event, form, version, &table);
            Some((line.map(|line| Frame::data(Bytes::from(line))), (watch, false)))
        }
    });
    let mut response = Response::new(StreamBody::new(Box::pin(events)).boxed());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    Ok(response)
}

fn line(
    event: &WatchEvent,
    form: Form,
    version: &str,
    table: &dyn Fn(&Value) -> Value,
) -> io::Result<Vec<u8>> {
    let transformed = |object: Value| json!({ "type": event.kind, "object": object });
    let mut line = match form {
        _ if event.kind == "ERROR" => serde_json::to_vec(event)?,
        Form::Whole => serde_json::to_vec(event)?,
        Form::Table => serde_json::to_vec(&transformed(table(&event.object)))?,
        Form::Metadata | Form::MetadataList => {
            serde_json::to_vec(&transformed(present::metadata((*event.object).clone(), version)))?
        }
    };
    line.push(b'\n');
    Ok(line)
}
