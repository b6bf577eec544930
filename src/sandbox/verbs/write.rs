//! What every write does: the steps of the API server's generic store, in its order.

use serde_json::{Value, json};

use super::list::as_served;
use super::metadata::{self, text};
use super::{Answer, Request, definition, namespace, not_found, not_written, rules};
use crate::sandbox::error::{ApiError, Cause};
use crate::sandbox::fault;
use crate::sandbox::meta;
use crate::sandbox::ownership;
use crate::sandbox::resource::{Draw as _, Endpoint, Resource};
use crate::sandbox::server::Server;
use crate::sandbox::storage::{CommitError, Stored};

/// Told to a client that wrote on the base of something old.
const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

/// Checks that the object lies where the request goes; an object that does not say is put there.
pub(super) fn place(resource: &Resource, request: &Request, object: &mut Value) -> Result<(), ApiError> {
    let namespace = if resource.namespaced { request.namespace.as_str() } else { "" };
    match text(object, "namespace") {
        same if same == namespace => Ok(()),
        "" => {
            metadata::set(object, "namespace", namespace.into());
            Ok(())
        }
        _ if namespace.is_empty() => {
            metadata::set(object, "namespace", Value::Null);
            Ok(())
        }
        _ => Err(ApiError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )),
    }
}

/// Checks that the object has the name in the URL.
pub(super) fn check_name(request: &Request, object: &Value) -> Result<(), ApiError> {
    match text(object, "name") {
        "" => Err(ApiError::bad_request(format!(
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
            request.name
        ))),
        name if name == request.name => Ok(()),
        name => Err(ApiError::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            request.name
        ))),
    }
}

/// Makes `object` ready to be stored for the first time: its namespace takes it, the server's own fields are
/// filled in, it is prepared and valid.
pub(super) fn begin(
    server: &Server,
    resource: &Resource,
    request: &Request,
    object: &mut Value,
) -> Result<(), ApiError> {
    namespace::admit_create(server, resource, request, object)?;
    metadata::wipe(object);
    metadata::set(object, "creationTimestamp", server.now().into());
    metadata::set(object, "uid", server.uid().into());
    let prefix = text(object, "generateName");
    if !prefix.is_empty() && text(object, "name").is_empty() {
        let name = server.generate_name(prefix);
        metadata::set(object, "name", name.into());
    }
    place(resource, request, object)?;
    let strategy = &resource.strategy;
    if strategy.counts_generation() {
        metadata::set(object, "generation", 1.into());
    }
    strategy.prepare_create(object, server);
    let mut causes = strategy.validate_create(object);
    if causes.is_empty() {
        causes = meta::validate_create(resource, object);
    }
    refuse(resource, object, causes)?;
    request.warn(strategy.warnings(object, None, request.endpoint));
    strategy.admit(object, None, server)
}

/// 422 if there are causes.
fn refuse(resource: &Resource, object: &Value, causes: Vec<Cause>) -> Result<(), ApiError> {
    if causes.is_empty() {
        return Ok(());
    }
    // Checks of one kind overlap. The API server tells what they find once, but for kinds that declare none.
    let is_plain = resource.custom.is_some() || rules::is_definition(resource);
    let mut told: Vec<Cause> = Vec::new();
    for cause in causes {
        if is_plain || !told.contains(&cause) {
            told.push(cause);
        }
    }
    // The kind is the one the client wrote: of a custom object that may be another than the resource's.
    let kind = object["kind"].as_str().unwrap_or(&resource.kind);
    Err(ApiError::invalid(&resource.group, kind, text(object, "name"), told))
}

/// Makes `object` ready to be stored in place of `old`.
fn change(
    server: &Server,
    resource: &Resource,
    request: &Request,
    object: &mut Value,
    old: &Value,
) -> Result<(), ApiError> {
    place(resource, request, object)?;
    metadata::set(object, "selfLink", Value::Null);
    metadata::copy(object, "generation", old);
    let strategy = &resource.strategy;
    let finalizers = request.finalize.then(|| object["spec"]["finalizers"].take());
    strategy.prepare_update(object, old, request.endpoint, server);
    if let Some(finalizers) = finalizers {
        namespace::set_spec_finalizers(object, finalizers);
    }
    if request.endpoint != Endpoint::Status && strategy.is_new_generation(object, old) {
        let next = metadata::generation(old) + 1;
        metadata::set(object, "generation", next.into());
    }
    if text(object, "uid").is_empty() {
        metadata::copy(object, "uid", old);
    }
    metadata::copy(object, "creationTimestamp", old);
    if metadata::is_deleting(old) {
        metadata::copy(object, "deletionTimestamp", old);
    }
    if object["metadata"]["deletionGracePeriodSeconds"].is_null() {
        metadata::copy(object, "deletionGracePeriodSeconds", old);
    }
    let mut causes = meta::validate_update(resource, object, old);
    causes.extend(strategy.validate_update(object, old, request.endpoint));
    refuse(resource, object, causes)?;
    request.warn(strategy.warnings(object, Some(old), request.endpoint));
    if request.endpoint == Endpoint::Main {
        strategy.admit(object, Some(old), server)?;
    }
    ownership::keep_times(object, old);
    Ok(())
}

