//! The registry of diagnostic codes: what `arrplan help CODE` prints.
//!
//! `E0xx` a stack file, `E1xx` variables and secrets, `E3xx` the cluster, `E4xx` what a plan refuses,
//! `E5xx` the state. A code is never reused for another meaning.

use super::engine_codes::ENGINE;
use super::file_codes::FILES;
use super::reference_codes::REFERENCES;
use super::resource_codes::RESOURCES;
use super::variable_codes::VARIABLES;

/// One code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `E012`.
    pub code: &'static str,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// Why it is an error and how to mend it, in a few sentences, with an example where one helps.
    pub text: &'static str,
}

pub(super) const fn code(code: &'static str, title: &'static str, text: &'static str) -> Code {
    Code { code, title, text }
}

/// The codes of the stack language, sorted.
pub fn language() -> impl Iterator<Item = &'static Code> {
    FILES.iter().chain(REFERENCES).chain(RESOURCES).chain(VARIABLES)
}

/// Every code, sorted.
pub fn all() -> impl Iterator<Item = &'static Code> {
    language().chain(ENGINE)
}

/// The entry of `code`, in any letter case.
#[must_use]
pub fn find(code: &str) -> Option<&'static Code> {
    all().find(|entry| entry.code.eq_ignore_ascii_case(code))
}
