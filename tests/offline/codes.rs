//! Every code is explained, and every code of the language is met by a test.

use std::collections::BTreeSet;

use arrplan::diag::codes::{all, language};
use arrplan::stack::load;

use super::cases;

/// Codes of the language in its own sources.
fn used() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![std::path::PathBuf::from("src/stack")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("mod tests {").next().unwrap();
            for (at, _) in code.match_indices("\"E") {
                let word = &code[at + 1..(at + 5).min(code.len())];
                if word[1..].bytes().all(|b| b.is_ascii_digit()) && code.as_bytes().get(at + 5) == Some(&b'"')
                {
                    found.insert(word.to_owned());
                }
            }
        }
    }
    found
}

#[test]
fn codes_are_registered_sorted_and_explained() {
    let listed: Vec<&str> = all().map(|c| c.code).collect();
    let mut sorted = listed.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(listed, sorted);
    for code in used() {
        let entry =
            arrplan::diag::codes::find(&code).unwrap_or_else(|| panic!("{code} is not in the registry"));
        assert!(entry.text.len() > 60 && entry.text.ends_with(['.', '`', '\n']), "{code} is not explained");
    }
}

#[test]
fn every_code_of_the_language_is_met() {
    let mut met: BTreeSet<String> = BTreeSet::new();
    for case in cases("broken").into_iter().chain(cases("valid")) {
        met.extend(load(&case.request).1.0.into_iter().map(|d| d.code.to_owned()));
    }
    // Met by the tests of `made_up_broken_stacks` and of `find_stack`.
    met.extend(["E001", "E002", "E008", "E070", "E071"].map(str::to_owned));
    let registered: BTreeSet<String> = language().map(|c| c.code.to_owned()).collect();
    assert_eq!(
        registered.difference(&met).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "codes that no case meets"
    );
    assert_eq!(
        used().difference(&registered).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "codes that are not registered"
    );
}
