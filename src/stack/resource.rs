//! One resource from its tables to its manifest.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::address::{Address, split_api_version};
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::path::Segment;
use crate::schema;

use super::arguments::{self, Arguments};
use super::cell::{Cell, Data};
use super::decl::Decl;
use super::eval::{Eval, Identity, Use, World};
use super::fields::{self, Subject};
use super::kinds::{self, KindRow};
use super::model::{Resource, Wait};
use super::names::NameRule;
use super::read::Files;
use super::shape::Shape;
use super::syntax::{Node, Table};
use super::{rules, secret};

/// What all resources of a table share.
pub(super) struct Defaults<'d> {
    pub namespace: Option<&'d Node>,
    pub labels: Option<&'d Node>,
    pub tables: &'d BTreeMap<String, Table>,
    /// Scope of the kinds that the stack's own definitions make, by group and kind.
    pub scopes: &'d BTreeMap<(String, String), bool>,
}

/// A compiled resource before the graph is known.
pub(super) struct Compiled {
    pub identity: Identity,
    pub namespaced: Option<bool>,
    pub arguments: Arguments,
    pub uses: Vec<Use>,
    pub span: Span,
}

/// Keys that are read by this file, not taken over into the manifest.
const NOT_FIELDS: &[&str] = &[
    "name",
    "namespace",
    "labels",
    "annotations",
    "depends_on",
    "protect",
    "timeout",
    "wait",
    "ignore",
    "on_immutable",
    "for_each",
    "apiVersion",
    "kind",
    "metadata",
    "values_files",
];

/// Compiles `address`; `each` is the key and value of a `for_each` instance. Mistakes go to `diags`, what could
/// be understood is returned all the same, marked as broken.
pub(super) fn compile(
    address: &Address,
    decl: &Decl,
    each: Option<(&str, &Cell)>,
    defaults: &Defaults<'_>,
    world: &World,
    files: &mut Files,
    diags: &mut Diagnostics,
) -> Compiled {
    let before = diags.0.len();
    let mut eval = Eval::new(world, files, diags);
    eval.each = each;
    eval.me = Some(address);
    let mut compiler = Compiler {
        address,
        decl,
        base: defaults.tables.get(&address.table),
        defaults,
        row: kinds::by_table(&address.table),
        eval,
    };
    let (identity, namespaced, arguments) = compiler.run();
    let uses = std::mem::take(&mut compiler.eval.uses);
    let broken =
        identity.broken || diags.0[before..].iter().any(|d| d.severity == crate::diag::Severity::Error);
    Compiled {
        identity: Identity { broken, ..identity },
        namespaced,
        arguments,
        uses,
        span: decl.span.clone(),
    }
}

pub(super) struct Compiler<'c> {
    pub address: &'c Address,
    pub decl: &'c Decl,
    pub base: Option<&'c Table>,
    pub defaults: &'c Defaults<'c>,
    pub row: Option<&'static KindRow>,
    pub eval: Eval<'c>,
}

