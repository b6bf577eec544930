//! A fault of arrplan's own, told without what it was about.

use std::io::{Write as _, stderr};
use std::panic::{PanicHookInfo, set_hook};

use rustix::process::{Resource, Rlimit, setrlimit};

/// From here on a panic says where it was, and the kernel writes no memory of this process to disk.
pub(super) fn tell_without_values() {
    // Best effort: where it cannot be set, the system's own limit holds, which is none as a rule.
    let _unset = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    set_hook(Box::new(|panic| {
        // Nobody may be listening any more.
        let _gone = stderr().write_all(told(panic).as_bytes());
    }));
}

/// What is said about a panic. A text that was put together as it happened may hold a secret, so that only one which the
/// source has word for word is repeated.
fn told(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let version = env!("CARGO_PKG_VERSION");
    let what = panic.payload().downcast_ref::<&'static str>().copied();
    let what = what.unwrap_or("(its text may hold values, and is left out)");
    format!(
        "error: arrplan {version} failed at {place}: {what}\n\
         This is a fault of arrplan's, not of yours: please report it with this line.\n\
         What it had begun is in the journal: the same command again goes on from there.\n"
    )
}
