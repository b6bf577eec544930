//! `arrplan init`

use super::still_world;
use crate::cli::args::Init;
use crate::cli::error::{Exit, Failed};
use crate::cli::host::Host;
use crate::ops;

pub(super) fn run(args: &Init, host: &mut Host) -> Result<Exit, Failed> {
    let made = ops::init(&args.name, &still_world(host))?;
    let short = |path: &std::path::Path| path.strip_prefix(&host.cwd).unwrap_or(path).display().to_string();
    let mut text = format!("created  {}\n", short(&made.stack));
    if let Some(path) = &made.gitignore {
        let line = format!("changed  {}    + state/ (names your cluster; never commit it)\n", short(path));
        text.push_str(&line);
    }
    text.push_str("\nnext     arrplan validate    finds mistakes, without a cluster\n");
    text.push_str("         arrplan plan        shows what would change\n");
    host.say(&text);
    Ok(Exit::Done)
}
