//! JSON paths of printed columns: `.spec.a`, `.status.conditions[?(@.type=="Ready")].status`, `['a.b']`, `[0]`, `[*]`
//! (`k8s.io/client-go` `util/jsonpath`).

use serde_json::Value;

/// The values at the path; none where it leads nowhere or is not understood.
pub(super) fn find<'v>(object: &'v Value, path: &str) -> Vec<&'v Value> {
    let mut found = vec![object];
    let mut rest = path.trim();
    while !rest.is_empty() {
        let Some((step, after)) = step(rest) else {
            return Vec::new();
        };
        found = found.into_iter().flat_map(|value| step.take(value)).collect();
        rest = after;
    }
    found
}

/// One step of a path.
enum Step {
    Field(String),
    Index(i64),
    All,
    /// Elements of which this is so: a path, and the text it has; `None`: it is there.
    Filter(String, Option<(bool, Value)>),
}

fn step(rest: &str) -> Option<(Step, &str)> {
    if let Some(after) = rest.strip_prefix('[') {
        let end = closing(after)?;
        let (inner, after) = (after[..end].trim(), &after[end + 1..]);
        return Some((bracket(inner)?, after));
    }
    let after = rest.strip_prefix('.').unwrap_or(rest);
    // `\.` is a dot in a name.
    let mut name = String::new();
    let mut letters = after.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => name.extend(letters.next().map(|(_, letter)| letter)),
            '.' | '[' => return Some((field(name), &after[at..])),
            letter => name.push(letter),
        }
    }
    Some((field(name), ""))
}

fn field(name: String) -> Step {
    if name == "*" { Step::All } else { Step::Field(name) }
}

/// Where the bracket that was opened is closed.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), letter) if open == letter => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(at),
            (None, ']') => depth -= 1,
            (Some(_) | None, _) => {}
        }
    }
    None
}

fn bracket(inner: &str) -> Option<Step> {
    if inner == "*" {
        return Some(Step::All);
    }
    if let Some(condition) = inner.strip_prefix("?(").and_then(|inner| inner.strip_suffix(')')) {
        let condition = condition.trim();
        let compared = ["==", "!="].into_iter().find_map(|sign| {
            let (path, value) = condition.split_once(sign)?;
            Some((path, sign == "==", value))
        });
        return match compared {
            Some((path, equal, value)) => {
                let path = path.trim().strip_prefix('@')?.to_owned();
                Some(Step::Filter(path, Some((equal, literal(value.trim())?))))
            }
            None => Some(Step::Filter(condition.strip_prefix('@')?.to_owned(), None)),
        };
    }
    match literal(inner)? {
        Value::String(name) => Some(Step::Field(name)),
        Value::Number(number) => number.as_i64().map(Step::Index),
        _ => None,
    }
}

fn literal(text: &str) -> Option<Value> {
    let quoted = text
        .strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''))
        .or_else(|| text.strip_prefix('"').and_then(|text| text.strip_suffix('"')));
    match quoted {
        Some(text) => Some(text.into()),
        None => serde_json::from_str(text).ok(),
    }
}

impl Step {
    fn take<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match (self, value) {
            (Self::Field(name), value) => value.get(name).into_iter().collect(),
            (Self::Index(index), Value::Array(list)) => {
                let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
                let index = if *index < 0 { index + length } else { *index };
                usize::try_from(index).ok().and_then(|index| list.get(index)).into_iter().collect()
            }
            (Self::All, Value::Array(list)) => list.iter().collect(),
            (Self::All, Value::Object(map)) => map.values().collect(),
            (Self::Filter(path, condition), Value::Array(list)) => {
                let holds = |element: &&Value| match (find(element, path).first(), condition) {
                    (None, _) => false,
                    (Some(_), None) => true,
                    (Some(found), Some((equal, wanted))) => (*found == wanted) == *equal,
                };
                list.iter().filter(holds).collect()
            }
            _ => Vec::new(),
        }
    }
}
