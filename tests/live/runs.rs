//! The commands of a user on one stack, and what a run said.

use serde_json::{Map, Value};
use support::RunOutput;

use crate::project::Project;

impl Project<'_> {
    /// Runs `arrplan COMMAND STACK …` in the project's folder.
    #[track_caller]
    fn on_stack(&self, command: &str, args: &[&str]) -> RunOutput {
        let stack = self.stack_argument();
        self.run(&[&[command, stack.as_str()], args].concat())
    }

    /// The stack file as one types it.
    pub(crate) fn stack_argument(&self) -> String {
        let file = self.stack_file();
        let typed = file.strip_prefix(&self.folder).expect("it lies in the project");
        typed.to_string_lossy().into_owned()
    }

    #[track_caller]
    pub(crate) fn plan(&self, args: &[&str]) -> RunOutput {
        self.on_stack("plan", args)
    }

    #[track_caller]
    pub(crate) fn apply(&self, args: &[&str]) -> RunOutput {
        self.on_stack("apply", &[&["--yes"], args].concat())
    }

    #[track_caller]
    pub(crate) fn destroy(&self, args: &[&str]) -> RunOutput {
        self.on_stack("destroy", &[&["--yes"], args].concat())
    }

    /// A plan must find nothing to do.
    #[track_caller]
    pub(crate) fn settled(&self, args: &[&str]) {
        let plan = self.plan(&[&["--detailed-exitcode"], args].concat()).expect_status(0);
        shows(&plan, &["No changes."]);
    }
}

/// What a run said, with every run of blanks and line breaks as one blank: wrapping is not what is tested.
pub(crate) fn said(output: &RunOutput) -> String {
    let text = format!("{}\n{}", output.stdout, output.stderr);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The run said these, in this order.
#[track_caller]
pub(crate) fn shows(output: &RunOutput, phrases: &[&str]) {
    let text = said(output);
    let mut rest = text.as_str();
    for phrase in phrases {
        let Some(at) = rest.find(phrase) else {
            panic!("not said, or not in this order: {phrase:?}\n{output}");
        };
        rest = &rest[at + phrase.len()..];
    }
}

/// The run said none of these.
#[track_caller]
pub(crate) fn hides(output: &RunOutput, phrases: &[&str]) {
    let text = said(output);
    for phrase in phrases {
        assert!(!text.contains(phrase), "said: {phrase:?}\n{output}");
    }
}

/// `manager operation[/subresource]` of every entry of managedFields that holds the field, sorted.
pub(crate) fn holders(object: &Value, path: &[&str]) -> Vec<String> {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let mut holders: Vec<String> = entries
        .into_iter()
        .flatten()
        .filter(|entry| {
            let mut at = Some(&entry["fieldsV1"]);
            for key in path {
                at = at.and_then(|fields| fields.get(format!("f:{key}")));
            }
            at.is_some()
        })
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default();
            let subresource = match text("subresource") {
                "" => String::new(),
                name => format!("/{name}"),
            };
            format!("{} {}{subresource}", text("manager"), text("operation"))
        })
        .collect();
    holders.sort();
    holders
}

/// The keys of a map, empty where there is none.
pub(crate) fn keys(value: &Value) -> Vec<&str> {
    value.as_object().map(Map::keys).into_iter().flatten().map(String::as_str).collect()
}
