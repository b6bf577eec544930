//! The stack language: TOML text in, a valid [`Stack`] and diagnostics out.
//!
//! The stages, each in a file of its own: `read` (files, limits) → `syntax` (TOML with places) → `decl`
//! (which table is what) → `variables` → `compile` (locals, `for_each`, resources in the order of their
//! references) → `assemble` (checks over all resources, the graph).
//!
//! *Invariants:* all mistakes of all files are found in one pass, each reported once; nothing is contacted, no
//! command is run, no secret is resolved; the same files and request give the same stack.

mod arguments;
mod assemble;
mod bodies;
mod cell;
mod closed;
mod compile;
mod decl;
mod edges;
mod eval;
mod existing;
mod expr;
mod fields;
mod find;
mod given;
mod head;
mod identity;
mod kinds;
mod metadata;
mod model;
mod moves;
mod names;
mod objects;
mod order;
mod outputs;
mod pods;
mod read;
mod reference;
mod resource;
mod rules;
mod scalar;
mod secret;
mod secret_source;
mod settings;
mod shape;
mod suggest;
mod syntax;
mod toml_duplicates;
mod toml_errors;
mod toml_lines;
mod toml_text;
mod values;
mod variables;

pub use find::find_stack;
pub use head::{Head, head};
pub use kinds::{KINDS, KindRow, MANIFEST, by_kind, by_table, is_meant};
pub use model::*;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::diag::{Diagnostic, Diagnostics, FileId, Severity, SourceMap, Span};

use compile::{Compile, Output as CompileOutput};
use decl::{Collector, Document};
use eval::World;
use read::Files;
use toml_errors::Damage;

/// What to load, with everything that decides what it means: nothing is taken from the process.
#[derive(Debug, Clone, Default)]
pub struct LoadRequest {
    /// The stack file.
    pub file: PathBuf,
    /// `--var`, each `NAME=VALUE`.
    pub vars: Vec<String>,
    /// `--var-file`, later ones win.
    pub var_files: Vec<PathBuf>,
    /// `--env`.
    pub env: Option<String>,
    /// The environment; only `ARRPLAN_VAR_*` is looked at.
    pub environment: BTreeMap<String, String>,
}

impl LoadRequest {
    /// A request for `file` alone.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), ..Self::default() }
    }
}

/// Reads and compiles a stack. A stack in hand is valid; without one the diagnostics, sorted by place, hold
/// every mistake of all files. The texts they point into are in the [`SourceMap`].
#[must_use]
pub fn load(request: &LoadRequest) -> (Option<Stack>, Diagnostics, SourceMap) {
    let mut diags = Diagnostics::default();
    let (files, main) = match Files::open(&request.file) {
        Ok(opened) => opened,
        Err(refused) => {
            let (files, diagnostic) = *refused;
            diags.push(diagnostic);
            return (None, diags, files.finish().2);
        }
    };
    let mut loader = Loader { request, files, diags, damage: BTreeMap::new(), literal: Vec::new() };
    let document = loader.documents(main);
    let stack = loader.stack(&document, main);
    let Loader { files, diags, damage, .. } = loader;
    let (digest, files, sources) = files.finish();
    let quiet = without_noise(&diags, &damage);
    // An error is never without a word, whatever was taken for noise.
    let diags = if quiet.has_errors() || !diags.has_errors() { quiet } else { diags };
    let diags = diags.sorted();
    let stack = stack.filter(|_| !diags.has_errors()).map(|stack| Stack {
        digest,
        files,
        sources_map: sources.clone(),
        ..stack
    });
    (stack, diags, sources)
}

/// Mistakes that say that something is missing: after damage to a file it may have been there.
const OF_ABSENCE: &[&str] =
    &["E012", "E022", "E023", "E024", "E031", "E043", "E047", "E050", "E053", "E054", "E103", "E109", "E101"];

/// Takes out what only follows from damage that was reported.
fn without_noise(diags: &Diagnostics, damage: &BTreeMap<FileId, Damage>) -> Diagnostics {
    let lossy = damage.values().any(|d| d.lossy);
    let kept = diags.0.iter().filter(|d| {
        let own = matches!(d.code, "E004" | "E005" | "E008");
        let absent = lossy && OF_ABSENCE.contains(&d.code);
        let inside = d.labels.first().is_some_and(|label| {
            damage.get(&label.span.file).is_some_and(|damage| damage.covers(label.span.start))
        });
        own || d.severity == Severity::Error && !absent && !inside
            || d.severity == Severity::Warning && !lossy
    });
    Diagnostics(kept.cloned().collect())
}

struct Loader<'r> {
    request: &'r LoadRequest,
    files: Files,
    diags: Diagnostics,
    damage: BTreeMap<FileId, Damage>,
    literal: Vec<(Span, String)>,
}

