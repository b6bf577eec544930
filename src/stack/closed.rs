//! Tables with a fixed list of keys, and texts in them.

use std::collections::BTreeSet;

use crate::diag::{Diagnostic, Diagnostics, Span};

use super::suggest::{listed, nearest};
use super::syntax::{Raw, Table};

/// Reports every key of `table` that is not in `allowed`.
pub(super) fn closed(diags: &mut Diagnostics, what: &str, table: &Table, allowed: &[&str]) {
    let mut seen = BTreeSet::new();
    for (key, node) in &table.entries {
        if allowed.contains(&key.name.as_str()) || matches!(node.raw, Raw::Bad) || !seen.insert(&key.name) {
            continue;
        }
        let mut diagnostic =
            Diagnostic::error("E010", format!("{what} has no key `{}`", key.name)).at(key.span.clone(), "");
        diagnostic = match nearest(&key.name, allowed.iter().copied()) {
            Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
            None => diagnostic.help(format!("its keys are {}", listed(allowed.iter().copied(), 12))),
        };
        diags.push(diagnostic);
    }
}

/// The text under `key`; anything else there is reported.
pub(super) fn text_of<'t>(
    diags: &mut Diagnostics,
    what: &str,
    table: &'t Table,
    key: &str,
) -> Option<(&'t str, &'t Span)> {
    let node = table.get(key)?;
    match &node.raw {
        Raw::Text(text) => return Some((text, &node.span)),
        Raw::Bad => {}
        Raw::Template(_) => diags.push(
            Diagnostic::error("E026", format!("`{key}` of {what} is read before any reference is known"))
                .at(node.span.clone(), "write plain text here"),
        ),
        _ => diags.push(
            Diagnostic::error("E011", format!("`{key}` of {what} must be text, not {}", node.type_name()))
                .at(node.span.clone(), ""),
        ),
    }
    None
}
