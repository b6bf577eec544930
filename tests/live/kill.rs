//! `kill -9` of the real binary while it writes: the next run of the same command reaches the same end, and nobody is asked.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::{Value, json};
use support::{AuditRecord, GitRepo, Mark, Part, Records, redact};

use crate::project::{Project, leaves, shipped};

/// Kills that must have lain between the first and the last write of what they interrupted, of those tried.
const LEAST_KILLS: usize = 10;
const ROUNDS: usize = 6;

/// When the binary is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// As soon as the audit log shows this many writes.
    Written(usize),
    /// As soon as the journal holds this many announcements: the request may be on its way, or not yet.
    Announced(usize),
}

/// Writes of the binary in one namespace and in those named after it.
fn writes_in(records: Records, namespace: &str) -> Records {
    let below = format!("{namespace}-");
    records
        .by_user("arrplan")
        .writes()
        .filter(AuditRecord::succeeded)
        .filter(|record| record.namespace == namespace || record.namespace.starts_with(&below))
}

/// Runs a command and kills it at a moment. How many writes had been done by then; `None` when it had ended before.
#[track_caller]
fn kill_at(project: &Project<'_>, args: &[&str], namespace: &str, moment: Moment) -> Option<usize> {
    let audit = project.plane.audit();
    let mark = audit.mark();
    let mut running = project.command(support::arrplan!(), args).spawn();
    let reached = |mark: Mark| match moment {
        Moment::Written(count) => writes_in(audit.peek_since(mark), namespace).len() >= count,
        Moment::Announced(count) => {
            let journal = std::fs::read_to_string(project.state_path("journal")).unwrap_or_default();
            journal.matches("\"record\":\"begin\"").count() >= count
        }
    };
    while !reached(mark) {
        if running.has_ended() {
            let output = running.finish().expect_status(0);
            println!("not killed, it had ended: {}", output.stderr);
            return None;
        }
        std::thread::yield_now();
    }
    let output = running.kill();
    if output.status.is_some() {
        return None;
    }
    Some(writes_in(audit.since(mark), namespace).len())
}

/// Runs a command to its end, and how many writes that took.
#[track_caller]
fn run(project: &Project<'_>, args: &[&str], namespace: &str) -> usize {
    let mark = project.plane.audit().mark();
    drop(project.run(args).expect_status(0));
    writes_in(project.plane.audit().since(mark), namespace).len()
}

/// What is there and what arrplan believes is there, less what no two runs have in common.
#[derive(Debug, PartialEq)]
struct End {
    objects: BTreeMap<String, Value>,
    state: Value,
}

impl End {
    /// `drawn` names what is random: `secret address, key`.
    fn read(project: &Project<'_>, namespace: &str, drawn: &[(&str, &str)]) -> Self {
        let state = project.state();
        let lineage = state["lineage"].clone();
        let kinds = "configmap,secret,pvc,serviceaccount,role,rolebinding,service,deployment,ingress,gitrepository,helmrelease";
        let get = |args: &[&str]| -> Value {
            let output = project.plane.kubectl(args).ok();
            serde_json::from_str(if output.is_empty() { "{}" } else { &output }).unwrap()
        };
        let json = ["-o", "json", "--show-managed-fields", "--ignore-not-found"];
        let inside = get(&[&["get", kinds, "-n", namespace][..], &json].concat());
        let extra = format!("{namespace}-extra");
        let around = get(&[&["get", "namespace", namespace, &extra][..], &json].concat());
        let items = [inside, around].into_iter().flat_map(|list| {
            let items = list["items"].as_array().cloned().unwrap_or_default();
            items.into_iter().filter(|item| !is_of_the_cluster(item))
        });
        let objects = items.map(|object| {
            let marked = object.pointer("/metadata/annotations/arrplan.dev~1lineage");
            assert!(marked.is_none() || marked == Some(&lineage), "{object:#}");
            let key = format!(
                "{}/{}",
                object["kind"].as_str().unwrap(),
                object["metadata"]["name"].as_str().unwrap()
            );
            (key, common_object(object))
        });
        Self { objects: objects.collect(), state: common_state(state, drawn) }
    }

