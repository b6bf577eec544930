//! Warning events about an object.

use serde_json::Value;

use super::builtin::builtin;
use super::error::Error;
use super::reader::Reader;
use super::url::Query;
use crate::object::Object;

/// A Warning event about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarningEvent {
    /// `reason`.
    pub reason: String,
    /// `message`; passes the secret filter before anything shows it.
    pub message: String,
    /// How often.
    pub count: i64,
    /// Last seen, RFC 3339.
    pub time: Option<String>,
}

impl Reader {
    /// The Warning events about an object, oldest first.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn warning_events(&self, object: &Object) -> Result<Vec<WarningEvent>, Error> {
        let events = builtin("", "v1", "Event", "events", true);
        // Events about cluster-scoped objects lie in `default`.
        let namespace = object.namespace().unwrap_or("default");
        let selector = format!("involvedObject.uid={},type=Warning", object.uid());
        let query = Query::default().with("fieldSelector", &selector);
        let listed = self.list_all(&events, Some(namespace), &query).await?;
        let mut warnings: Vec<WarningEvent> = listed.objects.iter().map(warning).collect();
        warnings.sort_by(|a, b| (&a.time, &a.reason, &a.message).cmp(&(&b.time, &b.reason, &b.message)));
        Ok(warnings)
    }
}

fn warning(event: &Object) -> WarningEvent {
    let text = |pointer: &str| event.0.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let count = ["/series/count", "/count"].iter().find_map(|p| event.0.pointer(p)?.as_i64());
    let times = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
    WarningEvent {
        reason: text("/reason").unwrap_or_default(),
        message: text("/message").unwrap_or_default(),
        count: count.unwrap_or(1),
        time: times.iter().find_map(|pointer| text(pointer)),
    }
}
