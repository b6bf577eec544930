//! Keyed digests: whether a value is still the one we wrote, without the value.
//!
//! A plain hash of a short secret can be guessed; this one needs the key, which never leaves the state's
//! folder. Address and path go in, so equal values at two places do not look equal.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::address::Address;
use crate::path::FieldPath;

/// Length of a key file.
pub(super) const KEY_BYTES: usize = 32;

/// Bytes of the MAC that are kept: 128 bits, enough that no two values collide by chance.
const DIGEST_BYTES: usize = 16;

/// A keyed digest, in hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub String);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key of all digests of one state.
#[derive(Clone, PartialEq)]
pub struct HashKey(Zeroizing<[u8; KEY_BYTES]>);

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HashKey({})", self.id())
    }
}

impl HashKey {
    /// A new key.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(&mut *bytes)?;
        Ok(Self(bytes))
    }

    /// The key of a key file; `None` unless it has exactly the right length.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &*self.0
    }

    /// What tells this key from another one; says nothing about the key itself.
    #[must_use]
    pub fn id(&self) -> String {
        self.mac(b'k').finish()
    }

    /// Digest of one field's value.
    #[must_use]
    pub fn field(&self, address: &Address, path: &FieldPath, value: &Value) -> Digest {
        let mut mac = self.mac(b'f');
        mac.text(&address.to_string());
        mac.text(&path.to_string());
        mac.value(value);
        Digest(mac.finish())
    }

    /// Digest of a whole manifest.
    #[must_use]
    pub fn manifest(&self, address: &Address, manifest: &Value) -> Digest {
        let mut mac = self.mac(b'm');
        mac.text(&address.to_string());
        mac.value(manifest);
        Digest(mac.finish())
    }

    fn mac(&self, domain: u8) -> Input {
        let mac = Hmac::<Sha256>::new_from_slice(&*self.0).expect("HMAC takes keys of any length");
        let mut input = Input(mac);
        input.0.update(&[domain]);
        input
    }
}

/// Feeds values into the MAC so that no two different sequences are the same bytes: every part begins with
/// its type and length.
struct Input(Hmac<Sha256>);

impl Input {
    fn length(&mut self, tag: u8, length: usize) {
        self.0.update(&[tag]);
        self.0.update(&(length as u64).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.length(b's', text.len());
        self.0.update(text.as_bytes());
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.0.update(b"n"),
            Value::Bool(flag) => self.0.update(if *flag { b"t" } else { b"f" }),
            Value::Number(number) => {
                let text = number.to_string();
                self.length(b'd', text.len());
                self.0.update(text.as_bytes());
            }
            Value::String(text) => self.text(text),
            Value::Array(items) => {
                self.length(b'a', items.len());
                for item in items {
                    self.value(item);
                }
            }
            Value::Object(map) => {
                self.length(b'o', map.len());
                // `serde_json` keeps keys sorted unless a dependency turns that off; the test notices.
                for (key, item) in map {
                    self.text(key);
                    self.value(item);
                }
            }
        }
    }

    fn finish(self) -> String {
        hex(&self.0.finalize().into_bytes()[..DIGEST_BYTES])
    }
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)].into());
        text.push(DIGITS[usize::from(byte & 15)].into());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(byte: u8) -> HashKey {
        HashKey::from_bytes(&[byte; KEY_BYTES]).unwrap()
    }

    #[test]
    fn a_digest_depends_on_key_address_path_and_value_and_on_nothing_else() {
        let (a, b) = (Address::new("secret", "a"), Address::new("secret", "b"));
        let (p, q) = (FieldPath::keys(["data", "x"]), FieldPath::keys(["data", "y"]));
        let digest = key(1).field(&a, &p, &json!("v"));
        assert_eq!(digest, key(1).field(&a, &p, &json!("v")));
        assert_eq!(digest.0.len(), 2 * DIGEST_BYTES);
        for other in [
            key(2).field(&a, &p, &json!("v")),
            key(1).field(&b, &p, &json!("v")),
            key(1).field(&a, &q, &json!("v")),
            key(1).field(&a, &p, &json!("w")),
            key(1).manifest(&a, &json!("v")),
        ] {
            assert_ne!(digest, other);
        }
    }

    #[test]
    fn values_of_different_shape_never_share_bytes() {
        let values = [
            json!(null),
            json!(true),
            json!(false),
            json!(1),
            json!(1.0),
            json!("1"),
            json!(""),
            json!([]),
            json!({}),
            json!(["a", "b"]),
            json!(["ab"]),
            json!([["a"], "b"]),
            json!({"a": "b"}),
            json!({"a": {"b": null}}),
        ];
        let address = Address::new("t", "n");
        let digests: std::collections::BTreeSet<_> =
            values.iter().map(|v| key(7).manifest(&address, v)).collect();
        assert_eq!(digests.len(), values.len());
    }

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let address = Address::new("t", "n");
        let read = |text| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(
            key(1).manifest(&address, &read(r#"{"b":1,"a":{"d":1,"c":2}}"#)),
            key(1).manifest(&address, &read(r#"{"a":{"c":2,"d":1},"b":1}"#))
        );
    }

    #[test]
    fn a_key_does_not_show_itself() {
        assert!(!format!("{:?}", key(0xab)).contains("abab"));
        assert!(HashKey::from_bytes(&[0; 31]).is_none());
    }
}