    /// The same with another name in place of the namespace's, and without the digests, which its name and each project's own
    /// key are part of.
    fn renamed(&self, namespace: &str) -> Self {
        let rename = |value: &Value| -> Value {
            serde_json::from_str(&value.to_string().replace(namespace, "NAMESPACE")).unwrap()
        };
        let mut state = rename(&self.state);
        state.as_object_mut().unwrap().remove("key_id");
        for resource in state["resources"].as_object_mut().unwrap().values_mut() {
            resource["desired_hash"].take();
            for digest in resource["owned"].as_object_mut().unwrap().values_mut() {
                digest.take();
            }
        }
        Self {
            objects: self
                .objects
                .iter()
                .map(|(key, object)| (key.replace(namespace, "NAMESPACE"), rename(object)))
                .collect(),
            state,
        }
    }
}

fn is_of_the_cluster(object: &Value) -> bool {
    matches!(
        (object["kind"].as_str(), object["metadata"]["name"].as_str()),
        (Some("ConfigMap"), Some("kube-root-ca.crt")) | (Some("ServiceAccount"), Some("default"))
    )
}

/// An object without its status and without what the server or chance gave it.
fn common_object(mut object: Value) -> Value {
    let is_secret = object["kind"] == "Secret";
    let release_of_helm = object["type"] == "helm.sh/release.v1";
    let map = object.as_object_mut().unwrap();
    map.remove("status");
    if let Some(data) = map.get_mut("data").and_then(Value::as_object_mut).filter(|_| is_secret) {
        data.values_mut().for_each(|value| *value = json!("[secret]"));
    }
    if let Some(spec) = map.get_mut("spec").and_then(Value::as_object_mut) {
        for drawn in ["clusterIP", "clusterIPs"] {
            spec.remove(drawn);
        }
    }
    let metadata = map["metadata"].as_object_mut().unwrap();
    for drawn in ["uid", "resourceVersion", "creationTimestamp"] {
        metadata.remove(drawn);
    }
    if release_of_helm {
        metadata.remove("labels");
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        // Whether a claim gets this one depends on who comes first, the binder or the volume.
        annotations.retain(|key, _| !key.ends_with("/storage-provisioner"));
    }
    if let Some(entries) = metadata.get_mut("managedFields").and_then(Value::as_array_mut) {
        // The controllers write in their own order.
        entries.retain(|entry| entry["manager"] != "kube-controller-manager");
        for entry in entries.iter_mut() {
            entry["time"].take();
        }
        entries.sort_by_key(Value::to_string);
    }
    serde_json::from_str(&redact(&object.to_string())).unwrap()
}

fn common_state(mut state: Value, drawn: &[(&str, &str)]) -> Value {
    let map = state.as_object_mut().unwrap();
    for own in ["serial", "checksum"] {
        assert!(map.remove(own).is_some(), "{own}");
    }
    for (address, resource) in map["resources"].as_object_mut().unwrap() {
        let resource = resource.as_object_mut().unwrap();
        for own in ["uid", "resource_version", "since_serial"] {
            assert!(resource.remove(own).is_some(), "{address} {own}");
        }
        // Nobody measured what was interrupted.
        resource.remove("durations");
        for (_, key) in drawn.iter().filter(|(of, _)| of == address) {
            resource.remove("desired_hash");
            let path = if key.contains('.') { format!("data[\"{key}\"]") } else { format!("data.{key}") };
            let digest = &mut resource["owned"][path.as_str()];
            assert!(digest.is_string(), "{address} {path}");
            digest.take();
        }
    }
    serde_json::from_str(&redact(&state.to_string())).unwrap()
}

