//! What of an object may be shown: secrets never.

use serde_json::Value;

use crate::diff::Veil;
use crate::path::FieldPath;
use crate::plan::Shown;
use crate::secrets::Redactor;

/// Hides the secrets of one object: by place, and by value wherever one turns up.
pub(super) struct Mask<'a> {
    pub(super) veil: Veil,
    pub(super) redactor: &'a Redactor,
}

impl Mask<'_> {
    /// The live value at `path` as it may be shown.
    pub(super) fn before(&self, path: &FieldPath, value: Option<&Value>) -> Shown {
        self.redacted(self.veil.before(path, value))
    }

    /// The planned value at `path` as it may be shown.
    pub(super) fn after(&self, path: &FieldPath, value: Option<&Value>) -> Shown {
        self.redacted(self.veil.after(path, value))
    }

    fn redacted(&self, shown: Shown) -> Shown {
        match shown {
            Shown::Plain(value) => Shown::Plain(self.redactor.redact_value(&value)),
            shown => shown,
        }
    }
}
