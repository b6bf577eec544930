//! Which object a resource is: `apiVersion`, `kind`, name and namespace.

use crate::address::split_api_version;
use crate::diag::{Diagnostic, Span};

use super::arguments;
use super::kinds;
use super::names::{self, NameRule};
use super::resource::Compiler;
use super::shape::Shape;

impl Compiler<'_> {
    /// `apiVersion` and `kind`; empty after a mistake that was reported.
    pub(super) fn type_meta(&mut self) -> (String, String) {
        let mut own = [None, None];
        for (slot, key) in own.iter_mut().zip(["apiVersion", "kind"]) {
            *slot = self.argument_text(key);
        }
        let [api_version, kind] = own;
        if let Some(row) = self.row {
            if let Some(Ok((text, span))) = &kind
                && text != row.kind
            {
                let meant = kinds::KINDS.iter().find(|r| r.kind == text).map_or(kinds::MANIFEST, |r| r.table);
                self.eval.diags.push(
                    Diagnostic::error("E049", format!("a `{}` is a {}, not a {text}", row.table, row.kind))
                        .at(span.clone(), "")
                        .help(format!("declare it as `[{meant}.{}]`", self.address.name)),
                );
            }
            let api_version = match api_version {
                Some(Ok((text, span))) => {
                    let (group, _) = split_api_version(&text);
                    if group != split_api_version(row.api_version).0 {
                        self.eval.diags.push(
                            Diagnostic::error("E049", format!("`{text}` is no version of {}", row.kind))
                                .at(span, "")
                                .help(format!("for example `{}`, which is the default; another group's kind is declared as `[manifest.{}]`", row.api_version, self.address.name)),
                        );
                    }
                    text
                }
                Some(Err(())) => String::new(),
                None => row.api_version.to_owned(),
            };
            return (api_version, row.kind.to_owned());
        }
        let mut read = |key: &str, value: Option<Result<(String, Span), ()>>, example: &str| match value {
            Some(Ok((text, span))) if text.is_empty() || text.contains(char::is_whitespace) => {
                self.eval.diags.push(
                    Diagnostic::error("E049", format!("`{text}` is no `{key}`")).at(span, "").help(example),
                );
                String::new()
            }
            Some(Ok((text, _))) => text,
            Some(Err(())) => String::new(),
            None => {
                self.eval.diags.push(
                    Diagnostic::error("E049", format!("a `manifest` needs `{key}`"))
                        .at(self.decl.span.clone(), "")
                        .help(example),
                );
                String::new()
            }
        };
        let api_version =
            read("apiVersion", api_version, "for example `apiVersion = \"grafana.integreatly.org/v1beta1\"`");
        let kind = read("kind", kind, "for example `kind = \"GrafanaDashboard\"`");
        (api_version, kind)
    }

    pub(super) fn name(
        &mut self,
        metadata: Option<Result<(String, Span), ()>>,
        rule: NameRule,
        kind: &str,
    ) -> Option<String> {
        let own = self.argument_text("name").or(metadata);
        let (name, span, derived) = match own {
            Some(Ok((name, span))) => (name, span, false),
            Some(Err(())) => return None,
            None => {
                let name = self.address.index.clone().unwrap_or_else(|| self.address.name.clone());
                (name, self.decl.span.clone(), true)
            }
        };
        if let Some(problem) = names::problem(rule, &name) {
            let mut diagnostic =
                Diagnostic::error("E033", format!("`{name}` cannot be the name of a {kind}"))
                    .at(span, "")
                    .note(problem);
            let from = if self.address.index.is_some() { "the key of `for_each`" } else { "the local name" };
            if derived {
                diagnostic =
                    diagnostic.note(format!("the object is named after {from} unless `name` says otherwise"));
            }
            if let Some(mended) = names::mended(rule, &name) {
                diagnostic = diagnostic.help(format!("write `name = \"{mended}\"`"));
            }
            self.eval.diags.push(diagnostic);
            return None;
        }
        Some(name)
    }

    /// The namespace; `Err` after a mistake that was reported.
    pub(super) fn namespace(
        &mut self,
        metadata: Option<Result<(String, Span), ()>>,
        namespaced: Option<bool>,
        kind: &str,
    ) -> Result<Option<String>, ()> {
        let own = self.argument_text("namespace").or(metadata);
        if namespaced == Some(false) {
            let Some(own) = own else { return Ok(None) };
            let (_, span) = own?;
            self.eval.diags.push(
                Diagnostic::error("E032", format!("a {kind} lies in no namespace"))
                    .at(span, "")
                    .help("it is a kind of the whole cluster: remove the line"),
            );
            return Err(());
        }
        let (namespace, span) = match own {
            Some(own) => own?,
            None => match (namespaced, self.defaults.namespace) {
                (Some(true), Some(node)) => {
                    let cell = self.eval.node(node, Shape::Nowhere);
                    let text = arguments::text(self.eval.diags, "namespace", &cell).ok_or(())?;
                    (text, cell.span)
                }
                (Some(true), None) => {
                    self.eval.diags.push(
                        Diagnostic::error("E031", format!("a {kind} needs a namespace"))
                            .at(self.decl.span.clone(), "")
                            .help("write `namespace = \"…\"` here, or give all resources one: `[defaults]`, `namespace = \"…\"`"),
                    );
                    return Err(());
                }
                _ => return Ok(None),
            },
        };
        if let Some(problem) = names::problem(NameRule::Label, &namespace) {
            self.eval.diags.push(
                Diagnostic::error("E033", format!("`{namespace}` cannot be the name of a namespace"))
                    .at(span, "")
                    .note(problem),
            );
            return Err(());
        }
        Ok(Some(namespace))
    }
}
