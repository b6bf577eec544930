//! Keyed digests of field values: state remembers what a field was without holding it.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::address::Address;
use crate::path::FieldPath;

/// Hex HMAC-SHA256 over address, path and value. Equal values of two fields have different digests, so that a
/// digest says nothing about another field; without the key it says nothing at all.
#[must_use]
pub fn digest(key: &[u8; 32], address: &Address, path: &FieldPath, value: &Value) -> String {
    // HMAC itself fills a key up to the block with zeros; done here, there is no length to refuse.
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    let mut canonical = String::new();
    write_canonical(value, &mut canonical);
    for part in [address.to_string(), path.to_string(), canonical] {
        // The length keeps apart what would read the same when joined.
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part.as_bytes());
    }
    let mut hex = String::new();
    for byte in mac.finalize().into_bytes() {
        hex.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])));
    }
    hex
}

/// JSON without spaces, keys sorted, whatever order the map type keeps.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (at, (key, item)) in entries.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonical(item, out);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn depends_on_key_address_path_and_value_and_on_nothing_else() {
        let address = Address::new("config_map", "a");
        let path: FieldPath = "data.a".parse().unwrap();
        let of = |key: u8, address: &Address, path: &FieldPath, value: &Value| {
            digest(&[key; 32], address, path, value)
        };
        let base = of(1, &address, &path, &json!({"a": [1, "x"], "b": null}));
        assert_eq!(base.len(), 64);
        assert_eq!(base, of(1, &address, &path, &json!({"b": null, "a": [1, "x"]})));
        for other in [
            of(2, &address, &path, &json!({"a": [1, "x"], "b": null})),
            of(1, &Address::new("config_map", "b"), &path, &json!({"a": [1, "x"], "b": null})),
            of(1, &address, &path.key("a"), &json!({"a": [1, "x"], "b": null})),
            of(1, &address, &path, &json!({"a": [1, "x"]})),
            of(1, &address, &path, &json!({"a": ["1", "x"], "b": null})),
        ] {
            assert_ne!(base, other);
        }
        // Pinned: a change of the form would make every digest in every state file unknown.
        assert_eq!(of(0, &address, &path, &json!("v")), PINNED,);
    }

    const PINNED: &str = "fe66325f99e9ae97d77ab12e08d16031a6241be0bdd8467206682d2377e555eb";
}
