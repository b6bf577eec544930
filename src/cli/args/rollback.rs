//! `arrplan rollback`

use clap::Args;

use super::{Applying, Cluster, Planning, StackArg, StateArg, Vars};

#[derive(Debug, Args)]
pub(in crate::cli) struct Rollback {
    #[command(flatten)]
    pub(in crate::cli) stack: StackArg,
    /// The revision to return to (see `history`), instead of the last one before the present that worked
    #[arg(long, value_name = "SERIAL")]
    pub(in crate::cli) to: Option<u64>,
    #[command(flatten)]
    pub(in crate::cli) applying: Applying,
    #[command(flatten)]
    pub(in crate::cli) state: StateArg,
    #[command(flatten)]
    pub(in crate::cli) vars: Vars,
    #[command(flatten)]
    pub(in crate::cli) cluster: Cluster,
    #[command(flatten)]
    pub(in crate::cli) planning: Planning,
}
