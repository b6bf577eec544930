//! What is left of each file, in words.

use crate::state::{Found, JournalHead, Salvage};

/// One file of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFound {
    /// Where it is.
    pub path: String,
    /// What can be read of it.
    pub says: String,
    /// Whether something is wrong with it.
    pub bad: bool,
}

/// Every file, the state first.
pub(super) fn found(salvage: &Salvage) -> Vec<FileFound> {
    let [state, previous, journal, key, revisions] = salvage.places();
    let objects = |state: &crate::state::State| {
        format!("serial {}, {}", state.serial, count(state.objects().count(), "object", "objects"))
    };
    let revision_count = salvage.revisions.len();
    let damaged = salvage.revisions.iter().filter(|(_, revision)| revision.is_err()).count();
    let of_revisions = match salvage.revisions.last() {
        None => ("none".to_owned(), false),
        Some((newest, _)) if damaged == 0 => {
            (format!("{revision_count}, the newest of serial {newest}"), false)
        }
        Some((newest, _)) => {
            (format!("{revision_count}, the newest of serial {newest}; {damaged} of them damaged"), true)
        }
    };
    [
        (state, said(&salvage.state, objects, "gone")),
        (previous, said(&salvage.previous, objects, "there is none")),
        (journal, said(&salvage.journal(), operations, "there is none")),
        (key, said(&salvage.key, |_| "sound".to_owned(), "gone: digests of values say nothing any more")),
        (revisions, of_revisions),
    ]
    .map(|(path, (says, bad))| FileFound { path, says, bad })
    .into()
}

fn operations(journal: &JournalHead) -> String {
    let (all, open) = journal.operations;
    let after = format!("{} after serial {}", count(all, "operation", "operations"), journal.base_serial);
    if open == 0 { after } else { format!("{after}, {open} without an end") }
}

fn said<T>(found: &Found<T>, content: impl Fn(&T) -> String, absent: &str) -> (String, bool) {
    match found {
        Found::Absent => (absent.to_owned(), absent.starts_with("gone")),
        Found::Sound(sound) => (content(sound), false),
        Found::Damaged(why, None) => (format!("damaged: {why}"), true),
        Found::Damaged(why, Some(rest)) => (format!("damaged: {why}; before that {}", content(rest)), true),
    }
}

fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
