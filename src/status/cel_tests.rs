use proptest::prelude::*;
use serde_json::json;

use super::*;

fn object() -> Object {
    Object(json!({
        "apiVersion": "v1", "kind": "Widget",
        "metadata": { "name": "w", "generation": 2, "labels": { "a.b/c": "d" } },
        "status": {
            "phase": "Running", "replicas": 3, "ratio": 0.5, "observedGeneration": 2,
            "conditions": [{ "type": "Ready", "status": "True" }],
        },
    }))
}

#[test]
fn expressions_over_an_object() {
    for expression in [
        "status.phase == 'Running'",
        "self.status.phase == \"Running\"",
        "status.replicas >= 3 && status.ratio < 1.0",
        "status.observedGeneration == metadata.generation",
        "has(status.phase)",
        "!has(status.nothing)",
        "metadata.labels['a.b/c'] == 'd'",
        "status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')",
        "size(status.conditions) == 1",
        "status.phase.startsWith('Run')",
        "status.phase in ['Running', 'Done']",
    ] {
        let program = compile(expression).unwrap();
        assert_eq!(program.eval(&object()), Verdict::Done, "{expression}");
    }
    for expression in [
        "status.phase == 'Done'",
        "status.nothing == 1",
        "spec.replicas == 3",
        "status.conditions[4].type == 'Ready'",
        "has(spec.replicas) && spec.replicas == 1",
    ] {
        let program = compile(expression).unwrap();
        assert!(
            matches!(program.eval(&object()), Verdict::NotYet(_)),
            "{expression}: {:?}",
            program.eval(&object())
        );
    }
    for expression in ["status.phase", "status.replicas == 3 ? 1 : 2", "status.phase > 3"] {
        let verdict = compile(expression).map(|program| program.eval(&object()));
        assert!(matches!(verdict, Ok(Verdict::Mistake(_)) | Err(_)), "{expression}: {verdict:?}");
    }
}

#[test]
fn mistakes_show_without_a_cluster() {
    for known in
        ["size(status.x) > 1", "status.x.matches('a')", "int(status.x) == 1", "status.x.endsWith('a')"]
    {
        assert_eq!(check(known), Ok(()), "{known}");
    }
    for expression in
        ["", "status.phase ==", "(status", "status.phase == 'x", "1 + 1", "nonsense(status)", "'text'"]
    {
        let why = check(expression).expect_err(expression);
        assert!(!why.is_empty() && !why.contains('\n'), "{expression}: {why:?}");
    }
    assert!(check(&"a".repeat(5000)).is_err());
    assert!(check(&"(".repeat(2000)).is_err());
    assert!(check(&"!".repeat(4000)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_expression_panics(text in "[a-z.()\\[\\]{}'\"!&|=<>?:+\\-*/%, 0-9]{0,40}") {
        if let Ok(program) = compile(&text) {
            let _verdict = program.eval(&object());
        }
    }
}
