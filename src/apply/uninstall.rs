//! The controllers behind a delete: that they are at work before the first one (rule D3), and that an
//! uninstall was really done (rule D6), because helm-controller skips one silently in several cases.

use std::collections::BTreeMap;

use serde_json::Value;

use super::chain::{self, Behind};
use super::unit::{Step, Stop, Unit, failed, lines_of};
use crate::address::ObjectKey;
use crate::cluster::{Api, Error, ListObservation, ServedBy};
use crate::object::Object;
use crate::plan::Action;

/// What must be gone after a HelmRelease is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Uninstall {
    chart: Option<Behind>,
    /// Namespace and name of Helm's own records, where they go at all.
    records: Option<(String, String)>,
    /// What the release installed, with the version of each.
    inventory: Vec<(ObjectKey, String)>,
}

impl Uninstall {
    /// What a release will leave if its uninstall is skipped; `None` for other kinds.
    pub(super) fn of(release: &Object) -> Option<Self> {
        if release.kind() != "HelmRelease" {
            return None;
        }
        let text = |pointer: &str| release.0.pointer(pointer).and_then(Value::as_str).filter(|t| !t.is_empty());
        let keeps = release.0.pointer("/spec/uninstall/keepHistory") == Some(&Value::Bool(true));
        let records = text("/status/storageNamespace").filter(|_| !keeps).map(|namespace| {
            let name = crate::plan::reach::release_name(release);
            (namespace.to_owned(), name)
        });
        // A chart that the release only points at is not the release's to delete.
        let own_chart = release.0.pointer("/spec/chart").is_some();
        let elsewhere = release.0.pointer("/spec/kubeConfig").is_some();
        let inventory = crate::plan::reach::inventory(release).filter(|_| !elsewhere);
        Some(Self {
            chart: chain::chart(release).filter(|_| own_chart),
            records: records.filter(|_| !elsewhere),
            inventory: inventory.unwrap_or_default(),
        })
    }
}

