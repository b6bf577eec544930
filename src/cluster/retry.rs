//! What is tried again, and after which pause. Pure: by reason, not by code.

use std::fmt;
use std::time::Duration;

use super::classify::Status;
use super::transport::Reply;

/// Told to whoever watches a request: it is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retrying {
    /// Which request: `PATCH configmaps media/app`.
    pub what: String,
    /// Why, in our own words.
    pub why: String,
    /// What the server or the network said. It may hold values of the object: show it only through the secret
    /// filter.
    pub said: String,
    /// After which pause.
    pub pause: Duration,
}

/// How a request failed to get an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// No connection: it was never sent.
    Connect,
    /// TLS was refused; another try ends the same way.
    Tls,
    /// Our own credentials could not be had.
    Credentials,
    /// It may have been sent.
    MidWay,
    /// No answer in time; it may have been sent.
    TimedOut,
}

/// How long to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    /// One try. More than the 34 s the API server gives a PATCH, which has three webhooks of 10 s in it.
    pub(crate) attempt: Duration,
    /// All tries of one request. An API server that restarts is back well within it.
    pub(crate) total: Duration,
    /// All tries while no request to this server ever succeeded: a wrong address is to be reported soon.
    pub(crate) unreached: Duration,
    /// All tries against a webhook that is down.
    pub(crate) webhook: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(40),
            total: Duration::from_mins(2),
            unreached: Duration::from_secs(3),
            webhook: Duration::from_secs(30),
        }
    }
}

impl Patience {
    /// As patient as ever, or with `attempt` for one try and three times that for all of a request.
    pub(crate) fn with(attempt: Option<Duration>) -> Self {
        let usual = Self::default();
        let Some(attempt) = attempt else { return usual };
        let total = attempt.saturating_mul(3);
        Self { attempt, total, unreached: usual.unreached.min(total), webhook: usual.webhook.min(total) }
    }
}

/// Why something is worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// 429: it was not processed.
    TooMany,
    /// 502, 503, 504, etcd: the server has a bad moment.
    Server,
    /// A webhook cannot be called.
    Webhook,
    /// Two writes met at a quota; nothing was stored.
    Quota,
    /// No connection.
    Connect,
    /// The connection broke, or nothing came.
    Network,
}

impl Why {
    pub(crate) fn budget(self, patience: &Patience, reached: bool) -> Duration {
        match self {
            Self::Webhook => patience.webhook,
            Self::Connect if !reached => patience.unreached,
            _ => patience.total,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooMany => "the API server asks to slow down",
            Self::Server => "the API server has a bad moment",
            Self::Webhook => "an admission webhook cannot be called",
            Self::Quota => "the quota is being updated",
            Self::Connect => "no connection",
            Self::Network => "the connection broke",
        })
    }
}

/// Texts of transient errors behind a 500.
const ETCD: &[&str] = &[
    "etcdserver: leader changed",
    "etcdserver: request timed out",
    "etcdserver: too many requests",
    "etcdserver: no leader",
    "context deadline exceeded",
    "connection refused",
    "connection reset",
    "transport is closing",
    "the server has received too many requests",
];

/// Whether an answer is worth another try. `repeatable`: sending the request twice ends like sending it once.
pub(crate) fn of_reply(reply: &Reply, repeatable: bool) -> Option<Why> {
    match reply.status {
        429 => Some(Why::TooMany),
        502..=504 => repeatable.then_some(Why::Server),
        409 => {
            let status = Status::read(&reply.body);
            (status.reason == "Conflict" && status.kind == "resourcequotas").then_some(Why::Quota)
        }
        500 => {
            let status = Status::read(&reply.body);
            // A refusal of the webhook itself is no failure to call it; neither is dry-run it does not do.
            if status.reason == "InternalError" && status.message.contains("failed calling webhook") {
                return Some(Why::Webhook);
            }
            // The API server passes trouble with its storage on without a reason.
            if !matches!(status.reason.as_str(), "" | "InternalError") {
                return None;
            }
            let transient = ETCD.iter().any(|text| status.message.contains(text));
            (transient && repeatable).then_some(Why::Server)
        }
        _ => None,
    }
}

/// Whether a failure without an answer is worth another try.
pub(crate) fn of_failure(broken: Broken, repeatable: bool) -> Option<Why> {
    match broken {
        Broken::Connect => Some(Why::Connect),
        Broken::MidWay | Broken::TimedOut => repeatable.then_some(Why::Network),
        Broken::Tls | Broken::Credentials => None,
    }
}

/// First pause; it doubles.
const FIRST: Duration = Duration::from_millis(200);
/// Longest pause of our own.
const LONGEST: Duration = Duration::from_secs(8);
/// Longest pause a server may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(30);

