//! The only way to change the cluster. Who may hold a [`Writer`]: `apply/`.

use std::ops::Deref;

use http::Method;
use serde_json::{Value, json};

use super::Api;
use super::answer::{echoed, parse};
use super::classify::{Asked, Status, classify};
use super::dry_run::apply_call;
use super::error::Error;
use super::reader::{JSON, Reader, understood, what};
use super::retry::Retrying;
use super::transport::Call;
use super::url::{self, Query};
use crate::failpoint;
use crate::object::{FIELD_MANAGER, Object};

/// A connection that writes, and reads by its [`Reader`]. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Writer {
    reader: Reader,
}

/// What must hold of the object at the moment of a write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// Its uid.
    pub uid: Option<String>,
    /// Its resourceVersion.
    pub resource_version: Option<String>,
}

/// What a write answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The object as stored.
    pub object: Object,
    /// Whether it was made (201) rather than changed (200).
    pub created: bool,
}

/// What a delete answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Deleted {
    /// Accepted. With an object it may go on existing until its finalizers are done, or be gone already:
    /// only a read tells.
    Accepted(Option<Object>),
    /// A typed 404: there is no such object (any more).
    NotThere,
}

impl Deref for Writer {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl Writer {
    pub(crate) fn new(reader: Reader) -> Self {
        Self { reader }
    }

    /// The reading half.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The same connection, telling `observer` of every repeated request.
    #[must_use]
    pub fn observed(&self, observer: impl Fn(&Retrying) + Send + Sync + 'static) -> Self {
        Self { reader: self.reader.observed(observer) }
    }

    /// Server-Side Apply as `arrplan`, strictly validated. Guards stand in the body: `metadata.uid` and
    /// `metadata.resourceVersion` for an update, resourceVersion `"1"` for "must not exist".
    ///
    /// # Errors
    /// [`Error::Stale`] and [`Error::AnotherObject`] for a broken guard; see [`Error::outcome_unknown`].
    pub async fn apply(
        &self,
        api: &Api,
        namespace: Option<&str>,
        name: &str,
        body: &Value,
        force: bool,
    ) -> Result<Applied, Error> {
        let asked = Asked { api, namespace, name };
        let call = apply_call(&asked, body, force, false)?;
        self.write(&call, &asked).await
    }

    /// POST, for APIs that do not guard an apply. Not repeated when the answer is lost: read and compare the
    /// mark.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`]; see [`Error::outcome_unknown`].
    pub async fn create(&self, api: &Api, namespace: Option<&str>, body: &Value) -> Result<Applied, Error> {
        let name = body.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let asked = Asked { api, namespace, name };
        // The path of the object is not used, but a missing name or namespace is to be seen here.
        url::object(api, namespace, name)?;
        let call = Call {
            method: Method::POST,
            uri: written(&url::collection(api, namespace)),
            body: Some((JSON, body.to_string().into_bytes())),
            accept: JSON,
            repeatable: false,
            what: what("CREATE", &asked),
        };
        self.write(&call, &asked).await
    }

    /// PUT of the whole object, which must exist; `metadata.uid` and `metadata.resourceVersion` in the body are
    /// its guard.
    ///
    /// # Errors
    /// See [`Writer::apply`].
    pub async fn replace(
        &self,
        api: &Api,
        namespace: Option<&str>,
        name: &str,
        body: &Value,
    ) -> Result<Applied, Error> {
        let asked = Asked { api, namespace, name };
        let call = Call {
            method: Method::PUT,
            uri: written(&url::object(api, namespace, name)?),
            body: Some((JSON, body.to_string().into_bytes())),
            accept: JSON,
            // A second one meets the first one's resourceVersion: stale, and the caller reads again.
            repeatable: true,
            what: what("REPLACE", &asked),
        };
        self.write(&call, &asked).await
    }

    /// JSON merge patch. Put `metadata.resourceVersion` into it as its guard.
    ///
    /// # Errors
    /// See [`Writer::apply`].
    pub async fn merge_patch(
        &self,
        api: &Api,
        namespace: Option<&str>,
        name: &str,
        patch: &Value,
    ) -> Result<Applied, Error> {
        self.patch(api, namespace, name, "application/merge-patch+json", patch).await
    }

