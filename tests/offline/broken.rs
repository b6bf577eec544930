//! Stacks with the mistakes that people make.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use arrplan::stack::LoadRequest;

use super::{cases, folder, snapshot, validate};

/// Fewer cases than this, and the suite is not what it says.
const LEAST: usize = 80;

#[test]
fn every_broken_stack_says_what_is_wrong() {
    let cases = cases("broken");
    assert!(cases.len() >= LEAST, "only {} broken stacks", cases.len());
    for case in cases {
        let page = validate(&case.request);
        assert!(page.starts_with("status: 4"), "{} is not broken:\n{page}", case.name);
        snapshot("broken", &case.name, &page);
    }
}

/// Cases too large or too odd to keep as files.
#[test]
fn made_up_broken_stacks() {
    let stack = "[stack]\nname = \"x\"\n";
    let mut deep = format!("{stack}[config_map.a]\ndata.x = ");
    write!(deep, "{}1{}", "[".repeat(200), "]".repeat(200)).unwrap();
    let keys = format!("{stack}[config_map.a.{}]\nx = 1\n", ["a"; 200].join("."));
    let huge = format!("{stack}# {}\n", "x".repeat(5 * 1024 * 1024));
    for (name, text) in [("nested_200_deep", deep), ("keys_200_deep", keys), ("five_mebibytes", huge)] {
        let folder = folder(&BTreeMap::from([("s.toml", text)]));
        let page = validate(&LoadRequest::new(folder.path().join("s.toml")));
        assert!(page.starts_with("status: 4"), "{name}");
        let page = page.replace(&folder.path().display().to_string(), "");
        let lines: Vec<String> = page.lines().map(|line| line.chars().take(120).collect()).collect();
        snapshot("made_up", name, &lines.join("\n"));
    }
}

#[test]
fn a_stack_that_is_not_there() {
    let page = validate(&LoadRequest::new("tests/cases/none.toml"));
    snapshot("made_up", "not_there", &page);
    let page = validate(&LoadRequest::new("tests/cases"));
    snapshot("made_up", "a_folder", &page);
}
