//! Cases as they are written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// Some requests in order, in a namespace of their own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// What it shows.
    pub(crate) name: String,
    #[serde(rename = "steps")]
    written: Vec<Value>,
    /// The folder below `cases`.
    #[serde(skip)]
    pub(crate) area: String,
    /// The file in it, without its ending.
    #[serde(skip)]
    file: String,
    /// Unique DNS-1123 name: `{ns}` and `{id}`.
    #[serde(skip)]
    pub(crate) id: String,
    /// `written`, read.
    #[serde(skip)]
    pub(crate) steps: Vec<Step>,
    /// Whether `{ns}` is used.
    #[serde(skip)]
    pub(crate) needs_namespace: bool,
}

impl Case {
    /// Area, file and name.
    pub(crate) fn title(&self) -> String {
        format!("{}/{}: {}", self.area, self.file, self.name)
    }
}

/// One step. `README.md` describes the fields.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Step {
    /// `METHOD path`.
    #[serde(rename = "do")]
    pub(crate) request: Option<String>,
    /// Path of a watch.
    pub(crate) watch: Option<String>,
    /// Name of a watch opened before, to collect from.
    pub(crate) collect: Option<String>,
    /// Version of a CRD: makes it and waits until it is served.
    pub(crate) crd: Option<Value>,
    #[serde(rename = "type")]
    pub(crate) content_type: Option<String>,
    pub(crate) body: Option<Value>,
    pub(crate) raw: Option<String>,
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(rename = "as")]
    pub(crate) label: Option<String>,
    pub(crate) times: Option<usize>,
    pub(crate) events: Option<Events>,
    pub(crate) until: Option<Value>,
    pub(crate) until_status: Option<u16>,
    /// Seconds.
    pub(crate) within: Option<u64>,
    pub(crate) message: Option<Differs>,
    pub(crate) except: Vec<String>,
    pub(crate) only: Vec<String>,
    pub(crate) because: Option<String>,
}

/// How long a watch collects.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Events {
    /// So many, bookmarks not counted.
    Count(usize),
    /// `end` (of the answer) or `initial` (until the initial-events-end bookmark).
    Until(Until),
}

/// See [`Events`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Until {
    /// The server ends the answer.
    End,
    /// The bookmark that ends the initial events has come.
    Initial,
}

/// The only value of `message`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Differs {
    /// The text of another language's library.
    Differs,
}

impl Step {
    fn check(&self) -> Result<(), String> {
        let actions =
            [self.request.is_some(), self.watch.is_some(), self.collect.is_some(), self.crd.is_some()];
        if actions.iter().filter(|&&present| present).count() != 1 {
            return Err("a step has one of do, watch, collect, crd".into());
        }
        if self.body.is_some() && self.raw.is_some() {
            return Err("body and raw".into());
        }
        let opens = self.watch.is_some() && self.events.is_none();
        if opens && self.label.is_none() {
            return Err("a watch says how many `events`, or has a name (`as`) for a later `collect`".into());
        }
        if self.collect.is_some() && self.events.is_none() {
            return Err("collect says how many `events`".into());
        }
        if self.request.as_ref().is_some_and(|line| !line.contains(" /")) {
            return Err("do: METHOD /path".into());
        }
        let weaker = self.message.is_some() || !self.except.is_empty();
        if weaker && self.because.is_none() {
            return Err("what is not compared says `because`".into());
        }
        Ok(())
    }
}

fn step(written: &Value) -> Result<Step, String> {
    let step = match written {
        Value::String(line) => Step { request: Some(line.clone()), ..Step::default() },
        other => serde_json::from_value(other.clone()).map_err(|error| error.to_string())?,
    };
    step.check()?;
    Ok(step)
}

/// All cases, by area and file.
///
/// # Panics
/// When a file is not as `README.md` says, or two cases of a file have one name.
pub(crate) fn all() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/cases");
    let mut cases = Vec::new();
    let mut seen = BTreeSet::new();
    let run = run_suffix();
    for area in sorted(&root) {
        let name = area.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut number = 0;
        for file in sorted(&area) {
            for mut case in read(&file) {
                number += 1;
                case.area.clone_from(&name);
                case.file = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                case.id = format!("{name}{run}-{number}");
                assert!(
                    seen.insert(case.title()),
                    "{}: two cases are called {:?}",
                    file.display(),
                    case.name
                );
                cases.push(case);
            }
        }
    }
    cases
}

fn read(file: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    // `y` and `n` are names of labels here.
    let options = serde_saphyr::options! { strict_booleans: true };
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(&text, options)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let written = documents.into_iter().flat_map(|document| match document {
        Value::Array(cases) => cases,
        Value::Null => Vec::new(),
        one => vec![one],
    });
    let parse = |value: Value| {
        let name = value["name"].to_string();
        let needs_namespace = value.to_string().contains("{ns}");
        let parsed = serde_json::from_value::<Case>(value).map_err(|error| error.to_string());
        let parsed = parsed.and_then(|mut case| {
            case.needs_namespace = needs_namespace;
            for (index, written) in case.written.iter().enumerate() {
                let step = step(written).map_err(|error| format!("step {}: {error}", index + 1))?;
                case.steps.push(step);
            }
            Ok(case)
        });
        parsed.unwrap_or_else(|error| panic!("{}: case {name}: {error}", file.display()))
    };
    written.map(parse).collect()
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a folder can be read").path()).collect();
    paths.sort();
    paths
}

/// What keeps the names of this run apart on a server that other runs use too.
fn run_suffix() -> String {
    match std::env::var_os("ARRPLAN_CONFORMANCE_REAL") {
        Some(_) => format!("-{:06}", std::process::id() % 1_000_000),
        None => String::new(),
    }
}
