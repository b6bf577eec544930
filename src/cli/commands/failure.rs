//! From an error of a use case to what is said about it. Hints are made here: only the command line knows
//! what can be typed.

use crate::cli::error::Failed;
use crate::cluster::ConnectError;
use crate::diag::Diagnostic;
use crate::ops::Error;
use crate::state;
use crate::views::plan::data_loss;
use crate::views::problem::Failure;

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Invalid(found) => Self::Stack(found),
            Error::Secrets(found) => Self::Diagnostics(found),
            Error::Interrupted => Self::Interrupted,
            Error::State(error) => Self::Error(state_failure(&error)),
            Error::Connect { error, stack } => Self::Error(no_cluster(&error, stack.as_ref())),
            Error::SandboxHeld(holder) => {
                let failure = Failure::new(message).code("E310");
                Self::Error(if holder.operation == "sandbox serve" {
                    failure
                } else {
                    failure.hint("arrplan sandbox serve    keeps it up for several commands at once")
                })
            }
            Error::Sandbox(_) => Self::Error(
                Failure::new(message)
                    .code("E311")
                    .hint("arrplan sandbox reset    throws it away, to begin anew"),
            ),
            Error::Choose(diagnostic) => Self::Usage(of_diagnostic(&diagnostic)),
            Error::Saved(diagnostic) | Error::Refused(diagnostic) => Self::Error(of_diagnostic(&diagnostic)),
            Error::Stopped(_) => Self::Error(
                Failure::new(message)
                    .code("E501")
                    .detail(
                        "nothing new was started; what was done is in the state, or in the journal beside it",
                    )
                    .hint("once the disk works, the same command again goes on from there"),
            ),
            Error::Unknown { choices, .. } => {
                let failure = if choices.is_empty() {
                    Failure::new(message)
                } else {
                    Failure::new(message).detail("there are:")
                };
                Self::Error(choices.into_iter().fold(failure, |f, choice| f.detail(format!("  {choice}"))))
            }
            Error::NotApplicable { errors } => {
                let errors = crate::views::page::count(errors, "error", "errors");
                Self::Error(Failure::new(format!("nothing was applied: the plan has {errors}")))
            }
            Error::Write { source, path } => {
                let mut failure = Failure::new(message).detail(source.to_string());
                if source.kind() == std::io::ErrorKind::AlreadyExists {
                    failure = Failure::new(format!("{} exists; it is never overwritten", path.display()))
                        .hint("arrplan init NAME    gives the new stack another name");
                }
                Self::Error(failure)
            }
            other => Self::Error(with_causes(Failure::new(message), std::error::Error::source(&other))),
        }
    }
}

impl Failed {
    /// With the flags that say which state it is about, in the commands that are named without any.
    pub(super) fn about(mut self, place: &str) -> Self {
        if let Self::Error(failure) = &mut self {
            for bare in ["    shows", " --lineage LINEAGE"] {
                let (found, full) = (format!("state recover{bare}"), format!("state recover{place}{bare}"));
                for hint in &mut failure.hints {
                    *hint = hint.replace(&found, &full);
                }
            }
        }
        self
    }

    /// Of a command that cannot wait for a lock.
    pub(super) fn without_waiting(mut self) -> Self {
        if let Self::Error(failure) = &mut self {
            for hint in &mut failure.hints {
                *hint = hint.replace(", or let this command wait: --lock-timeout 5m", "");
            }
        }
        self
    }
}

fn of_diagnostic(diagnostic: &Diagnostic) -> Failure {
    let mut failure = Failure::new(&diagnostic.message).code(diagnostic.code);
    failure.details.clone_from(&diagnostic.notes);
    failure.hints.clone_from(&diagnostic.help);
    failure
}

fn with_causes(mut failure: Failure, mut cause: Option<&(dyn std::error::Error + 'static)>) -> Failure {
    while let Some(error) = cause {
        let text = error.to_string();
        if !failure.message.contains(&text) {
            failure = failure.detail(text);
        }
        cause = error.source();
    }
    failure
}

fn state_failure(error: &state::Error) -> Failure {
    let failure = Failure::new(error.to_string()).code(error.code());
    let failure = with_causes(failure, std::error::Error::source(error));
    error.help().into_iter().fold(failure, Failure::hint)
}

/// No cluster: where it was looked for, both ways out, and that the stack itself is fine.
fn no_cluster(error: &ConnectError, stack: Option<&(std::path::PathBuf, usize, usize)>) -> Failure {
    let mut failure = match error {
        ConnectError::NoConfig(_) => Failure::new("no cluster to plan against").code("E301"),
        other => {
            let text = other.to_string();
            let mut lines = text.lines();
            let failure = Failure::new(lines.next().unwrap_or_default()).code("E309");
            lines.fold(failure, Failure::detail)
        }
    };
    if let Some((file, resources, edges)) = stack {
        let resources = crate::views::page::count(*resources, "resource", "resources");
        let edges = crate::views::page::count(*edges, "edge", "edges");
        failure = failure.detail(format!("{} is valid: {resources}, {edges}", file.display()));
    }
    match error {
        ConnectError::NoConfig(looked) => {
            for (at, place) in looked.iter().enumerate() {
                let lead = if at == 0 { "looked at" } else { "" };
                failure = failure.detail(format!("{lead:<9}  {:<15}  {}", place.place, place.found));
            }
            failure
                .hint("arrplan plan --kubeconfig FILE")
                .hint("arrplan plan --sandbox            needs no cluster")
        }
        ConnectError::UnknownContext { .. } | ConnectError::NoContext { .. } => {
            failure.hint("arrplan plan --context NAME")
        }
        _ => failure,
    }
}

/// The line to paste for each consent that is missing.
pub(super) fn consent(command: &str, missing: &[crate::address::Address]) -> Failure {
    let mut line = format!("arrplan {command}");
    for address in missing {
        line.push_str(" --allow ");
        line.push_str(&data_loss(&address.to_string()));
    }
    Failure::new("data would be lost and that was not allowed").code("E410").hint(line)
}
