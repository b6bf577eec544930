//! Whether what a saved change was decided by still holds.

use crate::object::Object;
use crate::plan::assess::{Assessor, Subject};
use crate::plan::saved::SavedChange;
use crate::plan::{Action, Change, Guard, differences, owned};
use crate::secrets::Redactor;

/// What became of the ground of a saved change.
pub(super) enum Ground {
    /// It holds; the version to write at is the one read now.
    Holds,
    /// It moved: the headline, then what exactly.
    Moved(Vec<String>),
}

impl Ground {
    fn moved(line: String) -> Self {
        Self::Moved(vec![line])
    }
}

impl Assessor<'_> {
    /// Compares what there is now with what `change` was planned for. `live` is `None` where there is nothing,
    /// or where nobody looked because the write itself finds out.
    pub(super) fn ground(
        &self,
        subject: &Subject<'_>,
        saved: &SavedChange,
        change: &Change,
        live: Option<&Object>,
    ) -> Ground {
        let human = change.key.human();
        let Some(live) = live else {
            return match saved.guard {
                // One that was on its way out is gone by now.
                Guard::Absent | Guard::AfterGone { .. } => Ground::Holds,
                Guard::Object { .. } => Ground::moved(format!("{human} was deleted since the plan was made")),
            };
        };
        if let Some(problem) = self.foreign_stack(subject.resource, live) {
            return Ground::moved(problem.message);
        }
        match &saved.guard {
            Guard::Absent => Ground::moved(format!("{human} was made{} since the plan was made", by(live))),
            Guard::AfterGone { uid } if live.uid() == uid => Ground::Holds,
            Guard::AfterGone { .. } => {
                Ground::moved(format!("{human} was made anew{} since the plan was made", by(live)))
            }
            Guard::Object { uid, .. } if live.uid() != uid => {
                Ground::moved(format!("{human} was deleted and made anew since the plan was made"))
            }
            Guard::Object { .. } if live.is_terminating() => {
                Ground::moved(format!("{human} is being deleted since the plan was made"))
            }
            Guard::Object { resource_version, digest, .. } => {
                let force = saved.write.as_ref().map_or(&[][..], |write| &write.force);
                let now = crate::plan::guard::digest(self.input.key, &saved.address, live, force);
                if live.resource_version() == resource_version || now == *digest {
                    return Ground::Holds;
                }
                let mut lines = vec![format!("{human} was changed since the plan was made")];
                let prior = self.input.state.resources.get(&change.address);
                let secrets = prior.map(|prior| &prior.secrets);
                let found = differences(change, self.input.key, live, secrets);
                lines.extend(found.iter().map(|line| redacted(self.input.redactor, line)));
                Ground::Moved(lines)
            }
        }
    }
}

fn redacted(redactor: &Redactor, line: &str) -> String {
    redactor.redact(line).into_owned()
}

/// Whether the change writes to an object that is there, or makes one.
pub(super) fn writes(action: Action) -> bool {
    matches!(action, Action::Create | Action::Update | Action::Replace | Action::Adopt)
}

/// ` by M, N`: who holds fields of the object.
fn by(live: &Object) -> String {
    let mut managers: Vec<String> = owned::entries(live)
        .into_iter()
        .filter(|entry| !owned::is_ours(entry))
        .map(|entry| entry.manager)
        .collect();
    managers.sort();
    managers.dedup();
    if managers.is_empty() { String::new() } else { format!(" by {}", managers.join(", ")) }
}
