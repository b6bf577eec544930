#![expect(clippy::needless_pass_by_value, reason = "the arguments are `json!` temporaries")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::cluster::fake::{config_maps, namespaces};

fn reply(status: u16, body: &Value) -> Reply {
    Reply { status, body: body.to_string().into_bytes(), retry_after: None, date: None, lost_before: false }
}

fn status(code: u16, reason: &str, message: &str, details: Value) -> Reply {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "details": details, "code": code,
    });
    reply(code, &body)
}

fn of(reply: &Reply) -> Error {
    let api = config_maps();
    classify(reply, &Asked { api: &api, namespace: Some("media"), name: "app" })
}

/// The variant's name.
fn kind(error: &Error) -> String {
    let text = format!("{error:?}");
    text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
}

/// The bodies as a real kube-apiserver and a real aggregated API send them.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn real_bodies() {
    let fields = |causes: &[(&str, Option<&str>, &str)]| {
        let causes: Vec<Value> = causes
            .iter()
            .map(|(reason, field, message)| json!({ "reason": reason, "field": field, "message": message }))
            .collect();
        json!({ "name": "app", "kind": "configmaps", "causes": causes })
    };
    let named = json!({ "name": "app", "kind": "configmaps" });
    let rows = [
        ("NotFound", status(404, "NotFound", "configmaps \"app\" not found", named.clone())),
        (
            "NamespaceNotFound",
            status(
                404,
                "NotFound",
                "namespaces \"media\" not found",
                json!({ "name": "media", "kind": "namespaces" }),
            ),
        ),
        (
            "KindNotServed",
            Reply {
                status: 404,
                body: b"404 page not found\n".to_vec(),
                retry_after: None,
                date: None,
                lost_before: false,
            },
        ),
        (
            "KindNotServed",
            status(404, "NotFound", "the server could not find the requested resource", json!({})),
        ),
        // Another object's 404 proves nothing about ours.
        (
            "Other",
            status(404, "NotFound", "secrets \"app\" not found", json!({ "name": "app", "kind": "secrets" })),
        ),
        (
            "Other",
            status(
                404,
                "NotFound",
                "configmaps \"b\" not found",
                json!({ "name": "b", "kind": "configmaps" }),
            ),
        ),
        (
            "FieldsOwned",
            status(
                409,
                "Conflict",
                "Apply failed with 1 conflict: conflict with \"kubectl\" using v1: .data.k",
                json!({ "causes": [{ "reason": "FieldManagerConflict", "message": "conflict with \"kubectl\" using v1", "field": ".data.k" }] }),
            ),
        ),
        (
            "Stale",
            status(
                409,
                "Conflict",
                "Operation cannot be fulfilled on configmaps \"app\": the object has been modified; please apply your changes to the latest version and try again",
                named.clone(),
            ),
        ),
        (
            "AnotherObject",
            status(
                409,
                "Conflict",
                "Operation cannot be fulfilled on configmaps \"app\": uid mismatch: the provided object specified uid 1, and no existing object was found",
                named.clone(),
            ),
        ),
        (
            "AnotherObject",
            status(
                409,
                "Conflict",
                "Operation cannot be fulfilled on configmaps \"app\": the UID in the precondition (1) does not match the UID in record (2). The object might have been deleted and then recreated",
                named.clone(),
            ),
        ),
        (
            "AnotherObject",
            status(
                422,
                "Invalid",
                "ConfigMap \"app\" is invalid: metadata.uid: Invalid value: \"1\": field is immutable",
                fields(&[(
                    "FieldValueInvalid",
                    Some("metadata.uid"),
                    "Invalid value: \"1\": field is immutable",
                )]),
            ),
        ),
        ("AlreadyExists", status(409, "AlreadyExists", "configmaps \"app\" already exists", named.clone())),
        (
            "Invalid",
            status(
                422,
                "Invalid",
                "Deployment.apps \"app\" is invalid: spec.selector: Invalid value: …: field is immutable",
                fields(&[(
                    "FieldValueInvalid",
                    Some("spec.selector"),
                    "Invalid value: …: field is immutable",
                )]),
            ),
        ),
        (
            "Refused",
            status(
                422,
                "Invalid",
                "configmaps \"app\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
                fields(&[("", None, "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no")]),
            ),
        ),
        (
            "Refused",
            status(
                422,
                "Invalid",
                "admission webhook \"x.y\" denied the request: spec.a: is immutable",
                fields(&[("FieldValueInvalid", Some("spec.a"), "is immutable")]),
            ),
        ),
        ("Refused", status(422, "Invalid", "something", json!({}))),
        (
            "Invalid",
            status(
                422,
                "Invalid",
                "ConfigMap \"app\" is invalid: : Too long: may not be more than 1048576 bytes",
                fields(&[("FieldValueTooLong", None, "Too long: may not be more than 1048576 bytes")]),
            ),
        ),
        (
            "NamespaceTerminating",
            status(
                403,
                "Forbidden",
                "configmaps \"app\" is forbidden: unable to create new content in namespace media because it is being terminated",
                fields(&[(
                    "NamespaceTerminating",
                    Some("metadata.namespace"),
                    "namespace media is being terminated",
                )]),
            ),
        ),
        (
            "Forbidden",
            status(
                403,
                "Forbidden",
                "configmaps \"app\" is forbidden: User \"jane\" cannot patch resource \"configmaps\" in API group \"\" in the namespace \"media\"",
                named.clone(),
            ),
        ),
        (
            "Refused",
            status(
                403,
                "Forbidden",
                "configmaps \"app\" is forbidden: exceeded quota: q, requested: configmaps=1",
                named.clone(),
            ),
        ),
        (
            "Refused",
            status(
                403,
                "Forbidden",
                "admission webhook \"x\" denied the request: User \"jane\" cannot do this",
                named.clone(),
            ),
        ),
        ("Unauthorized", status(401, "Unauthorized", "Unauthorized", json!({}))),
        (
            "BadRequest",
            status(
                500,
                "",
                "failed to create typed patch object (media/app; /v1, Kind=ConfigMap): .spec: field not declared in schema",
                json!({}),
            ),
        ),
        ("BadRequest", status(400, "BadRequest", "strict decoding error: unknown field \"x\"", json!({}))),
        (
            "DryRunUnsupported",
            status(400, "BadRequest", "admission webhook \"x.y\" does not support dry run", json!({})),
        ),
        (
            "TooLarge",
            status(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728", json!({})),
        ),
        ("TooLarge", status(500, "", "etcdserver: request is too large", json!({}))),
        ("Other", status(410, "Expired", "The provided continue parameter is too old", json!({}))),
        ("Other", status(500, "InternalError", "Internal error occurred: something", json!({}))),
        // Cozystack's aggregated API.
        (
            "AnotherObject",
            status(500, "", "Precondition failed: UID in precondition: 1, UID in object meta: 2", json!({})),
        ),
        (
            "AlreadyExists",
            status(500, "", "helmreleases.helm.toolkit.fluxcd.io \"x\" already exists", json!({})),
        ),
    ];
    for (expected, reply) in rows {
        let error = of(&reply);
        assert_eq!(kind(&error), expected, "{reply:?} → {error:?}");
    }
}

