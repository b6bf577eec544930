//! The registry of diagnostic codes: what `arrplan help CODE` prints.
//!
//! `E0xx` a stack file, `E1xx` variables and secrets, `E3xx` the cluster, `E4xx` what a plan refuses,
//! `E5xx` the state. A code is never reused for another meaning.

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

/// All codes, sorted.
pub const CODES: &[Code] = &[];

/// The entry of `code`, in any letter case.
#[must_use]
pub fn find(code: &str) -> Option<&'static Code> {
    CODES.iter().find(|entry| entry.code.eq_ignore_ascii_case(code))
}
