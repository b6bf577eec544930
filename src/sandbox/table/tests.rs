use serde_json::json;

use super::*;

#[test]
fn ages_are_told_as_kubectl_shows_them() {
    for (seconds, expected) in [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (8 * 3600, "8h"),
        (48 * 3600, "2d"),
        (49 * 3600, "2d1h"),
        (8 * 86_400, "8d"),
        (2 * 365 * 86_400, "2y"),
        (9 * 365 * 86_400, "9y"),
    ] {
        assert_eq!(age::human(seconds), expected, "{seconds}");
    }
}

#[test]
fn paths_of_columns() {
    let object = json!({
        "spec": { "a": 1, "a.b/c": "d", "list": [{ "n": "x" }, { "n": "y" }] },
        "status": { "conditions": [{ "type": "Ready", "status": "True" }, { "type": "Other", "status": "False" }] },
    });
    for (path, expected) in [
        (".spec.a", json!([1])),
        (".spec['a.b/c']", json!(["d"])),
        (".spec.a\\.b/c", json!(["d"])),
        (".spec.list[0].n", json!(["x"])),
        (".spec.list[-1].n", json!(["y"])),
        (".spec.list[*].n", json!(["x", "y"])),
        (".status.conditions[?(@.type==\"Ready\")].status", json!(["True"])),
        (".status.conditions[?(@.type=='Other')].status", json!(["False"])),
        (".status.nothing.below", json!([])),
    ] {
        let found: Vec<Value> = path::find(&object, path).into_iter().cloned().collect();
        assert_eq!(Value::from(found), expected, "{path}");
    }
}

#[test]
fn every_built_in_kind_has_as_many_cells_as_columns() {
    let now = Timestamp::from_second(1_700_000_000).unwrap();
    for resource in crate::sandbox::kinds::built_in() {
        let object = json!({ "metadata": { "name": "a", "creationTimestamp": "2023-11-14T22:13:10Z" } });
        let table = of(&resource, &object, Include::Metadata, true, "v1", now);
        let columns = table["columnDefinitions"].as_array().map_or(0, Vec::len);
        let cells = table["rows"][0]["cells"].as_array().map_or(0, Vec::len);
        assert_eq!(columns, cells, "{}: {}", resource.plural, table["rows"][0]["cells"]);
    }
}
