//! The filter that every text of the server, an event or a command passes before it is shown or stored.
//!
//! A value is looked for as it is, and as texts carry it: escaped in JSON once and twice (also the way Go
//! escapes `<`, `>` and `&`), percent-encoded, and in base64 of both alphabets, also inside a longer encoded
//! text. Of a value with several lines each line counts too, of a JSON document each text in it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use aho_corasick::AhoCorasick;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::Value;
use zeroize::Zeroizing;

/// What stands in the place of a secret.
pub const MASK: &str = "(secret)";

/// A value with fewer bytes is looked for as a whole word only: inside of words it would be everywhere, and
/// masking it there would tell more than it hides.
const SHORT: usize = 4;
/// Parts of a value (lines, texts in JSON) count from this many characters on.
const PART: usize = 6;

/// Replaces secret values in texts. Clones share their values, so a value that is drawn or read later is
/// filtered everywhere from then on.
#[derive(Clone, Default)]
pub struct Redactor {
    inner: Arc<RwLock<Arc<Inner>>>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

#[derive(Default)]
struct Inner {
    values: Vec<Zeroizing<String>>,
    /// Found anywhere.
    anywhere: Option<AhoCorasick>,
    /// Found as whole words.
    words: Option<AhoCorasick>,
}

impl Redactor {
    /// Adds one value.
    pub fn add(&self, value: &str) {
        self.add_all([value]);
    }

    /// Adds values; empty ones count for nothing.
    pub fn add_all<'v>(&self, values: impl IntoIterator<Item = &'v str>) {
        let mut all = self.inner().values.clone();
        let before = all.len();
        for value in values {
            if !value.is_empty() && !all.iter().any(|known| known.as_str() == value) {
                all.push(Zeroizing::new(value.to_owned()));
            }
        }
        if all.len() > before {
            *self.inner.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Inner::new(all));
        }
    }

    fn inner(&self) -> Arc<Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The text with every occurrence of a value replaced by [`MASK`].
    #[must_use]
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let inner = self.inner();
        let mut found: Vec<Range<usize>> = Vec::new();
        if let Some(anywhere) = &inner.anywhere {
            found.extend(anywhere.find_overlapping_iter(text).map(|m| m.range()));
        }
        if let Some(words) = &inner.words {
            let matches = words.find_overlapping_iter(text).map(|m| m.range());
            found.extend(matches.filter(|range| is_word(text, range)));
        }
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        found.sort_by_key(|range| range.start);
        let mut masked = String::with_capacity(text.len());
        let mut end = None;
        for range in found {
            // What overlaps or touches the one before has its mask already.
            if end.is_none_or(|end| end < range.start) {
                masked.push_str(&text[end.unwrap_or(0)..range.start]);
                masked.push_str(MASK);
            }
            end = end.max(Some(range.end));
        }
        masked.push_str(&text[end.unwrap_or(0)..]);
        Cow::Owned(masked)
    }

    /// The same for every text in a JSON value, keys included.
    #[must_use]
    pub fn redact_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.redact(text).into_owned()),
            Value::Array(items) => items.iter().map(|item| self.redact_value(item)).collect(),
            Value::Object(map) => map
                .iter()
                .map(|(key, item)| (self.redact(key).into_owned(), self.redact_value(item)))
                .collect(),
            // A number or a boolean may be a secret as well, written without quotes.
            Value::Number(number) => match self.redact(&number.to_string()) {
                Cow::Borrowed(_) => value.clone(),
                Cow::Owned(masked) => Value::String(masked),
            },
            Value::Null | Value::Bool(_) => value.clone(),
        }
    }
}

impl Inner {
    fn new(values: Vec<Zeroizing<String>>) -> Self {
        let (mut anywhere, mut words) = (BTreeSet::new(), BTreeSet::new());
        for value in &values {
            if value.len() < SHORT {
                words.extend(whole_forms(value));
                continue;
            }
            for part in parts(value) {
                anywhere.extend(whole_forms(&part));
                anywhere.extend(encoded_inside(part.as_bytes()));
            }
        }
        Self { values, anywhere: automaton(&anywhere), words: automaton(&words) }
    }
}

