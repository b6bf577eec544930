//! Commands on what was applied.

use clap::{Args, Subcommand};

use super::{Applying, Cluster, StackArg, StateArg, Vars};
use crate::address::{Address, Named};

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
        /// Its address, e.g. helm_release.arr-stack, or hr/arr-stack where that is unique
        #[arg(value_name = "ADDRESS")]
        address: Named,
        /// The stack, where there is more than one
        #[arg(long, value_name = "STACK")]
        stack: Option<String>,
        #[command(flatten)]
        of: OfState,
    },
    /// Give what the state has another address; nothing in the cluster changes
    Mv {
        /// The address it has
        #[arg(value_name = "FROM")]
        from: Named,
        /// The address it gets
        #[arg(value_name = "TO")]
        to: Address,
        /// The stack, where there is more than one
        #[arg(long, value_name = "STACK")]
        stack: Option<String>,
        #[command(flatten)]
        state: StateArg,
        /// Use the state of this environment
        #[arg(long, value_name = "NAME")]
        env: Option<String>,
        /// Wait this long for another arrplan that works on the same state (30s, 5m)
        #[arg(long, value_name = "TIME", value_parser = crate::cli::values::duration, default_value = "0s")]
        lock_timeout: std::time::Duration,
    },
    /// Let go of a resource: its object stays in the cluster, without our mark
    Rm(Box<Rm>),
    /// Rebuild a state that is damaged or gone from its other files and the cluster; shows it before it writes
    Recover(Box<Recover>),
    /// Print the state file as it would be written now, with what the journal adds
    Pull {
        #[command(flatten)]
        stack: StackArg,
        #[command(flatten)]
        state: StateArg,
        /// Use the state of this environment
        #[arg(long, value_name = "NAME")]
        env: Option<String>,
    },
    /// Check that nobody holds the lock, and say who does
    Unlock {
        #[command(flatten)]
        stack: StackArg,
        #[command(flatten)]
        state: StateArg,
        /// Use the state of this environment
        #[arg(long, value_name = "NAME")]
        env: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Rm {
    /// Its address; a declaration names all its instances
    #[arg(value_name = "ADDRESS", required = true)]
    pub(in crate::cli) addresses: Vec<Named>,
    /// The stack, where there is more than one
    #[arg(long, value_name = "STACK")]
    pub(in crate::cli) stack: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) applying: Applying,
    #[command(flatten)]
    pub(in crate::cli) state: StateArg,
    /// Use the state of this environment
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) env: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) cluster: Cluster,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Recover {
    #[command(flatten)]
    pub(in crate::cli) stack: StackArg,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(in crate::cli) yes: bool,
    /// Which state, where files and cluster tell of more than one
    #[arg(long, value_name = "LINEAGE")]
    pub(in crate::cli) lineage: Option<String>,
    /// Wait this long for another arrplan that works on the same state (30s, 5m)
    #[arg(long, value_name = "TIME", value_parser = crate::cli::values::duration, default_value = "0s")]
    pub(in crate::cli) lock_timeout: std::time::Duration,
    #[command(flatten)]
    pub(in crate::cli) state: StateArg,
    #[command(flatten)]
    pub(in crate::cli) vars: Vars,
    #[command(flatten)]
    pub(in crate::cli) cluster: Cluster,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct History {
    #[command(flatten)]
    pub(in crate::cli) stack: StackArg,
    #[command(flatten)]
    pub(in crate::cli) of: OfState,
}
