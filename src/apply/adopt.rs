//! Adopting an object: what `Update` managers hold of the fields we set becomes ours, so that what leaves the
//! stack later leaves the object too (design §5.4).

use serde_json::{Value, json};

use super::guard::Base;
use super::managed;
use super::unit::{Step, Stop, Unit, failed};
use super::write::headed;
use crate::cluster::{Api, Error, ServedBy};
use crate::object::Object;
use crate::state::{BeginId, Operation, Outcome};

/// How often the move is tried again because the object changed meanwhile.
const TRIES: usize = 5;

impl Unit<'_> {
    /// Makes an existing object ours.
    pub(super) async fn adopt(&mut self, api: &Api, body: &Value) -> Step<Object> {
        if api.served_by == ServedBy::Aggregated {
            return self.put(api, body).await;
        }
        let mut base = self.base()?;
        let begun = self.begin(Operation::Adopt, Some(&base.uid), body).await?;
        for _ in 0..TRIES {
            match self.move_fields(api, body, &base).await {
                Ok(Moved::Done(base)) => return self.apply_guarded(api, body, base, begun).await,
                Ok(Moved::Stale(version)) => base.version = version,
                Err(Trouble::Lost(error)) => return Self::in_doubt(&error),
                Err(Trouble::Ended(stop)) => return self.give_up(begun, stop),
            }
        }
        let stop = Stop::failed(format!("{} changes faster than it can be adopted", self.change.key.human()));
        self.give_up(begun, stop)
    }

    fn give_up<T>(&self, begun: BeginId, stop: Stop) -> Step<T> {
        self.end(begun, Outcome::Unchanged);
        Err(stop)
    }

    /// One patch of managedFields, guarded by the resourceVersion of a fresh read.
    async fn move_fields(&self, api: &Api, body: &Value, base: &Base) -> Result<Moved, Trouble> {
        let human = self.change.key.human();
        let (namespace, name) = self.place();
        let ended = |line: String| Err(Trouble::Ended(Stop::failed(line)));
        let Some(live) = self.read(api).await.map_err(Trouble::Ended)? else {
            return ended(format!("{human} was deleted since the plan was made"));
        };
        if live.uid() != base.uid {
            return ended(format!("{human} is another object since the plan was made"));
        }
        if live.resource_version() != base.version && !self.holds(&live, base).map_err(Trouble::Ended)? {
            return failed(format!("{human} was changed since the plan was made"), self.difference(&live))
                .map_err(Trouble::Ended);
        }
        // Which fields the body sets, by the server's own word: our entry after a dry-run that takes all.
        let forced = self.send(self.writer.dry_run_apply(api, namespace, name, body, true)).await;
        let wanted = match forced {
            Ok(answer) => managed::own_entry(&answer.object),
            Err(error) => return Err(Trouble::Ended(headed("it cannot be adopted", &error))),
        };
        let write = self.write().map_err(Trouble::Ended)?;
        let moved = wanted.and_then(|wanted| managed::moved_to_us(&live, &wanted, &write.adopt_managers));
        let Some(entries) = moved else {
            return self.base_of(&live).map(Moved::Done).map_err(Trouble::Ended);
        };
        let patch = json!({"metadata": {
            "uid": base.uid, "resourceVersion": live.resource_version(), "managedFields": entries,
        }});
        match self.send(self.writer.merge_patch(api, namespace, name, &patch)).await {
            Ok(applied) => self.base_of(&applied.object).map(Moved::Done).map_err(Trouble::Ended),
            Err(Error::Stale(_)) => Ok(Moved::Stale(live.resource_version().to_owned())),
            Err(error) if error.outcome_unknown() => Err(Trouble::Lost(error)),
            Err(error) => Err(Trouble::Ended(headed("its fields cannot be taken over", &error))),
        }
    }
}

enum Moved {
    /// The fields are ours, in the object as it is now.
    Done(Base),
    /// It was still good at this resourceVersion, and changed before the patch came.
    Stale(String),
}

enum Trouble {
    /// The answer was lost.
    Lost(Error),
    /// Nothing was written.
    Ended(Stop),
}
