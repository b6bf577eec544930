//! `from` of a secret variable: where its value comes from.

use crate::diag::{Diagnostic, Diagnostics, Span};

use super::closed::{closed, text_of};
use super::model::{Charset, SecretSource};
use super::read::Files;
use super::suggest::nearest;
use super::syntax::{Key, Node, Raw, Table};
use super::variables::Source;

/// Reads `from`; `what` names the variable.
pub(super) fn source(what: &str, node: &Node, files: &Files, diags: &mut Diagnostics) -> Option<Source> {
    let ways = ["env", "file", "command", "generate"];
    let wrong = |diags: &mut Diagnostics, span: &Span| {
        diags.push(
            Diagnostic::error("E106", format!("`from` of {what} must name exactly one source"))
                .at(span.clone(), "")
                .help("it is `{ env = \"NAME\" }`, `{ file = \"path\" }`, `{ command = [\"program\", \"argument\"] }` or `{ generate = { length = 32, charset = \"hex\" } }`"),
        );
    };
    let Some(table) = node.table() else {
        if !matches!(node.raw, Raw::Bad) {
            wrong(diags, &node.span);
        }
        return None;
    };
    closed(diags, &format!("`from` of {what}"), table, &ways);
    let known: Vec<&(Key, Node)> =
        table.entries.iter().filter(|(key, _)| ways.contains(&key.name.as_str())).collect();
    let [(key, value)] = known.as_slice() else {
        if table.entries.len() == known.len() {
            wrong(diags, &node.span);
        }
        return None;
    };
    match (key.name.as_str(), &value.raw) {
        ("env", Raw::Text(name)) if !name.is_empty() => Some(Source::Known(SecretSource::Env(name.clone()))),
        ("file", Raw::Text(path)) if !path.is_empty() => match files.confined(path) {
            Ok(path) => Some(Source::Known(SecretSource::File(path))),
            Err(problem) => {
                diags.push(problem.diagnostic(Some(value.span.clone())));
                None
            }
        },
        ("command", Raw::List(words)) if !words.is_empty() && words.iter().all(|w| w.text().is_some()) => {
            let words = words.iter().filter_map(|w| w.text().map(str::to_owned));
            Some(Source::Known(SecretSource::Command(words.collect())))
        }
        ("generate", Raw::Table(table)) => generate(what, table, diags),
        (_, Raw::Bad) => None,
        ("command", _) => {
            diags.push(
                Diagnostic::error(
                    "E106",
                    format!("`command` of {what} is a list: the program, then its arguments"),
                )
                .at(value.span.clone(), "")
                .help("no shell reads it; for one, write `[\"sh\", \"-c\", \"…\"]`"),
            );
            None
        }
        (way, _) => {
            diags.push(
                Diagnostic::error("E106", format!("`{way}` of {what} cannot be {}", value.type_name()))
                    .at(value.span.clone(), ""),
            );
            None
        }
    }
}

fn generate(what: &str, table: &Table, diags: &mut Diagnostics) -> Option<Source> {
    closed(diags, &format!("`generate` of {what}"), table, &["length", "charset"]);
    let length = match table.get("length").map(|n| (&n.raw, &n.span)) {
        None => Some(32),
        Some((Raw::Integer(n), _)) if (8..=4096).contains(n) => usize::try_from(*n).ok(),
        Some((Raw::Bad, _)) => None,
        Some((_, span)) => {
            diags.push(
                Diagnostic::error(
                    "E106",
                    format!("`length` of {what} must be a whole number from 8 to 4096"),
                )
                .at(span.clone(), ""),
            );
            None
        }
    };
    let charset = match text_of(diags, "`generate`", table, "charset") {
        None if table.get("charset").is_none() => Some(Charset::Alphanumeric),
        None => None,
        Some(("hex", _)) => Some(Charset::Hex),
        Some(("alphanumeric", _)) => Some(Charset::Alphanumeric),
        Some(("printable", _)) => Some(Charset::Printable),
        Some((other, span)) => {
            let meant = nearest(other, ["hex", "alphanumeric", "printable"]);
            let help = meant.map_or_else(
                || "the alphabets are `hex`, `alphanumeric` and `printable`".to_owned(),
                |meant| format!("did you mean `\"{meant}\"`?"),
            );
            diags.push(
                Diagnostic::error("E106", format!("`{other}` is not an alphabet"))
                    .at(span.clone(), "")
                    .help(help),
            );
            None
        }
    };
    Some(Source::Generate(length?, charset?))
}
