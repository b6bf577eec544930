//! The stand-ins on a server in memory, without the front.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::client::{Client, key};
use super::{Part, Sources, follow, queue::Queue, take_in};
use crate::sandbox::error::ApiError;
use crate::sandbox::seed::seed;
use crate::sandbox::server::{Server, Source};
use crate::sandbox::storage::{Key, Storage};

/// A server with what every practice cluster has, and the stand-ins run by hand.
pub(super) struct Place {
    pub(super) client: Client,
    queue: Queue,
    seen: u64,
    /// Refusals the stand-ins met, as `part: message`.
    pub(super) refused: Vec<String>,
}

impl Place {
    pub(super) async fn new() -> Self {
        Self::with(Sources::default()).await
    }

    pub(super) async fn with(sources: Sources) -> Self {
        let server = Server::new(Storage::in_memory(), Source::default(), "127.0.0.1:1".into(), None);
        let server = Arc::new(server);
        seed(&server, true).await.unwrap();
        let client = Client::new(server, sources);
        let mut place = Self { client, queue: Queue::default(), seen: 0, refused: Vec::new() };
        for event in place.client.everything() {
            take_in(&place.client, &event, &mut place.queue);
        }
        place.seen = place.client.server.storage.revision();
        place.settle().await;
        place
    }

    /// Lets the stand-ins work until nothing is left to do at once.
    pub(super) async fn settle(&mut self) {
        for _ in 0..2000 {
            for event in self.client.server.storage.events_after(self.seen).unwrap() {
                take_in(&self.client, &event, &mut self.queue);
                self.seen = event.revision;
            }
            let batch = self.queue.take(1);
            let Some(work) = batch.into_iter().next() else { return };
            let next = work.part.look(&self.client, &work.key).await;
            if let Err(error) = &next {
                self.refused.push(format!("{:?} {}: {}", work.part, work.key.name, error.message));
            }
            // What is raced by nobody is refused for good: trying again would not end.
            if next.is_ok() {
                follow(work, next, &mut self.queue);
            }
        }
        panic!("the stand-ins find no end: {:?}", self.refused);
    }

    pub(super) async fn create(&mut self, object: Value) -> Key {
        let made = self.client.create("test", object).await.unwrap();
        let resource = self.client.kind(made["apiVersion"].as_str().unwrap(), made["kind"].as_str().unwrap());
        let resource = resource.unwrap();
        let text = |pointer: &str| made.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let key = key(&resource.group, &resource.plural, text("/metadata/namespace"), text("/metadata/name"));
        self.settle().await;
        key
    }

    pub(super) fn get(&self, key: &Key) -> Value {
        Value::clone(&self.client.get(key).unwrap_or_else(|| panic!("{key:?} is not there")))
    }

    pub(super) fn is_there(&self, key: &Key) -> bool {
        self.client.get(key).is_some()
    }

    pub(super) async fn change(
        &mut self,
        key: &Key,
        change: impl FnOnce(&mut Value),
    ) -> Result<(), ApiError> {
        let mut object = self.get(key);
        change(&mut object);
        self.client.put("test", key, object).await?;
        self.settle().await;
        Ok(())
    }

    pub(super) async fn delete(&mut self, key: &Key, options: &crate::sandbox::verbs::DeleteOptions) {
        self.client.delete("test", key, options).await.unwrap();
        self.settle().await;
    }
}

/// `type=status reason` of each condition.
pub(super) fn conditions(object: &Value) -> Vec<String> {
    let list = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let text = |condition: &Value, field: &str| condition[field].as_str().unwrap_or_default().to_owned();
    list.iter().map(|c| format!("{}={} {}", text(c, "type"), text(c, "status"), text(c, "reason"))).collect()
}

fn pod_template(name: &str) -> Value {
    json!({
        "metadata": { "labels": { "app": name } },
        "spec": { "containers": [{ "name": "main", "image": "example.org/main:1" }] },
    })
}

fn deployment(replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "namespace": "default", "name": "web" },
        "spec": {
            "replicas": replicas, "selector": { "matchLabels": { "app": "web" } },
            "template": pod_template("web"),
        },
    })
}

fn claim(name: &str, class: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": { "namespace": "default", "name": name },
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": class,
            "resources": { "requests": { "storage": "1Gi" } },
        },
    })
}

