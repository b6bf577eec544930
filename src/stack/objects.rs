//! References to resources and `existing` objects: which object, which field, and `.ref`.

use std::collections::BTreeSet;

use crate::address::{Address, split_api_version};
use crate::diag::{Diagnostic, Span};
use crate::path::{FieldPath, Segment};

use super::cell::{Cell, Data, late_of};
use super::eval::{Eval, Identity, Use, World};
use super::expr::{Expr, ObjectRef};
use super::kinds;
use super::model::{FieldRef, Part, Target};
use super::shape::Shape;
use super::suggest::{listed, nearest};
use super::values::missing;

impl<'w> Eval<'w> {
    pub(super) fn object(
        &mut self,
        object: &ObjectRef,
        at: &Span,
        span: &Span,
        shape: Option<Shape>,
    ) -> Cell {
        if let Some(why) = self.no_objects {
            return self.fail(
                Diagnostic::error("E030", format!("`{}` is a resource, and {why}", object.base()))
                    .at(at.clone(), ""),
                span,
            );
        }
        let declaration = Address::new(object.table.as_str(), object.name.as_str());
        let Some((target, identity)) = self.target(object, &declaration, at) else {
            return Cell::bad(span);
        };
        let shown = Expr::Object(object.clone()).to_string();
        self.uses.push(Use { target: target.clone(), text: shown, span: at.clone() });
        let Some(identity) = identity else {
            return Cell::bad(span);
        };
        if object.path.is_root() {
            let diagnostic =
                Diagnostic::error("E023", format!("`{}` names a resource, not a field of it", object.base()))
                    .at(at.clone(), "");
            let diagnostic = if self.addresses {
                diagnostic.help(format!("an address stands as plain text: `\"{}\"`", object.base()))
            } else {
                diagnostic.help(format!("add the field: `{0}.name`, `{0}.ref`, `{0}.spec.…`", object.base()))
            };
            return self.fail(diagnostic, span);
        }
        self.field(object, &target, identity, at, span, shape)
    }

    /// What `object` points at; `None` after a mistake that was reported.
    fn target(
        &mut self,
        object: &ObjectRef,
        declaration: &Address,
        at: &Span,
    ) -> Option<(Target, Option<&'w Identity>)> {
        if object.table == "yaml" {
            self.diags.push(
                Diagnostic::error("E017", "`yaml.…` is not read by this version of arrplan")
                    .at(at.clone(), ""),
            );
            return None;
        }
        if object.existing {
            if let Some(identity) = self.world.existing.get(declaration) {
                return Some((Target::Existing(declaration.clone()), identity.as_ref()));
            }
            self.unknown_object(object, declaration, at);
            return None;
        }
        let Some(instances) = self.world.declared.get(declaration) else {
            self.unknown_object(object, declaration, at);
            return None;
        };
        let address = match (instances, &object.index) {
            (None, None) => declaration.clone(),
            (Some(keys), Some(key)) if keys.contains(key) => declaration.instance(key.as_str()),
            (Some(keys), Some(key)) => {
                let mut diagnostic =
                    Diagnostic::error("E024", format!("`{declaration}` has no instance `{key}`"))
                        .at(at.clone(), "");
                diagnostic = match nearest(key, keys.iter().map(String::as_str)) {
                    Some(meant) => {
                        diagnostic.help(format!("did you mean `{}`?", declaration.instance(meant)))
                    }
                    None => diagnostic
                        .help(format!("its keys are {}", listed(keys.iter().map(String::as_str), 8))),
                };
                self.diags.push(diagnostic);
                return None;
            }
            (Some(keys), None) => {
                self.diags.push(without_index(declaration, keys).at(at.clone(), ""));
                return None;
            }
            (None, Some(key)) => {
                self.diags.push(
                    Diagnostic::error(
                        "E024",
                        format!("`{declaration}` has no `for_each`, so it has no instance `{key}`"),
                    )
                    .at(at.clone(), "")
                    .help(format!("write `{declaration}` without brackets")),
                );
                return None;
            }
        };
        if self.me == Some(&address) {
            self.diags.push(
                Diagnostic::error("E052", format!("`{address}` refers to itself"))
                    .at(at.clone(), "")
                    .help("write the value here, or put it below `[locals]` and use it in both places"),
            );
            return None;
        }
        let identity = self.world.objects.get(&address);
        Some((Target::Resource(address), identity))
    }

    fn unknown_object(&mut self, object: &ObjectRef, declaration: &Address, at: &Span) {
        let head = if object.existing { "existing." } else { "" };
        let diagnostic =
            Diagnostic::error("E022", format!("there is no `{head}{declaration}`")).at(at.clone(), "");
        let help = if object.existing {
            let same: Vec<&str> = self
                .world
                .existing
                .keys()
                .filter(|a| a.table == declaration.table)
                .map(|a| a.name.as_str())
                .collect();
            match nearest(&declaration.name, same.iter().copied()) {
                Some(meant) => format!("did you mean `existing.{}.{meant}`?", declaration.table),
                None if self.world.declared.contains_key(declaration) => {
                    format!("it is a resource of this stack: `{declaration}`")
                }
                None => format!("declare it: `[existing.{declaration}]`"),
            }
        } else {
            near_resource(self.world, declaration)
        };
        self.diags.push(diagnostic.help(help));
    }

