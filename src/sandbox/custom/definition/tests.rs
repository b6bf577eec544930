use super::*;

fn sample() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "gadgets.crd2.example.org" },
        "spec": {
            "group": "crd2.example.org", "scope": "Namespaced", "names": { "plural": "gadgets", "kind": "Gadget" },
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": {
                    "type": "object",
                    "properties": {
                        "spec": { "type": "object", "properties": {
                            "b": { "type": "boolean" },
                            "list": {
                                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                                "items": {
                                    "type": "object", "required": ["name"],
                                    "properties": { "name": { "type": "string" }, "v": { "type": "integer" } },
                                },
                            },
                            "set": { "type": "array", "x-kubernetes-list-type": "set", "items": { "type": "string" } },
                        } },
                    },
                } },
            }],
        },
    })
}

fn prepared(mut object: Value) -> Value {
    Definition.decode(&definition(), &mut object, &[], FieldValidation::Warn).unwrap();
    Definition.default(&mut object);
    object["status"] = Value::Null;
    complete(&mut object);
    store_version(&mut object);
    object
}

fn told(change: impl FnOnce(&mut Value)) -> Vec<(String, String)> {
    let mut object = sample();
    change(&mut object);
    let causes = Definition.validate_create(&prepared(object));
    causes.into_iter().map(|cause| (cause.field, cause.message)).collect()
}

const SPEC: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";

fn field<'o>(object: &'o mut Value, name: &str) -> &'o mut Value {
    object.pointer_mut(SPEC).unwrap().get_mut(name).unwrap()
}

#[test]
fn a_definition_is_completed_as_the_api_server_does() {
    let object = prepared(sample());
    assert_eq!(
        object["spec"]["names"],
        json!({ "plural": "gadgets", "singular": "gadget", "kind": "Gadget", "listKind": "GadgetList" })
    );
    assert_eq!(object["spec"]["conversion"], json!({ "strategy": "None" }));
    assert_eq!(
        object["status"],
        json!({
            "conditions": null, "acceptedNames": { "plural": "", "kind": "" }, "storedVersions": ["v1"],
        })
    );
    assert_eq!(told(|_| {}), []);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn mistakes_are_told_as_the_api_server_does() {
    const AT: &str = "spec.validation.openAPIV3Schema.properties[spec].properties";
    type Edits = Vec<(String, String)>;
    type Causes<'a> = Vec<(String, &'a str)>;
    let cases: Vec<(Edits, Causes<'_>)> = vec![
        (
            told(|o| o["metadata"]["name"] = "x".into()),
            vec![(
                "metadata.name".into(),
                "Invalid value: \"x\": must be spec.names.plural+\".\"+spec.group",
            )],
        ),
        (
            told(|o| {
                o["spec"]["scope"] = "Foo".into();
                o["spec"]["names"] = json!({ "plural": "gadgets" });
            }),
            vec![
                (
                    "spec.scope".into(),
                    "Unsupported value: \"Foo\": supported values: \"Cluster\", \"Namespaced\"",
                ),
                ("spec.names.singular".into(), "Required value"),
                ("spec.names.kind".into(), "Required value"),
                ("spec.names.listKind".into(), "Required value"),
            ],
        ),
        (
            told(|o| o["spec"]["versions"][0]["storage"] = false.into()),
            vec![
                (
                    "spec.versions".into(),
                    "Invalid value: [{\"Name\":\"v1\",\"Served\":true,\"Storage\":false,\"Deprecated\":false,\
                     \"DeprecationWarning\":null,\"Schema\":null,\"Subresources\":null,\
                     \"AdditionalPrinterColumns\":null,\"SelectableFields\":null}]: must have exactly one version \
                     marked as storage version",
                ),
                (
                    "status.storedVersions".into(),
                    "Invalid value: null: must have at least one stored version",
                ),
            ],
        ),
        (
            told(|o| *field(o, "b") = json!({})),
            vec![(format!("{AT}[b].type"), "Required value: must not be empty for specified object fields")],
        ),
        (
            told(|o| field(o, "b")["default"] = "x".into()),
            vec![(
                format!("{AT}[b].default"),
                "Invalid value: \"string\":  in body must be of type boolean: \"string\"",
            )],
        ),
        (
            told(|o| field(o, "b")["pattern"] = "(".into()),
            vec![(
                format!("{AT}[b].pattern"),
                "Invalid value: \"(\": must be a valid regular expression, but isn't: error parsing regexp: missing \
                 closing ): `(`",
            )],
        ),
        (
            told(|o| field(o, "b")["x-kubernetes-list-type"] = "map".into()),
            vec![
                (
                    format!("{AT}[b].type"),
                    "Invalid value: \"boolean\": must be array if x-kubernetes-list-type is specified",
                ),
                (
                    format!("{AT}[b].x-kubernetes-list-map-keys"),
                    "Required value: must not be empty if x-kubernetes-list-type is map",
                ),
                (
                    format!("{AT}[b].items"),
                    "Required value: must have a schema if x-kubernetes-list-type is map",
                ),
            ],
        ),
        (
            told(|o| field(o, "list")["x-kubernetes-list-map-keys"] = json!(["v"])),
            vec![(
                format!("{AT}[list].items.properties[v].default"),
                "Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a \
                 required property",
            )],
        ),
        (
            told(|o| field(o, "b")["anyOf"] = json!([{ "type": "string" }])),
            vec![(format!("{AT}[b].anyOf[0].type"), "Forbidden: must be empty to be structural")],
        ),
        (
            told(|o| field(o, "b")["x-kubernetes-validations"] = json!([{ "rule": "nonsense(self)" }])),
            vec![(
                format!("{AT}[b].x-kubernetes-validations[0].rule"),
                "Invalid value: {\"Rule\":\"nonsense(self)\",\"Message\":\"\",\"MessageExpression\":\"\",\
                 \"Reason\":null,\"FieldPath\":\"\",\"OptionalOldSelf\":null}: compilation failed: the sandbox has \
                 no function nonsense",
            )],
        ),
        (
            told(|o| {
                o["spec"]["versions"][0]["selectableFields"] =
                    json!([{ "jsonPath": ".spec.b" }, { "jsonPath": ".spec.nope" }]);
            }),
            vec![(
                "spec.selectableFields[1].jsonPath".into(),
                "Invalid value: \".spec.nope\": is an invalid path: does not refer to a valid field",
            )],
        ),
    ];
    for (told, expected) in cases {
        let expected: Vec<(String, String)> =
            expected.into_iter().map(|(field, message)| (field, message.to_owned())).collect();
        assert_eq!(told, expected);
    }
}

