//! From declarations to a stack: values in their order, instances, resources, the graph.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics, Span};

use super::cell::{Cell, Data};
use super::decl::{Decl, Document};
use super::eval::{Eval, Local, Use, World};
use super::existing;
use super::model::Existing;
use super::order::{self, Needs};
use super::read::Files;
use super::resource::{self, Compiled, Defaults};
use super::shape::Shape;
use super::syntax::{Node, Raw};

/// Most resources of one stack.
const MAX_RESOURCES: usize = 100_000;

/// The instances of one declaration: its keys and values.
type Instances = BTreeMap<String, Cell>;

/// What compiling yields.
pub(super) struct Output {
    pub world: World,
    pub compiled: BTreeMap<Address, Compiled>,
    pub existing: BTreeMap<Address, (Existing, Vec<Use>)>,
}

pub(super) struct Compile<'c> {
    pub document: &'c Document,
    pub files: &'c mut Files,
    pub diags: &'c mut Diagnostics,
    pub world: World,
}

impl Compile<'_> {
    /// Resolves everything there is.
    pub(super) fn run(mut self) -> Output {
        let local_needs: BTreeMap<String, (Span, BTreeSet<Needs>)> = self
            .document
            .locals
            .iter()
            .map(|(name, (key, node))| (name.clone(), (key.span.clone(), order::needs([node]))))
            .collect();
        self.world.locals = local_needs.keys().map(|name| (name.clone(), None)).collect();
        order::report_local_cycles(&local_needs, self.diags);
        let late = self.early_locals(&local_needs);
        let instances = self.instances();
        let scopes = self.scopes();
        self.resolve(&local_needs, &late, &instances, &scopes)
    }

    /// Resolves the locals that need no resource; returns the names of the others.
    fn early_locals(&mut self, all: &BTreeMap<String, (Span, BTreeSet<Needs>)>) -> BTreeSet<String> {
        let items: BTreeMap<Needs, BTreeSet<Needs>> =
            all.iter().map(|(name, (_, needs))| (Needs::Local(name.clone()), needs.clone())).collect();
        let mut late = BTreeSet::new();
        for item in order::sorted(&items) {
            let Needs::Local(name) = item else { continue };
            let waits = items[item].iter().any(|need| match need {
                // An undeclared one is a mistake to report, not a reason to wait.
                Needs::Local(other) => {
                    late.contains(other) || self.world.locals.get(other).is_some_and(Option::is_none)
                }
                Needs::Resource(_) | Needs::Existing(_) => true,
            });
            if waits {
                late.insert(name.clone());
            } else {
                self.local(name);
            }
        }
        late
    }

    fn local(&mut self, name: &str) {
        let Some((_, node)) = self.document.locals.get(name) else {
            return;
        };
        let mut eval = Eval::new(&self.world, self.files, self.diags);
        let mut cell = eval.node(node, Shape::Nowhere);
        if eval.exceeded {
            cell = Cell::bad(&node.span);
        }
        let local = Local {
            size: cell.size(),
            depth: cell.depth(),
            exceeded: eval.exceeded,
            uses: std::mem::take(&mut eval.uses),
            cell,
        };
        self.world.locals.insert(name.to_owned(), Some(local));
    }

    /// Expands `for_each`; the world learns every declaration and its keys.
    fn instances(&mut self) -> BTreeMap<Address, Instances> {
        let mut all = BTreeMap::new();
        let document = self.document;
        let mut count = 0;
        for (address, decl) in &document.resources {
            let before = count;
            let keys = decl.body.get("for_each").map(|node| {
                let mut instances = self.expand(node);
                let keys: BTreeSet<String> = instances.keys().cloned().collect();
                count += keys.len();
                if count > MAX_RESOURCES {
                    instances.clear();
                }
                all.insert(address.clone(), instances);
                keys
            });
            count += usize::from(keys.is_none());
            if before <= MAX_RESOURCES && count > MAX_RESOURCES {
                let node = decl.body.get("for_each");
                let span = node.map_or(&decl.span, |node| &node.span).clone();
                self.diags.push(
                    Diagnostic::error("E008", format!("more than {MAX_RESOURCES} resources")).at(span, ""),
                );
            }
            self.world.declared.insert(address.clone(), keys);
        }
        all
    }

    fn expand(&mut self, node: &Node) -> Instances {
        let mut eval = Eval::new(&self.world, self.files, self.diags);
        eval.no_objects = Some("`for_each` must be known before any resource is");
        let cell = eval.node(node, Shape::Nowhere);
        let mut instances = Instances::new();
        let rule = "`for_each` is a table, or a list of distinct strings";
        match cell.data {
            Data::Map(map) => {
                instances = map.into_iter().map(|(key, (_, cell))| (key, cell)).collect();
            }
            Data::List(items) => {
                for item in items {
                    match &item.data {
                        Data::Text(text) => {
                            if let Some(first) = instances.get(text) {
                                let first = first.span.clone();
                                self.diags.push(
                                    Diagnostic::error("E030", format!("`{text}` is there twice"))
                                        .at(item.span.clone(), "again here")
                                        .at(first, "first here")
                                        .help(rule),
                                );
                            }
                            instances.insert(text.clone(), item);
                        }
                        Data::Bad => {}
                        Data::Late(_) => self.not_known(&item.span),
                        _ => self.diags.push(
                            Diagnostic::error(
                                "E030",
                                format!("{} cannot be the key of an instance", item.type_name()),
                            )
                            .at(item.span.clone(), "")
                            .help(rule),
                        ),
                    }
                }
            }
            Data::Late(_) => self.not_known(&cell.span),
            Data::Bad => {}
            _ => self.diags.push(
                Diagnostic::error("E030", format!("`for_each` cannot be {}", cell.type_name()))
                    .at(cell.span.clone(), "")
                    .help(rule),
            ),
        }
        if instances.remove("").is_some() {
            self.diags.push(
                Diagnostic::error("E030", "the key of an instance cannot be empty").at(node.span.clone(), ""),
            );
        }
        instances
    }

    fn not_known(&mut self, span: &Span) {
        self.diags.push(
            Diagnostic::error("E030", "`for_each` must be known from the files, and cannot be secret")
                .at(span.clone(), "known only later"),
        );
    }

    /// Scope of the kinds that the stack defines itself, as far as their definitions are plain.
    fn scopes(&self) -> BTreeMap<(String, String), bool> {
        let mut scopes = BTreeMap::new();
        for (address, decl) in &self.document.resources {
            let kind = decl.body.get("kind").and_then(Node::text);
            if address.table != "custom_resource_definition" && kind != Some("CustomResourceDefinition") {
                continue;
            }
            let text = |keys: &[&str]| {
                let (first, rest) = keys.split_first()?;
                let node = rest.iter().try_fold(decl.body.get(first)?, |node, key| node.table()?.get(key))?;
                node.text()
            };
            if let (Some(group), Some(kind), Some(scope)) =
                (text(&["spec", "group"]), text(&["spec", "names", "kind"]), text(&["spec", "scope"]))
            {
                scopes.insert((group.to_owned(), kind.to_owned()), scope == "Namespaced");
            }
        }
        scopes
    }

    fn resolve(
        mut self,
        local_needs: &BTreeMap<String, (Span, BTreeSet<Needs>)>,
        late: &BTreeSet<String>,
        instances: &BTreeMap<Address, Instances>,
        scopes: &BTreeMap<(String, String), bool>,
    ) -> Output {
        let document = self.document;
        let defaults = Defaults {
            namespace: document.default_namespace.as_ref(),
            labels: document.default_labels.as_ref(),
            tables: &document.default_tables,
            scopes,
        };
        let shared = order::needs(defaults.namespace.into_iter().chain(defaults.labels));
        let mut items: BTreeMap<Needs, BTreeSet<Needs>> = BTreeMap::new();
        for name in late {
            items.insert(Needs::Local(name.clone()), local_needs[name].1.clone());
        }
        for (address, decl) in &document.existing {
            items.insert(Needs::Existing(address.clone()), body_needs(decl));
        }
        for (address, decl) in &document.resources {
            let mut needs = body_needs(decl);
            if let Some(table) = defaults.tables.get(&address.table) {
                needs.extend(order::needs(table.entries.iter().map(|(_, node)| node)));
            }
            needs.extend(shared.iter().cloned());
            match instances.get(address) {
                None => {
                    items.insert(Needs::Resource(address.clone()), needs);
                }
                Some(keys) => items.extend(
                    keys.keys().map(|key| (Needs::Resource(address.instance(key.as_str())), needs.clone())),
                ),
            }
        }
        self.world.existing = document.existing.keys().map(|address| (address.clone(), None)).collect();
        let mut compiled = BTreeMap::new();
        let mut found_existing = BTreeMap::new();
        for item in order::sorted(&items) {
            match item {
                Needs::Local(name) => self.local(name),
                Needs::Existing(address) => {
                    let mut reader = existing::Compiler {
                        address,
                        decl: &document.existing[address],
                        scopes,
                        diags: self.diags,
                    };
                    let found = reader.run(&self.world, self.files);
                    self.world.existing.insert(address.clone(), Some(found.identity));
                    found_existing.insert(address.clone(), (found.existing, found.uses));
                }
                Needs::Resource(address) => {
                    let declaration = address.declaration();
                    let each = address.index.as_ref().and_then(|key| {
                        let value = instances.get(&declaration)?.get(key)?;
                        Some((key.as_str(), value))
                    });
                    let decl = &document.resources[&declaration];
                    let result = resource::compile(
                        address,
                        decl,
                        each,
                        &defaults,
                        &self.world,
                        self.files,
                        self.diags,
                    );
                    self.world.objects.insert(address.clone(), result.identity.clone());
                    compiled.insert(address.clone(), result);
                }
            }
        }
        Output { world: self.world, compiled, existing: found_existing }
    }
}

/// What the fields of a declaration refer to, `for_each` excepted, which is resolved before.
fn body_needs(decl: &Decl) -> BTreeSet<Needs> {
    let nodes = decl
        .body
        .entries
        .iter()
        .filter(|(key, node)| key.name != "for_each" && !matches!(node.raw, Raw::Bad));
    order::needs(nodes.map(|(_, node)| node))
}