/// An automaton of a few hundred short patterns is far below the limits at which building one fails.
fn automaton(patterns: &BTreeSet<String>) -> Option<AhoCorasick> {
    (!patterns.is_empty())
        .then(|| AhoCorasick::new(patterns).expect("the patterns fit into an automaton's 2³¹ states"))
}

/// The value, its lines, and the texts in it if it is JSON.
fn parts(value: &str) -> BTreeSet<String> {
    let mut parts = BTreeSet::from([value.to_owned(), value.trim().to_owned()]);
    parts.extend(value.lines().map(|line| line.trim().to_owned()));
    if let Ok(json) = serde_json::from_str(value) {
        texts(&json, &mut parts);
    }
    let whole = value.trim().len();
    parts.retain(|part| part.chars().count() >= PART || (part.len() >= SHORT && part.len() == whole));
    parts.insert(value.to_owned());
    parts
}

fn texts(json: &Value, found: &mut BTreeSet<String>) {
    match json {
        Value::String(text) => drop(found.insert(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(map) => map.values().for_each(|item| texts(item, found)),
        _ => {}
    }
}

/// The forms in which a text carries the value as a whole.
fn whole_forms(value: &str) -> BTreeSet<String> {
    let json = escape(value);
    let go = json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    let percent = percent(value);
    let mut forms = BTreeSet::from([
        value.to_owned(),
        escape(&json),
        escape(&go),
        json,
        go,
        percent.to_lowercase(),
        percent.replace("%20", "+"),
        percent,
    ]);
    for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
        forms.insert(engine.encode(value));
    }
    forms
}

fn escape(text: &str) -> String {
    let quoted = Value::String(text.to_owned()).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn percent(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(byte.into());
        } else {
            // Writing to a string does not fail.
            write!(encoded, "%{byte:02X}").ok();
        }
        encoded
    })
}

/// What the value becomes inside a longer text in base64: of the three ways it can lie in the groups of three
/// bytes, the characters that depend on it alone.
fn encoded_inside(value: &[u8]) -> BTreeSet<String> {
    let mut forms = BTreeSet::new();
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend(value);
        let first = (before * 8).div_ceil(6);
        let last = bytes.len() * 8 / 6;
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            forms.insert(engine.encode(&bytes)[first..last].to_owned());
        }
    }
    forms
}

