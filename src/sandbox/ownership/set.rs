//! Sets of fields as trees: what the walks over values make and what the set operations need in one pass.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::{Map, Value};

use crate::fields::{FieldSet, FieldsError, element, segment};
use crate::path::{FieldPath, Segment};

/// Fields below one place. *Invariant:* no branch of it is empty, so equal sets have equal trees.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Set(BTreeMap<Segment, Branch>);

/// One place of a set: whether it is itself a member, and what below it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Branch {
    /// The place itself is owned.
    pub(super) member: bool,
    /// What is owned below it.
    pub(super) below: Set,
}

impl Branch {
    /// A place owned as a whole.
    pub(super) fn leaf() -> Self {
        Self { member: true, below: Set::default() }
    }

    /// Whether neither the place nor anything below it is owned.
    pub(super) fn is_empty(&self) -> bool {
        !self.member && self.below.is_empty()
    }
}

impl Set {
    /// Reads a `FieldsV1`. Path elements of a form that is not known are left out with all below them, as the
    /// API server itself does.
    ///
    /// # Errors
    /// Names the key that cannot be read.
    pub(super) fn from_fields_v1(fields: &Value) -> Result<Self, FieldsError> {
        Ok(read(fields)?.below)
    }

    /// The `FieldsV1` of this set.
    pub(super) fn to_fields_v1(&self) -> Value {
        let pairs = self.0.iter().map(|(segment, branch)| {
            let mut below = branch.below.to_fields_v1();
            if let (true, false, Value::Object(map)) = (branch.member, branch.below.is_empty(), &mut below) {
                map.insert(".".into(), Value::Object(Map::new()));
            }
            (element(segment), below)
        });
        Value::Object(pairs.collect())
    }

    /// Whether nothing is owned.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The branches, sorted.
    pub(super) fn branches(&self) -> impl Iterator<Item = (&Segment, &Branch)> {
        self.0.iter()
    }

    /// What is owned at and below one step.
    pub(super) fn get(&self, segment: &Segment) -> Option<&Branch> {
        self.0.get(segment)
    }

    /// Whether `path` itself is a member.
    pub(super) fn contains(&self, path: &[Segment]) -> bool {
        match path {
            [] => false,
            [last] => self.0.get(last).is_some_and(|branch| branch.member),
            [first, rest @ ..] => self.0.get(first).is_some_and(|branch| branch.below.contains(rest)),
        }
    }

    /// Whether every member is a member of `other`.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.0.iter().all(|(segment, branch)| {
            other
                .0
                .get(segment)
                .is_some_and(|there| (there.member || !branch.member) && branch.below.is_within(&there.below))
        })
    }

    /// Adds a member.
    pub(super) fn insert(&mut self, path: &[Segment]) {
        let Some((first, rest)) = path.split_first() else { return };
        let branch = self.0.entry(first.clone()).or_default();
        if rest.is_empty() {
            branch.member = true;
        } else {
            branch.below.insert(rest);
        }
    }

    /// Adds what is owned at and below one step.
    pub(super) fn attach(&mut self, segment: Segment, branch: Branch) {
        if branch.is_empty() {
            return;
        }
        match self.0.entry(segment) {
            Entry::Vacant(free) => {
                free.insert(branch);
            }
            Entry::Occupied(mut taken) => {
                let there = taken.get_mut();
                there.member |= branch.member;
                there.below.add(branch.below);
            }
        }
    }

    /// Adds all members of `other`.
    pub(super) fn add(&mut self, other: Self) {
        if self.is_empty() {
            *self = other;
            return;
        }
        for (segment, branch) in other.0 {
            self.attach(segment, branch);
        }
    }

    /// The members of either set.
    pub(super) fn union(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.add(other.clone());
        both
    }

    /// The members of both sets.
    pub(super) fn intersection(&self, other: &Self) -> Self {
        let mut common = Self::default();
        for (segment, branch) in &self.0 {
            let Some(there) = other.0.get(segment) else { continue };
            let member = branch.member && there.member;
            let below = branch.below.intersection(&there.below);
            common.attach(segment.clone(), Branch { member, below });
        }
        common
    }

    /// Takes the members of `other` out; what is below them stays.
    pub(super) fn remove_all(&mut self, other: &Self) {
        if other.is_empty() {
            return;
        }
        self.0.retain(|segment, branch| {
            if let Some(there) = other.0.get(segment) {
                branch.member &= !there.member;
                branch.below.remove_all(&there.below);
            }
            !branch.is_empty()
        });
    }

    /// Takes the members of `other` out with all below them.
    pub(super) fn remove_below(&mut self, other: &Self) {
        if other.is_empty() {
            return;
        }
        self.0.retain(|segment, branch| {
            let Some(there) = other.0.get(segment) else { return true };
            if there.member {
                return false;
            }
            branch.below.remove_below(&there.below);
            !branch.is_empty()
        });
    }

    /// The members of this set that are not members of `other`.
    #[cfg(test)]
    pub(super) fn difference(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        rest.remove_all(other);
        rest
    }

    /// The members in the order in which the API server lists them: those of one level before what is below them.
    pub(super) fn paths(&self) -> Vec<FieldPath> {
        let mut paths = Vec::new();
        self.list(&mut FieldPath::default(), &mut paths);
        paths
    }

    fn list(&self, above: &mut FieldPath, paths: &mut Vec<FieldPath>) {
        let mut branches: Vec<_> = self.0.iter().collect();
        branches.sort_by(|(a, _), (b, _)| listed(a, b));
        paths.extend(
            branches.iter().filter(|(_, branch)| branch.member).map(|(step, _)| above.join((*step).clone())),
        );
        for (step, branch) in branches {
            above.0.push(step.clone());
            branch.below.list(above, paths);
            above.0.pop();
        }
    }
}

