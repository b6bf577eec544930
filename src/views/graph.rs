//! The dependency graph of a stack: as a tree, as DOT, as JSON. Every edge with its reason.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::page::{Layout, Page, Text, Tone};
use crate::address::Address;
use crate::diag::SourceMap;
use crate::graph::{Graph, Reason, ReasonKind};

/// Resources that nothing waits for, each with what it waits for below it. A resource that stands in more
/// than one place is unfolded at the first.
#[must_use]
pub fn tree(graph: &Graph<Address>, sources: &SourceMap, layout: Layout) -> String {
    let mut tree = Tree { graph, sources, page: Page::new(layout), seen: BTreeSet::new() };
    // In reverse order of creation the last things come first, and their causes below them.
    for root in graph.order().iter().rev() {
        if graph.dependents(root).is_empty() {
            tree.node(root, None, "", "");
        }
    }
    tree.page.finish()
}

struct Tree<'a> {
    graph: &'a Graph<Address>,
    sources: &'a SourceMap,
    page: Page,
    seen: BTreeSet<&'a Address>,
}

impl<'a> Tree<'a> {
    /// `lead` stands before the node itself, `below` before what is under it.
    fn node(&mut self, node: &'a Address, reasons: Option<&[Reason]>, lead: &str, below: &str) {
        let first = self.seen.insert(node);
        let dependencies: Vec<(&Address, &[Reason])> = self.graph.dependencies(node).collect();
        let mut left = Text::tone(Tone::Dim, lead).add(Tone::Strong, &node.to_string());
        if !first && !dependencies.is_empty() {
            left = left.add(Tone::Dim, " (above)");
        }
        let why = reasons.and_then(|reasons| reasons.first());
        let right =
            why.map_or_else(Text::default, |reason| Text::tone(Tone::Dim, &said(reason, self.sources)));
        // A line that is too long stays whole: wrapped, it would cut through the branches.
        let gap = 46usize.saturating_sub(left.width()).max(2);
        if right.is_empty() {
            self.page.line(0, &left);
        } else {
            self.page.line(0, &left.add(Tone::Plain, &" ".repeat(gap)).join(right));
        }
        if !first {
            return;
        }
        let last = dependencies.len();
        for (at, (dependency, reasons)) in dependencies.into_iter().enumerate() {
            let (branch, trunk) = if at + 1 == last { ("`- ", "   ") } else { ("|- ", "|  ") };
            self.node(dependency, Some(reasons), &format!("{below}{branch}"), &format!("{below}{trunk}"));
        }
    }
}

/// The reason in words, with its place.
fn said(reason: &Reason, sources: &SourceMap) -> String {
    let words = words(&reason.kind);
    match &reason.span {
        Some(span) => format!("{words}, {}", sources.location(span)),
        None => words,
    }
}

fn words(kind: &ReasonKind) -> String {
    match kind {
        ReasonKind::DependsOn => "depends_on".to_owned(),
        ReasonKind::Reference(path) => format!("reads {path}"),
        ReasonKind::Namespace => "lies in it".to_owned(),
        ReasonKind::Definition => "is of its kind".to_owned(),
        ReasonKind::Field(path) => path.clone(),
    }
}

/// Graphviz DOT; an arrow points from a resource to what it waits for.
#[must_use]
pub fn dot(name: &str, graph: &Graph<Address>) -> String {
    let quote = |text: &str| Value::String(super::sanitize::clean(text).into_owned()).to_string();
    let mut out = format!("digraph {} {{\n  rankdir = \"RL\";\n", quote(name));
    for node in graph.order() {
        writeln!(out, "  {};", quote(&node.to_string())).expect("writing to a String cannot fail");
    }
    for node in graph.order() {
        for (to, reasons) in graph.dependencies(node) {
            let label = reasons.first().map(|reason| words(&reason.kind)).unwrap_or_default();
            let (from, to) = (quote(&node.to_string()), quote(&to.to_string()));
            writeln!(out, "  {from} -> {to} [label = {}];", quote(&label))
                .expect("writing to a String cannot fail");
        }
    }
    out.push_str("}\n");
    out
}

/// `{"nodes": [address…], "edges": [{from, to, reasons: [{kind, detail, location}]}]}` in order of creation;
/// `from` waits for `to`.
#[must_use]
pub fn json(name: &str, graph: &Graph<Address>, sources: &SourceMap) -> Value {
    let reason = |reason: &Reason| {
        let (kind, detail) = match &reason.kind {
            ReasonKind::DependsOn => ("depends-on", None),
            ReasonKind::Reference(path) => ("reference", Some(path)),
            ReasonKind::Namespace => ("namespace", None),
            ReasonKind::Definition => ("definition", None),
            ReasonKind::Field(path) => ("field", Some(path)),
        };
        json!({ "kind": kind, "detail": detail, "location": reason.span.as_ref().map(|s| sources.location(s)) })
    };
    let mut edges = Vec::new();
    for from in graph.order() {
        for (to, reasons) in graph.dependencies(from) {
            let reasons: Vec<Value> = reasons.iter().map(reason).collect();
            edges.push(json!({ "from": from, "to": to, "reasons": reasons }));
        }
    }
    json!({ "format_version": super::json::FORMAT_VERSION, "stack": name, "nodes": graph.order(), "edges": edges })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;
    use crate::graph::Edge;
    use std::path::PathBuf;

    fn sample() -> (Graph<Address>, SourceMap) {
        let mut sources = SourceMap::default();
        let file = sources.add(PathBuf::from("stacks/arr.toml"), "a\nb\nc\n");
        let a = |text: &str| text.parse::<Address>().unwrap();
        let edge = |from: &str, to: &str, kind, line: Option<usize>| Edge {
            from: a(from),
            to: a(to),
            reason: Reason {
                kind,
                span: line.map(|line| Span::new(file, (line - 1) * 2..(line - 1) * 2 + 1)),
            },
        };
        let nodes = [
            "namespace.tenant-media",
            "persistent_volume_claim.media-pvc",
            "secret.arr-secrets",
            "git_repository.catalog",
            "helm_release.arr",
        ];
        let graph = Graph::new(
            nodes.map(a),
            [
                edge(
                    "persistent_volume_claim.media-pvc",
                    "namespace.tenant-media",
                    ReasonKind::Namespace,
                    None,
                ),
                edge("secret.arr-secrets", "namespace.tenant-media", ReasonKind::Namespace, None),
                edge("helm_release.arr", "namespace.tenant-media", ReasonKind::Namespace, None),
                edge("helm_release.arr", "persistent_volume_claim.media-pvc", ReasonKind::DependsOn, Some(2)),
                edge(
                    "helm_release.arr",
                    "git_repository.catalog",
                    ReasonKind::Reference("git_repository.catalog.ref".into()),
                    Some(3),
                ),
                edge(
                    "helm_release.arr",
                    "secret.arr-secrets",
                    ReasonKind::Field("spec.valuesFrom[0].name".into()),
                    Some(3),
                ),
            ],
        );
        (graph.unwrap(), sources)
    }

    #[test]
    fn as_a_tree() {
        let (graph, sources) = sample();
        insta::assert_snapshot!(tree(&graph, &sources, Layout::PLAIN));
    }

    #[test]
    fn as_dot_and_json() {
        let (graph, sources) = sample();
        insta::assert_snapshot!(format!("{}\n{:#}", dot("arr", &graph), json("arr", &graph, &sources)));
    }
}
