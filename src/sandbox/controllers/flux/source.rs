//! In place of source-controller: a GitRepository that is a folder is read; every other source is taken for
//! there, unseen.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{FINALIZER, KINDS, NOT_FETCHED, Report, SOURCES, begin, duration, folder, generation, requested};
use crate::sandbox::controllers::Next;
use crate::sandbox::controllers::client::{Client, is_terminating, text};
use crate::sandbox::controllers::index::uid;
use crate::sandbox::error::ApiError;
use crate::sandbox::storage::{Event, Key};

pub(super) const MANAGER: &str = "source-controller";

pub(in crate::sandbox::controllers) fn woken(event: &Event) -> Vec<Key> {
    let is_source = KINDS.iter().any(|(_, plural)| *plural == event.key.plural)
        && event.key.group == SOURCES
        && event.key.plural != "helmcharts";
    if is_source && event.after.is_some() { vec![event.key.clone()] } else { Vec::new() }
}

pub(in crate::sandbox::controllers) async fn look(client: &Client, at: &Key) -> Result<Next, ApiError> {
    let Some(source) = begin(client, MANAGER, at).await? else { return Ok(Next::default()) };
    if is_terminating(&source) {
        client.looked().remove(uid(&source));
        client.unfinalize(MANAGER, at, &source, FINALIZER).await?;
        return Ok(Next::default());
    }
    // An OCI HelmRepository is only read by others: its controller says nothing.
    if at.plural == "helmrepositories" && text(&source, "/spec/type") == "oci" {
        return Ok(Next::default());
    }
    let interval = duration(text(&source, "/spec/interval")).unwrap_or(Duration::from_mins(5));
    let this = (generation(&source), requested(&source).to_owned());
    if let Some((looked_at, request, when)) = client.looked().get(uid(&source))
        && (*looked_at, request) == (this.0, &this.1)
        && let Some(left) = interval.checked_sub(when.elapsed()).filter(|left| !left.is_zero())
    {
        return Ok(Next::after(left));
    }
    let mut report = Report::new(client, &source);
    report.unsay(&["Reconciling", "Stalled", "FetchFailed", "ArtifactOutdated"]);
    let folder = (at.plural == "gitrepositories").then(|| client.sources.folder(&at.namespace, &at.name));
    match folder.flatten() {
        None => {
            report.remove("artifact");
            report.unsay(&["ArtifactInStorage"]);
            report.say("Ready", "True", "Succeeded", NOT_FETCHED);
            report.observed();
        }
        Some(folder) => match folder::digest(&folder) {
            Ok(digest) => {
                let revision = format!("{}@sha256:{digest}", branch(&source));
                if text(&source, "/status/artifact/revision") != revision {
                    let now = report.now.clone();
                    report.put(
                        "artifact",
                        json!({
                            "digest": format!("sha256:{digest}"), "lastUpdateTime": now, "revision": revision,
                            "path": format!("gitrepository/{}/{}/{digest}", at.namespace, at.name),
                            "url": format!("file://{}", folder.display()),
                        }),
                    );
                }
                let message =
                    format!("stored artifact for revision '{revision}' (sandbox: {})", folder.display());
                report.say("ArtifactInStorage", "True", "Succeeded", &message);
                report.say("Ready", "True", "Succeeded", &message);
                report.observed();
            }
            Err(error) => {
                let message =
                    format!("failed to checkout and determine revision: unable to read {error} (sandbox)");
                report.say("FetchFailed", "True", "GitOperationFailed", &message);
                report.say("Ready", "False", "GitOperationFailed", &message);
            }
        },
    }
    report.write(client, MANAGER, at).await?;
    client.looked().insert(uid(&source).to_owned(), (this.0, this.1, Instant::now().into()));
    Ok(Next::after(interval))
}

/// The pointer in a revision: what of the repository was asked for.
fn branch(source: &serde_json::Value) -> &str {
    let asked = ["name", "semver", "tag", "branch"].into_iter();
    let asked = asked.map(|field| text(source, &format!("/spec/ref/{field}")));
    asked.into_iter().find(|asked| !asked.is_empty()).unwrap_or("master")
}
