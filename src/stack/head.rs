//! A stack's name and place, without its resources.

use std::path::PathBuf;

use super::decl::{Collector, Document};
use super::model::{ClusterSettings, StateSettings};
use super::read::Files;
use super::{LoadRequest, settings, syntax};
use crate::diag::{Diagnostics, SourceMap};

/// What a stack is called and where it lives: all that is needed to look into its state or to destroy it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// `[stack] name`.
    pub name: String,
    /// The stack file, as given.
    pub file: PathBuf,
    /// `--env`.
    pub env: Option<String>,
    /// `[cluster]`.
    pub cluster: ClusterSettings,
    /// `[state]`.
    pub state: StateSettings,
}

/// Reads `[stack]`, `[cluster]` and `[state]`. Mistakes anywhere else do not matter: what a stack owns can be
/// looked at and destroyed whatever became of its files.
#[must_use]
pub fn head(request: &LoadRequest) -> (Option<Head>, Diagnostics, SourceMap) {
    let mut diags = Diagnostics::default();
    let (files, main) = match Files::open(&request.file) {
        Ok(opened) => opened,
        Err(refused) => {
            let (files, diagnostic) = *refused;
            diags.push(diagnostic);
            return (None, diags, files.finish().2);
        }
    };
    let text = files.sources.shared_text(main);
    let mut elsewhere = Diagnostics::default();
    let parsed = syntax::parse(main, &text, &mut elsewhere);
    let mut collector =
        Collector { sources: &files.sources, diags: &mut elsewhere, document: Document::default() };
    collector.file(parsed.table, true);
    let document = collector.document;
    let stack = settings::stack(&document, main, false, &mut diags);
    let cluster = settings::cluster(&document, &mut diags);
    let state = settings::state(&document, &files, &mut diags);
    let sources = files.finish().2;
    if diags.has_errors() {
        // What looks absent may stand in a part that cannot be read: that is then the mistake to mend.
        diags.extend(elsewhere);
        return (None, diags.sorted(), sources);
    }
    let head =
        Head { name: stack.name, file: request.file.clone(), env: request.env.clone(), cluster, state };
    (Some(head), diags.sorted(), sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (Option<Head>, Vec<&'static str>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.toml");
        fs_err::write(&file, text).unwrap();
        let (head, diags, _) = head(&LoadRequest::new(file));
        (head, diags.0.iter().map(|d| d.code).collect())
    }

    #[test]
    fn broken_resources_do_not_matter() {
        let (found, _) = of(
            "[stack]\nname = \"arr\"\n[cluster]\ncontext = \"home\"\n[secret.x]\ndata.y = \"${var.gone}\"\n[nonsense]\n",
        );
        let found = found.unwrap();
        assert_eq!((found.name.as_str(), found.cluster.context.as_deref()), ("arr", Some("home")));
    }

    #[test]
    fn a_missing_name_does() {
        assert_eq!(of("[stack]\n"), (None, vec!["E012"]));
        let (found, codes) = of("[stack\nname = \"arr\"\n");
        assert!(found.is_none() && !codes.is_empty());
    }
}
