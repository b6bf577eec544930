//! `${…}`: what stands in it and where. Reading only; [`super::eval`] gives the values.
//!
//! *Invariant:* a parsed [`Template`] shown as text parses to the same template.

use std::fmt;

use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::path::FieldPath;

use super::kinds;
use super::names::is_local;
use super::suggest::nearest;

/// A basic string with references.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Template {
    pub pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Expr(Expr, Span),
}

/// One reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expr {
    Null,
    File(String),
    Var(String, FieldPath),
    Local(String, FieldPath),
    Stack(FieldPath),
    EachKey,
    EachValue(FieldPath),
    Object(ObjectRef),
    /// A mistake that was reported.
    Bad,
}

/// A reference to a field of a resource or of an `existing` object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ObjectRef {
    pub existing: bool,
    pub table: String,
    pub name: String,
    pub index: Option<String>,
    pub path: FieldPath,
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => f.write_str(&text.replace("${", "$${"))?,
                Piece::Expr(expr, _) => write!(f, "${{{expr}}}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = |f: &mut fmt::Formatter<'_>, head: &str, path: &FieldPath| {
            let path = path.to_string();
            let dot = if path.is_empty() || path.starts_with('[') {
                ""
            } else {
                "."
            };
            write!(f, "{head}{dot}{path}")
        };
        match self {
            Self::Null => f.write_str("null"),
            Self::File(path) if path.contains('\'') => write!(f, "file(\"{path}\")"),
            Self::File(path) => write!(f, "file('{path}')"),
            Self::Var(name, path) => with(f, &format!("var.{name}"), path),
            Self::Local(name, path) => with(f, &format!("local.{name}"), path),
            Self::Stack(path) => with(f, "stack", path),
            Self::EachKey => f.write_str("each.key"),
            Self::EachValue(path) => with(f, "each.value", path),
            Self::Object(object) => with(f, &object.base(), &object.path),
            Self::Bad => f.write_str("?"),
        }
    }
}

impl ObjectRef {
    /// What stands before the field: `helm_release.app["sonarr"]`.
    pub(super) fn base(&self) -> String {
        let head = if self.existing { "existing." } else { "" };
        let index = self
            .index
            .as_ref()
            .map(|i| format!("[{}]", serde_json::Value::String(i.clone())));
        format!("{head}{}.{}{}", self.table, self.name, index.unwrap_or_default())
    }
}

/// Splits a basic string into text and references. `raw` is its source text at `span`, to place each reference.
pub(super) fn parse(text: &str, raw: &str, span: &Span, diags: &mut Diagnostics) -> Template {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    let mut nth = 0;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            plain.push_str(&rest[..at - 1]);
            plain.push_str("${");
            rest = &rest[at + 2..];
            nth += 1;
            continue;
        }
        plain.push_str(&rest[..at]);
        let inner = &rest[at + 2..];
        let place = place(raw, nth, text.matches("${").count(), span);
        nth += 1;
        let Some(end) = close(inner) else {
            diags.push(
                Diagnostic::error("E020", "`${` is not closed")
                    .at(place, "`}` is missing")
                    .help("write `$${` where the two characters `${` are meant as they stand, or use a literal string: '…'"),
            );
            pieces.push(Piece::Expr(Expr::Bad, span.clone()));
            return Template { pieces };
        };
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
        }
        let expr = match expression(inner[..end].trim()) {
            Ok(expr) => expr,
            Err(problem) => {
                let mut diagnostic =
                    Diagnostic::error(problem.code, problem.message).at(place.clone(), problem.label);
                diagnostic.help.extend(problem.help);
                diags.push(diagnostic);
                Expr::Bad
            }
        };
        pieces.push(Piece::Expr(expr, place));
        // A `${` inside of quotes inside of the braces was counted in the whole text.
        nth += inner[..end].matches("${").count();
        rest = &inner[end + 1..];
    }
    plain.push_str(rest);
    if !plain.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Template { pieces }
}