/// The pause before try number `tries + 1`: what the server asks for, capped, plus up to a quarter of jitter;
/// else half to all of a doubling pause. `random` is uniform over all values.
pub(crate) fn pause(tries: u32, asked: Option<u64>, random: u32) -> Duration {
    let share = f64::from(random) / f64::from(u32::MAX);
    if let Some(seconds) = asked.filter(|seconds| *seconds > 0) {
        let base = Duration::from_secs(seconds).min(LONGEST_ASKED);
        return base + base.mul_f64(share / 4.0);
    }
    let base = FIRST.saturating_mul(1 << tries.saturating_sub(1).min(10)).min(LONGEST);
    base.mul_f64(0.5 + share / 2.0)
}

/// A random number for [`pause`]; zero where the system has none to give, which only costs the jitter.
pub(crate) fn random() -> u32 {
    getrandom::u32().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, reason: &str, message: &str) -> Reply {
        let body = serde_json::json!({
            "kind": "Status", "status": "Failure", "reason": reason, "message": message,
        });
        Reply {
            status,
            body: serde_json::to_vec(&body).unwrap(),
            retry_after: None,
            date: None,
            lost_before: false,
        }
    }

    #[test]
    fn what_is_tried_again() {
        let webhook = "Internal error occurred: failed calling webhook \"x.y\": failed to call webhook: Post \"https://x.y.svc\": EOF";
        for (status, reason, message, repeatable, once) in [
            (429, "TooManyRequests", "slow down", Some(Why::TooMany), Some(Why::TooMany)),
            (503, "ServiceUnavailable", "", Some(Why::Server), None),
            (502, "", "", Some(Why::Server), None),
            (504, "Timeout", "request did not complete", Some(Why::Server), None),
            (500, "InternalError", webhook, Some(Why::Webhook), Some(Why::Webhook)),
            (500, "InternalError", "etcdserver: leader changed", Some(Why::Server), None),
            (500, "InternalError", "something of the user", None, None),
            (
                500,
                "",
                "failed to create typed patch object: .spec.x: field not declared in schema",
                None,
                None,
            ),
            (500, "", "etcdserver: request timed out", Some(Why::Server), None),
            (500, "Unknown", "etcdserver: request timed out", None, None),
            (409, "Conflict", "the object has been modified", None, None),
            (403, "Forbidden", "", None, None),
            (404, "NotFound", "", None, None),
            (422, "Invalid", "", None, None),
        ] {
            let reply = reply(status, reason, message);
            assert_eq!(of_reply(&reply, true), repeatable, "{status} {reason} {message}");
            assert_eq!(of_reply(&reply, false), once, "{status} {reason} {message}");
        }
        let quota = Reply {
            status: 409,
            body: br#"{"kind":"Status","reason":"Conflict","details":{"kind":"resourcequotas","name":"q"}}"#
                .to_vec(),
            retry_after: None,
            date: None,
            lost_before: false,
        };
        assert_eq!(of_reply(&quota, false), Some(Why::Quota));
        assert_eq!(of_failure(Broken::Connect, false), Some(Why::Connect));
        assert_eq!(of_failure(Broken::MidWay, false), None);
        assert_eq!(of_failure(Broken::TimedOut, true), Some(Why::Network));
        assert_eq!(of_failure(Broken::Tls, true), None);
    }

    #[test]
    fn patience_follows_the_time_for_one_try() {
        assert_eq!(Patience::with(None), Patience::default());
        let short = Patience::with(Some(Duration::from_millis(500)));
        assert_eq!([short.total, short.unreached, short.webhook], [Duration::from_millis(1500); 3]);
        let long = Patience::with(Some(Duration::from_mins(5)));
        assert_eq!((long.total, long.webhook), (Duration::from_mins(15), Duration::from_secs(30)));
    }

    #[test]
    fn pauses_grow_are_capped_and_jittered() {
        assert_eq!(pause(1, None, 0), Duration::from_millis(100));
        assert_eq!(pause(1, None, u32::MAX), Duration::from_millis(200));
        assert_eq!(pause(3, None, u32::MAX), Duration::from_millis(800));
        assert_eq!(pause(u32::MAX, None, u32::MAX), LONGEST);
        assert_eq!(pause(1, Some(1), 0), Duration::from_secs(1));
        assert_eq!(pause(9, Some(4), u32::MAX), Duration::from_secs(5));
        assert_eq!(pause(1, Some(u64::MAX), 0), LONGEST_ASKED);
        assert_eq!(pause(1, Some(0), 0), Duration::from_millis(100));
    }
}
