//! Flux objects.

use super::{Condition, Context, State, Status, condition, flag, number, text};
use crate::object::Object;

/// Whether a group is one of Flux's.
pub(super) fn is_flux(group: &str) -> bool {
    group.ends_with(".toolkit.fluxcd.io")
}

/// Kinds that are only read by others; their controller publishes nothing.
fn is_static(object: &Object, group: &str) -> bool {
    match (group, object.kind()) {
        ("notification.toolkit.fluxcd.io", kind) => kind != "Receiver",
        ("source.toolkit.fluxcd.io", "HelmRepository") => text(object, "/spec/type") == "oci",
        _ => false,
    }
}

/// Ready means: seen at this generation, not stuck, not suspended, and `Ready` is True for this generation.
/// `Reconciling` alone does not count against it: it can linger, and says nothing of what runs.
pub(super) fn status(object: &Object, group: &str, context: &Context) -> Status {
    if flag(object, "/spec/suspend") {
        return if context.suspended_by_stack {
            Status::accepted("Suspended", "spec.suspend is true, as the stack says: Flux does not act on it")
        } else {
            Status::failed("Suspended", "spec.suspend is true: Flux does not act on it")
        };
    }
    if is_static(object, group) {
        return Status::ready("Current", "");
    }
    let generation = object.generation();
    // The CRDs default it to -1: no controller has looked yet.
    let observed = number(object, "/status/observedGeneration").filter(|observed| *observed >= 0);
    let ready = condition(object, "Ready");
    let (Some(observed), Some(ready)) = (observed, ready) else {
        // A first attempt in progress or a failure before the generation is recorded still says something.
        return match condition(object, "Ready").filter(|ready| is_current(ready, generation)) {
            Some(ready) => Status::by(State::InProgress, &ready),
            None => Status::in_progress("NoStatus", "no controller has looked at it yet"),
        };
    };
    let stalled = condition(object, "Stalled").filter(Condition::is_true);
    if let Some(stalled) =
        stalled.filter(|stalled| is_current(stalled, generation) && Some(observed) == generation)
    {
        return Status::by(State::Failed, &stalled);
    }
    if Some(observed) != generation || !is_current(&ready, generation) {
        let since = ready.since.map(str::to_owned);
        // While a new generation is worked on, observedGeneration lags; what Ready says of it is worth showing.
        if is_current(&ready, generation) && !ready.is_true() {
            return Status::by(State::InProgress, &ready);
        }
        return Status {
            since,
            ..Status::in_progress(
                "LatestGenerationNotObserved",
                format!(
                    "generation {} is not observed yet, the last was {observed}",
                    generation.unwrap_or_default()
                ),
            )
        };
    }
    if ready.is_true() {
        return Status::by(State::Ready, &ready);
    }
    Status::by(State::InProgress, &ready)
}

/// Whether a condition is about this generation. One that names none is taken at its word.
pub(super) fn is_current(condition: &Condition<'_>, generation: Option<i64>) -> bool {
    condition.observed.is_none() || condition.observed == generation
}
