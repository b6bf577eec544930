//! What a list or watch is asked: `ListOptions`, checked as the API server checks them.

use crate::sandbox::error::{ApiError, Cause};
use crate::sandbox::fault;
use crate::sandbox::resource::Resource;
use crate::sandbox::selector::{Fields, Labels, Selector};

/// Parameters of a list, watch or collection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::sandbox) struct ListParams {
    /// Which objects.
    pub(in crate::sandbox) selector: Selector,
    /// Whether changes are asked for.
    pub(in crate::sandbox) watch: bool,
    /// Whether a watch may be told how far it is.
    pub(in crate::sandbox) allow_bookmarks: bool,
    /// As given: empty, `0` or, if it is one, a revision.
    pub(in crate::sandbox) version: String,
    /// How `version` is meant.
    pub(in crate::sandbox) version_match: VersionMatch,
    /// How long a watch may take; 0: as long as the server likes.
    pub(in crate::sandbox) timeout_seconds: i64,
    /// Most objects of an answer, if positive.
    pub(in crate::sandbox) limit: i64,
    /// Where the last answer ended.
    pub(in crate::sandbox) continue_token: String,
    /// Whether a watch begins with what is there.
    pub(in crate::sandbox) initial_events: Option<bool>,
}

/// `resourceVersionMatch`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::sandbox) enum VersionMatch {
    /// Not given.
    #[default]
    Unset,
    /// At that revision.
    Exact,
    /// At that revision or later.
    NotOlderThan,
}

/// What may not be said, and what had to be.
struct Raw<'a> {
    version: &'a str,
    version_match: &'a str,
    continue_token: &'a str,
    initial_events: Option<bool>,
}

impl ListParams {
    /// Reads the parameters of a query, of which `get` is the first value of a name.
    ///
    /// # Errors
    /// 400 or 422, as the API server words them.
    pub(in crate::sandbox) fn parse<'q>(
        resource: &Resource,
        get: impl Fn(&str) -> Option<&'q str>,
    ) -> Result<Self, ApiError> {
        let text = |name| get(name).unwrap_or_default();
        let number = |name| match get(name) {
            None => Ok(0),
            Some(value) => go_integer(value).map_err(ApiError::bad_request),
        };
        // Go: only "0" and "false" are false.
        let flag = |name| get(name).map(|value| value != "0" && !value.eq_ignore_ascii_case("false"));
        let timeout_seconds = number("timeoutSeconds")?;
        let limit = number("limit")?;
        let labels = Labels::parse(text("labelSelector")).map_err(ApiError::bad_request)?;
        let fields = Fields::parse(text("fieldSelector")).map_err(ApiError::bad_request)?;
        let watch = flag("watch").unwrap_or_default();
        let mut raw = Raw {
            version: text("resourceVersion"),
            version_match: text("resourceVersionMatch"),
            continue_token: text("continue"),
            initial_events: flag("sendInitialEvents"),
        };
        let is_old_fashioned = raw.initial_events.is_none() && raw.version_match.is_empty();
        if watch && is_old_fashioned && matches!(raw.version, "" | "0") {
            raw.initial_events = Some(true);
            raw.version_match = "NotOlderThan";
        }
        let wrong = if watch { raw.wrong_for_watch() } else { raw.wrong_for_list() };
        if !wrong.is_empty() {
            return Err(ApiError::invalid("meta.k8s.io", "ListOptions", "", wrong));
        }
        let version_match = match raw.version_match {
            "Exact" => VersionMatch::Exact,
            "NotOlderThan" => VersionMatch::NotOlderThan,
            _ => VersionMatch::Unset,
        };
        let fields = fields.check(resource).map_err(ApiError::bad_request)?;
        Ok(Self {
            selector: Selector { labels, fields },
            watch,
            allow_bookmarks: flag("allowWatchBookmarks").unwrap_or_default(),
            version: raw.version.to_owned(),
            version_match,
            timeout_seconds,
            limit,
            continue_token: raw.continue_token.to_owned(),
            initial_events: raw.initial_events,
        })
    }
}

const MATCH: &str = "resourceVersionMatch";

impl Raw<'_> {
    /// `ValidateListOptions` of `k8s.io/apimachinery`.
    fn wrong_for_list(&self) -> Vec<Cause> {
        let mut wrong = Vec::new();
        if !self.version_match.is_empty() {
            if self.version.is_empty() {
                wrong.push(fault::forbidden(
                    MATCH,
                    "resourceVersionMatch is forbidden unless resourceVersion is provided",
                ));
            }
            wrong.extend(self.continued());
            if !matches!(self.version_match, "Exact" | "NotOlderThan") {
                let value = self.version_match.into();
                wrong.push(fault::not_supported(MATCH, &value, &["Exact", "NotOlderThan", ""]));
            }
            if self.version_match == "Exact" && self.version == "0" {
                wrong.push(fault::forbidden(
                    MATCH,
                    "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
                ));
            }
        }
        if self.initial_events.is_some() {
            let why = "sendInitialEvents is forbidden for list";
            wrong.push(fault::forbidden("sendInitialEvents", why));
        }
        wrong
    }

    /// `validateWatchOptions` of `k8s.io/apimachinery`.
    fn wrong_for_watch(&self) -> Vec<Cause> {
        let mut wrong = Vec::new();
        if self.initial_events.is_some() && self.version_match != "NotOlderThan" {
            let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            wrong.push(fault::forbidden(MATCH, why));
        }
        if !self.version_match.is_empty() {
            if self.initial_events.is_none() {
                let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
                wrong.push(fault::forbidden(MATCH, why));
            }
            if self.version_match != "NotOlderThan" {
                wrong.push(fault::not_supported(MATCH, &self.version_match.into(), &["NotOlderThan"]));
            }
            wrong.extend(self.continued());
        }
        wrong
    }

    fn continued(&self) -> Option<Cause> {
        let why = "resourceVersionMatch is forbidden when continue is provided";
        (!self.continue_token.is_empty()).then(|| fault::forbidden(MATCH, why))
    }
}

/// `strconv.ParseInt`, with its errors.
fn go_integer(text: &str) -> Result<i64, String> {
    go_number(text, "ParseInt")
}

/// A revision, as `strconv.ParseUint` reads it; empty and `0` are 0.
///
/// # Errors
/// The API server's text.
pub(super) fn revision(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed =
        if is_number { go_number(text, "ParseUint") } else { Err(invalid_syntax(text, "ParseUint")) };
    parsed.map_err(|error| format!("resourceVersion: Invalid value: {}: {error}", fault::quote(text)))
}

fn go_number<N: std::str::FromStr<Err = std::num::ParseIntError>>(
    text: &str,
    function: &str,
) -> Result<N, String> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    text.parse().map_err(|error: std::num::ParseIntError| match error.kind() {
        PosOverflow | NegOverflow => {
            format!("strconv.{function}: parsing {}: value out of range", fault::quote(text))
        }
        _ => invalid_syntax(text, function),
    })
}

fn invalid_syntax(text: &str, function: &str) -> String {
    format!("strconv.{function}: parsing {}: invalid syntax", fault::quote(text))
}
