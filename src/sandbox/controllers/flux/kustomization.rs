//! In place of kustomize-controller: source, dependencies and path are looked at; nothing is built or applied.

use serde_json::{Value, json};

use super::{
    FINALIZER, KUSTOMIZE, NOT_FETCHED, Report, SOURCES, begin, dependency, dependents, folder, is_ready,
    message, source_key,
};
use crate::sandbox::controllers::Next;
use crate::sandbox::controllers::client::{Client, is_terminating, text};
use crate::sandbox::error::ApiError;
use crate::sandbox::storage::{Event, Key};

const MANAGER: &str = "kustomize-controller";

pub(in crate::sandbox::controllers) fn woken(client: &Client, event: &Event) -> Vec<Key> {
    match (event.key.group.as_str(), event.key.plural.as_str()) {
        (KUSTOMIZE, "kustomizations") => {
            let mut keys = dependents(client, &event.key);
            keys.push(event.key.clone());
            keys
        }
        (SOURCES, _) => {
            let all = client.list(KUSTOMIZE, "kustomizations", None).into_iter();
            let of = |key: &Key, object: &Value| {
                source_key(&object["spec"]["sourceRef"], &key.namespace).as_ref() == Some(&event.key)
            };
            all.filter(|(key, object)| of(key, object)).map(|(key, _)| key).collect()
        }
        _ => Vec::new(),
    }
}

pub(in crate::sandbox::controllers) async fn look(client: &Client, at: &Key) -> Result<Next, ApiError> {
    let Some(object) = begin(client, MANAGER, at).await? else { return Ok(Next::default()) };
    if is_terminating(&object) {
        client.unfinalize(MANAGER, at, &object, FINALIZER).await?;
        return Ok(Next::default());
    }
    let mut report = Report::new(client, &object);
    report.unsay(&["Reconciling", "Stalled"]);
    match found(client, at, &object) {
        Ok((revision, what)) => {
            report.put("lastAttemptedRevision", revision.clone());
            report.put("lastAppliedRevision", revision.clone());
            report.put("inventory", json!({ "entries": [] }));
            let told = format!("Applied revision: {revision} (sandbox: {what})");
            report.say("Ready", "True", "ReconciliationSucceeded", &told);
        }
        Err((reason, why)) => report.say("Ready", "False", reason, &why),
    }
    report.observed();
    report.write(client, MANAGER, at).await?;
    Ok(Next::default())
}

/// The revision that would be applied, and what was left out; else why not.
fn found(client: &Client, at: &Key, object: &Value) -> Result<(String, String), (&'static str, String)> {
    let reference = &object["spec"]["sourceRef"];
    let (kind, name) = (text(reference, "/kind"), text(reference, "/name"));
    let source = source_key(reference, &at.namespace);
    let source = source.and_then(|key| Some((client.get(&key)?, key)));
    let Some((source, source_at)) = source else {
        return Err(("ArtifactFailed", format!("{kind}.{SOURCES} \"{name}\" not found")));
    };
    let revision = text(&source, "/status/artifact/revision");
    let unseen = is_ready(&source) && message(&source, "Ready") == NOT_FETCHED;
    if revision.is_empty() && !unseen {
        return Err(("ArtifactFailed", "Source artifact not found, retrying in 30s".to_owned()));
    }
    if let Some(why) = dependency(client, at, object, "Kustomization") {
        return Err(("DependencyNotReady", why));
    }
    if revision.is_empty() {
        return Ok((NOT_FETCHED.to_owned(), "nothing applied".to_owned()));
    }
    if let Some(folder) = client.sources.folder(&source_at.namespace, &source_at.name) {
        let path = folder::join(&folder, text(object, "/spec/path"));
        if !path.exists() {
            let why =
                format!("kustomization path not found: stat {}: no such file or directory", path.display());
            return Err(("ArtifactFailed", why));
        }
    }
    Ok((revision.to_owned(), "nothing applied".to_owned()))
}
