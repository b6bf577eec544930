//! Clocks that disagree: never compared to decide anything, only named where credentials or certificates fail,
//! which is what a wrong clock looks like.

use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};

/// Clocks that differ by less are not worth a word: the header has whole seconds, and the answer took a while.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// The time of a `Date` header.
pub(super) fn date(value: &HeaderValue) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value.to_str().ok()?).ok()
}

/// Why credentials were refused, with the clocks where they disagree.
pub(super) fn doubted(message: &str, server: Option<Timestamp>) -> String {
    with_skew(message, server, Timestamp::now())
}

fn with_skew(message: &str, server: Option<Timestamp>, here: Timestamp) -> String {
    let Some(server) = server else { return message.to_owned() };
    let ahead = here.duration_since(server);
    if ahead.abs() <= SKEW {
        return message.to_owned();
    }
    let which = if ahead.is_negative() { "behind" } else { "ahead of" };
    let by = SignedDuration::from_secs(ahead.abs().as_secs());
    format!("{message}\nthe clock of this machine is {by:#} {which} the server's")
}

/// Why a connection failed, with this machine's time where a certificate's time is the reason.
pub(super) fn told(message: &str, here: Timestamp) -> String {
    let about_time = ["certificate expired", "not valid yet", "certificate is not valid after"];
    if !about_time.iter().any(|text| message.contains(text)) {
        return message.to_owned();
    }
    format!("{message}\nthe clock of this machine says {}", here.strftime("%Y-%m-%d %H:%M UTC"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_named_where_they_may_be_the_reason() {
        let header = HeaderValue::from_static("Sun, 22 Nov 2026 09:00:00 GMT");
        let server = date(&header);
        assert_eq!(server, "2026-11-22T09:00:00Z".parse().ok());
        assert_eq!(date(&HeaderValue::from_static("today")), None);
        let said = |here: &str| with_skew("no", server, here.parse().unwrap());
        assert_eq!(said("2026-11-22T09:00:30Z"), "no");
        assert_eq!(
            said("2026-11-22T11:00:05Z"),
            "no\nthe clock of this machine is 2h 5s ahead of the server's"
        );
        assert_eq!(said("2026-11-22T08:57:00Z"), "no\nthe clock of this machine is 3m behind the server's");
        let here: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(with_skew("no", None, here), "no");
        assert_eq!(told("connection refused", here), "connection refused");
        assert!(
            told("invalid peer certificate: certificate not valid yet", here)
                .ends_with("2020-01-01 00:00 UTC")
        );
    }
}
