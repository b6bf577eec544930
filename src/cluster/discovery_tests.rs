use serde_json::json;

use super::*;
use crate::cluster::fake::{Got, Say, server, status};

fn aggregated(got: &Got) -> Say {
    let resource = |plural: &str, kind: &str, scope: &str, verbs: &[&str]| {
        json!({
            "resource": plural, "scope": scope, "verbs": verbs,
            "responseKind": { "group": "", "version": "", "kind": kind },
            "subresources": if plural == "deployments" { json!([{ "subresource": "scale" }]) } else { json!([]) },
        })
    };
    let all = ["create", "delete", "get", "list", "patch", "watch"];
    let group = |name: &str, versions: Value| json!({ "metadata": { "name": name }, "versions": versions });
    let list = |items: Value| Say::Json(200, json!({ "kind": "APIGroupDiscoveryList", "items": items }));
    match got.uri.as_str() {
        "/api" => list(json!([group(
            "",
            json!([{ "version": "v1", "freshness": "Current", "resources": [
                resource("configmaps", "ConfigMap", "Namespaced", &all),
                resource("namespaces", "Namespace", "Cluster", &all),
                resource("bindings", "Binding", "Namespaced", &["create"]),
            ]}])
        )])),
        "/apis" => list(json!([
            group(
                "apps",
                json!([{ "version": "v1", "resources": [resource("deployments", "Deployment", "Namespaced", &all)] }])
            ),
            group(
                "example.com",
                json!([
                    { "version": "v2", "resources": [resource("widgets", "Widget", "Namespaced", &all)] },
                    { "version": "v1", "resources": [resource("widgets", "Widget", "Namespaced", &all)] },
                ])
            ),
            group(
                "apps.cozystack.io",
                json!([{ "version": "v1alpha1", "resources": [resource("arrstacks", "ArrStack", "Namespaced", &all)] }])
            ),
            group("metrics.k8s.io", json!([{ "version": "v1beta1", "freshness": "Stale", "resources": [] }])),
        ])),
        _ => Say::Text(404, "404 page not found"),
    }
}

fn services() -> Say {
    let service = |group: &str, version: &str, managed: &str, remote: bool, available: bool| {
        json!({
            "metadata": { "name": format!("{version}.{group}"), "labels": { "kube-aggregator.kubernetes.io/automanaged": managed } },
            "spec": { "group": group, "version": version, "service": if remote { json!({ "name": "s" }) } else { Value::Null } },
            "status": { "conditions": [{ "type": "Available", "status": if available { "True" } else { "False" } }] },
        })
    };
    let items = json!([
        service("", "v1", "onstart", false, true),
        service("apps", "v1", "onstart", false, true),
        service("example.com", "v1", "true", false, true),
        service("example.com", "v2", "true", false, true),
        service("apps.cozystack.io", "v1alpha1", "", true, true),
        service("metrics.k8s.io", "v1beta1", "", true, false),
    ]);
    Say::Json(200, json!({ "kind": "APIServiceList", "items": items }))
}