    /// JSON patch (RFC 6902): a list of operations. Start it with a `test` of `/metadata/resourceVersion`.
    ///
    /// # Errors
    /// A failed `test` is 422, [`Error::Refused`] or [`Error::Invalid`]; else see [`Writer::apply`].
    pub async fn json_patch(
        &self,
        api: &Api,
        namespace: Option<&str>,
        name: &str,
        operations: &Value,
    ) -> Result<Applied, Error> {
        self.patch(api, namespace, name, "application/json-patch+json", operations).await
    }

    async fn patch(
        &self,
        api: &Api,
        namespace: Option<&str>,
        name: &str,
        kind: &'static str,
        patch: &Value,
    ) -> Result<Applied, Error> {
        let asked = Asked { api, namespace, name };
        let call = Call {
            method: Method::PATCH,
            uri: written(&url::object(api, namespace, name)?),
            body: Some((kind, patch.to_string().into_bytes())),
            accept: JSON,
            repeatable: false,
            what: what("PATCH", &asked),
        };
        self.write(&call, &asked).await
    }

    async fn write(&self, call: &Call, asked: &Asked<'_>) -> Result<Applied, Error> {
        let reply = failpoint::request(self.reader.send(call)).await?;
        let (status, value) = understood(&reply, call, asked)
            .map_err(|error| if reply.lost_before { error.after_lost() } else { error })?;
        Ok(Applied { object: echoed(value, asked)?, created: status == 201 })
    }

    /// Deletes this very object, its dependents by the garbage collector (propagation Background; a bare DELETE
    /// of a Job would leave its pods, measured).
    ///
    /// # Errors
    /// [`Error::AnotherObject`] and [`Error::Stale`] for a broken precondition.
    pub async fn delete(
        &self,
        api: &Api,
        namespace: Option<&str>,
        name: &str,
        preconditions: &Preconditions,
    ) -> Result<Deleted, Error> {
        let asked = Asked { api, namespace, name };
        let mut guard = serde_json::Map::new();
        if let Some(uid) = &preconditions.uid {
            guard.insert("uid".to_owned(), json!(uid));
        }
        if let Some(version) = &preconditions.resource_version {
            guard.insert("resourceVersion".to_owned(), json!(version));
        }
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": guard,
            "propagationPolicy": "Background",
        });
        let call = Call {
            method: Method::DELETE,
            uri: url::object(api, namespace, name)?,
            body: Some((JSON, options.to_string().into_bytes())),
            accept: JSON,
            // Without a uid a second DELETE could meet a new object of the same name.
            repeatable: preconditions.uid.is_some(),
            what: what("DELETE", &asked),
        };
        let reply = failpoint::request(self.reader.send(&call)).await?;
        if !reply.is_success() {
            return match classify(&reply, &asked) {
                Error::NotFound(_) => Ok(Deleted::NotThere),
                error if reply.lost_before => Err(error.after_lost()),
                error => Err(error),
            };
        }
        let status = Status::read(&reply.body);
        if status.typed {
            let about_it = status.name.is_empty() || status.name == name;
            return if about_it {
                Ok(Deleted::Accepted(None))
            } else {
                Err(Error::Nonsense(format!("deleted {}, got the status of {}", name, status.name)))
            };
        }
        let object = echoed(parse(&reply.body, &call.what)?, &asked)?;
        if preconditions.uid.as_ref().is_some_and(|uid| object.uid() != uid) {
            return Err(Error::Nonsense(format!(
                "deleted {} with uid {}, got uid {}",
                name,
                preconditions.uid.as_deref().unwrap_or_default(),
                object.uid()
            )));
        }
        Ok(Deleted::Accepted(Some(object)))
    }
}

/// A path with our name on what is written there.
fn written(path: &str) -> String {
    Query::default().with("fieldManager", FIELD_MANAGER).with("fieldValidation", "Strict").on(path)
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
