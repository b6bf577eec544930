//! JSON patch (RFC 6902) and JSON merge patch (RFC 7386), with the ways of the library that the API server uses
//! (`gopkg.in/evanphx/json-patch.v4`) where the RFCs leave room or it takes some.

mod json;
mod merge;
#[cfg(test)]
mod tests;

pub(super) use json::{json, unknown_fields};
pub(super) use merge::merge;
