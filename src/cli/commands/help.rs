//! `arrplan help`: a code, the rights, a command, or everything.

use clap::CommandFactory as _;

use crate::cli::args::{Cli, Help};
use crate::cli::error::{Exit, Failed};
use crate::cli::host::Host;
use crate::diag::codes;
use crate::views::help;
use crate::views::problem::Failure;

pub(super) fn run(args: &Help, host: &mut Host) -> Result<Exit, Failed> {
    let topics: Vec<&str> = args.topic.iter().map(String::as_str).collect();
    let text = match topics[..] {
        ["rbac"] => help::RBAC.to_owned(),
        ["codes"] => help::codes(codes::all(), host.out_layout()),
        [topic] if codes::find(topic).is_some() => {
            codes::find(topic).map(|code| help::code(code, host.out_layout())).unwrap_or_default()
        }
        _ => command(&topics, host)?,
    };
    host.print(&text)?;
    Ok(Exit::Done)
}

/// The help of a command, or of the whole program.
fn command(names: &[&str], host: &Host) -> Result<String, Failed> {
    let mut root = Cli::command();
    root.build();
    let mut found = &mut root;
    for name in names {
        found = found.find_subcommand_mut(name).ok_or_else(|| {
            Failed::Usage(
                Failure::new(format!("no help about `{}`", names.join(" ")))
                    .hint("arrplan help         all commands")
                    .hint("arrplan help plan    one command")
                    .hint("arrplan help codes   all error codes")
                    .hint("arrplan help rbac    the rights arrplan needs"),
            )
        })?;
    }
    let text = found.render_long_help();
    Ok(if host.out_layout().color { text.ansi().to_string() } else { text.to_string() })
}
