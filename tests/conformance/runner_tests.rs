//! The runner itself: that it finds what differs, and only that.

use serde_json::{Value, json};

use crate::case::{Differs, Step};
use crate::fill::Known;
use crate::normal::Labels;
use crate::report::compare;
use crate::run::Exchange;
use crate::server::{Answer, Ask};

fn exchange(labels: &mut Labels, status: u16, body: Value) -> Exchange {
    let answer = Answer { status, ..Answer::none("") };
    let answer = Answer { body, ..answer };
    let shown = labels.show(&answer);
    Exchange { step: Some(0), ask: Ask::default(), answer, shown }
}

fn difference(step: &Step, left: Value, right: Value) -> Option<String> {
    let left = exchange(&mut Labels::default(), 200, left);
    let right = exchange(&mut Labels::default(), 200, right);
    compare(Some(step), &left, &right)
}

fn object(uid: &str, version: &str, data: &Value) -> Value {
    let uid = format!("{uid}{}", "-1111-2222-3333-444444444444");
    let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({ "metadata": { "uid": uid, "resourceVersion": version, "creationTimestamp": time }, "data": data })
}

#[test]
fn what_a_server_draws_is_no_difference_and_what_it_says_is() {
    let step = Step::default();
    let left = object("aaaaaaaa", "5", &json!({ "a": 1 }));
    assert_eq!(difference(&step, left.clone(), object("bbbbbbbb", "77", &json!({ "a": 1 }))), None);
    let told = difference(&step, left.clone(), object("bbbbbbbb", "77", &json!({ "a": 2 }))).unwrap();
    assert!(told.contains("-      \"a\": 1") && told.contains("+      \"a\": 2"), "{told}");
    let old = json!({ "metadata": { "creationTimestamp": "2001-01-01T00:00:00Z" } });
    let new = json!({ "metadata": { "creationTimestamp": "2002-01-01T00:00:00Z" } });
    assert!(difference(&step, old, new).is_some());
    let mut without = left.clone();
    without["metadata"].as_object_mut().unwrap().remove("uid");
    assert!(difference(&step, left, without).is_some());
}

#[test]
fn a_status_differs() {
    let left = exchange(&mut Labels::default(), 200, Value::Null);
    let right = exchange(&mut Labels::default(), 201, Value::Null);
    assert!(compare(None, &left, &right).is_some());
}

#[test]
fn what_changes_between_two_answers_of_one_server_is_compared() {
    let twice = |first: &str, second: &str| {
        let mut labels = Labels::default();
        let show = |labels: &mut Labels, version: &str| {
            exchange(labels, 200, object("aaaaaaaa", version, &json!({}))).shown
        };
        (show(&mut labels, first), show(&mut labels, second))
    };
    assert_eq!(twice("3", "3"), twice("8", "8"));
    assert_eq!(twice("3", "4"), twice("8", "11"));
    assert_ne!(twice("3", "4"), twice("8", "8"), "a write that was none");
}

#[test]
fn what_a_request_said_is_not_drawn() {
    let service = json!({ "spec": { "clusterIP": "10.0.0.7", "ports": [{ "nodePort": 30_001 }] } });
    let mut labels = Labels::default();
    let shown = labels.value(&service);
    assert_eq!(shown, json!({ "spec": { "clusterIP": "<ip 1>", "ports": [{ "nodePort": "<port 1>" }] } }));
    let mut labels = Labels::default();
    labels.sent(&Ask { body: b"10.0.0.7 30001".to_vec(), ..Ask::default() });
    assert_eq!(labels.value(&service)["spec"]["clusterIP"], "10.0.0.7");
}

#[test]
fn versions_and_uids_are_named_in_messages_too() {
    let mut labels = Labels::default();
    labels.value(&object("aaaaaaaa", "12", &json!({})));
    let told = "the ResourceVersion in the precondition (1) does not match (12) of aaaaaaaa-1111-2222-3333-444444444444";
    let shown = "the ResourceVersion in the precondition (1) does not match (<rv 1>) of <uid 1>";
    assert_eq!(labels.value(&json!(told)), json!(shown));
    assert_eq!(labels.value(&json!("no more than 12 characters")), json!("no more than 12 characters"));
    let old = labels.value(&json!("too old resource version: 1 (4711)"));
    assert_eq!(old, json!("too old resource version: 1 (<rv>)"));
}

#[test]
fn a_step_leaves_out_only_what_it_names() {
    let status = |message: &str, field: &str| json!({ "message": message, "details": { "causes": [{ "message": message, "field": field }] }, "other": field });
    let step = Step { message: Some(Differs::Differs), ..Step::default() };
    assert_eq!(difference(&step, status("x", "f"), status("y", "f")), None);
    assert!(difference(&step, status("x", "f"), status("y", "g")).is_some());
    let step = Step { except: vec!["/details/causes/*/field".into(), "/other".into()], ..Step::default() };
    assert_eq!(difference(&step, status("x", "f"), status("x", "g")), None);
    assert!(difference(&step, status("x", "f"), status("y", "g")).is_some());
    let step = Step { only: vec!["/details/causes/field=f/message".into()], ..Step::default() };
    assert_eq!(
        difference(
            &step,
            status("x", "f"),
            json!({ "details": { "causes": [{ "message": "x", "field": "f" }] } })
        ),
        None
    );
    assert!(difference(&step, status("x", "f"), status("y", "f")).is_some());
}

#[test]
fn placeholders_are_filled_from_answers() {
    let mut known = Known::new("area-1");
    known.push(None, &json!({ "metadata": { "uid": "u", "resourceVersion": "7" }, "spec": { "n": 3 } }));
    known.push(Some("second"), &json!({ "metadata": { "name": "drawn" } }));
    let filled = known.fill("/{ns}/{id}-x/{uid:1}/{rv:1}/{name:second}/{at:1:/spec/n}/{other}/{uid:2}");
    assert_eq!(filled, "/area-1/area-1-x/u/7/drawn/3/{other}/<no uid:2>");
    assert_eq!(known.fill_tree(&json!({ "{id}": ["{rv:1}", 1] })), json!({ "area-1": ["7", 1] }));
}
