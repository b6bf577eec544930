//! Checksummed JSON: one document, or one line, whose every byte is covered.
//!
//! The checksum is the last member of the object, over all bytes before it. What stands after it has one
//! possible form, so any flipped, missing or added byte is found.

use sha2::{Digest as _, Sha256};

use super::key::hex;

const DOCUMENT_MEMBER: &str = ",\n  \"checksum\": \"sha256:";
const DOCUMENT_END: &str = "\"\n}\n";
const LINE_MEMBER: &str = ",\"sum\":\"";
const LINE_END: &str = "\"}";
/// Bytes of a line's checksum that are kept: a line has few bytes, and a collision by damage is 2⁻⁶⁴.
const LINE_SUM_BYTES: usize = 8;

/// Adds the checksum to a pretty-printed, non-empty JSON object.
#[must_use]
pub fn seal(pretty: &str) -> String {
    let body = pretty.strip_suffix("\n}").unwrap_or(pretty);
    let sum = hex(&Sha256::digest(body.as_bytes()));
    format!("{body}{DOCUMENT_MEMBER}{sum}{DOCUMENT_END}")
}

/// The JSON text inside a sealed document.
///
/// # Errors
/// What is wrong with the bytes.
pub fn unseal(bytes: &[u8]) -> Result<String, &'static str> {
    if bytes.is_empty() {
        return Err("it is empty");
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text")?;
    let rest = text.strip_suffix(DOCUMENT_END).ok_or("it ends before its checksum")?;
    let (body, sum) = rest.rsplit_once(DOCUMENT_MEMBER).ok_or("it has no checksum at its end")?;
    if hex(&Sha256::digest(body.as_bytes())) != sum {
        return Err("its checksum does not match its content");
    }
    Ok(format!("{body}\n}}"))
}

/// Adds the checksum to a compact, non-empty JSON object on one line; `previous` is the sum of the line
/// before, so that a lost line is found too. Returns the line, newline included, and its sum.
pub(super) fn seal_line(compact: &str, previous: &str) -> (String, String) {
    let body = compact.strip_suffix('}').unwrap_or(compact);
    let sum = line_sum(body, previous);
    (format!("{body}{LINE_MEMBER}{sum}{LINE_END}\n"), sum)
}

/// The JSON text of a sealed line (without its newline) and its sum; `None` if it is damaged.
pub(super) fn unseal_line(line: &[u8], previous: &str) -> Option<(String, String)> {
    let text = std::str::from_utf8(line).ok()?;
    let (body, sum) = text.strip_suffix(LINE_END)?.rsplit_once(LINE_MEMBER)?;
    (line_sum(body, previous) == sum).then(|| (format!("{body}}}"), sum.to_owned()))
}

fn line_sum(body: &str, previous: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(previous.as_bytes());
    hash.update(b"\n");
    hash.update(body.as_bytes());
    hex(&hash.finalize()[..LINE_SUM_BYTES])
}

/// What bytes that were made up need to be judged by their content, not by their checksums.
#[cfg(feature = "faults")]
#[doc(hidden)]
pub mod forge {
    /// A JSON object as a state file, saved plan or revision has it; `pretty` ends with a brace on its own line.
    #[must_use]
    pub fn document(pretty: &str) -> String {
        super::seal(pretty)
    }

    /// JSON objects, one a line, as a journal has them.
    #[must_use]
    pub fn journal<'l>(lines: impl IntoIterator<Item = &'l str>) -> String {
        let mut text = String::new();
        let mut sum = String::new();
        for line in lines {
            let (sealed, next) = super::seal_line(line, &sum);
            text.push_str(&sealed);
            sum = next;
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_document_is_json_and_opens_to_what_was_sealed() {
        let pretty = "{\n  \"a\": 1,\n  \"b\": \"ü\"\n}";
        let sealed = seal(pretty);
        serde_json::from_str::<serde_json::Value>(&sealed).unwrap();
        assert_eq!(unseal(sealed.as_bytes()).unwrap(), pretty);
    }

    #[test]
    fn every_flipped_bit_and_every_truncation_is_found() {
        let sealed = seal("{\n  \"a\": 1,\n  \"b\": \"c d\"\n}").into_bytes();
        for at in 0..sealed.len() {
            assert!(unseal(&sealed[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut flipped = sealed.clone();
                flipped[at] ^= 1 << bit;
                assert!(unseal(&flipped).is_err(), "bit {bit} of byte {at}");
            }
        }
        for tail in [b"\n".as_slice(), b" ", b"}", b"x"] {
            assert!(unseal(&[&sealed, tail].concat()).is_err());
        }
    }

    #[test]
    fn a_line_belongs_behind_its_predecessor() {
        let (first, sum) = seal_line(r#"{"a":1}"#, "");
        let (second, _) = seal_line(r#"{"a":2}"#, &sum);
        assert_eq!(unseal_line(second.trim_end().as_bytes(), &sum).unwrap().0, r#"{"a":2}"#);
        assert!(unseal_line(second.trim_end().as_bytes(), "").is_none());
        assert!(unseal_line(first.as_bytes(), "").is_none(), "the newline is not part of it");
    }
}