#[tokio::test]
async fn a_namespace_is_furnished_and_emptied() {
    let mut place = Place::new().await;
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "media" } });
    let namespace = place.create(namespace).await;
    let account = key("", "serviceaccounts", "media", "default");
    let ca = key("", "configmaps", "media", "kube-root-ca.crt");
    assert!(place.is_there(&account) && place.is_there(&ca));
    place.delete(&ca, &crate::sandbox::verbs::DeleteOptions::default()).await;
    assert!(place.is_there(&ca), "furniture comes back");

    let held = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "namespace": "media", "name": "held", "finalizers": ["example.org/hold"] },
    });
    let held = place.create(held).await;
    place.delete(&namespace, &crate::sandbox::verbs::DeleteOptions::default()).await;
    assert!(!place.is_there(&account) && !place.is_there(&ca));
    let told = place.get(&namespace);
    assert_eq!(
        conditions(&told),
        [
            "NamespaceDeletionDiscoveryFailure=False ResourcesDiscovered",
            "NamespaceDeletionGroupVersionParsingFailure=False ParsedGroupVersions",
            "NamespaceDeletionContentFailure=False ContentDeleted",
            "NamespaceContentRemaining=True SomeResourcesRemain",
            "NamespaceFinalizersRemaining=True SomeFinalizersRemain",
        ]
    );
    assert_eq!(
        told["status"]["conditions"][3]["message"],
        "Some resources are remaining: configmaps. has 1 resource instances"
    );
    assert_eq!(
        told["status"]["conditions"][4]["message"],
        "Some content in the namespace has finalizers remaining: example.org/hold in 1 resource instances"
    );
    let free = |object: &mut Value| object["metadata"]["finalizers"] = json!([]);
    place.change(&held, free).await.unwrap();
    assert!(!place.is_there(&held) && !place.is_there(&namespace));
    assert_eq!(place.refused, [""; 0]);
}

#[tokio::test]
async fn a_claim_is_bound_at_once_or_by_its_first_pod_and_goes_with_its_volume() {
    let mut place = Place::new().await;
    let at_once = place.create(claim("now", "replicated")).await;
    let later = place.create(claim("later", "local")).await;
    assert_eq!(place.get(&at_once)["status"]["phase"], "Bound");
    assert_eq!(place.get(&later)["status"]["phase"], "Pending");
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "namespace": "default", "name": "user" },
        "spec": {
            "containers": [{ "name": "main", "image": "example.org/main:1" }],
            "volumes": [{ "name": "data", "persistentVolumeClaim": { "claimName": "later" } }],
        },
    });
    let pod = place.create(pod).await;
    let bound = place.get(&later);
    assert_eq!(bound["status"]["phase"], "Bound");
    assert_eq!(bound["status"]["capacity"]["storage"], "1Gi");
    assert_eq!(place.get(&pod)["status"]["phase"], "Running");

    let grow = |object: &mut Value| object["spec"]["resources"]["requests"]["storage"] = "2Gi".into();
    place.change(&later, grow).await.unwrap();
    assert_eq!(place.get(&later)["status"]["capacity"]["storage"], "2Gi");

    let volume = key("", "persistentvolumes", "", bound["spec"]["volumeName"].as_str().unwrap());
    assert_eq!(place.get(&volume)["status"]["phase"], "Bound");
    let options = crate::sandbox::verbs::DeleteOptions::default();
    place.delete(&later, &options).await;
    assert!(place.is_there(&later), "a pod uses it");
    place.delete(&pod, &options).await;
    assert!(!place.is_there(&pod) && !place.is_there(&later) && !place.is_there(&volume));
    assert_eq!(place.refused, [""; 0]);
}

