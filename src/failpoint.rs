//! Named places between intent and durable result, at which a test can end the process or hold it still.
//!
//! With the feature `faults`, `ARRPLAN_FAILPOINT` arms them (the command line reads it, once, at its start): a list,
//! split by `;`, of
//!
//! - `NAME@N=abort`: at the N-th hit of that name the process ends at once, with no destructor run;
//! - `NAME@N=freeze`: the thread that hits it goes no further, so that the process can be looked at or killed;
//! - `NAME@N=panic:TEXT`: the thread that hits it panics, with that text;
//! - `NAME@N=pause:MS`: the thread that hits it goes on so many milliseconds later;
//! - `trace=FILE`: each hit appends its name to the file, before anything else happens at it.
//!
//! Without the feature, which no release build has, all of it is empty.

/// What happens at a file of the state, for [`file`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Its next content has a file, empty yet.
    Created,
    /// The next content is written.
    Written,
    /// The next content is durable.
    Synced,
    /// It has another name beside its own.
    Linked,
    /// It has the next content.
    Renamed,
    /// It is gone.
    Removed,
}

/// Every name that can be hit.
pub const ALL: &[&str] = &[
    "lock.taken",
    "lock.releasing",
    "settle.read",
    "settle.recorded",
    "key.created",
    "key.written",
    "key.synced",
    "key.renamed",
    "journal.created",
    "journal.written",
    "journal.synced",
    "journal.renamed",
    "journal.removed",
    "prepare.reserved",
    "record.writing",
    "record.written",
    "record.synced",
    "request.before",
    "request.sent",
    "request.answered",
    "end.before",
    "end.after",
    "commit.before",
    "commit.done",
    "compact.before",
    "compact.done",
    "previous.linked",
    "previous.renamed",
    "state.created",
    "state.written",
    "state.synced",
    "state.renamed",
    "revision.created",
    "revision.written",
    "revision.synced",
    "revision.renamed",
    "temporary.removed",
    "folder.syncing",
    "folder.synced",
];

#[cfg(feature = "faults")]
pub use on::arm;
#[cfg(feature = "faults")]
pub(crate) use on::{file, hit, request};

#[cfg(not(feature = "faults"))]
pub(crate) use off::{file, hit, request};

#[cfg(not(feature = "faults"))]
mod off {
    use std::path::Path;

    use super::Step;

    /// A place.
    #[inline]
    pub(crate) const fn hit(_: &'static str) {}

    /// A place in the life of a file.
    #[inline]
    pub(crate) const fn file(_: Step, _: &Path) {}

    /// A request that changes something.
    #[inline]
    pub(crate) const fn request<F>(request: F) -> F {
        request
    }
}

#[cfg(feature = "faults")]
mod on {
    use std::collections::BTreeMap;
    use std::fs::{File, OpenOptions};
    use std::io::Write as _;
    use std::path::Path;
    use std::pin::pin;
    use std::sync::{Mutex, OnceLock, PoisonError};
    use std::time::Duration;

    use super::{ALL, Step};

    static ARMED: OnceLock<Armed> = OnceLock::new();

    #[derive(Debug, Clone, PartialEq, Eq)]
    enum Action {
        Abort,
        Freeze,
        Panic(String),
        Pause(Duration),
    }

    #[derive(Debug, Default)]
    struct Armed {
        actions: BTreeMap<(String, u64), Action>,
        trace: Option<File>,
        hits: Mutex<BTreeMap<String, u64>>,
    }

    /// Arms the places as `spec` says, for the rest of the process; the first call counts.
    ///
    /// # Errors
    /// What is wrong with `spec`.
    pub fn arm(spec: &str) -> Result<(), String> {
        let armed = Armed::parse(spec)?;
        ARMED.set(armed).map_err(|_| "the failpoints are armed already".to_owned())
    }

    impl Armed {
        fn parse(spec: &str) -> Result<Self, String> {
            let mut armed = Self::default();
            for one in spec.split(';') {
                let (place, action) =
                    one.split_once('=').ok_or_else(|| format!("`{one}` is no NAME@N=ACTION"))?;
                if place == "trace" {
                    let file = OpenOptions::new().append(true).create(true).open(action);
                    armed.trace = Some(file.map_err(|error| format!("cannot open {action}: {error}"))?);
                    continue;
                }
                let (name, number) = place.split_once('@').unwrap_or((place, "1"));
                let number: u64 = number.parse().map_err(|_| format!("`{number}` is no number"))?;
                if !ALL.contains(&name) {
                    return Err(format!("there is no failpoint `{name}`"));
                }
                let action = match action {
                    "abort" => Action::Abort,
                    "freeze" => Action::Freeze,
                    other => match other.split_once(':') {
                        Some(("panic", text)) => Action::Panic(text.to_owned()),
                        Some(("pause", ms)) => {
                            let ms = ms.parse().map_err(|_| format!("`{ms}` is no number"))?;
                            Action::Pause(Duration::from_millis(ms))
                        }
                        _ => return Err(format!("`{other}` is no abort, freeze, panic:TEXT or pause:MS")),
                    },
                };
                armed.actions.insert((name.to_owned(), number), action);
            }
            Ok(armed)
        }

