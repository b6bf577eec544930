//! Planning: stack, state and live objects in, a [`Plan`] out. Holds a reader; cannot write.

mod model;

pub use model::*;
