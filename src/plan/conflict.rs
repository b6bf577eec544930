//! Whose field is it (design §5.3): drift we may take back, contested fields we may not, fields that others
//! own as well, and fields that nobody owns any more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cluster::FieldConflict;
use crate::fields::{Entry, Operation};
use crate::path::FieldPath;
use crate::plan::owned::{holds, is_ours, server_spelling};
use crate::state::Digest;

/// What a field that we want otherwise than it is means for the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Changed outside; taken back by force.
    Drift(Owner),
    /// Ours as well; an ordinary update that needs force.
    CoOwned(Owner),
    /// Asked for by `--take`.
    Taken(Owner),
    /// Changed or removed outside, by whom is not recorded; written without force.
    Unrecorded,
    /// Not ours to take.
    Contested(Owner, Contest),
}

impl Verdict {
    /// Who holds the field, where anybody is known to.
    pub(super) fn owner(&self) -> Option<&Owner> {
        match self {
            Self::Drift(owner) | Self::CoOwned(owner) | Self::Taken(owner) | Self::Contested(owner, _) => {
                Some(owner)
            }
            Self::Unrecorded => None,
        }
    }
}

/// Who holds a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    /// The field manager.
    pub(super) manager: String,
    /// When it last wrote, RFC 3339.
    pub(super) time: Option<String>,
}

/// Why a field is not ours to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contest {
    /// Another Server-Side-Apply manager declares it.
    Applied,
    /// It is written through a subresource: an autoscaler, or `kubectl scale`.
    Subresource,
    /// It was never ours.
    NeverOurs,
    /// We took it back before, and it was taken again.
    Fight,
    /// The number of replicas was changed, by whom is not recorded.
    Replicas,
}

/// What is known of one object when its fields are judged.
pub(super) struct Facts<'a> {
    /// The leaves we want, with their values.
    pub(super) desired: &'a BTreeMap<FieldPath, Value>,
    /// The live object.
    pub(super) live: &'a Value,
    /// All entries of its managedFields.
    pub(super) entries: &'a [Entry],
    /// Paths we owned after our last apply, with the keyed digest of their value then.
    pub(super) owned: &'a BTreeMap<FieldPath, Option<Digest>>,
    /// Paths we took back from another manager before.
    pub(super) fights: &'a BTreeSet<FieldPath>,
    /// Keyed digest of a value at a path.
    pub(super) digest: &'a dyn Fn(&FieldPath, &Value) -> Digest,
    /// Whether `--take` names the path.
    pub(super) taken: &'a dyn Fn(&FieldPath) -> bool,
    /// Whether the kind has a `scale` subresource.
    pub(super) scalable: bool,
    /// The object is being adopted: what an ordinary manager holds moves to us.
    pub(super) adopting: bool,
}

/// The verdict on each wanted leaf whose live value differs and that somebody else holds, or nobody does
/// although we did. Leaves that only the stack changed have none.
pub(super) fn judge(facts: &Facts<'_>) -> BTreeMap<FieldPath, Verdict> {
    let mut verdicts = BTreeMap::new();
    for (path, wanted) in facts.desired {
        let live = path.get(facts.live);
        if live == Some(wanted) {
            continue;
        }
        let holders: Vec<&Entry> = facts.entries.iter().filter(|e| !is_ours(e) && holds(e, path)).collect();
        let ours = facts.entries.iter().any(|e| is_ours(e) && holds(e, path));
        let verdict = if holders.is_empty() {
            if ours || !facts.owned.contains_key(path) {
                continue;
            }
            unowned(facts, path, live)
        } else {
            // Two holders: the one that may not be overruled decides.
            let verdicts: Vec<Verdict> =
                holders.iter().map(|holder| held(facts, path, live, holder)).collect();
            let contested = verdicts.iter().find(|v| matches!(v, Verdict::Contested(..)));
            contested.or(verdicts.first()).cloned()
        };
        if let Some(verdict) = verdict {
            verdicts.insert(path.clone(), verdict);
        }
    }
    verdicts
}

