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
pub(super) mod patch {
    use crate::sandbox::error::ApiError;
    use serde_json::Value;
    pub(in crate::sandbox::verbs) fn json(_: &mut Value, _: &Value) -> Result<(), ApiError> {
        Err(ApiError::new(501, "NotImplemented", "later"))
    }
    pub(in crate::sandbox::verbs) fn merge(object: &mut Value, patch: &Value) -> Result<(), ApiError> {
        fn go(object: &mut Value, patch: &Value) {
            let Value::Object(patch) = patch else {
                *object = patch.clone();
                return;
            };
            if !object.is_object() {
                *object = Value::Object(serde_json::Map::new());
            }
            let map = object.as_object_mut().expect("made one");
            for (key, value) in patch {
                if value.is_null() {
                    map.remove(key);
                } else {
                    go(map.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
        }
        go(object, patch);
        Ok(())
    }
}
