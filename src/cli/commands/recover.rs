//! `arrplan state recover`

use tokio_util::sync::CancellationToken;

use super::typed::Flags;
use super::{block_on, cluster_request, of_stack, state_request, world};
use crate::cli::args::Recover;
use crate::cli::error::{Exit, Failed};
use crate::cli::host::{Host, Stdin};
use crate::cli::{prompt, signal};
use crate::ops::{self, RecoverRequest, Recovery};
use crate::state::{Holder, Replaced};
use crate::views::believed;
use crate::views::page::{Page, Text, Tone};
use crate::views::problem::Failure;

pub(super) fn run(args: &Recover, host: &mut Host) -> Result<Exit, Failed> {
    let request = RecoverRequest {
        stack: of_stack(&args.stack, &args.vars),
        state: state_request(&args.state),
        cluster: cluster_request(&args.cluster, &args.state, 0),
        lineage: args.lineage.clone(),
    };
    block_on(async {
        let cancel =
            signal::watch("").map_err(|error| Failed::error(format!("cannot watch for signals: {error}")))?;
        let world = world(host, cancel.clone());
        let mut waiting = |holder: &Holder| {
            let mut page = Page::new(host.err_layout());
            page.wrapped(0, 2, &Text::plain(&format!("waiting for {holder}")));
            host.say(&page.finish());
        };
        let recovery =
            Box::pin(ops::state_recover(&request, args.lock_timeout, &mut waiting, &world)).await?;
        let recovering = match recovery {
            Recovery::Sound(place) => {
                host.say(&format!("The state is sound: there is nothing to recover. {place}\n"));
                return Ok(Exit::Done);
            }
            Recovery::Rebuilt(recovering) => recovering,
        };
        let text = believed(&recovering.believed, host.out_layout());
        host.print(&text)?;
        if !args.yes {
            ask(args, host, &cancel).await?;
        }
        let replaced = recovering.write().await?;
        host.say(&written(args, &replaced, host));
        Ok(Exit::Done)
    })?
}

/// The stack and the flags, as they were typed.
fn typed(args: &Recover) -> String {
    let stack = args.stack.stack.as_deref().map(|stack| format!(" {stack}")).unwrap_or_default();
    format!("{stack}{}", Flags::about(&args.state, Some(&args.vars), &args.cluster))
}

/// Without somebody to answer it is a refusal.
async fn ask(args: &Recover, host: &mut Host, cancel: &CancellationToken) -> Result<(), Failed> {
    let Stdin::Terminal(answers) = std::mem::replace(&mut host.stdin, Stdin::Other) else {
        let failure =
            Failure::new("writing the state needs your approval, and there is no terminal to ask on");
        let lineage =
            args.lineage.as_deref().map(|lineage| format!(" --lineage {lineage}")).unwrap_or_default();
        return Err(Failed::Error(
            failure.hint(format!("arrplan state recover{}{lineage} --yes", typed(args))),
        ));
    };
    let question = Text::tone(Tone::Strong, "Write this state? [y/N] ");
    host.say(&format!("\n{}", question.render(host.err_layout().color)));
    let yes = prompt::is_yes(answers, cancel).await;
    if cancel.is_cancelled() {
        host.say("\n");
        return Err(Failed::Interrupted);
    }
    if yes { Ok(()) } else { Err(Failed::error("nothing was written")) }
}

fn written(args: &Recover, replaced: &Replaced, host: &Host) -> String {
    let mut page = Page::new(host.err_layout());
    page.blank();
    page.line(0, &Text::plain(&format!("The state is written: serial {}.", replaced.serial)));
    for path in &replaced.kept {
        page.line(0, &Text::plain(&format!("Kept what was there: {path}")));
    }
    let next = format!("arrplan plan{}", typed(args));
    page.line(0, &Text::tone(Tone::Dim, "Next: ").add(Tone::Note, &next));
    page.finish()
}
