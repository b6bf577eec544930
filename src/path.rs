//! Paths to fields inside an object: `spec.template.spec.containers[name=app].image`.
//!
//! One syntax everywhere: references, `ignore`, `explain`, the plan and its JSON. *Invariant:* a path
//! round-trips through its text form.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// One step of a [`FieldPath`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A key of a map: `spec`, or `["app.kubernetes.io/name"]` where it is no bare word.
    Key(String),
    /// A position in an atomic list: `[0]`.
    Index(usize),
    /// The element of a list map with these keys: `[name=app]`, `[containerPort=80,protocol=TCP]`.
    /// Each value is the JSON text of the key's value (`"app"`, `80`), so that paths are ordered.
    Select(BTreeMap<String, String>),
    /// The element of a set with this value, as JSON text: `[="finalizers.example.org"]`.
    Item(String),
}

/// A path to a field. Empty means the whole object.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(pub Vec<Segment>);

impl FieldPath {
    /// The path of these map keys.
    pub fn keys<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        Self(keys.into_iter().map(|key| Segment::Key(key.to_owned())).collect())
    }

    /// This path and one more segment.
    #[must_use]
    pub fn join(&self, segment: Segment) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment);
        Self(segments)
    }

    /// This path and one more map key.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.join(Segment::Key(key.to_owned()))
    }

    /// Whether `prefix` is this path or an ancestor of it.
    #[must_use]
    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// Whether nothing is named: the whole object.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path one step up; `None` at the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_last()?;
        Some(Self(rest.to_vec()))
    }

    /// The value at this path in `root`. An element of a list map is found by its keys; a key of the
    /// selector that the element lacks does not match.
    #[must_use]
    pub fn get<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(root, |value, segment| match segment {
            Segment::Key(key) => value.get(key),
            Segment::Index(index) => value.get(index),
            Segment::Select(keys) => value.as_array()?.iter().find(|item| selects(keys, item)),
            Segment::Item(text) => value.as_array()?.iter().find(|item| is_item(item, text)),
        })
    }

    /// The same as [`Self::get`], to change it.
    pub fn get_mut<'v>(&self, root: &'v mut Value) -> Option<&'v mut Value> {
        self.0.iter().try_fold(root, |value, segment| match segment {
            Segment::Key(key) => value.get_mut(key),
            Segment::Index(index) => value.get_mut(index),
            Segment::Select(keys) => value.as_array_mut()?.iter_mut().find(|item| selects(keys, item)),
            Segment::Item(text) => value.as_array_mut()?.iter_mut().find(|item| is_item(item, text)),
        })
    }

    /// Takes the value at this path out of `root`; list elements close up.
    pub fn remove(&self, root: &mut Value) -> Option<Value> {
        let (step, above) = self.0.split_last()?;
        let parent = Self(above.to_vec()).get_mut(root)?;
        match step {
            Segment::Key(key) => parent.as_object_mut()?.remove(key),
            segment => {
                let list = parent.as_array_mut()?;
                let at = match segment {
                    Segment::Index(index) => (*index < list.len()).then_some(*index)?,
                    Segment::Select(keys) => list.iter().position(|item| selects(keys, item))?,
                    Segment::Item(text) => list.iter().position(|item| is_item(item, text))?,
                    Segment::Key(_) => return None,
                };
                Some(list.remove(at))
            }
        }
    }
}

/// Whether `text` is the JSON text of `item`.
fn is_item(item: &Value, text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| value == *item)
}

fn selects(keys: &BTreeMap<String, String>, item: &Value) -> bool {
    keys.iter().all(|(key, text)| item.get(key).map(Value::to_string).as_deref() == Some(text.as_str()))
}

fn is_bare(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Key(key) if is_bare(key) => {
                    if at > 0 {
                        f.write_str(".")?;
                    }
                    f.write_str(key)?;
                }
                Segment::Key(key) => write!(f, "[{}]", Value::String(key.clone()))?,
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Select(keys) => {
                    f.write_str("[")?;
                    for (n, (key, text)) in keys.iter().enumerate() {
                        if n > 0 {
                            f.write_str(",")?;
                        }
                        // A bare word that is a string in the object stands without quotes, as people write it.
                        match serde_json::from_str::<Value>(text) {
                            Ok(Value::String(word)) if is_plain_value(&word) => write!(f, "{key}={word}")?,
                            _ => write!(f, "{key}={text}")?,
                        }
                    }
                    f.write_str("]")?;
                }
                Segment::Item(text) => write!(f, "[={text}]")?,
            }
        }
        Ok(())
    }
}

/// Whether a string value may stand without quotes in a selector: it must not read back as another JSON type.
fn is_plain_value(word: &str) -> bool {
    !word.is_empty()
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b':'))
        && serde_json::from_str::<Value>(word).is_err()
}

