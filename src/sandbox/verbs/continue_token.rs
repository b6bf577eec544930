//! Where a list that was cut off goes on: the API server's own token (`k8s.io/apiserver/pkg/storage/continue.go`).

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use serde::{Deserialize, Serialize};

/// A place in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContinueToken {
    /// As of which revision; `None`: whatever is there now.
    pub(super) revision: Option<u64>,
    /// The first key that may follow, from within the list's scope, without the slash before it.
    pub(super) start: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Wire {
    #[serde(default)]
    v: String,
    #[serde(default)]
    rv: i64,
    #[serde(default)]
    start: String,
}

/// As Go's `RawURLEncoding`: bits left over at the end may be anything.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::URL_SAFE, NO_PAD.with_decode_allow_trailing_bits(true));

const VERSION: &str = "meta.k8s.io/v1";

impl ContinueToken {
    /// After the object of this key.
    pub(super) fn after(key: &str, revision: u64) -> Self {
        Self { revision: Some(revision), start: format!("{key}\0") }
    }

    /// Its text.
    pub(super) fn encode(&self) -> String {
        let rv = self.revision.map_or(-1, |revision| i64::try_from(revision).unwrap_or(i64::MAX));
        let wire = Wire { v: VERSION.to_owned(), rv, start: format!("/{}", self.start) };
        BASE64.encode(serde_json::to_vec(&wire).expect("texts and a number"))
    }

    /// Reads a text.
    ///
    /// # Errors
    /// What is wrong with it; the words of Go's JSON decoder only where its first letter is.
    pub(super) fn decode(text: &str) -> Result<Self, String> {
        let bytes = BASE64.decode(text).map_err(|error| {
            let at = match error {
                base64::DecodeError::InvalidByte(at, _)
                | base64::DecodeError::InvalidLastSymbol { offset: at, .. } => at,
                _ => text.len().saturating_sub(1),
            };
            format!("continue key is not valid: illegal base64 data at input byte {at}")
        })?;
        let wire: Wire = serde_json::from_slice(&bytes).map_err(|error| {
            let why = match bytes.first() {
                None => "unexpected end of JSON input".to_owned(),
                Some(byte) if !b"{[\"-tfn0123456789 \t\r\n".contains(byte) => {
                    format!("invalid character '{}' looking for beginning of value", char::from(*byte))
                }
                Some(_) => error.to_string(),
            };
            format!("continue key is not valid: {why}")
        })?;
        if wire.v != VERSION {
            return Err(format!(
                "continue key is not valid: server does not recognize this encoded version {}",
                wire.v
            ));
        }
        if wire.rv == 0 {
            return Err(format!(
                "continue key is not valid: incorrect encoded start resourceVersion (version {VERSION})"
            ));
        }
        if wire.start.is_empty() {
            return Err(format!("continue key is not valid: encoded start key empty (version {VERSION})"));
        }
        let start = wire.start.strip_prefix('/').unwrap_or(&wire.start);
        if !is_clean(start) {
            return Err(format!("continue key is not valid: {}", wire.start));
        }
        Ok(Self { revision: u64::try_from(wire.rv).ok(), start: start.to_owned() })
    }
}

/// Whether Go's `path.Clean` leaves `/start` alone: a token may not lead out of its list.
fn is_clean(start: &str) -> bool {
    start.is_empty() || start.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_api_servers_own() {
        let token = ContinueToken::after("a", 290);
        let text = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MjkwLCJzdGFydCI6Ii9hXHUwMDAwIn0";
        assert_eq!(token.encode(), text);
        assert_eq!(ContinueToken::decode(text), Ok(token));
        let now = ContinueToken { revision: None, start: "n/a\0".to_owned() };
        assert_eq!(ContinueToken::decode(&now.encode()), Ok(now));
    }

    #[test]
    fn others_are_refused() {
        let wire = |text: &str| ContinueToken::decode(&BASE64.encode(text));
        let not_valid = "continue key is not valid: ";
        let cases = [
            (ContinueToken::decode("zz"), "invalid character 'Ï' looking for beginning of value"),
            (ContinueToken::decode("!"), "illegal base64 data at input byte 0"),
            (wire("{}"), "server does not recognize this encoded version "),
            (wire(r#"{"v":"v2"}"#), "server does not recognize this encoded version v2"),
            (
                wire(r#"{"v":"meta.k8s.io/v1"}"#),
                "incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
            ),
            (wire(r#"{"v":"meta.k8s.io/v1","rv":1}"#), "encoded start key empty (version meta.k8s.io/v1)"),
            (wire(r#"{"v":"meta.k8s.io/v1","rv":1,"start":"/../x"}"#), "/../x"),
            (wire(r#"{"v":"meta.k8s.io/v1","rv":1,"start":"a//b"}"#), "a//b"),
        ];
        for (decoded, message) in cases {
            assert_eq!(decoded, Err(format!("{not_valid}{message}")));
        }
    }
}
