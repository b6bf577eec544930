//! `arrplan sandbox`

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Sandbox {
    /// Serve the sandbox for kubectl and others until Ctrl-C; --sandbox then uses it too
    Serve(Serve),
    /// Throw the sandbox away: its cluster, and the state of everything applied to it
    Reset(Reset),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Serve {
    /// A stack file, or the name of one in ./stacks: its project's sandbox is served
    #[arg(value_name = "STACK")]
    pub(in crate::cli) stack: Option<String>,
    /// Port on the loopback address, instead of a free one
    #[arg(long, value_name = "PORT")]
    pub(in crate::cli) port: Option<u16>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Reset {
    /// A stack file, or the name of one in ./stacks: its project's sandbox is meant
    #[arg(value_name = "STACK")]
    pub(in crate::cli) stack: Option<String>,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub(in crate::cli) yes: bool,
}
