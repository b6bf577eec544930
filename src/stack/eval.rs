//! The values of references.
//!
//! *Invariants:* what can be known from files comes out as a plain value; a mistake is reported once and
//! then travels as [`Data::Bad`] without another word; every reference to an object is recorded, also one
//! inside of a local value, so that the graph has its edge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::address::{Address, split_api_version};
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::path::{FieldPath, Segment};

use super::cell::{Cell, CellMap, Data, late_of};
use super::expr::{Expr, ObjectRef, Piece, Template};
use super::kinds;
use super::model::{FieldRef, Late, Part, Target};
use super::read::Files;
use super::shape::Shape;
use super::suggest::{listed, nearest};
use super::syntax::{MAX_DEPTH, Node, Raw, Table};
use super::variables::{Declared, Given};

/// Most bytes that one resource or local value may grow to by references.
const MAX_SIZE: usize = 64 * 1024 * 1024;

/// What references can name.
#[derive(Debug, Default)]
pub(super) struct World {
    pub stack_name: String,
    pub description: Option<String>,
    pub variables: BTreeMap<String, Declared>,
    /// Names of all locals, and the values of those that are known so far.
    pub locals: BTreeMap<String, Option<Local>>,
    /// Declared resources, with the keys of their instances under `for_each`.
    pub declared: BTreeMap<Address, Option<BTreeSet<String>>>,
    pub objects: BTreeMap<Address, Identity>,
    pub existing: BTreeMap<Address, Option<Identity>>,
}

/// A resolved local value and what it refers to.
#[derive(Debug)]
pub(super) struct Local {
    pub cell: Cell,
    pub size: usize,
    pub depth: usize,
    /// Whether it grew too large, and with it all that holds it.
    pub exceeded: bool,
    pub uses: Vec<Use>,
}

/// What is known of an object by the time others refer to it.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub namespace: Option<String>,
    /// The whole manifest; empty for an `existing` object.
    pub manifest: Arc<Cell>,
    /// Whether a mistake in it was reported.
    pub broken: bool,
}

/// A reference to an object.
#[derive(Debug, Clone)]
pub(super) struct Use {
    pub target: Target,
    pub text: String,
    pub span: Span,
}

/// Resolves the values of one resource, local or output.
pub(super) struct Eval<'w> {
    pub world: &'w World,
    pub files: &'w mut Files,
    pub diags: &'w mut Diagnostics,
    pub each: Option<(&'w str, &'w Cell)>,
    /// The resource itself.
    pub me: Option<&'w Address>,
    /// Its namespace, once known: a reference without a namespace field reaches no other.
    pub namespace: Option<String>,
    /// Why objects cannot be referred to here, if they cannot.
    pub no_objects: Option<&'static str>,
    pub uses: Vec<Use>,
    /// Bytes that references have brought so far.
    spent: usize,
    /// Whether they were too many, which makes the whole value a mistake.
    pub exceeded: bool,
    /// Whether addresses are meant here, which stand as plain text.
    pub addresses: bool,
}

/// The message for a date where JSON has no such type.
pub(super) fn date(text: &str, span: &Span) -> Diagnostic {
    Diagnostic::error(
        "E048",
        format!("`{text}` is read as a date, which no manifest holds"),
    )
    .at(span.clone(), "")
    .help(format!("put it in quotes: `\"{text}\"`"))
}

impl<'w> Eval<'w> {
    pub(super) fn new(world: &'w World, files: &'w mut Files, diags: &'w mut Diagnostics) -> Self {
        Self {
            world,
            files,
            diags,
            each: None,
            me: None,
            namespace: None,
            no_objects: None,
            uses: Vec::new(),
            spent: 0,
            exceeded: false,
            addresses: false,
        }
    }

    /// The value of `over`, merged over `base` where both are tables.
    pub(super) fn merged(&mut self, base: Option<&Node>, over: &Node, shape: &Shape) -> Cell {
        match (base.and_then(Node::table), over.table()) {
            (Some(base), Some(table)) => {
                let map = self.tables(Some(base), table, shape, &[]);
                Cell::new(&over.span, Data::Map(map))
            }
            _ => self.node(over, shape),
        }
    }

    /// The entries of `over` merged over those of `base`, without the keys in `skip`.
    pub(super) fn tables(
        &mut self,
        base: Option<&Table>,
        over: &Table,
        shape: &Shape,
        skip: &[&str],
    ) -> CellMap {
        let mut map = CellMap::new();
        let base_entries = base.map(|b| b.entries.as_slice()).unwrap_or_default();
        for (key, node) in base_entries {
            if !skip.contains(&key.name.as_str()) && over.get(&key.name).is_none() {
                let cell = self.node(node, &shape.field(&key.name));
                map.insert(key.name.clone(), (key.span.clone(), cell));
            }
        }
        for (key, node) in &over.entries {
            if skip.contains(&key.name.as_str()) {
                continue;
            }
            if key.name.contains("${") && self.key_is_basic(&key.span) {
                self.diags.push(
                    Diagnostic::error("E021", "a key cannot hold a reference")
                        .at(key.span.clone(), "references are read in values only"),
                );
            }
            let below = base.and_then(|b| b.get(&key.name));
            let cell = self.merged(below, node, &shape.field(&key.name));
            map.insert(key.name.clone(), (key.span.clone(), cell));
        }
        map
    }

