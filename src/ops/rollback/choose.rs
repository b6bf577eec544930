//! Which revision is meant.

use std::collections::BTreeMap;

use super::super::Error;
use super::{Basis, Before, Return};
use crate::address::Address;
use crate::state::{Recorded, Revision};

/// The revision to return to, and what is worth knowing about the choice.
///
/// # Errors
/// No such revision, a damaged one, one of another lineage, nothing to return to.
pub(super) async fn revision(to: Return, basis: &Basis<'_>) -> Result<(Revision, Vec<String>), Error> {
    let mut recorded = basis.store.revisions().await?;
    let lineage = &basis.state.lineage;
    let (revision, remarks) = match to {
        Return::To(serial) => (named(serial, recorded)?, Vec::new()),
        Return::LastThatWorked => {
            // A revision beyond the state is of a run that was killed before it got there.
            recorded.retain(|(serial, _)| *serial <= basis.state.serial);
            match cut_off(&recorded, &basis.before) {
                Some((serial, remark)) => (named(serial, recorded)?, vec![remark]),
                None => last_that_worked(recorded, basis.before.unfinished)?,
            }
        }
    };
    if revision.lineage != *lineage {
        return Err(Error::Unknown {
            what: format!(
                "revision {} is of lineage {}, the state is of lineage {lineage}",
                revision.serial, revision.lineage
            ),
            choices: Vec::new(),
        });
    }
    Ok((revision, remarks))
}

/// Where a rollback was returning to that was killed: the same command again goes there, not back from there.
fn cut_off(recorded: &[Recorded], before: &Before) -> Option<(u64, String)> {
    let died = before.died.as_ref()?;
    let to = before.returning_to?;
    let at_its_end = recorded.last().is_some_and(|(_, present)| {
        let of_it = |present: &Revision| present.operation == died.operation && present.at >= died.started;
        present.as_ref().is_ok_and(|present| of_it(present) && present.returned_to == Some(to))
    });
    (at_its_end || before.unfinished)
        .then(|| (to, format!("the rollback to revision {to} was cut off: this goes there, too")))
}

fn named(serial: u64, recorded: Vec<Recorded>) -> Result<Revision, Error> {
    let choices = choices(&recorded);
    match recorded.into_iter().find(|(found, _)| *found == serial) {
        Some((_, revision)) => Ok(revision?),
        None => Err(Error::Unknown { what: format!("no revision {serial} is recorded"), choices }),
    }
}

fn choices(recorded: &[Recorded]) -> Vec<String> {
    let one = |(serial, revision): &Recorded| match revision {
        Ok(revision) => {
            let works = if revision.ready { "it worked" } else { "it did not get ready" };
            format!("{serial}  {}, {works}", revision.operation)
        }
        Err(_) => format!("{serial}  damaged"),
    };
    recorded.iter().rev().map(one).collect()
}

/// Of what was applied before the present revision the last that worked and desired something else; `unfinished`:
/// what is applied at present is no revision, so that it is the last that worked. Nothing at all (a destroy) is
/// returned to by its number only.
fn last_that_worked(mut recorded: Vec<Recorded>, unfinished: bool) -> Result<(Revision, Vec<String>), Error> {
    let choices = choices(&recorded);
    let mut remarks = Vec::new();
    let present = match recorded.last() {
        None if unfinished => {
            let what = "the first apply was cut off: there is nothing to go back to".to_owned();
            return Err(Error::Unknown { what, choices });
        }
        None => return Err(Error::Unknown { what: "nothing was applied yet".to_owned(), choices }),
        Some(_) if unfinished => {
            remarks.push("the run before came to no end: this goes back to what worked before it".to_owned());
            None
        }
        Some(_) => recorded.pop().map(|(_, present)| present).transpose()?,
    };
    let differs = |revision: &Revision| present.as_ref().is_none_or(|present| differ(revision, present));
    while let Some((serial, revision)) = recorded.pop() {
        match revision {
            Ok(revision) if revision.ready && !revision.resources.is_empty() && differs(&revision) => {
                return Ok((revision, remarks));
            }
            Ok(_) => {}
            Err(error) => remarks.push(format!("revision {serial} is passed over: {error}")),
        }
    }
    let what = match present {
        Some(present) => format!("no earlier revision than {} worked and was different", present.serial),
        None => "no revision worked".to_owned(),
    };
    Err(Error::Unknown { what, choices })
}

