//! `arrplan schema`

use crate::cli::args::{Schema, SchemaOf};
use crate::cli::error::{Exit, Failed};
use crate::cli::host::Host;
use crate::views::json;

pub(super) fn run(args: &Schema, host: &mut Host) -> Result<Exit, Failed> {
    host.print(match args.of {
        SchemaOf::Plan => json::PLAN_SCHEMA,
        SchemaOf::Events => json::EVENTS_SCHEMA,
        SchemaOf::SavedPlan => json::SAVED_PLAN_SCHEMA,
    })?;
    Ok(Exit::Done)
}