/// Stores what `make` makes of what is stored (`None`: nothing); it is asked again when another write was faster. `uid`: only in place of that object. `may_create`: whether an object that is not
/// there is made.
///
/// # Errors
/// What `make` refuses; 404, 409, 422.
pub(super) async fn store(
    server: &Server,
    resource: &Resource,
    request: &Request,
    uid: Option<&str>,
    may_create: bool,
    make: impl Fn(Option<&Value>) -> Result<Value, ApiError> + Send + Sync,
) -> Result<Answer, ApiError> {
    let key = request.key(resource);
    loop {
        let live = server.storage.get(&key);
        if live.is_none() && !may_create {
            return Err(not_found(resource, &request.name));
        }
        check_uid(resource, request, uid, live.as_ref())?;
        // What is stored, as the version of the request has it.
        let old = live.as_ref().map(|live| as_served(resource, &live.object));
        let mut object = make(old.as_deref())?;
        let outcome = match live.as_ref().zip(old.as_deref()) {
            None => {
                begin(server, resource, request, &mut object)?;
                // What such a write says about its base counts for nothing, and is shown in a dry-run alone.
                if !request.dry_run {
                    metadata::set(&mut object, "resourceVersion", Value::Null);
                }
                Outcome::Write(object)
            }
            Some((live, old)) => {
                check_version(resource, request, &mut object, live)?;
                change(server, resource, request, &mut object, old)?;
                outcome(resource, object, live)
            }
        };
        let code = if live.is_some() { 200 } else { 201 };
        let answer = |object| Answer { code, object };
        let (commit, shown) = match outcome {
            Outcome::Nothing(object) => return Ok(answer(object)),
            Outcome::Write(object) | Outcome::Remove(object) if request.dry_run => return Ok(answer(object)),
            Outcome::Write(object) => (Some(object), None),
            Outcome::Remove(object) => (None, Some(object)),
        };
        let expected = live.as_ref().map(|live| live.revision);
        match server.storage.commit(&key, expected, commit).await {
            Ok(stored) => {
                let removed = shown.is_some();
                definition::after(server, resource, live.as_ref(), (!removed).then_some(&stored)).await?;
                return Ok(answer(shown.unwrap_or_else(|| (*stored.object).clone())));
            }
            // Another write was faster: what follows from it is for the next round to find.
            Err(CommitError::Stale) => {}
            Err(error) => return Err(not_written(&error)),
        }
    }
}

enum Outcome {
    /// Stored as it is.
    Nothing(Value),
    /// To be stored.
    Write(Value),
    /// Its last finalizer went: to be removed.
    Remove(Value),
}

fn outcome(resource: &Resource, object: Value, live: &Stored) -> Outcome {
    let old = &live.object;
    let ended = old["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or_default() == 0;
    let held = rules::is_namespace(resource)
        && object["spec"]["finalizers"].as_array().is_some_and(|list| !list.is_empty());
    if metadata::is_deleting(old) && ended && !held && metadata::finalizers(&object).is_empty() {
        Outcome::Remove(object)
    } else if is_same(&object, old) {
        Outcome::Nothing(object)
    } else {
        Outcome::Write(object)
    }
}

/// Whether two objects are the same but for the version they are written in.
fn is_same(new: &Value, old: &Value) -> bool {
    let (Value::Object(new), Value::Object(old)) = (new, old) else { return new == old };
    let is_version = |key: &String| key == "apiVersion";
    new.len() == old.len() && new.iter().all(|(key, value)| is_version(key) || old.get(key) == Some(value))
}

fn check_uid(
    resource: &Resource,
    request: &Request,
    uid: Option<&str>,
    live: Option<&Stored>,
) -> Result<(), ApiError> {
    let Some(uid) = uid else { return Ok(()) };
    let actual = live.map_or("", |live| text(&live.object, "uid"));
    if uid == actual {
        return Ok(());
    }
    let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {actual}");
    Err(precondition(resource, request, &why))
}

/// A precondition that etcd's client checks, worded as it words it.
pub(super) fn precondition(resource: &Resource, request: &Request, why: &str) -> ApiError {
    let mut key = rules::etcd_key(resource, &request.key(resource));
    // A dry run is checked before the key has its prefix.
    if request.dry_run
        && let Some(bare) = key.strip_prefix("/registry")
    {
        key = bare.to_owned();
    }
    let why = format!(
        "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: {why}"
    );
    ApiError::conflict(&resource.group, &resource.plural, &request.name, &why)
}

/// Checks the resource version that `object` is based on, or sets it to the live one if it says none.
fn check_version(
    resource: &Resource,
    request: &Request,
    object: &mut Value,
    live: &Stored,
) -> Result<(), ApiError> {
    let version = match text(object, "resourceVersion") {
        "" => 0,
        version => version.parse::<u64>().map_err(|_| {
            let why = format!("strconv.ParseUint: parsing {}: invalid syntax", fault::quote(version));
            ApiError::new(500, "", why)
        })?,
    };
    let (group, plural, name) = (&resource.group, &resource.plural, &request.name);
    if version == 0 {
        if rules::needs_version(resource) {
            let cause =
                fault::invalid("metadata.resourceVersion", &json!(0), "must be specified for an update");
            return Err(ApiError::invalid(group, plural, name, vec![cause]));
        }
    } else if version != live.revision {
        return Err(ApiError::conflict(group, plural, name, MODIFIED));
    }
    metadata::set(object, "resourceVersion", live.revision.to_string().into());
    Ok(())
}