/// Where the `nth` `${` of a value stands in the file; the whole value where escapes hide it.
fn place(raw: &str, nth: usize, of: usize, span: &Span) -> Span {
    if raw.matches("${").count() != of {
        return span.clone();
    }
    let Some((at, _)) = raw.match_indices("${").nth(nth) else {
        return span.clone();
    };
    let rest = &raw[at..];
    // Quotes inside are escaped in the source, so the end is searched in the source's own text.
    let line = rest.find('\n').unwrap_or(rest.len());
    let len = match close(&rest[2..]) {
        Some(end) => end + 3,
        None => line.min(rest.trim_end_matches(['"', '\n', '\r']).len()).max(2),
    };
    Span::new(span.file, span.start + at..span.start + at + len)
}

/// Where the closing brace stands, minding quotes.
fn close(inner: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (_, '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '}') => return Some(at),
            _ => {}
        }
    }
    None
}

struct Problem {
    code: &'static str,
    message: String,
    label: String,
    help: Option<String>,
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

const HEADS: &[&str] = &["var", "local", "stack", "each", "existing", "file", "null"];
const SHAPE: &str = "a reference is `var.NAME`, `local.NAME`, `stack.name`, `each.key`, `each.value`, `file('PATH')`, `null`, `TABLE.NAME.FIELD` or `existing.TABLE.NAME.FIELD`";

fn expression(text: &str) -> Result<Expr, Problem> {
    if text.is_empty() {
        return Err(problem("E020", "`${}` is empty", "nothing is named here", SHAPE));
    }
    if text == "null" {
        return Ok(Expr::Null);
    }
    let head_len = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
        .unwrap_or(text.len());
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
            Ok(if head == "var" {
                Expr::Var(name, path)
            } else {
                Expr::Local(name, path)
            })
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
    let inner = rest
        .trim()
        .strip_prefix('(')
        .and_then(|r| r.strip_suffix(')'))
        .map(str::trim);
    let quoted = inner.and_then(|i| {
        let quote = i.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        i.strip_prefix(quote)?
            .strip_suffix(quote)
            .filter(|p| !p.contains(quote))
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
    problem(
        "E021",
        format!("`{head}` is not something a reference can start with"),
        "",
        help,
    )
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
            return Err(problem(
                "E020",
                format!("`[` is not closed in `{table}.{after}`"),
                "",
                "",
            ));
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
    Ok(Expr::Object(ObjectRef {
        existing,
        table: table.to_owned(),
        name: name.to_owned(),
        index,
        path,
    }))
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
    let len = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
        .unwrap_or(text.len());
    text.split_at(len)
}

fn name_and_path(after: &str) -> Result<(String, FieldPath), Problem> {
    let (name, rest) = word(after);
    if !is_local(name) {
        return Err(problem(
            "E020",
            format!("`{after}` does not start with a name"),
            "",
            SHAPE,
        ));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;
    use crate::path::Segment;
    use proptest::prelude::*;

    fn read(text: &str) -> (Template, Diagnostics) {
        let mut diags = Diagnostics::default();
        let span = Span::new(FileId(0), 0..text.len());
        let template = parse(text, text, &span, &mut diags);
        (template, diags)
    }

    fn bare(template: Template) -> Vec<Piece> {
        let gone = |piece| match piece {
            Piece::Expr(expr, _) => Piece::Expr(expr, Span::new(FileId(0), 0..0)),
            text @ Piece::Text(_) => text,
        };
        template.pieces.into_iter().map(gone).collect()
    }

    #[test]
    fn reads_every_form() {
        for (text, shown) in [
            ("${var.domain}", "${var.domain}"),
            ("${ var.domain }", "${var.domain}"),
            ("a-${local.x.y[0]}-b", "a-${local.x.y[0]}-b"),
            (
                "${helm_release.app[\"sonarr\"].name}",
                "${helm_release.app[\"sonarr\"].name}",
            ),
            (
                "${helm_release.app['sonarr'].spec.chart}",
                "${helm_release.app[\"sonarr\"].spec.chart}",
            ),
            (
                "${existing.service.ingress.status.loadBalancer.ingress[0].ip}",
                "${existing.service.ingress.status.loadBalancer.ingress[0].ip}",
            ),
            ("${file('a}b.json')}", "${file('a}b.json')}"),
            ("${each.value['a.b']}", "${each.value[\"a.b\"]}"),
            ("$${x} and ${null}", "$${x} and ${null}"),
            (
                "${manifest.x.spec.containers[name=app].image}",
                "${manifest.x.spec.containers[name=app].image}",
            ),
        ] {
            let (template, diags) = read(text);
            assert!(diags.is_empty(), "{text}: {diags:?}");
            assert_eq!(template.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, code) in [
            ("${", "E020"),
            ("${}", "E020"),
            ("${var.a + 1}", "E021"),
            ("${upper(var.a)}", "E021"),
            ("${var}", "E021"),
            ("${domain}", "E021"),
            ("${vars.domain}", "E021"),
            ("${env.HOME}", "E021"),
            ("${file(x)}", "E020"),
            ("${helm_release.app[x].name}", "E020"),
            ("${helm_release.}", "E020"),
            ("${var.}", "E020"),
            ("${each.values}", "E021"),
            ("${namespace.a.b[}", "E020"),
        ] {
            let (_, diags) = read(text);
            assert_eq!(
                diags.0.iter().map(|d| d.code).collect::<Vec<_>>(),
                [code],
                "{text}: {diags:?}"
            );
        }
    }

    fn name() -> impl Strategy<Value = String> {
        "[A-Za-z0-9_-]{1,8}"
    }

    fn field_path(least: usize) -> impl Strategy<Value = FieldPath> {
        let segment = prop_oneof![
            "[a-zA-Z]{1,6}".prop_map(Segment::Key),
            "[^\"\\\\]{0,6}".prop_map(Segment::Key),
            (0..20_usize).prop_map(Segment::Index),
        ];
        ("[a-z]{1,5}", proptest::collection::vec(segment, 0..3)).prop_map(move |(first, rest)| {
            let mut all = if least == 0 && rest.is_empty() {
                Vec::new()
            } else {
                vec![Segment::Key(first)]
            };
            all.extend(rest);
            FieldPath(all)
        })
    }

    fn expr() -> impl Strategy<Value = Expr> {
        prop_oneof![
            Just(Expr::Null),
            Just(Expr::EachKey),
            "[a-z/. }]{0,6}x".prop_map(Expr::File),
            (name(), field_path(0)).prop_map(|(n, p)| Expr::Var(n, p)),
            (name(), field_path(0)).prop_map(|(n, p)| Expr::Local(n, p)),
            field_path(1).prop_map(Expr::Stack),
            (
                any::<bool>(),
                name(),
                proptest::option::of("[^\\\\]{0,6}"),
                field_path(1)
            )
                .prop_map(|(existing, name, index, path)| {
                    Expr::Object(ObjectRef {
                        existing,
                        table: "helm_release".to_owned(),
                        name,
                        index,
                        path,
                    })
                }),
        ]
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".*", raw in ".*") {
            let mut diags = Diagnostics::default();
            let span = Span::new(FileId(0), 0..raw.len());
            let template = parse(&text, &raw, &span, &mut diags);
            for piece in &template.pieces {
                if let Piece::Expr(_, at) = piece {
                    prop_assert!(at.end <= raw.len() && raw.is_char_boundary(at.start) && raw.is_char_boundary(at.end));
                }
            }
        }

        #[test]
        fn text_with_dollars_is_read_without_a_panic(text in "[${}a.\\[\\]'\"(\\\\ \n]{0,24}") {
            let (template, diags) = read(&text);
            if diags.is_empty() {
                let (again, more) = read(&template.to_string());
                prop_assert!(more.is_empty());
                prop_assert_eq!(bare(again), bare(template));
            }
        }

        #[test]
        fn references_round_trip(expr in expr(), before in "[a-z $]{0,4}[a-z]", after in "[a-z }]{1,5}") {
            let template = Template {
                pieces: vec![Piece::Text(before), Piece::Expr(expr, Span::new(FileId(0), 0..0)), Piece::Text(after)],
            };
            let (again, diags) = read(&template.to_string());
            prop_assert!(diags.is_empty(), "{} {:?}", template, diags);
            prop_assert_eq!(bare(again), template.pieces);
        }
    }
}