impl Loader<'_> {
    fn parse(&mut self, file: FileId) -> syntax::Table {
        let text = self.files.sources.shared_text(file);
        let parsed = syntax::parse(file, &text, &mut self.diags);
        self.damage.insert(file, parsed.damage);
        self.literal.extend(parsed.literal);
        parsed.table
    }

    /// The stack file and all it includes.
    fn documents(&mut self, main: FileId) -> Document {
        let table = self.parse(main);
        let mut tables = Vec::new();
        if let Some(stack) = table.get("stack").and_then(syntax::Node::table) {
            let patterns: Vec<(String, Span)> = settings::include(stack, &mut self.diags)
                .into_iter()
                .map(|(pattern, span)| (pattern.to_owned(), span.clone()))
                .collect();
            let mut seen = BTreeSet::new();
            for (pattern, span) in patterns {
                for file in self.included(&pattern, &span) {
                    if seen.insert(file.clone())
                        && let Some(table) = self.include(&file, &span)
                    {
                        tables.push(table);
                    }
                }
            }
        }
        let mut collector =
            Collector { sources: &self.files.sources, diags: &mut self.diags, document: Document::default() };
        collector.file(table, true);
        for table in tables {
            collector.file(table, false);
        }
        collector.document
    }

    /// The files that a pattern of `include` names.
    fn included(&mut self, pattern: &str, span: &Span) -> Vec<String> {
        let own = self.request.file.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        match self.files.matching(pattern) {
            Ok(files) if files.is_empty() => {
                self.diags.push(
                    Diagnostic::warning("E007", format!("no file matches `{pattern}`")).at(span.clone(), ""),
                );
                files
            }
            Ok(files) => {
                let others: Vec<String> = files.into_iter().filter(|file| *file != own).collect();
                if others.is_empty() {
                    self.diags.push(
                        Diagnostic::error("E007", "a stack cannot include itself").at(span.clone(), ""),
                    );
                }
                others
            }
            Err(problem) => {
                self.diags.push(problem.diagnostic(Some(span.clone())));
                Vec::new()
            }
        }
    }

    fn include(&mut self, relative: &str, span: &Span) -> Option<syntax::Table> {
        match self.files.source(relative) {
            Ok(file) => Some(self.parse(file)),
            Err(refused) => {
                let (problem, inside) = *refused;
                let mut diagnostic = problem.diagnostic(Some(inside.unwrap_or_else(|| span.clone())));
                if diagnostic.labels.first().is_some_and(|label| label.span != *span) {
                    diagnostic = diagnostic.at(span.clone(), "included here");
                }
                self.diags.push(diagnostic);
                None
            }
        }
    }

    /// Compiles the declarations. What comes back is whole only if no error was found.
    fn stack(&mut self, document: &Document, main: FileId) -> Option<Stack> {
        let lossy = self.damage.values().any(|d| d.lossy);
        let settings = settings::stack(document, main, lossy, &mut self.diags);
        let cluster = settings::cluster(document, &mut self.diags);
        let state = settings::state(document, &self.files, &mut self.diags);
        let sources = settings::sources(document, &self.files, &mut self.diags);
        let variables =
            variables::resolve(self.request, &document.variables, &mut self.files, &mut self.diags);
        self.literal_references(document);
        let world = World {
            stack_name: settings.name.clone(),
            description: settings.description.clone(),
            variables,
            ..World::default()
        };
        let compile = Compile { document, files: &mut self.files, diags: &mut self.diags, world };
        let mut output = compile.run();
        assemble::one_object_each(&output, &mut self.diags);
        let variables = assemble::variables(&output, &mut self.diags);
        let outputs = outputs::outputs(document, &output.world, &mut self.files, &mut self.diags);
        let (moved, removed) = moves::moved_and_removed(document, &output.world, &mut self.diags);
        let edges = assemble::edges(&output, &mut self.diags);
        let nodes = output.compiled.keys().chain(output.existing.keys()).cloned().collect();
        let graph = assemble::graph(nodes, edges, &output, &self.files.sources, &mut self.diags)?;
        if self.diags.has_errors() {
            return None;
        }
        // The world shares the manifests, which are about to become the resources' own.
        output.world = World::default();
        let CompileOutput { compiled, existing, .. } = output;
        let resources = compiled
            .into_iter()
            .map(|(address, compiled)| (address.clone(), resource::finish(address, compiled)));
        Some(Stack {
            name: settings.name,
            description: settings.description,
            file: self.request.file.clone(),
            env: self.request.env.clone(),
            cluster,
            state,
            resources: resources.collect(),
            existing: existing.into_iter().map(|(address, (existing, _))| (address, existing)).collect(),
            variables,
            outputs,
            moved,
            removed,
            sources,
            graph,
            digest: String::new(),
            files: BTreeMap::new(),
            sources_map: SourceMap::default(),
        })
    }

    /// References that stand in literal strings, where every character stands for itself: a slip when the
    /// name is one that the stack declares.
    fn literal_references(&mut self, document: &Document) {
        for (span, reference) in std::mem::take(&mut self.literal) {
            let declared = match reference.split_once('.') {
                Some(("var", name)) => document.variables.contains_key(name),
                Some(("local", name)) => document.locals.contains_key(name),
                _ => false,
            };
            if declared {
                self.diags.push(
                    Diagnostic::warning(
                        "E060",
                        format!("`${{{reference}}}` is not read in a literal string"),
                    )
                    .at(span, "stands as it is")
                    .help("use `\"…\"` where the value is meant"),
                );
            }
        }
    }
}
