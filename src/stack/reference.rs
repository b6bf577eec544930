//! What stands between the braces of `${…}`: one reference, or a mistake in words that help.

use crate::path::FieldPath;

use super::expr::{Expr, ObjectRef};
use super::kinds;
use super::names::is_local;
use super::suggest::nearest;

const HEADS: &[&str] = &["var", "local", "stack", "each", "existing", "file", "null"];

const SHAPE: &str = "a reference is `var.NAME`, `local.NAME`, `stack.name`, `each.key`, `each.value`, `file('PATH')`, `null`, `TABLE.NAME.FIELD` or `existing.TABLE.NAME.FIELD`";

/// Why a text is no reference.
pub(super) struct Problem {
    pub code: &'static str,
    pub message: String,
    pub label: String,
    pub help: Option<String>,
}

fn problem(
    code: &'static str,
    message: impl Into<String>,
    label: impl Into<String>,
    help: impl Into<String>,
) -> Problem {
    Problem {
        code,
        message: message.into(),
        label: label.into(),
        help: Some(help.into()).filter(|h| !h.is_empty()),
    }
}

/// Reads what stands between the braces, without the space around it.
pub(super) fn expression(text: &str) -> Result<Expr, Problem> {
    if text.is_empty() {
        return Err(problem("E020", "`${}` is empty", "nothing is named here", SHAPE));
    }
    if text == "null" {
        return Ok(Expr::Null);
    }
    let head_len =
        text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).unwrap_or(text.len());
    let (head, rest) = text.split_at(head_len);
    if head == "file" || rest.trim_start().starts_with('(') {
        return file(text, head, rest);
    }
    if head.is_empty()
        || rest.contains(['+', '*', '?', '!', '<', '>', '|', '&', '%', '(']) && !rest.contains('[')
    {
        return Err(problem(
            "E021",
            format!("`{text}` is not a reference"),
            "operators and functions are not part of the language",
            SHAPE,
        ));
    }
    let Some(after) = rest.strip_prefix('.') else {
        return Err(lone(head, rest));
    };
    match head {
        "var" | "local" => {
            let (name, path) = name_and_path(after)?;
            Ok(if head == "var" { Expr::Var(name, path) } else { Expr::Local(name, path) })
        }
        "stack" => Ok(Expr::Stack(path(after)?)),
        "each" => {
            let (name, path) = name_and_path(after)?;
            match (name.as_str(), path.is_root()) {
                ("key", true) => Ok(Expr::EachKey),
                ("value", _) => Ok(Expr::EachValue(path)),
                _ => Err(problem(
                    "E021",
                    format!("`each.{after}` is nothing that `for_each` gives"),
                    "",
                    "`each.key` is the instance's key, `each.value` its value",
                )),
            }
        }
        "existing" => {
            let (table, rest) = word(after);
            let Some(after) = rest.strip_prefix('.').filter(|_| !table.is_empty()) else {
                return Err(problem(
                    "E020",
                    format!("`{text}` is not complete"),
                    "",
                    "write `existing.TABLE.NAME.FIELD`",
                ));
            };
            object(true, table, after)
        }
        table if kinds::is_resource_table(table) || table == "yaml" => object(false, table, after),
        _ => Err(unknown_head(head, after)),
    }
}

/// `file('path')`, or a call of something that is no function here.
fn file(text: &str, head: &str, rest: &str) -> Result<Expr, Problem> {
    if head != "file" {
        return Err(problem(
            "E021",
            format!("`{head}(…)` is not a function of the language"),
            "",
            "the only one is `file('relative/path')`",
        ));
    }
    let inner = rest.trim().strip_prefix('(').and_then(|r| r.strip_suffix(')')).map(str::trim);
    let quoted = inner.and_then(|i| {
        let quote = i.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        i.strip_prefix(quote)?.strip_suffix(quote).filter(|p| !p.contains(quote))
    });
    match quoted {
        Some(path) if !path.is_empty() => Ok(Expr::File(path.to_owned())),
        _ => Err(problem(
            "E020",
            format!("`{text}` does not name a file"),
            "",
            "write `file('relative/path')`, with quotes around the path",
        )),
    }
}