impl From<&FieldSet> for Set {
    fn from(fields: &FieldSet) -> Self {
        let mut set = Self::default();
        for path in fields.iter() {
            set.insert(&path.0);
        }
        set
    }
}

fn read(fields: &Value) -> Result<Branch, FieldsError> {
    let map = match fields {
        Value::Object(map) => map,
        Value::Null => return Ok(Branch::leaf()),
        other => return Err(FieldsError { text: other.to_string(), problem: "not a map" }),
    };
    let mut branch = Branch { member: map.contains_key("."), below: Set::default() };
    for (key, value) in map.iter().filter(|(key, _)| *key != ".") {
        if let Some(step) = segment(key)? {
            branch.below.attach(step, read(value)?);
        }
    }
    branch.member |= branch.below.is_empty();
    Ok(branch)
}

/// The order of the API server's lists: field names, elements by their keys, by their value, by position; values
/// as values and not as texts.
fn listed(a: &Segment, b: &Segment) -> Ordering {
    let rank = |segment: &Segment| match segment {
        Segment::Key(_) => 0,
        Segment::Select(_) => 1,
        Segment::Item(_) => 2,
        Segment::Index(_) => 3,
    };
    match (a, b) {
        (Segment::Item(a), Segment::Item(b)) => listed_value(a, b),
        (Segment::Select(a), Segment::Select(b)) => {
            let pairs = a
                .iter()
                .zip(b)
                .map(|((key_a, a), (key_b, b))| key_a.cmp(key_b).then_with(|| listed_value(a, b)));
            pairs.fold(Ordering::Equal, Ordering::then).then(a.len().cmp(&b.len()))
        }
        _ => rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)),
    }
}

fn listed_value(a: &str, b: &str) -> Ordering {
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let rank = |value: &Value| match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Array(_) => 3,
        Value::Object(_) => 4,
        Value::Null => 5,
    };
    match (value(a), value(b)) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or_default(), b.as_f64().unwrap_or_default());
            a.total_cmp(&b)
        }
        (Value::String(a), Value::String(b)) => a.cmp(&b),
        (value_a, value_b) => rank(&value_a).cmp(&rank(&value_b)).then_with(|| a.cmp(b)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn steps() -> impl Strategy<Value = Segment> {
        prop_oneof![
            4 => "[a-c]{1,2}".prop_map(Segment::Key),
            1 => (0_i32..12).prop_map(|n| Segment::Item(n.to_string())),
            1 => ("[a-b]", 0_i32..12).prop_map(|(name, n)| Segment::Select([("name".to_owned(), json!(name).to_string()), ("n".to_owned(), n.to_string())].into())),
        ]
    }

    fn sets() -> impl Strategy<Value = Set> {
        let path = proptest::collection::vec(steps(), 1..5);
        proptest::collection::vec(path, 0..14).prop_map(|paths| {
            let mut set = Set::default();
            for path in paths {
                set.insert(&path);
            }
            set
        })
    }

    fn flat(set: &Set) -> FieldSet {
        set.paths().into_iter().collect()
    }

    proptest! {
        /// The tree and the flat set of the engine are the same thing.
        #[test]
        fn trees_are_sets_of_paths(a in sets(), b in sets()) {
            prop_assert_eq!(&Set::from_fields_v1(&a.to_fields_v1()).unwrap(), &a);
            prop_assert_eq!(a.to_fields_v1(), flat(&a).to_fields_v1());
            prop_assert_eq!(&Set::from(&flat(&a)), &a);
            prop_assert_eq!(flat(&a.union(&b)), flat(&a).union(&flat(&b)));
            prop_assert_eq!(flat(&a.intersection(&b)), flat(&a).intersection(&flat(&b)));
            prop_assert_eq!(flat(&a.difference(&b)), flat(&a).difference(&flat(&b)));
            prop_assert_eq!(a.is_within(&b), flat(&a).difference(&flat(&b)).is_empty());
            prop_assert!(a.is_within(&a.union(&b)));
            let mut below = a.clone();
            below.remove_below(&b);
            let mut expected = flat(&a);
            expected.retain(|path| !flat(&b).iter().any(|other| path.starts_with(other)));
            prop_assert_eq!(flat(&below), expected);
        }
    }

    #[test]
    fn lists_a_level_before_what_is_below_and_values_as_values() {
        let fields = json!({
            "f:b": {"f:x": {}},
            "f:c": {},
            "f:a": {".": {}, "k:{\"n\":10}": {".": {}, "f:n": {}}, "k:{\"n\":9}": {".": {}}},
            "f:s": {"v:\"a\"": {}, "v:\"a b\"": {}, "v:2": {}, "v:10": {}, "v:true": {}},
        });
        let set = Set::from_fields_v1(&fields).unwrap();
        let listed: Vec<String> = set.paths().iter().map(ToString::to_string).collect();
        let expected = [
            "a",
            "c",
            "a[n=9]",
            "a[n=10]",
            "a[n=10].n",
            "b.x",
            "s[=2]",
            "s[=10]",
            "s[=\"a\"]",
            "s[=\"a b\"]",
            "s[=true]",
        ];
        assert_eq!(listed, expected);
    }
}
