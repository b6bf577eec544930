//! The stack language from the outside: whole files in, everything that `arrplan validate` says out.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be read is a failed test")]

mod broken;
mod codes;
mod robust;
mod valid;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrplan::diag::{Diagnostics, SourceMap};
use arrplan::stack::{LoadRequest, Stack, load};

/// A case: a file, or a folder that holds `stack.toml` and what it names. A line `# args: --var a=b` or
/// `# env: NAME=value` at its top says how it is loaded.
struct Case {
    name: String,
    request: LoadRequest,
}

/// Every case below `tests/cases/<folder>`, sorted by name.
fn cases(folder: &str) -> Vec<Case> {
    let root = Path::new("tests/cases").join(folder);
    let mut cases: Vec<Case> = std::fs::read_dir(&root)
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let file = if path.is_dir() { path.join("stack.toml") } else { path.clone() };
            let name = path.file_stem()?.to_str()?.to_owned();
            let stack =
                file.extension().is_some_and(|e| e == "toml") && !path.to_string_lossy().contains(".vars.");
            stack.then(|| Case { name, request: request(&file) })
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

fn request(file: &Path) -> LoadRequest {
    let mut request = LoadRequest::new(file);
    let bytes = std::fs::read(file).unwrap_or_default();
    for line in String::from_utf8_lossy(&bytes).lines().take(4) {
        let line = line.trim_start_matches('\u{feff}');
        if let Some(args) = line.strip_prefix("# args: ") {
            let mut words = args.split(' ');
            while let Some(flag) = words.next() {
                let value = words.next().unwrap();
                match flag {
                    "--var" => request.vars.push(value.to_owned()),
                    "--var-file" => request.var_files.push(file.with_file_name(value)),
                    "--env" => request.env = Some(value.to_owned()),
                    other => panic!("{other}"),
                }
            }
        }
        if let Some((name, value)) = line.strip_prefix("# env: ").and_then(|e| e.split_once('=')) {
            request.environment.insert(name.to_owned(), value.to_owned());
        }
    }
    request
}

/// What `arrplan validate` writes, as one text.
fn page(stack: Option<&Stack>, diagnostics: &Diagnostics, sources: &SourceMap) -> String {
    let layout = arrplan::views::page::Layout { color: false, width: 100 };
    let stderr = arrplan::views::diagnostics::render(diagnostics, sources, layout);
    let status = if stack.is_some() { 0 } else { 4 };
    let stdout = stack.map_or(String::new(), |stack| {
        format!(
            "{} is valid: {} resources, {} edges\n",
            stack.file.display(),
            stack.resources.len(),
            stack.graph.edge_count()
        )
    });
    format!("status: {status}\n-- stdout --\n{stdout}-- stderr --\n{stderr}")
}

fn validate(request: &LoadRequest) -> String {
    let (stack, diagnostics, sources) = load(request);
    assert_eq!(stack.is_some(), !diagnostics.has_errors(), "a stack in hand is valid, and only then");
    page(stack.as_ref(), &diagnostics, &sources)
}

fn snapshot(folder: &str, name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(PathBuf::from("../cases/snapshots").join(folder));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// A folder with these files, removed at the end of the test.
fn folder(files: &BTreeMap<&str, String>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}