fn lone(head: &str, rest: &str) -> Problem {
    if !rest.is_empty() && !rest.starts_with('[') {
        return problem(
            "E021",
            format!("`{head}{rest}` is not a reference"),
            "operators and functions are not part of the language",
            SHAPE,
        );
    }
    let help = match head {
        "var" | "local" => format!("write `{head}.NAME`"),
        "each" => "write `each.key` or `each.value`".to_owned(),
        "stack" => "write `stack.name`".to_owned(),
        table if kinds::is_resource_table(table) => {
            format!("write `{table}.NAME.FIELD`, for example `{table}.NAME.name`")
        }
        _ => format!(
            "a variable is `var.{head}`, a local value `local.{head}`; write `$${{` where `${{` is meant as it stands"
        ),
    };
    problem("E021", format!("`{head}` alone names nothing"), "", help)
}

fn unknown_head(head: &str, after: &str) -> Problem {
    let meant = match head {
        "vars" | "variable" | "variables" => Some("var"),
        "locals" => Some("local"),
        "data" => Some("existing"),
        "self" | "env" => None,
        _ => nearest(head, HEADS.iter().copied()).or_else(|| kinds::nearest_table(head)),
    };
    let help = match (head, meant) {
        ("env", _) => format!(
            "declare a variable and set it by `ARRPLAN_VAR_{after}`, or give a secret one `from = {{ env = \"{after}\" }}`"
        ),
        (_, Some(meant)) => format!("did you mean `{meant}.{after}`?"),
        _ => SHAPE.to_owned(),
    };
    problem("E021", format!("`{head}` is not something a reference can start with"), "", help)
}

fn object(existing: bool, table: &str, after: &str) -> Result<Expr, Problem> {
    let (name, mut rest) = word(after);
    if name.is_empty() {
        return Err(problem(
            "E020",
            format!("`{table}.{after}` names no resource"),
            "",
            format!("write `{table}.NAME.FIELD`"),
        ));
    }
    let mut index = None;
    // An index stands in quotes directly behind the name; a key of the manifest stands behind a field.
    if let Some(inner) = rest.strip_prefix('[') {
        let Some(end) = bracket_end(rest) else {
            return Err(problem("E020", format!("`[` is not closed in `{table}.{after}`"), "", ""));
        };
        let key = rest[..=end].parse::<FieldPath>().map(|path| path.0);
        if let Ok([crate::path::Segment::Key(key)]) = key.as_deref() {
            index = Some(key.clone());
        } else {
            let bare = &inner[..end - 1];
            let bare = if is_local(bare) { bare } else { "KEY" };
            return Err(problem(
                "E020",
                format!("the key of an instance must stand in quotes: `{}`", &rest[..=end]),
                "",
                format!("write `{table}.{name}['{bare}']`"),
            ));
        }
        rest = &rest[end + 1..];
    }
    let path = match rest.strip_prefix('.') {
        Some(rest) => path(rest)?,
        None if rest.is_empty() => FieldPath::default(),
        None => path(rest)?,
    };
    Ok(Expr::Object(ObjectRef { existing, table: table.to_owned(), name: name.to_owned(), index, path }))
}

/// Position of the bracket that closes the one `text` starts with.
fn bracket_end(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
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

fn word(text: &str) -> (&str, &str) {
    let len = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-')).unwrap_or(text.len());
    text.split_at(len)
}

fn name_and_path(after: &str) -> Result<(String, FieldPath), Problem> {
    let (name, rest) = word(after);
    if !is_local(name) {
        return Err(problem("E020", format!("`{after}` does not start with a name"), "", SHAPE));
    }
    let rest = match rest.strip_prefix('.') {
        Some(rest) if !rest.is_empty() => path(rest)?,
        Some(_) => return Err(problem("E020", "a name is missing after the last `.`", "", SHAPE)),
        None => path(rest)?,
    };
    Ok((name.to_owned(), rest))
}

fn path(text: &str) -> Result<FieldPath, Problem> {
    text.parse::<FieldPath>().map_err(|error| {
        let what = text[..error.at.min(text.len())].to_owned();
        let behind = if what.is_empty() { String::new() } else { format!(" behind `{what}`") };
        problem(
            "E020",
            format!("`{text}` is not a path to a field"),
            format!("{}{behind}", error.reason),
            "a path is `spec.ports[0].port`, `labels['app.kubernetes.io/name']` or `containers[name=app].image`; operators and functions are not part of the language",
        )
    })
}