impl Compiler<'_> {
    /// The value of an argument, the resource's own before the table's default.
    fn argument(&mut self, name: &str) -> Option<Cell> {
        let node = self.decl.body.get(name).or_else(|| self.base?.get(name))?;
        Some(self.eval.node(node, Shape::Nowhere))
    }

    pub(super) fn argument_text(&mut self, name: &str) -> Option<Result<(String, Span), ()>> {
        let cell = self.argument(name)?;
        Some(arguments::text(self.eval.diags, name, &cell).map(|text| (text, cell.span)).ok_or(()))
    }

    fn run(&mut self) -> (Identity, Option<bool>, Arguments) {
        let (api_version, kind) = self.type_meta();
        let known_type = !api_version.is_empty() && !kind.is_empty();
        let (group, _) = split_api_version(&api_version);
        let known = kinds::by_kind(group, &kind);
        let rule = known.map_or(NameRule::Subdomain, |row| row.names);
        let namespaced = known
            .map(|row| row.namespaced)
            .or_else(|| schema::lookup(&api_version, &kind).map(|k| k.namespaced))
            .or_else(|| self.defaults.scopes.get(&(group.to_owned(), kind.clone())).copied())
            .or_else(|| kinds::scope_of_group(group));
        let metadata_name = self.metadata_text("name");
        let name = self.name(metadata_name, rule, &kind);
        let metadata_namespace = self.metadata_text("namespace");
        let namespace = self.namespace(metadata_namespace, namespaced, &kind);
        self.eval.namespace = namespace.clone().ok().flatten();
        let metadata = self.metadata(
            name.as_deref().unwrap_or_default(),
            namespace.as_ref().ok().and_then(Option::as_deref),
        );
        let shape = if known_type { Shape::of(&api_version, &kind) } else { Shape::Unknown };
        let mut manifest = self.eval.tables(self.base, &self.decl.body, shape, NOT_FIELDS);
        let own = |text: &str, span: &Span| (span.clone(), Cell::new(span, Data::Text(text.to_owned())));
        manifest.insert("apiVersion".to_owned(), own(&api_version, &self.decl.span));
        manifest.insert("kind".to_owned(), own(&kind, &self.decl.span));
        manifest.insert("metadata".to_owned(), (self.decl.span.clone(), metadata));
        let arguments = self.arguments(&api_version, &kind);
        let mut cell = Cell::new(&self.decl.span, Data::Map(manifest));
        if known_type {
            let subject = Subject {
                api_version: &api_version,
                kind: &kind,
                span: &self.decl.span,
                header: format!("[{}]", self.address.declaration()),
            };
            let meant = fields::check_fields(&subject, &cell, self.eval.diags);
            rules::check(&subject, &cell, &meant, self.eval.diags);
        }
        if kind == "Secret"
            && api_version == "v1"
            && let Data::Map(manifest) = &mut cell.data
        {
            secret::compile(manifest, self.eval.diags);
        }
        let identity = Identity {
            broken: name.is_none() || namespace.is_err() || !known_type,
            api_version,
            kind,
            name: name.unwrap_or_default(),
            namespace: namespace.unwrap_or_default(),
            manifest: Arc::new(cell),
        };
        (identity, namespaced, arguments)
    }

    fn arguments(&mut self, api_version: &str, kind: &str) -> Arguments {
        let mut arguments = Arguments::default();
        if let Some(cell) = self.argument("protect") {
            arguments.protect = arguments::protect(self.eval.diags, &cell);
        }
        if let Some(cell) = self.argument("timeout") {
            arguments.timeout = arguments::timeout(self.eval.diags, &cell);
        }
        if let Some(cell) = self.argument("wait") {
            arguments.wait = arguments::wait(self.eval.diags, &cell);
        }
        if let Some(cell) = self.argument("on_immutable") {
            arguments.replace_immutable = arguments::on_immutable(self.eval.diags, &cell);
        }
        if let Some(cell) = self.argument("ignore") {
            arguments.ignore = arguments::ignore(self.eval.diags, &cell, api_version, kind);
        }
        for table in self.base.into_iter().chain([&self.decl.body]) {
            if let Some(node) = table.get("depends_on") {
                self.eval.addresses = true;
                let cell = self.eval.node(node, Shape::Nowhere);
                self.eval.addresses = false;
                arguments.depends_on.extend(arguments::depends_on(self.eval.diags, &cell));
            }
        }
        if let Some((key, _)) = self.decl.body.entry("values_files") {
            self.eval.diags.push(
                Diagnostic::error("E017", "`values_files` is not read by this version of arrplan")
                    .at(key.span.clone(), "")
                    .help("put the values below `spec.values`, or into a ConfigMap or Secret named in `spec.valuesFrom`"),
            );
        }
        arguments
    }
}

/// The resource as the engine sees it.
pub(super) fn finish(address: Address, compiled: Compiled) -> Resource {
    let manifest = Arc::try_unwrap(compiled.identity.manifest).unwrap_or_else(|shared| (*shared).clone());
    let mut cell = manifest;
    if let Data::Map(map) = &mut cell.data
        && compiled.identity.kind == "Secret"
        && compiled.identity.api_version == "v1"
    {
        map.remove("stringData");
    }
    let mut spans = BTreeMap::new();
    let mut path: Vec<Segment> = Vec::new();
    let manifest = cell.into_val(&mut path, &mut spans);
    Resource {
        address,
        api_version: compiled.identity.api_version,
        kind: compiled.identity.kind,
        namespace: compiled.identity.namespace,
        name: compiled.identity.name,
        namespaced: compiled.namespaced,
        manifest,
        protect: compiled.arguments.protect,
        timeout: compiled.arguments.timeout,
        wait: compiled.arguments.wait.unwrap_or(Wait::Ready),
        ignore: compiled.arguments.ignore,
        replace_immutable: compiled.arguments.replace_immutable,
        span: compiled.span,
        spans,
    }
}
