//! Claims.

use super::{Context, Status, text};
use crate::object::Object;

/// A claim of a class that binds late is done when accepted: its consumer may well wait for it to be ready,
/// and neither would ever start.
pub(super) fn claim(object: &Object, context: &Context) -> Status {
    let class = text(object, "/spec/storageClassName");
    match text(object, "/status/phase") {
        "Bound" => {
            let size = text(object, "/status/capacity/storage");
            Status::ready("Bound", if size.is_empty() { String::new() } else { format!("{size} bound") })
        }
        "Lost" => Status::failed("Lost", "the volume behind it is gone"),
        _ if context.wait_for_first_consumer.contains(class) => Status::accepted(
            "WaitForFirstConsumer",
            format!("class {class} binds it when the first pod uses it"),
        ),
        phase => {
            let class = if class.is_empty() { "no class".to_owned() } else { format!("class {class}") };
            Status::in_progress(
                if phase.is_empty() { "NoStatus" } else { phase },
                format!("not bound yet ({class})"),
            )
        }
    }
}
