//! `format`: what a text of a known format looks like (`k8s.io/kube-openapi` `strfmt`).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use regex::Regex;

const TEXT_FORMATS: &[&str] = &[
    "bsonobjectid",
    "byte",
    "cidr",
    "creditcard",
    "date",
    "datetime",
    "duration",
    "email",
    "hexcolor",
    "hostname",
    "ipv4",
    "ipv6",
    "isbn",
    "isbn10",
    "isbn13",
    "k8slongname",
    "k8sshortname",
    "mac",
    "password",
    "rgbcolor",
    "ssn",
    "uri",
    "uuid",
    "uuid3",
    "uuid4",
    "uuid5",
];

/// Whether the format means something for the type; the API server ignores any other.
pub(super) fn is_known(kind: &str, format: &str) -> bool {
    match kind {
        "" | "string" => TEXT_FORMATS.contains(&plain(format).as_str()),
        "integer" => matches!(format, "int32" | "int64"),
        "number" => matches!(format, "float" | "double"),
        _ => false,
    }
}

/// Formats are named with and without hyphens.
fn plain(format: &str) -> String {
    format.replace('-', "")
}

/// Whether a text is of the format. Texts of a format that is not known are all fine.
pub(super) fn fits(format: &str, text: &str) -> bool {
    match plain(format).as_str() {
        "bsonobjectid" => text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "byte" => matches(&BASE64, text),
        "cidr" => is_cidr(text),
        "creditcard" => is_credit_card(text),
        "date" => is_date(text),
        "datetime" => is_date_time(text),
        "duration" => is_duration(text),
        "email" => matches(&EMAIL, text),
        "hexcolor" => matches(&HEX_COLOR, text),
        "hostname" => {
            text.len() <= 255 && text.split('.').all(|part| part.len() <= 63) && matches(&HOST, text)
        }
        "ipv4" => is_ipv4(text),
        "ipv6" => text.contains(':') && text.parse::<IpAddr>().is_ok(),
        "isbn" => is_isbn(text, 10) || is_isbn(text, 13),
        "isbn10" => is_isbn(text, 10),
        "isbn13" => is_isbn(text, 13),
        "k8slongname" => text.len() <= 253 && matches(&LONG_NAME, text),
        "k8sshortname" => text.len() <= 63 && matches(&SHORT_NAME, text),
        "mac" => matches(&MAC, text),
        "rgbcolor" => matches(&RGB_COLOR, text),
        "ssn" => matches(&SSN, text),
        "uri" => is_uri(text),
        "uuid" => matches(&UUID, text),
        "uuid3" => matches(&UUID3, text),
        "uuid4" => matches(&UUID4, text),
        "uuid5" => matches(&UUID5, text),
        _ => true,
    }
}

fn matches(expression: &LazyLock<Option<Regex>>, text: &str) -> bool {
    expression.as_ref().is_some_and(|expression| expression.is_match(text))
}

macro_rules! expressions {
    ($($name:ident = $text:expr;)*) => {
        $(static $name: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($text).ok());)*

        #[cfg(test)]
        static ALL: &[&LazyLock<Option<Regex>>] = &[$(&$name),*];
    };
}

expressions! {
    BASE64 = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$";
    EMAIL = r"^(?:[^<>@]*<)?[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.\[\]-]+>?$";
    HEX_COLOR = r"^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$";
    HOST = r"^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9\-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.)){1,}([a-zA-Z\p{L}]){2,63})$";
    LONG_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
    SHORT_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
    MAC = r"^(?:[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5,7}|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5,7}|[0-9A-Fa-f]{4}(?:\.[0-9A-Fa-f]{4}){2,3})$";
    RGB_COLOR = r"^rgb\(\s*(0|[1-9][0-9]?|1[0-9][0-9]?|2[0-4][0-9]|25[0-5])\s*,\s*(0|[1-9][0-9]?|1[0-9][0-9]?|2[0-4][0-9]|25[0-5])\s*,\s*(0|[1-9][0-9]?|1[0-9][0-9]?|2[0-4][0-9]|25[0-5])\s*\)$";
    SSN = r"^[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}$";
    CARD = r"^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35[0-9]{3})[0-9]{11})$";
    UUID = r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$";
    UUID3 = r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$";
    UUID4 = r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$";
    UUID5 = r"(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$";
    CLOCK = r"^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$";
    DURATION = r"^[-+]?(?:0|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)$";
    LOOSE_DURATION = r"[0-9]+\s*(?i:ns|nano|us|µs|micro|ms|milli|s\b|sec|m\b|min|h\b|hr\b|hour|d\b|day|w\b|wk\b|week)";
}

/// Leading zeros are fine: Go once took them, and the API server still does.
fn is_ipv4(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() == 4
        && parts.iter().all(|part| {
            !part.is_empty()
                && part.len() <= 3
                && part.bytes().all(|byte| byte.is_ascii_digit())
                && part.parse::<u16>().is_ok_and(|number| number <= 255)
        })
}

