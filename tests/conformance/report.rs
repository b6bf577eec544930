//! Compares what the two servers said, and tells.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::{Map, Value};
use similar::TextDiff;

use crate::case::{Case, Step};
use crate::run::{Both, Exchange};

/// Lines of one case's difference that are printed.
const LINES: usize = 60;

/// All that ran.
#[derive(Debug)]
pub(crate) struct Report {
    outcomes: Vec<Outcome>,
}

#[derive(Debug)]
struct Outcome {
    case: Case,
    both: Both,
    /// Requests of its steps, to each server.
    requests: usize,
    /// The first difference, for people; `None`: equal.
    difference: Option<String>,
    /// Steps that differ.
    different: usize,
}

impl Report {
    /// Compares.
    pub(crate) fn new(ran: Vec<(Case, Both)>) -> Self {
        let mut outcomes: Vec<Outcome> =
            ran.into_iter().map(|(case, both)| Outcome::new(case, both)).collect();
        let place = |id: &str| {
            id.rsplit_once('-').and_then(|(_, number)| number.parse::<usize>().ok()).unwrap_or_default()
        };
        outcomes.sort_by_key(|outcome| (outcome.case.area.clone(), place(&outcome.case.id)));
        Self { outcomes }
    }

    /// How many ran, of these areas, or (none named) of all.
    pub(crate) fn cases(&self, areas: &[&str]) -> usize {
        let counts = |outcome: &&Outcome| areas.is_empty() || areas.contains(&outcome.case.area.as_str());
        self.outcomes.iter().filter(counts).count()
    }

    /// Cases in which the servers differ.
    pub(crate) fn different(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.difference.is_some()).count()
    }

    /// The whole exchange of cases whose title holds `ARRPLAN_CONFORMANCE_SHOW`.
    pub(crate) fn show_what_was_asked_for(&self) {
        let Ok(part) = std::env::var("ARRPLAN_CONFORMANCE_SHOW") else { return };
        let mut text = String::new();
        for outcome in self.outcomes.iter().filter(|outcome| outcome.case.title().contains(&part)) {
            let _ = writeln!(text, "\n======== {}", outcome.case.title());
            for (name, exchanges) in [("real", &outcome.both.real), ("sandbox", &outcome.both.sandbox)] {
                for exchange in exchanges.iter().flatten() {
                    let _ = write!(text, "\n---- {name}: {}", transcript(exchange));
                }
            }
        }
        say(&text);
    }

    /// Differences, then the numbers.
    pub(crate) fn print(&self) {
        let mut text = String::new();
        for outcome in &self.outcomes {
            if let Some(difference) = &outcome.difference {
                let _ = writeln!(text, "\n==== {} ({})\n{difference}", outcome.case.title(), outcome.case.id);
                if outcome.different > 1 {
                    let _ = writeln!(text, "(and {} more answers of this case)", outcome.different - 1);
                }
            }
        }
        let mut areas: BTreeMap<&str, [usize; 4]> = BTreeMap::new();
        for outcome in &self.outcomes {
            for area in [outcome.case.area.as_str(), "~all"] {
                let [cases, requests, equal, different] = areas.entry(area).or_default();
                *cases += 1;
                *requests += outcome.requests;
                *equal += usize::from(outcome.is_equal());
                *different += usize::from(outcome.difference.is_some());
            }
        }
        let _ = writeln!(
            text,
            "\n{:<14} {:>6} {:>9} {:>6} {:>10}",
            "area", "cases", "requests", "equal", "different"
        );
        for (area, [cases, requests, equal, different]) in areas {
            let area = if area == "~all" { "all" } else { area };
            let _ = writeln!(text, "{area:<14} {cases:>6} {requests:>9} {equal:>6} {different:>10}");
        }
        let steps = || self.outcomes.iter().flat_map(|outcome| &outcome.case.steps);
        let messages = steps().filter(|step| step.message.is_some()).count();
        let fields = steps().filter(|step| !step.except.is_empty()).count();
        let parts = steps().filter(|step| !step.only.is_empty()).count();
        let _ = writeln!(
            text,
            "compared without their message: {messages} answers; without some fields: {fields}; in part: {parts}"
        );
        say(&text);
    }
}

impl Outcome {
    /// Both were asked, and said the same.
    fn is_equal(&self) -> bool {
        self.both.real.is_some() && self.both.sandbox.is_some() && self.difference.is_none()
    }

    fn new(case: Case, both: Both) -> Self {
        let counted = |exchanges: &Option<Vec<Exchange>>| {
            exchanges.iter().flatten().filter(|exchange| exchange.step.is_some()).count()
        };
        let requests = counted(&both.real).max(counted(&both.sandbox));
        let mut differences = Vec::new();
        if let (Some(real), Some(sandbox)) = (&both.real, &both.sandbox) {
            assert_eq!(real.len(), sandbox.len(), "{}: both servers are asked the same", case.title());
            for (real, sandbox) in real.iter().zip(sandbox) {
                let step = real.step.map(|index| &case.steps[index]);
                if let Some(text) = compare(step, real, sandbox) {
                    differences.push((real.step.is_none(), text));
                }
            }
        }
        let different = differences.len();
        // A namespace that differs does so in every case: what is the case's own comes first.
        let difference = differences.into_iter().min_by_key(|(before, _)| *before).map(|(_, text)| text);
        Self { case, both, requests, difference, different }
    }
}

