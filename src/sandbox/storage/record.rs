//! One line of the log: `length check-of-length check-of-content content`, and a line feed.
//!
//! A line that ends too early is one whose write was cut off. Every other change of a byte shows: in the length
//! by the length's own check (so a wrong length is never taken for an early end), in the content by its check,
//! elsewhere by the fixed form.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Event, Key, Stored};

/// Bytes before the content.
pub(super) const HEAD: usize = 8 + 1 + 8 + 1 + 16 + 1;

/// What a line says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum Record {
    /// The first line: so many objects follow, as of this revision.
    Base { revision: u64, objects: usize },
    /// One of them, with the revision that wrote it.
    Keep { revision: u64, group: String, plural: String, namespace: String, name: String, object: Value },
    /// A change: the object afterwards.
    Put { revision: u64, group: String, plural: String, namespace: String, name: String, object: Value },
    /// A change: the object is gone.
    Delete { revision: u64, group: String, plural: String, namespace: String, name: String },
}

/// [`Record`] to be written.
#[derive(Debug, Serialize)]
struct Borrowed<'a> {
    op: &'static str,
    revision: u64,
    group: &'a str,
    plural: &'a str,
    namespace: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'a Value>,
}

/// Why bytes are not a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// They end too early.
    CutOff,
    /// They are not what was written.
    Damaged(&'static str),
}

/// Appends the line of a log's beginning.
pub(super) fn write_base(out: &mut Vec<u8>, revision: u64, objects: usize) {
    write(out, &Record::Base { revision, objects });
}

/// Appends the line of an object that a log begins with.
pub(super) fn write_kept(out: &mut Vec<u8>, key: &Key, stored: &Stored) {
    write(out, &borrowed("keep", stored.revision, key, Some(&stored.object)));
}

/// Appends the line of a change.
pub(super) fn write_change(out: &mut Vec<u8>, event: &Event) {
    let object = event.after.as_ref().map(|after| &*after.object);
    let op = if object.is_some() { "put" } else { "delete" };
    write(out, &borrowed(op, event.revision, &event.key, object));
}

/// Length of the content, from the bytes before it.
pub(super) fn length(head: &[u8]) -> Result<usize, Unreadable> {
    let head = head.get(..HEAD).ok_or(Unreadable::CutOff)?;
    let (length, rest) = head.split_at(8);
    if rest[..10] != *format!(" {} ", hex(length, 4)).as_bytes() || head[HEAD - 1] != b' ' {
        return Err(Unreadable::Damaged("the length of a record does not fit its checksum"));
    }
    let digits = std::str::from_utf8(length).ok();
    let length = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok());
    length.ok_or(Unreadable::Damaged("the length of a record is not a number"))
}

/// The record of a line, from the bytes before the content, and the content with its line feed.
pub(super) fn read(head: &[u8], content: &[u8]) -> Result<Record, Unreadable> {
    let Some((b'\n', content)) = content.split_last() else {
        return Err(Unreadable::Damaged("a record does not end with its line"));
    };
    if head[18..34] != *hex(content, 8).as_bytes() {
        return Err(Unreadable::Damaged("a record does not fit its checksum"));
    }
    serde_json::from_slice(content).map_err(|_| Unreadable::Damaged("a record is not one of this version"))
}

fn borrowed<'a>(op: &'static str, revision: u64, key: &'a Key, object: Option<&'a Value>) -> Borrowed<'a> {
    let Key { group, plural, namespace, name } = key;
    Borrowed { op, revision, group, plural, namespace, name, object }
}

fn write(out: &mut Vec<u8>, record: &impl Serialize) {
    let start = out.len();
    out.resize(start + HEAD, b' ');
    serde_json::to_writer(&mut *out, record).expect("names are strings, and memory takes every byte");
    let content = &out[start + HEAD..];
    let length = format!("{:08x}", content.len());
    let head = format!("{length} {} {} ", hex(length.as_bytes(), 4), hex(content, 8));
    out[start..start + HEAD].copy_from_slice(head.as_bytes());
    out.push(b'\n');
}

/// The first bytes of the SHA-256 digest, in lower-case hexadecimal digits.
fn hex(bytes: &[u8], length: usize) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)[..length].iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes every text");
        text
    })
}
