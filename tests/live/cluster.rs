//! `cluster/` against a real API server: every error body the classification rests on, discovery, the rights of
//! a user who has none, watches across broken connections.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io::{Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrplan::cluster::{
    Api, ConnectOptions, Deleted, DryRun, Error, IdentityKind, Observation, Operation, Preconditions, Reader,
    ServedBy, Writer, connect,
};
use arrplan::object::Object;
use serde_json::{Value, json};
use support::{ControlPlane, User, eventually};

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_mins(3), test).await.expect("within 3 minutes")
    })
}

async fn as_user(plane: &ControlPlane, user: User) -> Writer {
    let options = ConnectOptions { kubeconfig: Some(plane.kubeconfig(user)), ..ConnectOptions::default() };
    connect(&options).await.unwrap().1
}

async fn api(reader: &Reader, api_version: &str, kind: &str) -> Api {
    reader.find_kind(api_version, kind).await.unwrap().unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "the argument is a `json!` temporary")]
fn config_map(namespace: &str, name: &str, data: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": namespace }, "data": data,
    })
}

fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[key] = value;
    body
}

const OTHER_UID: &str = "11111111-2222-3333-4444-555555555555";

#[test]
fn each_error_body_means_what_we_take_it_for() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("errors");
    run(async {
        let writer = as_user(plane, User::Arrplan).await;
        let maps = api(&writer, "v1", "ConfigMap").await;
        let ns = ns.as_str();
        let apply = |name: &'static str, body: Value| {
            let (writer, maps) = (writer.clone(), maps.clone());
            async move { writer.apply(&maps, Some(ns), name, &body, false).await }
        };

        // Created, then the same again.
        let body = config_map(ns, "x", json!({ "k": "v" }));
        let first = apply("x", body.clone()).await.unwrap();
        let again = apply("x", body.clone()).await.unwrap();
        assert!(first.created && !again.created);
        assert_eq!(first.object.resource_version(), again.object.resource_version());

        // Absence: of the object, of its namespace, of the kind.
        assert_eq!(writer.get(&maps, Some(ns), "no").await, Ok(None));
        assert_eq!(writer.get(&maps, Some("no-such-namespace"), "no").await, Ok(None));
        let nowhere = config_map("no-such-namespace", "x", json!({}));
        let lost = writer.apply(&maps, Some("no-such-namespace"), "x", &nowhere, false).await;
        assert_eq!(lost, Err(Error::NamespaceNotFound("no-such-namespace".into())));
        let unknown = Api {
            plural: "gadgets".into(),
            kind: "Gadget".into(),
            group: "example.com".into(),
            ..maps.clone()
        };
        assert!(matches!(writer.get(&unknown, Some(ns), "x").await, Err(Error::KindNotServed { .. })));
        assert!(matches!(writer.list(&unknown, Some(ns), None).await, Err(Error::KindNotServed { .. })));
        assert_eq!(writer.find_kind("example.com/v1", "Gadget").await, Ok(None));

        // Guards.
        let create_only = with(body.clone(), "/metadata/resourceVersion", json!("1"));
        assert!(matches!(apply("x", create_only).await, Err(Error::Stale(_))));
        let stale =
            with(with(body.clone(), "/data", json!({ "k": "w" })), "/metadata/resourceVersion", json!("2"));
        assert!(matches!(apply("x", stale).await, Err(Error::Stale(_))));
        let other = with(body.clone(), "/metadata/uid", json!(OTHER_UID));
        assert!(matches!(apply("x", other).await, Err(Error::AnotherObject(_))));
        let absent = with(config_map(ns, "absent", json!({})), "/metadata/uid", json!(OTHER_UID));
        assert!(matches!(apply("absent", absent).await, Err(Error::AnotherObject(_))));
        let by_uid = |uid: &str| Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let deleted = writer.delete(&maps, Some(ns), "x", &by_uid(OTHER_UID)).await;
        assert!(matches!(deleted, Err(Error::AnotherObject(_))), "{deleted:?}");
        let old = Preconditions { uid: None, resource_version: Some("2".into()) };
        let deleted = writer.delete(&maps, Some(ns), "x", &old).await;
        assert!(matches!(deleted, Err(Error::Stale(_))), "{deleted:?}");
        let absent = writer.delete(&maps, Some(ns), "no", &by_uid(OTHER_UID)).await;
        assert_eq!(absent, Ok(Deleted::NotThere));
        assert!(matches!(writer.create(&maps, Some(ns), &body).await, Err(Error::AlreadyExists(_))));

        // Fields of others, with who and how.
        let theirs = config_map(ns, "owned", json!({ "a": "1" }));
        let path = format!("/api/v1/namespaces/{ns}/configmaps/owned");
        plane.server_side_apply(&path, "flux", &theirs, false).ok();
        plane
            .request(
                User::Admin,
                "PATCH",
                &format!("{path}?fieldManager=kubectl-edit"),
                Some(&json!({ "data": { "b": "2" } })),
            )
            .ok();
        let ours = config_map(ns, "owned", json!({ "a": "9", "b": "9" }));
        let Err(Error::FieldsOwned { conflicts, .. }) = apply("owned", ours).await else { panic!() };
        let told: Vec<_> =
            conflicts.iter().map(|c| (c.field.clone(), c.owner().name, c.owner().operation)).collect();
        assert_eq!(
            told,
            [
                (".data.a".to_owned(), "flux".to_owned(), Operation::Apply),
                (".data.b".to_owned(), "kubectl-edit".to_owned(), Operation::Update),
            ]
        );
        assert_eq!(conflicts[1].manager, "\"kubectl-edit\" using v1");

        // Mistakes.
        let undeclared = with(body.clone(), "/spec", json!({}));
        let error = apply("x", undeclared).await.unwrap_err();
        assert!(matches!(error, Error::BadRequest(_)), "{error:?}");
        let wrong_type = with(body.clone(), "/data", json!({ "k": 1 }));
        let error = apply("x", wrong_type).await.unwrap_err();
        assert!(matches!(error, Error::BadRequest(_)), "{error:?}");
        let bad_key = config_map(ns, "bad", json!({ "not a key": "v" }));
        let Err(Error::Invalid { causes, .. }) = apply("bad", bad_key).await else { panic!() };
        assert_eq!(causes[0].field.as_deref(), Some("data[not a key]"));
        let huge = config_map(ns, "huge", json!({ "k": "x".repeat(4 << 20) }));
        let error = apply("huge", huge).await.unwrap_err();
        assert!(matches!(error, Error::TooLarge(_)), "{error:?}");

        // Immutable.
        let fixed = with(config_map(ns, "fixed", json!({ "k": "v" })), "/immutable", json!(true));
        apply("fixed", fixed.clone()).await.unwrap();
        let changed = with(fixed, "/data", json!({ "k": "w" }));
        let Err(Error::Invalid { causes, .. }) = apply("fixed", changed).await else { panic!() };
        assert!(causes.iter().all(|cause| cause.field.is_some()), "{causes:?}");

        // A delete with fitting preconditions.
        let live = writer.get(&maps, Some(ns), "x").await.unwrap().unwrap();
        let fitting = Preconditions {
            uid: Some(live.uid().to_owned()),
            resource_version: Some(live.resource_version().to_owned()),
        };
        assert!(matches!(writer.delete(&maps, Some(ns), "x", &fitting).await, Ok(Deleted::Accepted(_))));
        assert_eq!(writer.get(&maps, Some(ns), "x").await, Ok(None));
    });
}

