//! What one look at an object says: ready, not yet, or never.

use serde_json::Value;

use super::unit::{Step, failed};
use crate::address::ObjectKey;
use crate::object::Object;
use crate::path::FieldPath;
use crate::stack::Wait;
use crate::status::chain::{self, Seen};
use crate::status::{self, Context, State, cel};

/// What one look says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It works; with a detail worth a word.
    Ready(Option<String>),
    /// Not yet; why.
    Waiting(String),
    /// Waiting does not help.
    Failed(Vec<String>),
}

/// When an object counts as done.
pub(super) enum Rule {
    /// Its kind's own rule.
    Ready,
    /// The stack's expression.
    Expression(cel::Program),
    /// It has this field.
    Has(FieldPath),
}

impl Rule {
    pub(super) fn of(wait: &Wait) -> Step<Option<Self>> {
        match wait {
            Wait::Applied => Ok(None),
            Wait::Ready => Ok(Some(Self::Ready)),
            Wait::Cel(expression) => match cel::compile(expression) {
                Ok(program) => Ok(Some(Self::Expression(program))),
                Err(error) => failed("its `wait` expression cannot be used", [error]),
            },
        }
    }
}

/// What one look at an object, and at what stands behind it, says.
pub(super) fn judge(front: &Object, rule: &Rule, context: &Context, chart: &Seen, source: &Seen) -> Verdict {
    match rule {
        Rule::Ready => {}
        Rule::Expression(program) => {
            return match program.eval(front) {
                cel::Verdict::Done => Verdict::Ready(None),
                cel::Verdict::NotYet(why) => Verdict::Waiting(why),
                cel::Verdict::Mistake(why) => {
                    Verdict::Failed(vec![format!("its `wait` expression fails: {why}")])
                }
            };
        }
        Rule::Has(path) => {
            return match path.get(&front.0) {
                Some(_) => Verdict::Ready(None),
                None => Verdict::Waiting(format!("{} has no {path} yet", front.key().human())),
            };
        }
    }
    let status = status::compute(front, context);
    if status.state == State::Ready {
        let accepted = status.accepted_only.then(|| one_line(&status.message));
        return Verdict::Ready(accepted.or_else(|| detail(front)));
    }
    if status.state == State::Terminating {
        return Verdict::Failed(vec![format!("{} {}", front.key().human(), one_line(&status.message))]);
    }
    let Some(explained) = chain::explain(front, context, chart, source) else {
        return Verdict::Waiting(one_line(&status.message));
    };
    let chain = &explained.not_ready.chain;
    if explained.terminal {
        return Verdict::Failed(chain.iter().map(link).collect());
    }
    Verdict::Waiting(match chain.last() {
        Some((key, reason, message)) if *key == front.key() => {
            if message.is_empty() {
                reason.clone()
            } else {
                one_line(message)
            }
        }
        Some(last) => link(last),
        None => one_line(&status.message),
    })
}

/// One object of a chain as a line.
fn link((key, reason, message): &(ObjectKey, String, String)) -> String {
    let mut line = format!("{} {reason}", key.human());
    if !message.is_empty() {
        line.push_str(": ");
        line.push_str(&one_line(message));
    }
    line
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A word about an object that works.
fn detail(object: &Object) -> Option<String> {
    let text = |pointer: &str| object.0.pointer(pointer).and_then(Value::as_str);
    let group = object.key().group;
    match (group.as_str(), object.kind()) {
        ("", "PersistentVolumeClaim") => text("/status/phase").map(str::to_owned),
        ("source.toolkit.fluxcd.io", _) => text("/status/artifact/revision").map(short),
        ("kustomize.toolkit.fluxcd.io", _) => text("/status/lastAppliedRevision").map(short),
        ("helm.toolkit.fluxcd.io", "HelmRelease") => {
            let name = text("/status/history/0/chartName")?;
            Some(format!("{name} {}", text("/status/history/0/chartVersion")?))
        }
        _ => None,
    }
}

/// `main@sha1:3f2a91c…` as `main@3f2a91c`.
fn short(revision: &str) -> String {
    let Some((name, digest)) = revision.rsplit_once(':') else {
        return revision.to_owned();
    };
    let name = name.trim_end_matches("sha1").trim_end_matches("sha256");
    let digest: String = digest.chars().take(7).collect();
    format!("{name}{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn revisions_are_short() {
        assert_eq!(short("main@sha1:3f2a91c0ffee"), "main@3f2a91c");
        assert_eq!(short("sha256:0123456789"), "0123456");
        assert_eq!(short("1.2.3"), "1.2.3");
    }

    #[test]
    fn an_expression_replaces_the_kinds_rule() {
        let object = Object(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"done": "no"}}));
        let rule = |text: &str| Rule::Expression(cel::compile(text).unwrap());
        let verdict =
            |text: &str| judge(&object, &rule(text), &Context::default(), &Seen::Unread, &Seen::Unread);
        assert_eq!(verdict("data.done == 'no'"), Verdict::Ready(None));
        assert!(matches!(verdict("data.done == 'yes'"), Verdict::Waiting(_)));
        assert!(matches!(verdict("data.other == 'yes'"), Verdict::Waiting(_)));
    }
}
