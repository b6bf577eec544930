//! `arrplan import`

use clap::Args;

use super::{Applying, Cluster, Planning, StateArg, Vars};
use crate::address::{Named, ObjectKey};

#[derive(Debug, Args)]
pub(in crate::cli) struct Import {
    /// The resource of the stack that declares the object, e.g. persistent_volume_claim.media-pvc
    #[arg(value_name = "ADDRESS")]
    pub(in crate::cli) address: Named,
    /// The object, e.g. pvc/media-pvc; in full it is Kind[.group]/[namespace/]name
    #[arg(value_name = "OBJECT")]
    pub(in crate::cli) object: ObjectKey,
    /// The stack, where there is more than one
    #[arg(long, value_name = "STACK")]
    pub(in crate::cli) stack: Option<String>,
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