impl Unit<'_> {
    /// Waits until everything an uninstall removes is gone; names what was left behind.
    pub(super) async fn wait_uninstalled(&mut self, uninstall: &Uninstall) -> Step<()> {
        if let Some(chart) = &uninstall.chart
            && let Some(api) = self.api_of(&chart.api_version, &chart.key.kind).await?
        {
            self.wait_absent(&api, &chart.key).await?;
        }
        let mut left = Vec::new();
        for (key, version) in &uninstall.inventory {
            let api_version = if key.group.is_empty() { version.clone() } else { format!("{}/{version}", key.group) };
            let Some(api) = self.api_of(&api_version, &key.kind).await? else {
                continue;
            };
            match self.send(self.writer.get(&api, key.namespace.as_deref(), &key.name)).await {
                Ok(None) | Err(Error::KindNotServed { .. } | Error::NamespaceNotFound(_)) => {}
                Ok(Some(object)) if object.annotation("helm.sh/resource-policy") == Some("keep") => {}
                Ok(Some(object)) if object.is_terminating() => self.wait_absent(&api, key).await?,
                Ok(Some(_)) => left.push(key.human()),
                Err(error) => left.push(format!("{} (cannot be read: {error})", key.human())),
            }
        }
        if let Some((namespace, release)) = &uninstall.records {
            let selector = format!("owner=helm,name={release}");
            match self.send(self.writer.list(&secrets(), Some(namespace), Some(&selector))).await {
                Ok(records) => left.extend(records.iter().map(|record| record.key().human())),
                Err(Error::Forbidden(_) | Error::NamespaceNotFound(_)) => {}
                Err(error) => left.push(format!("Helm's records in {namespace} cannot be read: {error}")),
            }
        }
        if left.is_empty() {
            return Ok(());
        }
        failed("the release is gone, but its uninstall left things behind", left)
    }

    /// Waits until there is no object of this name.
    async fn wait_absent(&mut self, api: &Api, key: &ObjectKey) -> Step<()> {
        let reader = self.writer.reader().clone();
        let mut watch = reader.watch_object(api, key.namespace.as_deref(), &key.name);
        self.say(&format!("waiting until {} is gone", key.human()));
        loop {
            let observation = tokio::select! {
                biased;
                () = self.run.halt.cancelled() => return Err(Stop::Interrupted { written: true }),
                observation = watch.next() => observation,
                () = tokio::time::sleep_until(self.deadline) => {
                    return failed(format!("{} is still there", key.human()), []);
                }
            };
            match observation {
                crate::cluster::Observation::Absent => return Ok(()),
                crate::cluster::Observation::Trouble(
                    Error::NamespaceNotFound(_) | Error::KindNotServed { .. },
                ) => return Ok(()),
                _ => {}
            }
        }
    }

    /// Refuses to start a delete that its controller would not carry out (rule D3).
    pub(super) async fn controllers_at_work(&self) -> Step<()> {
        let Some(controller) = controller_of(&self.change.key) else {
            return Ok(());
        };
        let idle = self.run.idle_controllers.get_or_init(|| async {
            let needed: Vec<&str> = self
                .run
                .plan
                .changes
                .iter()
                .filter(|change| matches!(change.action, Action::Delete | Action::Replace))
                .filter_map(|change| controller_of(&change.key))
                .collect();
            match self.send(self.writer.list(&deployments(), None, None)).await {
                Ok(all) => idle(&all, &needed),
                // Who may not look cannot tell; the wait for the delete will.
                Err(_) => BTreeMap::new(),
            }
        });
        match idle.await.get(controller) {
            None => Ok(()),
            Some(at) => failed(
                format!("{controller} is not at work ({at}), so {} would hang", self.change.key.human()),
                [],
            ),
        }
    }

    /// Waits until no pod mounts the claim (rule D7).
    pub(super) async fn wait_unmounted(&mut self) -> Step<()> {
        let (namespace, name) = self.place();
        let reader = self.writer.reader().clone();
        let mut watch = reader.watch_list(&pods(), namespace, None);
        let mut mounting: BTreeMap<String, bool> = BTreeMap::new();
        loop {
            let observation = tokio::select! {
                biased;
                () = self.run.halt.cancelled() => return Err(Stop::Interrupted { written: false }),
                observation = watch.next() => observation,
                () = tokio::time::sleep_until(self.deadline) => {
                    let human = self.change.key.human();
                    return failed(format!("{human} is not deleted while pods mount it"), mounting.into_keys());
                }
            };
            match observation {
                ListObservation::All(pods) => {
                    mounting = pods.iter().filter(|p| mounts(p, name)).map(|p| (p.name().to_owned(), true)).collect();
                }
                ListObservation::Changed(pod) if mounts(&pod, name) => {
                    mounting.insert(pod.name().to_owned(), true);
                }
                ListObservation::Changed(pod) | ListObservation::Gone(pod) => {
                    mounting.remove(pod.name());
                }
                // Kubernetes itself holds a claim that pods mount; this only keeps the order clean.
                ListObservation::Trouble(Error::Forbidden(_)) => return Ok(()),
                ListObservation::Trouble(error) => {
                    self.say(&error.to_string());
                    continue;
                }
            }
            if mounting.is_empty() {
                return Ok(());
            }
            let names: Vec<&str> = mounting.keys().map(String::as_str).collect();
            self.say(&format!("mounted by {}", names.join(", ")));
        }
    }

    /// Names of the pods that mount the claim.
    pub(super) async fn pods_on_claim(&self) -> Step<Vec<String>> {
        let (namespace, name) = self.place();
        match self.send(self.writer.list(&pods(), namespace, None)).await {
            Ok(pods) => Ok(pods.iter().filter(|pod| mounts(pod, name)).map(|pod| pod.name().to_owned()).collect()),
            Err(error) => failed("which pods mount it cannot be read", lines_of(&error)),
        }
    }
}

/// The Flux controller that has to act on a delete of this object.
fn controller_of(key: &ObjectKey) -> Option<&'static str> {
    match key.group.as_str() {
        "helm.toolkit.fluxcd.io" => Some("helm-controller"),
        "kustomize.toolkit.fluxcd.io" => Some("kustomize-controller"),
        "source.toolkit.fluxcd.io" => Some("source-controller"),
        _ => None,
    }
}

