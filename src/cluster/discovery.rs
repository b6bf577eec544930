//! Which kinds are served, and by whom: the API server itself, a `CustomResourceDefinition`, or another server.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{join_all, join3};
use serde_json::Value;

use super::builtin::{builtin, crds};
use super::discovery_document::{array, is_aggregated, read_aggregated, read_plain, text};
use super::error::Error;
use super::reader::Reader;
use super::transport::Call;
use super::url;
use super::{Api, ServedBy};
use crate::address::split_api_version;
use crate::object::Object;

/// Asks for everything in one document; older servers answer with the plain one.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// Groups kube-apiserver serves itself.
const BUILT_IN: &[&str] = &[
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "internal.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// What a cluster serves, as of one moment.
#[derive(Debug, Clone, Default)]
pub struct Discovery {
    /// In the server's order of preference.
    apis: Vec<Api>,
    /// Index by (group, version, kind).
    by_kind: BTreeMap<(String, String, String), usize>,
    unavailable: BTreeSet<String>,
    /// Whether `APIServices` could be read, so that `unavailable` is complete.
    services_known: bool,
}

/// What an `APIService` says of a group and version.
#[derive(Debug, Clone, Copy)]
struct Service {
    served_by: ServedBy,
    available: bool,
}

impl Discovery {
    fn new(apis: Vec<Api>, unavailable: BTreeSet<String>, services_known: bool) -> Self {
        let mut by_kind = BTreeMap::new();
        for (i, api) in apis.iter().enumerate() {
            let key = (api.group.clone(), api.version.clone(), api.kind.clone());
            let best = by_kind.entry(key).or_insert(i);
            // Some kinds belong to several resources (reviews, scale); the one with objects is meant.
            if !apis[*best].can("get") && api.can("get") {
                *best = i;
            }
        }
        Self { apis, by_kind, unavailable, services_known }
    }

    /// The kind at this version.
    #[must_use]
    pub fn find(&self, api_version: &str, kind: &str) -> Option<&Api> {
        let (group, version) = split_api_version(api_version);
        let key = (group.to_owned(), version.to_owned(), kind.to_owned());
        self.by_kind.get(&key).map(|i| &self.apis[*i])
    }

    /// The kind at the version the server prefers, for an object of which only the key is known.
    #[must_use]
    pub fn preferred(&self, group: &str, kind: &str) -> Option<&Api> {
        let same = |api: &&Api| api.group == group && api.kind == kind;
        let mut found = self.apis.iter().filter(same);
        let first = found.next()?;
        Some(self.find(&first.api_version(), kind).unwrap_or(first))
    }

    /// Every kind whose objects lie in namespaces and can be listed, once each, at the preferred version,
    /// sorted.
    #[must_use]
    pub fn all_listable_namespaced(&self) -> Vec<&Api> {
        self.all_listable().into_iter().filter(|api| api.namespaced).collect()
    }

    /// Every kind whose objects can be listed, once each, at the preferred version, sorted.
    #[must_use]
    pub fn all_listable(&self) -> Vec<&Api> {
        let mut seen = BTreeSet::new();
        let listable = self.apis.iter().filter(|api| api.can("list"));
        let mut all: Vec<&Api> = listable.filter(|api| seen.insert((&api.group, &api.plural))).collect();
        all.sort();
        all
    }

    /// Groups and versions (`metrics.k8s.io/v1beta1`) whose server does not answer: their kinds are unknown.
    #[must_use]
    pub fn unavailable(&self) -> &BTreeSet<String> {
        &self.unavailable
    }

    /// Whether nothing hides: a kind that is not here is served by nobody, unless its CRD says otherwise.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.services_known && self.unavailable.is_empty()
    }
}

