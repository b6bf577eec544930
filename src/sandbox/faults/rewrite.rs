//! Requests and answers, changed.

use std::io;

use futures::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Body as _, Bytes, Frame};
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use hyper::{Request, Response, Uri};
use serde_json::Value;

/// The body of a request on its way to the handler.
pub(in crate::sandbox) type Sent = BoxBody<Bytes, hyper::Error>;

/// The body of an answer.
pub(super) type Answered = BoxBody<Bytes, io::Error>;

/// A request as if it were no dry-run: without it in the query and in delete options.
pub(super) async fn without_dry_run(request: Request<Sent>) -> Request<Sent> {
    let (mut head, body) = request.into_parts();
    let query = head.uri.query().unwrap_or_default();
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("dryRun=")).collect();
    let target = format!("{}?{}", head.uri.path(), kept.join("&"));
    if let Ok(uri) = target.parse::<Uri>() {
        head.uri = uri;
    }
    // A body that breaks off is for the handler to refuse.
    let Ok(body) = body.collect().await else { return Request::from_parts(head, whole(Bytes::new())) };
    let bytes = body.to_bytes();
    let bytes = match serde_json::from_slice::<Value>(&bytes) {
        Ok(Value::Object(mut options)) if options.contains_key("dryRun") => {
            options.remove("dryRun");
            Value::Object(options).to_string().into()
        }
        _ => bytes,
    };
    head.headers.insert(CONTENT_LENGTH, bytes.len().into());
    Request::from_parts(head, whole(bytes))
}

fn whole<E>(bytes: Bytes) -> BoxBody<Bytes, E> {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

/// Half of an answer, of a watch one event, then `end` and an error, at which the connection ends.
pub(super) async fn half(
    response: Response<Answered>,
    end: impl FnOnce() + Send + Sync + 'static,
) -> Response<Answered> {
    let (mut head, mut body) = response.into_parts();
    let mut length = None;
    let first = if body.size_hint().exact().is_some() {
        let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        length = Some(bytes.len());
        bytes.slice(..bytes.len() / 2)
    } else {
        let frame = body.frame().await.and_then(Result::ok);
        frame.and_then(|frame| frame.into_data().ok()).unwrap_or_default()
    };
    if let Some(length) = length {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let frames = stream::unfold((Some(first), Some(end)), async |(first, mut end)| {
        if let Some(bytes) = first {
            return Some((Ok(Frame::data(bytes)), (None, end)));
        }
        // So that what came before leaves first.
        tokio::task::yield_now().await;
        end.take()?();
        Some((Err(io::Error::other("a fault of the script")), (None, None)))
    });
    Response::from_parts(head, StreamBody::new(Box::pin(frames)).boxed())
}

/// An answer whose object, or that of every event of a watch, is changed by a merge patch.
pub(super) async fn patched(response: Response<Answered>, patch: Value) -> Response<Answered> {
    let (mut head, body) = response.into_parts();
    if body.size_hint().exact().is_some() {
        let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let bytes = match serde_json::from_slice::<Value>(&bytes) {
            Ok(mut object) => {
                merge(&mut object, &patch);
                Bytes::from(object.to_string())
            }
            Err(_) => bytes,
        };
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        return Response::from_parts(head, whole(bytes));
    }
    let frames = stream::unfold((body, patch), async |(mut body, patch)| {
        let frame = body.frame().await?;
        let line = frame.map(|frame| {
            frame.map_data(|data| match serde_json::from_slice::<Value>(&data) {
                Ok(mut event) => {
                    merge(&mut event["object"], &patch);
                    Bytes::from(format!("{event}\n"))
                }
                Err(_) => data,
            })
        });
        Some((line, (body, patch)))
    });
    Response::from_parts(head, StreamBody::new(Box::pin(frames)).boxed())
}

/// A watch of which, after so many events, so many are not sent.
pub(super) fn with_gap(response: Response<Answered>, after: usize, drop: usize) -> Response<Answered> {
    let (head, body) = response.into_parts();
    let frames = stream::unfold((body, 0), move |(mut body, mut told)| async move {
        loop {
            let frame = body.frame().await?;
            told += 1;
            if told <= after || told > after + drop {
                return Some((frame, (body, told)));
            }
        }
    });
    Response::from_parts(head, StreamBody::new(Box::pin(frames)).boxed())
}

/// RFC 7396.
pub(super) fn merge(value: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *value = patch.clone();
        return;
    };
    if !value.is_object() {
        *value = Value::Object(serde_json::Map::new());
    }
    for (name, change) in patch {
        if change.is_null() {
            value.as_object_mut().map(|map| map.remove(name));
        } else {
            merge(&mut value[name], change);
        }
    }
}
