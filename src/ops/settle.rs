//! What an earlier, interrupted run left open is settled by what is live, before anything is planned.

use std::collections::BTreeSet;

use super::Error;
use crate::address::{ObjectKey, split_api_version};
use crate::cluster::{self, Discovery, Reader};
use crate::failpoint;
use crate::object::Object;
use crate::state::{LockedStore, OpenBegin, Snapshot, State, settle};

/// Settles in memory.
pub(super) async fn in_memory(snapshot: &mut Snapshot, reader: &Reader) -> Result<(), Error> {
    let open = snapshot.open.clone();
    let Some(proof) = proof(&open, &snapshot.state, reader).await? else {
        return Ok(());
    };
    for (one, live) in live(&open, reader).await? {
        if !proof.is_enough(&one, &snapshot.state, live.as_ref()) {
            continue;
        }
        let outcome = settle(&one.begin, &snapshot.state, live.as_ref());
        snapshot.settle(one.id, &outcome);
    }
    Ok(())
}

/// Settles for good, in the journal.
pub(super) async fn for_good(store: &LockedStore, reader: &Reader) -> Result<(), Error> {
    let open = store.open_begins();
    let Some(proof) = proof(&open, &store.state(), reader).await? else {
        return Ok(());
    };
    for (one, live) in live(&open, reader).await? {
        failpoint::hit("settle.read");
        if !proof.is_enough(&one, &store.state(), live.as_ref()) {
            continue;
        }
        let outcome = settle(&one.begin, &store.state(), live.as_ref());
        store.end(one.id, outcome)?;
        failpoint::hit("settle.recorded");
    }
    Ok(())
}

/// What counts as proof here.
enum Proof {
    /// This is the cluster that the state is about: an object that is absent is gone.
    All,
    /// The two cannot be compared, since this user or that one may not read what tells clusters apart. Only what is
    /// found proves anything: an object of another cluster has neither our mark nor the uid.
    Presence,
}

impl Proof {
    fn is_enough(&self, open: &OpenBegin, state: &State, live: Option<&Object>) -> bool {
        let found = |live: &Object| {
            live.mark() == Some(state.mark()) || open.begin.uid.as_deref() == Some(live.uid())
        };
        matches!(self, Self::All) || live.is_some_and(found)
    }
}

/// What another cluster than the state's holds settles nothing (`None`): the records stay open, and the plan says that
/// it is another.
async fn proof(open: &[OpenBegin], state: &State, reader: &Reader) -> Result<Option<Proof>, Error> {
    let Some(recorded) = state.cluster.as_ref().filter(|_| !open.is_empty()) else {
        return Ok(Some(Proof::All));
    };
    let here = reader.identity().await?;
    Ok(match (recorded.kind == here.kind, recorded.id == here.id) {
        (true, true) => Some(Proof::All),
        (true, false) => None,
        (false, _) => Some(Proof::Presence),
    })
}

/// The live object of each; `None` where its absence is proven.
async fn live(open: &[OpenBegin], reader: &Reader) -> Result<Vec<(OpenBegin, Option<Object>)>, Error> {
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let needed: BTreeSet<(String, String)> =
        open.iter().map(|one| (one.begin.api_version.clone(), one.begin.key.kind.clone())).collect();
    let discovery = reader.discover(&needed).await?;
    let mut found = Vec::with_capacity(open.len());
    for one in open {
        found.push((one.clone(), object(one, reader, &discovery).await?));
    }
    Ok(found)
}

async fn object(one: &OpenBegin, reader: &Reader, discovery: &Discovery) -> Result<Option<Object>, Error> {
    live_object(&one.begin.api_version, &one.begin.key, reader, discovery).await
}

/// One live object; `None` where its absence is proven. A kind that is not served in its version any more is
/// read in the one that is.
///
/// # Errors
/// When the cluster does not answer, or hides the kind.
pub(super) async fn live_object(
    api_version: &str,
    key: &ObjectKey,
    reader: &Reader,
    discovery: &Discovery,
) -> Result<Option<Object>, Error> {
    let (group, _) = split_api_version(api_version);
    let api = discovery.find(api_version, &key.kind).or_else(|| discovery.preferred(group, &key.kind));
    let answer = if let Some(api) = api {
        reader.get(api, key.namespace.as_deref(), &key.name).await
    } else {
        let (api_version, kind) = (api_version.to_owned(), key.kind.clone());
        Err(cluster::Error::KindNotServed { api_version, kind })
    };
    match answer {
        Ok(object) => Ok(object),
        // No kind, no object; but only where the kind is known to be gone and not just hidden.
        Err(cluster::Error::KindNotServed { .. })
            if reader.kind_is_gone(discovery, group, &key.kind).await? =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