#[test]
fn admission_is_told_from_validation_and_rights() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("admission");
    let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "q" }, "spec": { "hard": { "count/secrets": "0" } } });
    plane.request(User::Admin, "POST", &format!("/api/v1/namespaces/{ns}/resourcequotas"), Some(&quota)).ok();
    // Its controller does not run here.
    let used = json!({ "status": { "hard": { "count/secrets": "0" }, "used": { "count/secrets": "0" } } });
    let path = format!("/api/v1/namespaces/{ns}/resourcequotas/q/status");
    plane.request(User::Admin, "PATCH", &path, Some(&used)).ok();
    plane.create(&format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{ name: cluster-test }}\nspec:\n  \
         failurePolicy: Fail\n  matchConstraints:\n    namespaceSelector: {{ matchLabels: {{ kubernetes.io/metadata.name: {ns} }} }}\n    \
         resourceRules: [{{ apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps] }}]\n  \
         validations: [{{ expression: \"object.metadata.name != 'refused'\", message: not this one }}]\n---\n\
         apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {{ name: cluster-test }}\nspec: {{ policyName: cluster-test, validationActions: [Deny] }}\n"
    ));
    run(async {
        let writer = as_user(plane, User::Arrplan).await;
        let maps = api(&writer, "v1", "ConfigMap").await;
        let ns = ns.as_str();
        let body = config_map(ns, "refused", json!({}));
        let refused = {
            let mut last = None;
            for _ in 0..100 {
                last = Some(writer.dry_run_apply(&maps, Some(ns), "refused", &body, false).await);
                if matches!(last, Some(Err(_))) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            last.unwrap()
        };
        assert!(
            matches!(&refused, Err(Error::Refused { status: 422, message, .. }) if message.contains("not this one")),
            "{refused:?}"
        );

        let secrets = api(&writer, "v1", "Secret").await;
        let secret =
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s", "namespace": ns } });
        let mut refused = writer.dry_run_apply(&secrets, Some(ns), "s", &secret, false).await;
        for _ in 0..50 {
            if refused.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            refused = writer.dry_run_apply(&secrets, Some(ns), "s", &secret, false).await;
        }
        assert!(
            matches!(&refused, Err(Error::Refused { status: 403, message, .. }) if message.contains("exceeded quota")),
            "{refused:?}"
        );
        assert_eq!(writer.allowed("patch", &secrets, Some(ns), Some("s")).await, Ok(true));

        let nobody = as_user(plane, User::Nobody).await;
        for error in [
            nobody.get(&maps, Some(ns), "x").await.unwrap_err(),
            nobody.list(&maps, Some(ns), None).await.unwrap_err(),
            nobody
                .dry_run_apply(&maps, Some(ns), "x", &config_map(ns, "x", json!({})), false)
                .await
                .unwrap_err(),
        ] {
            assert!(matches!(error, Error::Forbidden(_)), "{error:?}");
        }
        assert_eq!(nobody.allowed("patch", &maps, Some(ns), Some("x")).await, Ok(false));
        assert_eq!(nobody.identity().await.unwrap().kind, IdentityKind::ServerDigest);
        assert_eq!(writer.identity().await.unwrap().kind, IdentityKind::KubeSystemUid);
        let found = nobody.discover(&BTreeSet::new()).await.unwrap();
        assert!(!found.is_complete());
        assert_eq!(found.find("v1", "ConfigMap").unwrap().served_by, ServedBy::BuiltIn);
    });
}

#[test]
fn a_namespace_on_its_way_out_refuses_and_says_so() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("leaving");
    // With this in it, it stays terminating.
    let held = json!({ "metadata": { "name": "held", "finalizers": ["tests.arrplan.dev/hold"] } });
    plane.request(User::Admin, "POST", &format!("/api/v1/namespaces/{ns}/configmaps"), Some(&held)).ok();
    plane.request(User::Admin, "DELETE", &format!("/api/v1/namespaces/{ns}"), None).ok();
    run(async {
        let writer = as_user(plane, User::Arrplan).await;
        let maps = api(&writer, "v1", "ConfigMap").await;
        let refused = writer.apply(&maps, Some(&ns), "x", &config_map(&ns, "x", json!({})), false).await;
        assert_eq!(refused, Err(Error::NamespaceTerminating(ns.clone())));
        let namespaces = api(&writer, "v1", "Namespace").await;
        let live = writer.get(&namespaces, None, &ns).await.unwrap().unwrap();
        assert!(live.is_terminating());
        let again = Preconditions { uid: Some(live.uid().to_owned()), resource_version: None };
        let again = writer.delete(&namespaces, None, &ns, &again).await;
        assert!(
            matches!(&again, Ok(Deleted::Accepted(_)) | Err(Error::NamespaceTerminating(_))),
            "{again:?}"
        );
    });
}

