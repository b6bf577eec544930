//! Stacks that are right, and what they compile to.

use std::fmt::Write as _;

use arrplan::address::Address;
use arrplan::graph::ReasonKind;
use arrplan::stack::{Late, Part, Resource, SecretSource, Stack, Target, Val, VariableValue, load};
use serde_json::{Value, json};

use super::{cases, page, snapshot};

#[test]
fn every_valid_stack_compiles_to_what_it_says() {
    let cases = cases("valid");
    assert!(cases.len() >= 10, "only {} valid stacks", cases.len());
    for case in cases {
        let (stack, diagnostics, sources) = load(&case.request);
        let mut text = page(stack.as_ref(), &diagnostics, &sources);
        assert!(text.starts_with("status: 0"), "{} is broken:\n{text}", case.name);
        let stack = stack.unwrap();
        write!(text, "-- compiled --\n{:#}\n", compiled(&stack)).unwrap();
        snapshot("valid", &case.name, &text);
    }
}

#[test]
fn the_same_files_give_the_same_stack() {
    for case in cases("valid") {
        let (once, twice) = (load(&case.request), load(&case.request));
        assert_eq!(format!("{once:?}"), format!("{twice:?}"), "{}", case.name);
    }
}

fn compiled(stack: &Stack) -> Value {
    let resources: serde_json::Map<String, Value> = stack
        .resources
        .iter()
        .map(|(address, found)| (address.to_string(), resource(stack, address, found)))
        .collect();
    let variables: serde_json::Map<String, Value> = stack
        .variables
        .iter()
        .map(|(name, variable)| {
            let value = match &variable.value {
                VariableValue::Plain(value) => value.clone(),
                VariableValue::Secret(SecretSource::File(path)) => {
                    format!("file …/{}", path.file_name().unwrap().display()).into()
                }
                VariableValue::Secret(SecretSource::VarFile(path)) => {
                    format!("variable file …/{}", path.file_name().unwrap().display()).into()
                }
                VariableValue::Secret(source) => format!("{source:?}").into(),
            };
            (name.clone(), value)
        })
        .collect();
    let outputs: serde_json::Map<String, Value> =
        stack.outputs.iter().map(|(name, output)| (name.clone(), value(&output.value))).collect();
    json!({
        "name": stack.name,
        "resources": resources,
        "variables": variables,
        "outputs": outputs,
        "existing": stack.existing.iter().map(|(address, e)| format!("{address} = {} {:?}/{}, wait {:?}", e.kind, e.namespace, e.name, e.wait)).collect::<Vec<_>>(),
        "moved": stack.moved.iter().map(|m| format!("{} -> {}", m.from, m.to)).collect::<Vec<_>>(),
        "removed": stack.removed.iter().map(|r| format!("{} destroy={}", r.resource, r.destroy)).collect::<Vec<_>>(),
        "sources": stack.sources.iter().map(|(name, path)| format!("{name} = …/{}", path.file_name().unwrap().display())).collect::<Vec<_>>(),
        "order": stack.graph.order().iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn value(val: &Val) -> Value {
    match val {
        Val::Null => Value::Null,
        Val::Bool(b) => (*b).into(),
        Val::Number(n) => n.clone().into(),
        Val::String(s) => s.clone().into(),
        Val::List(items) => items.iter().map(value).collect(),
        Val::Map(map) => Value::Object(map.iter().map(|(k, v)| (k.clone(), value(v))).collect()),
        Val::Late(late) => later(late).into(),
    }
}

fn later(late: &Late) -> String {
    let parts: Vec<String> = late
        .parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Secret(name) => format!("<secret {name}>"),
            Part::Field(field) => match &field.target {
                Target::Resource(address) => format!("<{address}: {}>", field.path),
                Target::Existing(address) => format!("<existing {address}: {}>", field.path),
            },
        })
        .collect();
    format!("{}{}", if late.base64 { "base64 " } else { "" }, parts.concat())
}

/// What the resource waits for, each with its reasons and their lines.
fn edges(stack: &Stack, address: &Address) -> Vec<String> {
    stack
        .graph
        .dependencies(address)
        .map(|(to, reasons)| {
            let reasons: Vec<String> = reasons
                .iter()
                .map(|reason| {
                    let line =
                        reason.span.as_ref().map(|s| stack.sources_map.position(s).0).unwrap_or_default();
                    let kind = match &reason.kind {
                        ReasonKind::Reference(text) => format!("${{{text}}}"),
                        ReasonKind::Field(text) => text.clone(),
                        other => format!("{other:?}"),
                    };
                    format!("{kind}:{line}")
                })
                .collect();
            format!("{to} ({})", reasons.join(", "))
        })
        .collect()
}

fn resource(stack: &Stack, address: &Address, resource: &Resource) -> Value {
    let mut shown = json!({
        "object": resource.key().to_string(),
        "manifest": value(&resource.manifest),
        "after": edges(stack, address),
        "line": stack.sources_map.position(&resource.span).0,
    });
    let mut note = |key: &str, value: Value| {
        shown[key] = value;
    };
    if let Some(protect) = resource.protect {
        note("protect", protect.into());
    }
    if let Some(timeout) = resource.timeout {
        note("timeout", format!("{timeout:?}").into());
    }
    if resource.wait != arrplan::stack::Wait::Ready {
        note("wait", format!("{:?}", resource.wait).into());
    }
    if !resource.ignore.is_empty() {
        note("ignore", resource.ignore.iter().map(ToString::to_string).collect::<Vec<_>>().into());
    }
    if resource.replace_immutable {
        note("on_immutable", "replace".into());
    }
    for (path, span) in &resource.spans {
        let text = stack.sources_map.text(span.file);
        assert!(text.get(span.start..span.end).is_some(), "{path} of {address} has a place");
    }
    shown
}
