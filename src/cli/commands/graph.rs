//! `arrplan graph`

use super::{of_stack, still_world};
use crate::cli::args::{Graph, GraphFormat};
use crate::cli::error::{Exit, Failed};
use crate::cli::host::Host;
use crate::ops;
use crate::views::{graph, json};

pub(super) fn run(args: &Graph, host: &mut Host) -> Result<Exit, Failed> {
    let stack = ops::validate(&of_stack(&args.stack, &args.vars), &still_world(host))?.stack;
    let text = match args.format {
        GraphFormat::Tree => graph::tree(&stack.graph, &stack.sources_map, host.out_layout()),
        GraphFormat::Dot => graph::dot(&stack.name, &stack.graph),
        GraphFormat::Json => json::pretty(&graph::json(&stack.name, &stack.graph, &stack.sources_map)),
    };
    host.print(&text)?;
    Ok(Exit::Done)
}
