//! The query of a request.

use std::borrow::Cow;

/// Parameters in the order given, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::sandbox) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads what stands after the `?`.
    pub(in crate::sandbox) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(key).into_owned(), decode(value).into_owned())
                })
                .collect(),
        )
    }

    /// The first value of `key`; a parameter given twice counts once.
    pub(in crate::sandbox) fn get(&self, key: &str) -> Option<&str> {
        self.all(key).next()
    }

    /// All values of `key`.
    pub(in crate::sandbox) fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Whether `key` is set to something Go's `ParseBool`, as the API server uses it, does not take for false.
    pub(in crate::sandbox) fn flag(&self, key: &str) -> bool {
        // Conversion of `url.Values` to bool: "" is true once the key is there; "false" and "0" are false.
        self.get(key).is_some_and(|value| !matches!(value.to_ascii_lowercase().as_str(), "false" | "0"))
    }
}

/// Percent and plus decoding. What is no escape stays as it is.
pub(super) fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(nibble(*high) << 4 | nibble(*low));
                rest = after;
            }
            (&byte, _) => bytes.push(byte),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}
