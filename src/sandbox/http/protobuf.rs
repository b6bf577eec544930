//! Protobuf, of which the sandbox reads one thing: the question behind `kubectl auth can-i`, which that client asks
//! in no other form.

use serde_json::{Map, Value, json};

/// Begins every protobuf body of Kubernetes.
const MAGIC: &[u8] = b"k8s\0";

/// What is known of a message: numbers of fields, their names, and what is in them.
type Message = &'static [(u64, &'static str, Field)];

#[derive(Clone, Copy)]
enum Field {
    Text,
    Inner(Message),
}

const REVIEW: Message = &[(2, "spec", Field::Inner(SPEC))];
const SPEC: Message =
    &[(1, "resourceAttributes", Field::Inner(RESOURCE)), (2, "nonResourceAttributes", Field::Inner(PATH))];
const RESOURCE: Message = &[
    (1, "namespace", Field::Text),
    (2, "verb", Field::Text),
    (3, "group", Field::Text),
    (4, "version", Field::Text),
    (5, "resource", Field::Text),
    (6, "subresource", Field::Text),
    (7, "name", Field::Text),
];
const PATH: Message = &[(1, "path", Field::Text), (2, "verb", Field::Text)];

const TYPE: Message = &[(1, "apiVersion", Field::Text), (2, "kind", Field::Text)];

/// Reads a `SelfSubjectAccessReview`; `None`: it is none.
pub(super) fn access_review(body: &[u8]) -> Option<Value> {
    let parts = fields(body.strip_prefix(MAGIC)?)?;
    let part = |wanted: u64| parts.iter().find(|(number, _)| *number == wanted).map(|(_, bytes)| *bytes);
    let mut review = message(part(1)?, TYPE)?;
    if review["kind"] != "SelfSubjectAccessReview" {
        return None;
    }
    review["metadata"] = json!({});
    review["spec"] = message(part(2)?, REVIEW)?["spec"].clone();
    Some(review)
}

fn message(bytes: &[u8], known: Message) -> Option<Value> {
    let mut read = Map::new();
    for (number, bytes) in fields(bytes)? {
        let Some((_, name, field)) = known.iter().find(|(known, ..)| *known == number) else {
            continue;
        };
        let value = match field {
            Field::Text => Value::from(std::str::from_utf8(bytes).ok()?),
            Field::Inner(known) => message(bytes, known)?,
        };
        if value != "" {
            read.insert((*name).to_owned(), value);
        }
    }
    Some(Value::Object(read))
}

/// The fields that hold bytes: messages and texts. `None`: it is no message.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, &[u8])>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (tag, rest) = number(bytes)?;
        bytes = match tag & 7 {
            0 => number(rest)?.1,
            1 => rest.get(8..)?,
            2 => {
                let (length, rest) = number(rest)?;
                let length = usize::try_from(length).ok()?;
                found.push((tag >> 3, rest.get(..length)?));
                rest.get(length..)?
            }
            5 => rest.get(4..)?,
            _ => return None,
        };
    }
    Some(found)
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(u32::try_from(7 * index).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).unwrap();
        [&[number << 3 | 2, length], bytes].concat()
    }

    #[test]
    fn reads_who_may_do_what() {
        let resource = [field(1, b"a"), field(2, b"create"), field(5, b"pods"), field(3, b"")].concat();
        let review = [field(1, b""), field(2, &field(1, &resource))].concat();
        let kind = [field(1, b"authorization.k8s.io/v1"), field(2, b"SelfSubjectAccessReview")].concat();
        let body = [MAGIC, &field(1, &kind), &field(2, &review)].concat();
        assert_eq!(
            access_review(&body),
            Some(json!({
                "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "metadata": {},
                "spec": { "resourceAttributes": { "namespace": "a", "verb": "create", "resource": "pods" } },
            }))
        );
        let other = [field(1, b"v1"), field(2, b"Pod")].concat();
        assert_eq!(access_review(&[MAGIC, &field(1, &other), &field(2, b"")].concat()), None);
        for cut in 0..body.len() {
            assert_eq!(access_review(&body[..cut]), None, "{cut}");
        }
    }
}
