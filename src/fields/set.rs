//! Sorted sets of field paths, and their form in `managedFields`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::path::{FieldPath, Segment};

/// A set of field paths, as `managedFields` has them.
///
/// A *member* is owned. A member without members below it is a *leaf*; one with members below it (written `.`
/// in `FieldsV1`) is an element of a list map or a key of a map, owned beside what it contains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSet(BTreeSet<FieldPath>);

/// Why a `FieldsV1` cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("managedFields: `{text}` is {problem}")]
pub struct FieldsError {
    /// The key or value at fault.
    pub text: String,
    /// What it is, or is not.
    pub problem: &'static str,
}

impl FieldSet {
    /// Reads a `FieldsV1`. Path elements of a form that is not known yet are left out with all below them, as
    /// the API server itself does.
    ///
    /// # Errors
    /// Names the key that cannot be read.
    pub fn from_fields_v1(fields: &Value) -> Result<Self, FieldsError> {
        let mut set = Self::default();
        let Value::Object(map) = fields else {
            return Err(FieldsError { text: fields.to_string(), problem: "not a map" });
        };
        read(map, &mut FieldPath::default(), &mut set)?;
        Ok(set)
    }

    /// The `FieldsV1` of this set.
    #[must_use]
    pub fn to_fields_v1(&self) -> Value {
        let mut root = Map::new();
        for path in &self.0 {
            mark(&mut root, &path.0);
        }
        unmark_leaves(&mut root);
        Value::Object(root)
    }

    /// Whether `path` itself is a member.
    #[must_use]
    pub fn contains(&self, path: &FieldPath) -> bool {
        self.0.contains(path)
    }

    /// Whether the value at `path` belongs to this set: it is a member, or lies inside a leaf, which is owned
    /// as a whole.
    #[must_use]
    pub fn covers(&self, path: &FieldPath) -> bool {
        if self.contains(path) {
            return true;
        }
        (1..path.0.len()).rev().any(|len| {
            let above = FieldPath(path.0[..len].to_vec());
            self.contains(&above) && !self.has_below(&above)
        })
    }

    /// Whether anything strictly below `path` is a member.
    #[must_use]
    pub fn has_below(&self, path: &FieldPath) -> bool {
        self.below(path).next().is_some()
    }

    /// The members strictly below `path`.
    pub fn below<'s>(&'s self, path: &'s FieldPath) -> impl Iterator<Item = &'s FieldPath> {
        // A path stands directly before everything that starts with it.
        let after = (std::ops::Bound::Excluded(path), std::ops::Bound::Unbounded);
        self.0.range::<FieldPath, _>(after).take_while(move |candidate| candidate.starts_with(path))
    }

    /// The members, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &FieldPath> {
        self.0.iter()
    }

    /// The members that have no member below them.
    pub fn leaves(&self) -> impl Iterator<Item = &FieldPath> {
        let mut members = self.0.iter().peekable();
        std::iter::from_fn(move || {
            loop {
                let path = members.next()?;
                if !members.peek().is_some_and(|next| next.starts_with(path)) {
                    return Some(path);
                }
            }
        })
    }

    /// The set of the leaves alone.
    #[must_use]
    pub fn leaf_set(&self) -> Self {
        self.leaves().cloned().collect()
    }

    /// Adds a member.
    pub fn insert(&mut self, path: FieldPath) {
        self.0.insert(path);
    }

    /// Takes a member out; what is below it stays.
    pub fn remove(&mut self, path: &FieldPath) -> bool {
        self.0.remove(path)
    }

    /// Keeps the members that satisfy `keep`.
    pub fn retain(&mut self, keep: impl FnMut(&FieldPath) -> bool) {
        self.0.retain(keep);
    }

    /// The members of either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// The members of this set that are not members of `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0).cloned().collect())
    }

    /// The members of both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// Number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<FieldPath> for FieldSet {
    fn from_iter<I: IntoIterator<Item = FieldPath>>(paths: I) -> Self {
        Self(paths.into_iter().collect())
    }
}