fn needed(kinds: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    kinds.iter().map(|(v, k)| ((*v).to_owned(), (*k).to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn who_serves_what() {
    let (writer, log) = server(|got| match got.uri.split('?').next() {
        Some("/apis/apiregistration.k8s.io/v1/apiservices") => services(),
        _ => aggregated(got),
    });
    let found = writer.discover(&BTreeSet::new()).await.unwrap();
    assert_eq!(log.lock().unwrap().len(), 3);
    let by = |version: &str, kind: &str| found.find(version, kind).map(|api| api.served_by);
    assert_eq!(by("v1", "ConfigMap"), Some(ServedBy::BuiltIn));
    assert_eq!(by("apps/v1", "Deployment"), Some(ServedBy::BuiltIn));
    assert_eq!(by("example.com/v1", "Widget"), Some(ServedBy::Crd));
    assert_eq!(by("apps.cozystack.io/v1alpha1", "ArrStack"), Some(ServedBy::Aggregated));
    assert_eq!(by("v1", "Widget"), None);
    assert!(found.find("apps/v1", "Deployment").unwrap().scalable);
    assert!(!found.find("v1", "Namespace").unwrap().namespaced);
    assert_eq!(found.preferred("example.com", "Widget").unwrap().version, "v2");
    let listable: Vec<String> = found
        .all_listable_namespaced()
        .iter()
        .map(|api| format!("{}/{}", api.api_version(), api.plural))
        .collect();
    assert_eq!(
        listable,
        [
            "v1/configmaps",
            "apps/v1/deployments",
            "apps.cozystack.io/v1alpha1/arrstacks",
            "example.com/v2/widgets"
        ]
    );
    assert_eq!(found.unavailable().iter().collect::<Vec<_>>(), ["metrics.k8s.io/v1beta1"]);
    assert!(!found.is_complete());
    assert_eq!(writer.kind_is_gone(&found, "metrics.k8s.io", "PodMetrics").await, Ok(false));
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_read_api_services_crds_decide() {
    let (writer, _) = server(|got| match got.uri.split('?').next() {
        Some("/apis/apiregistration.k8s.io/v1/apiservices") => {
            status(403, "Forbidden", "apiservices is forbidden: User \"u\" cannot list", json!({}))
        }
        Some("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com") => Say::Json(
            200,
            json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": { "name": "widgets.example.com" } }),
        ),
        Some(uri) if uri.contains("customresourcedefinitions") => {
            let name = uri.rsplit('/').next().unwrap_or_default();
            status(404, "NotFound", "", json!({ "name": name, "kind": "customresourcedefinitions" }))
        }
        _ => aggregated(got),
    });
    let kinds = needed(&[
        ("v1", "ConfigMap"),
        ("example.com/v2", "Widget"),
        ("apps.cozystack.io/v1alpha1", "ArrStack"),
    ]);
    let found = writer.discover(&kinds).await.unwrap();
    let by = |version: &str, kind: &str| found.find(version, kind).unwrap().served_by;
    assert_eq!(by("v1", "ConfigMap"), ServedBy::BuiltIn);
    assert_eq!(by("example.com/v2", "Widget"), ServedBy::Crd);
    assert_eq!(by("apps.cozystack.io/v1alpha1", "ArrStack"), ServedBy::Aggregated);
    assert!(!found.is_complete(), "what hides cannot be known");
}

#[tokio::test(start_paused = true)]
async fn plain_discovery_of_an_older_server() {
    let (writer, _) = server(|got| match got.uri.split('?').next().unwrap_or_default() {
        "/api" => Say::Json(200, json!({ "kind": "APIVersions", "versions": ["v1"] })),
        "/api/v1" => Say::Json(
            200,
            json!({ "kind": "APIResourceList", "resources": [
                { "name": "configmaps", "kind": "ConfigMap", "namespaced": true, "verbs": ["list", "get"] },
            ]}),
        ),
        "/apis" => Say::Json(
            200,
            json!({ "kind": "APIGroupList", "groups": [
                { "name": "example.com", "preferredVersion": { "version": "v1" }, "versions": [{ "version": "v2" }, { "version": "v1" }] },
                { "name": "down.io", "preferredVersion": { "version": "v1" }, "versions": [{ "version": "v1" }] },
            ]}),
        ),
        "/apis/example.com/v1" | "/apis/example.com/v2" => Say::Json(
            200,
            json!({ "kind": "APIResourceList", "resources": [
                { "name": "widgets", "kind": "Widget", "namespaced": true, "verbs": ["get", "list"] },
                { "name": "widgets/scale", "kind": "Scale", "namespaced": true, "verbs": ["get"] },
            ]}),
        ),
        "/apis/apiregistration.k8s.io/v1/apiservices" => {
            Say::Json(200, json!({ "kind": "APIServiceList", "items": [] }))
        }
        _ => Say::Text(404, "404 page not found"),
    });
    let found = writer.discover(&BTreeSet::new()).await.unwrap();
    let widget = found.preferred("example.com", "Widget").unwrap();
    assert_eq!((widget.version.as_str(), widget.scalable, widget.namespaced), ("v1", true, true));
    assert_eq!(found.find("v1", "ConfigMap").unwrap().verbs, ["get", "list"]);
    assert_eq!(found.unavailable().iter().collect::<Vec<_>>(), ["down.io/v1"]);
    // Nobody said who serves it.
    assert_eq!(widget.served_by, ServedBy::Aggregated);
}

#[tokio::test(start_paused = true)]
async fn a_kind_is_gone_only_without_a_trace() {
    let (writer, _) = server(|got| match got.uri.split('?').next() {
        Some("/apis/apiextensions.k8s.io/v1/customresourcedefinitions") => Say::Json(
            200,
            json!({ "kind": "CustomResourceDefinitionList", "items": [
                { "metadata": { "name": "ghosts.example.com" }, "spec": { "group": "example.com", "names": { "kind": "Ghost" } } },
            ]}),
        ),
        _ => Say::Text(404, "404 page not found"),
    });
    let complete = Discovery::new(Vec::new(), BTreeSet::new(), true);
    assert_eq!(writer.kind_is_gone(&complete, "example.com", "Widget").await, Ok(true));
    assert_eq!(writer.kind_is_gone(&complete, "example.com", "Ghost").await, Ok(false));
    let hidden = Discovery::new(Vec::new(), ["x/v1".to_owned()].into(), true);
    assert_eq!(writer.kind_is_gone(&hidden, "example.com", "Widget").await, Ok(false));
    let unsure = Discovery::new(Vec::new(), BTreeSet::new(), false);
    assert_eq!(writer.kind_is_gone(&unsure, "example.com", "Widget").await, Ok(false));
}

#[tokio::test(start_paused = true)]
async fn one_kind_alone() {
    let (writer, _) = server(|got| match got.uri.as_str() {
        "/apis/example.com/v1" => Say::Json(
            200,
            json!({ "kind": "APIResourceList", "resources": [
                { "name": "widgets", "kind": "Widget", "namespaced": true, "verbs": ["get"] },
            ]}),
        ),
        "/apis/apiregistration.k8s.io/v1/apiservices/v1.example.com" => Say::Json(
            200,
            json!({ "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": { "name": "v1.example.com" }, "spec": { "group": "example.com", "version": "v1" } }),
        ),
        _ => Say::Text(404, "404 page not found"),
    });
    assert_eq!(writer.find_kind("example.com/v1", "Widget").await.unwrap().unwrap().served_by, ServedBy::Crd);
    assert_eq!(writer.find_kind("example.com/v1", "Other").await, Ok(None));
    assert_eq!(writer.find_kind("example.com/v9", "Widget").await, Ok(None));
}

/// A kind of a new definition is served a moment before its `APIService` is there.
#[tokio::test(start_paused = true)]
async fn a_kind_without_its_service_yet_is_of_its_definition() {
    let absent = |name: &str| {
        json!({ "kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": "not found",
            "details": { "name": name, "group": "apiregistration.k8s.io", "kind": "apiservices" } })
    };
    let (writer, _) = server(move |got| match got.uri.as_str() {
        "/apis/example.com/v1" => Say::Json(
            200,
            json!({ "kind": "APIResourceList", "resources": [
                { "name": "widgets", "kind": "Widget", "namespaced": true, "verbs": ["get"] },
            ]}),
        ),
        "/apis/apiregistration.k8s.io/v1/apiservices/v1.example.com" => {
            Say::Json(404, absent("v1.example.com"))
        }
        uri if uri.ends_with("/customresourcedefinitions/widgets.example.com") => Say::Json(
            200,
            json!({ "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": { "name": "widgets.example.com", "uid": "u" }, "spec": {} }),
        ),
        _ => Say::Text(404, "404 page not found"),
    });
    assert_eq!(writer.find_kind("example.com/v1", "Widget").await.unwrap().unwrap().served_by, ServedBy::Crd);
}
