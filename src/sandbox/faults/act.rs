//! What strikes a request, done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::rewrite::{self, Answered, Sent};
use super::script::{Fault, Faults, When};

/// Where the script is.
const PATH: &str = "/sandbox/faults";

/// How a connection is to end, when it does.
#[derive(Debug, Clone, Default)]
pub(in crate::sandbox) struct Ending(Arc<AtomicBool>);

impl Ending {
    /// Whether by a reset.
    pub(in crate::sandbox) fn is_reset(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn reset(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("a fault of the script")]
pub(in crate::sandbox) struct Cut;

/// Answers a request by `handle`, with what the script does to it.
///
/// # Errors
/// There is no answer: the connection ends, as `ending` says.
pub(in crate::sandbox) async fn around<H, F>(
    faults: &Faults,
    ending: &Ending,
    request: Request<Incoming>,
    handle: H,
) -> Result<Response<Answered>, Cut>
where
    H: FnOnce(Request<Sent>) -> F,
    F: Future<Output = Response<Answered>>,
{
    let mut request = request.map(BodyExt::boxed);
    if request.uri().path() == PATH {
        return Ok(script(faults, request).await);
    }
    let uri = request.uri();
    let struck = faults.strike(request.method().as_str(), uri.path(), uri.query().unwrap_or_default());
    let delay: u64 = struck.iter().map(|fault| if let Fault::Delay(time) = fault { *time } else { 0 }).sum();
    if delay > 0 {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    let fault = struck.into_iter().find(|fault| !matches!(fault, Fault::Delay(_)));
    match &fault {
        Some(Fault::Answer { code, body, retry_after }) => {
            return Ok(answer(*code, body.as_ref(), *retry_after));
        }
        Some(Fault::Reset(When::Before)) => return reset(ending),
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Crash(When::Before)) => std::process::abort(),
        Some(Fault::IgnoreDryRun) => request = rewrite::without_dry_run(request).await,
        _ => {}
    }
    let response = handle(request).await;
    match fault {
        Some(Fault::Reset(When::After)) => reset(ending),
        Some(Fault::Reset(When::Middle)) => {
            let ending = ending.clone();
            Ok(rewrite::half(response, move || ending.reset()).await)
        }
        Some(Fault::Truncate) => Ok(rewrite::half(response, || {}).await),
        Some(Fault::Object(patch)) => Ok(rewrite::patched(response, patch).await),
        Some(Fault::Gap { after, drop }) => Ok(rewrite::with_gap(response, after, drop)),
        Some(Fault::Crash(When::After)) => std::process::abort(),
        Some(Fault::Crash(When::Middle)) => Ok(rewrite::half(response, || std::process::abort()).await),
        _ => Ok(response),
    }
}

fn reset(ending: &Ending) -> Result<Response<Answered>, Cut> {
    ending.reset();
    Err(Cut)
}

/// A request about the script itself.
async fn script(faults: &Faults, request: Request<Sent>) -> Response<Answered> {
    match *request.method() {
        Method::GET => answer(200, Some(&faults.told()), None),
        Method::DELETE => {
            faults.clear();
            answer(200, Some(&faults.told()), None)
        }
        Method::PUT => {
            let body = match request.into_body().collect().await {
                Ok(body) => body.to_bytes(),
                Err(error) => return answer(400, Some(&Value::from(error.to_string())), None),
            };
            match faults.replace(&body) {
                Ok(()) => answer(200, Some(&faults.told()), None),
                Err(error) => answer(400, Some(&Value::from(error.to_string())), None),
            }
        }
        _ => answer(405, None, None),
    }
}

fn answer(code: u16, body: Option<&Value>, retry_after: Option<u32>) -> Response<Answered> {
    let (kind, text) = match body {
        Some(Value::String(text)) => ("text/plain; charset=utf-8", text.clone()),
        Some(body) => ("application/json", body.to_string()),
        None => {
            let status = StatusCode::from_u16(code).unwrap_or_default();
            let message = status.canonical_reason().unwrap_or_default();
            let reason = match code {
                500 => "InternalError".to_owned(),
                504 => "Timeout".to_owned(),
                _ => message.replace(' ', ""),
            };
            let body = json!({
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Failure",
                "message": message,
                "reason": reason,
                "code": code,
            });
            ("application/json", body.to_string())
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}
