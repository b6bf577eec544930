use serde_json::json;

use super::*;

fn object(labels: &Value) -> Value {
    json!({"metadata": {"name": "a", "namespace": "n", "labels": labels}})
}

#[test]
fn label_selectors_match_as_the_api_server_says() {
    let labelled = object(&json!({"a": "1", "b": "", "example.com/c": "x", "in": "notin"}));
    let bare = json!({"metadata": {"name": "a"}});
    let cases = [
        ("", true, true),
        ("a", true, false),
        ("!a", false, true),
        ("! a", false, true),
        ("a=1", true, false),
        ("a==1", true, false),
        (" a = 1 , b ", true, false),
        ("a=2", false, false),
        ("a!=1", false, true),
        ("a!=2", true, true),
        ("b=", true, false),
        ("b", true, false),
        ("b=,a", true, false),
        ("a in (1,2)", true, false),
        ("a in(2)", false, false),
        ("a notin (2)", true, true),
        ("a notin (1)", false, true),
        ("b in ()", true, false),
        ("b in (,)", true, false),
        ("b in (x,,y)", true, false),
        ("a>0", true, false),
        ("a>1", false, false),
        ("a<2", true, false),
        ("example.com/c>0", false, false),
        ("example.com/c in (x)", true, false),
        ("in in (notin)", true, false),
        ("in=notin", true, false),
        ("a,!a", false, false),
    ];
    for (text, on_labelled, on_bare) in cases {
        let selector = Labels::parse(text).expect(text);
        assert_eq!((selector.matches(&labelled), selector.matches(&bare)), (on_labelled, on_bare), "{text}");
    }
}

#[test]
fn bad_label_selectors_are_told_apart_in_the_api_servers_words() {
    let name = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
                '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
    let cases = [
        ("a===", "unable to parse requirement: found '=', expected: identifier".to_owned()),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt".to_owned()),
        ("a=1 b", "found 'b', expected: ',' or 'end of string'".to_owned()),
        ("a,", "found '', expected: identifier after ','".to_owned()),
        (",a", "found ',', expected: !, identifier, or 'end of string'".to_owned()),
        ("!", "unable to parse requirement: found '', expected: identifier".to_owned()),
        ("a in 1", "unable to parse requirement: found '1' expected: '('".to_owned()),
        ("a in (1", "unable to parse requirement: found '', expected: ',' or ')'".to_owned()),
        ("a in (=)", "unable to parse requirement: found '=', expected: ',', ')' or identifier".to_owned()),
        ("+", format!("unable to parse requirement: <nil>: Invalid value: \"+\": name part {name}")),
        (
            "a>x",
            "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must \
             be an integer"
                .to_owned(),
        ),
        (
            "a=-",
            "unable to parse requirement: values[0][a]: Invalid value: \"-\": a valid label must be an empty string \
             or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
             character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
             '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
                .to_owned(),
        ),
    ];
    for (text, message) in cases {
        assert_eq!(Labels::parse(text), Err(message), "{text}");
    }
}

#[test]
fn field_selectors_are_split_and_unescaped() {
    let bad = [
        ("foo", "invalid selector: 'foo'; can't understand 'foo'"),
        ("a=b,foo", "invalid selector: 'a=b,foo'; can't understand 'foo'"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
        ("a=\\x", "invalid field selector: invalid escape sequence: \\x"),
        ("a=\\", "invalid field selector: invalid escape sequence: \\"),
    ];
    for (text, message) in bad {
        assert_eq!(Fields::parse(text), Err(message.to_owned()), "{text}");
    }
    let fields = Fields::parse("metadata.name==a\\,\\=b,,x!=y").expect("well formed");
    assert_eq!(fields.exact("metadata.name"), Some("a,=b"));
    assert_eq!(fields.exact("x"), None);
    assert!(Fields::parse(",").expect("well formed").is_empty());
}

fn resource(kind: &str, namespaced: bool, selectable: &[&str]) -> Resource {
    let mut resource = crate::sandbox::kinds::built_in().remove(0);
    resource.kind = kind.to_owned();
    resource.namespaced = namespaced;
    resource.selectable = selectable.iter().copied().map(str::to_owned).collect();
    resource
}

#[test]
fn each_kind_has_its_fields() {
    let config_map = resource("ConfigMap", true, &[]);
    let node = resource("Node", false, &["spec.unschedulable"]);
    let job = resource("Job", true, &["status.successful"]);
    let check = |resource: &Resource, text: &str| Fields::parse(text)?.check(resource);
    assert_eq!(
        check(&config_map, "foo=bar"),
        Err("\"foo\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
            .to_owned())
    );
    assert_eq!(
        check(&node, "metadata.namespace=x"),
        Err("field label not supported: metadata.namespace".to_owned())
    );
    assert_eq!(check(&job, "x=1"), Err("field label \"x\" not supported for Job".to_owned()));
    let pod = resource("Pod", true, &["spec.nodeName", "spec.hostNetwork", "status.podIP", "status.phase"]);
    let event = resource("Event", true, &["source", "involvedObject.name"]);
    let a_pod = json!({"metadata": {"name": "p", "namespace": "n"}, "spec": {"nodeName": "m"},
                       "status": {"podIPs": [{"ip": "10.0.0.1"}]}});
    let cases = [
        (&pod, "spec.host=m", &a_pod, true),
        (&pod, "spec.nodeName!=m", &a_pod, false),
        (&pod, "spec.hostNetwork=false,status.podIP=10.0.0.1,status.phase=", &a_pod, true),
        (&pod, "metadata.name=p,metadata.namespace=n", &a_pod, true),
        (&pod, "metadata.namespace=other", &a_pod, false),
        (&node, "spec.unschedulable=true", &json!({"spec": {"unschedulable": true}}), true),
        (&job, "status.successful=0", &json!({"status": {}}), true),
        (&event, "source=c", &json!({"source": {"component": "c"}, "reportingComponent": "r"}), true),
        (&event, "source=r", &json!({"source": {}, "reportingComponent": "r"}), true),
    ];
    for (resource, text, object, matches) in cases {
        assert_eq!(check(resource, text).expect(text).matches(resource, object), matches, "{text}");
    }
}
