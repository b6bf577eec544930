//! Values of flags: what is more than a word.

use std::time::Duration;

use crate::address::{Address, Named, ParseNameError};
use crate::path::FieldPath;
use crate::plan::Risk;

/// An address, with or without a field path behind it. The address ends where its name or index ends.
pub(super) fn take(text: &str) -> Result<(Address, FieldPath), String> {
    if let Ok(address) = text.parse() {
        return Ok((address, FieldPath::default()));
    }
    // Every prefix that is an address, the longest last; what is left must be a path.
    let mut found = None;
    for (at, _) in text.match_indices(['.', '[']).skip(1) {
        let Ok(address) = text[..at].parse::<Address>() else {
            continue;
        };
        let rest = text[at..].strip_prefix('.').unwrap_or(&text[at..]);
        if let Ok(path) = rest.parse::<FieldPath>()
            && !path.is_root()
        {
            found = Some((address, path));
        }
        if !text[at..].starts_with("[\"") {
            break;
        }
    }
    found.ok_or_else(|| {
        "expected an address, and a field path if you like: deployment.web.spec.replicas".to_owned()
    })
}

pub(super) fn allowed(text: &str) -> Result<(Risk, Named), String> {
    let (risk, address) =
        text.split_once('=').ok_or("expected RISK=ADDRESS, e.g. data-loss=helm_release.arr-stack")?;
    if risk != "data-loss" {
        return Err(format!("`{risk}` needs no consent; the one that does is data-loss"));
    }
    let named = address.parse().map_err(|error: ParseNameError| error.to_string())?;
    Ok((Risk::DataLoss, named))
}

/// `90s`, `10m`, `1h30m`; a bare number is refused, since nobody knows of what.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().map_err(|_| "expected a time such as 90s, 10m or 1h30m")?;
        let (unit, after) = rest[digits..]
            .split_at(rest[digits..].find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len() - digits));
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err("expected a time such as 90s, 10m or 1h30m".to_owned()),
        };
        let part = number.checked_mul(seconds).map(Duration::from_secs);
        total = part.and_then(|part| total.checked_add(part)).ok_or("that is too long")?;
        rest = after;
    }
    if text.is_empty() {
        return Err("expected a time such as 90s, 10m or 1h30m".to_owned());
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes() {
        for (text, address, path) in [
            ("deployment.web", "deployment.web", ""),
            ("deployment.web.spec.replicas", "deployment.web", "spec.replicas"),
            ("a.b[\"x.y\"]", "a.b[\"x.y\"]", ""),
            ("a.b[\"x.y\"].spec.l[name=q].z", "a.b[\"x.y\"]", "spec.l[name=q].z"),
            ("a.b.metadata.labels[\"q\"]", "a.b", "metadata.labels[\"q\"]"),
        ] {
            assert_eq!(take(text).unwrap(), (address.parse().unwrap(), path.parse().unwrap()), "{text}");
        }
        for text in ["web", "", "a.b.", "a.b..c", "a.b[\"x\"]."] {
            assert!(take(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, seconds) in [
            ("90s", Some(90)),
            ("1h30m", Some(5400)),
            ("0s", Some(0)),
            ("90", None),
            ("", None),
            ("1d", None),
            ("s", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(duration(text).ok(), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn consents() {
        assert!(allowed("data-loss=helm_release.arr").is_ok());
        assert!(allowed("data-loss=pvc/media-pvc").is_ok());
        assert!(allowed("data-loss=helm_release").unwrap_err().contains("helm_release.arr-stack"));
        assert!(allowed("disruptive=a.b").unwrap_err().contains("data-loss"));
        assert!(allowed("a.b").is_err());
    }
}
