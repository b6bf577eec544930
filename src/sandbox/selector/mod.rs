//! Which objects a list or watch is about.

mod fields;
mod labels;
mod lexer;

#[cfg(test)]
mod tests;

pub(super) use fields::Fields;
pub(super) use labels::Labels;

use serde_json::Value;

use super::resource::Resource;

/// A label selector and a field selector, both of which must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Selector {
    /// By labels.
    pub(super) labels: Labels,
    /// By fields.
    pub(super) fields: Fields,
}

impl Selector {
    /// Whether everything matches.
    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether an object of this resource matches.
    pub(super) fn matches(&self, resource: &Resource, object: &Value) -> bool {
        self.labels.matches(object) && self.fields.matches(resource, object)
    }
}
