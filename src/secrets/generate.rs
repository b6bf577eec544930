//! Values that live in the cluster only: drawn, read back, and stood in for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::object::Object;
use crate::path::{FieldPath, Segment};
use crate::stack::Charset;

impl Charset {
    fn characters(self) -> &'static [u8] {
        match self {
            Self::Hex => b"0123456789abcdef",
            Self::Alphanumeric => b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            Self::Printable => {
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#%+,-./:=?@_~"
            }
        }
    }
}

/// Draws a value: each character independent, each of the alphabet equally likely.
///
/// # Errors
/// When the system gives no random bytes.
pub fn draw(length: usize, charset: Charset) -> Result<Zeroizing<String>, getrandom::Error> {
    let characters = charset.characters();
    // The largest multiple of the alphabet's size in a byte: what lies beyond would make its first
    // characters likelier than the others, so it is drawn again.
    let fair = 256 / characters.len() * characters.len();
    let mut text = Zeroizing::new(String::with_capacity(length));
    let mut bytes = Zeroizing::new([0; 64]);
    while text.len() < length {
        getrandom::fill(&mut *bytes)?;
        let wanted = length - text.len();
        let drawn = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair);
        for byte in drawn.take(wanted) {
            text.push(characters[byte % characters.len()].into());
        }
    }
    Ok(text)
}

/// The value under `key` in the `data` of a live Secret. Whether the object may be believed (our mark, not
/// going away) is the caller's to know.
#[must_use]
pub fn from_live(object: &Object, key: &str) -> Option<Vec<u8>> {
    let text = object.0.get("data")?.get(key)?.as_str()?;
    STANDARD.decode(text).ok()
}

/// A text that stands in for the secret `text` of the field at `path` in a dry-run: of the same length, so
/// that limits on size answer alike, and of a form that the field's checks take. In `data`, which is base64,
/// so is the text. The API server parses `.dockerconfigjson` and `.dockercfg` as JSON objects.
#[must_use]
pub fn placeholder(path: &FieldPath, text: &str) -> String {
    let json = match path.0.last() {
        Some(Segment::Key(key)) if key == ".dockerconfigjson" => Some("{\"auths\":{}}"),
        Some(Segment::Key(key)) if key == ".dockercfg" => Some("{}"),
        _ => None,
    };
    match STANDARD.decode(text) {
        Ok(value) if !value.is_empty() => STANDARD.encode(stand_in(value.len(), json)),
        _ => stand_in(text.len(), json),
    }
}

fn stand_in(length: usize, json: Option<&str>) -> String {
    // What is shorter than the least object of its kind may still be an object.
    let shortest = json.map(|json| if json.len() <= length { json } else { "{}" });
    match shortest {
        Some(json) if json.len() <= length => format!("{json:<length$}"),
        _ => "x".repeat(length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn drawn_values_have_their_length_and_alphabet_and_use_all_of_it_evenly() {
        for (charset, size) in [(Charset::Hex, 16), (Charset::Alphanumeric, 62), (Charset::Printable, 76)] {
            let characters = charset.characters();
            assert_eq!(characters.len(), size);
            let text = draw(size * 400, charset).unwrap();
            assert_eq!(text.len(), size * 400);
            for character in characters {
                let count = text.bytes().filter(|b| b == character).count();
                // 400 expected, standard deviation 20: ten of them away is no chance.
                assert!((200..600).contains(&count), "{count} × {}", char::from(*character));
            }
            assert!(text.bytes().all(|b| characters.contains(&b)));
        }
        assert_eq!(draw(0, Charset::Hex).unwrap().as_str(), "");
        assert_ne!(draw(32, Charset::Hex).unwrap(), draw(32, Charset::Hex).unwrap());
    }

    #[test]
    fn values_are_read_back_from_data_only() {
        let object = Object(json!({"data": {"a": "czNjcjN0", "bad": "*", "n": 1}, "stringData": {"b": "x"}}));
        assert_eq!(from_live(&object, "a").unwrap(), b"s3cr3t");
        for key in ["b", "bad", "n", "none"] {
            assert_eq!(from_live(&object, key), None, "{key}");
        }
    }

    #[test]
    fn a_docker_config_stays_json() {
        let path = FieldPath::keys(["data", ".dockerconfigjson"]);
        let real = STANDARD.encode(r#"{"auths":{"ghcr.io":{"auth":"abc"}}}"#);
        let text = placeholder(&path, &real);
        assert_eq!(text.len(), real.len());
        let decoded = String::from_utf8(STANDARD.decode(&text).unwrap()).unwrap();
        assert_eq!(decoded.len(), 36);
        assert_eq!(decoded.trim_end(), r#"{"auths":{}}"#);
        assert_eq!(placeholder(&path, "{\"a\":1}"), "{}     ");
        assert_eq!(placeholder(&FieldPath::keys(["spec", "password"]), "not base64!"), "xxxxxxxxxxx");
    }

    proptest! {
        #[test]
        fn a_placeholder_has_the_length_and_form_but_not_the_value(text in ".{1,40}") {
            let path = FieldPath::keys(["data", "x"]);
            prop_assert_eq!(placeholder(&path, &text).len(), text.len());
            let encoded = STANDARD.encode(&text);
            let placed = placeholder(&path, &encoded);
            prop_assert_eq!(placed.len(), encoded.len());
            prop_assert_eq!(STANDARD.decode(placed).unwrap().len(), text.len());
        }
    }
}
