//! What a delete leaves to others: that an uninstall was really done (rule D6), because helm-controller skips
//! one silently in several cases, and that no pod mounts a claim (rule D7).

use std::collections::BTreeSet;

use serde_json::Value;

use super::unit::{Step, Stop, Unit, failed, lines_of};
use crate::address::ObjectKey;
use crate::cluster::{Api, Error, ListObservation, Observation, ServedBy};
use crate::object::Object;
use crate::plan::{inventory, release_name};
use crate::status::chain;

/// What must be gone after a HelmRelease is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Uninstall {
    chart: Option<ObjectKey>,
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
        let text =
            |pointer: &str| release.0.pointer(pointer).and_then(Value::as_str).filter(|t| !t.is_empty());
        let keeps = release.0.pointer("/spec/uninstall/keepHistory") == Some(&Value::Bool(true));
        let records = text("/status/storageNamespace").filter(|_| !keeps).map(|namespace| {
            let name = release_name(release);
            (namespace.to_owned(), name)
        });
        // A chart that the release only points at is not the release's to delete.
        let own_chart = release.0.pointer("/spec/chart").is_some();
        let elsewhere = release.0.pointer("/spec/kubeConfig").is_some();
        let inventory = inventory(release).filter(|_| !elsewhere);
        Some(Self {
            chart: chain::behind(release).chart.filter(|_| own_chart),
            records: records.filter(|_| !elsewhere),
            inventory: inventory.unwrap_or_default(),
        })
    }
}

impl Unit<'_> {
    /// Waits until everything an uninstall removes is gone; names what was left behind.
    pub(super) async fn wait_uninstalled(&mut self, uninstall: &Uninstall) -> Step<()> {
        if let Some(chart) = &uninstall.chart
            && let Some(api) = self.run.discovery.preferred(&chart.group, &chart.kind)
        {
            self.wait_absent(api, chart).await?;
        }
        let mut left = Vec::new();
        for (key, _) in &uninstall.inventory {
            let Some(api) = self.run.discovery.preferred(&key.group, &key.kind) else {
                continue;
            };
            match self.send(self.writer.get(api, key.namespace.as_deref(), &key.name)).await {
                Ok(None) | Err(Error::KindNotServed { .. } | Error::NamespaceNotFound(_)) => {}
                Ok(Some(object)) if object.annotation("helm.sh/resource-policy") == Some("keep") => {}
                Ok(Some(object)) if object.is_terminating() => self.wait_absent(api, key).await?,
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
                Observation::Absent => return Ok(()),
                Observation::Trouble(Error::NamespaceNotFound(_) | Error::KindNotServed { .. }) => {
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    /// Waits until no pod mounts the claim (rule D7).
    pub(super) async fn wait_unmounted(&mut self) -> Step<()> {
        let (namespace, name) = self.place();
        let reader = self.writer.reader().clone();
        let mut watch = reader.watch_list(&pods(), namespace, None);
        let mut mounting: BTreeSet<String> = BTreeSet::new();
        loop {
            let observation = tokio::select! {
                biased;
                () = self.run.halt.cancelled() => return Err(Stop::Interrupted { written: false }),
                observation = watch.next() => observation,
                () = tokio::time::sleep_until(self.deadline) => {
                    let human = self.change.key.human();
                    return failed(format!("{human} is not deleted while pods mount it"), mounting);
                }
            };
            match observation {
                ListObservation::All(pods) => {
                    mounting = pods.iter().filter(|p| mounts(p, name)).map(|p| p.name().to_owned()).collect();
                }
                ListObservation::Changed(pod) if mounts(&pod, name) => {
                    mounting.insert(pod.name().to_owned());
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
            let names: Vec<&str> = mounting.iter().map(String::as_str).collect();
            self.say(&format!("mounted by {}", names.join(", ")));
        }
    }

    /// Names of the pods that mount the claim.
    pub(super) async fn pods_on_claim(&self) -> Step<Vec<String>> {
        let (namespace, name) = self.place();
        match self.send(self.writer.list(&pods(), namespace, None)).await {
            Ok(pods) => {
                Ok(pods.iter().filter(|pod| mounts(pod, name)).map(|pod| pod.name().to_owned()).collect())
            }
            Err(error) => failed("which pods mount it cannot be read", lines_of(&error)),
        }
    }
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
        assert_eq!(uninstall.chart.as_ref().unwrap().name, "media-arr");
        assert_eq!(uninstall.records, Some(("media".to_owned(), "arr".to_owned())));
        assert_eq!(uninstall.inventory[0].0.to_string(), "Deployment.apps/media/sonarr");
        assert_eq!(Uninstall::of(&Object(json!({"kind": "ConfigMap"}))), None);
    }
}
