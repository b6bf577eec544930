//! The last checks over all resources together, and the graph.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::{Address, ObjectKey, split_api_version};
use crate::diag::{Diagnostic, Diagnostics, SourceMap, Span};
use crate::graph::{Cycle, Edge, Graph, Reason, ReasonKind};

use super::compile::Output;
use super::edges::{Edges, Index};
use super::eval::{Use, World};
use super::model::{Part, SecretSource, Target, Variable, VariableValue};
use super::objects::{near_resource, without_index};
use super::secret;
use super::variables::{Given, Source};

/// Two resources that are one object, and objects that are both declared and `existing`.
pub(super) fn one_object_each(output: &Output, diags: &mut Diagnostics) {
    let mut seen: BTreeMap<ObjectKey, (&Address, &Span)> = BTreeMap::new();
    for (address, compiled) in &output.compiled {
        let identity = &compiled.identity;
        if identity.name.is_empty() || identity.kind.is_empty() {
            continue;
        }
        let (group, _) = split_api_version(&identity.api_version);
        let key = ObjectKey::new(group, &identity.kind, identity.namespace.as_deref(), &identity.name);
        let human = key.human();
        if let Some((other, first)) = seen.insert(key.clone(), (address, &compiled.span)) {
            let mut diagnostic =
                Diagnostic::error("E034", format!("`{other}` and `{address}` are one object: {human}"))
                    .at(compiled.span.clone(), "");
            if *first != compiled.span {
                diagnostic = diagnostic.at(first.clone(), "the other one");
            }
            let help = if address.index.is_some() {
                "give each instance its own name: `name = \"…-${each.key}\"`"
            } else {
                "give one of them another `name` or `namespace`, or remove it"
            };
            diags.push(diagnostic.help(help));
            seen.insert(key, (other, first));
        }
    }
    for (address, (existing, _)) in &output.existing {
        let (group, _) = split_api_version(&existing.api_version);
        let key = ObjectKey::new(group, &existing.kind, existing.namespace.as_deref(), &existing.name);
        let twin = seen.get(&key).copied();
        let namesake = output.compiled.get(address).map(|c| (address, &c.span));
        if let Some((other, span)) = twin.or(namesake) {
            let message = if twin.is_some() {
                format!("`existing.{address}` is the object of `{other}`")
            } else {
                format!("`existing.{address}` and `{other}` have one name")
            };
            let help = if twin.is_some() {
                format!("refer to the resource itself: `{other}`")
            } else {
                "give one of them another local name".to_owned()
            };
            diags.push(
                Diagnostic::error("E034", message)
                    .at(existing.span.clone(), "")
                    .at(span.clone(), "declared here")
                    .help(help),
            );
        }
    }
}

/// Most dependencies of one stack.
const MAX_EDGES: usize = 1_000_000;

/// All dependencies. What `depends_on` names wrongly is reported.
pub(super) fn edges(output: &Output, diags: &mut Diagnostics) -> Vec<Edge<Address>> {
    let mut edges = Vec::new();
    let objects = output.compiled.iter().map(|(address, c)| (address, &c.identity));
    let index =
        Index::new(objects.chain(output.world.existing.iter().filter_map(|(a, i)| Some((a, i.as_ref()?)))));
    for (address, compiled) in &output.compiled {
        uses(address, &compiled.uses, &mut edges);
        for (target, span) in &compiled.arguments.depends_on {
            if let Some(to) = dependency(&output.world, address, target, span, diags) {
                edges.push(Edge {
                    from: address.clone(),
                    to,
                    reason: Reason { kind: ReasonKind::DependsOn, span: Some(span.clone()) },
                });
            }
        }
        let mut inferred =
            Edges { index: &index, from: address, object: &compiled.identity, found: &mut edges };
        inferred.infer(&compiled.span);
        if edges.len() > MAX_EDGES {
            let message = format!("more than {MAX_EDGES} dependencies");
            diags.push(Diagnostic::error("E008", message).at(compiled.span.clone(), "up to here"));
            break;
        }
    }
    for (address, (_, used)) in &output.existing {
        uses(address, used, &mut edges);
    }
    of_generated(output, &mut edges);
    edges
}

