//! Errors as the API server answers them: a `Status` object.

use serde_json::{Map, Value, json};

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    /// HTTP status code.
    pub(super) code: u16,
    /// `NotFound`, `Conflict`, …; empty where the API server gives none.
    pub(super) reason: &'static str,
    /// For people.
    pub(super) message: String,
    /// About what.
    pub(super) details: Option<Box<Details>>,
}

/// What an error is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Details {
    /// Name of the object.
    pub(super) name: String,
    /// Group of the resource.
    pub(super) group: String,
    /// Plural resource name, or the kind in a 422.
    pub(super) kind: String,
    /// uid of the object, in some precondition errors.
    pub(super) uid: String,
    /// One by one.
    pub(super) causes: Vec<Cause>,
    /// After how many seconds another attempt makes sense; 0 = not said.
    pub(super) retry_after_seconds: u32,
    /// In a 410 of a list, the token by which it can go on all the same; told instead of details. Empty: none.
    pub(super) list_continue: String,
}

/// One reason of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    /// `FieldValueInvalid`, `FieldManagerConflict`, …
    pub(super) reason: &'static str,
    /// For people.
    pub(super) message: String,
    /// In Kubernetes' own notation: `spec.ports[0].port`, or `.spec.replicas` in a conflict of managers.
    pub(super) field: String,
}

impl ApiError {
    /// An error without details.
    pub(super) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None }
    }

    /// 404 of an object. `resource` is `plural` or `plural.group`.
    pub(super) fn not_found(group: &str, plural: &str, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", qualified(group, plural));
        Self::about(404, "NotFound", message, group, plural, name)
    }

    /// 409 of a POST whose object is there already.
    pub(super) fn already_exists(group: &str, plural: &str, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", qualified(group, plural));
        Self::about(409, "AlreadyExists", message, group, plural, name)
    }

    /// 409 of a write based on something that has changed since.
    pub(super) fn conflict(group: &str, plural: &str, name: &str, why: &str) -> Self {
        let message =
            format!("Operation cannot be fulfilled on {} \"{name}\": {why}", qualified(group, plural));
        Self::about(409, "Conflict", message, group, plural, name)
    }

    /// 403 of an object that admission refuses.
    pub(super) fn forbidden(group: &str, plural: &str, name: &str, why: &str) -> Self {
        let message = format!("{} \"{name}\" is forbidden: {why}", qualified(group, plural));
        Self::about(403, "Forbidden", message, group, plural, name)
    }

    /// 422. The message lists the causes as the API server does: what reads the same is told once.
    pub(super) fn invalid(group: &str, kind: &str, name: &str, causes: Vec<Cause>) -> Self {
        let mut texts: Vec<String> = Vec::new();
        for cause in &causes {
            let text = format!("{}: {}", cause.field, cause.message);
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
        let list = match texts.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let message = format!("{} \"{name}\" is invalid: {list}", qualified(group, kind));
        let mut error = Self::about(422, "Invalid", message, group, kind, name);
        if let Some(details) = &mut error.details {
            details.causes = causes;
        }
        error
    }

    /// 400.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// The same with these details.
    pub(super) fn with(self, details: Details) -> Self {
        Self { details: Some(Box::new(details)), ..self }
    }

    fn about(code: u16, reason: &'static str, message: String, group: &str, kind: &str, name: &str) -> Self {
        let details =
            Details { name: name.into(), group: group.into(), kind: kind.into(), ..Details::default() };
        Self::new(code, reason, message).with(details)
    }

    /// The body of the answer.
    pub(super) fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = self.reason.into();
        }
        if let Some(details) = &self.details {
            if details.list_continue.is_empty() {
                status["details"] = details.to_value();
            } else {
                status["metadata"]["continue"] = details.list_continue.as_str().into();
            }
        }
        status
    }
}

impl Details {
    fn to_value(&self) -> Value {
        let mut map = Map::new();
        for (key, text) in
            [("name", &self.name), ("group", &self.group), ("kind", &self.kind), ("uid", &self.uid)]
        {
            if !text.is_empty() {
                map.insert(key.into(), text.as_str().into());
            }
        }
        if !self.causes.is_empty() {
            let causes = self.causes.iter().map(Cause::to_value);
            map.insert("causes".into(), causes.collect());
        }
        if self.retry_after_seconds > 0 {
            map.insert("retryAfterSeconds".into(), self.retry_after_seconds.into());
        }
        Value::Object(map)
    }
}

impl Cause {
    fn to_value(&self) -> Value {
        let mut map = Map::new();
        for (key, text) in
            [("reason", self.reason), ("message", self.message.as_str()), ("field", self.field.as_str())]
        {
            if !text.is_empty() {
                map.insert(key.into(), text.into());
            }
        }
        Value::Object(map)
    }
}

/// `plural.group`, as messages name a resource or kind.
pub(super) fn qualified(group: &str, name: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}
