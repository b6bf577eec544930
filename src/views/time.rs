//! Times and durations as people say them. The clock is passed in.

use std::time::Duration;

use jiff::Timestamp;

/// `just now`, `12 min ago`, `3 hours ago`, `4 days ago`, else the date. A text that is no RFC 3339 time
/// stands as it is.
#[must_use]
pub fn ago(time: &str, now: Timestamp) -> String {
    match time.parse::<Timestamp>() {
        Ok(then) => {
            distance(then, now).map_or_else(|| date(then), |d| if d == NOW { d } else { format!("{d} ago") })
        }
        Err(_) => time.to_owned(),
    }
}

/// `since 12 min`, `since 2026-01-03`.
#[must_use]
pub fn since(time: &str, now: Timestamp) -> String {
    match time.parse::<Timestamp>() {
        Ok(then) => match distance(then, now) {
            Some(d) if d == NOW => d,
            Some(d) => format!("for {d}"),
            None => format!("since {}", date(then)),
        },
        Err(_) => format!("since {time}"),
    }
}

const NOW: &str = "just now";

/// Nothing beyond sixty days.
fn distance(then: Timestamp, now: Timestamp) -> Option<String> {
    let seconds = now.as_second() - then.as_second();
    let text = match seconds {
        // A clock a little behind the server's must not say "in the future".
        ..60 => NOW.to_owned(),
        60..3600 => format!("{} min", seconds / 60),
        3600..7200 => "1 hour".to_owned(),
        7200..172_800 => format!("{} hours", seconds / 3600),
        172_800..5_184_000 => format!("{} days", seconds / 86_400),
        _ => return None,
    };
    Some(text)
}

fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

/// `2026-11-22 13:40 UTC`: a moment that must be told apart from its neighbours.
#[must_use]
pub fn moment(time: &str) -> String {
    time.parse::<Timestamp>()
        .map_or_else(|_| time.to_owned(), |t| t.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// `0.1s`, `41.0s`, `1m12s`, `1h02m`.
#[must_use]
pub fn exact(duration: Duration) -> String {
    if duration.as_millis() < 59_950 { format!("{:.1}s", duration.as_secs_f64()) } else { whole(duration) }
}

/// `6s`, `1m12s`, `1h02m`.
#[must_use]
pub fn whole(duration: Duration) -> String {
    let seconds = duration.as_secs() + u64::from(duration.subsec_millis() >= 500);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        for (time, said, held) in [
            ("2026-11-22T12:00:30Z", "just now", "just now"),
            ("2026-11-22T11:48:00Z", "12 min ago", "for 12 min"),
            ("2026-11-22T10:30:00Z", "1 hour ago", "for 1 hour"),
            ("2026-11-21T14:00:00Z", "22 hours ago", "for 22 hours"),
            ("2026-11-12T12:00:00Z", "10 days ago", "for 10 days"),
            ("2026-01-03T12:00:00Z", "2026-01-03", "since 2026-01-03"),
            ("noon", "noon", "since noon"),
        ] {
            assert_eq!((ago(time, now).as_str(), since(time, now).as_str()), (said, held));
        }
    }

    #[test]
    fn durations() {
        for (millis, text) in
            [(100, "0.1s"), (41_000, "41.0s"), (59_960, "1m00s"), (72_000, "1m12s"), (3_720_000, "1h02m")]
        {
            assert_eq!(exact(Duration::from_millis(millis)), text);
        }
    }
}
