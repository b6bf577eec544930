//! `arrplan sandbox serve` and `arrplan sandbox reset`

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::{block_on, still_world, world};
use crate::cli::args::{Reset, Sandbox, Serve};
use crate::cli::error::{Exit, Failed};
use crate::cli::host::{Host, Stdin};
use crate::cli::{prompt, signal};
use crate::ops::{self, SandboxPlace};
use crate::views::page::{Page, Text, Tone};
use crate::views::problem::Failure;

pub(super) fn run(args: &Sandbox, host: &mut Host) -> Result<Exit, Failed> {
    match args {
        Sandbox::Serve(args) => serve(args, host),
        Sandbox::Reset(args) => reset(args, host),
    }
}

/// A path as it is shortest from where the user stands.
fn short(path: &Path, host: &Host) -> String {
    let here =
        if host.cwd.as_os_str().is_empty() { std::env::current_dir().ok() } else { Some(host.cwd.clone()) };
    let below = here.as_deref().and_then(|here| path.strip_prefix(here).ok());
    below.unwrap_or(path).display().to_string()
}

fn serve(args: &Serve, host: &mut Host) -> Result<Exit, Failed> {
    block_on(async {
        let cancel =
            signal::watch("").map_err(|error| Failed::error(format!("cannot watch for signals: {error}")))?;
        let world = world(host, cancel.clone());
        let place = SandboxPlace::find(args.stack.as_deref(), &world)?;
        let served = ops::sandbox_serve(&place, args.port, &world).await?;
        let kubeconfig = short(&served.kubeconfig(), host);
        let mut page = Page::new(host.out_layout());
        let mut row = |name: &str, text: &str| {
            page.columns(0, &Text::tone(Tone::Dim, name), 14, &Text::plain(text));
        };
        row("sandbox", &served.url());
        row("kubeconfig", &kubeconfig);
        row("try", &format!("kubectl --kubeconfig {kubeconfig} get all -A"));
        row("end", "Ctrl-C; what it holds stays until arrplan sandbox reset");
        let text = page.finish();
        host.print(&text)?;
        served.until(&cancel).await?;
        Ok(Exit::Done)
    })?
}

fn reset(args: &Reset, host: &mut Host) -> Result<Exit, Failed> {
    let world = still_world(host);
    let place = SandboxPlace::find(args.stack.as_deref(), &world)?;
    let folder = short(place.folder(), host);
    if !place.exists() {
        host.say(&format!("There is no sandbox in {folder}.\n"));
        return Ok(Exit::Done);
    }
    if !args.yes {
        let Stdin::Terminal(answers) = std::mem::replace(&mut host.stdin, Stdin::Other) else {
            let failure = Failure::new("this needs your approval, and there is no terminal to ask on");
            return Err(Failed::Error(failure.hint("arrplan sandbox reset --yes")));
        };
        let question = format!("Throw away the sandbox in {folder}, its cluster and all state in it? [y/N] ");
        host.say(&Text::tone(Tone::Strong, &question).render(host.err_layout().color));
        if !block_on(prompt::is_yes(answers, &CancellationToken::new()))? {
            return Err(Failed::error("nothing was thrown away"));
        }
    }
    block_on(ops::sandbox_reset(&place, &world))??;
    host.say(&format!("The sandbox in {folder} is gone; --sandbox begins anew.\n"));
    Ok(Exit::Done)
}
