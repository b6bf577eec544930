//! LIST: `k8s.io/apiserver/pkg/storage/cacher` and `etcd3`, in which revision is meant.

use std::sync::Arc;
use std::time::Duration;

use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::api_version;
use super::continue_token::ContinueToken;
use super::list_params::{self, ListParams, VersionMatch};
use crate::sandbox::error::{ApiError, Cause, Details};
use crate::sandbox::resource::Resource;
use crate::sandbox::server::Server;
use crate::sandbox::storage::{Key, Scope, Storage, Stored};

/// How long the API server waits for a revision that is not there yet.
const PATIENCE: Duration = Duration::from_secs(3);

/// A list, its objects shared with storage.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sandbox) struct Listed {
    kind: String,
    api_version: String,
    metadata: Value,
    /// Whole objects. In the list, those of built-in kinds stand without `apiVersion` and `kind`.
    pub(in crate::sandbox) items: Vec<Arc<Value>>,
    is_custom: bool,
}

impl Listed {
    /// The list as one value.
    pub(in crate::sandbox) fn to_value(&self) -> Value {
        let items = self.items.iter().map(|item| {
            let mut item = Value::clone(item);
            if let (false, Value::Object(map)) = (self.is_custom, &mut item) {
                map.remove("apiVersion");
                map.remove("kind");
            }
            item
        });
        json!({
            "kind": self.kind,
            "apiVersion": self.api_version,
            "metadata": self.metadata,
            "items": items.collect::<Vec<_>>(),
        })
    }
}

/// Writes the list without making a value of it.
impl Serialize for Listed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("kind", &self.kind)?;
        map.serialize_entry("apiVersion", &self.api_version)?;
        map.serialize_entry("metadata", &self.metadata)?;
        map.serialize_entry("items", &Items(self))?;
        map.end()
    }
}

struct Items<'a>(&'a Listed);

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(self.0.items.len()))?;
        for item in &self.0.items {
            match (&**item, self.0.is_custom) {
                (Value::Object(_), false) => sequence.serialize_element(&Untyped(item))?,
                _ => sequence.serialize_element(&**item)?,
            }
        }
        sequence.end()
    }
}

struct Untyped<'a>(&'a Value);

impl Serialize for Untyped<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.0.as_object().into_iter().flatten();
        serializer.collect_map(fields.filter(|(name, _)| !matches!(name.as_str(), "apiVersion" | "kind")))
    }
}

/// Lists objects of a kind, of one namespace or, by `None`, of all (or of a cluster-scoped kind).
///
/// # Errors
/// 400, 410, 504 about the revision or the continue token, as the API server words them.
pub(in crate::sandbox) async fn list(
    server: &Server,
    resource: &Resource,
    namespace: Option<&str>,
    params: &ListParams,
) -> Result<Listed, ApiError> {
    let storage = &server.storage;
    let scope = Scope { group: &resource.group, plural: &resource.plural, namespace };
    let page = match single(resource, scope, params) {
        Some(key) => one(storage, scope, &key, params).await?,
        None => many(storage, scope, params).await?,
    };
    Ok(cut(resource, scope, params, page))
}

/// What a list chooses from.
struct Page {
    found: Vec<(Key, Stored)>,
    revision: u64,
}

/// The key, where the list is about one object: the API server then reads that alone.
fn single(resource: &Resource, scope: Scope<'_>, params: &ListParams) -> Option<Key> {
    let name = params.selector.fields.exact("metadata.name")?;
    let is_name = !matches!(name, "" | "." | "..") && !name.contains(['/', '%']);
    let is_place = scope.namespace.is_some() || !resource.namespaced;
    (is_name && is_place && params.continue_token.is_empty()).then(|| Key {
        group: resource.group.clone(),
        plural: resource.plural.clone(),
        namespace: scope.namespace.unwrap_or_default().to_owned(),
        name: name.to_owned(),
    })
}

async fn one(storage: &Storage, scope: Scope<'_>, key: &Key, params: &ListParams) -> Result<Page, ApiError> {
    let version = version_of(params)?;
    let is_exact = params.version_match == VersionMatch::Exact;
    let is_limited = params.version_match == VersionMatch::Unset && params.limit > 0 && version > 0;
    if is_exact || is_limited {
        // Read from etcd, which does not wait.
        if version > storage.revision() {
            return Err(too_large(version, storage.revision(), 0));
        }
    } else {
        wait_for(storage, version).await?;
    }
    let (mut found, revision) = if is_exact {
        (storage.list_at(scope, version).map_err(|_| expired(LIST_EXPIRED))?, version)
    } else {
        storage.list(scope.group, scope.plural, scope.namespace)
    };
    found.retain(|(at, _)| at == key);
    Ok(Page { found, revision })
}