/// Where no manager at all is recorded any more, the server books all that is there to this one as soon as somebody
/// applies.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// Fields that were ours on an object whose record of managers is lost, as the server names them in `conflicts`: they
/// need force, and nobody else's word is overruled by it.
pub(super) fn untracked(
    verdicts: &mut BTreeMap<FieldPath, Verdict>,
    facts: &Facts<'_>,
    conflicts: &[FieldConflict],
) {
    for conflict in conflicts.iter().filter(|conflict| conflict.owner().name == BEFORE_FIRST_APPLY) {
        let is_it = |path: &&FieldPath| server_spelling(path) == conflict.field;
        let Some(path) = facts.desired.keys().filter(is_it).find(|path| facts.owned.contains_key(path))
        else {
            continue;
        };
        // Taken for somebody's, since nobody is recorded to hold it.
        verdicts.remove(&FieldPath::keys([conflict.field.trim_start_matches('.')]));
        if matches!(verdicts.get(path), None | Some(Verdict::Unrecorded)) {
            let owner = Owner { manager: BEFORE_FIRST_APPLY.to_owned(), time: None };
            let as_applied = path.get(facts.live).is_some_and(|value| is_as_applied(facts, path, value));
            let verdict = if as_applied { Verdict::CoOwned(owner) } else { Verdict::Drift(owner) };
            verdicts.insert(path.clone(), verdict);
        }
    }
}

/// A field we owned and nobody owns now: removed or zeroed outside.
fn unowned(facts: &Facts<'_>, path: &FieldPath, live: Option<&Value>) -> Option<Verdict> {
    if live.is_some_and(|value| is_as_applied(facts, path, value)) {
        return None;
    }
    if facts.scalable && path.to_string() == "spec.replicas" && !(facts.taken)(path) {
        let owner = Owner { manager: "not recorded".to_owned(), time: None };
        return Some(Verdict::Contested(owner, Contest::Replicas));
    }
    Some(Verdict::Unrecorded)
}

/// Whether the value is the one that was live after our last apply. An unknown digest is a different value:
/// the field then counts as changed outside and is shown.
fn is_as_applied(facts: &Facts<'_>, path: &FieldPath, value: &Value) -> bool {
    matches!(facts.owned.get(path), Some(Some(digest)) if *digest == (facts.digest)(path, value))
}

