//! Planning and applying by the library against a real control plane, with somebody else's hand in between.

mod bench;
mod claims;
mod flux;
mod guards;
mod values;
