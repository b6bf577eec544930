//! `arrplan state list` and `show`

use super::{block_on, of_env, say_sandbox, state_request, still_world};
use crate::cli::args::State;
use crate::cli::error::{Exit, Failed};
use crate::cli::host::Host;
use crate::ops;
use crate::views::{json, resource, resources};

pub(super) fn run(args: &State, host: &mut Host) -> Result<Exit, Failed> {
    let world = still_world(host);
    let (State::List { of, .. } | State::Show { of, .. }) = args;
    say_sandbox(&of.state, host);
    let text = match args {
        State::List { stack, of } => {
            let request = of_env(stack.stack.as_deref(), of.env.as_ref());
            let state = block_on(ops::state_list(&request, &state_request(&of.state), &world))??;
            if of.json {
                json::pretty(&serde_json::json!(state))
            } else {
                resources(&state, host.out_layout())
            }
        }
        State::Show { address, stack, of } => {
            let request = of_env(stack.as_deref(), of.env.as_ref());
            let owned = block_on(ops::state_show(address, &request, &state_request(&of.state), &world))??;
            if of.json {
                json::pretty(&serde_json::json!(owned))
            } else {
                resource(address, &owned, host.out_layout())
            }
        }
    };
    host.print(&text)?;
    Ok(Exit::Done)
}
