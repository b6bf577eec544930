//! Secrets: `stringData` becomes base64 `data` before anything is hashed, diffed or sent, because under
//! server-side apply a key dropped from `stringData` would stay in `data` for ever; and where secret values
//! may stand.

use base64::Engine as _;

use crate::diag::{Diagnostic, Diagnostics};

use super::cell::{Cell, CellMap, Data};
use super::model::{Late, Part};

/// Encodes one value of `stringData`. What is not text is reported by the field checks.
fn encoded(cell: &Cell) -> Cell {
    let data = match &cell.data {
        Data::Text(text) => Data::Text(base64::engine::general_purpose::STANDARD.encode(text)),
        Data::Late(late) if !late.base64 => Data::Late(Late { parts: late.parts.clone(), base64: true }),
        _ => Data::Bad,
    };
    Cell::new(&cell.span, data)
}

/// Moves `stringData` into `data`, after the checks that only a Secret needs.
pub(super) fn compile(manifest: &mut CellMap, diags: &mut Diagnostics) {
    if let Some((_, data)) = manifest.get("data") {
        for (key, (_, cell)) in data.map().into_iter().flatten() {
            let direct = matches!(&cell.data, Data::Late(late) if late.parts.iter().any(|p| matches!(p, Part::Secret(_))) && !late.base64);
            if direct {
                diags.push(
                    Diagnostic::error(
                        "E107",
                        format!("a secret variable stands in `data.{key}`, which holds base64"),
                    )
                    .at(cell.span.clone(), "")
                    .help(format!(
                        "put it into `stringData`, from where it is encoded: `stringData.{} = …`",
                        bare_or_quoted(key)
                    )),
                );
            }
        }
    }
    let Some((_, strings)) = manifest.get("stringData") else {
        return;
    };
    let Data::Map(strings) = &strings.data else { return };
    let mut compiled = CellMap::new();
    for (key, (span, cell)) in strings {
        let first = manifest.get("data").and_then(|(_, data)| data.map()?.get(key));
        if let Some((first, _)) = first {
            diags.push(
                Diagnostic::error("E108", format!("`{key}` stands in `data` and in `stringData`"))
                    .at(span.clone(), "here as text")
                    .at(first.clone(), "here as base64")
                    .help("keep the one in `stringData`"),
            );
        }
        compiled.insert(key.clone(), (span.clone(), encoded(cell)));
    }
    let place = manifest.get("stringData").map(|(key, cell)| (key.clone(), cell.span.clone()));
    let Some((key, span)) = place else { return };
    let data = manifest
        .entry("data".to_owned())
        .or_insert_with(|| (key, Cell::new(&span, Data::Map(CellMap::new()))));
    if let Data::Map(map) = &mut data.1.data {
        map.extend(compiled);
    }
}

fn bare_or_quoted(key: &str) -> String {
    if super::names::is_local(key) { key.to_owned() } else { format!("\"{key}\"") }
}

/// Reports secrets where their value would be part of what must be known: names, labels, annotations.
pub(super) fn check_metadata(metadata: &Cell, diags: &mut Diagnostics) {
    metadata.lates(&mut |cell, late| {
        if late.parts.iter().any(|part| matches!(part, Part::Secret(_))) {
            diags.push(
                Diagnostic::error("E111", "a secret cannot stand in metadata")
                    .at(cell.span.clone(), "everybody who may list the object reads it"),
            );
        }
    });
}

/// The variables whose value is one key of a Secret alone: `(variable, key)`.
pub(super) fn homes(manifest: &Cell) -> Vec<(String, String, crate::diag::Span)> {
    let mut found = Vec::new();
    for (key, (_, cell)) in manifest.get("data").and_then(Cell::map).into_iter().flatten() {
        if let Data::Late(Late { parts, base64: true }) = &cell.data
            && let [Part::Secret(name)] = parts.as_slice()
        {
            found.push((name.clone(), key.clone(), cell.span.clone()));
        }
    }
    found
}
