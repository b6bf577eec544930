//! Go's durations, as Kubernetes and Flux write them: `1h30m`, `5m0s`, `0.5s`.

use std::time::Duration;

/// Nanoseconds of each unit, longest name first so that `ms` is not read as `m`.
const UNITS: [(&str, u128); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// The longest duration Go has: `i64::MAX` nanoseconds.
const MAX: u128 = i64::MAX as u128;

/// Why a text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It does not look like one.
    #[error("not a duration such as `90s`, `5m` or `1h30m`")]
    Syntax,
    /// A number stands without a unit.
    #[error("a unit is missing: `s`, `m` or `h`")]
    NoUnit,
    /// More than Go can count, which is about 292 years.
    #[error("too long")]
    TooLong,
}

/// Reads a duration by the rules of Go's `time.ParseDuration`, without a sign: nothing here lasts less than
/// nothing. Fractions below a nanosecond are dropped, as Go does.
///
/// # Errors
/// Says what is wrong with the text.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.is_empty() {
        return Err(DurationError::Syntax);
    }
    let mut total: u128 = 0;
    for (whole, fraction, unit) in parts(text)? {
        let nanos = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .map_or(Err(DurationError::Syntax), |(_, nanos)| Ok(*nanos))?;
        total += digits(whole)?.checked_mul(nanos).ok_or(DurationError::TooLong)?;
        // Eighteen digits are more than any unit has nanoseconds.
        let fraction = &fraction[..fraction.len().min(18)];
        let scale = 10_u128.pow(u32::try_from(fraction.len()).unwrap_or(18));
        total += digits(fraction)? * nanos / scale;
        if total > MAX {
            return Err(DurationError::TooLong);
        }
    }
    // Fits: `total` is at most `i64::MAX`.
    Ok(Duration::from_nanos(u64::try_from(total).unwrap_or(u64::MAX)))
}

/// Whether every part of a duration has one of these units.
pub(super) fn uses_only(text: &str, units: &[&str]) -> bool {
    parts(text).is_ok_and(|parts| {
        !parts.is_empty() && parts.iter().all(|(whole, _, unit)| !whole.is_empty() && units.contains(unit))
    })
}

/// Digits before the point, digits after it, unit; one for each part.
fn parts(text: &str) -> Result<Vec<(&str, &str, &str)>, DurationError> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (whole, after) = split_digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => split_digits(after),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(DurationError::Syntax);
        }
        let end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        if unit.is_empty() {
            return Err(DurationError::NoUnit);
        }
        parts.push((whole, fraction, unit));
        rest = after;
    }
    Ok(parts)
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

fn digits(text: &str) -> Result<u128, DurationError> {
    if text.is_empty() {
        return Ok(0);
    }
    let value: u128 = text.parse().map_err(|_| DurationError::TooLong)?;
    if value > MAX { Err(DurationError::TooLong) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_go_reads() {
        for (text, nanos) in [
            ("0", 0),
            ("0s", 0),
            ("5s", 5_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("5m0s", 300_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("5.s", 5_000_000_000),
            ("100ms", 100_000_000),
            ("1us", 1_000),
            ("1µs", 1_000),
            ("39h9m14.425s", 140_954_425_000_000),
            ("0.9999999999999999999s", 999_999_999),
            ("9223372036854775807ns", 9_223_372_036_854_775_807),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
        for (text, error) in [
            ("", DurationError::Syntax),
            ("5", DurationError::NoUnit),
            ("5m3", DurationError::NoUnit),
            ("-5m", DurationError::Syntax),
            ("5 m", DurationError::Syntax),
            ("5min", DurationError::Syntax),
            ("1d", DurationError::Syntax),
            ("m", DurationError::Syntax),
            (".s", DurationError::Syntax),
            ("9223372036854775808ns", DurationError::TooLong),
            ("3000000h", DurationError::TooLong),
            ("99999999999999999999999999999999999999999999h", DurationError::TooLong),
        ] {
            assert_eq!(parse_duration(text), Err(error), "{text}");
        }
        assert!(uses_only("1h30m", &["m", "h"]));
        assert!(!uses_only("1h", &["ms", "s", "m"]));
        assert!(!uses_only("0", &["s"]), "Flux's pattern wants a unit");
        assert!(!uses_only(".5s", &["s"]), "Flux's pattern wants a digit first");
    }

    proptest! {
        #[test]
        fn any_text_is_a_duration_or_an_error(text in "[0-9.hmsnuµ -]{0,12}") {
            if let Ok(duration) = parse_duration(&text) {
                prop_assert!(duration.as_nanos() <= MAX);
            }
        }

        #[test]
        fn parts_add_up(hours in 0_u64..1000, minutes in 0_u64..1000, millis in 0_u64..100_000) {
            let parsed = parse_duration(&format!("{hours}h{minutes}m{millis}ms")).unwrap();
            prop_assert_eq!(parsed, Duration::from_millis((hours * 60 + minutes) * 60_000 + millis));
        }
    }
}