fn held(facts: &Facts<'_>, path: &FieldPath, live: Option<&Value>, holder: &Entry) -> Verdict {
    let owner = Owner { manager: holder.manager.clone(), time: holder.time.clone() };
    if (facts.taken)(path) {
        return Verdict::Taken(owner);
    }
    let contest = if holder.operation == Operation::Apply {
        Some(Contest::Applied)
    } else if holder.subresource.is_some() {
        Some(Contest::Subresource)
    } else if !facts.owned.contains_key(path) && !facts.adopting {
        Some(Contest::NeverOurs)
    } else {
        None
    };
    if let Some(contest) = contest {
        return Verdict::Contested(owner, contest);
    }
    if facts.adopting {
        return Verdict::Taken(owner);
    }
    if live.is_some_and(|value| is_as_applied(facts, path, value)) {
        Verdict::CoOwned(owner)
    } else if facts.fights.contains(path) {
        Verdict::Contested(owner, Contest::Fight)
    } else {
        Verdict::Drift(owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Object;
    use crate::plan::owned;
    use serde_json::json;

    /// One manager's entry as the server writes it.
    fn entry(manager: &str, operation: &str, subresource: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "subresource": subresource, "apiVersion": "apps/v1",
            "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    struct Case<'a> {
        live: Value,
        managed: Vec<Value>,
        /// Paths in state; the flag says whether the live value is the one recorded.
        owned: &'a [(&'a str, bool)],
        fights: &'a [&'a str],
        take: &'a str,
        adopting: bool,
    }

    fn verdict(case: Case<'_>) -> Option<Verdict> {
        let mut object = json!({"metadata": {"managedFields": case.managed}});
        object["spec"] = case.live;
        let entries = owned::entries(&Object(object.clone()));
        let digest = |path: &FieldPath, value: &Value| Digest(format!("{path}={value}"));
        let owned = case.owned.iter().map(|(path, same)| {
            let path: FieldPath = path.parse().unwrap();
            let recorded =
                if *same { path.get(&object).cloned().unwrap_or_default() } else { json!("other") };
            let digest = digest(&path, &recorded);
            (path, Some(digest))
        });
        let facts = Facts {
            desired: &[("spec.replicas".parse().unwrap(), json!(3))].into(),
            live: &object,
            entries: &entries,
            owned: &owned.collect(),
            fights: &case.fights.iter().map(|p| p.parse().unwrap()).collect(),
            digest: &digest,
            taken: &|path| !case.take.is_empty() && path.starts_with(&case.take.parse().unwrap()),
            scalable: true,
            adopting: case.adopting,
        };
        judge(&facts).into_values().next()
    }

    fn replicas() -> Value {
        json!({"f:spec": {"f:replicas": {}}})
    }

    fn base<'a>() -> Case<'a> {
        let managed = vec![entry("kubectl-edit", "Update", "", &replicas())];
        Case {
            live: json!({"replicas": 5}),
            managed,
            owned: &[("spec.replicas", false)],
            fights: &[],
            take: "",
            adopting: false,
        }
    }

    fn kubectl() -> Owner {
        Owner { manager: "kubectl-edit".into(), time: Some("2026-01-01T00:00:00Z".into()) }
    }

    #[test]
    fn an_ordinary_edit_of_our_field_is_drift_and_the_same_value_is_shared() {
        assert_eq!(verdict(base()), Some(Verdict::Drift(kubectl())));
        assert_eq!(
            verdict(Case { owned: &[("spec.replicas", true)], ..base() }),
            Some(Verdict::CoOwned(kubectl()))
        );
        assert_eq!(verdict(Case { live: json!({"replicas": 3}), ..base() }), None);
    }

    #[test]
    fn what_is_not_ours_to_take() {
        let contested = |case: Case<'_>| match verdict(case) {
            Some(Verdict::Contested(_, contest)) => contest,
            other => panic!("{other:?}"),
        };
        assert_eq!(contested(Case { owned: &[], ..base() }), Contest::NeverOurs);
        assert_eq!(contested(Case { fights: &["spec.replicas"], ..base() }), Contest::Fight);
        let applied = vec![entry("flux", "Apply", "", &replicas())];
        assert_eq!(contested(Case { managed: applied, ..base() }), Contest::Applied);
        let scaled = vec![entry("hpa", "Update", "scale", &replicas())];
        assert_eq!(contested(Case { managed: scaled, ..base() }), Contest::Subresource);
        // `kubectl scale --replicas=0` leaves no owner at all.
        assert_eq!(
            contested(Case { managed: vec![], live: json!({"replicas": 0}), ..base() }),
            Contest::Replicas
        );
    }

    #[test]
    fn two_holders_are_as_strict_as_the_stricter_one() {
        let managed =
            vec![entry("kubectl-edit", "Update", "", &replicas()), entry("flux", "Apply", "", &replicas())];
        assert!(matches!(verdict(Case { managed, ..base() }), Some(Verdict::Contested(_, Contest::Applied))));
    }

    #[test]
    fn asked_for_it_is_taken_and_adoption_takes_ordinary_edits_only() {
        assert_eq!(verdict(Case { owned: &[], take: "spec", ..base() }), Some(Verdict::Taken(kubectl())));
        assert_eq!(verdict(Case { owned: &[], adopting: true, ..base() }), Some(Verdict::Taken(kubectl())));
        let applied = vec![entry("flux", "Apply", "", &replicas())];
        let adopted = verdict(Case { managed: applied, adopting: true, ..base() });
        assert!(matches!(adopted, Some(Verdict::Contested(_, Contest::Applied))));
    }

    #[test]
    fn where_the_record_of_managers_is_lost_what_was_ours_is_taken_back() {
        let object = json!({"spec": {"replicas": 5, "paused": true}});
        let path = |text: &str| -> FieldPath { text.parse().unwrap() };
        let digest = |path: &FieldPath, value: &Value| Digest(format!("{path}={value}"));
        let conflict = |field: &str, manager: &str| FieldConflict {
            field: field.to_owned(),
            manager: format!("\"{manager}\" using v1"),
        };
        let after = |last: i64, conflict: FieldConflict| {
            let applied = digest(&path("spec.replicas"), &json!(last));
            let facts = Facts {
                desired: &[(path("spec.replicas"), json!(3)), (path("spec.paused"), json!(false))].into(),
                live: &object,
                entries: &[],
                owned: &[(path("spec.replicas"), Some(applied))].into(),
                fights: &BTreeSet::new(),
                digest: &digest,
                taken: &|_| false,
                scalable: false,
                adopting: false,
            };
            let mut verdicts = BTreeMap::new();
            untracked(&mut verdicts, &facts, &[conflict]);
            verdicts.into_values().next()
        };
        let owner = Owner { manager: BEFORE_FIRST_APPLY.to_owned(), time: None };
        let lost = || conflict(".spec.replicas", BEFORE_FIRST_APPLY);
        assert_eq!(after(4, lost()), Some(Verdict::Drift(owner.clone())));
        assert_eq!(after(5, lost()), Some(Verdict::CoOwned(owner)));
        assert_eq!(after(4, conflict(".spec.replicas", "kubectl-edit")), None);
        assert_eq!(after(4, conflict(".spec.paused", BEFORE_FIRST_APPLY)), None, "never ours");
    }

    #[test]
    fn a_change_of_the_stack_alone_has_no_verdict() {
        let ours = vec![entry("arrplan", "Apply", "", &replicas())];
        assert_eq!(verdict(Case { managed: ours, owned: &[("spec.replicas", true)], ..base() }), None);
    }
}
