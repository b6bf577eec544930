//! One stack in a folder of its own, as a user has it.

use std::path::PathBuf;

use serde_json::{Map, Value};
use support::{ControlPlane, RunOutput, Running, User, scratch_dir};

/// A project folder with one stack, for one test.
pub(crate) struct Project {
    kubeconfig: PathBuf,
    folder: PathBuf,
    stack: String,
}

impl Project {
    /// `name` is this test's alone: of the folder, the stack file and, in `toml`, the stack.
    pub(crate) fn new(plane: &ControlPlane, name: &str, toml: &str) -> Self {
        let project = Self {
            kubeconfig: plane.kubeconfig(User::Arrplan),
            folder: scratch_dir().join("projects").join(name),
            stack: name.rsplit('/').next().unwrap_or_default().to_owned(),
        };
        std::fs::create_dir_all(project.folder.join("stacks")).expect("the scratch folder");
        project.write(toml);
        project
    }

    /// Writes the stack file.
    pub(crate) fn write(&self, toml: &str) {
        let path = self.folder.join(self.stack_file());
        std::fs::write(path, toml).expect("the project's folder");
    }

    /// Replaces text that must be in the stack file.
    #[track_caller]
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let path = self.folder.join(self.stack_file());
        let text = std::fs::read_to_string(&path).expect("the stack file");
        assert!(text.contains(from), "{from:?} is not in\n{text}");
        self.write(&text.replace(from, to));
    }

    pub(crate) fn stack_file(&self) -> String {
        format!("stacks/{}.toml", self.stack)
    }

    /// Runs `arrplan COMMAND STACK …` in the project's folder.
    #[track_caller]
    pub(crate) fn run(&self, command: &str, args: &[&str]) -> RunOutput {
        let mut line = vec![command.to_owned(), self.stack_file()];
        line.extend(args.iter().map(|&arg| arg.to_owned()));
        self.line(line)
    }

    /// Runs a whole command line in the project's folder.
    #[track_caller]
    pub(crate) fn line(&self, args: impl IntoIterator<Item = String>) -> RunOutput {
        self.start(args).finish()
    }

    /// Starts a whole command line, for tests that look on.
    #[track_caller]
    pub(crate) fn start(&self, args: impl IntoIterator<Item = String>) -> Running {
        support::arrplan!()
            .kubeconfig(&self.kubeconfig)
            .folder(&self.folder)
            .args(args)
            .spawn()
    }

    #[track_caller]
    pub(crate) fn plan(&self, args: &[&str]) -> RunOutput {
        self.run("plan", args)
    }

    #[track_caller]
    pub(crate) fn apply(&self, args: &[&str]) -> RunOutput {
        self.run("apply", &[&["--yes"], args].concat())
    }

    #[track_caller]
    pub(crate) fn destroy(&self, args: &[&str]) -> RunOutput {
        self.run("destroy", &[&["--yes"], args].concat())
    }

    /// A plan must find nothing to do.
    #[track_caller]
    pub(crate) fn settled(&self, args: &[&str]) {
        let plan = self
            .plan(&[&["--detailed-exitcode"], args].concat())
            .expect_status(0);
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
    let entries = object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
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
    value
        .as_object()
        .map(Map::keys)
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect()
}
