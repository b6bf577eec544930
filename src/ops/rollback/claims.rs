//! What Kubernetes takes no step back on: a claim never shrinks.

use super::{Back, replace};
use crate::address::Address;
use crate::object::Object;
use crate::path::FieldPath;
use crate::schema::Quantity;
use crate::stack::{Resource, Stack, Val};
use std::collections::BTreeMap;

pub(super) fn is_claim(resource: &Resource) -> bool {
    resource.kind == "PersistentVolumeClaim" && resource.api_version == "v1"
}

/// A claim that has grown since stays as large as it is, and a claim that is gone is made anew without what
/// was in it. Both are said.
pub(super) fn keep_sizes(stack: &mut Stack, live: &BTreeMap<Address, Object>, back: &mut Back) {
    let path = FieldPath::keys(["spec", "resources", "requests", "storage"]);
    let claims: Vec<Address> =
        stack.resources.values().filter(|r| is_claim(r)).map(|r| r.address.clone()).collect();
    for address in claims {
        let Some(object) = live.get(&address) else {
            back.note(
                &address,
                "it is made anew, and empty: what was in it is not in any revision".to_owned(),
            );
            continue;
        };
        let wanted = stack.resources.get(&address).and_then(|r| text_at(&r.manifest, &path));
        let Some((has, wanted)) = path.get(&object.0).zip(wanted) else {
            continue;
        };
        let (Ok(size), Ok(smaller)) = (Quantity::of(has), wanted.parse::<Quantity>()) else {
            continue;
        };
        if smaller < size {
            let has = has.as_str().map_or_else(|| has.to_string(), str::to_owned);
            back.note(
                &address,
                format!("cannot be undone: it stays {has}, not {wanted} (claims never shrink)"),
            );
            replace(stack, &address, &path, Val::String(has));
        }
    }
}

fn text_at(val: &Val, path: &FieldPath) -> Option<String> {
    let found = path.0.iter().try_fold(val, |val, segment| match (segment, val) {
        (crate::path::Segment::Key(key), Val::Map(map)) => map.get(key),
        _ => None,
    })?;
    match found {
        Val::String(text) => Some(text.clone()),
        Val::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