async fn many(storage: &Storage, scope: Scope<'_>, params: &ListParams) -> Result<Page, ApiError> {
    let token = match params.continue_token.as_str() {
        "" => None,
        text => Some(
            ContinueToken::decode(text)
                .map_err(|error| ApiError::bad_request(format!("invalid continue token: {error}")))?,
        ),
    };
    if token.is_some() && !matches!(params.version.as_str(), "" | "0") {
        return Err(ApiError::bad_request("specifying resource version is not allowed when using continue"));
    }
    let version = version_of(params)?;
    let exact = match (params.version_match, &token) {
        (VersionMatch::Exact, _) => Some(version),
        (VersionMatch::Unset, Some(token)) => token.revision,
        (VersionMatch::Unset, None) if params.limit > 0 && version > 0 => Some(version),
        (VersionMatch::Unset | VersionMatch::NotOlderThan, _) => None,
    };
    wait_for(storage, exact.unwrap_or(version)).await?;
    let start = token.as_ref().map(|token| token.start.as_str());
    let (mut found, revision) = match exact {
        Some(revision) => {
            let then = storage.list_at(scope, revision);
            (then.map_err(|_| start.map_or_else(|| expired(LIST_EXPIRED), page_expired))?, revision)
        }
        None => storage.list(scope.group, scope.plural, scope.namespace),
    };
    if let Some(start) = start {
        let before = found.partition_point(|(key, _)| place_in(scope, key).as_str() < start);
        found.drain(..before);
    }
    Ok(Page { found, revision })
}

/// The answer: what is selected, up to the limit.
fn cut(resource: &Resource, scope: Scope<'_>, params: &ListParams, page: Page) -> Listed {
    let Page { found, revision } = page;
    // The API server's cache knows no limit for "any version".
    let is_limited = params.limit > 0 && params.version != "0";
    let limit = if is_limited { usize::try_from(params.limit).unwrap_or(usize::MAX) } else { usize::MAX };
    let mut items = Vec::new();
    let mut cut_after = None;
    for (index, (key, stored)) in found.iter().enumerate() {
        if !params.selector.matches(resource, &stored.object) {
            continue;
        }
        items.push(as_served(resource, &stored.object));
        if items.len() >= limit {
            cut_after = (index + 1 < found.len()).then_some(key);
            break;
        }
    }
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if resource.custom.is_some() {
        metadata["continue"] = "".into();
    }
    if let Some(last) = cut_after {
        metadata["continue"] = ContinueToken::after(&place_in(scope, last), revision).encode().into();
        if params.selector.is_empty() {
            metadata["remainingItemCount"] = (found.len() - items.len()).into();
        }
    }
    Listed {
        kind: resource.list_kind.clone(),
        api_version: api_version(&resource.group, &resource.version),
        metadata,
        items,
        is_custom: resource.custom.is_some(),
    }
}

/// An object in the version it is asked in; one that is in that form already is shared.
pub(super) fn as_served(resource: &Resource, object: &Arc<Value>) -> Arc<Value> {
    if resource.custom.is_none()
        && object["apiVersion"] == api_version(&resource.group, &resource.version).as_str()
    {
        return Arc::clone(object);
    }
    let served = super::get::in_version(resource, Value::clone(object));
    if served == **object { Arc::clone(object) } else { Arc::new(served) }
}

/// The key of an object as continue tokens of a list name it.
fn place_in(scope: Scope<'_>, key: &Key) -> String {
    if scope.namespace.is_some() { key.name.clone() } else { key.place() }
}

fn version_of(params: &ListParams) -> Result<u64, ApiError> {
    let version = list_params::revision(&params.version);
    version.map_err(|error| ApiError::bad_request(format!("invalid resource version: {error}")))
}

/// Waits until what is there is not older than a version, as a GET may ask.
///
/// # Errors
/// 500: it is no number, in the API server's own words; 504: it did not come.
pub(in crate::sandbox) async fn fresh(server: &Server, version: &str) -> Result<(), ApiError> {
    let version = list_params::revision(version).map_err(|error| ApiError::new(500, "", error))?;
    wait_for(&server.storage, version).await
}

/// Waits for a revision as long as the API server does.
///
/// # Errors
/// 504: it did not come.
pub(super) async fn wait_for(storage: &Storage, revision: u64) -> Result<(), ApiError> {
    let mut latest = storage.latest();
    let reached = tokio::time::timeout(PATIENCE, latest.wait_for(|latest| *latest >= revision)).await;
    match reached {
        Ok(_) => Ok(()),
        Err(_) => Err(too_large(revision, storage.revision(), 1)),
    }
}

fn too_large(asked: u64, current: u64, retry_after_seconds: u32) -> ApiError {
    let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
    let mut error = ApiError::new(504, "Timeout", message);
    let cause = Cause {
        reason: "ResourceVersionTooLarge",
        message: "Too large resource version".to_owned(),
        field: String::new(),
    };
    error.details =
        Some(Box::new(Details { causes: vec![cause], retry_after_seconds, ..Details::default() }));
    error
}

const LIST_EXPIRED: &str = "The resourceVersion for the provided list is too old.";

const PAGE_EXPIRED: &str = "The provided continue parameter is too old to display a consistent list result. You can \
    start a new list without the continue parameter, or use the continue token in this response to retrieve the \
    remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were \
    created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";

/// 410.
pub(super) fn expired(message: &str) -> ApiError {
    ApiError::new(410, "Expired", message)
}

/// 410, with a token that goes on from there as of now.
fn page_expired(start: &str) -> ApiError {
    let token = ContinueToken { revision: None, start: start.to_owned() };
    let mut error = expired(PAGE_EXPIRED);
    error.details = Some(Box::new(Details { list_continue: token.encode(), ..Details::default() }));
    error
}
