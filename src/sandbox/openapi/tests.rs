use super::*;

fn served() -> Served {
    let definition = json!({
        "spec": {
            "group": "crd1.example.org", "scope": "Namespaced",
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": { "type": "object", "properties": { "spec": { "type": "object" } } } },
            }],
        },
        "status": {
            "acceptedNames": { "plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList" },
            "conditions": [{ "type": "Established", "status": "True" }],
        },
    });
    let custom = crate::sandbox::custom::resources(&definition);
    crate::sandbox::kinds::built_in()
        .into_iter()
        .chain(custom)
        .map(|kind| ((kind.group.clone(), kind.version.clone(), kind.plural.clone()), kind.into()))
        .collect()
}

/// kubectl looks whether the PATCH of a kind takes `fieldValidation`.
#[test]
fn every_patch_says_that_it_takes_field_validation() {
    let served = served();
    for resource in served.values().filter(|resource| resource.verbs.iter().any(|verb| verb == "patch")) {
        let path = match resource.group.as_str() {
            "" => format!("/openapi/v3/api/{}", resource.version),
            group => format!("/openapi/v3/apis/{group}/{}", resource.version),
        };
        let document = answer(&served, &path).unwrap();
        let wanted = json!({
            "group": resource.group, "version": resource.version, "kind": resource.kind,
        });
        let patches = document["paths"].as_object().unwrap().values().map(|item| &item["patch"]);
        let mut of_kind = patches.filter(|patch| patch["x-kubernetes-group-version-kind"] == wanted);
        let patch = of_kind.next().unwrap_or_else(|| panic!("{wanted}"));
        let parameters = patch["parameters"].as_array().unwrap();
        assert!(parameters.iter().any(|parameter| parameter["name"] == "fieldValidation"), "{wanted}");
    }
}

#[test]
fn the_index_names_every_document_and_its_content() {
    let served = served();
    let index = answer(&served, "/openapi/v3").unwrap();
    let url = |name: &str| index["paths"][name]["serverRelativeURL"].as_str().unwrap_or_default().to_owned();
    assert!(url("apis/crd1.example.org/v1").starts_with("/openapi/v3/apis/crd1.example.org/v1?hash="));
    assert!(url("api/v1").len() > 128);
    let document = answer(&served, "/openapi/v3/apis/crd1.example.org/v1").unwrap();
    let kind = &document["components"]["schemas"]["org.example.crd1.v1.Widget"];
    assert_eq!(kind["properties"]["spec"], json!({ "type": "object" }));
    assert_eq!(answer(&served, "/openapi/v3/apis/nothing/v1"), None);
    assert_eq!(answer(&served, "/openapi/v2"), None);
}

/// The schema of a schema has schemas in it, in twelve places.
#[test]
fn a_type_that_lies_in_itself_is_told_once() {
    let mut served = served();
    let kind = crate::sandbox::custom::definition();
    served.insert((kind.group.clone(), kind.version.clone(), kind.plural.clone()), kind.into());
    let document = answer(&served, "/openapi/v3/apis/apiextensions.k8s.io/v1").unwrap();
    let name = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition";
    let versions =
        &document["components"]["schemas"][name]["properties"]["spec"]["properties"]["versions"]["items"];
    let schema = &versions["properties"]["schema"]["properties"]["openAPIV3Schema"];
    assert_eq!(schema["properties"]["description"], json!({ "type": "string" }));
    assert_eq!(schema["properties"]["not"], json!({ "type": "object" }));
    assert!(document.to_string().len() < 200_000);
}
