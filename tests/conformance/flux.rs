//! The definitions the sandbox comes with are Flux's own.
//!
//! `ARRPLAN_GENERATE=1 cargo test --test conformance flux` writes `src/sandbox/data/flux.jsonl` instead of comparing.

use std::path::Path;

use serde_json::Value;

const FOLDERS: [&str; 3] =
    ["share/crds/source-controller", "share/crds/helm-controller", "share/crds/kustomize-controller"];

#[test]
fn the_embedded_definitions_are_fluxs_own() {
    let mut lines = Vec::new();
    for folder in FOLDERS {
        let Some(folder) = support::program(folder) else {
            return;
        };
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .expect("the folder can be read")
            .map(|entry| entry.expect("the folder can be read").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
            .collect();
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).expect("the file can be read");
            let mut definition: Value = serde_saphyr::from_str(&text).expect("the file is YAML");
            for version in definition["spec"]["versions"].as_array_mut().into_iter().flatten() {
                without_prose(&mut version["schema"]["openAPIV3Schema"]);
            }
            lines.push(definition.to_string());
        }
    }
    assert_eq!(lines.len(), 8);
    let made = lines.join("\n") + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sandbox/data/flux.jsonl");
    if std::env::var_os("ARRPLAN_GENERATE").is_some() {
        std::fs::write(&path, &made).expect("the definitions can be written");
        return;
    }
    let committed = std::fs::read_to_string(&path).expect("the definitions can be read");
    let differs = made.lines().zip(committed.lines()).find(|(made, committed)| made != committed);
    assert!(
        made == committed,
        "src/sandbox/data/flux.jsonl is not what Flux ships; ARRPLAN_GENERATE=1 makes it anew. First difference: \
         {differs:#?}"
    );
}

/// Takes descriptions out of a schema; a field of that name stays.
fn without_prose(schema: &mut Value) {
    let Value::Object(map) = schema else {
        return;
    };
    map.remove("description");
    for (key, below) in map {
        match (key.as_str(), below) {
            ("properties", Value::Object(fields)) => fields.values_mut().for_each(without_prose),
            ("allOf" | "anyOf" | "oneOf", Value::Array(list)) => list.iter_mut().for_each(without_prose),
            ("items" | "additionalProperties" | "not", below) => without_prose(below),
            _ => {}
        }
    }
}
