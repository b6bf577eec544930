//! Dependencies that manifests mean without saying them.
//!
//! Sources: helm-controller and kustomize-controller API types for what a HelmRelease and a Kustomization
//! name; `core/v1` `PodSpec` for pods; Cozystack's tenant chart for the namespaces a tenant makes.

use std::collections::BTreeMap;

use crate::address::{Address, ObjectKey, split_api_version};
use crate::diag::Span;
use crate::graph::{Edge, Reason, ReasonKind};

use super::cell::{Cell, Data};
use super::eval::Identity;
use super::pods;

/// Who declares which object.
#[derive(Default)]
pub(super) struct Index<'i> {
    objects: BTreeMap<ObjectKey, &'i Address>,
    /// Namespaces by name: declared ones, and those that tenants make.
    namespaces: BTreeMap<String, &'i Address>,
    /// Definitions by group and kind of what they define.
    definitions: BTreeMap<(String, String), &'i Address>,
}

/// An object named by another.
pub(super) struct Named<'n> {
    pub group: &'static str,
    pub kind: &'n str,
    pub namespace: Option<&'n str>,
    pub name: &'n str,
}

pub(super) const HELM: &str = "helm.toolkit.fluxcd.io";
const KUSTOMIZE: &str = "kustomize.toolkit.fluxcd.io";
const SOURCE: &str = "source.toolkit.fluxcd.io";
const COZYSTACK: &str = "apps.cozystack.io";

impl<'i> Index<'i> {
    /// Indexes all objects; `existing` ones count as declared.
    pub(super) fn new(objects: impl Iterator<Item = (&'i Address, &'i Identity)>) -> Self {
        let mut index = Self::default();
        for (address, object) in objects {
            let (group, _) = split_api_version(&object.api_version);
            index.objects.insert(
                ObjectKey::new(group, &object.kind, object.namespace.as_deref(), &object.name),
                address,
            );
            match (group, object.kind.as_str()) {
                ("", "Namespace") => {
                    index.namespaces.insert(object.name.clone(), address);
                }
                (COZYSTACK, "Tenant") => {
                    let parent = object.namespace.as_deref().unwrap_or_default();
                    let parent = if parent == "tenant-root" { "tenant" } else { parent };
                    index.namespaces.entry(format!("{parent}-{}", object.name)).or_insert(address);
                }
                ("apiextensions.k8s.io", "CustomResourceDefinition") => {
                    let text = |keys: &[&str]| object.manifest.at(keys).and_then(Cell::text);
                    if let (Some(group), Some(kind)) =
                        (text(&["spec", "group"]), text(&["spec", "names", "kind"]))
                    {
                        index.definitions.insert((group.to_owned(), kind.to_owned()), address);
                    }
                }
                ("cozystack.io", "ApplicationDefinition") => {
                    if let Some(kind) =
                        object.manifest.at(&["spec", "application", "kind"]).and_then(Cell::text)
                    {
                        index.definitions.insert((COZYSTACK.to_owned(), kind.to_owned()), address);
                    }
                }
                _ => {}
            }
        }
        index
    }

    fn object(&self, named: &Named<'_>) -> Option<&'i Address> {
        let key = ObjectKey::new(named.group, named.kind, named.namespace, named.name);
        self.objects.get(&key).copied()
    }
}

/// The edges of one object.
pub(super) struct Edges<'e, 'i> {
    pub index: &'e Index<'i>,
    pub from: &'e Address,
    pub object: &'e Identity,
    pub found: &'e mut Vec<Edge<Address>>,
}

impl Edges<'_, '_> {
    fn push(&mut self, to: &Address, kind: ReasonKind, span: &Span) {
        if to != self.from {
            self.found.push(Edge {
                from: self.from.clone(),
                to: to.clone(),
                reason: Reason { kind, span: Some(span.clone()) },
            });
        }
    }

    /// An edge to the object that the field at `path` names, if the stack has it.
    pub(super) fn named(&mut self, named: &Named<'_>, path: &str, span: &Span) {
        if let Some(to) = self.index.object(named) {
            self.push(to, ReasonKind::Field(path.to_owned()), span);
        }
    }

    fn namespace(&mut self, name: &str, kind: ReasonKind, span: &Span) {
        if let Some(to) = self.index.namespaces.get(name) {
            self.push(to, kind, span);
        }
    }

    /// Everything that the object means by itself. `span` is where it is declared.
    pub(super) fn infer(&mut self, span: &Span) {
        let object = self.object;
        let (group, _) = split_api_version(&object.api_version);
        if let Some(namespace) = &object.namespace {
            let at = object.manifest.at(&["metadata", "namespace"]).map_or(span, |cell| &cell.span);
            self.namespace(namespace, ReasonKind::Namespace, at);
        }
        if let Some(to) = self.index.definitions.get(&(group.to_owned(), object.kind.clone())) {
            self.push(to, ReasonKind::Definition, span);
        }
        let Some(spec) = object.manifest.get("spec") else {
            // Secrets, ConfigMaps and RBAC hold data, not workloads.
            return;
        };
        match (group, object.kind.as_str()) {
            (HELM, "HelmRelease") => return self.helm_release(spec),
            (KUSTOMIZE, "Kustomization") => return self.kustomization(spec),
            (SOURCE, _) => self.source(spec),
            _ => {}
        }
        pods::walk(self, &object.manifest, &mut Vec::new());
    }

