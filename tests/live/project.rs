//! A project folder with one stack, as a user has it, and how tests look at objects without the engine's eyes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use support::{ArrplanCmd, AuditRecord, ControlPlane, Records, RunOutput, User, scratch_dir};

/// A folder with `stacks/<name>.toml` and the state that runs leave beside it.
pub(crate) struct Project<'a> {
    pub(crate) plane: &'a ControlPlane,
    pub(crate) folder: PathBuf,
    name: String,
}

impl<'a> Project<'a> {
    pub(crate) fn new(plane: &'a ControlPlane, name: &str, stack: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = scratch_dir().join(format!("project-{name}-{number}"));
        std::fs::create_dir_all(folder.join("stacks")).unwrap();
        let project = Self { plane, folder, name: name.to_owned() };
        project.write(stack);
        project
    }

    /// The shipped stack, with its catalog beside it.
    pub(crate) fn shipped(plane: &'a ControlPlane) -> Self {
        let stack = std::fs::read_to_string(shipped("arr.toml")).unwrap();
        let project = Self::new(plane, "arr", &stack);
        copy(&shipped("catalog"), &project.folder.join("stacks/catalog"));
        project
    }

    pub(crate) fn stack_file(&self) -> PathBuf {
        self.folder.join(format!("stacks/{}.toml", self.name))
    }

    pub(crate) fn write(&self, stack: &str) {
        std::fs::write(self.stack_file(), stack).unwrap();
    }

    /// Edits the stack file: `from` stands in it exactly once.
    #[track_caller]
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.stack_file()).unwrap();
        assert_eq!(text.matches(from).count(), 1, "`{from}` in the stack");
        self.write(&text.replace(from, to));
    }

    pub(crate) fn command(&self, program: ArrplanCmd, args: &[&str]) -> ArrplanCmd {
        program
            .kubeconfig(self.plane.kubeconfig(User::Arrplan))
            .folder(&self.folder)
            .args(args.iter().copied())
    }

    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> RunOutput {
        self.command(support::arrplan!(), args).run()
    }

    /// The state file.
    #[track_caller]
    pub(crate) fn state(&self) -> Value {
        let text = std::fs::read_to_string(self.state_path("json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) fn state_path(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("state/{}.{extension}", self.name))
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A path of the shipped `stacks/`.
pub(crate) fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("stacks").join(path)
}

/// Every leaf of an object by its path, in the notation that plans use. Empty maps and lists are leaves.
pub(crate) fn leaves(value: &Value) -> BTreeMap<String, Value> {
    fn walk(at: &str, value: &Value, leaves: &mut BTreeMap<String, Value>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    let bare = key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
                    let path = match (bare, at.is_empty()) {
                        (false, _) => format!("{at}[\"{key}\"]"),
                        (true, true) => key.clone(),
                        (true, false) => format!("{at}.{key}"),
                    };
                    walk(&path, value, leaves);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    walk(&format!("{at}[{index}]"), item, leaves);
                }
            }
            leaf => {
                leaves.insert(at.to_owned(), leaf.clone());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk("", value, &mut found);
    found
}

/// Path to the value before and after.
pub(crate) type Differences = BTreeMap<String, (Option<Value>, Option<Value>)>;

/// What differs between two readings of an object: path to before and after, less what the server keeps by itself.
pub(crate) fn differences(before: &Value, after: &Value) -> Differences {
    const SERVERS: [&str; 4] =
        ["status", "metadata.managedFields", "metadata.resourceVersion", "metadata.generation"];
    let (before, after) = (leaves(before), leaves(after));
    let paths = before.keys().chain(after.keys());
    paths
        .filter(|path| !SERVERS.iter().any(|own| path.starts_with(own)))
        .filter(|path| before.get(*path) != after.get(*path))
        .map(|path| (path.clone(), (before.get(path).cloned(), after.get(path).cloned())))
        .collect()
}

/// What a plan in JSON says will differ: object to path to before and after.
pub(crate) fn predicted(plan: &Value) -> BTreeMap<String, Differences> {
    let shown = |value: &Value| match value["is"].as_str().unwrap() {
        "absent" => None,
        "plain" => Some(value["value"].clone()),
        other => panic!("a value that is {other}"),
    };
    let changes = plan["changes"].as_array().unwrap().iter();
    changes
        .filter(|change| change["action"] != "no-op")
        .map(|change| {
            let fields = change["fields"].as_array().unwrap().iter();
            let fields = fields.map(|field| {
                let path = field["path"].as_str().unwrap().to_owned();
                (path, (shown(&field["before"]), shown(&field["after"])))
            });
            (change["object"].as_str().unwrap().to_owned(), fields.collect())
        })
        .collect()
}

/// The first thing arrplan wrote to an object: what a plan only tried does not count.
#[track_caller]
pub(crate) fn first_write(records: &Records, resource: &str, namespace: &str, name: &str) -> AuditRecord {
    let of_object = records.clone().by_user("arrplan").about(resource, namespace, name);
    let first = of_object.writes().filter(AuditRecord::succeeded).first().cloned();
    first.unwrap_or_else(|| panic!("no write of {resource} {namespace}/{name} in the audit log:\n{records}"))
}

/// When an object became ready by the rule of its kind: the write that said so.
#[track_caller]
pub(crate) fn became_ready(records: &Records, resource: &str, namespace: &str, name: &str) -> AuditRecord {
    let status = |record: &AuditRecord| record.subresource == "status" && record.succeeded();
    let of_object = records.clone().about(resource, namespace, name);
    let ready: Vec<AuditRecord> = match resource {
        "persistentvolumeclaims" => {
            let bound = |record: &AuditRecord| status(record) && record.body["status"]["phase"] == "Bound";
            of_object.filter(bound).into_iter().take(1).collect()
        }
        // Flux writes the condition and the generation it is about by two requests: it is ready with the later one.
        "gitrepositories" | "helmreleases" => {
            let is_ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
            let says_ready = |record: &AuditRecord| {
                let conditions = record.body["status"]["conditions"].as_array();
                status(record) && conditions.is_some_and(|list| list.iter().any(is_ready))
            };
            let observed = |record: &AuditRecord| {
                status(record) && !record.body["status"]["observedGeneration"].is_null()
            };
            let ready = of_object.clone().filter(says_ready).first().cloned();
            let seen = of_object.filter(observed).first().cloned();
            ready.zip(seen).into_iter().flat_map(|(a, b)| [a, b]).collect()
        }
        // There and usable at once.
        _ => vec![first_write(records, resource, namespace, name)],
    };
    let last = ready.into_iter().max_by(|a, b| a.received.cmp(&b.received));
    last.unwrap_or_else(|| panic!("{resource} {namespace}/{name} did not get ready:\n{records}"))
}

/// An object as the audit log names it: plural resource, namespace, name.
pub(crate) type Audited<'a> = (&'a str, &'a str, &'a str);

/// By the audit log, `dependent` was first written after `dependency` had become ready.
#[track_caller]
pub(crate) fn assert_order(records: &Records, dependency: Audited<'_>, dependent: Audited<'_>) {
    let ready = became_ready(records, dependency.0, dependency.1, dependency.2);
    let write = first_write(records, dependent.0, dependent.1, dependent.2);
    assert!(
        ready.received < write.received,
        "{dependent:?} was written before {dependency:?} was ready:\n{write}\n{ready}"
    );
}
