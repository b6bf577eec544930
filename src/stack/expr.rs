//! `${…}`: what stands in it and where. Reading only; [`super::eval`] gives the values.
//!
//! *Invariant:* a parsed [`Template`] shown as text parses to the same template.

use std::fmt;

use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::path::FieldPath;

use super::reference::expression;

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
            let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
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
        let index = self.index.as_ref().map(|i| format!("[{}]", serde_json::Value::String(i.clone())));
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
            ("${helm_release.app[\"sonarr\"].name}", "${helm_release.app[\"sonarr\"].name}"),
            ("${helm_release.app['sonarr'].spec.chart}", "${helm_release.app[\"sonarr\"].spec.chart}"),
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
            assert_eq!(diags.0.iter().map(|d| d.code).collect::<Vec<_>>(), [code], "{text}: {diags:?}");
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
            let mut all = if least == 0 && rest.is_empty() { Vec::new() } else { vec![Segment::Key(first)] };
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
            (any::<bool>(), name(), proptest::option::of("[^\\\\]{0,6}"), field_path(1)).prop_map(
                |(existing, name, index, path)| {
                    Expr::Object(ObjectRef { existing, table: "helm_release".to_owned(), name, index, path })
                }
            ),
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
