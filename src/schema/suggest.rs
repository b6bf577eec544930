//! What was probably meant by a name that a kind does not have.

use super::{Node, Type};
use crate::path::{FieldPath, Segment};

/// What was probably meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suggestion {
    /// A field of the same object with a similar name.
    Similar(&'static str),
    /// The field exists in another place: its whole path in the object.
    Elsewhere(FieldPath),
}

/// How many levels below an object a misplaced field is looked for: from `spec` of a Deployment to the pod's
/// fields is two, from a `CronJob`'s is four.
const DEPTH: usize = 4;

/// What was meant by the unknown field `name` of the object at `node`. `above` are the objects around it,
/// itself last, each with the length of its path; `path` is the unknown field's own.
pub(super) fn field(name: &str, node: Node, above: &[(Node, usize)], path: &FieldPath) -> Option<Suggestion> {
    let wanted = plain(name);
    let same = node.fields().find(|field| plain(field.name) == wanted);
    if let Some(field) = same {
        return Some(Suggestion::Similar(field.name));
    }
    let here = &path.0[..path.0.len().saturating_sub(1)];
    if let Some(below) = below(name, node) {
        let keys = below.iter().map(|key| Segment::Key((*key).to_owned()));
        return Some(Suggestion::Elsewhere(FieldPath(here.iter().cloned().chain(keys).collect())));
    }
    let around = above.iter().rev().skip(1).find(|(node, _)| node.fields().any(|field| field.name == name));
    if let Some((_, len)) = around {
        return Some(Suggestion::Elsewhere(FieldPath(path.0[..*len].to_vec()).key(name)));
    }
    nearest(name, node.fields().map(|field| field.name)).map(Suggestion::Similar)
}

/// The way from `node` to the nearest field called `name` in the objects below it; breadth first, so that the
/// shortest way wins. What the server writes is no place to write to.
fn below(name: &str, node: Node) -> Option<Vec<&'static str>> {
    let mut level: Vec<(Node, Vec<&'static str>)> = vec![(node, Vec::new())];
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for (node, way) in level {
            for field in node.fields() {
                let skipped = way.is_empty() && matches!(field.name, "status" | "metadata");
                if skipped || field.node.node_type() != Type::Object {
                    continue;
                }
                let mut way = way.clone();
                way.push(field.name);
                if let Some(found) = field.node.fields().find(|f| f.name == name) {
                    way.push(found.name);
                    return Some(way);
                }
                next.push((field.node, way));
            }
        }
        level = next;
    }
    None
}

/// A name as it sounds: without case and separators, so that `storage_class_name` finds `storageClassName`.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// The candidate that is so near to `name` that it was probably meant: the only one that it begins, as
/// `GitRepo` does `GitRepository`, or the first of the nearest.
pub(super) fn nearest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let wanted = plain(name);
    let limit = wanted.len().max(3) / 3;
    let candidates: Vec<&str> = candidates.collect();
    if wanted.len() >= 4 {
        let mut begun = candidates.iter().filter(|candidate| plain(candidate).starts_with(&wanted));
        if let (Some(only), None) = (begun.next(), begun.next()) {
            return Some(only);
        }
    }
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
