//! Secret values: resolved in memory, never stored, and filtered out of every text that leaves the engine.
//!
//! *Invariants:* nothing here prints, serialises or logs a value; a diagnostic never quotes one; values are
//! wiped from memory when they are dropped, as far as that goes without copies made elsewhere.

mod generate;
mod redact;
mod resolve;

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

pub use generate::{draw, from_live, placeholder};
pub use redact::{MASK, Redactor};
pub use resolve::resolve;

/// The values of secret variables, as far as they are known.
#[derive(Clone, Default)]
pub struct SecretValues {
    values: BTreeMap<String, Zeroizing<String>>,
}

/// Names only.
impl fmt::Debug for SecretValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl SecretValues {
    /// The value of a variable; `None` when it was not read, or is not drawn yet.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.as_str())
    }

    /// Sets the value of a generated variable, once it was read back or drawn.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.values.insert(name.into(), Zeroizing::new(value.into()));
    }

    /// A filter for all of these values.
    #[must_use]
    pub fn redactor(&self) -> Redactor {
        let redactor = Redactor::default();
        redactor.add_all(self.values.values().map(|value| value.as_str()));
        redactor
    }
}
