//! How a command ends: exit codes, and what is said on the way out.

use std::io;

use crate::diag::{Diagnostics, SourceMap};
use crate::views::diagnostics;
use crate::views::page::Layout;
use crate::views::problem::{self, Failure};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// An error.
    Error,
    /// `--detailed-exitcode`: there are changes.
    Changes,
    /// `--detailed-exitcode`: there are changes that delete something.
    Destructive,
    /// The stack is invalid.
    Invalid,
    /// The command line is wrong.
    Usage,
    /// Interrupted.
    Interrupted,
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Error => 1,
            Self::Changes => 2,
            Self::Destructive => 3,
            Self::Invalid => 4,
            // EX_USAGE of sysexits.h.
            Self::Usage => 64,
            // 128 + SIGINT, as shells have it.
            Self::Interrupted => 130,
        }
    }
}

/// Why a command failed.
#[derive(Debug)]
pub enum Failed {
    /// Something went wrong.
    Error(Failure),
    /// The command line is wrong in a way that clap cannot see.
    Usage(Failure),
    /// The stack is invalid.
    Stack(Box<(Diagnostics, SourceMap)>),
    /// Something is wrong that has places in files, although the stack is valid.
    Diagnostics(Box<(Diagnostics, SourceMap)>),
    /// Interrupted before anything was done.
    Interrupted,
    /// The reader of the output went away.
    Pipe,
}

impl Failed {
    /// An error that is only a sentence.
    pub fn error(message: impl Into<String>) -> Self {
        Self::Error(Failure::new(message))
    }

    pub(super) fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::Pipe;
        }
        Self::Error(Failure::new("cannot write the output").detail(error.to_string()))
    }

    /// The exit code that belongs to it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Error(_) | Self::Diagnostics(_) => Exit::Error,
            Self::Usage(_) => Exit::Usage,
            Self::Stack(_) => Exit::Invalid,
            Self::Interrupted => Exit::Interrupted,
            Self::Pipe => Exit::Done,
        }
    }

    /// What is said about it; nothing where nobody listens or everybody knows.
    #[must_use]
    pub fn render(&self, layout: Layout) -> String {
        match self {
            Self::Error(failure) | Self::Usage(failure) => problem::failure(failure, layout),
            Self::Stack(found) | Self::Diagnostics(found) => diagnostics::render(&found.0, &found.1, layout),
            Self::Interrupted => problem::failure(&Failure::new("interrupted; nothing was changed"), layout),
            Self::Pipe => String::new(),
        }
    }
}