impl Reader {
    /// What the cluster serves. `needed` are the (apiVersion, kind) pairs a plan works with: where `APIServices`
    /// may not be read, their CRDs are, to know who honours `dryRun`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn discover(&self, needed: &BTreeSet<(String, String)>) -> Result<Discovery, Error> {
        let (core, groups, services) = join3(self.legacy(), self.groups(), self.api_services()).await;
        let (mut apis, mut unavailable) = core?;
        let (more, hidden) = groups?;
        apis.extend(more);
        unavailable.extend(hidden);
        let services = services?;
        // The document of an aggregated API follows its server with a delay (measured): what a plan needs and
        // does not find there is asked for where it is served.
        let known: BTreeSet<(String, String)> =
            apis.iter().map(|api| (api.api_version(), api.kind.clone())).collect();
        let missing: BTreeSet<&String> =
            needed.iter().filter(|pair| !known.contains(pair)).map(|(version, _)| version).collect();
        let asked = missing.iter().map(|version| {
            let (group, version) = split_api_version(version);
            self.resources(group, version)
        });
        for (version, found) in missing.iter().zip(join_all(asked).await) {
            match found {
                Ok(found) => {
                    let new = |api: &Api| !known.contains(&(api.api_version(), api.kind.clone()));
                    apis.extend(found.into_iter().filter(new));
                }
                Err(Error::Other { status: 404, .. }) => {}
                Err(error @ (Error::Unauthorized(_) | Error::Forbidden(_))) => return Err(error),
                Err(_) => {
                    unavailable.insert((*version).clone());
                }
            }
        }
        if let Some(services) = &services {
            let down = services.iter().filter(|(_, service)| !service.available);
            unavailable.extend(down.map(|(group_version, _)| group_version.clone()));
        }
        for api in &mut apis {
            api.served_by = match &services {
                Some(services) => {
                    services.get(&api.api_version()).map_or(ServedBy::Aggregated, |service| service.served_by)
                }
                None if BUILT_IN.contains(&api.group.as_str()) => ServedBy::BuiltIn,
                None => ServedBy::Aggregated,
            };
        }
        let registered =
            |api: &Api| services.as_ref().is_some_and(|list| list.contains_key(&api.api_version()));
        if !apis.iter().all(registered) {
            self.ask_crds(&mut apis, needed).await?;
        }
        Ok(Discovery::new(apis, unavailable, services.is_some()))
    }

    /// One kind, asked for anew: for kinds that come to be while a plan is applied.
    ///
    /// # Errors
    /// See [`Error`]; a kind nobody serves is `None`.
    pub async fn find_kind(&self, api_version: &str, kind: &str) -> Result<Option<Api>, Error> {
        let (group, version) = split_api_version(api_version);
        let found = match self.resources(group, version).await {
            Ok(found) => found.into_iter().filter(|api| api.kind == kind).max_by_key(|api| api.can("get")),
            Err(Error::Other { status: 404, .. }) => None,
            Err(error) => return Err(error),
        };
        let Some(mut api) = found else { return Ok(None) };
        let name = format!("{version}.{group}");
        api.served_by = match self.get(&services_api(), None, &name).await {
            Ok(Some(service)) => service_of(&service).served_by,
            Err(Error::Forbidden(_) | Error::KindNotServed { .. }) if BUILT_IN.contains(&group) => {
                ServedBy::BuiltIn
            }
            // The APIService of a definition comes a moment after the kind is served.
            Ok(None) | Err(Error::Forbidden(_) | Error::KindNotServed { .. }) => self.by_crd(&api).await?,
            Err(error) => return Err(error),
        };
        Ok(Some(api))
    }

    /// Whether a kind is gone for good, so that its objects are too: nothing hides in discovery, it is not in
    /// there, and no CRD defines it. "No" includes "not sure".
    ///
    /// # Errors
    /// See [`Error`]; no right to list CRDs is "not sure".
    pub async fn kind_is_gone(&self, discovery: &Discovery, group: &str, kind: &str) -> Result<bool, Error> {
        if !discovery.is_complete() || discovery.preferred(group, kind).is_some() {
            return Ok(false);
        }
        let crds = match self.list(&crds(), None, None).await {
            Ok(crds) => crds,
            Err(Error::Forbidden(_)) => return Ok(false),
            Err(error) => return Err(error),
        };
        let text = |crd: &Object, pointer| crd.0.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Ok(!crds.iter().any(|crd| {
            text(crd, "/spec/group").as_deref() == Some(group)
                && text(crd, "/spec/names/kind").as_deref() == Some(kind)
        }))
    }

    async fn legacy(&self) -> Result<(Vec<Api>, BTreeSet<String>), Error> {
        let document = self.discovery_document("/api").await?;
        if is_aggregated(&document) {
            return Ok(read_aggregated(&document));
        }
        Ok((self.resources("", "v1").await?, BTreeSet::new()))
    }

    async fn groups(&self) -> Result<(Vec<Api>, BTreeSet<String>), Error> {
        let document = self.discovery_document("/apis").await?;
        if is_aggregated(&document) {
            return Ok(read_aggregated(&document));
        }
        let mut versions = Vec::new();
        for group in array(&document, "/groups") {
            let preferred = text(group, "/preferredVersion/version");
            let mut own: Vec<&str> = array(group, "/versions").map(|v| text(v, "/version")).collect();
            // A stable sort: the preferred one first, the others in the server's order.
            own.sort_by_key(|version| *version != preferred);
            versions.extend(own.into_iter().map(|version| (text(group, "/name"), version)));
        }
        let all = join_all(versions.iter().map(|(group, version)| self.resources(group, version))).await;
        let mut apis = Vec::new();
        let mut unavailable = BTreeSet::new();
        for ((group, version), found) in versions.iter().zip(all) {
            match found {
                Ok(found) => apis.extend(found),
                Err(error @ (Error::Unauthorized(_) | Error::Forbidden(_))) => return Err(error),
                Err(_) => {
                    unavailable.insert(format!("{group}/{version}"));
                }
            }
        }
        Ok((apis, unavailable))
    }

    async fn discovery_document(&self, path: &str) -> Result<Value, Error> {
        let mut call = Call::get(path.to_owned(), format!("GET {path}"));
        call.accept = AGGREGATED;
        self.document(&call).await
    }

    /// The kinds of one group and version, by plain discovery.
    async fn resources(&self, group: &str, version: &str) -> Result<Vec<Api>, Error> {
        let path = url::group_version(group, version);
        let document = self.document(&Call::get(path.clone(), format!("GET {path}"))).await?;
        Ok(read_plain(&document, group, version))
    }

    /// `APIServices` by group and version; `None` where they may not be read, or are not served.
    async fn api_services(&self) -> Result<Option<BTreeMap<String, Service>>, Error> {
        let services = match self.list(&services_api(), None, None).await {
            Ok(services) => services,
            Err(Error::Forbidden(_) | Error::KindNotServed { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let entry = |service: &Object| {
            let (group, version) = (text(&service.0, "/spec/group"), text(&service.0, "/spec/version"));
            let group_version =
                if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
            (group_version, service_of(service))
        };
        Ok(Some(services.iter().map(entry).collect()))
    }

    /// Fills in who serves the needed kinds, and those of their groups.
    async fn ask_crds(&self, apis: &mut [Api], needed: &BTreeSet<(String, String)>) -> Result<(), Error> {
        let wanted = |api: &Api| needed.contains(&(api.api_version(), api.kind.clone()));
        let asked: Vec<usize> = (0..apis.len())
            .filter(|i| apis[*i].served_by == ServedBy::Aggregated && wanted(&apis[*i]))
            .collect();
        let found = join_all(asked.iter().map(|i| self.by_crd(&apis[*i]))).await;
        for (i, found) in asked.into_iter().zip(found) {
            apis[i].served_by = found?;
        }
        Ok(())
    }

    /// A readable CRD means the kind is kube-apiserver's own to serve.
    async fn by_crd(&self, api: &Api) -> Result<ServedBy, Error> {
        match self.get_crd(&api.group, &api.plural).await {
            Ok(Some(_)) => Ok(ServedBy::Crd),
            Ok(None) | Err(Error::Forbidden(_) | Error::KindNotServed { .. }) => Ok(ServedBy::Aggregated),
            Err(error) => Err(error),
        }
    }
}

fn services_api() -> Api {
    builtin("apiregistration.k8s.io", "v1", "APIService", "apiservices", false)
}

fn service_of(service: &Object) -> Service {
    let remote = service.0.pointer("/spec/service").is_some_and(|value| !value.is_null());
    let managed = service.label("kube-aggregator.kubernetes.io/automanaged");
    let group = text(&service.0, "/spec/group");
    let served_by = if remote {
        ServedBy::Aggregated
    } else if managed == Some("onstart") || BUILT_IN.contains(&group) {
        ServedBy::BuiltIn
    } else {
        ServedBy::Crd
    };
    let mut conditions = array(&service.0, "/status/conditions");
    let available = conditions.any(|c| text(c, "/type") == "Available" && text(c, "/status") == "True");
    Service {
        served_by,
        // One without a backend is the API server itself.
        available: available || !remote,
    }
}

#[cfg(test)]
#[path = "discovery_tests.rs"]
mod tests;
