//! Which texts are names of objects, namespaces, labels.
//!
//! Source: `k8s.io/apimachinery/pkg/util/validation`, and for each kind its strategy's name function.

/// The rule a kind puts on its objects' names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameRule {
    /// At most 63 of `a-z0-9-`, first and last a letter or digit (RFC 1123 label).
    Label,
    /// At most 253 of `a-z0-9-.`, labels joined by dots (RFC 1123 subdomain).
    Subdomain,
    /// A subdomain short enough for what the controller appends.
    Short(usize),
    /// Anything that can stand in a URL path (RBAC kinds): `system:node`.
    PathSegment,
    /// A Cozystack tenant: letters and digits, a letter first.
    Tenant,
}

/// Why `name` breaks `rule`, if it does.
pub(super) fn problem(rule: NameRule, name: &str) -> Option<String> {
    match rule {
        NameRule::Label => label_problem(name, 63),
        NameRule::Subdomain => subdomain_problem(name, 253),
        NameRule::Short(most) => subdomain_problem(name, most),
        NameRule::PathSegment => {
            let bad = name.is_empty() || matches!(name, "." | "..") || name.contains(['/', '%']);
            bad.then(|| "it may not be empty, `.` or `..`, nor hold `/` or `%`".to_owned())
        }
        NameRule::Tenant => {
            let mut bytes = name.bytes();
            let good = bytes.next().is_some_and(|b| b.is_ascii_lowercase())
                && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            (!good).then(|| {
                "a tenant's name is a lower-case letter, then lower-case letters and digits; no dashes"
                    .to_owned()
            })
        }
    }
}

pub(super) fn label_problem(name: &str, most: usize) -> Option<String> {
    if name.is_empty() {
        return Some("it is empty".to_owned());
    }
    if name.len() > most {
        return Some(format!("it has {} characters, at most {most} are allowed", name.len()));
    }
    let good = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-');
    (!good)
        .then(|| "only lower-case letters, digits and `-`, with a letter or digit first and last".to_owned())
}

pub(super) fn subdomain_problem(name: &str, most: usize) -> Option<String> {
    if name.is_empty() {
        return Some("it is empty".to_owned());
    }
    if name.len() > most {
        return Some(format!("it has {} characters, at most {most} are allowed", name.len()));
    }
    let good = name.split('.').all(|part| label_problem(part, most).is_none());
    (!good).then(|| {
        "only lower-case letters, digits, `-` and `.`, with a letter or digit at both ends of each part"
            .to_owned()
    })
}

/// A legal name near `name`, if one can be made.
pub(super) fn mended(rule: NameRule, name: &str) -> Option<String> {
    let mut text: String = name
        .chars()
        .flat_map(char::to_lowercase)
        .map(|c| match c {
            'a'..='z' | '0'..='9' => c,
            '.' if rule != NameRule::Label => c,
            _ => '-',
        })
        .collect();
    if rule == NameRule::Tenant {
        text.retain(|c| c.is_ascii_alphanumeric());
    }
    let text = text.trim_matches(['-', '.']).to_owned();
    (problem(rule, &text).is_none() && text != name).then_some(text)
}

/// Why `key` is no key of a label or annotation, if so: `[prefix/]name`.
pub(super) fn label_key_problem(key: &str) -> Option<String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if let Some(problem) = prefix.and_then(|p| subdomain_problem(p, 253)) {
        return Some(format!("the part before `/` must be a domain name: {problem}"));
    }
    qualified(name).then_some(()).map_or_else(
        || {
            Some(
                "the name must be at most 63 letters, digits, `-`, `_`, `.`, with a letter or digit at both ends"
                    .to_owned(),
            )
        },
        |()| None,
    )
}

/// Why `value` is no value of a label, if so.
pub(super) fn label_value_problem(value: &str) -> Option<String> {
    (!value.is_empty() && !qualified(value)).then(|| {
        "a label's value is empty, or at most 63 letters, digits, `-`, `_`, `.`, with a letter or digit at both ends"
            .to_owned()
    })
}

fn qualified(text: &str) -> bool {
    let end = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    text.len() <= 63
        && end(text.bytes().next())
        && end(text.bytes().last())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// Whether `text` is a local name of the stack language.
pub(super) fn is_local(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_rule() {
        for (rule, name, good) in [
            (NameRule::Label, "tenant-media", true),
            (NameRule::Label, "a.b", false),
            (NameRule::Label, "-a", false),
            (NameRule::Label, "", false),
            (NameRule::Subdomain, "a.b-c.d", true),
            (NameRule::Subdomain, "a..b", false),
            (NameRule::Subdomain, "Media", false),
            (NameRule::Subdomain, "a_b", false),
            (NameRule::Short(52), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
            (NameRule::PathSegment, "system:node", true),
            (NameRule::PathSegment, "a/b", false),
            (NameRule::Tenant, "media2", true),
            (NameRule::Tenant, "my-media", false),
        ] {
            assert_eq!(problem(rule, name).is_none(), good, "{rule:?} {name:?}");
        }
        assert_eq!(mended(NameRule::Subdomain, "Arr_Stack"), Some("arr-stack".to_owned()));
        assert_eq!(mended(NameRule::Label, "a.b"), Some("a-b".to_owned()));
        assert_eq!(mended(NameRule::Tenant, "my-media"), Some("mymedia".to_owned()));
        assert_eq!(mended(NameRule::Label, "___"), None);
    }

    #[test]
    fn label_keys_and_values() {
        for (key, good) in [
            ("app", true),
            ("team.io/x", true),
            ("a/b/c", false),
            ("Team.IO/x", false),
            ("", false),
            ("-a", false),
        ] {
            assert_eq!(label_key_problem(key).is_none(), good, "{key}");
        }
        for (value, good) in [("", true), ("Media_1.x", true), ("a b", false), ("-a", false)] {
            assert_eq!(label_value_problem(value).is_none(), good, "{value}");
        }
    }
}