/// Nearly every resource waits for the one before it, so that writes come one after the other.
fn chain(namespace: &str) -> String {
    format!(
        r#"
        [stack]
        name = "kill"
        [defaults]
        namespace = "{namespace}"
        [variables.version]
        type = "integer"
        default = 1
        [variables.token]
        secret = true
        from = {{ generate = {{ length = 32, charset = "hex" }} }}

        [namespace.extra]
        name = "{namespace}-extra"
        labels = {{ version = "v${{var.version}}" }}

        [config_map.one]
        depends_on = ["namespace.extra"]
        data.version = "v${{var.version}}"

        [secret.keys]
        depends_on = ["config_map.one"]
        stringData.token = "${{var.token}}"
        stringData.version = "v${{var.version}}"

        [persistent_volume_claim.data]
        depends_on = ["secret.keys"]
        spec.accessModes = ["ReadWriteOnce"]
        spec.storageClassName = "replicated"
        spec.resources.requests.storage = "${{var.version}}Gi"

        [service_account.app]
        depends_on = ["secret.keys"]
        labels = {{ version = "v${{var.version}}" }}

        [role.app]
        depends_on = ["service_account.app"]
        labels = {{ version = "v${{var.version}}" }}
        rules = [{{ apiGroups = [""], resources = ["configmaps"], verbs = ["get"] }}]

        [role_binding.app]
        roleRef = {{ apiGroup = "rbac.authorization.k8s.io", kind = "Role", name = "${{role.app.name}}" }}
        subjects = [{{ kind = "ServiceAccount", name = "${{service_account.app.name}}", namespace = "{namespace}" }}]
        labels = {{ version = "v${{var.version}}" }}

        [config_map.sealed]
        depends_on = ["role_binding.app"]
        on_immutable = "replace"
        immutable = true
        data.version = "v${{var.version}}"

        [service.app]
        depends_on = ["config_map.sealed"]
        spec.selector = {{ app = "app" }}
        spec.ports = [{{ name = "http", port = 80, targetPort = 8080 }}]
        annotations = {{ version = "v${{var.version}}" }}

        [deployment.app]
        depends_on = ["service.app", "persistent_volume_claim.data"]
        spec.selector.matchLabels = {{ app = "app" }}
        spec.template.metadata.labels = {{ app = "app" }}
        [deployment.app.spec.template.spec]
        serviceAccountName = "${{service_account.app.name}}"
        volumes = [{{ name = "keys", secret.secretName = "${{secret.keys.name}}" }}]
        containers = [{{ name = "app", image = "example.org/app:${{var.version}}" }}]

        [config_map.many]
        for_each = ["a", "b", "c"]
        name = "many-${{each.key}}"
        depends_on = ["deployment.app"]
        data.version = "v${{var.version}}"

        [config_map.last]
        depends_on = ["config_map.many['a']", "config_map.many['b']", "config_map.many['c']"]
        data.version = "v${{var.version}}"
        "#
    )
}

/// A command that is interrupted again and again, and what it comes to when it is not.
struct Phase {
    name: &'static str,
    args: &'static [&'static str],
    writes: usize,
    end: End,
    kills: usize,
}

#[test]
fn a_killed_apply_update_or_destroy_goes_on_to_the_same_end() {
    const DRAWN: [(&str, &str); 1] = [("secret.keys", "token")];
    let Some(plane) = crate::plane(&[Part::Flux, Part::Storage]) else {
        return;
    };
    let namespace = plane.create_namespace("kill");
    let project = Project::new(plane, "kill", &chain(&namespace));
    let commands: [(&str, &[&str]); 3] = [
        ("create", &["apply", "--yes"]),
        ("update", &["apply", "--yes", "--var", "version=2"]),
        ("destroy", &["destroy", "--yes", "--allow", "data-loss=persistent_volume_claim.data"]),
    ];
    let mut phases = commands.map(|(name, args)| {
        let writes = run(&project, args, &namespace);
        let end = End::read(&project, &namespace, if name == "destroy" { &[] } else { &DRAWN });
        assert!(writes > ROUNDS, "{name}: {writes} writes");
        Phase { name, args, writes, end, kills: 0 }
    });
    assert_eq!(phases[2].end.state["resources"], json!({}));
    assert_eq!(phases[2].end.objects.len(), 1, "{:#?}", phases[2].end.objects);
    let lineage = project.state()["lineage"].clone();

    for round in 0..ROUNDS {
        for phase in &mut phases {
            // From the first write to the last, after which there is only waiting, by turns in both ways.
            let writes = 1 + round * (phase.writes - 1) / (ROUNDS - 1);
            let moment = if round % 2 == 0 {
                Moment::Written(writes)
            } else {
                Moment::Announced((writes + 1).min(phase.writes))
            };
            let before = kill_at(&project, phase.args, &namespace, moment);
            let token = || {
                let secret = plane.get_json("secret", &namespace, "keys");
                secret.map(|secret| secret["data"]["token"].clone())
            };
            let drawn = token();
            if let Some(Value::String(drawn)) = &drawn {
                let value = base64::engine::general_purpose::STANDARD.decode(drawn).unwrap();
                support::watch_for(&String::from_utf8(value).unwrap());
            }
            let after = run(&project, phase.args, &namespace);
            println!("{} {moment:?}: killed after {before:?} writes, then {after}", phase.name);
            if before.is_some_and(|before| (1..phase.writes).contains(&before)) && after > 0 {
                phase.kills += 1;
            }
            let end = End::read(&project, &namespace, if phase.name == "destroy" { &[] } else { &DRAWN });
            assert_same(&end, &phase.end, &format!("{} {moment:?}", phase.name));
            assert_eq!(project.state()["lineage"], lineage);
            assert!(!project.state_path("journal").exists());
            if phase.name != "destroy" {
                assert!(drawn.is_none() || drawn == token(), "the secret was drawn again");
                let plan = project.run(&[&["plan"], &phase.args[2..]].concat()).expect_status(0);
                assert!(plan.stdout.contains("No changes."), "{plan}");
            }
        }
    }
    let kills = phases.each_ref().map(|phase| (phase.name, phase.kills));
    println!("kills between first and last write: {kills:?}");
    assert!(kills.iter().all(|(_, kills)| *kills >= 3), "{kills:?}");
    let all: usize = kills.iter().map(|(_, kills)| kills).sum();
    assert!(all >= LEAST_KILLS, "{kills:?}");
}

