//! Commands on what was applied.

use clap::{Args, Subcommand};

use super::{StackArg, StateArg};
use crate::address::Address;

#[derive(Debug, Args)]
pub(in crate::cli) struct Output {
    /// Only this output, as it is, for scripts
    #[arg(value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
    /// The stack, where there is more than one
    #[arg(long, value_name = "STACK")]
    pub(in crate::cli) stack: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) state: StateArg,
    /// Use the state of this environment
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) env: Option<String>,
    /// JSON on standard output
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// What every command on the state has.
#[derive(Debug, Args)]
pub(in crate::cli) struct OfState {
    #[command(flatten)]
    pub(in crate::cli) state: StateArg,
    /// Use the state of this environment
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) env: Option<String>,
    /// JSON on standard output
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum State {
    /// List what the stack owns
    List {
        #[command(flatten)]
        stack: StackArg,
        #[command(flatten)]
        of: OfState,
    },
    /// Show what is known about one resource
    Show {
        /// Its address, e.g. helm_release.arr-stack
        #[arg(value_name = "ADDRESS")]
        address: Address,
        /// The stack, where there is more than one
        #[arg(long, value_name = "STACK")]
        stack: Option<String>,
        #[command(flatten)]
        of: OfState,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct History {
    #[command(flatten)]
    pub(in crate::cli) stack: StackArg,
    #[command(flatten)]
    pub(in crate::cli) of: OfState,
}