    /// A field whose value is the name of an object in `namespace`.
    fn name_in(
        &mut self,
        spec: &Cell,
        keys: &[&str],
        group: &'static str,
        kind: &str,
        namespace: Option<&str>,
    ) {
        let Some(cell) = spec.at(keys) else { return };
        let Some(name) = cell.text() else { return };
        let named = Named { group, kind, namespace, name };
        self.named(&named, &format!("spec.{}", keys.join(".")), &cell.span);
    }

    /// A field that names an object by kind, name and namespace.
    fn reference(&mut self, cell: &Cell, group: &'static str, default_kind: &str, path: &str) {
        let text = |key: &str| cell.get(key).and_then(Cell::text);
        let Some(name) = text("name") else { return };
        let named = Named {
            group,
            kind: text("kind").unwrap_or(default_kind),
            namespace: text("namespace").or(self.object.namespace.as_deref()),
            name,
        };
        let span = cell.get("name").map_or(&cell.span, |name| &name.span);
        self.named(&named, path, span);
    }

    fn references(&mut self, spec: &Cell, key: &str, group: &'static str, default_kind: &str) {
        for item in spec.get(key).map(Cell::list).unwrap_or_default() {
            self.reference(item, group, default_kind, &format!("spec.{key}"));
        }
    }

    fn helm_release(&mut self, spec: &Cell) {
        let own = self.object.namespace.as_deref();
        if let Some(source) = spec.at(&["chart", "spec", "sourceRef"]) {
            self.reference(source, SOURCE, "HelmRepository", "spec.chart.spec.sourceRef");
        }
        if let Some(source) = spec.get("chartRef") {
            self.reference(source, SOURCE, "OCIRepository", "spec.chartRef");
        }
        self.references(spec, "dependsOn", HELM, "HelmRelease");
        self.references(spec, "valuesFrom", "", "Secret");
        self.name_in(spec, &["kubeConfig", "secretRef", "name"], "", "Secret", own);
        self.name_in(spec, &["serviceAccountName"], "", "ServiceAccount", own);
        self.name_in(spec, &["chart", "spec", "verify", "secretRef", "name"], "", "Secret", own);
        self.target_namespaces(spec);
    }

    fn target_namespaces(&mut self, spec: &Cell) {
        for key in ["targetNamespace", "storageNamespace"] {
            if let Some(cell) = spec.get(key)
                && let Some(name) = cell.text()
            {
                self.namespace(name, ReasonKind::Field(format!("spec.{key}")), &cell.span);
            }
        }
    }

    fn kustomization(&mut self, spec: &Cell) {
        let own = self.object.namespace.as_deref();
        if let Some(source) = spec.get("sourceRef") {
            self.reference(source, SOURCE, "GitRepository", "spec.sourceRef");
        }
        self.references(spec, "dependsOn", KUSTOMIZE, "Kustomization");
        if let Some(build) = spec.get("postBuild") {
            for item in build.get("substituteFrom").map(Cell::list).unwrap_or_default() {
                self.reference(item, "", "Secret", "spec.postBuild.substituteFrom");
            }
        }
        self.name_in(spec, &["decryption", "secretRef", "name"], "", "Secret", own);
        self.name_in(spec, &["kubeConfig", "secretRef", "name"], "", "Secret", own);
        self.name_in(spec, &["serviceAccountName"], "", "ServiceAccount", own);
        self.target_namespaces(spec);
    }

    fn source(&mut self, spec: &Cell) {
        let own = self.object.namespace.as_deref();
        for key in ["secretRef", "proxySecretRef", "certSecretRef"] {
            self.name_in(spec, &[key, "name"], "", "Secret", own);
        }
        self.name_in(spec, &["verify", "secretRef", "name"], "", "Secret", own);
        self.name_in(spec, &["serviceAccountName"], "", "ServiceAccount", own);
        if let Some(source) = spec.get("sourceRef") {
            self.reference(source, SOURCE, "HelmRepository", "spec.sourceRef");
        }
        for item in spec.get("include").map(Cell::list).unwrap_or_default() {
            if let Some(repository) = item.get("repository") {
                self.reference(repository, SOURCE, "GitRepository", "spec.include");
            }
        }
    }
}

/// Whether a value may hold a pod template further down.
pub(super) fn is_container(cell: &Cell) -> bool {
    matches!(cell.data, Data::List(_) | Data::Map(_))
}
