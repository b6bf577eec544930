//! The charts, rendered by the real `helm`.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::helm::Helm;

const APP: &str = "apps/arr-stack";
const PLATFORM: &str = "core/platform";

/// What `stacks/arr.toml` gives it.
fn stack_values() -> Value {
    json!({
        "mediaClaim": "media-pvc",
        "apiKeys": { "secretName": "arr-secrets" },
        "storageClass": "replicated",
        "ingress": { "enabled": true, "className": "tenant-root", "domain": "media.example.org", "clusterIssuer": "" },
    })
}

/// What Cozystack adds to the values of every release.
fn with_tenant(mut values: Value) -> Value {
    values["_cluster"] =
        json!({ "root-host": "example.org", "solver": "http01", "issuer-name": "letsencrypt-stage" });
    values["_namespace"] = json!({ "host": "media.example.org", "ingress": "tenant-root" });
    values
}

fn variants() -> Vec<Value> {
    vec![
        json!({}),
        stack_values(),
        with_tenant(json!({ "ingress": { "enabled": true } })),
        json!({ "retain": false, "userId": 2000, "groupId": 3000, "mediaClaim": "123", "radarr": { "enabled": false } }),
        json!({ "auth": { "method": "External", "required": "Enabled" }, "sonarr": { "env": { "A": "1" }, "resources": null } }),
    ]
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

#[test]
fn lint_finds_nothing() {
    let Some(helm) = Helm::find() else { return };
    for (chart, values) in [(APP, json!({})), (APP, stack_values()), (PLATFORM, json!({}))] {
        helm.run(&["lint", "--strict", "--quiet"], chart, &values)
            .unwrap_or_else(|error| panic!("{chart}: {error}"));
    }
}

#[test]
fn the_release_of_the_stack() {
    let Some(helm) = Helm::find() else { return };
    insta::assert_snapshot!(helm.template(APP, &stack_values()).expect("it renders"));
}

#[test]
fn the_application_of_a_tenant() {
    let Some(helm) = Helm::find() else { return };
    let values = with_tenant(
        json!({ "ingress": { "enabled": true }, "radarr": { "enabled": false }, "sonarr": { "host": "tv.example.net" } }),
    );
    insta::assert_snapshot!(helm.template(APP, &values).expect("it renders"));
}

#[test]
fn the_registration() {
    let Some(helm) = Helm::find() else { return };
    let text = helm.template(PLATFORM, &json!({})).expect("it renders");
    // The schema, the icon and the order of keys are long lines with tests of their own.
    let shown: Vec<String> = text
        .lines()
        .map(|line| match line.char_indices().nth(60) {
            Some((end, _)) if line.len() > 200 => format!("{}...", &line[..end]),
            _ => line.to_owned(),
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn every_pod_runs_without_rights_and_is_probed() {
    let Some(helm) = Helm::find() else { return };
    let mut seen = 0;
    for values in variants() {
        for deployment in of_kind(&helm.objects(APP, &values), "Deployment") {
            seen += 1;
            let spec = &deployment["spec"];
            assert_eq!((&spec["replicas"], &spec["strategy"]["type"]), (&json!(1), &json!("Recreate")));
            let pod = &spec["template"]["spec"];
            assert_eq!(pod["automountServiceAccountToken"], false);
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
            assert_eq!(pod["securityContext"]["fsGroupChangePolicy"], "OnRootMismatch");
            assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
            for id in ["runAsUser", "runAsGroup", "fsGroup"] {
                assert!(pod["securityContext"][id].as_u64() > Some(0), "{id} of {pod}");
            }
            let mounts: BTreeSet<&str> =
                pod["volumes"].as_array().into_iter().flatten().filter_map(|v| v["name"].as_str()).collect();
            for container in pod["containers"].as_array().expect("a pod has containers") {
                let context = &container["securityContext"];
                assert_eq!(context["readOnlyRootFilesystem"], true);
                assert_eq!(context["allowPrivilegeEscalation"], false);
                assert_eq!(context["capabilities"], json!({ "drop": ["ALL"] }));
                for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                    assert_eq!(
                        container[probe]["httpGet"],
                        json!({ "path": "/ping", "port": "http" }),
                        "{probe}"
                    );
                }
                let image = container["image"].as_str().expect("an image is text");
                assert!(!image.ends_with(":latest") && image.contains(':'), "{image} is not pinned");
                for mount in container["volumeMounts"].as_array().expect("there are mounts") {
                    assert!(mounts.contains(mount["name"].as_str().expect("a name is text")), "{mount}");
                }
            }
        }
    }
    assert_eq!(seen, 3 * variants().len() - 1, "fewer Deployments than the variants ask for");
}

/// Another release of the same chart must not touch this one's objects, and a Service must find its own pods only.
#[test]
fn names_and_selectors_are_the_releases_own() {
    let Some(helm) = Helm::find() else { return };
    let objects = helm.objects(APP, &stack_values());
    let mut names = BTreeSet::new();
    for object in &objects {
        let name = object["metadata"]["name"].as_str().expect("a name is text");
        assert!(name.starts_with("arr-stack-"), "{name}");
        assert!(names.insert((object["kind"].to_string(), name.to_owned())), "{name} twice");
    }
    assert_eq!(names.len(), 12);
    for service in of_kind(&objects, "Service") {
        let pods: Vec<&Value> = of_kind(&objects, "Deployment")
            .into_iter()
            .filter(|deployment| {
                let labels = &deployment["spec"]["template"]["metadata"]["labels"];
                service["spec"]["selector"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .all(|(key, value)| labels[key] == *value)
            })
            .collect();
        assert_eq!(pods.len(), 1, "{service}");
        assert_eq!(pods[0]["metadata"]["name"], service["metadata"]["name"]);
    }
}

#[test]
fn config_volumes_outlive_the_release_unless_told_otherwise() {
    let Some(helm) = Helm::find() else { return };
    for (values, policy) in [(json!({}), json!("keep")), (json!({ "retain": false }), Value::Null)] {
        let objects = helm.objects(APP, &values);
        let claims = of_kind(&objects, "PersistentVolumeClaim");
        assert_eq!(claims.len(), 3);
        for claim in claims {
            assert_eq!(claim["metadata"]["annotations"]["helm.sh/resource-policy"], policy);
            assert_eq!(claim["spec"]["accessModes"], json!(["ReadWriteOnce"]));
        }
    }
}

/// The certificate of an Ingress by what the values say: (values below `ingress`, tenant, issuer annotation, secret).
#[test]
fn where_the_certificate_comes_from() {
    let Some(helm) = Helm::find() else { return };
    let cases = [
        (json!({}), false, json!(null), json!([{ "hosts": ["sonarr.a.example"] }])),
        (json!({ "tls": false }), false, json!(null), json!(null)),
        (json!({ "tls": false, "clusterIssuer": "le" }), false, json!(null), json!(null)),
        (
            json!({ "clusterIssuer": "le" }),
            false,
            json!("le"),
            json!([{ "hosts": ["sonarr.a.example"], "secretName": "arr-stack-sonarr-tls" }]),
        ),
        (
            json!({ "tlsSecret": "mine" }),
            false,
            json!(null),
            json!([{ "hosts": ["sonarr.a.example"], "secretName": "mine" }]),
        ),
        (
            json!({ "tlsSecret": "mine" }),
            true,
            json!(null),
            json!([{ "hosts": ["sonarr.a.example"], "secretName": "mine" }]),
        ),
        (
            json!({}),
            true,
            json!("letsencrypt-stage"),
            json!([{ "hosts": ["sonarr.a.example"], "secretName": "arr-stack-sonarr-tls" }]),
        ),
    ];
    for (mut ingress, tenant, issuer, tls) in cases {
        ingress["enabled"] = json!(true);
        ingress["domain"] = json!("a.example");
        let values = json!({ "ingress": ingress });
        let objects = helm.objects(APP, &if tenant { with_tenant(values) } else { values });
        let sonarr = of_kind(&objects, "Ingress")
            .into_iter()
            .find(|object| object["metadata"]["name"] == "arr-stack-sonarr")
            .expect("sonarr has one");
        assert_eq!(sonarr["metadata"]["annotations"]["cert-manager.io/cluster-issuer"], issuer, "{ingress}");
        assert_eq!(sonarr["spec"]["tls"], tls, "{ingress}");
    }
}

#[test]
fn wrong_values_are_refused_by_name() {
    let Some(helm) = Helm::find() else { return };
    let wrong = [
        json!({ "persistence": {} }),
        json!({ "global": { "ingress": { "main": { "enabled": true } } } }),
        json!({ "sonarr": { "ingress": { "main": { "hosts": [] } } } }),
        json!({ "radarr": { "image": { "digest": "sha256:0" } } }),
        json!({ "ingress": { "class": "nginx" } }),
        json!({ "ingress": { "enabled": true } }),
        json!({ "ingress": { "enabled": "yes" } }),
        json!({ "ingress": { "annotations": { "a": 1 } } }),
        json!({ "auth": { "method": "None" } }),
        json!({ "sonarr": { "configSize": "lots" } }),
        json!({ "sonarr": { "image": { "tag": "" } } }),
        json!({ "sonarr": { "host": "https://sonarr.example.org" } }),
        json!({ "prowlarr": { "resources": { "limits": { "memory": "1 GB" } } } }),
        json!({ "prowlarr": { "env": { "A": 1 } } }),
        json!({ "mediaClaim": "Media" }),
        json!({ "mediaPath": "media" }),
        json!({ "userId": 0 }),
    ];
    let mut said = String::new();
    for values in wrong {
        let error = helm.template(APP, &values).expect_err("it is refused");
        let lines: Vec<&str> =
            error.lines().filter(|line| !line.is_empty() && !line.starts_with("Use --debug")).collect();
        writeln!(said, "{values}\n    {}", lines.join("\n    ")).expect("a String takes all");
    }
    insta::assert_snapshot!(said);
}