/// What differs between two answers to one step, for people; `None`: nothing.
pub(crate) fn compare(step: Option<&Step>, real: &Exchange, sandbox: &Exchange) -> Option<String> {
    let left = compared(step, &real.shown);
    let right = compared(step, &sandbox.shown);
    if left == right {
        return None;
    }
    let number =
        real.step.map_or_else(|| "before the first step".to_owned(), |index| format!("step {}", index + 1));
    Some(format!("{number}: {} {}\n{}", real.ask.method, real.ask.path, difference(&left, &right)))
}

/// Where two trees differ, in lines.
pub(crate) fn difference(real: &Value, sandbox: &Value) -> String {
    let pretty = |value: &Value| serde_json::to_string_pretty(value).expect("a value is JSON") + "\n";
    let (left, right) = (pretty(real), pretty(sandbox));
    let diff = TextDiff::from_lines(&left, &right);
    let unified = diff.unified_diff().context_radius(4).header("real", "sandbox").to_string();
    let shown: Vec<&str> = unified.lines().take(LINES).collect();
    let rest = unified.lines().count().saturating_sub(LINES);
    let more = if rest == 0 { String::new() } else { format!("\n({rest} more lines)") };
    format!("{}{more}", shown.join("\n"))
}

/// What of an answer this step compares.
fn compared(step: Option<&Step>, shown: &Value) -> Value {
    let mut shown = shown.clone();
    let Some(step) = step else { return shown };
    let mut except: Vec<&str> = step.except.iter().map(String::as_str).collect();
    if step.message.is_some() {
        except.extend(["/message", "/details/causes/*/message"]);
    }
    for pointer in except {
        match pointer.strip_prefix('/') {
            Some(path) => remove(&mut shown["body"], &segments(path)),
            None => shown[pointer] = Value::Null,
        }
    }
    if !step.only.is_empty() {
        let parts: Map<String, Value> = step
            .only
            .iter()
            .map(|pointer| {
                let path = segments(pointer.trim_start_matches('/'));
                (pointer.clone(), find(&shown["body"], &path).cloned().unwrap_or_else(|| "<absent>".into()))
            })
            .collect();
        shown["body"] = Value::Object(parts);
    }
    shown
}

fn segments(path: &str) -> Vec<String> {
    path.split('/').map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect()
}

fn remove(value: &mut Value, path: &[String]) {
    let Some((first, rest)) = path.split_first() else { return };
    match value {
        Value::Object(map) if rest.is_empty() && first == "*" => map.clear(),
        Value::Object(map) if rest.is_empty() => {
            map.remove(first);
        }
        Value::Object(map) if first == "*" => map.values_mut().for_each(|value| remove(value, rest)),
        Value::Object(map) => {
            if let Some(value) = map.get_mut(first) {
                remove(value, rest);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                if first == "*" || *first == index.to_string() || selects(first, item) {
                    if rest.is_empty() {
                        *item = Value::Null;
                    } else {
                        remove(item, rest);
                    }
                }
            }
        }
        _ => {}
    }
}

fn find<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    let Some((first, rest)) = path.split_first() else { return Some(value) };
    let next = match value {
        Value::Object(map) => map.get(first)?,
        Value::Array(items) => match first.parse::<usize>() {
            Ok(index) => items.get(index)?,
            Err(_) => items.iter().find(|item| selects(first, item))?,
        },
        _ => return None,
    };
    find(next, rest)
}

/// Whether `key=value` is true of an element.
fn selects(segment: &str, item: &Value) -> bool {
    let Some((key, wanted)) = segment.split_once('=') else { return false };
    match &item[key] {
        Value::String(text) => text == wanted,
        other => other.to_string().as_str() == wanted,
    }
}

fn transcript(exchange: &Exchange) -> String {
    let Exchange { ask, answer, .. } = exchange;
    let mut text = format!("{} {}\n", ask.method, ask.path);
    for (name, value) in &ask.headers {
        let _ = writeln!(text, "{name}: {value}");
    }
    if !ask.body.is_empty() {
        let _ = writeln!(text, "\n{}", String::from_utf8_lossy(&ask.body));
    }
    let _ = writeln!(text, "\n=> {} {}", answer.status, answer.content_type);
    for warning in &answer.warnings {
        let _ = writeln!(text, "Warning: {warning}");
    }
    if let Some(seconds) = &answer.retry_after {
        let _ = writeln!(text, "Retry-After: {seconds}");
    }
    let body = serde_json::to_string_pretty(&answer.body).expect("a value is JSON");
    let _ = writeln!(text, "{body}");
    text
}

/// On the terminal, past the test runner's capture: the numbers are for people too.
pub(crate) fn say(text: &str) {
    let mut terminal = std::io::stderr().lock();
    terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush()).expect("standard error");
}