/// Why a text is not a [`FieldPath`], and where in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a field path: {reason} at character {at}")]
pub struct ParsePathError {
    /// Byte offset in the text.
    pub at: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

impl FromStr for FieldPath {
    type Err = ParsePathError;

    /// Reads bare words joined by dots, `['key']`, `["key"]`, `[0]`, `[name=app]`, `[="item"]`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut segments = Vec::new();
        let mut at = 0;
        let fail = |at, reason| Err(ParsePathError { at, reason });
        while at < text.len() {
            let rest = &text[at..];
            if let Some(inner) = rest.strip_prefix('[') {
                let Some(len) = bracket_len(inner) else {
                    return fail(at, "`[` is not closed");
                };
                let body = &inner[..len];
                match bracket(body) {
                    Some(segment) => segments.push(segment),
                    None => {
                        return fail(at, "expected a quoted key, a number or `key=value` in the brackets");
                    }
                }
                at += len + 2;
            } else {
                let word_at = if rest.starts_with('.') && !segments.is_empty() { at + 1 } else { at };
                let word = &text[word_at..];
                let len = word
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
                    .unwrap_or(word.len());
                if len == 0 || (word_at == at && !segments.is_empty()) {
                    return fail(word_at, "expected a field name");
                }
                segments.push(Segment::Key(word[..len].to_owned()));
                at = word_at + len;
            }
        }
        Ok(Self(segments))
    }
}

/// Length of what stands before the closing bracket, minding quotes.
fn bracket_len(inner: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some('"'), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, ']') => return Some(at),
            _ => {}
        }
    }
    None
}

fn bracket(body: &str) -> Option<Segment> {
    if let Some(item) = body.strip_prefix('=') {
        let value: Value = serde_json::from_str(item).ok()?;
        return Some(Segment::Item(value.to_string()));
    }
    if body.starts_with('"') {
        return serde_json::from_str(body).ok().map(Segment::Key);
    }
    if let Some(key) = body.strip_prefix('\'').and_then(|k| k.strip_suffix('\'')) {
        return Some(Segment::Key(key.to_owned()));
    }
    if let Ok(index) = body.parse() {
        return Some(Segment::Index(index));
    }
    let mut keys = BTreeMap::new();
    for pair in split_pairs(body) {
        let (key, text) = pair.split_once('=')?;
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        if key.is_empty() || keys.insert(key.to_owned(), value.to_string()).is_some() {
            return None;
        }
    }
    (!keys.is_empty()).then_some(Segment::Select(keys))
}

/// Splits at commas outside of double quotes.
fn split_pairs(body: &str) -> Vec<&str> {
    let (mut pairs, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in body.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                pairs.push(&body[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    pairs.push(&body[start..]);
    pairs
}

crate::address::serde_as_text!(FieldPath);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn segment() -> impl Strategy<Value = Segment> {
        let scalar = prop_oneof![
            ".*".prop_map(|s| json!(s)),
            any::<i64>().prop_map(|n| json!(n)),
            any::<bool>().prop_map(|b| json!(b)),
        ];
        prop_oneof![
            ".*".prop_map(Segment::Key),
            any::<usize>().prop_map(Segment::Index),
            proptest::collection::btree_map(
                "[a-zA-Z]{1,8}",
                scalar.clone().prop_map(|v| v.to_string()),
                1..3
            )
            .prop_map(Segment::Select),
            scalar.prop_map(|v| Segment::Item(v.to_string())),
        ]
    }

    proptest! {
        #[test]
        fn paths_round_trip(segments in proptest::collection::vec(segment(), 0..6)) {
            let path = FieldPath(segments);
            prop_assert_eq!(path.to_string().parse::<FieldPath>().unwrap(), path);
        }

        #[test]
        fn any_text_is_a_path_or_an_error(text in ".*") {
            if let Ok(path) = text.parse::<FieldPath>() {
                prop_assert_eq!(path.to_string().parse::<FieldPath>().unwrap(), path);
            }
        }
    }

    #[test]
    fn reads_what_people_write() {
        let object = json!({"spec": {"containers": [{"name": "app", "image": "a:1", "ports": [{"p": 80}]}], "a.b": [1, 2]}});
        for (path, value) in [
            ("spec.containers[name=app].image", json!("a:1")),
            ("spec.containers[0].name", json!("app")),
            ("spec.containers[name=\"app\"].ports[p=80]", json!({"p": 80})),
            ("spec['a.b'][1]", json!(2)),
            ("spec[\"a.b\"][=2]", json!(2)),
        ] {
            assert_eq!(path.parse::<FieldPath>().unwrap().get(&object), Some(&value), "{path}");
        }
    }

    #[test]
    fn removing_closes_a_list() {
        let mut object = json!({"l": [{"name": "a"}, {"name": "b"}]});
        assert_eq!("l[name=a]".parse::<FieldPath>().unwrap().remove(&mut object), Some(json!({"name": "a"})));
        assert_eq!(object, json!({"l": [{"name": "b"}]}));
    }
}
