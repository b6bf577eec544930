//! `arrplan state …`

use std::time::Duration;

use super::{apply, block_on, marked, of_env, recover, say_sandbox, state_request, still_world};
use crate::address::{Address, Named};
use crate::cli::args::{OfState, State, StateArg};
use crate::cli::error::{Exit, Failed};
use crate::cli::host::Host;
use crate::ops::{self, StackRequest};
use crate::state::Holder;
use crate::views::page::{Page, Text};
use crate::views::{json, resource, resources};

pub(super) fn run(args: &State, host: &mut Host) -> Result<Exit, Failed> {
    match args {
        State::List { stack, of } => list(&of_env(stack.stack.as_deref(), of.env.as_ref()), of, host),
        State::Show { address, stack, of } => {
            show(address, &of_env(stack.as_deref(), of.env.as_ref()), of, host)
        }
        State::Mv { from, to, stack, state, env, lock_timeout } => {
            let request = of_env(stack.as_deref(), env.as_ref());
            rename(from, to, &request, state, *lock_timeout, host)
        }
        State::Rm(args) => apply::release(args, host),
        State::Recover(args) => recover::run(args, host),
        State::Pull { stack, state, env } => {
            let request = of_env(stack.stack.as_deref(), env.as_ref());
            say_sandbox(state, host);
            let text = block_on(ops::state_pull(&request, &state_request(state), &still_world(host)))??;
            host.print(&text)?;
            Ok(Exit::Done)
        }
        State::Unlock { stack, state, env } => {
            let request = of_env(stack.stack.as_deref(), env.as_ref());
            say_sandbox(state, host);
            block_on(ops::state_unlock(&request, &state_request(state), &still_world(host)))?
                .map_err(|error| Failed::from(error).without_waiting())?;
            host.say("Nobody holds the lock: a lock goes away with the process that holds it.\n");
            Ok(Exit::Done)
        }
    }
}

fn list(request: &StackRequest, of: &OfState, host: &mut Host) -> Result<Exit, Failed> {
    say_sandbox(&of.state, host);
    let state = block_on(ops::state_list(request, &state_request(&of.state), &still_world(host)))??;
    let text = if of.json {
        json::pretty(&marked(serde_json::json!(state), &of.state))
    } else {
        resources(&state, host.out_layout())
    };
    host.print(&text)?;
    Ok(Exit::Done)
}

fn show(named: &Named, request: &StackRequest, of: &OfState, host: &mut Host) -> Result<Exit, Failed> {
    say_sandbox(&of.state, host);
    let (address, owned) =
        block_on(ops::state_show(named, request, &state_request(&of.state), &still_world(host)))??;
    let text = if of.json {
        json::pretty(&marked(serde_json::json!(owned), &of.state))
    } else {
        resource(&address, &owned, host.out_layout())
    };
    host.print(&text)?;
    Ok(Exit::Done)
}

fn rename(
    from: &Named,
    to: &Address,
    request: &StackRequest,
    state: &StateArg,
    patience: Duration,
    host: &mut Host,
) -> Result<Exit, Failed> {
    say_sandbox(state, host);
    let world = still_world(host);
    let state = state_request(state);
    let layout = host.err_layout();
    let mut waiting = |holder: &Holder| {
        let mut page = Page::new(layout);
        page.wrapped(0, 2, &Text::plain(&format!("waiting for {holder}")));
        host.say(&page.finish());
    };
    let moved = block_on(ops::state_mv(from, to, request, &state, patience, &mut waiting, &world))??;
    let mut page = Page::new(layout);
    for (from, to) in &moved.pairs {
        page.line(0, &Text::plain(&format!("{from} is {to} now")));
    }
    page.line(0, &Text::plain(&format!("State: serial {}. The one before: {}", moved.serial, moved.backup)));
    host.say(&page.finish());
    Ok(Exit::Done)
}
