//! Telling "this field cannot change" from every other refusal (design §5.7).
//!
//! A 409 or 422 alone means nothing: another object's uid, an admission policy or a plain mistake answer
//! the same codes, and a replace decided on them deletes data. So a refused update is compared with what a
//! create of the same body would be refused for.

use crate::cluster::{Cause, Error};

/// The causes of a refused update that say "cannot change".
///
/// `update` is the answer to the update's dry-run, sent without a resourceVersion; `probe` the refusal of a
/// dry-run create of the same body under another name, if it was refused. Empty: not an immutable field.
#[must_use]
pub(super) fn causes(update: &Error, probe: Option<&Error>) -> Vec<Cause> {
    let Error::Invalid { message, causes } = update else {
        return Vec::new();
    };
    let by_field = !causes.is_empty() && causes.iter().all(|cause| cause.field.is_some());
    let other_object = causes.iter().any(|cause| cause.field.as_deref() == Some("metadata.uid"));
    if !by_field || other_object || is_admission(message) {
        return Vec::new();
    }
    let also_on_create: &[Cause] = match probe {
        Some(Error::Invalid { causes, .. }) => causes,
        _ => &[],
    };
    // A value of a wrong type or outside an enumeration is a mistake, whatever was there before.
    let can_be_immutable =
        |cause: &Cause| matches!(cause.reason.as_str(), "FieldValueInvalid" | "FieldValueForbidden");
    if !causes.iter().all(can_be_immutable) {
        return Vec::new();
    }
    let repeated =
        |cause: &Cause| also_on_create.iter().any(|c| c.field == cause.field && c.message == cause.message);
    causes.iter().filter(|cause| !repeated(cause)).cloned().collect()
}

/// [`causes`] of a refusal that was made up.
#[cfg(feature = "faults")]
#[doc(hidden)]
#[must_use]
pub fn immutable_causes(update: &Error) -> Vec<Cause> {
    causes(update, None)
}

/// A cause as it is shown: without the whole value, which the server repeats as Go sees it, and without the
/// comparison it appends for some kinds.
#[must_use]
pub(super) fn text(cause: &Cause) -> String {
    const VALUE: &str = "Invalid value: ";
    const LONGEST: usize = 60;
    let message = cause.message.lines().next().unwrap_or_default();
    let short = message.split_once(VALUE).and_then(|(before, rest)| {
        let (value, why) = rest.rsplit_once(": ")?;
        (value.len() > LONGEST).then(|| format!("{before}{VALUE}…: {why}"))
    });
    let field = cause.field.as_deref().unwrap_or_default();
    format!("{field}: {}", short.as_deref().unwrap_or(message))
}

/// Whether a server's text names a policy or webhook as the one who said no.
fn is_admission(message: &str) -> bool {
    [
        "admission webhook",
        "ValidatingAdmissionPolicy",
        "failed calling webhook",
        "denied the request",
        "denied request",
    ]
    .iter()
    .any(|word| message.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(field: Option<&str>, message: &str) -> Cause {
        Cause { reason: "FieldValueInvalid".into(), field: field.map(str::to_owned), message: message.into() }
    }

    fn invalid(message: &str, causes: &[Cause]) -> Error {
        Error::Invalid { message: message.into(), causes: causes.to_vec() }
    }

    #[test]
    fn what_is_shown_of_a_cause_is_short() {
        let template = format!("Invalid value: {{\"labels\":\"{}\"}}: field is immutable", "x".repeat(100));
        for (message, shown) in [
            (template.as_str(), "spec: Invalid value: …: field is immutable"),
            ("Invalid value: 2: field is immutable", "spec: Invalid value: 2: field is immutable"),
            ("Forbidden: spec is immutable\n@@ -1 +1 @@\n- a\n+ b\n", "spec: Forbidden: spec is immutable"),
            ("", "spec: "),
        ] {
            assert_eq!(text(&cause(Some("spec"), message)), shown);
        }
    }

    #[test]
    fn only_causes_that_a_create_would_not_have_count() {
        let selector = cause(Some("spec.selector"), "Invalid value: …: field is immutable");
        let replicas = cause(Some("spec.replicas"), "must be greater than or equal to 0");
        let update = invalid("is invalid", &[selector.clone(), replicas.clone()]);
        assert_eq!(causes(&update, None), [selector.clone(), replicas.clone()]);
        assert_eq!(causes(&update, Some(&invalid("is invalid", &[replicas]))), [selector]);
        assert_eq!(causes(&update, Some(&Error::Forbidden("exceeded quota".into()))).len(), 2);
    }

    #[test]
    fn another_object_a_policy_or_no_field_is_never_immutable() {
        let uid = cause(Some("metadata.uid"), "field is immutable");
        let policy = cause(Some("spec.selector"), "field is immutable");
        // What a custom resource answers when an apply empties a map that it owns (measured).
        let mistake = Cause {
            reason: "FieldValueTypeInvalid".into(),
            ..cause(Some("spec.labels"), "must be of type object: \"null\"")
        };
        for error in [
            invalid("is invalid", &[uid]),
            invalid("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no", &[policy]),
            invalid("is invalid", &[cause(None, "denied")]),
            invalid("is invalid", &[]),
            invalid("is invalid", &[mistake]),
            Error::Stale("the object has been modified".into()),
            Error::AnotherObject("uid mismatch".into()),
        ] {
            assert!(causes(&error, None).is_empty(), "{error:?}");
        }
    }
}