/// Whoever uses a generated value waits for its home: until that is there, the value is nowhere.
fn of_generated(output: &Output, edges: &mut Vec<Edge<Address>>) {
    let homes = homes(output);
    let is_generated = |name: &str| {
        let variable = output.world.variables.get(name);
        variable.is_some_and(|variable| matches!(variable.value, Given::Secret(Source::Generate(..))))
    };
    for (address, compiled) in &output.compiled {
        let mut seen = BTreeSet::new();
        compiled.identity.manifest.lates(&mut |cell, late| {
            for part in &late.parts {
                // A variable with more homes than one is an error elsewhere.
                if let Part::Secret(name) = part
                    && let Some([(home, _, _)]) = homes.get(name).map(Vec::as_slice)
                    && home != address
                    && is_generated(name)
                    && seen.insert(name)
                {
                    let kind = ReasonKind::Reference(format!("var.{name}"));
                    edges.push(Edge {
                        from: address.clone(),
                        to: home.clone(),
                        reason: Reason { kind, span: Some(cell.span.clone()) },
                    });
                }
            }
        });
    }
}

/// By variable, every Secret and its key that is the variable alone.
fn homes(output: &Output) -> BTreeMap<String, Vec<(Address, String, Span)>> {
    let mut homes: BTreeMap<String, Vec<(Address, String, Span)>> = BTreeMap::new();
    for (address, compiled) in &output.compiled {
        if compiled.identity.kind == "Secret" && compiled.identity.api_version == "v1" {
            for (name, key, span) in secret::homes(&compiled.identity.manifest) {
                homes.entry(name).or_default().push((address.clone(), key, span));
            }
        }
    }
    homes
}

fn uses(from: &Address, uses: &[Use], edges: &mut Vec<Edge<Address>>) {
    edges.extend(uses.iter().map(|used| {
        let (Target::Resource(to) | Target::Existing(to)) = &used.target;
        Edge {
            from: from.clone(),
            to: to.clone(),
            reason: Reason { kind: ReasonKind::Reference(used.text.clone()), span: Some(used.span.clone()) },
        }
    }));
}

fn dependency(
    world: &World,
    from: &Address,
    target: &Target,
    span: &Span,
    diags: &mut Diagnostics,
) -> Option<Address> {
    let unknown = |shown: String| {
        Diagnostic::error("E050", format!("`depends_on` names `{shown}`, which is not declared"))
            .at(span.clone(), "")
    };
    match target {
        Target::Existing(address) => {
            if world.existing.contains_key(address) {
                return Some(address.clone());
            }
            diags.push(
                unknown(format!("existing.{address}")).help(format!("declare it: `[existing.{address}]`")),
            );
        }
        Target::Resource(address) if address == from => diags.push(
            Diagnostic::error("E052", format!("`{address}` depends on itself"))
                .at(span.clone(), "")
                .help("remove the line"),
        ),
        Target::Resource(address) => match (world.declared.get(&address.declaration()), &address.index) {
            (Some(None), None) => return Some(address.clone()),
            (Some(Some(keys)), Some(key)) if keys.contains(key) => return Some(address.clone()),
            (Some(Some(keys)), None) => diags.push(without_index(address, keys).at(span.clone(), "")),
            (None, _) if world.existing.contains_key(address) => {
                diags.push(unknown(address.to_string()).help(format!("did you mean `existing.{address}`?")));
            }
            (None, _) => {
                diags.push(unknown(address.to_string()).help(near_resource(world, &address.declaration())));
            }
            (Some(_), Some(key)) => diags.push(
                Diagnostic::error("E024", format!("`{}` has no instance `{key}`", address.declaration()))
                    .at(span.clone(), ""),
            ),
        },
    }
    None
}

/// Cycles that are reported at most: each is found in what the ones before it leave.
const MAX_CYCLES: usize = 20;

