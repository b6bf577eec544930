//! Placeholders in what a case sends: `{ns}`, `{uid:1}`.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

/// What came back so far, by number of the step and by its name.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// `{ns}` and `{id}`.
    pub(crate) id: String,
    /// `{n}` in a step with `times`.
    pub(crate) number: usize,
    answers: Vec<(Option<String>, Value)>,
}

static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\{(ns|id|n|(?:uid|rv|name|continue):[a-z0-9-]+|at:[a-z0-9-]+:[^}]*)\}").expect("a pattern")
});

impl Known {
    /// Nothing came back yet.
    pub(crate) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }

    /// The answer of the next step.
    pub(crate) fn push(&mut self, label: Option<&str>, body: &Value) {
        self.answers.push((label.map(str::to_owned), body.clone()));
    }

    /// `text` with its placeholders replaced. What an answer does not have becomes `<no …>`, so that the request goes out and its
    /// answer shows the mistake.
    pub(crate) fn fill(&self, text: &str) -> String {
        PLACEHOLDER.replace_all(text, |captures: &Captures<'_>| self.one(&captures[1])).into_owned()
    }

    /// The same in every text of a tree, keys included.
    pub(crate) fn fill_tree(&self, tree: &Value) -> Value {
        match tree {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(items) => items.iter().map(|item| self.fill_tree(item)).collect(),
            Value::Object(map) => {
                map.iter().map(|(key, value)| (self.fill(key), self.fill_tree(value))).collect()
            }
            other => other.clone(),
        }
    }

    fn one(&self, placeholder: &str) -> String {
        let mut parts = placeholder.splitn(3, ':');
        let (word, step) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let pointer = match word {
            "ns" | "id" => return self.id.clone(),
            "n" => return self.number.to_string(),
            "uid" => "/metadata/uid",
            "rv" => "/metadata/resourceVersion",
            "name" => "/metadata/name",
            "continue" => "/metadata/continue",
            _ => parts.next().unwrap_or_default(),
        };
        let named = |(label, _): &&(Option<String>, Value)| label.as_deref() == Some(step);
        let answer = step.parse::<usize>().map_or_else(
            |_| self.answers.iter().rev().find(named),
            |number| self.answers.get(number.wrapping_sub(1)),
        );
        match answer.and_then(|(_, body)| body.pointer(pointer)) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => format!("<no {placeholder}>"),
        }
    }
}
