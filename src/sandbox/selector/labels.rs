//! Label selectors: `k8s.io/apimachinery/pkg/labels`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::lexer::{self, Kind, Word};
use crate::sandbox::fault::quote;
use crate::sandbox::meta;

/// Requirements, all of which must be met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::sandbox) struct Labels(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    key: String,
    rule: Rule,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Exists,
    Absent,
    In(BTreeSet<String>),
    /// Also met without the label.
    NotIn(BTreeSet<String>),
    Greater(i64),
    Less(i64),
}

impl Labels {
    /// Reads a selector as a query has it.
    ///
    /// # Errors
    /// The API server's text about what is wrong.
    pub(in crate::sandbox) fn parse(text: &str) -> Result<Self, String> {
        Parser { words: lexer::words(text), at: 0 }.selector().map(Self)
    }

    /// Whether everything matches.
    pub(in crate::sandbox) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an object's labels match.
    pub(in crate::sandbox) fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.0.iter().all(|requirement| requirement.is_met(labels[&requirement.key].as_str()))
    }
}

impl Requirement {
    fn is_met(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(go_integer);
        match &self.rule {
            Rule::Exists => value.is_some(),
            Rule::Absent => value.is_none(),
            Rule::In(values) => value.is_some_and(|value| values.contains(value)),
            Rule::NotIn(values) => !value.is_some_and(|value| values.contains(value)),
            Rule::Greater(than) => number().is_some_and(|number| number > *than),
            Rule::Less(than) => number().is_some_and(|number| number < *than),
        }
    }
}

/// Go's `strconv.ParseInt` in base 10.
fn go_integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

struct Parser {
    words: Vec<Word>,
    at: usize,
}

impl Parser {
    fn selector(mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        loop {
            match self.peek() {
                (Kind::End, _) => return Ok(requirements),
                (Kind::Identifier | Kind::Not, _) => {}
                (_, text) => {
                    return Err(format!("found '{text}', expected: !, identifier, or 'end of string'"));
                }
            }
            let requirement = self.requirement();
            requirements.push(requirement.map_err(|error| format!("unable to parse requirement: {error}"))?);
            match self.next() {
                (Kind::End, _) => return Ok(requirements),
                (Kind::Comma, _) => match self.peek() {
                    (Kind::Identifier | Kind::Not, _) => {}
                    (_, text) => return Err(format!("found '{text}', expected: identifier after ','")),
                },
                (_, text) => return Err(format!("found '{text}', expected: ',' or 'end of string'")),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let (mut kind, mut key) = self.next();
        let is_negated = kind == Kind::Not;
        if is_negated {
            (kind, key) = self.next();
        }
        if kind != Kind::Identifier {
            return Err(format!("found '{key}', expected: identifier"));
        }
        match meta::label_key(&key) {
            wrong if wrong.is_empty() => {}
            wrong => return Err(invalid("<nil>", &key, &wrong)),
        }
        if is_negated {
            return Ok(Requirement { key, rule: Rule::Absent });
        }
        if matches!(self.peek().0, Kind::End | Kind::Comma) {
            return Ok(Requirement { key, rule: Rule::Exists });
        }
        let (operator, text) = self.next_operator();
        let values = match operator {
            Kind::In | Kind::NotIn => self.values()?,
            Kind::Equals | Kind::DoubleEquals | Kind::NotEquals | Kind::Greater | Kind::Less => {
                self.value()?
            }
            _ => return Err(format!("found '{text}', expected: in, notin, =, ==, !=, gt, lt")),
        };
        let rule = rule(operator, &key, values)?;
        Ok(Requirement { key, rule })
    }

    /// `(a,b)`; nothing between commas is the empty value.
    fn values(&mut self) -> Result<BTreeSet<String>, String> {
        match self.next() {
            (Kind::Open, _) => {}
            (_, text) => return Err(format!("found '{text}' expected: '('")),
        }
        match self.peek() {
            (Kind::Identifier | Kind::Comma, _) => self.identifiers(),
            (Kind::Close, _) => {
                self.next();
                Ok(BTreeSet::from([String::new()]))
            }
            (_, text) => Err(format!("found '{text}', expected: ',', ')' or identifier")),
        }
    }

    fn identifiers(&mut self) -> Result<BTreeSet<String>, String> {
        let mut values = BTreeSet::new();
        loop {
            match self.next() {
                (Kind::Identifier, text) => {
                    values.insert(text);
                    match self.peek() {
                        (Kind::Comma, _) => {}
                        (Kind::Close, _) => break,
                        (_, text) => return Err(format!("found '{text}', expected: ',' or ')'")),
                    }
                }
                (Kind::Comma, _) => {
                    if values.is_empty() || matches!(self.peek().0, Kind::Close | Kind::Comma) {
                        values.insert(String::new());
                    }
                    if self.peek().0 == Kind::Close {
                        break;
                    }
                }
                (_, text) => return Err(format!("found '{text}', expected: ',', or identifier")),
            }
        }
        self.next();
        Ok(values)
    }

    fn value(&mut self) -> Result<BTreeSet<String>, String> {
        if matches!(self.peek().0, Kind::End | Kind::Comma) {
            return Ok(BTreeSet::from([String::new()]));
        }
        match self.next() {
            (Kind::Identifier, text) => Ok(BTreeSet::from([text])),
            (_, text) => Err(format!("found '{text}', expected: identifier")),
        }
    }

    /// The next word; `in` and `notin` are values where no operator can be.
    fn peek(&self) -> Word {
        match &self.words[self.at.min(self.words.len() - 1)] {
            (Kind::In | Kind::NotIn, text) => (Kind::Identifier, text.clone()),
            word => word.clone(),
        }
    }

    fn next(&mut self) -> Word {
        let word = self.peek();
        self.at += 1;
        word
    }

    fn next_operator(&mut self) -> Word {
        let word = self.words[self.at.min(self.words.len() - 1)].clone();
        self.at += 1;
        word
    }
}

fn rule(operator: Kind, key: &str, values: BTreeSet<String>) -> Result<Rule, String> {
    let mut wrong = Vec::new();
    let mut numbers = Vec::new();
    if matches!(operator, Kind::Greater | Kind::Less) {
        for (index, value) in values.iter().enumerate() {
            match go_integer(value) {
                Some(number) => numbers.push(number),
                None => wrong.push(invalid(
                    &format!("values[{index}]"),
                    value,
                    &["for 'Gt', 'Lt' operators, the value must be an integer".to_owned()],
                )),
            }
        }
    }
    for (index, value) in values.iter().enumerate() {
        let in_value = meta::label_value(value);
        if !in_value.is_empty() {
            wrong.push(invalid(&format!("values[{index}][{key}]"), value, &in_value));
        }
    }
    match wrong.as_slice() {
        [] => {}
        [one] => return Err(one.clone()),
        many => return Err(format!("[{}]", many.join(", "))),
    }
    Ok(match (operator, numbers.first()) {
        (Kind::Greater, Some(number)) => Rule::Greater(*number),
        (Kind::Less, Some(number)) => Rule::Less(*number),
        (Kind::NotIn | Kind::NotEquals, _) => Rule::NotIn(values),
        _ => Rule::In(values),
    })
}

fn invalid(field: &str, value: &str, details: &[String]) -> String {
    format!("{field}: Invalid value: {}: {}", quote(value), details.join("; "))
}
