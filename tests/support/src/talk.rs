//! How tests talk to a control plane: kubectl, and requests as plain as they like.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::http_api::{Api, Reply};
use crate::identity::User;
use crate::plane::{ControlPlane, lock};
use crate::wait::eventually;

/// What a kubectl run gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubectl {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// The exit status.
    pub status: i32,
}

impl Kubectl {
    /// Standard output, when the status is 0.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.status, 0, "kubectl: {}{}", self.stderr, self.stdout);
        self.stdout
    }
}

impl ControlPlane {
    /// Runs kubectl as [`User::Admin`].
    pub fn kubectl(&self, args: &[&str]) -> Kubectl {
        self.kubectl_as(User::Admin, args, "")
    }

    /// Runs kubectl as `user` with `stdin` on its standard input.
    pub fn kubectl_as(&self, user: User, args: &[&str], stdin: &str) -> Kubectl {
        let mut child = Command::new(self.core.path("kubectl"))
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            // Its discovery cache lives below the home folder, and must not be a person's.
            .env("HOME", self.folder())
            .env("KUBECONFIG", self.kubeconfig(user))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl");
        let mut pipe = child.stdin.take().expect("standard input is a pipe");
        let output = std::thread::scope(|scope| {
            scope.spawn(move || {
                // kubectl may end without having read it all.
                drop(pipe.write_all(stdin.as_bytes()));
            });
            child.wait_with_output().expect("kubectl")
        });
        Kubectl {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            status: output.status.code().unwrap_or(-1),
        }
    }

    /// Creates the objects of a YAML text by `kubectl create`, so that no annotation of `kubectl apply` is on them.
    #[track_caller]
    pub fn create(&self, yaml: &str) {
        self.kubectl_as(User::Admin, &["create", "-f", "-"], yaml).ok();
    }

    /// Creates a ConfigMap the same way.
    #[track_caller]
    pub fn create_config_map(&self, namespace: &str, name: &str, data: &[(&str, &str)]) {
        let data: BTreeMap<&str, &str> = data.iter().copied().collect();
        let metadata = json!({ "namespace": namespace, "name": name });
        let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data });
        self.create(&object.to_string());
    }

    /// One object by kind as kubectl takes it, namespace (empty for none) and name; `None` when it is not there.
    #[track_caller]
    pub fn get_json(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let mut args = vec!["get", kind, name, "--ignore-not-found", "--show-managed-fields", "-o", "json"];
        if !namespace.is_empty() {
            args.extend(["-n", namespace]);
        }
        let output = self.kubectl(&args).ok();
        if output.trim().is_empty() {
            None
        } else {
            Some(serde_json::from_str(&output).expect("kubectl writes JSON"))
        }
    }

    /// Waits for a condition of an object to be `True`, for at most a minute, and returns the object.
    #[track_caller]
    pub fn wait_for(&self, kind: &str, namespace: &str, name: &str, condition: &str) -> Value {
        eventually(&format!("{kind} {namespace}/{name} to be {condition}"), || {
            let object = self.get_json(kind, namespace, name)?;
            let conditions = object.pointer("/status/conditions")?.as_array()?;
            let holds =
                conditions.iter().any(|entry| entry["type"] == condition && entry["status"] == "True");
            holds.then_some(object)
        })
    }

    /// One request with a JSON body (merge patch for `PATCH`).
    ///
    /// # Panics
    /// When no answer came at all.
    #[track_caller]
    pub fn request(&self, user: User, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let content_type =
            if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        self.request_typed(user, method, path, content_type, body)
    }

    /// Server-side apply of one manifest by a field manager of the test's choice.
    #[track_caller]
    pub fn server_side_apply(&self, path: &str, manager: &str, manifest: &Value, force: bool) -> Reply {
        let path = format!("{path}?fieldManager={manager}&force={force}");
        self.request_typed(User::Admin, "PATCH", &path, "application/apply-patch+yaml", Some(manifest))
    }

    /// One request with a body of the content type named.
    #[track_caller]
    pub fn request_typed(
        &self,
        user: User,
        method: &str,
        path: &str,
        content_type: &str,
        body: Option<&Value>,
    ) -> Reply {
        let api = self.api(user);
        api.send(method, path, body.map(|body| (content_type, body)))
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub(crate) fn api(&self, user: User) -> Api {
        if user == User::Admin {
            return self.admin.clone();
        }
        let authority = std::fs::read_to_string(self.authority()).expect("written at start");
        lock(&self.users).entry(user).or_insert_with(|| Api::new(self.server(), &authority, user)).clone()
    }
}
