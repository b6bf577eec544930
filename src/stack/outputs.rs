//! `[outputs]`: values to print and to keep in the state, so none may be secret.

use std::collections::BTreeMap;

use crate::diag::{Diagnostic, Diagnostics};
use crate::path::Segment;

use super::cell::{Cell, Data};
use super::decl::Document;
use super::eval::{Eval, World};
use super::model::{self, Part, Target};
use super::read::Files;
use super::shape::Shape;

/// The outputs; none may hold a secret.
pub(super) fn outputs(
    document: &Document,
    world: &World,
    files: &mut Files,
    diags: &mut Diagnostics,
) -> BTreeMap<String, model::Output> {
    let mut outputs = BTreeMap::new();
    for (name, (key, node)) in &document.outputs {
        let cell = Eval::new(world, files, diags).node(node, Shape::Nowhere);
        let mut secret_found = false;
        cell.lates(&mut |_, late| {
            secret_found |= late.base64 || late.parts.iter().any(|part| is_secret(part, world));
        });
        if secret_found {
            diags.push(
                Diagnostic::error("E110", format!("output `{name}` holds a secret"))
                    .at(cell.span.clone(), "")
                    .help("outputs are printed and kept in the state; name the Secret and its key instead"),
            );
            continue;
        }
        if contains_null(&cell) {
            diags.push(
                Diagnostic::error("E029", "`null` means nothing in an output").at(cell.span.clone(), ""),
            );
            continue;
        }
        let output = model::Output {
            value: cell.into_val(&mut Vec::new(), &mut BTreeMap::new()),
            span: key.span.clone(),
        };
        outputs.insert(name.clone(), output);
    }
    outputs
}

/// Whether a part is secret: a secret variable, or the content of a Secret that is not the stack's own.
fn is_secret(part: &Part, world: &World) -> bool {
    match part {
        Part::Text(_) => false,
        Part::Secret(_) => true,
        Part::Field(field) => {
            let kind = match &field.target {
                Target::Resource(address) => world.objects.get(address).map(|i| i.kind.as_str()),
                Target::Existing(address) => {
                    world.existing.get(address).and_then(Option::as_ref).map(|i| i.kind.as_str())
                }
            };
            let first = field.path.0.first();
            kind == Some("Secret")
                && matches!(first, Some(Segment::Key(key)) if key == "data" || key == "stringData")
        }
    }
}

fn contains_null(cell: &Cell) -> bool {
    match &cell.data {
        Data::Null => true,
        Data::List(items) => items.iter().any(contains_null),
        Data::Map(map) => map.values().any(|(_, cell)| contains_null(cell)),
        _ => false,
    }
}
