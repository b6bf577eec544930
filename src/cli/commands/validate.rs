//! `arrplan validate`

use super::{of_stack, still_world};
use crate::cli::args::Validate;
use crate::cli::error::{Exit, Failed};
use crate::cli::host::Host;
use crate::ops;
use crate::views::page::count;
use crate::views::{diagnostics, json};

pub(super) fn run(args: &Validate, host: &mut Host) -> Result<Exit, Failed> {
    let found = match ops::validate(&of_stack(&args.stack, &args.vars), &still_world(host)) {
        Ok(found) => found,
        Err(ops::Error::Invalid(found)) if args.json => {
            let problems = json::diagnostics(&found.0, Some(&found.1));
            host.print(&json::pretty(&json::validation(None, &problems)))?;
            return Ok(Exit::Invalid);
        }
        Err(error) => return Err(error.into()),
    };
    let stack = &found.stack;
    if args.json {
        let problems = json::diagnostics(&found.warnings, Some(&stack.sources_map));
        host.print(&json::pretty(&json::validation(Some(stack), &problems)))?;
        return Ok(Exit::Done);
    }
    host.say(&diagnostics::render(&found.warnings, &stack.sources_map, host.err_layout()));
    let text = format!(
        "{} is valid: {}, {}\n",
        stack.file.display(),
        count(stack.resources.len(), "resource", "resources"),
        count(stack.graph.edge_count(), "edge", "edges"),
    );
    host.say(&text);
    Ok(Exit::Done)
}
