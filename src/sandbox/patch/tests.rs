use serde_json::{Value, json};

use super::*;

#[test]
fn a_merge_patch_replaces_adds_and_takes_away() {
    for (target, patch, expected) in [
        (json!({"a": 1, "b": 2}), json!({"a": null, "c": 3}), json!({"b": 2, "c": 3})),
        (json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": null}}), json!({"a": {"c": 2}})),
        (json!({"a": [1, 2]}), json!({"a": [3]}), json!({"a": [3]})),
        (json!({}), json!({"a": {"b": null, "c": {"d": null}}}), json!({"a": {"c": {}}})),
        (json!({}), json!({"a": [{"b": null}, null]}), json!({"a": [{}, null]})),
        (json!({"a": [1]}), json!({"a": [{"b": null}]}), json!({"a": [{}]})),
        (json!({"a": {"x": 1}}), json!({"a": [{"b": null}]}), json!({"a": [{"b": null}]})),
        (json!({"a": {"x": 1}}), json!({"a": "text"}), json!({"a": "text"})),
        (json!({"a": null}), json!({"a": {"b": null}}), json!({"a": {}})),
    ] {
        let mut merged = target.clone();
        merge(&mut merged, &patch).unwrap();
        assert_eq!(merged, expected, "{target} {patch}");
    }
    let messages: Vec<String> = [json!([1]), json!("x"), json!(null)]
        .iter()
        .map(|patch| merge(&mut json!({}), patch).unwrap_err().message)
        .collect();
    assert_eq!(
        messages,
        [
            "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
            "error decoding patch: json: cannot unmarshal string into Go value of type map[string]interface {}",
            "Invalid JSON Patch",
        ]
    );
}

#[test]
fn a_json_patch_applies_as_a_whole() {
    let target = || json!({"a": {"b": [1, 2, 3]}, "x/y": {"~": 1}, "n": null});
    let cases: &[(Value, Option<Value>)] = &[
        (
            json!([{"op": "add", "path": "/a/b/-", "value": 4}]),
            Some(json!({"a": {"b": [1, 2, 3, 4]}, "x/y": {"~": 1}, "n": null})),
        ),
        (
            json!([{"op": "add", "path": "/a/b/1", "value": 9}]),
            Some(json!({"a": {"b": [1, 9, 2, 3]}, "x/y": {"~": 1}, "n": null})),
        ),
        (
            json!([{"op": "add", "path": "/a/b/-1", "value": 9}]),
            Some(json!({"a": {"b": [1, 2, 3, 9]}, "x/y": {"~": 1}, "n": null})),
        ),
        (
            json!([{"op": "remove", "path": "/a/b/-1"}]),
            Some(json!({"a": {"b": [1, 2]}, "x/y": {"~": 1}, "n": null})),
        ),
        (
            json!([{"op": "replace", "path": "/x~1y/~0", "value": 2}]),
            Some(json!({"a": {"b": [1, 2, 3]}, "x/y": {"~": 2}, "n": null})),
        ),
        (
            json!([{"op": "replace", "path": "/new", "value": 2}]),
            Some(json!({"a": {"b": [1, 2, 3]}, "x/y": {"~": 1}, "n": null, "new": 2})),
        ),
        (
            json!([{"op": "move", "from": "/a/b/0", "path": "/first"}]),
            Some(json!({"a": {"b": [2, 3]}, "x/y": {"~": 1}, "n": null, "first": 1})),
        ),
        (
            json!([{"op": "copy", "from": "/a/b", "path": "/c"}]),
            Some(json!({"a": {"b": [1, 2, 3]}, "x/y": {"~": 1}, "n": null, "c": [1, 2, 3]})),
        ),
        (
            json!([{"op": "test", "path": "/a/b", "value": [1, 2, 3]}, {"op": "test", "path": "/no"}, {"op": "test", "path": "/n", "value": null}]),
            Some(target()),
        ),
        (
            json!([{"op": "add", "path": "/z"}]),
            Some(json!({"a": {"b": [1, 2, 3]}, "x/y": {"~": 1}, "n": null, "z": null})),
        ),
        (json!([{"op": "remove", "path": "/a"}, {"op": "test", "path": "/n", "value": 1}]), None),
        (json!([{"op": "add", "path": "/a/b/5", "value": 1}]), None),
        (json!([{"op": "add", "path": "/a/b/x", "value": 1}]), None),
        (json!([{"op": "add", "path": "/no/b", "value": 1}]), None),
        (json!([{"op": "add", "path": "", "value": {}}]), None),
        (json!([{"op": "remove", "path": "/no"}]), None),
        (json!([{"op": "replace", "path": "/a/b/3", "value": 1}]), None),
        (json!([{"op": "jump", "path": "/a"}]), None),
        (json!([{"path": "/a"}]), None),
        (json!([{"op": "remove"}]), None),
    ];
    for (patch, expected) in cases {
        let mut patched = target();
        let outcome = json(&mut patched, patch);
        assert_eq!(outcome.is_ok(), expected.is_some(), "{patch} {outcome:?}");
        assert_eq!(&patched, expected.as_ref().unwrap_or(&target()), "{patch}");
    }
}

#[test]
fn what_is_no_patch_is_refused() {
    let code = |patch: &Value| json(&mut json!({}), patch).map_err(|error| (error.code, error.message));
    let decoding = "error decoding patch: json: cannot unmarshal";
    assert_eq!(
        code(&json!({})),
        Err((400, format!("{decoding} object into Go value of type []handlers.jsonPatchOp")))
    );
    assert_eq!(
        code(&json!([1])),
        Err((400, format!("{decoding} number into Go value of type handlers.jsonPatchOp")))
    );
    let many: Value = (0..10_001).map(|_| json!({"op": "test", "path": "/no"})).collect();
    assert_eq!(code(&many).unwrap_err().0, 413);
    assert_eq!(
        unknown_fields(&json!([{"op": "test", "path": "/a", "extra": 1}])),
        ["json patch unknown field \"[0].extra\""]
    );
}
