//! One request to the API server: deadline, turn, retry, renewal of credentials. Knows nothing of objects.

use std::error::Error as StdError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Method, Request, header};
use kube::client::{Body, Client};
use tokio::sync::RwLock;
use tokio::time::{Instant, timeout};

use super::clock;
use super::connect::Login;
use super::error::Error;
use super::limit::Limiter;
use super::retry::{self, Broken, Patience, Retrying, Why};

/// Called before each pause.
pub(crate) type Observer = Arc<dyn Fn(&Retrying) + Send + Sync>;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) uri: String,
    /// Content type and bytes.
    pub(crate) body: Option<(&'static str, Vec<u8>)>,
    pub(crate) accept: &'static str,
    /// Whether sending it twice ends like sending it once.
    pub(crate) repeatable: bool,
    /// For people.
    pub(crate) what: String,
}

impl Call {
    pub(crate) fn get(uri: String, what: String) -> Self {
        Self { method: Method::GET, uri, body: None, accept: "application/json", repeatable: true, what }
    }
}

/// An answer, whatever it says.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Seconds of the `Retry-After` header.
    pub(crate) retry_after: Option<u64>,
    /// The server's clock, by its `Date` header.
    pub(crate) date: Option<jiff::Timestamp>,
    /// An earlier try of the same request was sent, and what became of it is not known.
    pub(crate) lost_before: bool,
}

impl Reply {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A failure to get an answer.
#[derive(Debug)]
struct Failure {
    broken: Broken,
    message: String,
}

/// The connection pool with the credentials of the moment.
struct Slot {
    client: Client,
    /// Counts renewals, so that many refused requests renew once.
    generation: u64,
    expires: Option<jiff::Timestamp>,
}

/// See the module.
pub(crate) struct Transport {
    slot: RwLock<Slot>,
    login: Login,
    limiter: Limiter,
    patience: Patience,
    /// Whether the server ever answered.
    reached: AtomicBool,
}

/// An open response body.
pub(crate) enum Opened {
    Stream(Body),
    /// The server said no.
    Refused(Reply),
}

impl Transport {
    pub(crate) fn new(
        client: Client,
        expires: Option<jiff::Timestamp>,
        login: Login,
        parallelism: usize,
        patience: Patience,
    ) -> Self {
        Self {
            slot: RwLock::new(Slot { client, generation: 0, expires }),
            login,
            limiter: Limiter::new(parallelism),
            patience,
            reached: AtomicBool::new(false),
        }
    }

    /// Sends until there is an answer that another try would not change.
    ///
    /// # Errors
    /// [`Error::Unavailable`] and [`Error::Timeout`] when patience ends, [`Error::Unauthorized`] when renewed
    /// credentials are refused too.
    pub(crate) async fn send(&self, call: &Call, observer: Option<&Observer>) -> Result<Reply, Error> {
        let mut lost_before = false;
        match self.try_until(call, observer, &mut lost_before).await {
            Ok(reply) => Ok(Reply { lost_before, ..reply }),
            Err(error) if lost_before && call.method != Method::GET => Err(error.after_lost()),
            Err(error) => Err(error),
        }
    }

