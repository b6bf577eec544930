//! Services and Ingresses.

use super::{Status, is_empty, text};
use crate::object::Object;

/// What a load balancer says about where it listens.
fn addresses(object: &Object) -> String {
    let list = object.0.pointer("/status/loadBalancer/ingress").and_then(serde_json::Value::as_array);
    let address = |entry: &serde_json::Value| {
        let text = |key: &str| entry.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
        text("ip").or_else(|| text("hostname"))
    };
    list.into_iter().flatten().filter_map(address).collect::<Vec<_>>().join(", ")
}

pub(super) fn service(object: &Object) -> Status {
    if text(object, "/spec/type") != "LoadBalancer" {
        return Status::ready("Current", "");
    }
    with_address(object, "no load balancer has given it an address yet")
}

/// Without an address no request reaches it; kstatus calls it ready at once.
pub(super) fn ingress(object: &Object) -> Status {
    let class = text(object, "/spec/ingressClassName");
    let class = if class.is_empty() { "no class".to_owned() } else { format!("class {class}") };
    with_address(object, &format!("no ingress controller has given it an address yet ({class})"))
}

fn with_address(object: &Object, waiting: &str) -> Status {
    if is_empty(object, "/status/loadBalancer/ingress") {
        Status::in_progress("NoAddress", waiting)
    } else {
        Status::ready("Address", addresses(object))
    }
}