/// Whether two revisions desire different things; values of secrets are no part of either.
fn differ(one: &Revision, other: &Revision) -> bool {
    let plain = |revision: &Revision| -> BTreeMap<Address, _> {
        let resources = revision.resources.iter();
        resources.map(|(address, r)| (address.clone(), (r.manifest.clone(), r.protect))).collect()
    };
    plain(one) != plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::Wait;
    use crate::state::{ChangeCounts, Holder, Recipe, RevisionManifest};
    use serde_json::json;

    /// Serial, what it desires (0 = nothing), whether it worked; desire 9 is damaged.
    fn recorded(list: &[(u64, u8, bool)]) -> Vec<Recorded> {
        let one = |&(serial, desire, ready): &(u64, u8, bool)| {
            if desire == 9 {
                let reason = "its checksum does not match its content".to_owned();
                let path = "r.json".into();
                let error = crate::state::Error::Corrupt { what: "revision", path, reason, previous: None };
                return (serial, Err(error));
            }
            let manifest = RevisionManifest {
                manifest: Recipe { value: json!({ "data": desire }), late: BTreeMap::new() },
                secrets: BTreeMap::new(),
                protect: None,
                timeout: None,
                wait: Wait::Ready,
                ignore: Vec::new(),
                replace_immutable: false,
                depends_on: Vec::new(),
            };
            let resources = (desire > 0).then(|| (Address::new("config_map", "a"), manifest));
            let revision = Revision {
                format_version: Revision::FORMAT,
                lineage: "L".to_owned(),
                serial,
                stack: "arr".to_owned(),
                tool_version: "0.1.0".to_owned(),
                key_id: "k".to_owned(),
                operation: if desire == 0 { "destroy" } else { "apply" }.to_owned(),
                at: "2026-01-02T03:04:05Z".parse().unwrap(),
                by: "me@here".to_owned(),
                changes: ChangeCounts::default(),
                took: 1,
                ready,
                returned_to: None,
                resources: resources.into_iter().collect(),
                existing: BTreeMap::new(),
                outputs: BTreeMap::new(),
            };
            (serial, Ok(revision))
        };
        list.iter().map(one).collect()
    }

    #[test]
    fn the_last_that_worked_before_the_present_one_and_is_another() {
        type Revision = (u64, u8, bool);
        let cases: &[(&[Revision], &str)] = &[
            (&[], "nothing was applied yet"),
            (&[(1, 1, true)], "no earlier revision than 1 worked and was different"),
            (&[(1, 1, true), (2, 2, true)], "1"),
            // What did not work is no aim, and neither is what is there already.
            (&[(1, 1, true), (2, 2, false), (3, 3, true)], "1"),
            (&[(1, 1, true), (2, 2, true), (3, 2, true)], "1"),
            (&[(1, 1, true), (2, 2, false), (3, 2, false)], "1"),
            // A rollback (3) of a change that worked (2), taken back.
            (&[(1, 1, true), (2, 2, true), (3, 1, true)], "2"),
            // A destroy, undone; and never returned to unasked.
            (&[(1, 1, true), (2, 0, true)], "1"),
            (&[(1, 1, true), (2, 0, true), (3, 2, true)], "1"),
            (&[(1, 1, true), (2, 9, true), (3, 2, true)], "1, 1 remark"),
            (&[(1, 1, false), (2, 2, true)], "no earlier revision than 2 worked and was different"),
        ];
        for (list, expected) in cases {
            let said = match last_that_worked(recorded(list), false) {
                Ok((revision, remarks)) if remarks.is_empty() => revision.serial.to_string(),
                Ok((revision, remarks)) => format!("{}, {} remark", revision.serial, remarks.len()),
                Err(error) => error.to_string(),
            };
            assert_eq!(said, *expected, "{list:?}");
        }
    }

    #[test]
    fn one_that_is_not_there_lists_those_that_are() {
        let list = [(1, 1, true), (4, 9, false), (5, 2, false)];
        let Err(Error::Unknown { what, choices }) = named(3, recorded(&list)) else {
            panic!("there is no revision 3");
        };
        assert_eq!(what, "no revision 3 is recorded");
        assert_eq!(choices, ["5  apply, it did not get ready", "4  damaged", "1  apply, it worked"]);
        assert!(matches!(named(4, recorded(&list)), Err(Error::State(_))));
    }

    #[test]
    fn after_a_run_that_came_to_no_end_the_last_that_worked_is_the_last() {
        type Revision = (u64, u8, bool);
        let cases: &[(&[Revision], &str)] = &[
            (&[], "the first apply was cut off: there is nothing to go back to"),
            (&[(1, 1, true)], "1"),
            (&[(1, 1, true), (2, 2, true)], "2"),
            (&[(1, 1, true), (2, 2, false)], "1"),
            (&[(1, 1, false)], "no revision worked"),
        ];
        for (list, expected) in cases {
            let said = match last_that_worked(recorded(list), true) {
                Ok((revision, remarks)) => {
                    assert_eq!(remarks.len(), 1);
                    revision.serial.to_string()
                }
                Err(error) => error.to_string(),
            };
            assert_eq!(said, *expected, "{list:?}");
        }
    }

    #[test]
    fn a_rollback_that_was_killed_is_gone_on_with_and_not_taken_back() {
        let before = |operation: &str, started: &str, unfinished: bool| Before {
            died: Some(Holder {
                pid: 7,
                user: "ann".to_owned(),
                host: "nas".to_owned(),
                operation: operation.to_owned(),
                started: started.parse().unwrap(),
            }),
            returning_to: (operation == "rollback").then_some(1),
            unfinished,
        };
        let mut list = recorded(&[(1, 1, true), (2, 2, true), (3, 1, true)]);
        let (early, late) = ("2026-01-02T03:04:00Z", "2026-01-02T03:05:00Z");
        let to = |list: &[Recorded], before: &Before| cut_off(list, before).map(|(serial, _)| serial);
        assert_eq!(to(&list, &before("rollback", early, false)), None);
        assert_eq!(to(&list, &before("rollback", early, true)), Some(1), "in the middle");
        if let Some((_, Ok(present))) = list.last_mut() {
            present.operation = "rollback".to_owned();
            present.returned_to = Some(1);
        }
        assert_eq!(to(&list, &before("rollback", early, false)), Some(1), "at its end");
        assert_eq!(to(&list, &before("rollback", late, false)), None, "it died before it did anything");
        assert_eq!(to(&list, &before("apply", early, true)), None);
        assert_eq!(to(&list, &Before { unfinished: true, ..Before::default() }), None);
    }
}
