//! A state that is damaged or gone, rebuilt from what is left: its previous copy, its journal, its revisions, and the
//! objects in the cluster that carry its mark.
//!
//! *Invariants:* nothing is written before what is believed was shown and agreed to; the lock is held from before the
//! first file is read until the end; an object that is known leaves only when its own absence is proven, and one that
//! carries the mark of this stack and lineage is taken in, whatever else is lost.

mod files;
mod rebuild;
mod search;
mod secrets;

use std::collections::BTreeMap;
use std::time::Duration;

use super::plan::{ClusterRequest, Connection, connect, interruptible};
use super::sandbox::Purpose;
use super::{Error, StackRequest, StateRequest, World, stack, store};
use crate::address::{Address, ObjectKey};
use crate::cluster::ClusterIdentity;
use crate::diag::Diagnostic;
use crate::state::{Holder, LockWait, Replaced, Salvage, State};

pub use files::FileFound;

/// What to recover.
#[derive(Debug, Clone, Default)]
pub struct RecoverRequest {
    /// The stack.
    pub stack: StackRequest,
    /// Its state.
    pub state: StateRequest,
    /// The cluster.
    pub cluster: ClusterRequest,
    /// `--lineage`: which one, where there is more than one.
    pub lineage: Option<String>,
}

/// What came of looking at the files.
#[derive(Debug)]
pub enum Recovery {
    /// Every command works with them; where the state is, for people.
    Sound(String),
    /// A state was rebuilt, and nothing written.
    Rebuilt(Box<Recovering>),
}

/// A rebuilt state under its lock. Dropping it lets go of the lock with nothing written.
#[derive(Debug)]
pub struct Recovering {
    /// What it is made of, to be shown.
    pub believed: Believed,
    salvage: Salvage,
    state: State,
    connection: Connection,
}

/// What is believed, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Believed {
    /// `[stack] name`.
    pub stack: String,
    /// The cluster, as people name it.
    pub cluster: String,
    /// Each file, and what can be read of it.
    pub files: Vec<FileFound>,
    /// The state's lineage, and who says so.
    pub lineage: (String, String),
    /// Every object that the state will have.
    pub entries: Vec<Entry>,
    /// What it will not have.
    pub not_taken: Vec<NotTaken>,
    /// What nobody can know.
    pub unknown: Vec<String>,
    /// The serial it will have.
    pub serial: u64,
}

/// One object of the rebuilt state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its address.
    pub address: Address,
    /// The object.
    pub object: ObjectKey,
    /// Whether the address has another object by now.
    pub former: bool,
    /// Who says that it is ours under that address.
    pub known_from: String,
    /// What is in the cluster.
    pub seen: Seen,
}

/// What is in the cluster under an object's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The object, with our mark.
    Live,
    /// Another one than was known, with our mark.
    MadeAnew,
    /// Something without our mark.
    Unmarked,
    /// It could not be looked at.
    Unread(String),
}

/// An object that is not taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotTaken {
    /// Its address, where it had one.
    pub address: Option<Address>,
    /// The object.
    pub object: ObjectKey,
    /// Why not.
    pub why: String,
}

