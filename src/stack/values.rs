//! References to variables, locals, the stack and `each`.

use crate::diag::{Diagnostic, Span};
use crate::path::{FieldPath, Segment};

use super::cell::{Cell, Data, late_of};
use super::eval::{Eval, MAX_SIZE, Use};
use super::expr::Expr;
use super::model::Part;
use super::suggest::{listed, nearest};
use super::syntax::MAX_DEPTH;
use super::variables::Given;

impl Eval<'_> {
    pub(super) fn variable(&mut self, name: &str, path: &FieldPath, at: &Span, span: &Span) -> Cell {
        let Some(declared) = self.world.variables.get(name) else {
            let diagnostic =
                Diagnostic::error("E022", format!("there is no variable `{name}`")).at(at.clone(), "");
            let help = if let Some(meant) = nearest(name, self.world.variables.keys().map(String::as_str)) {
                format!("did you mean `var.{meant}`?")
            } else if self.world.locals.contains_key(name) {
                format!("there is a local of this name: `local.{name}`")
            } else {
                format!("declare it: `[variables.{name}]`")
            };
            return self.fail(diagnostic.help(help), span);
        };
        match &declared.value {
            Given::Bad => Cell::bad(span),
            Given::Plain(value) => {
                let cell = Cell::from_json(value, span);
                self.spent += cell.size();
                self.walk(cell, path, &format!("var.{name}"), at, span)
            }
            Given::Secret(_) if path.is_root() => {
                Cell::new(span, Data::Late(late_of(Part::Secret(name.to_owned()))))
            }
            Given::Secret(_) => {
                let message = format!("secret variable `{name}` is text and has no fields");
                self.fail(Diagnostic::error("E023", message).at(at.clone(), ""), span)
            }
        }
    }

    pub(super) fn local(&mut self, name: &str, path: &FieldPath, at: &Span, span: &Span) -> Cell {
        match self.world.locals.get(name) {
            None => {
                let diagnostic =
                    Diagnostic::error("E022", format!("there is no local `{name}`")).at(at.clone(), "");
                let help = if let Some(meant) = nearest(name, self.world.locals.keys().map(String::as_str)) {
                    format!("did you mean `local.{meant}`?")
                } else if self.world.variables.contains_key(name) {
                    format!("there is a variable of this name: `var.{name}`")
                } else {
                    format!("declare it below `[locals]`: `{name} = …`")
                };
                self.fail(diagnostic.help(help), span)
            }
            // Not resolved: it takes part in a cycle, which is reported, or needs objects not known here.
            Some(None) => {
                if let Some(why) = self.no_objects {
                    let message = format!("`local.{name}` depends on a resource, and {why}");
                    return self.fail(Diagnostic::error("E030", message).at(at.clone(), ""), span);
                }
                Cell::bad(span)
            }
            Some(Some(local)) => {
                if local.exceeded {
                    self.exceeded = true;
                    return Cell::bad(span);
                }
                self.spent += local.size;
                if self.spent > MAX_SIZE {
                    return Cell::bad(span);
                }
                if local.depth >= MAX_DEPTH {
                    self.exceeded = true;
                    let message = format!("`local.{name}` is nested deeper than {MAX_DEPTH} levels");
                    return self.fail(Diagnostic::error("E008", message).at(at.clone(), ""), span);
                }
                self.uses.extend(local.uses.iter().map(|u| Use {
                    target: u.target.clone(),
                    text: format!("local.{name} ({})", u.text),
                    span: at.clone(),
                }));
                let cell = local.cell.placed(span);
                self.walk(cell, path, &format!("local.{name}"), at, span)
            }
        }
    }

    pub(super) fn stack(&mut self, path: &FieldPath, at: &Span, span: &Span) -> Cell {
        let text = match path.to_string().as_str() {
            "name" => Some(self.world.stack_name.clone()),
            "description" => Some(self.world.description.clone().unwrap_or_default()),
            _ => None,
        };
        if let Some(text) = text {
            Cell::new(span, Data::Text(text))
        } else {
            let message = format!("`stack.{path}` is not known");
            self.fail(
                Diagnostic::error("E023", message)
                    .at(at.clone(), "")
                    .help("there are `stack.name` and `stack.description`"),
                span,
            )
        }
    }

    pub(super) fn each(&mut self, expr: &Expr, at: &Span, span: &Span) -> Cell {
        let Some((key, value)) = self.each else {
            return self.fail(
                Diagnostic::error("E027", format!("`{expr}` has a meaning only below `for_each`"))
                    .at(at.clone(), "")
                    .help("add `for_each` to this resource, or name the value itself"),
                span,
            );
        };
        match expr {
            Expr::EachValue(path) => {
                self.spent += value.size();
                self.walk(value.placed(span), path, "each.value", at, span)
            }
            _ => Cell::new(span, Data::Text(key.to_owned())),
        }
    }

    /// The field at `path` of a value called `base`.
    fn walk(&mut self, cell: Cell, path: &FieldPath, base: &str, at: &Span, span: &Span) -> Cell {
        if path.is_root() {
            return cell;
        }
        match cell.find(path) {
            Ok(found) => found,
            Err((found, inside)) => {
                let diagnostic = missing(base, path, found, inside).at(at.clone(), "");
                self.fail(diagnostic, span)
            }
        }
    }
}

/// The message for a path that ends before its last segment. `found` segments lead to `inside`.
pub(super) fn missing(base: &str, path: &FieldPath, found: usize, inside: &Cell) -> Diagnostic {
    let reached = FieldPath(path.0[..found].to_vec());
    let reached = match reached.to_string() {
        text if text.is_empty() => base.to_owned(),
        text if text.starts_with('[') => format!("{base}{text}"),
        text => format!("{base}.{text}"),
    };
    let segment = FieldPath(vec![path.0[found].clone()]);
    match (&inside.data, &path.0[found]) {
        (Data::Map(map), Segment::Key(key)) => {
            let diagnostic =
                Diagnostic::error("E023", format!("`{reached}` has no field `{key}` in this stack"));
            match nearest(key, map.keys().map(String::as_str)) {
                Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                None => diagnostic.help(format!("it has {}", listed(map.keys().map(String::as_str), 10))),
            }
        }
        (Data::List(list), Segment::Index(_)) => Diagnostic::error(
            "E023",
            format!("`{reached}` has {} elements, so there is no `{segment}`", list.len()),
        ),
        (Data::List(_), Segment::Select(_) | Segment::Item(_)) => {
            Diagnostic::error("E023", format!("`{reached}` has no element `{segment}`"))
        }
        _ => Diagnostic::error(
            "E023",
            format!("`{reached}` is {}, so there is no `{segment}` in it", inside.type_name()),
        ),
    }
}
