use std::path::Path;
use std::time::Duration;

use super::*;
use crate::apply::{Event, EventKind, Summary};
use crate::ops::SavedFile;
use crate::plan::Action;
use crate::views::plan::samples;

/// Checks `value` against the part of JSON Schema that our schemas use; unknown keywords fail the test.
fn check(schema: &Value, value: &Value, root: &Value, at: &str) {
    let Value::Object(schema) = schema else {
        assert_eq!(schema, &Value::Bool(true), "{at}");
        return;
    };
    for (keyword, rule) in schema {
        match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" | "properties" | "additionalProperties" => {}
            "$ref" => {
                let pointer = rule.as_str().unwrap().trim_start_matches('#');
                check(root.pointer(pointer).unwrap(), value, root, at);
            }
            "const" => assert_eq!(rule, value, "{at}"),
            "enum" => assert!(rule.as_array().unwrap().contains(value), "{at}: {value}"),
            "type" => {
                let is = match value {
                    Value::Null => "null",
                    Value::Bool(_) => "boolean",
                    Value::Number(_) => "integer",
                    Value::String(_) => "string",
                    Value::Array(_) => "array",
                    Value::Object(_) => "object",
                };
                let fits = rule == is || rule.as_array().is_some_and(|list| list.contains(&json!(is)));
                assert!(fits, "{at}: {value} is {is}, not {rule}");
            }
            "required" => {
                for key in rule.as_array().unwrap() {
                    let missing = value.as_object().is_some_and(|v| !v.contains_key(key.as_str().unwrap()));
                    assert!(!missing, "{at}: {key} is missing");
                }
            }
            "items" => {
                for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(rule, item, root, &format!("{at}[{n}]"));
                }
            }
            other => panic!("{at}: unknown keyword {other}"),
        }
    }
    let Some(members) = value.as_object() else { return };
    for (key, member) in members {
        let at = format!("{at}.{key}");
        match (schema.get("properties").and_then(|p| p.get(key)), schema.get("additionalProperties")) {
            (None, Some(Value::Bool(false))) => panic!("{at} is not in the schema"),
            (Some(rule), _) | (None, Some(rule)) => check(rule, member, root, &at),
            (None, None) => {}
        }
    }
}

#[test]
fn every_plan_is_as_the_schema_says() {
    let schema: Value = serde_json::from_str(PLAN_SCHEMA).unwrap();
    for sample in [
        samples::first(),
        samples::update(),
        samples::drift(),
        samples::contested(),
        samples::adopt_and_replace(),
        samples::destroy(),
        samples::not_ready(),
        samples::nothing(),
    ] {
        let json = plan(&sample, None);
        assert!(!json.to_string().contains("Y2FuYXJ5"), "a secret value is shown");
        check(&schema, &json, &schema, "plan");
    }
}

#[test]
fn every_saved_plan_is_as_the_schema_says() {
    let schema: Value = serde_json::from_str(SAVED_PLAN_SCHEMA).unwrap();
    for sample in [
        samples::first(),
        samples::update(),
        samples::drift(),
        samples::adopt_and_replace(),
        samples::destroy(),
        samples::not_ready(),
        samples::nothing(),
    ] {
        let text = crate::ops::saved_text(&sample);
        assert!(!text.contains("Y2FuYXJ5"), "a secret value is in it");
        check(&schema, &serde_json::from_str(&text).unwrap(), &schema, "saved plan");
        SavedFile::parse(Path::new("p"), text.as_bytes()).unwrap();
    }
}

#[test]
fn every_damage_to_a_saved_plan_is_found() {
    let bytes = crate::ops::saved_text(&samples::nothing()).into_bytes();
    let refused = |bytes: &[u8]| SavedFile::parse(Path::new("p"), bytes).unwrap_err().code;
    for at in 0..bytes.len() {
        assert_eq!(refused(&bytes[..at]), "E421", "cut at {at}");
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x11;
        // A flipped version may read as a newer format.
        assert!(["E421", "E422"].contains(&refused(&flipped)), "byte {at}");
    }
}

#[test]
fn a_change_that_is_not_made_says_why() {
    let schema: Value = serde_json::from_str(PLAN_SCHEMA).unwrap();
    let mut sample = samples::update();
    sample.changes[0].broken = Some(vec!["it was deleted".to_owned()]);
    let json = plan(&sample, None);
    check(&schema, &json, &schema, "plan");
    assert_eq!(json["changes"][0]["broken"], json!(["it was deleted"]));
}

#[test]
fn a_plan_in_whole() {
    insta::assert_snapshot!(pretty(&plan(&samples::not_ready(), None)));
}

#[test]
fn every_event_is_as_the_schema_says() {
    let schema: Value = serde_json::from_str(EVENTS_SCHEMA).unwrap();
    let address = || samples::address("helm_release.arr-stack");
    let took = Duration::from_millis(1500);
    let kinds = [
        EventKind::Started { total: 2 },
        EventKind::ChangeStarted { address: address(), action: Action::Create, usual: Some(took) },
        EventKind::ChangeStarted { address: address(), action: Action::NoOp, usual: None },
        EventKind::Written { address: address() },
        EventKind::Waiting { address: address(), what: "2 of 3 Deployments ready".into() },
        EventKind::Done { address: address(), action: Action::Create, took, detail: Some("Bound".into()) },
        EventKind::Failed { address: address(), action: Action::Update, took, lines: vec!["why".into()] },
        EventKind::Skipped { address: address(), cause: address() },
        EventKind::Interrupted { address: address(), written: true, in_doubt: false },
        EventKind::Stopping,
        EventKind::Retrying { address: address(), why: "429".into(), pause: Duration::from_secs(1) },
        EventKind::Finished { summary: Summary { done: 1, failed: 1, serial: 3, ..Summary::default() } },
    ];
    let mut lines = vec![
        plan_line(&json!({})),
        outputs(&[("sonarr".to_owned(), json!("https://sonarr.media.cozy.example.org"))].into()),
    ];
    lines.extend(kinds.into_iter().map(|kind| event(&Event { elapsed: Duration::from_secs(2), kind })));
    let mut text = String::new();
    for line in &lines {
        check(&schema, line, &schema, "event");
        text.push_str(&line.to_string());
        text.push('\n');
    }
    insta::assert_snapshot!(text);
}
