//! Reads: objects and lists of them, the identity of the cluster, access reviews.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use super::answer::{echoed, item_of, parse};
use super::builtin::{crds, namespaces};
use super::classify::{Asked, classify};
use super::connect::Target;
use super::error::Error;
use super::retry::Retrying;
use super::transport::{Call, Observer, Opened, Reply, Transport};
use super::url::{self, Query};
use super::{Api, ClusterIdentity, IdentityKind};
use crate::object::Object;

/// Objects per page of a list.
const PAGE: &str = "500";
pub(super) const JSON: &str = "application/json";

/// A connection that reads. Cheap to clone.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Shared>,
    observer: Option<Observer>,
}

pub(crate) struct Shared {
    pub(crate) transport: Transport,
    pub(crate) target: Target,
    /// Digest of CA and server URL.
    pub(crate) digest: String,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("target", &self.shared.target).finish_non_exhaustive()
    }
}

/// One consistent read of many objects.
pub(super) struct Listed {
    pub(super) objects: Vec<Object>,
    pub(super) resource_version: String,
}

impl Reader {
    pub(crate) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared), observer: None }
    }

    /// The same connection, telling `observer` of every repeated request.
    #[must_use]
    pub fn observed(&self, observer: impl Fn(&Retrying) + Send + Sync + 'static) -> Self {
        Self { shared: self.shared.clone(), observer: Some(Arc::new(observer)) }
    }

    /// Which cluster this is, by its names.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.shared.target
    }

    pub(super) async fn send(&self, call: &Call) -> Result<Reply, Error> {
        self.shared.transport.send(call, self.observer.as_ref()).await
    }

    pub(super) async fn open(&self, call: &Call) -> Result<Opened, Error> {
        self.shared.transport.open(call).await
    }

    /// Sends and reads a JSON answer; everything but success becomes an error about `asked`.
    pub(super) async fn ask(&self, call: &Call, asked: &Asked<'_>) -> Result<(u16, Value), Error> {
        let reply = self.send(call).await?;
        understood(&reply, call, asked)
    }

    /// `gitVersion` of the server, e.g. `v1.37.1`.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn version(&self) -> Result<String, Error> {
        let call = Call::get("/version".to_owned(), "GET /version".to_owned());
        let value = self.document(&call).await?;
        match value.get("gitVersion").and_then(Value::as_str) {
            Some(version) => Ok(version.to_owned()),
            None => Err(Error::Nonsense("/version has no gitVersion; is this a Kubernetes API?".to_owned())),
        }
    }

    /// Which cluster this is, for comparing with the one in state: the uid of `kube-system`, or where that may
    /// not be read a digest of CA and server URL.
    ///
    /// # Errors
    /// See [`Error`]; no right is none.
    pub async fn identity(&self) -> Result<ClusterIdentity, Error> {
        let namespaces = namespaces();
        match self.get(&namespaces, None, "kube-system").await {
            Ok(Some(object)) if !object.uid().is_empty() => {
                Ok(ClusterIdentity { kind: IdentityKind::KubeSystemUid, id: object.uid().to_owned() })
            }
            Ok(_) | Err(Error::Forbidden(_)) => {
                Ok(ClusterIdentity { kind: IdentityKind::ServerDigest, id: self.shared.digest.clone() })
            }
            Err(error) => Err(error),
        }
    }

    /// A document outside the resources, such as `/version`.
    pub(super) async fn document(&self, call: &Call) -> Result<Value, Error> {
        let reply = self.send(call).await?;
        if reply.is_success() {
            return parse(&reply.body, &call.what);
        }
        let status = super::classify::Status::read(&reply.body);
        Err(match reply.status {
            401 => Error::Unauthorized(status.message),
            403 => Error::Forbidden(status.message),
            code => Error::Other { status: code, message: format!("{}: {}", call.what, status.message) },
        })
    }

    /// One object; `None` only after a typed 404 of this very object.
    ///
    /// # Errors
    /// [`Error::KindNotServed`] for a 404 of the kind, [`Error::Nonsense`] for another object's answer.
    pub async fn get(&self, api: &Api, namespace: Option<&str>, name: &str) -> Result<Option<Object>, Error> {
        let asked = Asked { api, namespace, name };
        let call = Call::get(url::object(api, namespace, name)?, what("GET", &asked));
        match self.ask(&call, &asked).await {
            Ok((_, value)) => echoed(value, &asked).map(Some),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All objects of a kind, in one namespace or all of them. All of them or an error: a page that fails
    /// discards those before it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn list(
        &self,
        api: &Api,
        namespace: Option<&str>,
        label_selector: Option<&str>,
    ) -> Result<Vec<Object>, Error> {
        let query = Query::default().maybe("labelSelector", label_selector);
        self.list_all(api, namespace, &query).await.map(|listed| listed.objects)
    }

    pub(super) async fn list_all(
        &self,
        api: &Api,
        namespace: Option<&str>,
        query: &Query,
    ) -> Result<Listed, Error> {
        let paged = query.clone().with("limit", PAGE);
        // A continue token can expire between two pages; the second time all comes in one answer.
        for query in [&paged, &paged, query] {
            match self.list_once(api, namespace, query).await {
                Err(Error::Other { status: 410, .. }) => {}
                done => return done,
            }
        }
        Err(Error::Unavailable(format!("the list of {} expires while it is read", api.plural)))
    }

    async fn list_once(&self, api: &Api, namespace: Option<&str>, query: &Query) -> Result<Listed, Error> {
        let asked = Asked { api, namespace, name: "" };
        let path = url::collection(api, namespace);
        let mut listed = Listed { objects: Vec::new(), resource_version: String::new() };
        let mut token: Option<String> = None;
        loop {
            let uri = query.clone().maybe("continue", token.as_deref()).on(&path);
            let call = Call::get(uri, what("LIST", &asked));
            let (_, mut page) = self.ask(&call, &asked).await?;
            let text = |page: &Value, pointer: &str| {
                let value = page.pointer(pointer).and_then(Value::as_str);
                value.unwrap_or_default().to_owned()
            };
            let next = text(&page, "/metadata/continue");
            if token.is_none() {
                listed.resource_version = text(&page, "/metadata/resourceVersion");
            }
            let Some(Value::Array(items)) = page.get_mut("items").map(Value::take) else {
                // Go writes an empty list as null.
                if page.get("items").is_some_and(Value::is_null) && text(&page, "/kind").ends_with("List") {
                    return Ok(listed);
                }
                return Err(Error::Nonsense(format!("the list of {} has no items", api.plural)));
            };
            listed.objects.reserve(items.len());
            for item in items {
                listed.objects.push(item_of(item, &asked)?);
            }
            if next.is_empty() {
                return Ok(listed);
            }
            if token.as_ref() == Some(&next) {
                return Err(Error::Nonsense(format!("the list of {} never ends", api.plural)));
            }
            token = Some(next);
        }
    }

    /// Whether the user may do this, by RBAC alone (`SelfSubjectAccessReview`).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn allowed(
        &self,
        verb: &str,
        api: &Api,
        namespace: Option<&str>,
        name: Option<&str>,
    ) -> Result<bool, Error> {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": {
                "verb": verb,
                "group": api.group,
                "version": api.version,
                "resource": api.plural,
                "namespace": namespace.filter(|_| api.namespaced).unwrap_or_default(),
                "name": name.unwrap_or_default(),
            }},
        });
        let call = Call {
            method: Method::POST,
            uri: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews".to_owned(),
            body: Some((JSON, review.to_string().into_bytes())),
            accept: JSON,
            // Nothing is stored.
            repeatable: true,
            what: format!("may I {verb} {}", api.plural),
        };
        let answer = self.document(&call).await?;
        answer
            .pointer("/status/allowed")
            .and_then(Value::as_bool)
            .ok_or_else(|| Error::Nonsense(format!("{}: no answer", call.what)))
    }

    /// A `CustomResourceDefinition` by the group and plural of what it defines.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn get_crd(&self, group: &str, plural: &str) -> Result<Option<Object>, Error> {
        self.get(&crds(), None, &format!("{plural}.{group}")).await
    }

    /// `openAPIV3Schema` of one version of a custom resource.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn crd_schema(&self, api: &Api) -> Result<Option<Value>, Error> {
        let Some(crd) = self.get_crd(&api.group, &api.plural).await? else {
            return Ok(None);
        };
        let versions = crd.0.pointer("/spec/versions").and_then(Value::as_array);
        let version = versions
            .into_iter()
            .flatten()
            .find(|version| version.get("name").and_then(Value::as_str) == Some(&api.version));
        Ok(version.and_then(|version| version.pointer("/schema/openAPIV3Schema")).cloned())
    }
}

/// `PATCH configmaps media/app`.
pub(super) fn what(verb: &str, asked: &Asked<'_>) -> String {
    let namespace = asked.namespace.filter(|_| asked.api.namespaced);
    match (namespace, asked.name) {
        (None, "") => format!("{verb} {}", asked.api.plural),
        (Some(namespace), "") => format!("{verb} {} in {namespace}", asked.api.plural),
        (None, name) => format!("{verb} {} {name}", asked.api.plural),
        (Some(namespace), name) => format!("{verb} {} {namespace}/{name}", asked.api.plural),
    }
}

/// Status and body of a success; else what the answer means.
pub(super) fn understood(reply: &Reply, call: &Call, asked: &Asked<'_>) -> Result<(u16, Value), Error> {
    if reply.is_success() {
        return Ok((reply.status, parse(&reply.body, &call.what)?));
    }
    Err(match (classify(reply, asked), &call.body) {
        (Error::TooLarge(message), Some((_, body))) => {
            Error::TooLarge(format!("{message} (this request: {} bytes)", body.len()))
        }
        (error, _) => error,
    })
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
