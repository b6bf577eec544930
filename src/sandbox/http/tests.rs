use serde_json::json;

use super::body::{Decoded, as_go_tells};
use super::negotiate::{Form, PatchType, check_body, form, patch_type};
use super::options::{self, Of, WriteOptions};
use super::query::Query;
use super::route::{Place, place};
use crate::sandbox::resource::{FieldValidation, Propagation};
use crate::sandbox::verbs::DeleteOptions;

#[test]
fn paths_name_places() {
    let at = |group: &str, version: &str, namespace: Option<&str>, plural: &str, name: &str, sub: &str| {
        Some(Place {
            group: group.into(),
            version: version.into(),
            namespace: namespace.map(str::to_owned),
            plural: plural.into(),
            name: name.into(),
            subresource: sub.into(),
        })
    };
    let cases = [
        ("/api/v1/configmaps", at("", "v1", None, "configmaps", "", "")),
        ("/api/v1/namespaces", at("", "v1", None, "namespaces", "", "")),
        ("/api/v1/namespaces/a", at("", "v1", None, "namespaces", "a", "")),
        ("/api/v1/namespaces/a/", at("", "v1", None, "namespaces", "a", "")),
        ("/api/v1/namespaces/a/status", at("", "v1", None, "namespaces", "a", "status")),
        ("/api/v1/namespaces/a/finalize", at("", "v1", None, "namespaces", "a", "finalize")),
        ("/api/v1/namespaces/a/pods", at("", "v1", Some("a"), "pods", "", "")),
        ("/api/v1/namespaces/a/pods/b%2Bc+d", at("", "v1", Some("a"), "pods", "b+c+d", "")),
        (
            "/apis/apps/v1/namespaces/a/deployments/b/scale",
            at("apps", "v1", Some("a"), "deployments", "b", "scale"),
        ),
        ("/apis/rbac/v1/clusterroles/a:b", at("rbac", "v1", None, "clusterroles", "a:b", "")),
        ("/apis/apps/v1", None),
        ("/api/v1", None),
        ("/version", None),
        ("/", None),
    ];
    for (path, expected) in cases {
        assert_eq!(place(path), expected, "{path}");
    }
}

#[test]
fn queries_are_decoded() {
    let query = Query::parse("a=1&a=2&b=x%20y+z&flag&off=false&zero=0&odd=%zz");
    assert_eq!(query.get("a"), Some("1"));
    assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(query.get("b"), Some("x y z"));
    assert_eq!(query.get("odd"), Some("%zz"));
    let flags = ["flag", "off", "zero", "a", "none"].map(|name| query.flag(name));
    assert_eq!(flags, [true, false, false, true, false]);
}

#[test]
fn keys_given_twice_are_found() {
    let text = br#"{"a":{"b":1,"b":{"c":1},"d":[{"e":1,"e":2}]},"a":{"f":1}}"#;
    let last = Decoded::parse(text).expect("JSON");
    assert_eq!(last.value, json!({ "a": { "f": 1 } }));
    assert_eq!(last.duplicates, ["a.b", "a.d[0].e", "a"]);
    let merged = Decoded::parse_merged(text).expect("JSON");
    assert_eq!(merged.value, json!({ "a": { "b": { "c": 1 }, "d": [{ "e": 2 }], "f": 1 } }));
    assert_eq!(merged.duplicates, last.duplicates);
}

