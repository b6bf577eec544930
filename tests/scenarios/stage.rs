//! A sandbox for one test, with the script of its faults.

use std::path::Path;

use serde_json::{Value, json};
use support::{ArrplanCmd, ControlPlane, Mark, Part, RunOutput, Running, User, eventually};

use crate::project::Project;

/// Two objects, one after the other, in a namespace of the stack.
pub(crate) const STACK: &str = r#"
[stack]
name = "app"

[namespace.home]

[config_map.first]
namespace = "home"
data.colour = "blue"

[config_map.second]
namespace = "home"
data.after = "${config_map.first.name}"
"#;

/// A stack of so many config maps in the namespace `home`, enough to be read as a list.
pub(crate) fn maps(names: &[&str]) -> String {
    let map = |name: &&str| format!("[config_map.{name}]\nnamespace = \"home\"\ndata.k = \"v\"\n");
    let maps: Vec<String> = names.iter().map(map).collect();
    format!("[stack]\nname = \"app\"\n[namespace.home]\n{}", maps.concat())
}

/// Where the objects of [`STACK`] are.
pub(crate) const FIRST: &str = "/api/v1/namespaces/home/configmaps/first";
pub(crate) const SECOND: &str = "/api/v1/namespaces/home/configmaps/second";

/// How the query of an apply ends that is no dry-run.
pub(crate) const REAL: &str = "*force=false";

/// A sandbox for one test alone; `None`: there is no kubectl, which was said on the terminal.
pub(crate) fn sandbox(parts: &[Part]) -> Option<ControlPlane> {
    ControlPlane::own_sandbox(crate::serve::NAME, parts)
}

/// Replaces the script of faults: a list of rules as `src/sandbox/faults` reads them.
#[track_caller]
pub(crate) fn script(plane: &ControlPlane, rules: &Value) {
    plane.request(User::Admin, "PUT", "/sandbox/faults", Some(rules)).ok();
}

/// How often each rule of the script struck.
#[track_caller]
pub(crate) fn struck(plane: &ControlPlane) -> Vec<u64> {
    let told = plane.request(User::Admin, "GET", "/sandbox/faults", None).ok();
    let rules = told.as_array().expect("a list of rules").iter();
    rules.map(|rule| rule["struck"].as_u64().expect("a count")).collect()
}

/// Waits until the first rule of the script struck.
#[track_caller]
pub(crate) fn until_struck(plane: &ControlPlane) {
    eventually("the fault to strike", || (struck(plane)[0] > 0).then_some(()));
}

/// Ends the script.
#[track_caller]
pub(crate) fn calm(plane: &ControlPlane) {
    script(plane, &json!([]));
}

/// A `Status` as the API server answers it.
pub(crate) fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
}

/// The fault that answers with a `Status`.
pub(crate) fn answer(code: u16, reason: &str, message: &str) -> Value {
    json!({ "answer": { "code": code, "body": status(code, reason, message) } })
}

impl Project<'_> {
    /// `arrplan COMMAND STACK --yes …`, to be watched.
    #[track_caller]
    pub(crate) fn start(&self, command: &str, args: &[&str]) -> Running {
        let stack = self.stack_argument();
        let args = [&[command, stack.as_str(), "--yes"], args].concat();
        self.command(support::arrplan!(), &args).spawn()
    }

    /// The same with a kubeconfig of the test's own.
    pub(crate) fn by(&self, kubeconfig: &Path, command: &str, args: &[&str]) -> ArrplanCmd {
        let stack = self.stack_argument();
        let args = [&[command, stack.as_str()], args].concat();
        self.command(support::arrplan!(), &args).kubeconfig(kubeconfig)
    }
}

/// Writes of arrplan since the mark, in the order of the log: `patch configmaps/first 201`.
pub(crate) fn writes(plane: &ControlPlane, mark: Mark) -> Vec<String> {
    let writes = plane.audit().writes_since(mark).by_user("arrplan");
    writes
        .iter()
        .map(|write| format!("{} {}/{} {}", write.verb, write.resource, write.name, write.code))
        .collect()
}

/// The state lists just what is there, and nothing is left to do.
#[track_caller]
pub(crate) fn ends_well(plane: &ControlPlane, project: &Project<'_>) {
    calm(plane);
    project.settled(&[]);
    let state = project.state();
    for name in ["first", "second"] {
        let object = plane.get_json("configmap", "home", name).unwrap();
        assert_eq!(state["resources"][format!("config_map.{name}")]["uid"], object["metadata"]["uid"]);
    }
    let journal = std::fs::read(project.state_path("journal")).unwrap_or_default();
    let open = String::from_utf8(journal).unwrap().lines().filter(|line| line.contains("begin")).count();
    assert_eq!(open, 0, "an operation is left open");
}

/// Everything a run left below the project's folder, and what it said.
pub(crate) fn left_behind(project: &Project<'_>, outputs: &[&RunOutput]) -> Vec<u8> {
    fn files(folder: &Path, bytes: &mut Vec<u8>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, bytes);
            } else {
                bytes.extend(std::fs::read(&path).unwrap());
            }
        }
    }
    let mut bytes = Vec::new();
    files(&project.folder, &mut bytes);
    for output in outputs {
        bytes.extend(output.stdout.bytes().chain(output.stderr.bytes()));
    }
    bytes
}
