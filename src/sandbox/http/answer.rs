//! Answers as HTTP.

use std::io;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, WARNING};
use serde::Serialize;

use crate::sandbox::error::ApiError;

/// A body, whole or streamed.
pub(super) type Body = BoxBody<Bytes, io::Error>;

/// A whole body.
pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed()
}

/// JSON, with the line end that Go's encoder writes.
pub(super) fn json(code: u16, value: &impl Serialize) -> Response<Body> {
    json_as(code, "application/json", value)
}

/// JSON of a certain content type.
pub(super) fn json_as(code: u16, content_type: &'static str, value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(mut text) => {
            text.push(b'\n');
            typed(code, content_type, text)
        }
        Err(error) => typed(500, "text/plain; charset=utf-8", error.to_string().into_bytes()),
    }
}

/// A refusal.
pub(super) fn refused(error: &ApiError) -> Response<Body> {
    let mut response = json(error.code, &error.to_status());
    let seconds = error.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    if seconds > 0 {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

/// A plain text, as Go's `http.Error` answers it.
pub(super) fn text(code: u16, text: &str) -> Response<Body> {
    typed(code, "text/plain; charset=utf-8", text.as_bytes().to_vec())
}

/// The answer to a path that is nothing.
pub(super) fn no_page() -> Response<Body> {
    text(404, "404 page not found\n")
}

fn typed(code: u16, content_type: &'static str, text: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(whole(text));
    *response.status_mut() = hyper::StatusCode::from_u16(code).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    response
}

/// Adds a `Warning` header per text.
pub(super) fn warn(headers: &mut HeaderMap, texts: &[String]) {
    for text in texts {
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        // A text that no header can hold is left out, as the API server leaves it out.
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            headers.append(WARNING, value);
        }
    }
}
