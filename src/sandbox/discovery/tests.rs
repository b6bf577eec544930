use serde_json::json;

use super::*;
use crate::sandbox::custom;

fn served() -> Served {
    let definition = |plural: &str, kind: &str, versions: Value| {
        json!({
            "spec": { "group": "crd1.example.org", "scope": "Namespaced", "versions": versions },
            "status": {
                "acceptedNames": {
                    "plural": plural, "singular": kind.to_lowercase(), "kind": kind,
                    "listKind": format!("{kind}List"), "shortNames": ["wd"], "categories": ["all"],
                },
                "conditions": [{ "type": "Established", "status": "True" }],
            },
        })
    };
    let subresources = json!({
        "status": {}, "scale": { "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas" },
    });
    let widgets = definition(
        "widgets",
        "Widget",
        json!([
            { "name": "v1", "served": true, "storage": true, "subresources": subresources },
            { "name": "v1beta1", "served": true, "storage": false },
            { "name": "v2alpha1", "served": true, "storage": false },
            { "name": "v3", "served": false, "storage": false },
        ]),
    );
    custom::resources(&widgets)
        .into_iter()
        .map(|resource| {
            let key = (resource.group.clone(), resource.version.clone(), resource.plural.clone());
            (key, resource.into())
        })
        .collect()
}

fn asked(path: &str, accept: &str) -> Option<(&'static str, Value)> {
    answer(&served(), path, accept, "127.0.0.1:6443")
}

#[test]
fn a_version_tells_its_resources_as_the_api_server_does() {
    let (kind, body) = asked("/apis/crd1.example.org/v1", "application/json").unwrap();
    assert_eq!(kind, "application/json");
    assert_eq!(
        body,
        json!({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "crd1.example.org/v1",
            "resources": [
                {
                    "name": "widgets", "singularName": "widget", "namespaced": true, "kind": "Widget",
                    "verbs": ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"],
                    "shortNames": ["wd"], "categories": ["all"], "storageVersionHash": "PljorTmQz7s=",
                },
                {
                    "name": "widgets/status", "singularName": "", "namespaced": true, "kind": "Widget",
                    "verbs": ["get", "patch", "update"],
                },
                {
                    "name": "widgets/scale", "singularName": "", "namespaced": true, "group": "autoscaling",
                    "version": "v1", "kind": "Scale", "verbs": ["get", "patch", "update"],
                },
            ],
        })
    );
}

#[test]
fn groups_put_the_most_mature_version_first() {
    let version = |name: &str| json!({ "groupVersion": format!("crd1.example.org/{name}"), "version": name });
    let group = json!({
        "name": "crd1.example.org",
        "versions": [version("v1"), version("v1beta1"), version("v2alpha1")],
        "preferredVersion": version("v1"),
    });
    let (_, body) = asked("/apis", "*/*").unwrap();
    assert_eq!(body, json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [group.clone()] }));
    let (_, body) = asked("/apis/crd1.example.org", "").unwrap();
    assert_eq!(body["versions"], group["versions"]);
    assert_eq!(asked("/apis/crd1.example.org/v3", ""), None);
    assert_eq!(asked("/apis/nothing.example.org", ""), None);
}

#[test]
fn the_aggregated_form_is_given_to_who_prefers_it() {
    let preferring = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                      application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
    let (kind, body) = asked("/apis", preferring).unwrap();
    assert_eq!(kind, AGGREGATED);
    let group = &body["items"][0];
    assert_eq!(group["metadata"], json!({ "name": "crd1.example.org" }));
    let own = json!({ "group": "crd1.example.org", "version": "v1", "kind": "Widget" });
    assert_eq!(
        group["versions"][0],
        json!({
            "version": "v1", "freshness": "Current",
            "resources": [{
                "resource": "widgets", "responseKind": own, "scope": "Namespaced", "singularResource": "widget",
                "verbs": ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"],
                "shortNames": ["wd"], "categories": ["all"],
                "subresources": [
                    { "subresource": "status", "responseKind": own, "verbs": ["get", "patch", "update"] },
                    {
                        "subresource": "scale", "verbs": ["get", "patch", "update"],
                        "responseKind": { "group": "autoscaling", "version": "v1", "kind": "Scale" },
                    },
                ],
            }],
        })
    );
    for plain in ["application/json", "", "*/*", "application/json;g=apidiscovery.k8s.io;v=v9;as=Other,*/*"] {
        assert_eq!(asked("/apis", plain).unwrap().1["kind"], "APIGroupList", "{plain}");
    }
}

#[test]
fn versions_are_ordered_by_maturity() {
    let mut versions =
        vec!["v1", "v10", "v2", "foo1", "v11beta2", "v3beta1", "v12alpha1", "v11alpha2", "foo10"];
    versions.sort_by(|a, b| order::compare_versions(b, a));
    let expected = ["v10", "v2", "v1", "v11beta2", "v3beta1", "v12alpha1", "v11alpha2", "foo1", "foo10"];
    assert_eq!(versions, expected);
}
