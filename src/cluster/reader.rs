//! Everything that leaves the cluster as it is: reads, dry-runs, access reviews.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use super::classify::{Asked, classify};
use super::connect::Target;
use super::error::Error;
use super::retry::Retrying;
use super::transport::{Call, Observer, Opened, Reply, Transport};
use super::url::{self, Query};
use super::{Api, ClusterIdentity, IdentityKind, ServedBy};
use crate::object::{FIELD_MANAGER, Object};

/// Objects per page of a list.
const PAGE: &str = "500";
/// Content type of Server-Side Apply; the body is JSON, which is YAML.
pub(super) const APPLY: &str = "application/apply-patch+yaml";
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
        f.debug_struct("Reader")
            .field("target", &self.shared.target)
            .finish_non_exhaustive()
    }
}

/// What a dry-run answered.
#[derive(Debug, Clone, PartialEq)]
pub struct DryRun {
    /// The object as it would be. A create has a random uid and no resourceVersion.
    pub object: Object,
    /// Whether it would be made (201) rather than changed (200).
    pub created: bool,
}

impl DryRun {
    /// Whether the reply's resourceVersion is another than the one read before: the object changed meanwhile,
    /// or the server persisted the dry-run. Read once more; see [`DryRun::persisted`].
    #[must_use]
    pub fn moved(&self, read: &Object) -> bool {
        !self.created && self.object.resource_version() != read.resource_version()
    }

    /// Whether an update was persisted: our managedFields entry changed between the object read before and the
    /// one read after. Controllers bump resourceVersions all the time; that alone means nothing.
    #[must_use]
    pub fn persisted(before: &Object, after: &Object) -> bool {
        before.uid() == after.uid() && our_entry(before) != our_entry(after)
    }
}

/// Our Apply entry of the main resource.
fn our_entry(object: &Object) -> Option<&Value> {
    let entries = object.0.pointer("/metadata/managedFields")?.as_array()?;
    entries.iter().find(|entry| {
        entry.get("manager").and_then(Value::as_str) == Some(FIELD_MANAGER)
            && entry.get("operation").and_then(Value::as_str) == Some("Apply")
            && entry
                .get("subresource")
                .and_then(Value::as_str)
                .is_none_or(str::is_empty)
    })
}

/// A Warning event about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarningEvent {
    /// `reason`.
    pub reason: String,
    /// `message`; passes the secret filter before anything shows it.
    pub message: String,
    /// How often.
    pub count: i64,
    /// Last seen, RFC 3339.
    pub time: Option<String>,
}

/// One consistent read of many objects.
pub(super) struct Listed {
    pub(super) objects: Vec<Object>,
    pub(super) resource_version: String,
}

impl Reader {
    pub(crate) fn new(shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
            observer: None,
        }
    }

    /// The same connection, telling `observer` of every repeated request.
    #[must_use]
    pub fn observed(&self, observer: impl Fn(&Retrying) + Send + Sync + 'static) -> Self {
        Self {
            shared: self.shared.clone(),
            observer: Some(Arc::new(observer)),
        }
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
        if !reply.is_success() {
            return Err(classify(&reply, asked));
        }
        Ok((reply.status, parse(&reply.body, &call.what)?))
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
            None => Err(Error::Nonsense(
                "/version has no gitVersion; is this a Kubernetes API?".to_owned(),
            )),
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
            Ok(Some(object)) if !object.uid().is_empty() => Ok(ClusterIdentity {
                kind: IdentityKind::KubeSystemUid,
                id: object.uid().to_owned(),
            }),
            Ok(_) | Err(Error::Forbidden(_)) => Ok(ClusterIdentity {
                kind: IdentityKind::ServerDigest,
                id: self.shared.digest.clone(),
            }),
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
            code => Error::Other {
                status: code,
                message: format!("{}: {}", call.what, status.message),
            },
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
        self.list_all(api, namespace, &query)
            .await
            .map(|listed| listed.objects)
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
        Err(Error::Unavailable(format!(
            "the list of {} expires while it is read",
            api.plural
        )))
    }

    async fn list_once(&self, api: &Api, namespace: Option<&str>, query: &Query) -> Result<Listed, Error> {
        let asked = Asked {
            api,
            namespace,
            name: "",
        };
        let path = url::collection(api, namespace);
        let mut listed = Listed {
            objects: Vec::new(),
            resource_version: String::new(),
        };
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
                return Err(Error::Nonsense(format!(
                    "the list of {} has no items",
                    api.plural
                )));
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

    /// What a Server-Side Apply would do, by the server's own word, strictly validated.
    ///
    /// # Errors
    /// [`Error::DryRunUnsupported`] without a request for an aggregated API, which may ignore `dryRun`;
    /// [`Error::DryRunPersisted`] if a create came back stored.
    pub async fn dry_run_apply(
        &self,
        api: &Api,
        namespace: Option<&str>,
        name: &str,
        body: &Value,
        force: bool,
    ) -> Result<DryRun, Error> {
        if api.served_by == ServedBy::Aggregated {
            return Err(Error::DryRunUnsupported(format!(
                "{} is served by an aggregated API, which may ignore dryRun",
                api.kind
            )));
        }
        let asked = Asked { api, namespace, name };
        let call = apply_call(&asked, body, force, true)?;
        let (status, value) = self.ask(&call, &asked).await?;
        let dry_run = DryRun {
            object: echoed(value, &asked)?,
            created: status == 201,
        };
        let guarded = body.pointer("/metadata/resourceVersion").is_some();
        if dry_run.created && !guarded && !dry_run.object.resource_version().is_empty() {
            return Err(Error::DryRunPersisted {
                kind: kind_and_group(api),
                what: format!(
                    "the dry-run of {} came back with resourceVersion {}: it was created",
                    asked.api.key(namespace, name).human(),
                    dry_run.object.resource_version()
                ),
            });
        }
        Ok(dry_run)
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

    /// The Warning events about an object, oldest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn warning_events(&self, object: &Object) -> Result<Vec<WarningEvent>, Error> {
        let events = builtin("", "v1", "Event", "events", true);
        // Events about cluster-scoped objects lie in `default`.
        let namespace = object.namespace().unwrap_or("default");
        let selector = format!("involvedObject.uid={},type=Warning", object.uid());
        let query = Query::default().with("fieldSelector", &selector);
        let listed = self.list_all(&events, Some(namespace), &query).await?;
        let mut warnings: Vec<WarningEvent> = listed.objects.iter().map(warning).collect();
        warnings.sort_by(|a, b| (&a.time, &a.reason, &a.message).cmp(&(&b.time, &b.reason, &b.message)));
        Ok(warnings)
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
        Ok(version
            .and_then(|version| version.pointer("/schema/openAPIV3Schema"))
            .cloned())
    }
}