#[test]
fn dry_runs_leave_nothing_behind() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("dry");
    run(async {
        let writer = as_user(plane, User::Arrplan).await;
        let maps = api(&writer, "v1", "ConfigMap").await;
        let body = config_map(&ns, "x", json!({ "k": "v" }));
        let dry = |body: Value| {
            let (writer, maps, ns) = (writer.clone(), maps.clone(), ns.clone());
            async move { writer.dry_run_apply(&maps, Some(&ns), "x", &body, false).await.unwrap() }
        };
        assert!(dry(body.clone()).await.created);
        assert_eq!(writer.get(&maps, Some(&ns), "x").await, Ok(None));
        writer.apply(&maps, Some(&ns), "x", &body, false).await.unwrap();
        let before = writer.get(&maps, Some(&ns), "x").await.unwrap().unwrap();
        let changed = dry(with(body.clone(), "/data", json!({ "k": "w" }))).await;
        assert!(!changed.created && !changed.moved(&before));
        assert_eq!(changed.object.0["data"]["k"], "w");
        let after = writer.get(&maps, Some(&ns), "x").await.unwrap().unwrap();
        assert_eq!(before, after);
        assert!(!DryRun::persisted(&before, &after));
        let real = writer
            .apply(&maps, Some(&ns), "x", &with(body, "/data", json!({ "k": "w" })), false)
            .await
            .unwrap();
        // The entry's time has seconds: what was really written shows in fields and version.
        assert_ne!(real.object.resource_version(), before.resource_version());
    });
}