/// The graph, or the report of its shortest cycles, no two of which share a resource.
pub(super) fn graph(
    nodes: Vec<Address>,
    edges: Vec<Edge<Address>>,
    output: &Output,
    sources: &SourceMap,
    diags: &mut Diagnostics,
) -> Option<Graph<Address>> {
    let mut cycle = match Graph::new(nodes, edges) {
        Ok(graph) => return Some(graph),
        Err(cycle) => cycle,
    };
    // A cycle is the exception, so the edges are found once more rather than copied every time.
    let edges = self::edges(output, &mut Diagnostics::default());
    let mut left: BTreeSet<Address> = output.compiled.keys().chain(output.existing.keys()).cloned().collect();
    for _ in 0..MAX_CYCLES {
        diags.push(cycle_report(&cycle, sources));
        for edge in &cycle.edges {
            left.remove(&edge.from);
        }
        match Graph::new(left.iter().cloned(), edges.iter().cloned()) {
            Ok(_) => break,
            Err(next) => cycle = next,
        }
    }
    None
}

fn cycle_report(cycle: &Cycle<Address>, sources: &SourceMap) -> Diagnostic {
    let message = match cycle.edges.as_slice() {
        [only] => format!("`{}` waits for itself", only.from),
        edges => format!("{} resources wait for each other", edges.len()),
    };
    let mut diagnostic = Diagnostic::error("E051", message);
    for edge in &cycle.edges {
        let why = match &edge.reason.kind {
            ReasonKind::DependsOn => "by `depends_on`".to_owned(),
            ReasonKind::Reference(text) => format!("by the reference `{text}`"),
            ReasonKind::Namespace => "because it lies in that namespace".to_owned(),
            ReasonKind::Definition => "because its kind is defined there".to_owned(),
            ReasonKind::Field(path) => format!("because `{path}` names it"),
        };
        let line = match &edge.reason.span {
            Some(span) => format!(" ({})", sources.location(span)),
            None => String::new(),
        };
        if let Some(span) = &edge.reason.span {
            diagnostic = diagnostic.at(span.clone(), format!("`{}` waits for `{}`", edge.from, edge.to));
        }
        diagnostic = diagnostic.note(format!("`{}` waits for `{}` {why}{line}", edge.from, edge.to));
    }
    diagnostic.help("take one of these away; what both need can go below `[locals]`")
}

/// The variables of the compiled stack; a generated one needs exactly one home.
pub(super) fn variables(output: &Output, diags: &mut Diagnostics) -> BTreeMap<String, Variable> {
    let mut homes = homes(output);
    let mut variables = BTreeMap::new();
    for (name, declared) in &output.world.variables {
        let value = match &declared.value {
            Given::Bad => continue,
            Given::Plain(value) => VariableValue::Plain(value.clone()),
            Given::Secret(Source::Known(source)) => VariableValue::Secret(source.clone()),
            Given::Secret(Source::Generate(length, charset)) => {
                let found = homes.remove(name).unwrap_or_default();
                let broken =
                    output.compiled.values().any(|c| c.identity.broken && c.identity.kind == "Secret");
                match found.as_slice() {
                    [(address, key, _)] => VariableValue::Secret(SecretSource::Generate {
                        length: *length,
                        charset: *charset,
                        home: Box::new((address.clone(), key.clone())),
                    }),
                    [] if broken => continue,
                    [] => {
                        diags.push(
                            Diagnostic::error("E109", format!("generated variable `{name}` has no home"))
                                .at(declared.span.clone(), "its value is kept in the cluster only")
                                .help(format!("one `secret` resource must have a key that is the reference alone: `stringData.KEY = \"${{var.{name}}}\"`")),
                        );
                        continue;
                    }
                    [(first, key, span), rest @ ..] => {
                        let mut diagnostic = Diagnostic::error(
                            "E109",
                            format!("generated variable `{name}` has {} homes", rest.len() + 1),
                        )
                        .at(span.clone(), format!("`{first}`, key `{key}`"));
                        for (address, key, span) in rest {
                            diagnostic = diagnostic.at(span.clone(), format!("`{address}`, key `{key}`"));
                        }
                        diags.push(diagnostic.help("the value is drawn once and kept in one place: use another variable for the other Secret, or let its users name this one"));
                        continue;
                    }
                }
            }
        };
        let variable = Variable {
            name: name.clone(),
            description: declared.description.clone(),
            value,
            span: declared.span.clone(),
        };
        variables.insert(name.clone(), variable);
    }
    variables
}
