//! Whatever the bytes: an answer, never a panic.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use arrplan::stack::{LoadRequest, load};
use proptest::prelude::*;

use super::{cases, folder, validate};

fn answers(bytes: &[u8]) {
    let folder = folder(&BTreeMap::new());
    let file = folder.path().join("s.toml");
    std::fs::write(&file, bytes).unwrap();
    let mut request = LoadRequest::new(&file);
    request.var_files.push(file);
    validate(&request);
}

/// Lines that a stack is made of, to be put together wrongly.
fn line() -> impl Strategy<Value = String> {
    let line = |lines: &'static [&'static str]| proptest::sample::select(lines).prop_map(str::to_owned);
    prop_oneof![
        line(&[
            "[stack]",
            "[config_map.a]",
            "[secret.b]",
            "[helm_release.c]",
            "[helm_release.c.spec.chart.spec]",
            "[locals]",
            "[variables.v]",
            "[outputs]",
            "[existing.service.s]",
            "[[moved]]",
            "[defaults]",
            "[manifest.m]",
            "[[removed]]",
            "[sources.g]"
        ]),
        line(&[
            "name = \"x\"",
            "namespace = \"ns\"",
            "data.k = \"${var.v}\"",
            "stringData.k = \"${var.v}\"",
            "secret = true",
            "from = { generate = {} }",
            "type = \"list\"",
            "default = [\"a\"]",
            "x = \"${local.y}\"",
            "y = \"${local.x}\"",
            "for_each = \"${var.v}\"",
            "for_each = [\"a\", \"b\"]",
            "depends_on = [\"config_map.a\"]",
            "o = \"${config_map.a.uid}\"",
            "labels = { a.b = \"c\" }",
            "kind = \"ConfigMap\"",
            "apiVersion = \"v1\"",
            "sourceRef = \"${helm_release.c.ref}\"",
            "wait = { cel = \"x\" }",
            "timeout = \"1h\"",
            "from = \"a.b\"",
            "spec = { values = { a = \"${null}\" } }"
        ]),
        "[a-z${}\\[\\]'\"=.#\\\\ ]{0,20}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        answers(&bytes);
    }

    #[test]
    fn any_text(text in "(?s).{0,200}") {
        answers(text.as_bytes());
    }

    #[test]
    fn lines_in_any_order(lines in proptest::collection::vec(line(), 0..24)) {
        answers(lines.join("\n").as_bytes());
    }

    #[test]
    fn cut_cases(at in any::<prop::sample::Index>(), case in any::<prop::sample::Index>(), put in "(?s).{0,3}") {
        let cases = cases("valid");
        let text = std::fs::read(&cases[case.index(cases.len())].request.file).unwrap();
        let at = at.index(text.len());
        let mut cut = text[..at].to_vec();
        cut.extend_from_slice(put.as_bytes());
        cut.extend_from_slice(&text[(at + put.len()).min(text.len())..]);
        answers(&cut);
    }
}

/// Values that grow by references are stopped, not followed until memory ends.
#[test]
fn doubling_is_stopped() {
    let mut text = "[stack]\nname = \"x\"\n[locals]\nl0 = \"0123456789\"\n".to_owned();
    for at in 1..60 {
        writeln!(text, "l{at} = \"${{local.l{0}}}${{local.l{0}}}\"", at - 1).unwrap();
    }
    for at in 1..60 {
        writeln!(text, "m{at} = [\"${{local.m{0}}}\", \"${{local.m{0}}}\"]", at - 1).unwrap();
    }
    text.push_str("m0 = []\n");
    let folder = folder(&BTreeMap::from([("s.toml", text)]));
    let (stack, diagnostics, _) = load(&LoadRequest::new(folder.path().join("s.toml")));
    assert!(stack.is_none());
    assert_eq!(
        diagnostics.0.iter().map(|d| d.code).collect::<Vec<_>>(),
        ["E008", "E008"],
        "{diagnostics:#?}"
    );
}
