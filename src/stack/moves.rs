//! `[[moved]]` and `[[removed]]`: what the stack says about resources that it no longer declares.

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics, Span};

use super::closed::{closed, text_of};
use super::decl::Document;
use super::eval::World;
use super::kinds;
use super::model::{Moved, Removed};
use super::objects::near_resource;
use super::syntax::{Raw, Table};

fn address_of(
    what: &str,
    table: &Table,
    key: &str,
    span: &Span,
    diags: &mut Diagnostics,
) -> Option<(Address, Span)> {
    if table.get(key).is_none() {
        diags.push(Diagnostic::error("E012", format!("{what} needs `{key}`")).at(span.clone(), ""));
        return None;
    }
    let (text, span) = text_of(diags, what, table, key)?;
    match text.parse::<Address>() {
        Ok(address) if kinds::is_resource_table(&address.table) => Some((address, span.clone())),
        Ok(address) => {
            let diagnostic =
                Diagnostic::error("E053", format!("`{}` is not a table of resources", address.table))
                    .at(span.clone(), "");
            diags.push(match kinds::nearest_table(&address.table) {
                Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                None => diagnostic,
            });
            None
        }
        Err(_) => {
            diags.push(
                Diagnostic::error("E053", format!("`{text}` is not the address of a resource"))
                    .at(span.clone(), "")
                    .help("an address is `TABLE.NAME`, for example `helm_release.arr-stack`"),
            );
            None
        }
    }
}

fn is_declared(world: &World, address: &Address) -> bool {
    match (world.declared.get(&address.declaration()), &address.index) {
        // A declaration with `for_each` stands for all its instances.
        (Some(_), None) => true,
        (Some(Some(keys)), Some(key)) => keys.contains(key),
        _ => false,
    }
}

/// `[[moved]]` and `[[removed]]`.
pub(super) fn moved_and_removed(
    document: &Document,
    world: &World,
    diags: &mut Diagnostics,
) -> (Vec<Moved>, Vec<Removed>) {
    let mut moved: Vec<Moved> = Vec::new();
    for (span, table) in &document.moved {
        closed(diags, "`[[moved]]`", table, &["from", "to"]);
        let from = address_of("`[[moved]]`", table, "from", span, diags);
        let to = address_of("`[[moved]]`", table, "to", span, diags);
        let (Some((from, from_span)), Some((to, to_span))) = (from, to) else {
            continue;
        };
        if from == to {
            diags.push(Diagnostic::error("E053", "a resource cannot move to where it is").at(to_span, ""));
        } else if is_declared(world, &from) {
            diags.push(
                Diagnostic::error("E053", format!("`{from}` is still declared, so it did not move"))
                    .at(from_span, "")
                    .help("declare it under its new address only"),
            );
        } else if !is_declared(world, &to) {
            diags.push(
                Diagnostic::error("E053", format!("`{to}` is not declared, so nothing can move there"))
                    .at(to_span, "")
                    .help(near_resource(world, &to.declaration())),
            );
        } else if let Some(other) = moved.iter().find(|m| m.from == from || m.to == to) {
            let message = if other.from == from {
                format!("`{from}` moves twice")
            } else {
                format!("two resources move to `{to}`")
            };
            diags.push(
                Diagnostic::error("E053", message)
                    .at(span.clone(), "")
                    .at(other.span.clone(), "the other one"),
            );
        } else {
            moved.push(Moved { from, to, span: span.clone() });
        }
    }
    let mut removed: Vec<Removed> = Vec::new();
    for (span, table) in &document.removed {
        closed(diags, "`[[removed]]`", table, &["resource", "destroy"]);
        let resource = address_of("`[[removed]]`", table, "resource", span, diags);
        let destroy = match table.get("destroy").map(|node| (&node.raw, &node.span)) {
            Some((Raw::Bool(destroy), _)) => Some(*destroy),
            Some((Raw::Bad, _)) => None,
            Some((_, at)) => {
                diags.push(
                    Diagnostic::error("E011", "`destroy` must be `true` or `false`").at(at.clone(), ""),
                );
                None
            }
            None => {
                diags.push(
                    Diagnostic::error("E012", "`[[removed]]` needs `destroy`").at(span.clone(), "").help(
                        "`destroy = false` leaves the object where it is and forgets it; `true` deletes it",
                    ),
                );
                None
            }
        };
        let (Some((resource, at)), Some(destroy)) = (resource, destroy) else {
            continue;
        };
        if is_declared(world, &resource) {
            diags.push(
                Diagnostic::error("E053", format!("`{resource}` is still declared, so it is not removed"))
                    .at(at, "")
                    .help("take away one of the two"),
            );
            continue;
        }
        removed.push(Removed { resource, destroy, span: span.clone() });
    }
    (moved, removed)
}
