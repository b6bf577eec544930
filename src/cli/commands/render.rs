//! `arrplan render`

use super::{of_stack, still_world};
use crate::cli::args::Render;
use crate::cli::error::{Exit, Failed};
use crate::cli::host::Host;
use crate::ops;
use crate::views::yaml;

pub(super) fn run(args: &Render, host: &mut Host) -> Result<Exit, Failed> {
    let mut text = String::new();
    for (address, manifest) in ops::render(&of_stack(&args.stack, &args.vars), &still_world(host))? {
        let head = format!("---\n# {address}\n");
        text.push_str(&head);
        text.push_str(&yaml::to_string(&manifest));
    }
    host.print(&text)?;
    Ok(Exit::Done)
}
