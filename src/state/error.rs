//! What can go wrong with a state.

use std::io;
use std::path::{Path, PathBuf};

use super::lock::Holder;

/// Why a state cannot be read or written. [`Error::help`] says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// `read`, `write`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not as it was written.
    #[error("{what} {} is damaged: {reason}", path.display())]
    Corrupt {
        /// `state file`, `journal`, `revision`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// The state before the last change, if there is one.
        previous: Option<PathBuf>,
    },
    /// A file was written by a newer version.
    #[error("{} has format {found}; this version of arrplan knows format {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// The state file is gone, but what stands beside it says that there was one.
    #[error("state file {} is missing, but {} stands beside it", path.display(), witness.display())]
    Missing {
        /// The state file.
        path: PathBuf,
        /// What says that there was one.
        witness: PathBuf,
    },
    /// The file belongs to another stack.
    #[error("{} belongs to stack `{found}`, not to `{expected}`", path.display())]
    OtherStack {
        /// The file.
        path: PathBuf,
        /// Its stack.
        found: String,
        /// Ours.
        expected: String,
    },
    /// Two stack files would share one state.
    #[error("two stack files are named `{stack}`: {} and {}", ours.display(), other.display())]
    TwoFiles {
        /// The name.
        stack: String,
        /// The file of this command.
        ours: PathBuf,
        /// The file the state was made by.
        other: PathBuf,
    },
    /// The journal is about another state.
    #[error("journal {} is of lineage {found}, the state is of lineage {expected}", path.display())]
    ForeignJournal {
        /// The journal.
        path: PathBuf,
        /// Its lineage.
        found: String,
        /// The state's.
        expected: String,
    },
    /// An operation tried to give the state another lineage.
    #[error("refused to write lineage {found} over lineage {expected} in {}", path.display())]
    OtherLineage {
        /// The state file.
        path: PathBuf,
        /// The new one.
        found: String,
        /// The one on disk.
        expected: String,
    },
    /// Someone else works on this state.
    #[error("the state is locked by {holder} ({})", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who.
        holder: Holder,
    },
    /// The file system has no locks.
    #[error("cannot lock {}", path.display())]
    NoLocks {
        /// The lock file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The journal cannot be written any more. Nothing new may start; what is known is still in memory.
    #[error("cannot write journal {}: {reason}", path.display())]
    Journal {
        /// The journal.
        path: PathBuf,
        /// What the system said first.
        reason: String,
    },
    /// `--env` is no name for a file.
    #[error("`{env}` cannot name an environment: {reason}")]
    Environment {
        /// The name.
        env: String,
        /// Why.
        reason: &'static str,
    },
    /// The system gives no random bytes.
    #[error("cannot make a key for the state: {0}")]
    Random(getrandom::Error),
}

/// What to do about files that are damaged, gone or mixed.
fn recover(previous: Option<&Path>) -> Vec<String> {
    let mut help = vec![
        "nothing was changed; put the file back from a backup, or rebuild it:".to_owned(),
        "arrplan state recover    shows what is left and what it makes of it before it writes".to_owned(),
    ];
    help.extend(previous.map(|path| format!("the state before the last change is in {}", path.display())));
    help
}

impl Error {
    /// What to do next, one line each.
    #[must_use]
    pub fn help(&self) -> Vec<String> {
        match self {
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => {
                    vec!["run as the user who owns the state, or name another place with --state".to_owned()]
                }
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    vec!["make room on the disk and run the same command again".to_owned()]
                }
                io::ErrorKind::ReadOnlyFilesystem => {
                    vec!["name a place that can be written with --state".to_owned()]
                }
                _ => vec!["mend that and run the same command again".to_owned()],
            },
            Self::Corrupt { previous, what: "state file" | "journal", .. } => recover(previous.as_deref()),
            Self::Corrupt { path, .. } => vec![format!(
                "nothing was changed; put back a copy of it from a backup, or move it away: mv {0} {0}.damaged",
                path.display()
            )],
            Self::Newer { .. } => vec!["use the version of arrplan that wrote it, or a newer one".to_owned()],
            Self::Missing { .. } | Self::ForeignJournal { .. } => recover(None),
            Self::OtherStack { .. } => vec!["name the state of this stack with --state".to_owned()],
            Self::TwoFiles { .. } => {
                vec!["give one of them another `[stack] name`, or its own `[state] path`".to_owned()]
            }
            Self::OtherLineage { .. } => vec!["read the state again and repeat the command".to_owned()],
            Self::Locked { .. } => vec![
                "wait for it to end, or let this command wait: --lock-timeout 5m".to_owned(),
                "the lock goes away with the process that holds it".to_owned(),
            ],
            Self::NoLocks { .. } => vec![
                "arrplan does not work without a lock (some network file systems have none)".to_owned(),
                "name a place on a local disk with --state".to_owned(),
            ],
            Self::Journal { .. } => {
                vec!["make room on the disk and run the same command again: it picks up where this one stopped".to_owned()]
            }
            Self::Environment { .. } => vec!["use letters, digits, `-` and `_`".to_owned()],
            Self::Random(_) => vec!["run the same command again".to_owned()],
        }
    }

    /// The code that `arrplan help` explains.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } | Self::Journal { .. } | Self::Random(_) => "E501",
            Self::Corrupt { .. } => "E502",
            Self::Newer { .. } => "E503",
            Self::Missing { .. } => "E504",
            Self::OtherStack { .. } | Self::TwoFiles { .. } | Self::Environment { .. } => "E505",
            Self::ForeignJournal { .. } | Self::OtherLineage { .. } => "E506",
            Self::Locked { .. } => "E507",
            Self::NoLocks { .. } => "E508",
        }
    }

    /// The error with its causes, on one line.
    #[must_use]
    pub fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }

    /// The error with its causes and what to do next, to show beside others.
    #[must_use]
    pub fn diagnostic(&self) -> crate::diag::Diagnostic {
        let mut diagnostic = crate::diag::Diagnostic::error(self.code(), self.to_string());
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            diagnostic = diagnostic.note(error.to_string());
            cause = error.source();
        }
        self.help().into_iter().fold(diagnostic, crate::diag::Diagnostic::help)
    }
}