#[tokio::test]
async fn a_deployment_has_its_pods_rolls_over_and_takes_them_along() {
    let mut place = Place::new().await;
    let web = place.create(deployment(3)).await;
    let numbers = |object: &Value| {
        let of = |field: &str| object["status"][field].as_i64().unwrap_or(0);
        [of("replicas"), of("updatedReplicas"), of("readyReplicas"), of("availableReplicas")]
    };
    assert_eq!(place.refused, [""; 0]);
    assert_eq!(numbers(&place.get(&web)), [3, 3, 3, 3]);
    assert_eq!(
        conditions(&place.get(&web)),
        ["Available=True MinimumReplicasAvailable", "Progressing=True NewReplicaSetAvailable"]
    );
    let image = |object: &mut Value| {
        object["spec"]["template"]["spec"]["containers"][0]["image"] = "example.org/main:2".into();
    };
    place.change(&web, image).await.unwrap();
    let now = place.get(&web);
    assert_eq!(numbers(&now), [3, 3, 3, 3]);
    assert_eq!(now["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");
    assert_eq!(now["status"]["observedGeneration"], now["metadata"]["generation"]);
    let sets = place.client.list("apps", "replicasets", None);
    let mut replicas: Vec<_> =
        sets.iter().map(|(_, set)| set["spec"]["replicas"].as_i64().unwrap()).collect();
    replicas.sort_unstable();
    assert_eq!(replicas, [0, 3]);

    let foreground = crate::sandbox::verbs::DeleteOptions {
        propagation: Some(crate::sandbox::resource::Propagation::Foreground),
        ..Default::default()
    };
    place.delete(&web, &foreground).await;
    assert!(!place.is_there(&web));
    assert_eq!(place.client.list("apps", "replicasets", None).len(), 0);
    assert_eq!(place.client.list("", "pods", None).len(), 0);
    assert_eq!(place.refused, [""; 0]);
}

#[tokio::test]
async fn stateful_sets_daemon_sets_jobs_and_budgets() {
    let mut place = Place::new().await;
    let mut set = deployment(2);
    set["kind"] = "StatefulSet".into();
    set["spec"]["serviceName"] = "web".into();
    set["spec"]["volumeClaimTemplates"] = json!([claim("data", "replicated")]);
    set["spec"]["volumeClaimTemplates"][0]["metadata"] = json!({ "name": "data" });
    let set = place.create(set).await;
    assert_eq!(place.refused, [""; 0]);
    let status = &place.get(&set)["status"];
    assert_eq!((&status["replicas"], &status["readyReplicas"]), (&json!(2), &json!(2)));
    assert_eq!(status["currentRevision"], status["updateRevision"]);
    assert!(place.is_there(&key("", "persistentvolumeclaims", "default", "data-web-1")));

    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": { "namespace": "default", "name": "web" },
        "spec": { "minAvailable": "50%", "selector": { "matchLabels": { "app": "web" } } },
    });
    let budget = place.create(budget).await;
    let status = &place.get(&budget)["status"];
    assert_eq!((&status["expectedPods"], &status["disruptionsAllowed"]), (&json!(2), &json!(1)));

    let daemons = json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": { "namespace": "default", "name": "agent" },
        "spec": { "selector": { "matchLabels": { "app": "agent" } }, "template": pod_template("agent") },
    });
    let daemons = place.create(daemons).await;
    let status = &place.get(&daemons)["status"];
    assert_eq!((&status["desiredNumberScheduled"], &status["numberReady"]), (&json!(1), &json!(1)));

    let mut template = pod_template("job");
    template["spec"]["restartPolicy"] = "Never".into();
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": { "namespace": "default", "name": "once" },
        "spec": { "completions": 3, "parallelism": 2, "template": template },
    });
    let job = place.create(job).await;
    assert_eq!(place.refused, [""; 0]);
    assert_eq!(place.get(&job)["status"]["succeeded"], 3);
    assert_eq!(
        conditions(&place.get(&job)),
        ["SuccessCriteriaMet=True CompletionsReached", "Complete=True CompletionsReached"]
    );
}

#[tokio::test]
async fn what_depends_on_something_goes_stays_or_is_let_go_with_it() {
    use crate::sandbox::resource::Propagation;
    for (policy, stays) in
        [(Propagation::Background, false), (Propagation::Foreground, false), (Propagation::Orphan, true)]
    {
        let mut place = Place::new().await;
        let map = |name: &str| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "namespace": "default", "name": name } });
        let owner = place.create(map("owner")).await;
        let mut owned = map("owned");
        owned["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "v1", "kind": "ConfigMap", "name": "owner",
            "uid": place.get(&owner)["metadata"]["uid"], "blockOwnerDeletion": true,
        }]);
        let owned = place.create(owned).await;
        assert!(place.is_there(&owned));
        let options = crate::sandbox::verbs::DeleteOptions {
            propagation: Some(policy),
            ..crate::sandbox::verbs::DeleteOptions::default()
        };
        place.delete(&owner, &options).await;
        assert!(!place.is_there(&owner), "{policy:?}");
        assert_eq!(place.is_there(&owned), stays, "{policy:?}");
        if stays {
            assert_eq!(place.get(&owned)["metadata"].get("ownerReferences"), None);
        }

        let mut of_nobody = map("of-nobody");
        of_nobody["metadata"]["ownerReferences"] =
            json!([{ "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "gone" }]);
        let of_nobody = place.create(of_nobody).await;
        assert!(!place.is_there(&of_nobody), "its owner is absent");
        assert_eq!(place.refused, [""; 0]);
    }
}

#[tokio::test]
async fn they_run_until_they_are_stopped() {
    let server = Server::new(Storage::in_memory(), Source::default(), "127.0.0.1:1".into(), None);
    let server = Arc::new(server);
    seed(&server, true).await.unwrap();
    let (idle, mut done) = watch::channel(0);
    let stop = CancellationToken::new();
    let run = tokio::spawn(super::run(Arc::clone(&server), Sources::default(), idle, stop.clone()));
    done.wait_for(|revision| *revision > 0).await.unwrap();
    let (accounts, _) = server.storage.list("", "serviceaccounts", None);
    assert_eq!(accounts.len(), 7, "one in each namespace");
    stop.cancel();
    run.await.unwrap();
    assert_eq!(Part::ALL.len(), 15);
}
