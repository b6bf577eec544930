//! Which request is struck by what.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The script of a sandbox.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct Faults(Mutex<Vec<Counted>>);

/// Which requests, and what happens to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Rule {
    /// `GET`, …; left out: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) method: Option<String>,
    /// The path, in which `*` is any text.
    pub(super) path: String,
    /// The query as it was sent, in which `*` is any text; left out: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) query: Option<String>,
    /// The first request it strikes, from 1.
    #[serde(default = "one")]
    pub(super) nth: u64,
    /// How many it strikes; 0: all from there on.
    #[serde(default = "one")]
    pub(super) times: u64,
    /// What it does.
    pub(super) fault: Fault,
}

fn one() -> u64 {
    1
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(super) enum Fault {
    /// It waits so many milliseconds first.
    Delay(u64),
    /// It is not handled and answered so. A body that is a text is sent as it is, others as JSON; left out: a
    /// `Status` of that code.
    Answer {
        code: u16,
        #[serde(default)]
        body: Option<Value>,
        #[serde(default)]
        retry_after: Option<u32>,
    },
    /// The connection is reset.
    Reset(When),
    /// It is handled; half of the answer is sent, then the connection ends. Of a watch: one event.
    Truncate,
    /// The connection stays open and nothing comes.
    Hang,
    /// It is handled; the object answered (or in every event of a watch) is changed by this merge patch.
    Object(Value),
    /// It is handled as if it were no dry-run.
    IgnoreDryRun,
    /// Of a watch: after so many events, so many are not sent.
    Gap { after: usize, drop: usize },
    /// The process aborts.
    Crash(When),
}

/// At which moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum When {
    /// Nothing was done.
    Before,
    /// It was handled, and half of the answer was sent (of a watch: one event).
    Middle,
    /// It was handled, and nothing of the answer was sent.
    After,
}

/// A rule and how often it was met.
#[derive(Debug, Clone, Serialize)]
struct Counted {
    rule: Rule,
    seen: u64,
    struck: u64,
}

impl Faults {
    /// Replaces the script.
    ///
    /// # Errors
    /// The text is none; the script stays.
    pub(super) fn replace(&self, script: &[u8]) -> Result<(), serde_json::Error> {
        let rules: Vec<Rule> = serde_json::from_slice(script)?;
        *self.lock() = rules.into_iter().map(|rule| Counted { rule, seen: 0, struck: 0 }).collect();
        Ok(())
    }

    /// The script, with how often each rule fitted and struck.
    pub(super) fn told(&self) -> Value {
        serde_json::to_value(&*self.lock()).unwrap_or_default()
    }

    /// Ends the script.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// Counts a request, and says what strikes it, in the order of the script.
    pub(super) fn strike(&self, method: &str, path: &str, query: &str) -> Vec<Fault> {
        let mut struck = Vec::new();
        for counted in &mut *self.lock() {
            let rule = &counted.rule;
            let fits = rule.method.as_deref().is_none_or(|wanted| wanted == method)
                && is_like(path, &rule.path)
                && rule.query.as_deref().is_none_or(|wanted| is_like(query, wanted));
            if !fits {
                continue;
            }
            counted.seen += 1;
            if counted.seen >= rule.nth && (rule.times == 0 || counted.struck < rule.times) {
                counted.struck += 1;
                struck.push(rule.fault.clone());
            }
        }
        struck
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a text is like a pattern, in which `*` is any text.
pub(super) fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
