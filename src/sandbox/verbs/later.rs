//! Seams to what is not there yet.
pub(super) mod meta {
    use crate::sandbox::error::Cause;
    use crate::sandbox::resource::Resource;
    use serde_json::Value;
    pub(in crate::sandbox::verbs) fn validate_create(_: &Resource, _: &Value) -> Vec<Cause> {
        Vec::new()
    }
    pub(in crate::sandbox::verbs) fn validate_update(_: &Resource, _: &Value, _: &Value) -> Vec<Cause> {
        Vec::new()
    }
}
