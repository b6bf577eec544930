//! What a kind demands beyond the types of its fields, as far as files can tell.

use std::collections::BTreeSet;

use crate::diag::{Diagnostic, Diagnostics};
use crate::path::FieldPath;

use super::cell::{Cell, Data};
use super::fields::Subject;

/// Checks one manifest. `meant` are the paths that misspelt fields were meant to have.
pub(super) fn check(
    subject: &Subject<'_>,
    manifest: &Cell,
    meant: &BTreeSet<FieldPath>,
    diags: &mut Diagnostics,
) {
    let group = crate::address::split_api_version(subject.api_version).0;
    match (group, subject.kind) {
        ("helm.toolkit.fluxcd.io", "HelmRelease") => helm_release(subject, manifest, meant, diags),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(manifest, diags),
        _ => {}
    }
}

/// Source: `helm.toolkit.fluxcd.io/v2`, the rule "either chart or chartRef must be set", and Helm's own limit of
/// 53 characters for a release's name; the controller shortens a derived name with a hash.
fn helm_release(
    subject: &Subject<'_>,
    manifest: &Cell,
    meant: &BTreeSet<FieldPath>,
    diags: &mut Diagnostics,
) {
    let Some(spec) = manifest.get("spec") else { return };
    let Some(map) = spec.map() else { return };
    match (map.get("chart"), map.get("chartRef")) {
        (Some((chart, _)), Some((chart_ref, _))) => diags.push(
            Diagnostic::error("E047", "a HelmRelease has either `chart` or `chartRef`")
                .at(chart_ref.clone(), "")
                .at(chart.clone(), "and here the other")
                .help("`chart` makes a HelmChart from a source; `chartRef` names an OCIRepository or HelmChart; keep one"),
        ),
        (None, None) if meant.iter().any(is_chart) => {}
        (None, None) => diags.push(
            Diagnostic::error("E047", "a HelmRelease needs `spec.chart` or `spec.chartRef`")
                .at(subject.span.clone(), "")
                .help(format!("write `{}` with `chart` and `sourceRef`", subject.header.replace(']', ".spec.chart.spec]"))),
        ),
        _ => {}
    }
    let text = |key: &str| spec.get(key).and_then(Cell::text);
    if let Some(cell) = spec.get("releaseName") {
        if let Some(name) = cell.text().filter(|n| n.len() > 53) {
            diags.push(
                Diagnostic::error(
                    "E033",
                    format!("the release's name has {} characters, Helm allows 53", name.len()),
                )
                .at(cell.span.clone(), ""),
            );
        }
        return;
    }
    let Some(name) = manifest.at(&["metadata", "name"]).and_then(Cell::text) else {
        return;
    };
    let derived =
        text("targetNamespace").map_or_else(|| name.to_owned(), |target| format!("{target}-{name}"));
    let late_target = matches!(spec.get("targetNamespace").map(|c| &c.data), Some(Data::Late(_) | Data::Bad));
    if derived.len() > 53 && !late_target {
        diags.push(
            Diagnostic::warning(
                "E033",
                format!("the release's name `{derived}` has {} characters, Helm allows 53", derived.len()),
            )
            .at(subject.span.clone(), "Flux shortens it with a hash")
            .help("write `spec.releaseName`"),
        );
    }
}

/// Whether a path is the chart of a release or leads into it.
fn is_chart(path: &FieldPath) -> bool {
    path.starts_with(&FieldPath::keys(["spec", "chart"]))
        || path.starts_with(&FieldPath::keys(["spec", "chartRef"]))
}

/// Source: the API server's validation of a definition's name.
fn definition(manifest: &Cell, diags: &mut Diagnostics) {
    let text = |keys: &[&str]| manifest.at(keys).and_then(Cell::text);
    let (Some(plural), Some(group), Some(name)) =
        (text(&["spec", "names", "plural"]), text(&["spec", "group"]), text(&["metadata", "name"]))
    else {
        return;
    };
    let right = format!("{plural}.{group}");
    if name != right {
        let span = manifest.at(&["metadata", "name"]).map_or(&manifest.span, |cell| &cell.span);
        diags.push(
            Diagnostic::error("E033", format!("`{name}` cannot be the name of this definition"))
                .at(span.clone(), "")
                .note("a definition is named `<plural>.<group>`")
                .help(format!("write `name = \"{right}\"`")),
        );
    }
}
