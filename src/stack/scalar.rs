//! Durations and quantities as Kubernetes and Flux read them.

use std::time::Duration;

/// Reads a duration of Go's `time.ParseDuration`: `90s`, `1h30m`, `1.5h`.
///
/// # Errors
/// What to write instead.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut seconds = 0.0_f64;
    if rest.is_empty() {
        return Err(duration_hint(text));
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| duration_hint(text))?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return Err(duration_hint(text)),
        };
        seconds += number * unit;
        rest = &rest[letters..];
    }
    // Go counts nanoseconds in 63 bits.
    if seconds > 9_223_372_036.0 {
        return Err("it is longer than 292 years".to_owned());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| duration_hint(text))
}

fn duration_hint(text: &str) -> String {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let digits = compact.find(|c: char| !c.is_ascii_digit()).unwrap_or(compact.len());
    let (number, unit) = compact.split_at(digits);
    let unit = unit.to_lowercase();
    let number_of: Option<u64> = number.parse().ok();
    let instead = match (number_of, unit.as_str()) {
        (Some(n), "") => Some(format!("{n}s")),
        (Some(n), "d" | "day" | "days") => n.checked_mul(24).map(|h| format!("{h}h")),
        (Some(n), "w" | "week" | "weeks") => n.checked_mul(168).map(|h| format!("{h}h")),
        (Some(n), "h" | "hour" | "hours" | "hr" | "hrs") => Some(format!("{n}h")),
        (Some(n), "m" | "min" | "mins" | "minute" | "minutes") => Some(format!("{n}m")),
        (Some(n), "s" | "sec" | "secs" | "second" | "seconds") => Some(format!("{n}s")),
        _ => None,
    };
    match instead {
        Some(instead) => format!("write `\"{instead}\"`: a number and `h`, `m`, `s` or `ms`, joined without spaces"),
        None => "a duration is a number and `h`, `m`, `s` or `ms`, joined without spaces: `\"10m\"`, `\"1h30m\"`".to_owned(),
    }
}

/// Checks a Kubernetes quantity: `500Gi`, `1.5`, `100m`, `1e3`.
///
/// # Errors
/// What to write instead.
pub fn check_quantity(text: &str) -> Result<(), String> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(digits);
    let number_good = number.bytes().any(|b| b.is_ascii_digit()) && number.matches('.').count() <= 1;
    let exponent = suffix
        .strip_prefix(['e', 'E'])
        .map(|e| e.strip_prefix(['+', '-']).unwrap_or(e))
        .is_some_and(|e| !e.is_empty() && e.bytes().all(|b| b.is_ascii_digit()));
    let known = [
        "", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
    ];
    if number_good && (exponent || known.contains(&suffix)) {
        return Ok(());
    }
    let letters = suffix.trim().to_lowercase();
    let unit = letters.strip_suffix('b').unwrap_or(&letters);
    let unit = unit.strip_suffix('i').unwrap_or(unit);
    let unit = match unit {
        "k" | "kilo" => "Ki",
        "m" | "mega" => "Mi",
        "g" | "giga" => "Gi",
        "t" | "tera" => "Ti",
        "p" => "Pi",
        _ => {
            return Err("a quantity is a number with an optional suffix: `\"500Gi\"`, `\"1.5\"`, `\"100m\"`".to_owned());
        }
    };
    if !number_good {
        return Err("a quantity is a number with an optional suffix: `\"500Gi\"`, `\"1.5\"`, `\"100m\"`".to_owned());
    }
    Err(format!("write `\"{number}{unit}\"` (powers of 1024) or `\"{number}{}\"` (powers of 1000)", match unit {
        "Ki" => "k",
        other => &other[..1],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in [("10m", 600.0), ("1h30m", 5400.0), ("1.5h", 5400.0), ("90s", 90.0), ("500ms", 0.5), ("0", 0.0), ("0s", 0.0)] {
            assert_eq!(parse_duration(text).map(|d| d.as_secs_f64()), Ok(seconds), "{text}");
        }
        for (text, hint) in [
            ("10", "\"10s\""),
            ("5 minutes", "\"5m\""),
            ("1d", "\"24h\""),
            ("10M", "\"10m\""),
            ("", "\"10m\""),
            ("-5m", "\"10m\""),
            ("m", "\"10m\""),
            ("1.2.3s", "\"10m\""),
            ("99999999h", "292 years"),
        ] {
            let error = parse_duration(text).unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }

    #[test]
    fn quantities() {
        for text in ["500Gi", "1", "0.5", ".5", "1.", "1e3", "1E3", "100m", "-1", "12k", "1E"] {
            assert_eq!(check_quantity(text), Ok(()), "{text}");
        }
        for (text, hint) in [
            ("500GB", "\"500Gi\""),
            ("500 Gi", "\"500Gi\""),
            ("10gb", "\"10Gi\""),
            ("1K", "\"1k\""),
            ("100mb", "\"100Mi\""),
            ("lots", "number with"),
            ("", "number with"),
            ("1.2.3Gi", "number with"),
        ] {
            let error = check_quantity(text).unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }
}
