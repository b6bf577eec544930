//! Whether a saved plan is about what is here now.

use std::collections::{BTreeMap, BTreeSet};

use super::{Document, Inputs};
use crate::cluster::Reader;
use crate::diag::Diagnostic;
use crate::ops::{Error, World};
use crate::stack;
use crate::state::{Digest, LockedStore, Revision, Store};

fn refuse<T>(problem: Diagnostic) -> Result<T, Error> {
    Err(Error::Saved(Box::new(problem)))
}

/// Refuses a plan whose stack is not found from here.
///
/// # Errors
/// The refusal.
pub(in crate::ops) fn stack_missing(document: &Document, world: &World) -> Result<(), Error> {
    let found = stack::find_stack(document.stack.stack.as_deref(), &world.cwd);
    let problem = match found {
        Ok(file) if world.cwd.join(&file).is_file() => return Ok(()),
        Ok(file) => {
            Diagnostic::error("E426", format!("the stack of this plan is not here: {}", file.display()))
        }
        Err(why) => Diagnostic::error("E426", "the stack of this plan is not here").note(why.message),
    };
    refuse(problem.help("apply it in the folder where the plan was made"))
}

/// Refuses a plan of another cluster, another state, or an earlier moment of it.
///
/// # Errors
/// The refusal; a cluster that does not answer.
pub(in crate::ops) async fn state_differs(
    document: &Document,
    store: &Store,
    locked: &LockedStore,
    reader: &Reader,
) -> Result<(), Error> {
    let plan = &document.plan;
    let identity = reader.identity().await?;
    let target = reader.target();
    let here = (&identity, target.server.as_str());
    let planned = (&plan.cluster.identity, plan.cluster.server.as_str());
    // Identities of different kinds are not comparable: one of the two users may not read the namespace.
    let other =
        if identity.kind == planned.0.kind { identity.id != planned.0.id } else { here.1 != planned.1 };
    if other {
        let line = |what: &str, (identity, server): (&crate::cluster::ClusterIdentity, &str)| {
            format!("{what:<8} {server} ({})", identity.id)
        };
        return refuse(
            Diagnostic::error("E423", "this plan is for another cluster")
                .note(line("planned", planned))
                .note(line("here", here))
                .help("choose the cluster it was made for with --context, or plan again for this one"),
        );
    }
    let state = locked.state();
    if state.serial != plan.serial && plan.serial == 0 {
        return refuse(
            Diagnostic::error(
                "E425",
                "this plan was made before anything was applied, and something was since",
            )
            .note(since(store, 0, state.serial).await.join("; "))
            .help("plan again"),
        );
    }
    if state.lineage != plan.lineage {
        return refuse(
            Diagnostic::error("E424", "this plan is of another state")
                .note(format!("planned  lineage {}, serial {}", plan.lineage, plan.serial))
                .note(format!(
                    "here     lineage {}, serial {}: {}",
                    state.lineage,
                    state.serial,
                    store.place()
                ))
                .help("name the state it was made for with its project folder, or plan again"),
        );
    }
    if state.serial != plan.serial {
        let message = format!(
            "this plan is out of date: it was made at serial {}, the state is at serial {}",
            plan.serial, state.serial
        );
        let problem = Diagnostic::error("E425", message);
        let moves = since(store, plan.serial, state.serial).await;
        return refuse(moves.into_iter().fold(problem, Diagnostic::note).help("plan again"));
    }
    if locked.key().id() != document.key_id {
        return refuse(
            Diagnostic::error(
                "E424",
                "whether this plan still holds cannot be told: the state's key is another one",
            )
            .note("its digests were made with the key that stood beside the state then")
            .help("plan again"),
        );
    }
    Ok(())
}

/// What was done from one serial to another, one line each.
async fn since(store: &Store, from: u64, to: u64) -> Vec<String> {
    let revisions = store.revisions().await.unwrap_or_default();
    let recorded: BTreeMap<u64, Revision> =
        revisions.into_iter().filter_map(|(serial, revision)| Some((serial, revision.ok()?))).collect();
    if to < from {
        return vec![format!("the state was put back to serial {to}")];
    }
    let line = |serial: u64| match recorded.get(&serial) {
        Some(revision) => {
            let operation = match revision.returned_to {
                Some(back) => format!("{} to {back}", revision.operation),
                None => revision.operation.clone(),
            };
            format!("serial {serial}: {operation} by {}, {}", revision.by, counts(revision))
        }
        // Moved, let go of, or an apply that did not come to its end.
        None => format!("serial {serial}: the state was changed"),
    };
    (from + 1..=to).map(line).collect()
}

fn counts(revision: &Revision) -> String {
    let counts = revision.changes;
    let parts: Vec<String> = [
        (counts.create, "created"),
        (counts.update, "changed"),
        (counts.replace, "replaced"),
        (counts.delete, "deleted"),
        (counts.adopt, "adopted"),
        (counts.forget, "forgotten"),
        (counts.failed, "not done"),
    ]
    .iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, what)| format!("{number} {what}"))
    .collect();
    if parts.is_empty() { "nothing changed".to_owned() } else { parts.join(", ") }
}

/// Refuses a plan made from other files or other values of variables.
///
/// # Errors
/// The refusal, naming each.
pub(in crate::ops) fn inputs_differ(document: &Document, now: Option<&Inputs>) -> Result<(), Error> {
    let (Some(then), Some(now)) = (&document.inputs, now) else {
        // A destroy desires nothing. Nor did the files count where they could not be read.
        return Ok(());
    };
    let files = differing(&then.files, &now.files);
    let variables = differing(&then.variables, &now.variables);
    if files.is_empty() && variables.is_empty() && then.stack == now.stack {
        return Ok(());
    }
    let mut problem =
        Diagnostic::error("E426", "this plan was made from another stack, or other values of its variables");
    for (name, how) in files {
        problem = problem.note(match how {
            How::Changed => format!("{name} changed"),
            How::Gone => format!("{name} is not read any more"),
            How::New => format!("{name} is read now"),
        });
    }
    for (name, how) in variables {
        problem = problem.note(match how {
            How::Changed => format!("variable `{name}` has another value"),
            How::Gone => format!("variable `{name}` has no value any more"),
            How::New => format!("variable `{name}` has a value now"),
        });
    }
    refuse(problem.help("plan again"))
}

/// How something differs from what it was.
enum How {
    Changed,
    Gone,
    New,
}

/// Names that are on one side only, or differ.
fn differing<'n>(
    then: &'n BTreeMap<String, Digest>,
    now: &'n BTreeMap<String, Digest>,
) -> Vec<(&'n String, How)> {
    let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| match (then.get(name), now.get(name)) {
            (Some(then), Some(now)) => (then != now).then_some((name, How::Changed)),
            (Some(_), None) => Some((name, How::Gone)),
            (None, _) => Some((name, How::New)),
        })
        .collect()
}