fn is_cidr(text: &str) -> bool {
    let Some((address, prefix)) = text.split_once('/') else {
        return false;
    };
    let most = if is_ipv4(address) {
        Ipv4Addr::BITS
    } else if address.contains(':') && address.parse::<IpAddr>().is_ok() {
        128
    } else {
        return false;
    };
    prefix.bytes().all(|byte| byte.is_ascii_digit()) && prefix.parse::<u32>().is_ok_and(|bits| bits <= most)
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

fn is_date_time(text: &str) -> bool {
    let lower = text.to_lowercase();
    let mut parts = lower.split('t');
    let (Some(date), Some(clock)) = (parts.next(), parts.next()) else {
        return false;
    };
    let within = |clock: &str| &clock[..2] <= "23" && &clock[3..5] <= "59" && &clock[6..8] <= "59";
    is_date(date) && matches(&CLOCK, clock) && within(clock)
}

/// Go's own durations, and what resembles Scala's.
fn is_duration(text: &str) -> bool {
    matches(&DURATION, text) || matches(&LOOSE_DURATION, text)
}

fn is_uri(text: &str) -> bool {
    if text.is_empty() || text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return false;
    }
    if text.starts_with('/') || text == "*" {
        return true;
    }
    // Without a scheme it is no request URI.
    text.split_once(':').is_some_and(|(scheme, rest)| {
        let mut letters = scheme.bytes();
        let starts = letters.next().is_some_and(|byte| byte.is_ascii_alphabetic());
        let goes_on = letters.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        let host =
            rest.strip_prefix("//").map_or("", |rest| rest.split(['/', '?', '#']).next().unwrap_or(""));
        starts && goes_on && !rest.is_empty() && !host.contains([' ', '<', '>', '"'])
    })
}

fn is_isbn(text: &str, length: usize) -> bool {
    let signs: Vec<char> = text.chars().filter(|sign| !matches!(sign, ' ' | '-')).collect();
    if signs.len() != length {
        return false;
    }
    let digit = |sign: &char, last: bool| match sign {
        'X' if last && length == 10 => Some(10),
        sign => sign.to_digit(10),
    };
    let digits: Option<Vec<u32>> =
        signs.iter().enumerate().map(|(at, sign)| digit(sign, at + 1 == length)).collect();
    digits.is_some_and(|digits| {
        let weigh = |(at, digit): (u32, &u32)| match length {
            10 => (at + 1) * digit,
            _ => (if at % 2 == 0 { 1 } else { 3 }) * digit,
        };
        let sum: u32 = (0..).zip(&digits).map(weigh).sum();
        sum.is_multiple_of(if length == 10 { 11 } else { 10 })
    })
}

fn is_credit_card(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let luhn: u32 = (0_u32..)
        .zip(digits.chars().rev().filter_map(|digit| digit.to_digit(10)))
        .map(|(at, digit)| if at % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    matches(&CARD, &digits) && luhn.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_expression_compiles() {
        assert!(ALL.iter().all(|expression| expression.is_some()));
    }

    #[test]
    fn texts_of_every_format() {
        for (format, good, bad) in [
            ("date-time", "2024-05-01T12:00:00Z", "2024-05-01 12:00"),
            ("date-time", "2024-05-01t12:00:00.25+02:00", "2024-13-01T12:00:00Z"),
            ("date", "2024-02-29", "2023-02-29"),
            ("duration", "1h30m", "soon"),
            ("duration", "5 min", "1x"),
            ("ipv4", "010.0.0.1", "10.0.0.256"),
            ("ipv6", "::1", "10.0.0.1"),
            ("cidr", "10.0.0.0/8", "10.0.0.0/33"),
            ("cidr", "fd00::/8", "fd00::"),
            ("uri", "https://example.org/a?b", "example"),
            ("email", "a@example.org", "a@"),
            ("hostname", "a.example", "a_b.example"),
            ("uuid", "2a3dc8f5-6317-4cd2-ac8d-88e0373d7a21", "2a3dc8f5"),
            ("uuid4", "2a3dc8f5-6317-4cd2-ac8d-88e0373d7a21", "2a3dc8f5-6317-5cd2-ac8d-88e0373d7a21"),
            ("byte", "aGk=", "a"),
            ("mac", "00:00:5e:00:53:01", "00:00:5e"),
            ("isbn10", "0321751043", "0321751044"),
            ("isbn13", "978-0321751041", "978-0321751042"),
            ("creditcard", "4111 1111 1111 1111", "4111 1111 1111 1112"),
            ("ssn", "111-22-3333", "1112"),
            ("hexcolor", "#FFF", "#FFFF"),
            ("rgbcolor", "rgb(1,2,255)", "rgb(1,2,256)"),
            ("bsonobjectid", "507f1f77bcf86cd799439011", "507f"),
            ("k8s-short-name", "a-1", "A"),
            ("k8s-long-name", "a.b-c", "a..b"),
        ] {
            assert!(fits(format, good), "{format} {good}");
            assert!(!fits(format, bad), "{format} {bad}");
        }
        assert!(fits("password", "") && fits("unknown", ""));
    }
}