#[test]
fn conflicts_and_namespaces_carry_what_is_needed() {
    let conflict = status(
        409,
        "Conflict",
        "Apply failed with 2 conflicts",
        json!({ "causes": [
            { "reason": "FieldManagerConflict", "message": "conflict with \"kubectl\" with subresource \"scale\" using apps/v1", "field": ".spec.replicas" },
            { "reason": "FieldManagerConflict", "message": "conflict with \"flux\"", "field": ".spec.ports[port=80,protocol=\"TCP\"].name" },
        ]}),
    );
    let Error::FieldsOwned { conflicts, .. } = of(&conflict) else { panic!() };
    // Sorted: the server goes through its managers in no order.
    assert_eq!(conflicts[0].manager, "\"flux\"");
    assert_eq!(conflicts[1].field, ".spec.replicas");
    assert_eq!(conflicts[1].owner().subresource.as_deref(), Some("scale"));

    let gone = status(
        409,
        "Conflict",
        "Operation cannot be fulfilled on namespaces \"media\": The system is ensuring all content is removed from this namespace.  Upon completion, this namespace will automatically be purged by the system.",
        json!({ "name": "media", "kind": "namespaces" }),
    );
    let api = namespaces();
    let asked = Asked { api: &api, namespace: None, name: "media" };
    assert_eq!(classify(&gone, &asked), Error::NamespaceTerminating("media".into()));
    let missing = status(
        404,
        "NotFound",
        "namespaces \"media\" not found",
        json!({ "name": "media", "kind": "namespaces" }),
    );
    assert_eq!(kind(&classify(&missing, &asked)), "NotFound");
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-zA-Z \"]{0,12}".prop_map(Value::from),
        Just(json!("Status")),
        Just(json!("NotFound")),
        Just(json!("FieldManagerConflict")),
    ];
    let key = prop_oneof![
        Just("kind".to_owned()),
        Just("reason".to_owned()),
        Just("details".to_owned()),
        Just("causes".to_owned()),
        Just("field".to_owned()),
        Just("message".to_owned()),
        Just("name".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..6).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    /// Whatever a server sends: no panic, and absence only for a typed 404 of the very object.
    #[test]
    fn any_body_is_classified(code in 300_u16..600, mut body in json_value(), typed in any::<bool>()) {
        if let (Value::Object(map), true) = (&mut body, typed) {
            map.insert("kind".to_owned(), json!("Status"));
        }
        let error = of(&reply(code, &body));
        if matches!(error, Error::NotFound(_)) {
            prop_assert_eq!(code, 404);
            prop_assert_eq!(body.pointer("/reason"), Some(&json!("NotFound")));
            prop_assert_eq!(body.pointer("/details/name"), Some(&json!("app")));
        }
        prop_assert!(!error.to_string().is_empty());
    }

    #[test]
    fn any_bytes_are_classified(code in 300_u16..600, body in prop::collection::vec(any::<u8>(), 0..200)) {
        let error = of(&Reply { status: code, body, retry_after: None, date: None, lost_before: false });
        prop_assert!(!matches!(error, Error::NotFound(_)));
    }
}