#[test]
fn unknown_fields_and_wrong_types_are_told() {
    let decode = |object: &mut Value, validation| Definition.decode(&definition(), object, &[], validation);
    let mut object = sample();
    field(&mut object, "b")["bogus"] = 1.into();
    field(&mut object, "list")["items"]["bogus"] = 1.into();
    assert_eq!(
        decode(&mut object, FieldValidation::Warn).unwrap(),
        ["unknown field \"spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.b.bogus\""]
    );
    assert_eq!(field(&mut object, "list")["items"].get("bogus"), None);
    let mut object = sample();
    field(&mut object, "b")["maximum"] = "5".into();
    assert_eq!(
        decode(&mut object, FieldValidation::Warn).unwrap_err().message,
        "CustomResourceDefinition in version \"v1\" cannot be handled as a CustomResourceDefinition: json: cannot \
         unmarshal string into Go struct field \
         JSONSchemaProps.spec.versions.schema.openAPIV3Schema.properties.properties.maximum of type float64"
    );
}

#[test]
fn names_are_accepted_once() {
    let now = "2024-05-01T12:00:00Z";
    let first = prepared(sample());
    let accepted = status(&first, &[], now);
    let condition = |name: &str, value: &str, reason: &str, message: &str| {
        json!({
            "type": name, "status": value, "lastTransitionTime": now, "reason": reason, "message": message,
        })
    };
    assert_eq!(
        accepted,
        json!({
            "conditions": [
                condition("NamesAccepted", "True", "NoConflicts", "no conflicts found"),
                condition("Established", "True", "InitialNamesAccepted", "the initial names have been accepted"),
            ],
            "acceptedNames": first["spec"]["names"], "storedVersions": ["v1"],
        })
    );
    let mut first = first;
    first["status"] = accepted;
    assert_eq!(status(&first, &[Arc::new(first.clone())], now), first["status"]);
    let mut second = prepared(sample());
    second["metadata"]["name"] = "others.crd2.example.org".into();
    second["spec"]["names"]["plural"] = "others".into();
    second["spec"]["names"]["singular"] = "other".into();
    let refused = status(&second, &[first.into(), second.clone().into()], now);
    assert_eq!(
        refused["conditions"],
        json!([
            condition("NamesAccepted", "False", "ListKindConflict", "\"GadgetList\" is already in use"),
            condition("Established", "False", "NotAccepted", "not all names are accepted"),
        ])
    );
    assert_eq!(refused["acceptedNames"], json!({ "plural": "others", "singular": "other", "kind": "" }));
}
