//! The command line: flags in, use cases of [`crate::ops`] called, views printed, exit codes out.
//!
//! *Invariants:* the only place that names `clap`, that reads the process's environment, and that maps a
//! failure to an exit code; plan, JSON and other output that was asked for go to standard output, all else to
//! standard error; a reader that goes away ends the command without a word.

mod args;
mod commands;
mod error;
mod fault;
mod host;
mod prompt;
mod signal;
mod values;

pub use error::{Exit, Failed};
pub use host::{Host, Stdin};

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use args::Cli;

/// The whole program, on the real process.
#[must_use]
pub fn main() -> ExitCode {
    fault::tell_without_values();
    let mut host = Host::process();
    #[cfg(feature = "faults")]
    if let Some(spec) = host.env.get("ARRPLAN_FAILPOINT")
        && let Err(wrong) = crate::failpoint::arm(spec)
    {
        host.say(&format!("ARRPLAN_FAILPOINT: {wrong}\n"));
        return ExitCode::from(Exit::Usage.code());
    }
    ExitCode::from(run(std::env::args_os(), &mut host).code())
}

/// The whole program, on `host`. The first argument is the program's name.
pub fn run(args: impl IntoIterator<Item = OsString>, host: &mut Host) -> Exit {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, host),
    };
    host.set_color(cli.color);
    match commands::run(&cli.command, host) {
        Ok(exit) => exit,
        Err(failed) => {
            host.say(&failed.render(host.err_layout()));
            failed.exit()
        }
    }
}

/// What clap has to say: help and version are no mistakes.
fn usage(error: &clap::Error, host: &mut Host) -> Exit {
    let text = error.render();
    if error.use_stderr() {
        host.set_color(args::Color::Auto);
        let text = if host.err_layout().color { text.ansi().to_string() } else { text.to_string() };
        host.say(&text);
        return Exit::Usage;
    }
    match host.print(&text.to_string()) {
        Ok(()) => Exit::Done,
        Err(failed) => failed.exit(),
    }
}

#[cfg(test)]
mod tests;
