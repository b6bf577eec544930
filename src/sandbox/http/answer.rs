//! Answers as HTTP.

use std::io;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::Response;
use hyper::body::{Bytes, Frame};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use serde_json::Value;

use crate::sandbox::error::ApiError;
use crate::sandbox::verbs::Watch;

/// A body, whole or streamed.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A whole body.
pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// JSON, with the line end that Go's encoder writes.
pub(super) fn json(code: u16, value: &impl Serialize) -> Response<Body> {
    typed(code, "application/json", line(value))
}

/// The events of a watch, a line each, as they come.
pub(super) fn events(watch: Watch) -> Response<Body> {
    let lines = futures::stream::unfold(watch, async |mut watch| {
        let event = watch.next().await?;
        Some((Ok(Frame::data(Bytes::from(line(&event)))), watch))
    });
    let mut response = typed(200, "application/json", String::new());
    *response.body_mut() = StreamBody::new(lines).boxed_unsync();
    response
}

fn line(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value).expect("values of JSON have names that are texts");
    text.push('\n');
    text
}

/// A refusal.
pub(super) fn refused(error: &ApiError) -> Response<Body> {
    json(error.code, &error.to_status())
}

/// A plain text, as Go's `http.Error` answers it.
pub(super) fn text(code: u16, text: &str) -> Response<Body> {
    typed(code, "text/plain; charset=utf-8", text.to_owned())
}

/// Any text of a content type.
pub(super) fn typed(code: u16, content_type: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(whole(text));
    *response.status_mut() = hyper::StatusCode::from_u16(code).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}
