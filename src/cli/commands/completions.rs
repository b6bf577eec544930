//! `arrplan completions`

use clap::CommandFactory as _;

use crate::cli::args::{Cli, Completions};
use crate::cli::error::{Exit, Failed};
use crate::cli::host::Host;

pub(super) fn run(args: &Completions, host: &mut Host) -> Result<Exit, Failed> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "arrplan", &mut script);
    host.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
