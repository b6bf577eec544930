//! Answers as HTTP.

use std::io;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde_json::Value;

use crate::sandbox::error::ApiError;

/// A body, whole or streamed.
pub(super) type Body = BoxBody<Bytes, io::Error>;

/// A whole body.
pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

/// JSON, with the line end that Go's encoder writes.
pub(super) fn json(code: u16, value: &Value) -> Response<Body> {
    let mut text = value.to_string();
    text.push('\n');
    typed(code, "application/json", text)
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