fn warning(event: &Object) -> WarningEvent {
    let text = |pointer: &str| {
        event
            .0
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let count = ["/series/count", "/count"]
        .iter()
        .find_map(|p| event.0.pointer(p)?.as_i64());
    let times = [
        "/series/lastObservedTime",
        "/lastTimestamp",
        "/eventTime",
        "/metadata/creationTimestamp",
    ];
    WarningEvent {
        reason: text("/reason").unwrap_or_default(),
        message: text("/message").unwrap_or_default(),
        count: count.unwrap_or(1),
        time: times.iter().find_map(|pointer| text(pointer)),
    }
}

/// A kind every API server has, known without discovery.
pub(super) fn builtin(group: &str, version: &str, kind: &str, plural: &str, namespaced: bool) -> Api {
    Api {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
        namespaced,
        scalable: false,
        verbs: vec!["get".to_owned(), "list".to_owned()],
        served_by: ServedBy::BuiltIn,
    }
}

pub(super) fn namespaces() -> Api {
    builtin("", "v1", "Namespace", "namespaces", false)
}

pub(super) fn crds() -> Api {
    let kind = "CustomResourceDefinition";
    builtin(
        "apiextensions.k8s.io",
        "v1",
        kind,
        "customresourcedefinitions",
        false,
    )
}

pub(super) fn kind_and_group(api: &Api) -> String {
    if api.group.is_empty() {
        api.kind.clone()
    } else {
        format!("{}.{}", api.kind, api.group)
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

/// A Server-Side Apply of ours.
pub(super) fn apply_call(asked: &Asked<'_>, body: &Value, force: bool, dry_run: bool) -> Result<Call, Error> {
    let path = url::object(asked.api, asked.namespace, asked.name)?;
    let query = Query::default()
        .with("fieldManager", FIELD_MANAGER)
        .with("fieldValidation", "Strict")
        .with("force", if force { "true" } else { "false" })
        .maybe("dryRun", dry_run.then_some("All"));
    Ok(Call {
        method: Method::PATCH,
        uri: query.on(&path),
        body: Some((APPLY, body.to_string().into_bytes())),
        accept: JSON,
        // The same apply twice ends like once: 201, then 200 without a new resourceVersion (measured). One
        // guarded as a create answers 409 the second time, which the caller tells apart by the mark.
        repeatable: true,
        what: what(if dry_run { "DRY-RUN" } else { "APPLY" }, asked),
    })
}

pub(super) fn parse(body: &[u8], what: &str) -> Result<Value, Error> {
    serde_json::from_slice(body).map_err(|_| {
        let start: String = String::from_utf8_lossy(body).chars().take(60).collect();
        // A body cut short is no text of the user's: only what a proxy's page starts with is shown.
        let page = start.trim_start().starts_with('<');
        let shown = if page {
            format!(", it starts with {start:?}")
        } else {
            String::new()
        };
        Error::Nonsense(format!("{what}: {} bytes that are no JSON{shown}", body.len()))
    })
}

/// Takes an answer for the object asked for, or not.
pub(super) fn echoed(value: Value, asked: &Asked<'_>) -> Result<Object, Error> {
    let object = Object(value);
    let api = asked.api;
    let namespace = asked.namespace.filter(|_| api.namespaced);
    let same = object.name() == asked.name
        && object.namespace().filter(|n| !n.is_empty()) == namespace
        && object.kind() == api.kind
        && object.api_version() == api.api_version();
    if same {
        return Ok(object);
    }
    let got = if object.kind().is_empty() {
        "something without a kind".to_owned()
    } else {
        object.key().to_string()
    };
    Err(Error::Nonsense(format!(
        "asked for {}, got {got}",
        api.key(namespace, asked.name)
    )))
}

/// Takes an item of a list. Items of built-in kinds come without apiVersion and kind.
fn item_of(mut item: Value, asked: &Asked<'_>) -> Result<Object, Error> {
    let api = asked.api;
    if let Some(map) = item.as_object_mut() {
        map.entry("apiVersion")
            .or_insert_with(|| Value::String(api.api_version()));
        map.entry("kind")
            .or_insert_with(|| Value::String(api.kind.clone()));
    }
    let name = Object(item);
    let namespace = match asked.namespace.filter(|_| api.namespaced) {
        Some(namespace) => Some(namespace.to_owned()),
        None => name.namespace().map(str::to_owned),
    };
    let own = name.name().to_owned();
    if own.is_empty() {
        return Err(Error::Nonsense(format!(
            "the list of {} has an item without a name",
            api.plural
        )));
    }
    let item = Asked {
        api,
        namespace: namespace.as_deref(),
        name: &own,
    };
    echoed(name.0, &item)
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