    /// `lost_before`: whether what became of a try before the last is not known.
    async fn try_until(
        &self,
        call: &Call,
        observer: Option<&Observer>,
        lost_before: &mut bool,
    ) -> Result<Reply, Error> {
        let start = Instant::now();
        let body = call.body.clone().map(|(kind, bytes)| (kind, Body::from(bytes)));
        let mut tries = 0;
        let mut renewed = false;
        loop {
            let (client, generation) = self.client().await?;
            let turn = self.limiter.turn().await;
            let answer = self.once(&client, request(call, body.as_ref(), None)?).await;
            let refused = matches!(&answer, Ok(reply) if reply.status == 429);
            self.limiter.done(turn, refused);
            if let Ok(reply) = &answer {
                self.reached.store(true, Ordering::Relaxed);
                if reply.status == 401 {
                    if renewed {
                        return Err(Error::Unauthorized(clock::doubted(&said(reply), reply.date)));
                    }
                    renewed = true;
                    self.renew(generation).await?;
                    continue;
                }
            }
            if let Err(Failure { broken: Broken::Tls, message }) = &answer
                && message.contains("received fatal alert")
                && !renewed
            {
                // A client certificate that ran out since the connections were made.
                renewed = true;
                self.renew(generation).await?;
                continue;
            }
            let why = match &answer {
                Ok(reply) => retry::of_reply(reply, call.repeatable),
                Err(failure) => retry::of_failure(failure.broken, call.repeatable),
            };
            let Some(why) = why else {
                return answer.map_err(|failure| self.give_up(call, &failure));
            };
            tries += 1;
            *lost_before |= matches!(why, Why::Network | Why::Server);
            let asked = answer.as_ref().ok().and_then(asked_pause);
            let pause = retry::pause(tries, asked, retry::random());
            let budget = why.budget(&self.patience, self.reached.load(Ordering::Relaxed));
            if start.elapsed() + pause > budget {
                return match answer {
                    Err(failure) => Err(self.give_up(call, &failure)),
                    Ok(reply) if matches!(why, Why::TooMany | Why::Server) => {
                        Err(Error::Unavailable(format!("{}: {}", call.what, said(&reply))))
                    }
                    Ok(reply) => Ok(reply),
                };
            }
            let said = match &answer {
                Ok(reply) => said(reply),
                Err(failure) => failure.message.clone(),
            };
            tracing::debug!(
                what = call.what,
                status = answer.as_ref().ok().map(|r| r.status),
                ?why,
                ?pause,
                "retry"
            );
            if let Some(observer) = observer {
                observer(&Retrying { what: call.what.clone(), why: why.to_string(), said, pause });
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Opens a response that does not end, such as a watch. Takes no turn and is not tried again.
    ///
    /// # Errors
    /// Those of [`Transport::send`].
    pub(crate) async fn open(&self, call: &Call) -> Result<Opened, Error> {
        let mut renewed = false;
        loop {
            let (client, generation) = self.client().await?;
            // Watches of newer API servers compress each event by itself, which the decoder takes for the
            // end after the first one.
            let request = request(call, None, Some("identity"))?;
            let opened = async {
                let response = client.send(request).await.map_err(|error| failure(&error))?;
                if response.status().is_success() {
                    return Ok(Opened::Stream(response.into_body()));
                }
                read(response).await.map(Opened::Refused)
            };
            let opened = match timeout(self.patience.attempt, opened).await {
                Ok(opened) => opened,
                Err(_) => Err(timed_out()),
            };
            match opened {
                Ok(Opened::Refused(reply)) if reply.status == 401 && !renewed => {
                    renewed = true;
                    self.renew(generation).await?;
                }
                Ok(opened) => return Ok(opened),
                Err(failure) => return Err(self.give_up(call, &failure)),
            }
        }
    }

    async fn once(&self, client: &Client, request: Request<Body>) -> Result<Reply, Failure> {
        let answer = async {
            let response = client.send(request).await.map_err(|error| failure(&error))?;
            read(response).await
        };
        match timeout(self.patience.attempt, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(timed_out()),
        }
    }

    async fn client(&self) -> Result<(Client, u64), Error> {
        let (generation, stale) = {
            let slot = self.slot.read().await;
            let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(30);
            let stale = slot.expires.is_some_and(|expires| expires < soon);
            if !stale {
                return Ok((slot.client.clone(), slot.generation));
            }
            (slot.generation, stale)
        };
        debug_assert!(stale, "a valid client was returned above");
        self.renew(generation).await?;
        let slot = self.slot.read().await;
        Ok((slot.client.clone(), slot.generation))
    }

    /// Makes the credentials anew, unless someone else just did.
    async fn renew(&self, seen: u64) -> Result<(), Error> {
        let mut slot = self.slot.write().await;
        if slot.generation != seen {
            return Ok(());
        }
        let (client, expires) =
            self.login.open().await.map_err(|error| Error::Unauthorized(error.to_string()))?;
        *slot = Slot { client, generation: seen + 1, expires };
        Ok(())
    }

    fn give_up(&self, call: &Call, failure: &Failure) -> Error {
        match failure.broken {
            Broken::TimedOut => {
                Error::Timeout { seconds: self.patience.attempt.as_secs(), what: call.what.clone() }
            }
            Broken::Credentials => Error::Unauthorized(failure.message.clone()),
            Broken::Connect | Broken::Tls => {
                let message = clock::told(&failure.message, jiff::Timestamp::now());
                Error::Unavailable(format!("{}{message}", self.login.place()))
            }
            Broken::MidWay => Error::Unavailable(failure.message.clone()),
        }
    }
}

fn timed_out() -> Failure {
    Failure { broken: Broken::TimedOut, message: "no answer in time".to_owned() }
}

fn asked_pause(reply: &Reply) -> Option<u64> {
    reply.retry_after.or_else(|| super::classify::Status::read(&reply.body).retry_after)
}

fn said(reply: &Reply) -> String {
    let message = super::classify::Status::read(&reply.body).message;
    if message.is_empty() { format!("HTTP status {}", reply.status) } else { message }
}

fn request(
    call: &Call,
    body: Option<&(&'static str, Body)>,
    encoding: Option<&'static str>,
) -> Result<Request<Body>, Error> {
    let mut request = Request::builder()
        .method(call.method.clone())
        .uri(&call.uri)
        .header(header::ACCEPT, call.accept)
        .header(header::USER_AGENT, concat!("arrplan/", env!("CARGO_PKG_VERSION")));
    if let Some(encoding) = encoding {
        request = request.header(header::ACCEPT_ENCODING, encoding);
    }
    let body = match body {
        Some((kind, body)) => {
            request = request.header(header::CONTENT_TYPE, *kind);
            body.try_clone().unwrap_or_else(Body::empty)
        }
        None => Body::empty(),
    };
    request.body(body).map_err(|error| Error::BadRequest(format!("{}: {error}", call.what)))
}

async fn read(response: http::Response<Body>) -> Result<Reply, Failure> {
    let status = response.status().as_u16();
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.trim().parse::<u64>().ok());
    let date = response.headers().get(header::DATE).and_then(clock::date);
    let body = response.into_body().collect_bytes().await.map_err(|error| failure(&error))?;
    Ok(Reply { status, body: body.into(), retry_after, date, lost_before: false })
}

/// What went wrong below HTTP.
fn failure(error: &kube::Error) -> Failure {
    let mut layers: Vec<String> = Vec::new();
    let mut broken = match error {
        kube::Error::Auth(_) => Broken::Credentials,
        _ => Broken::MidWay,
    };
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>()
            && error.is_connect()
        {
            broken = Broken::Connect;
        }
        if error.is::<kube::client::AuthError>() {
            broken = Broken::Credentials;
        }
        let text = error.to_string();
        // Most layers repeat what the one below them says.
        if !layers.iter().any(|layer| layer.contains(&text)) {
            layers.push(text);
        }
        next = error.source();
    }
    let message = match (broken, layers.last()) {
        // The layers above say only that there was an error.
        (Broken::Connect, Some(innermost)) => innermost.clone(),
        _ => layers.join(": "),
    };
    let tls = ["invalid peer certificate", "received fatal alert", "received corrupt message"];
    if tls.iter().any(|text| message.contains(text)) {
        broken = Broken::Tls;
    }
    Failure { broken, message }
}

/// How long one try may take, for those who wait on a stream.
pub(crate) const IDLE: Duration = Duration::from_secs(150);