#[test]
fn discovery_finds_kinds_as_they_come() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    run(async {
        let writer = as_user(plane, User::Arrplan).await;
        let found = writer.discover(&BTreeSet::new()).await.unwrap();
        let by = |version: &str, kind: &str| found.find(version, kind).map(|api| api.served_by);
        assert_eq!(by("v1", "ConfigMap"), Some(ServedBy::BuiltIn));
        assert_eq!(by("apps/v1", "Deployment"), Some(ServedBy::BuiltIn));
        assert!(found.find("apps/v1", "Deployment").unwrap().scalable);
        assert!(!found.find("v1", "Namespace").unwrap().namespaced);
        assert!(found.unavailable().is_empty(), "{:?}", found.unavailable());
        let listable = found.all_listable_namespaced();
        assert!(listable.len() > 15 && listable.iter().any(|api| api.plural == "persistentvolumeclaims"));
        assert_eq!(writer.kind_is_gone(&found, "cluster-test.example.com", "Widget").await, Ok(true));
        assert!(writer.version().await.unwrap().starts_with("v1."));

        let definitions = api(&writer, "apiextensions.k8s.io/v1", "CustomResourceDefinition").await;
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": { "name": "widgets.cluster-test.example.com" },
            "spec": {
                "group": "cluster-test.example.com", "scope": "Namespaced",
                "names": { "kind": "Widget", "plural": "widgets", "singular": "widget" },
                "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": {
                    "type": "object", "properties": { "spec": { "type": "object", "properties": { "size": { "type": "integer" } } } },
                }}}],
            },
        });
        let name = "widgets.cluster-test.example.com";
        let mut watch = writer.watch_object(&definitions, None, name);
        assert_eq!(watch.next().await, Observation::Absent);
        writer.apply(&definitions, None, name, &definition, false).await.unwrap();
        loop {
            if let Observation::Present(live) = watch.next().await
                && arrplan::status::compute(&live, &arrplan::status::Context::default()).state
                    == arrplan::status::State::Ready
            {
                break;
            }
        }
        let mut widget = None;
        for _ in 0..100 {
            widget = writer.find_kind("cluster-test.example.com/v1", "Widget").await.unwrap();
            if widget.as_ref().is_some_and(|widget| widget.served_by == ServedBy::Crd) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let widget = widget.unwrap();
        assert_eq!(widget.served_by, ServedBy::Crd);
        let schema = writer.crd_schema(&widget).await.unwrap().unwrap();
        assert_eq!(schema["properties"]["spec"]["properties"]["size"]["type"], "integer");
        let ns = plane.create_namespace("kinds");
        let body = |size: Value| json!({ "apiVersion": "cluster-test.example.com/v1", "kind": "Widget", "metadata": { "name": "w", "namespace": ns }, "spec": { "size": size } });
        assert!(writer.apply(&widget, Some(&ns), "w", &body(json!(1)), false).await.unwrap().created);
        let error =
            writer.dry_run_apply(&widget, Some(&ns), "w", &body(json!("big")), false).await.unwrap_err();
        assert!(matches!(&error, Error::Invalid { .. } | Error::BadRequest(_)), "{error:?}");
        let found = writer.discover(&BTreeSet::new()).await.unwrap();
        assert_eq!(writer.kind_is_gone(&found, "cluster-test.example.com", "Widget").await, Ok(false));
    });
}

