//! `README.md` names a test for every row, and names no test that is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// How many rows there are.
const ROWS: u32 = 42;

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The tests that the table names, by row: file and function.
fn named(table: &str) -> BTreeMap<u32, Vec<(String, String)>> {
    let mut rows = BTreeMap::new();
    for line in table.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let Some(row) = cells.first().and_then(|cell| cell.parse().ok()) else { continue };
        assert_eq!(cells.len(), 3, "row, what, tests: {line}");
        let tests: Vec<_> = cells[2]
            .split('`')
            .filter_map(|part| part.split_once("::"))
            .map(|(file, test)| (file.to_owned(), test.to_owned()))
            .collect();
        assert!(!tests.is_empty() || cells[2].starts_with("not done: "), "a test or a reason: {line}");
        assert!(rows.insert(row, tests).is_none(), "row {row} stands there twice");
    }
    rows
}

#[test]
fn every_row_has_a_test_that_exists_or_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let here = root.join("tests/scenarios");
    let rows = named(&read(&here.join("README.md")));
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), (1..=ROWS).collect::<Vec<_>>());
    let mut listed = BTreeSet::new();
    for (row, tests) in &rows {
        for (file, test) in tests {
            let path = if file.contains('/') { root.join(file) } else { here.join(file) };
            assert!(read(&path).contains(&format!("fn {test}(")), "row {row}: there is no {test} in {file}");
            listed.insert((*row, test.clone()));
        }
    }
    let mut there = 0;
    for entry in std::fs::read_dir(&here).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") || path.ends_with("table.rs") {
            continue;
        }
        let text = read(&path);
        for test in
            text.split("fn row_").skip(1).filter_map(|rest| rest.split_once('(')).map(|(name, _)| name)
        {
            let row = test.split('_').next().unwrap().parse().unwrap();
            assert!(listed.contains(&(row, format!("row_{test}"))), "the table does not name row_{test}");
            there += 1;
        }
    }
    assert!(there > 30, "only {there} tests");
}