impl IntoIterator for FieldSet {
    type Item = FieldPath;
    type IntoIter = std::collections::btree_set::IntoIter<FieldPath>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

fn read(map: &Map<String, Value>, path: &mut FieldPath, set: &mut FieldSet) -> Result<(), FieldsError> {
    let fail = |text: &str, problem| Err(FieldsError { text: text.to_owned(), problem });
    for (key, value) in map {
        if key == "." {
            set.insert(path.clone());
            continue;
        }
        let Some(segment) = segment(key)? else { continue };
        let Value::Object(inner) = value else {
            return fail(key, "not followed by a map");
        };
        path.0.push(segment);
        if inner.is_empty() {
            set.insert(path.clone());
        } else {
            read(inner, path, set)?;
        }
        path.0.pop();
    }
    Ok(())
}

/// The segment a key of `FieldsV1` stands for; `None` if its form is not known.
///
/// # Errors
/// Names the key that cannot be read.
pub(crate) fn segment(key: &str) -> Result<Option<Segment>, FieldsError> {
    let fail = |problem| FieldsError { text: key.to_owned(), problem };
    let (form, content) = key.split_once(':').ok_or_else(|| fail("not a path element"))?;
    let json = |problem| serde_json::from_str::<Value>(content).map_err(|_| fail(problem));
    Ok(Some(match form {
        "f" => Segment::Key(content.to_owned()),
        "v" => Segment::Item(json("not a JSON value")?.to_string()),
        "i" => Segment::Index(content.parse().map_err(|_| fail("not a position"))?),
        "k" => {
            let Value::Object(keys) = json("not a JSON map")? else {
                return Err(fail("not a JSON map"));
            };
            let keys = keys.into_iter().map(|(name, value)| (name, value.to_string()));
            Segment::Select(keys.collect())
        }
        _ => return Ok(None),
    }))
}

/// The key of `FieldsV1` that stands for `segment`.
pub(crate) fn element(segment: &Segment) -> String {
    match segment {
        Segment::Key(key) => format!("f:{key}"),
        Segment::Index(index) => format!("i:{index}"),
        Segment::Item(text) => format!("v:{}", escaped(text)),
        Segment::Select(keys) => {
            let pairs: Vec<String> = keys
                .iter()
                .map(|(name, text)| format!("{}:{}", Value::from(name.as_str()), escaped(text)))
                .collect();
            format!("k:{{{}}}", pairs.join(","))
        }
    }
}

/// The JSON text of a value as the API server writes it: what HTML gives a meaning is escaped.
fn escaped(text: &str) -> String {
    let text = text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    text.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

/// Writes `.` at the path; a leaf loses it again once all paths are there.
fn mark(map: &mut Map<String, Value>, path: &[Segment]) {
    let Some((first, rest)) = path.split_first() else {
        map.insert(".".into(), Value::Object(Map::new()));
        return;
    };
    let child = map.entry(element(first)).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(inner) = child {
        mark(inner, rest);
    }
}

fn unmark_leaves(map: &mut Map<String, Value>) {
    for value in map.values_mut() {
        let Value::Object(inner) = value else { continue };
        if inner.len() == 1 && inner.contains_key(".") {
            inner.clear();
        } else {
            unmark_leaves(inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn set(paths: &[&str]) -> FieldSet {
        paths.iter().map(|path| path.parse().unwrap()).collect()
    }

    fn segment_strategy() -> impl Strategy<Value = Segment> {
        prop_oneof![
            4 => "[a-c.:/]{1,3}".prop_map(Segment::Key),
            1 => (0_usize..3).prop_map(Segment::Index),
            1 => prop_oneof![Just(json!("a")), Just(json!(1)), Just(json!(true))].prop_map(|v| Segment::Item(v.to_string())),
            2 => ("[a-b]", 0..3_i32).prop_map(|(key, n)| Segment::Select([("name".to_owned(), json!(key).to_string()), ("n".to_owned(), n.to_string())].into())),
        ]
    }

    fn sets() -> impl Strategy<Value = FieldSet> {
        let path = proptest::collection::vec(segment_strategy(), 1..5).prop_map(FieldPath);
        proptest::collection::vec(path, 0..12).prop_map(|paths| paths.into_iter().collect())
    }

    proptest! {
        #[test]
        fn sets_round_trip(set in sets()) {
            prop_assert_eq!(FieldSet::from_fields_v1(&set.to_fields_v1()).unwrap(), set);
        }

        #[test]
        fn sets_obey_the_laws_of_sets(a in sets(), b in sets()) {
            let union = a.union(&b);
            prop_assert_eq!(&union, &b.union(&a));
            prop_assert_eq!(&a.difference(&b).union(&a.intersection(&b)), &a);
            prop_assert!(a.iter().chain(b.iter()).all(|path| union.contains(path)));
            prop_assert!(a.difference(&b).iter().all(|path| !b.contains(path)));
        }

        #[test]
        fn leaves_are_the_members_with_nothing_below(set in sets()) {
            let expected: FieldSet = set
                .iter()
                .filter(|path| !set.iter().any(|other| other != *path && other.starts_with(path)))
                .cloned()
                .collect();
            prop_assert_eq!(set.leaf_set(), expected);
        }
    }

    #[test]
    fn reads_what_a_server_wrote() {
        let fields = json!({
            "f:metadata": {"f:labels": {".": {}, "f:app.kubernetes.io/name": {}}, "f:finalizers": {"v:\"a/b\"": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {".": {}, "f:image": {}, "f:ports": {
                "k:{\"protocol\":\"TCP\",\"containerPort\":80}": {".": {}, "f:containerPort": {}}}}}},
            "x:future": {"f:a": {}},
        });
        let read = FieldSet::from_fields_v1(&fields).unwrap();
        assert_eq!(
            read,
            set(&[
                "metadata.labels",
                "metadata.labels['app.kubernetes.io/name']",
                "metadata.finalizers[=\"a/b\"]",
                "spec.containers[name=app]",
                "spec.containers[name=app].image",
                "spec.containers[name=app].ports[containerPort=80,protocol=TCP]",
                "spec.containers[name=app].ports[containerPort=80,protocol=TCP].containerPort",
            ])
        );
        assert_eq!(read.leaves().count(), 4);
        for broken in [
            json!([]),
            json!({"f:a": 1}),
            json!({"fa": {}}),
            json!({"k:[]": {}}),
            json!({"v:x": {}}),
            json!({"i:-1": {}}),
        ] {
            assert!(FieldSet::from_fields_v1(&broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_leaf_covers_what_is_inside_it() {
        let set = set(&["spec.selector", "spec.ports[port=80]", "spec.ports[port=80].name"]);
        for (path, covered) in [
            ("spec.selector.app", true),
            ("spec.selector", true),
            ("spec.ports[port=80].name", true),
            ("spec.ports[port=80].nodePort", false),
            ("spec", false),
        ] {
            assert_eq!(set.covers(&path.parse().unwrap()), covered, "{path}");
        }
    }
}