/// Looks at the files and the cluster, and rebuilds the state in memory.
///
/// # Errors
/// No cluster, or another one; a lock that is held; nothing to rebuild from, or more than one lineage to choose from.
pub async fn state_recover(
    request: &RecoverRequest,
    patience: Duration,
    waiting: &mut (dyn FnMut(&Holder) + Send),
    world: &World,
) -> Result<Recovery, Error> {
    let mut unknown = Vec::new();
    // Of use if it is valid: it names objects. What is recovered does not depend on it.
    let desired = match stack::Desired::load(&request.stack, false, world) {
        Err(Error::Invalid(_)) => {
            unknown
                .push("the stack file has mistakes, so it names no objects: `arrplan validate`".to_owned());
            stack::Desired::load(&request.stack, true, world)?
        }
        loaded => loaded?,
    };
    let place = store::of_head(&desired.head, &request.state, world)?;
    let wait = LockWait { timeout: patience, waiting: &mut *waiting };
    let purpose = Purpose { operation: "state recover", writes: true, wait };
    let connection = connect(&desired, &request.cluster, purpose, world).await?;
    let holder = Holder::this_process("state recover", (world.now)());
    let wait = LockWait { timeout: patience, waiting };
    let salvage = interruptible(world, place.salvage(&holder, wait)).await??;
    if salvage.is_sound() {
        connection.close().await;
        return Ok(Recovery::Sound(place.place()));
    }
    let reader = &connection.reader;
    let identity = interruptible(world, reader.identity()).await??;
    let look = search::look(&salvage, desired.stack.as_ref(), reader, &desired.head.name);
    let live = Box::pin(interruptible(world, look)).await??;
    let (lineage, source) = lineage(request, &salvage, &live.lineages())?;
    let (rest, open) = salvage.rest(&lineage);
    check_cluster(&rest, &identity)?;
    let known = Box::pin(interruptible(world, live.look_at(&rest, &open, reader))).await??;
    let facts =
        rebuild::Facts { salvage: &salvage, stack: desired.stack.as_ref(), live: &live, known: &known };
    let rebuilt = rebuild::rebuild(rest, &open, &facts);
    let mut state = rebuilt.state;
    salvage.forget_unproven(&mut state);
    state.cluster.get_or_insert(identity);
    unknown.extend(live.unread());
    unknown.push(
        "the values that were applied last: the next plan compares everything with the cluster".to_owned(),
    );
    let target = reader.target();
    let cluster = match &target.context {
        _ if target.sandbox => "the sandbox".to_owned(),
        Some(context) => format!("context {context}, {}", target.server),
        None => target.server.clone(),
    };
    let believed = Believed {
        stack: desired.head.name.clone(),
        cluster,
        files: files::found(&salvage),
        lineage: (lineage, source),
        entries: rebuilt.entries,
        not_taken: rebuilt.not_taken,
        unknown,
        serial: salvage.next_serial(),
    };
    Ok(Recovery::Rebuilt(Box::new(Recovering { believed, salvage, state, connection })))
}

impl Recovering {
    /// Writes it. Files that are damaged are kept beside it.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub async fn write(self) -> Result<Replaced, Error> {
        let replaced = self.salvage.replace(self.state).await?;
        self.connection.close().await;
        Ok(replaced)
    }
}

/// Which state it was: what the files say, else what the objects in the cluster say.
fn lineage(
    request: &RecoverRequest,
    salvage: &Salvage,
    live: &BTreeMap<String, usize>,
) -> Result<(String, String), Error> {
    let files = salvage.lineages();
    let objects = |count: usize| if count == 1 { "1 object".to_owned() } else { format!("{count} objects") };
    if let Some(asked) = &request.lineage {
        if files.iter().all(|(lineage, _)| lineage != asked) && !live.contains_key(asked) {
            return Err(refused(
                Diagnostic::error("E511", format!("nothing is of lineage {asked}"))
                    .help("leave --lineage out to see which there are"),
            ));
        }
        return Ok((asked.clone(), "--lineage".to_owned()));
    }
    let mut choices: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (lineage, file) in &files {
        choices.entry(lineage).or_default().push((*file).to_owned());
    }
    for (lineage, count) in live {
        choices.entry(lineage).or_default().push(format!("{} in the cluster", objects(*count)));
    }
    let mut all = choices.into_iter();
    match (all.next(), all.next()) {
        (None, _) => Err(refused(
            Diagnostic::error("E511", "there is nothing to recover a state from")
                .note("no file of the state is left, and no object in the cluster carries the mark of this stack")
                .help("`arrplan apply` begins a new state"),
        )),
        (Some((lineage, sources)), None) => Ok((lineage.to_owned(), sources.join(", "))),
        (Some(first), Some(second)) => {
            let mut diagnostic = Diagnostic::error("E511", "more than one state of this stack is found");
            for (lineage, sources) in [first, second].into_iter().chain(all) {
                diagnostic = diagnostic.note(format!("lineage {lineage}: {}", sources.join(", ")));
            }
            Err(refused(diagnostic.help("say which one: arrplan state recover --lineage LINEAGE")))
        }
    }
}

fn refused(diagnostic: Diagnostic) -> Error {
    Error::Refused(Box::new(diagnostic))
}

/// What is proven absent in another cluster proves nothing.
fn check_cluster(rest: &State, identity: &ClusterIdentity) -> Result<(), Error> {
    match &rest.cluster {
        Some(recorded) if recorded.kind == identity.kind && recorded.id != identity.id => Err(refused(
            Diagnostic::error("E510", "the state is about another cluster")
                .note(format!("what is left of it records {}, this cluster is {}", recorded.id, identity.id))
                .help("choose the right one with --context"),
        )),
        _ => Ok(()),
    }
}