        fn hit(&self, name: &str) {
            let action = {
                let mut hits = self.hits.lock().unwrap_or_else(PoisonError::into_inner);
                let number = hits.entry(name.to_owned()).or_insert(0);
                *number += 1;
                if let Some(mut trace) = self.trace.as_ref()
                    && trace.write_all(format!("{name}\n").as_bytes()).is_err()
                {
                    // A hit that is not told of must not look like none.
                    std::process::abort();
                }
                self.actions.get(&(name.to_owned(), *number)).cloned()
            };
            match action {
                None => {}
                Some(Action::Abort) => std::process::abort(),
                Some(Action::Freeze) => loop {
                    std::thread::park();
                },
                Some(Action::Pause(time)) => std::thread::sleep(time),
                Some(Action::Panic(text)) => panic!("{name}, with {text}"),
            }
        }
    }

    /// A place; one of [`ALL`].
    pub(crate) fn hit(name: &'static str) {
        debug_assert!(ALL.contains(&name), "{name} is not in the list of failpoints");
        if let Some(armed) = ARMED.get() {
            armed.hit(name);
        }
    }

    /// A place in the life of a file; nothing where that is none of [`ALL`].
    pub(crate) fn file(step: Step, path: &Path) {
        let Some(armed) = ARMED.get() else { return };
        let name = name_of(step, path);
        if ALL.contains(&name.as_str()) {
            armed.hit(&name);
        }
    }

    fn name_of(step: Step, path: &Path) -> String {
        const ENDINGS: [(&str, &str); 4] =
            [(".prev.json", "previous"), (".json", "state"), (".journal", "journal"), (".key", "key")];
        let text = path.to_string_lossy();
        let (text, temporary) = text.strip_suffix(".tmp").map_or((&*text, false), |text| (text, true));
        let in_revisions =
            path.parent().is_some_and(|folder| folder.to_string_lossy().ends_with(".revisions"));
        let what = match ENDINGS.iter().find(|(ending, _)| text.ends_with(ending)) {
            _ if temporary && step == Step::Removed => "temporary",
            _ if in_revisions => "revision",
            Some((_, what)) => what,
            None => "other",
        };
        let step = match step {
            Step::Created => "created",
            Step::Written => "written",
            Step::Synced => "synced",
            Step::Linked => "linked",
            Step::Renamed => "renamed",
            Step::Removed => "removed",
        };
        format!("{what}.{step}")
    }

    /// A request that changes something: before it is sent, once it is handed to the connection and not answered,
    /// once it is answered.
    pub(crate) async fn request<T>(request: impl Future<Output = T>) -> T {
        hit("request.before");
        let mut request = pin!(request);
        let mut sent = false;
        let answer = std::future::poll_fn(|context| {
            let polled = request.as_mut().poll(context);
            if polled.is_pending() && !sent {
                sent = true;
                hit("request.sent");
            }
            polled
        });
        let answer = answer.await;
        hit("request.answered");
        answer
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn files_of_the_state_are_told_apart() {
            for (step, path, name) in [
                (Step::Renamed, "/p/state/a.json", "state.renamed"),
                (Step::Created, "/p/state/a.json.tmp", "state.created"),
                (Step::Linked, "/p/state/a.prev.json", "previous.linked"),
                (Step::Removed, "/p/state/a.journal", "journal.removed"),
                (Step::Removed, "/p/state/a.json.tmp", "temporary.removed"),
                (Step::Synced, "/p/state/a.revisions/3.json", "revision.synced"),
                (Step::Written, "/p/state/a.key", "key.written"),
            ] {
                assert_eq!(name_of(step, Path::new(path)), name);
                assert!(ALL.contains(&name), "{name}");
            }
        }

        #[test]
        fn a_list_of_places_is_read_and_nothing_else() {
            let folder = tempfile::tempdir().unwrap();
            let trace = folder.path().join("trace");
            let spec = format!(
                "trace={};lock.taken=freeze;state.renamed@3=abort;end.before=pause:7",
                trace.display()
            );
            let armed = Armed::parse(&spec).unwrap();
            assert_eq!(armed.actions[&("lock.taken".to_owned(), 1)], Action::Freeze);
            assert_eq!(armed.actions[&("state.renamed".to_owned(), 3)], Action::Abort);
            assert_eq!(armed.actions[&("end.before".to_owned(), 1)], Action::Pause(Duration::from_millis(7)));
            armed.hit("state.renamed");
            armed.hit("state.renamed");
            assert_eq!(std::fs::read_to_string(trace).unwrap(), "state.renamed\nstate.renamed\n");
            for wrong in [
                "",
                "lock.taken",
                "lock@1=abort",
                "lock.taken@x=abort",
                "lock.taken=exit",
                "lock.taken=pause:x",
            ] {
                assert!(Armed::parse(wrong).is_err(), "{wrong}");
            }
        }

        #[test]
        fn no_name_stands_twice() {
            let names: std::collections::BTreeSet<_> = ALL.iter().collect();
            assert_eq!(names.len(), ALL.len());
        }
    }
}