#[test]
fn long_lists_come_whole_and_names_may_be_odd() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("many");
    run(async {
        let writer = as_user(plane, User::Arrplan).await;
        let maps = api(&writer, "v1", "ConfigMap").await;
        let made = (0..620).map(|i| {
            let (writer, maps, ns) = (writer.clone(), maps.clone(), ns.clone());
            tokio::spawn(async move {
                let name = format!("c{i:04}");
                let mut body = config_map(&ns, &name, json!({ "i": i.to_string() }));
                body["metadata"]["labels"] = json!({ "half": (i % 2).to_string() });
                writer.apply(&maps, Some(&ns), &name, &body, false).await.unwrap()
            })
        });
        for made in made.collect::<Vec<_>>() {
            assert!(made.await.unwrap().created);
        }
        let mut all = writer.list(&maps, Some(&ns), None).await.unwrap();
        // A controller puts this one into every namespace, sooner or later.
        all.retain(|object| object.name() != "kube-root-ca.crt");
        let names: BTreeSet<&str> = all.iter().map(Object::name).collect();
        assert_eq!((all.len(), names.len()), (620, 620));
        assert!(all.iter().all(|object| object.kind() == "ConfigMap" && object.api_version() == "v1"));
        assert_eq!(writer.list(&maps, Some(&ns), Some("half=1")).await.unwrap().len(), 310);

        let roles = api(&writer, "rbac.authorization.k8s.io/v1", "ClusterRole").await;
        let name = format!("{ns}:odd");
        let body = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": name } });
        assert!(writer.apply(&roles, None, &name, &body, false).await.unwrap().created);
        let role = writer.get(&roles, None, &name).await.unwrap().unwrap();
        assert_eq!(role.name(), name);
    });
}

#[test]
fn warnings_about_an_object_are_found() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("events");
    run(async {
        let writer = as_user(plane, User::Arrplan).await;
        let maps = api(&writer, "v1", "ConfigMap").await;
        let made = writer
            .apply(&maps, Some(&ns), "x", &config_map(&ns, "x", json!({})), false)
            .await
            .unwrap()
            .object;
        for (name, kind, reason) in [("w", "Warning", "Broken"), ("n", "Normal", "Fine")] {
            let event = json!({
                "metadata": { "name": name }, "type": kind, "reason": reason, "message": "m", "count": 2,
                "involvedObject": { "kind": "ConfigMap", "name": "x", "namespace": ns, "uid": made.uid() },
                "lastTimestamp": "2026-01-01T00:00:00Z",
            });
            plane.request(User::Admin, "POST", &format!("/api/v1/namespaces/{ns}/events"), Some(&event)).ok();
        }
        let events = writer.warning_events(&made).await.unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].reason.as_str(), events[0].count), ("Broken", 2));
    });
}

/// Passes bytes between us and the API server until told to cut every connection.
struct Proxy {
    address: String,
    open: Arc<Mutex<Vec<TcpStream>>>,
    refusing: Arc<AtomicBool>,
}

impl Proxy {
    fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        let open: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let refusing = Arc::new(AtomicBool::new(false));
        let server = server.trim_start_matches("https://").to_owned();
        let (all, refuse) = (open.clone(), refusing.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if refuse.load(Ordering::Relaxed) {
                    continue;
                }
                let upstream = TcpStream::connect(&server).unwrap();
                all.lock().unwrap().extend([client.try_clone().unwrap(), upstream.try_clone().unwrap()]);
                for (mut from, mut to) in
                    [(client.try_clone().unwrap(), upstream.try_clone().unwrap()), (upstream, client)]
                {
                    std::thread::spawn(move || {
                        let mut buffer = [0; 16 << 10];
                        while let Ok(count @ 1..) = from.read(&mut buffer) {
                            if to.write_all(&buffer[..count]).is_err() {
                                break;
                            }
                        }
                        drop(to.shutdown(Shutdown::Both));
                    });
                }
            }
        });
        Self { address, open, refusing }
    }

    fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

#[test]
fn broken_connections_are_lived_through() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("broken");
    let proxy = Proxy::start(plane.server());
    let mut content = plane.kubeconfig_content(User::Arrplan);
    content["clusters"][0]["cluster"]["server"] = json!(proxy.address);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    std::fs::write(&file, content.to_string()).unwrap();
    run(async {
        // By the environment this time.
        let options = ConnectOptions {
            env: BTreeMap::from([("KUBECONFIG".to_owned(), file.display().to_string())]),
            ..ConnectOptions::default()
        };
        let (_, writer) = connect(&options).await.unwrap();
        assert_eq!(writer.target().server, proxy.address);
        let retries = Arc::new(Mutex::new(Vec::new()));
        let log = retries.clone();
        let writer = writer.observed(move |retrying| log.lock().unwrap().push(retrying.why.clone()));
        let maps = api(&writer, "v1", "ConfigMap").await;
        let mut watch = writer.watch_object(&maps, Some(&ns), "x");
        assert_eq!(watch.next().await, Observation::Absent);
        for round in 0..4 {
            proxy.refusing.store(true, Ordering::Relaxed);
            proxy.cut();
            let back = {
                let refusing = proxy.refusing.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(700)).await;
                    refusing.store(false, Ordering::Relaxed);
                })
            };
            let text = json!(round.to_string());
            let body = config_map(&ns, "x", json!({ "round": text }));
            let applied = writer.apply(&maps, Some(&ns), "x", &body, false).await.unwrap();
            assert_eq!(applied.created, round == 0);
            back.await.unwrap();
            loop {
                match watch.next().await {
                    Observation::Present(object) if object.0["data"]["round"] == text => break,
                    Observation::Present(_) | Observation::Trouble(_) => {}
                    Observation::Absent => assert_eq!(round, 0, "it was seen before"),
                }
            }
        }
        assert!(!retries.lock().unwrap().is_empty());
    });
}

