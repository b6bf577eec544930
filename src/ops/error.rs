//! Why a use case did not do what was asked.

use std::path::PathBuf;

use crate::address::Address;
use crate::cluster;
use crate::diag::{Diagnostic, Diagnostics, SourceMap};
use crate::state::{self, Holder};

/// See the variants. What to do next is said by the command line, which knows what was typed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The stack's files have mistakes.
    #[error("the stack is invalid")]
    Invalid(Box<(Diagnostics, SourceMap)>),
    /// No stack, or more than one to choose from.
    #[error("{}", .0.message)]
    Choose(Box<Diagnostic>),
    /// The state cannot be read or written.
    #[error(transparent)]
    State(#[from] state::Error),
    /// No cluster to talk to.
    #[error("{error}")]
    Connect {
        /// Why.
        error: cluster::ConnectError,
        /// The stack, which is valid: file, resources, edges.
        stack: Option<(PathBuf, usize, usize)>,
    },
    /// Another process holds the sandbox.
    #[error("the sandbox is in use by {0}")]
    SandboxHeld(Box<Holder>),
    /// The sandbox cannot be started.
    #[error("{0}")]
    Sandbox(String),
    /// The cluster did not answer, or not as it should.
    #[error("{0}")]
    Cluster(#[from] cluster::Error),
    /// The secrets cannot be resolved.
    #[error("secret values cannot be read")]
    Secrets(Box<(Diagnostics, SourceMap)>),
    /// The run did not start.
    #[error("{0}")]
    Apply(String),
    /// The journal or the state file failed during the run.
    #[error("the run stopped: {0}")]
    Stopped(String),
    /// The plan has errors; it was shown.
    #[error("this plan cannot be applied")]
    NotApplicable {
        /// How many.
        errors: usize,
    },
    /// Data would be lost.
    #[error("data would be lost and that was not allowed")]
    Consent(Vec<Address>),
    /// What was asked for cannot be done, and nothing was.
    #[error("{}", .0.message)]
    Refused(Box<Diagnostic>),
    /// The user said no.
    #[error("nothing was applied")]
    Declined,
    /// Asked to stop before the first write.
    #[error("interrupted; nothing was changed")]
    Interrupted,
    /// No such thing in the state.
    #[error("{what}")]
    Unknown {
        /// What was asked for.
        what: String,
        /// What there is.
        choices: Vec<String>,
    },
    /// A saved plan that is not applied, or not written.
    #[error("{}", .0.message)]
    Saved(Box<Diagnostic>),
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be made.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
