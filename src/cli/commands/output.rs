//! `arrplan output`

use serde_json::Value;

use super::{block_on, of_env, say_sandbox, state_request, still_world};
use crate::cli::args::Output;
use crate::cli::error::{Exit, Failed};
use crate::cli::host::Host;
use crate::ops;
use crate::views::{json, outputs, sanitize};

pub(super) fn run(args: &Output, host: &mut Host) -> Result<Exit, Failed> {
    let request = of_env(args.stack.as_deref(), args.env.as_ref());
    let state = state_request(&args.state);
    let found = block_on(ops::output(&request, &state, &still_world(host)))??;
    let text = match (&args.name, args.json) {
        (None, false) => outputs(&found, host.out_layout()),
        (None, true) => json::pretty(&serde_json::json!(found)),
        (Some(name), as_json) => {
            let value = found.get(name).ok_or_else(|| ops::Error::Unknown {
                what: format!("there is no output `{name}`"),
                choices: found.keys().cloned().collect(),
            })?;
            match value {
                // A program gets it byte for byte, a terminal what cannot move its cursor.
                Value::String(text) if !as_json && host.out_width.is_some() => {
                    format!("{}\n", text.split('\n').map(sanitize::clean).collect::<Vec<_>>().join("\n"))
                }
                Value::String(text) if !as_json => format!("{text}\n"),
                value => json::pretty(value),
            }
        }
    };
    say_sandbox(&args.state, host);
    host.print(&text)?;
    Ok(Exit::Done)
}