#[test]
fn a_server_that_is_not_there_is_reported_soon_and_a_wrong_authority_at_once() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    run(async {
        let nobody_there = ConnectOptions {
            kubeconfig: Some(plane.kubeconfig(User::Arrplan)),
            server: Some(format!("https://{free}")),
            ..ConnectOptions::default()
        };
        let (reader, _) = connect(&nobody_there).await.unwrap();
        let start = std::time::Instant::now();
        let error = reader.version().await.unwrap_err();
        assert!(matches!(&error, Error::Unavailable(text) if text.contains("refused")), "{error:?}");
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());

        let unknown_authority = ConnectOptions {
            server: Some(plane.server().to_owned()),
            env: BTreeMap::from([("HOME".to_owned(), "/nonexistent".to_owned())]),
            ..ConnectOptions::default()
        };
        let (reader, _) = connect(&unknown_authority).await.unwrap();
        let start = std::time::Instant::now();
        let error = reader.version().await.unwrap_err();
        assert!(matches!(&error, Error::Unavailable(text) if text.contains("certificate")), "{error:?}");
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    });
}

#[test]
fn credentials_that_stop_working_are_made_anew_once() {
    let Some(plane) = crate::plane(&[]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let good =
        plane.kubeconfig_content(User::Arrplan)["users"][0]["user"]["token"].as_str().unwrap().to_owned();
    // A plugin that hands out a dead token the first time.
    let script = format!(
        "cd {}; echo run >> runs; [ -e seen ] && T={good} || T=dead; touch seen; \
         echo \"{{\\\"apiVersion\\\":\\\"client.authentication.k8s.io/v1\\\",\\\"kind\\\":\\\"ExecCredential\\\",\\\"status\\\":{{\\\"token\\\":\\\"$T\\\"}}}}\"",
        folder.path().display()
    );
    let mut content = plane.kubeconfig_content(User::Arrplan);
    content["users"][0]["user"] = json!({ "exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script], "interactiveMode": "Never",
    }});
    let file = folder.path().join("config");
    std::fs::write(&file, content.to_string()).unwrap();
    run(async {
        let options = ConnectOptions {
            kubeconfig: Some(file),
            env: std::env::vars().filter(|(key, _)| key == "PATH").collect(),
            ..ConnectOptions::default()
        };
        let (reader, _) = connect(&options).await.unwrap();
        let maps = api(&reader, "v1", "ConfigMap").await;
        let all: Vec<_> = (0..8)
            .map(|_| {
                let (reader, maps) = (reader.clone(), maps.clone());
                tokio::spawn(async move { reader.list(&maps, Some("default"), None).await })
            })
            .collect();
        for one in all {
            one.await.unwrap().unwrap();
        }
    });
    let runs = std::fs::read_to_string(folder.path().join("runs")).unwrap();
    assert_eq!(runs.lines().count(), 2);
}

#[test]
fn a_frozen_server_is_waited_for() {
    let Some(plane) = crate::own_plane(&[]) else {
        return;
    };
    let ns = plane.create_namespace("frozen");
    run(async {
        let writer = as_user(&plane, User::Arrplan).await;
        let maps = api(&writer, "v1", "ConfigMap").await;
        plane.process("kube-apiserver", |process| process.signal("STOP"));
        let apply = {
            let (writer, maps, ns) = (writer.clone(), maps.clone(), ns.clone());
            tokio::spawn(async move {
                writer.apply(&maps, Some(&ns), "x", &config_map(&ns, "x", json!({})), false).await
            })
        };
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(!apply.is_finished());
        plane.process("kube-apiserver", |process| process.signal("CONT"));
        assert!(apply.await.unwrap().is_ok());
    });
    eventually("the object to be there", || plane.get_json("configmap", &ns, "x"));
}