/// The needed controllers that have Deployments, none of which is available; with where they are. A
/// controller without any Deployment runs in a way that cannot be seen from here.
fn idle(deployments: &[Object], needed: &[&str]) -> BTreeMap<String, String> {
    let mut idle = BTreeMap::new();
    for controller in needed {
        let own: Vec<&Object> = deployments.iter().filter(|d| runs(d, controller)).collect();
        let available = |d: &&Object| d.0.pointer("/status/availableReplicas").and_then(Value::as_i64) > Some(0);
        if own.is_empty() || own.iter().any(available) {
            continue;
        }
        let places: Vec<String> = own.iter().map(|d| d.key().human()).collect();
        idle.insert((*controller).to_owned(), places.join(", "));
    }
    idle
}

/// Whether a Deployment runs this controller: under its own name, or as a container of Flux in one pod.
fn runs(deployment: &Object, controller: &str) -> bool {
    let containers = deployment.0.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    deployment.name() == controller
        || deployment.label("app.kubernetes.io/component") == Some(controller)
        || containers
            .into_iter()
            .flatten()
            .any(|container| container.get("name").and_then(Value::as_str) == Some(controller))
}

/// Whether a pod that still runs mounts the claim.
fn mounts(pod: &Object, claim: &str) -> bool {
    let phase = pod.0.pointer("/status/phase").and_then(Value::as_str);
    let volumes = pod.0.pointer("/spec/volumes").and_then(Value::as_array);
    let named = |volume: &Value| {
        volume.pointer("/persistentVolumeClaim/claimName").and_then(Value::as_str) == Some(claim)
    };
    !matches!(phase, Some("Succeeded" | "Failed")) && volumes.into_iter().flatten().any(named)
}

fn builtin(group: &str, kind: &str, plural: &str) -> Api {
    Api {
        group: group.to_owned(),
        version: "v1".to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
        namespaced: true,
        scalable: false,
        verbs: ["get", "list", "watch"].map(str::to_owned).to_vec(),
        served_by: ServedBy::BuiltIn,
    }
}

pub(super) fn pods() -> Api {
    builtin("", "Pod", "pods")
}

fn secrets() -> Api {
    builtin("", "Secret", "secrets")
}

pub(super) fn deployments() -> Api {
    builtin("apps", "Deployment", "deployments")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_an_uninstall_removes() {
        let release = Object(json!({
            "apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease",
            "metadata": {"namespace": "media", "name": "arr"},
            "spec": {"chart": {"spec": {"chart": "./arr", "sourceRef": {"kind": "GitRepository", "name": "c", "namespace": "public"}}}},
            "status": {
                "storageNamespace": "media", "helmChart": "public/media-arr", "history": [{"name": "arr"}],
                "inventory": {"entries": [{"id": "media_sonarr_apps_Deployment", "v": "v1"}]},
            },
        }));
        let uninstall = Uninstall::of(&release).unwrap();
        assert_eq!(uninstall.chart.as_ref().unwrap().key.name, "media-arr");
        assert_eq!(uninstall.records, Some(("media".to_owned(), "arr".to_owned())));
        assert_eq!(uninstall.inventory[0].0.to_string(), "Deployment.apps/media/sonarr");
        assert_eq!(Uninstall::of(&Object(json!({"kind": "ConfigMap"}))), None);
    }

    #[test]
    fn a_controller_that_is_down_is_named_and_one_unseen_is_not() {
        let deployment = |name: &str, container: &str, available: i64| {
            Object(json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"namespace": "flux-system", "name": name},
                "spec": {"template": {"spec": {"containers": [{"name": container}]}}},
                "status": {"availableReplicas": available},
            }))
        };
        let down = [deployment("helm-controller", "manager", 0)];
        let all_in_one = [deployment("flux", "helm-controller", 1)];
        assert_eq!(
            idle(&down, &["helm-controller", "source-controller"]),
            BTreeMap::from([("helm-controller".to_owned(), "Deployment flux-system/helm-controller".to_owned())])
        );
        assert!(idle(&all_in_one, &["helm-controller"]).is_empty());
    }
}
