//! `arrplan history`

use super::{block_on, marked, of_env, say_sandbox, state_request, still_world};
use crate::cli::args::History;
use crate::cli::error::{Exit, Failed};
use crate::cli::host::Host;
use crate::ops;
use crate::views::{histories, histories_json, json};

pub(super) fn run(args: &History, host: &mut Host) -> Result<Exit, Failed> {
    let request = of_env(args.stack.stack.as_deref(), args.of.env.as_ref());
    let state = state_request(&args.of.state);
    let found = block_on(ops::history(&request, &state, &still_world(host)))??;
    let text = if args.of.json {
        json::pretty(&marked(histories_json(&found), &args.of.state))
    } else {
        histories(&found, (host.now)(), host.out_layout())
    };
    say_sandbox(&args.of.state, host);
    host.print(&text)?;
    Ok(Exit::Done)
}