fn is_word(text: &str, range: &Range<usize>) -> bool {
    let before = text[..range.start].chars().next_back();
    let after = text[range.end..].chars().next();
    !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn redactor(values: &[&str]) -> Redactor {
        let redactor = Redactor::default();
        redactor.add_all(values.iter().copied());
        redactor
    }

    #[test]
    fn the_table() {
        let cases: &[(&[&str], &str, &str)] = &[
            (&[], "nothing is secret", "nothing is secret"),
            (&[""], "nothing is secret", "nothing is secret"),
            (&["s3cr3t"], "a s3cr3t b s3cr3t", "a (secret) b (secret)"),
            (&["s3cr3t"], "Xs3cr3tY", "X(secret)Y"),
            (&["s3cr3t"], "data: czNjcjN0", "data: (secret)"),
            (&["hunter22"], "aHVudGVyMjI=", "(secret)"),
            // Of several secrets that overlap, nothing is left over.
            (&["abcdef", "defghi"], "xabcdefghix", "x(secret)x"),
            (&["abcdef", "cdef"], "abcdef cdef", "(secret) (secret)"),
            (&["abcd"], "abcdabcd", "(secret)"),
            // Escaped by JSON, by Go's JSON, twice, and in a URL.
            (&["a\"b\\c<d"], r#"{"p":"a\"b\\c<d"}"#, r#"{"p":"(secret)"}"#),
            (&["a\"b\\c<d"], r#"a\"b\\c\u003cd"#, "(secret)"),
            (&["a\"b\\c<d"], r#"a\\\"b\\\\c<d"#, "(secret)"),
            (
                &["p@ss word"],
                "https://u:p%40ss%20word@h/?q=p%40ss+word&r=p@ss word",
                "https://u:(secret)@h/?q=(secret)&r=(secret)",
            ),
            // Short ones as words only.
            (&["abc"], "abc abcd xabc \"abc\" YWJj", "(secret) abcd xabc \"(secret)\" (secret)"),
            (&["1"], "replicas: 1, 10", "replicas: (secret), 10"),
            // Lines of a key, and texts of a document; not its short parts.
            (&["-----BEGIN\nMIIBVAIBADAN\nab\n"], "read MIIBVAIBADAN ab", "read (secret) ab"),
            (
                &[r#"{"auths":{"ghcr.io":{"auth":"dXNlcjpwYXNz","n":"ab"}}}"#],
                "ghcr.io says dXNlcjpwYXNz ab",
                "ghcr.io says (secret) ab",
            ),
            (&["  padded\n"], "padded", "(secret)"),
            (&["häßlich"], "so häßlich!", "so (secret)!"),
        ];
        for (values, text, expected) in cases {
            assert_eq!(redactor(values).redact(text), *expected, "{values:?}");
        }
    }

    #[test]
    fn a_value_added_later_counts_for_every_clone() {
        let first = redactor(&["alpha1"]);
        let clone = first.clone();
        first.add("beta22");
        assert_eq!(clone.redact("alpha1 beta22"), "(secret) (secret)");
        assert_eq!(format!("{first:?}"), "Redactor");
    }

    #[test]
    fn json_is_filtered_in_keys_texts_and_numbers() {
        let value = json!({"s3cr3t": ["x s3cr3t", 123_456, 7, null, true]});
        assert_eq!(
            redactor(&["s3cr3t", "123456"]).redact_value(&value),
            json!({"(secret)": ["x (secret)", "(secret)", 7, null, true]})
        );
    }

    /// The mask may hold a secret by chance (`secret` itself): what counts is what stands between masks.
    fn leaks(output: &str, needle: &str) -> bool {
        output.split(MASK).any(|piece| piece.contains(needle))
    }

    proptest! {
        #[test]
        fn no_secret_comes_through(
            secrets in proptest::collection::vec(".{4,24}|[a-z]{4,8}|[A-Za-z0-9+/=\"\\\\<&\n ]{4,40}", 1..4),
            before in ".{0,20}", between in ".{0,5}", after in ".{0,20}",
        ) {
            let secrets: Vec<_> = secrets.into_iter().filter(|s| s.len() >= SHORT).collect();
            let redactor = Redactor::default();
            redactor.add_all(secrets.iter().map(String::as_str));
            let plain = format!("{before}{}{after}", secrets.join(&between));
            let quoted = serde_json::to_string(&plain).unwrap();
            for text in [&plain, &quoted, &serde_json::to_string(&quoted).unwrap()] {
                let output = redactor.redact(text);
                for secret in &secrets {
                    prop_assert!(!leaks(&output, secret), "{output}");
                    prop_assert!(!leaks(&output, &escape(secret)), "{output}");
                }
            }
            for engine in [&STANDARD, &URL_SAFE, &STANDARD_NO_PAD] {
                let output = redactor.redact(&engine.encode(&plain)).into_owned();
                for secret in &secrets {
                    for form in encoded_inside(secret.as_bytes()) {
                        prop_assert!(!leaks(&output, &form), "{output}");
                    }
                    let alone = format!("{before} {} {after}", engine.encode(secret));
                    prop_assert!(!leaks(&redactor.redact(&alone), &engine.encode(secret)));
                }
            }
        }

        #[test]
        fn a_text_without_a_secret_stays(text in "[a-z ]{0,60}") {
            prop_assert_eq!(redactor(&["S3CR3T", "X1"]).redact(&text), text.as_str());
        }
    }
}