    fn key_is_basic(&self, span: &Span) -> bool {
        self.files.sources.text(span.file).as_bytes().get(span.start) == Some(&b'"')
    }

    pub(super) fn node(&mut self, node: &Node, shape: &Shape) -> Cell {
        let span = &node.span;
        let data = match &node.raw {
            Raw::Text(text) => Data::Text(text.clone()),
            Raw::Template(template) => return self.template(template, span, shape),
            Raw::Integer(n) => Data::Number((*n).into()),
            Raw::Float(n) => serde_json::Number::from_f64(*n).map_or(Data::Bad, Data::Number),
            Raw::Bool(b) => Data::Bool(*b),
            Raw::Date(text) => {
                self.diags.push(date(text, span));
                Data::Bad
            }
            Raw::List(items) => Data::List(items.iter().map(|item| self.node(item, &shape.item())).collect()),
            Raw::Table(table) => Data::Map(self.tables(None, table, shape, &[])),
            Raw::Bad => Data::Bad,
        };
        Cell::new(span, data)
    }

    fn template(&mut self, template: &Template, span: &Span, shape: &Shape) -> Cell {
        if let [Piece::Expr(expr, at)] = template.pieces.as_slice() {
            return self.expr(expr, at, span, Some(shape));
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut bad = false;
        let mut push = |part: Part| match (parts.last_mut(), part) {
            (Some(Part::Text(text)), Part::Text(more)) => text.push_str(&more),
            (_, part) => parts.push(part),
        };
        for piece in &template.pieces {
            let (expr, at) = match piece {
                Piece::Text(text) => {
                    push(Part::Text(text.clone()));
                    continue;
                }
                Piece::Expr(expr, at) => (expr, at),
            };
            let cell = self.expr(expr, at, span, None);
            match cell.data {
                Data::Text(text) => push(Part::Text(text)),
                Data::Number(n) => push(Part::Text(n.to_string())),
                Data::Bool(b) => push(Part::Text(b.to_string())),
                Data::Late(late) if !late.base64 => late.parts.into_iter().for_each(&mut push),
                Data::Bad => bad = true,
                Data::List(_) | Data::Map(_) | Data::Null | Data::Late(_) => {
                    bad = true;
                    let what = match cell.data {
                        Data::List(_) => "a list",
                        Data::Map(_) => "a table",
                        Data::Null => "null",
                        _ => "base64 data",
                    };
                    self.diags.push(
                        Diagnostic::error("E026", format!("{what} cannot stand inside of a longer text"))
                            .at(at.clone(), format!("`{expr}` is {what}"))
                            .help("a string that is exactly one reference takes the value's own type"),
                    );
                }
            }
        }
        if bad {
            return Cell::bad(span);
        }
        match parts.as_slice() {
            [] => Cell::new(span, Data::Text(String::new())),
            [Part::Text(text)] => {
                self.spent += text.len();
                Cell::new(span, Data::Text(text.clone()))
            }
            _ => Cell::new(span, Data::Late(Late { parts, base64: false })),
        }
    }

    /// The value of one reference at `at`; `span` is the whole string it stands in. `shape` is the field the
    /// string stands in, `None` inside of a longer text.
    fn expr(&mut self, expr: &Expr, at: &Span, span: &Span, shape: Option<&Shape>) -> Cell {
        if self.exceeded {
            return Cell::bad(span);
        }
        let cell = match expr {
            Expr::Bad => Cell::bad(span),
            Expr::Null => Cell::new(span, Data::Null),
            Expr::File(path) => match self.files.text(path) {
                Ok(text) => {
                    self.spent += text.len();
                    Cell::new(span, Data::Text(text.to_string()))
                }
                Err(problem) => self.fail(problem.diagnostic(Some(at.clone())), span),
            },
            Expr::Var(name, path) => self.variable(name, path, at, span),
            Expr::Local(name, path) => self.local(name, path, at, span),
            Expr::Stack(path) => self.stack(path, at, span),
            Expr::EachKey | Expr::EachValue(_) => self.each(expr, at, span),
            Expr::Object(object) => self.object(object, at, span, shape),
        };
        if self.spent > MAX_SIZE {
            self.exceeded = true;
            return self.fail(
                Diagnostic::error("E008", "the value grows beyond 64 MiB by its references")
                    .at(at.clone(), ""),
                span,
            );
        }
        cell
    }

    fn fail(&mut self, diagnostic: Diagnostic, span: &Span) -> Cell {
        self.diags.push(diagnostic);
        Cell::bad(span)
    }

    fn variable(&mut self, name: &str, path: &FieldPath, at: &Span, span: &Span) -> Cell {
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

    fn local(&mut self, name: &str, path: &FieldPath, at: &Span, span: &Span) -> Cell {
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

    fn stack(&mut self, path: &FieldPath, at: &Span, span: &Span) -> Cell {
        let text = match path.to_string().as_str() {
            "name" => Some(self.world.stack_name.clone()),
            "description" => Some(self.world.description.clone().unwrap_or_default()),
            _ => None,
        };
        match text {
            Some(text) => Cell::new(span, Data::Text(text)),
            None => {
                let message = format!("`stack.{path}` is not known");
                self.fail(
                    Diagnostic::error("E023", message)
                        .at(at.clone(), "")
                        .help("there are `stack.name` and `stack.description`"),
                    span,
                )
            }
        }
    }

    fn each(&mut self, expr: &Expr, at: &Span, span: &Span) -> Cell {
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

    fn object(&mut self, object: &ObjectRef, at: &Span, span: &Span, shape: Option<&Shape>) -> Cell {
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
        self.uses.push(Use {
            target: target.clone(),
            text: shown,
            span: at.clone(),
        });
        let Some(identity) = identity else {
            return Cell::bad(span);
        };
        if object.path.is_root() {
            let diagnostic = Diagnostic::error(
                "E023",
                format!("`{}` names a resource, not a field of it", object.base()),
            )
            .at(at.clone(), "");
            let diagnostic = if self.addresses {
                diagnostic.help(format!(
                    "an address stands as plain text: `\"{}\"`",
                    object.base()
                ))
            } else {
                diagnostic.help(format!(
                    "add the field: `{0}.name`, `{0}.ref`, `{0}.spec.…`",
                    object.base()
                ))
            };
            return self.fail(diagnostic, span);
        }
        self.field(object, target, identity, at, span, shape)
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
                    None => diagnostic.help(format!(
                        "its keys are {}",
                        listed(keys.iter().map(String::as_str), 8)
                    )),
                };
                self.diags.push(diagnostic);
                return None;
            }
            (Some(keys), None) => {
                self.diags
                    .push(without_index(declaration, keys).at(at.clone(), ""));
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
            self.near_resource(declaration)
        };
        self.diags.push(diagnostic.help(help));
    }

    /// What to say about a resource that is not declared.
    fn near_resource(&self, address: &Address) -> String {
        near_resource(self.world, address)
    }

    fn field(
        &mut self,
        object: &ObjectRef,
        target: Target,
        identity: &Identity,
        at: &Span,
        span: &Span,
        shape: Option<&Shape>,
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
            let field = FieldRef {
                target: target.clone(),
                path,
            };
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
        shape: Option<&Shape>,
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
        let entries = values
            .into_iter()
            .filter(|(key, _)| fields.contains(key))
            .filter_map(|(key, value)| {
                let cell = Cell::new(span, Data::Text(value?.to_owned()));
                Some((key.to_owned(), (span.clone(), cell)))
            });
        Cell::new(span, Data::Map(entries.collect()))
    }

    fn shapeless(&mut self, base: &str, why: &str, at: &Span, span: &Span) -> Cell {
        self.fail(
            Diagnostic::error("E028", format!("`{base}.ref` has no shape here"))
                .at(at.clone(), why)
                .help(format!(
                    "write out what is needed, for example `name = \"${{{base}.name}}\"`"
                )),
            span,
        )
    }
}

/// The message for a resource with `for_each` named without one of its keys.
pub(super) fn without_index(declaration: &Address, keys: &BTreeSet<String>) -> Diagnostic {
    let diagnostic = Diagnostic::error(
        "E024",
        format!("`{declaration}` has `for_each`: name one of its instances"),
    );
    match keys.first() {
        Some(first) => diagnostic
            .help(format!("write `{}`", format!("{declaration}['{first}']")))
            .note(format!(
                "its keys are {}",
                listed(keys.iter().map(String::as_str), 8)
            )),
        None => diagnostic.note("it has no instance at all"),
    }
}

/// What to say about a resource that is not declared.
pub(super) fn near_resource(world: &World, address: &Address) -> String {
    let same: Vec<&str> = world
        .declared
        .keys()
        .filter(|a| a.table == address.table)
        .map(|a| a.name.as_str())
        .collect();
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
            Some(table) => format!(
                "`{}` is not a table of resources; did you mean `{table}`?",
                address.table
            ),
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

/// The message for a path that ends before its last segment. `found` segments lead to `inside`.
fn missing(base: &str, path: &FieldPath, found: usize, inside: &Cell) -> Diagnostic {
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
            format!(
                "`{reached}` has {} elements, so there is no `{segment}`",
                list.len()
            ),
        ),
        (Data::List(_), Segment::Select(_) | Segment::Item(_)) => {
            Diagnostic::error("E023", format!("`{reached}` has no element `{segment}`"))
        }
        _ => Diagnostic::error(
            "E023",
            format!(
                "`{reached}` is {}, so there is no `{segment}` in it",
                inside.type_name()
            ),
        ),
    }
}