    fn field(
        &mut self,
        object: &ObjectRef,
        target: &Target,
        identity: &Identity,
        at: &Span,
        span: &Span,
        shape: Option<Shape>,
    ) -> Cell {
        let text = object.path.to_string();
        let known = |text: &str| Cell::new(span, Data::Text(text.to_owned()));
        match text.as_str() {
            "ref" => return self.reference(object, identity, at, span, shape),
            "name" | "metadata.name" => return known(&identity.name),
            "kind" => return known(&identity.kind),
            "apiVersion" => return known(&identity.api_version),
            "namespace" | "metadata.namespace" => {
                if let Some(namespace) = &identity.namespace {
                    return known(namespace);
                }
                if !identity.broken {
                    let diagnostic =
                        Diagnostic::error("E023", format!("`{}` lies in no namespace", object.base()))
                            .at(at.clone(), "");
                    let help = if identity.kind == "Namespace" {
                        format!("its name is `{}.name`", object.base())
                    } else {
                        format!("{} is a kind of the whole cluster", identity.kind)
                    };
                    return self.fail(diagnostic.help(help), span);
                }
                return Cell::bad(span);
            }
            _ => {}
        }
        let late = |path: FieldPath| {
            let field = FieldRef { target: target.clone(), path };
            Cell::new(span, Data::Late(late_of(Part::Field(field))))
        };
        let first = object.path.0.first();
        if text == "uid" || text == "metadata.uid" {
            return late(FieldPath::keys(["metadata", "uid"]));
        }
        if first == Some(&Segment::Key("status".to_owned())) || object.existing {
            return late(object.path.clone());
        }
        match identity.manifest.find(&object.path) {
            Ok(found) => {
                self.spent += found.size();
                found.placed(span)
            }
            Err(_) if identity.broken => Cell::bad(span),
            Err((found, inside)) => {
                let mut diagnostic = missing(&object.base(), &object.path, found, inside).at(at.clone(), "");
                if found == 0 {
                    diagnostic = diagnostic.note("what only the cluster knows is `uid` and `status.…`");
                }
                self.fail(diagnostic, span)
            }
        }
    }

    /// `.ref`: the fields that name an object, as far as the field it stands in has them.
    fn reference(
        &mut self,
        object: &ObjectRef,
        identity: &Identity,
        at: &Span,
        span: &Span,
        shape: Option<Shape>,
    ) -> Cell {
        let base = object.base();
        let fields = match shape {
            None => {
                return self.shapeless(
                    &base,
                    "it is a table and cannot stand inside of a longer text",
                    at,
                    span,
                );
            }
            Some(shape) => match shape.reference_fields() {
                Ok(fields) => fields,
                Err(why) => return self.shapeless(&base, why, at, span),
            },
        };
        let (group, _) = split_api_version(&identity.api_version);
        let values = [
            ("apiVersion", Some(identity.api_version.as_str())),
            // The core group is the absent one.
            ("apiGroup", Some(group).filter(|g| !g.is_empty())),
            ("kind", Some(identity.kind.as_str())),
            ("name", Some(identity.name.as_str())),
            ("namespace", identity.namespace.as_deref()),
        ];
        let elsewhere = match (&identity.namespace, &self.namespace) {
            (Some(theirs), Some(own)) if theirs != own && !fields.contains(&"namespace") => {
                Some((theirs, own))
            }
            _ => None,
        };
        if let Some((theirs, own)) = elsewhere {
            let message = format!(
                "`{base}` lies in namespace `{theirs}`, and this field names objects in `{own}` only"
            );
            return self.fail(Diagnostic::error("E028", message).at(at.clone(), ""), span);
        }
        let entries =
            values.into_iter().filter(|(key, _)| fields.contains(key)).filter_map(|(key, value)| {
                let cell = Cell::new(span, Data::Text(value?.to_owned()));
                Some((key.to_owned(), (span.clone(), cell)))
            });
        Cell::new(span, Data::Map(entries.collect()))
    }

    fn shapeless(&mut self, base: &str, why: &str, at: &Span, span: &Span) -> Cell {
        self.fail(
            Diagnostic::error("E028", format!("`{base}.ref` has no shape here"))
                .at(at.clone(), why)
                .help(format!("write out what is needed, for example `name = \"${{{base}.name}}\"`")),
            span,
        )
    }
}

/// The message for a resource with `for_each` named without one of its keys.
pub(super) fn without_index(declaration: &Address, keys: &BTreeSet<String>) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("E024", format!("`{declaration}` has `for_each`: name one of its instances"));
    match keys.first() {
        Some(first) => diagnostic
            .help(format!("write `{declaration}['{first}']`"))
            .note(format!("its keys are {}", listed(keys.iter().map(String::as_str), 8))),
        None => diagnostic.note("it has no instance at all"),
    }
}

/// What to say about a resource that is not declared.
pub(super) fn near_resource(world: &World, address: &Address) -> String {
    let same: Vec<&str> =
        world.declared.keys().filter(|a| a.table == address.table).map(|a| a.name.as_str()).collect();
    if let Some(meant) = nearest(&address.name, same.iter().copied()) {
        return format!("did you mean `{}.{meant}`?", address.table);
    }
    if let Some(other) = world.declared.keys().find(|a| a.name == address.name) {
        return format!("there is `{other}`");
    }
    if world.existing.contains_key(address) {
        return format!("it is declared as `existing.{address}`");
    }
    if !kinds::is_resource_table(&address.table) {
        return match kinds::nearest_table(&address.table) {
            Some(table) => {
                format!("`{}` is not a table of resources; did you mean `{table}`?", address.table)
            }
            None => format!("`{}` is not a table of resources", address.table),
        };
    }
    if let [only] = same.as_slice() {
        return format!("the only resource of this table is `{}.{only}`", address.table);
    }
    if same.is_empty() {
        return format!("declare it: `[{address}]`, or `[existing.{address}]` if it is not this stack's own");
    }
    format!("the resources of this table are {}", listed(same, 8))
}