#[test]
fn json_mistakes_are_told_in_the_words_of_go() {
    let cases = [
        ("", "unexpected end of JSON input"),
        ("{\"a\":", "unexpected end of JSON input"),
        ("x", "invalid character 'x' looking for beginning of value"),
        ("{\"a\":\n tru}", "invalid character '}' looking for beginning of value"),
        ("{} x", "invalid character 'x' after top-level value"),
        ("{a}", "invalid character 'a' looking for beginning of object key string"),
        ("{\"a\" 1}", "invalid character '1' after object key"),
        ("{\"a\":1 2}", "invalid character '2' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
    ];
    for (text, expected) in cases {
        let error = Decoded::parse(text.as_bytes()).expect_err(text);
        assert_eq!(as_go_tells(&error, text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn the_form_wanted_most_that_is_to_be_had_is_chosen() {
    let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    let metadata = "application/json;as=PartialObjectMetadata;v=v1beta1;g=meta.k8s.io";
    let cases = [
        (String::new(), Some((Form::Whole, "v1"))),
        ("*/*".into(), Some((Form::Whole, "v1"))),
        ("application/vnd.kubernetes.protobuf,application/json".into(), Some((Form::Whole, "v1"))),
        (format!("application/json;q=0.3,{metadata}"), Some((Form::Metadata, "v1beta1"))),
        (format!("{metadata};q=0.1,application/json;q=0.3"), Some((Form::Whole, "v1"))),
        ("application/json;as=Nothing;v=v1;g=meta.k8s.io,application/json".into(), Some((Form::Whole, "v1"))),
        ("application/json;stream=watch".into(), Some((Form::Whole, "v1"))),
        (format!("{table},application/json"), Some((Form::Table, "v1"))),
        ("text/html".into(), None),
        ("application/yaml".into(), None),
        ("application/*".into(), None),
    ];
    for (accept, expected) in cases {
        assert_eq!(form(&accept, false).ok(), expected, "{accept}");
    }
    assert_eq!(form("application/*", true), Ok((Form::Whole, "v1")));
    let told = form("application/yaml", false).expect_err("not served").message;
    assert_eq!(told, "the sandbox answers application/json only");
}

#[test]
fn what_is_not_read_is_refused_and_told() {
    let codes =
        ["", "application/json", "application/json; charset=utf-8"].map(|text| check_body(text).is_ok());
    assert_eq!(codes, [true; 3]);
    let told = ["application/yaml", "text/plain"].map(|text| check_body(text).expect_err(text).message);
    assert_eq!(
        told,
        [
            "the sandbox reads application/json only, not application/yaml",
            "the body of the request was in an unknown format - accepted media types include: application/json, \
             application/yaml, application/vnd.kubernetes.protobuf"
        ]
    );
    assert_eq!(patch_type("application/apply-patch+yaml", false), Ok(PatchType::Apply));
    let strategic = patch_type("application/strategic-merge-patch+json", false).expect_err("not done");
    assert_eq!((strategic.code, strategic.reason), (415, "UnsupportedMediaType"));
    assert!(strategic.message.starts_with("the sandbox does not do strategic merge patches"));
}

#[test]
fn write_options_are_checked() {
    let parsed = WriteOptions::parse(
        &Query::parse("fieldManager=a&dryRun=All&fieldValidation=Strict&force=true"),
        Of::Apply,
    );
    let expected =
        WriteOptions { dry_run: true, validation: FieldValidation::Strict, manager: "a".into(), force: true };
    assert_eq!(parsed, Ok(expected));
    let wrong = [
        (
            "",
            Of::Apply,
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        ),
        (
            "force=1",
            Of::Patch,
            "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch",
        ),
        (
            "dryRun=",
            Of::Create,
            "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"\"]: supported values: \"All\"",
        ),
    ];
    for (query, of, message) in wrong {
        assert_eq!(WriteOptions::parse(&Query::parse(query), of).expect_err(query).message, message);
    }
}

#[test]
fn delete_options_come_from_the_body_or_the_query() {
    let query = Query::parse("propagationPolicy=Foreground&gracePeriodSeconds=7&dryRun=All&uid=u");
    let of_query = DeleteOptions {
        uid: Some("u".into()),
        propagation: Some(Propagation::Foreground),
        grace_period_seconds: Some(7),
        ..DeleteOptions::default()
    };
    assert_eq!(options::delete(&query, b""), Ok((of_query, true)));
    let body = br#"{"orphanDependents":true,"preconditions":{"resourceVersion":"5"}}"#;
    let of_body =
        DeleteOptions { resource_version: Some("5".into()), orphan: Some(true), ..DeleteOptions::default() };
    assert_eq!(options::delete(&query, body), Ok((of_body, false)));
}
