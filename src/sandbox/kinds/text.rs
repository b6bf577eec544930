//! Texts with one form of their own: times and bytes, with the errors Go has for others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Base64 as Go writes it again.
///
/// # Errors
/// Go's own text.
pub(super) fn base64_canonical(text: &str) -> Result<String, String> {
    let bare: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    match STANDARD.decode(&bare) {
        Ok(bytes) => Ok(STANDARD.encode(bytes)),
        Err(error) => {
            let at = match error {
                base64::DecodeError::InvalidByte(at, _) => at,
                // Go names the start of the group that is not whole.
                _ => bare.trim_end_matches('=').len() / 4 * 4,
            };
            Err(format!("illegal base64 data at input byte {at}"))
        }
    }
}

/// A time as Go's `Time` and `MicroTime` write it again: in UTC, in whole seconds or microseconds.
///
/// # Errors
/// Go's own text.
pub(super) fn time_canonical(text: &str, is_micro: bool) -> Result<String, String> {
    let layout = if is_micro { "2006-01-02T15:04:05.000000Z07:00" } else { "2006-01-02T15:04:05Z07:00" };
    let parsed = text.parse::<jiff::Timestamp>().ok().filter(|_| unparsed(text).is_none());
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    if is_micro && parsed.is_some() && digits != 6 {
        let rest = text.get(19..).unwrap_or_default();
        return Err(format!("parsing time {text:?} as {layout:?}: cannot parse {rest:?} as \".000000\""));
    }
    let Some(time) = parsed else {
        let (rest, part) = unparsed(text).unwrap_or((text, "2006"));
        return Err(format!("parsing time {text:?} as {layout:?}: cannot parse {rest:?} as {part:?}"));
    };
    let format = if is_micro { "%Y-%m-%dT%H:%M:%S.%6fZ" } else { "%Y-%m-%dT%H:%M:%SZ" };
    Ok(time.strftime(format).to_string())
}

/// The first part of RFC 3339 that the text does not have, and what stands there instead.
fn unparsed(text: &str) -> Option<(&str, &'static str)> {
    const PARTS: [(&str, usize); 11] = [
        ("2006", 4),
        ("-", 0),
        ("01", 2),
        ("-", 0),
        ("02", 2),
        ("T", 0),
        ("15", 2),
        (":", 0),
        ("04", 2),
        (":", 0),
        ("05", 2),
    ];
    let mut rest = text;
    for (part, digits) in PARTS {
        let length = if digits == 0 { part.len() } else { digits };
        let fits = rest.get(..length).is_some_and(|head| {
            if digits == 0 { head == part } else { head.bytes().all(|byte| byte.is_ascii_digit()) }
        });
        if !fits {
            return Some((rest, part));
        }
        rest = &rest[length..];
    }
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    let is_offset = |text: &str| {
        let bytes = text.as_bytes();
        bytes.len() == 6 && matches!(bytes[0], b'+' | b'-') && bytes[3] == b':'
    };
    (rest != "Z" && !is_offset(rest)).then_some((rest, "Z07:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_form() {
        for (text, is_micro, expected) in [
            ("2026-11-22T06:00:00Z", false, Ok("2026-11-22T06:00:00Z")),
            ("2026-11-22T06:00:00.9Z", false, Ok("2026-11-22T06:00:00Z")),
            ("2026-11-22T08:00:00+02:00", false, Ok("2026-11-22T06:00:00Z")),
            ("2026-11-22T06:00:00.123456Z", true, Ok("2026-11-22T06:00:00.123456Z")),
            (
                "2026-11-22T06:00:00Z",
                true,
                Err(
                    "parsing time \"2026-11-22T06:00:00Z\" as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse \"Z\" as \".000000\"",
                ),
            ),
            (
                "yesterday",
                false,
                Err(
                    "parsing time \"yesterday\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"yesterday\" as \"2006\"",
                ),
            ),
            (
                "2026-11-22",
                false,
                Err(
                    "parsing time \"2026-11-22\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"\" as \"T\"",
                ),
            ),
        ] {
            let found = time_canonical(text, is_micro);
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text}");
        }
    }

    #[test]
    fn bytes_have_one_form() {
        for (text, expected) in [
            ("aGk=", Ok("aGk=")),
            ("aG\nk=", Ok("aGk=")),
            ("", Ok("")),
            ("!!", Err("illegal base64 data at input byte 0")),
            ("aGk", Err("illegal base64 data at input byte 0")),
        ] {
            let found = base64_canonical(text);
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text}");
        }
    }
}