/// Equal, leaf by leaf; only what differs is shown.
#[track_caller]
fn assert_same(end: &End, reference: &End, what: &str) {
    let all = |end: &End| leaves(&json!({ "objects": end.objects, "state": end.state }));
    let (end, reference) = (all(end), all(reference));
    let paths = end.keys().chain(reference.keys());
    let different: BTreeMap<_, _> = paths
        .filter(|path| end.get(*path) != reference.get(*path))
        .map(|path| (path, (end.get(path), reference.get(path))))
        .collect();
    assert!(different.is_empty(), "{what}: here and uninterrupted: {different:#?}");
}

/// The shipped stack, killed in its very first apply: there is no state yet, and what is there already must be known again.
#[test]
fn the_shipped_stack_killed_in_its_first_apply_goes_on_to_the_same_end() {
    let Some(plane) = crate::plane(&[Part::Flux, Part::Storage]) else {
        return;
    };
    let catalog = GitRepo::from_folder(&shipped("catalog"));
    let finish = |number: usize| {
        let namespace = plane.namespace("killarr");
        let project = Project::shipped(plane);
        let text = std::fs::read_to_string(project.stack_file()).unwrap();
        project.write(&text.replace("tenant-media", &namespace));
        let url = format!("catalog_url={}", catalog.url());
        let source = format!("source_namespace={namespace}");
        let variables = ["--var", &url, "--var", &source];
        let apply = [&["apply", "--yes"], &variables[..]].concat();
        let killed = (number > 0).then(|| kill_at(&project, &apply, &namespace, Moment::Written(number)));
        let writes = run(&project, &apply, &namespace);
        let plan = project.run(&[&["plan"], &variables[..]].concat()).expect_status(0);
        assert!(plan.stdout.contains("No changes."), "{plan}");
        let keys = ["sonarr", "radarr", "prowlarr"].map(|app| format!("{app}-api-key"));
        let drawn = keys.each_ref().map(|key| ("secret.arr-secrets", key.as_str()));
        let end = End::read(&project, &namespace, &drawn).renamed(&namespace);
        (killed.flatten(), writes, end)
    };
    // The first alone, so that what is compared with is nobody's neighbour.
    let (_, writes, reference) = finish(0);
    assert_eq!(writes, 5);
    let runs: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..writes)
            .map(|number| {
                let finish = &finish;
                scope.spawn(move || finish(number))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut kills = 0;
    for (killed, resumed, end) in runs {
        println!("killed after {killed:?} writes, then {resumed}");
        kills += usize::from(killed.is_some_and(|done| done < writes) && resumed > 0);
        assert_same(&end, &reference, &format!("killed after {killed:?} writes"));
    }
    assert!(kills >= 3, "{kills} kills between first and last write");
}
