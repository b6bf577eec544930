//! The columns of tables are the API server's own.
//!
//! `ARRPLAN_GENERATE=1 cargo test --test conformance columns` writes `src/sandbox/data/columns.txt` instead of
//! comparing.

use std::fmt::Write as _;
use std::path::Path;

use crate::server::{self, Ask};

#[test]
fn the_columns_are_the_servers_own() {
    let Some(real) = server::servers().and_then(|servers| servers.real.as_ref()) else {
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let kinds = std::fs::read_to_string(root.join("src/sandbox/kinds/resources.txt")).expect("the kinds");
    let mut made = String::new();
    let built_in = kinds.lines().map(|line| {
        let mut words = line.split(' ');
        let (version, _kind, plural) = (words.next(), words.next(), words.next());
        (version.unwrap_or_default().to_owned(), plural.unwrap_or_default().to_owned())
    });
    let definitions = ("apiextensions.k8s.io/v1".to_owned(), "customresourcedefinitions".to_owned());
    for (api_version, plural) in built_in.chain([definitions]) {
        let (group, version) = api_version.split_once('/').expect("a group and a version");
        let base = if group == "core" { "/api".to_owned() } else { format!("/apis/{group}") };
        let ask = Ask {
            method: "GET".into(),
            path: format!("{base}/{version}/{plural}?limit=1"),
            headers: vec![("Accept".into(), "application/json;as=Table;v=v1;g=meta.k8s.io".into())],
            body: Vec::new(),
        };
        let answer = server::block_on(real.ask(&ask));
        let columns = &answer.body["columnDefinitions"];
        assert!(columns.is_array(), "{}: {}", ask.path, answer.body);
        writeln!(made, "{group} {version} {plural} {columns}").expect("a String takes all text");
    }
    let path = root.join("src/sandbox/data/columns.txt");
    if std::env::var_os("ARRPLAN_GENERATE").is_some() {
        std::fs::write(&path, &made).expect("the columns can be written");
        return;
    }
    let committed = std::fs::read_to_string(&path).expect("the columns can be read");
    let differs = made.lines().zip(committed.lines()).find(|(made, committed)| made != committed);
    assert!(
        made == committed,
        "src/sandbox/data/columns.txt is not what the server says; ARRPLAN_GENERATE=1 makes it anew. First difference: \
         {differs:#?}"
    );
}
