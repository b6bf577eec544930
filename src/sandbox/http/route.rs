//! What a path names.

use super::query::decode;

/// A path below `/api` or `/apis` that names a resource or an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Group; empty for the core group.
    pub(super) group: String,
    /// Version.
    pub(super) version: String,
    /// Namespace, if the path has one.
    pub(super) namespace: Option<String>,
    /// Plural.
    pub(super) plural: String,
    /// Name; empty for the collection.
    pub(super) name: String,
    /// `status`, …; empty for the object itself.
    pub(super) subresource: String,
}

/// Reads a path; `None` if it does not name a resource. As `RequestInfoFactory` reads it, without the old
/// `/watch/` and `/proxy/` prefixes.
pub(super) fn place(path: &str) -> Option<Place> {
    let parts: Vec<String> = path.strip_prefix('/')?.split('/').map(decode_segment).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let parts = parts.strip_suffix(&[""]).unwrap_or(&parts);
    let (group, version, rest) = match parts {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };
    let place = |namespace: Option<&str>, plural: &str, name: &str, subresource: &str| Place {
        group: group.to_owned(),
        version: version.to_owned(),
        namespace: namespace.map(str::to_owned),
        plural: plural.to_owned(),
        name: name.to_owned(),
        subresource: subresource.to_owned(),
    };
    match rest {
        ["namespaces", name] => Some(place(None, "namespaces", name, "")),
        ["namespaces", name, sub @ ("status" | "finalize")] => Some(place(None, "namespaces", name, sub)),
        ["namespaces", namespace, plural] => Some(place(Some(namespace), plural, "", "")),
        ["namespaces", namespace, plural, name] => Some(place(Some(namespace), plural, name, "")),
        ["namespaces", namespace, plural, name, sub] => Some(place(Some(namespace), plural, name, sub)),
        [plural] => Some(place(None, plural, "", "")),
        [plural, name] => Some(place(None, plural, name, "")),
        [plural, name, sub] => Some(place(None, plural, name, sub)),
        _ => None,
    }
}

fn decode_segment(text: &str) -> String {
    // A plus is a plus in a path.
    decode(&text.replace('+', "%2B")).into_owned()
}
