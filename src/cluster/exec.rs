//! Credential plugins of a kubeconfig (`exec`): run with a deadline, killed with all they started.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use kube::config::{ExecConfig, ExecInteractiveMode};
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use super::kubeconfig::ConnectError;

/// Longest run of a plugin nobody can talk to.
const ALONE: Duration = Duration::from_mins(1);
/// Longest run of a plugin that may ask the user something.
const WITH_USER: Duration = Duration::from_mins(5);
/// Most it may print.
const OUTPUT: u64 = 1 << 20;

/// What a plugin hands out.
#[derive(Default)]
pub(crate) struct Credential {
    pub(crate) token: Option<String>,
    /// Certificate and key, PEM.
    pub(crate) certificate: Option<(String, String)>,
    pub(crate) expires: Option<jiff::Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    api_version: Option<String>,
    status: Option<AnswerStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerStatus {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
    expiration_timestamp: Option<jiff::Timestamp>,
}

/// Runs the plugin. `interactive`: there is a user at a terminal (never in CI).
///
/// # Errors
/// [`ConnectError::Plugin`] names the command and what it said.
pub(crate) async fn run(
    exec: &ExecConfig,
    env: &BTreeMap<String, String>,
    interactive: bool,
) -> Result<Credential, ConnectError> {
    let limit = if interactive { WITH_USER } else { ALONE };
    run_within(exec, env, interactive, limit).await
}

async fn run_within(
    exec: &ExecConfig,
    env: &BTreeMap<String, String>,
    interactive: bool,
    limit: Duration,
) -> Result<Credential, ConnectError> {
    let name = exec.command.clone().filter(|command| !command.is_empty());
    let fail = |why: String| ConnectError::Plugin {
        command: name.clone().unwrap_or_default(),
        why,
        hint: exec.install_hint.clone(),
    };
    let Some(name) = &name else {
        return Err(fail("the kubeconfig names no command".to_owned()));
    };
    let mode = exec.interactive_mode.as_ref();
    if mode == Some(&ExecInteractiveMode::Always) && !interactive {
        return Err(fail("it needs a terminal, and there is none".to_owned()));
    }
    let interactive = interactive && mode != Some(&ExecInteractiveMode::Never);

    let info = exec_info(exec, interactive).map_err(&fail)?;
    let mut command = command(name, exec, env, interactive, &info);
    let mut child = command.spawn().map_err(|error| fail(error.to_string()))?;
    let group = Group(child.id().filter(|_| !interactive));
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let finished = async {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let (read_out, read_err, status) = tokio::join!(
            async {
                if let Some(pipe) = &mut out {
                    pipe.take(OUTPUT).read_to_end(&mut stdout).await
                } else {
                    Ok(0)
                }
            },
            async {
                if let Some(pipe) = &mut err {
                    pipe.take(OUTPUT).read_to_end(&mut stderr).await
                } else {
                    Ok(0)
                }
            },
            child.wait(),
        );
        read_out?;
        read_err?;
        Ok::<_, std::io::Error>((status?, stdout, stderr))
    };
    let finished = tokio::time::timeout(limit, finished).await;
    let Ok(finished) = finished else {
        return Err(fail(format!("no answer within {} s", limit.as_secs())));
    };
    group.ended();
    let (status, stdout, stderr) = finished.map_err(|error| fail(error.to_string()))?;
    if !status.success() {
        let said = String::from_utf8_lossy(&stderr);
        let said = said.trim();
        let last: String =
            said.lines().rev().take(5).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n");
        return Err(fail(if last.is_empty() { status.to_string() } else { format!("{status}: {last}") }));
    }
    read(&stdout, exec).map_err(fail)
}

fn command(
    name: &str,
    exec: &ExecConfig,
    env: &BTreeMap<String, String>,
    interactive: bool,
    info: &str,
) -> Command {
    let mut command = Command::new(name);
    command.args(exec.args.iter().flatten());
    // The plugin gets the user's environment without the values meant for stacks.
    command.env_clear();
    command.envs(env.iter().filter(|(key, _)| !key.starts_with("ARRPLAN_VAR_")));
    for pair in exec.env.iter().flatten() {
        if let (Some(key), Some(value)) = (pair.get("name"), pair.get("value")) {
            command.env(key, value);
        }
    }
    command.env("KUBERNETES_EXEC_INFO", info);
    command.stdout(Stdio::piped()).kill_on_drop(true);
    if interactive {
        command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
    } else {
        // A group of its own, so that the deadline ends the plugin's children too.
        command.stdin(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    }
    command
}

/// Reads what a plugin printed. It is a secret: an error says only where it stopped making sense.
fn read(stdout: &[u8], exec: &ExecConfig) -> Result<Credential, String> {
    let answer: Answer = serde_json::from_slice(stdout).map_err(|error| {
        format!("its output is no ExecCredential (line {}, column {})", error.line(), error.column())
    })?;
    if exec.api_version.is_some() && answer.api_version != exec.api_version {
        return Err(format!(
            "it answered in {}, the kubeconfig asks for {}",
            answer.api_version.as_deref().unwrap_or("no apiVersion"),
            exec.api_version.as_deref().unwrap_or_default(),
        ));
    }
    let status = answer.status.ok_or("its output has no status")?;
    let credential = Credential {
        token: status.token.filter(|token| !token.is_empty()),
        certificate: status.client_certificate_data.zip(status.client_key_data),
        expires: status.expiration_timestamp,
    };
    if credential.token.is_none() && credential.certificate.is_none() {
        return Err("its output holds neither a token nor a certificate with key".to_owned());
    }
    Ok(credential)
}

/// A plugin's process group. It is killed when this is dropped: at the deadline, and when nobody waits for the
/// plugin any more.
struct Group(Option<u32>);

impl Group {
    /// The plugin ended by itself.
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let pid = self.0.and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid
            && let Err(error) = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL)
        {
            tracing::debug!(%error, "the credential plugin is gone already");
        }
    }
}

fn exec_info(exec: &ExecConfig, interactive: bool) -> Result<String, String> {
    let mut spec = serde_json::json!({ "interactive": interactive });
    if let Some(cluster) = exec.cluster.as_ref().filter(|_| exec.provide_cluster_info) {
        spec["cluster"] = serde_json::to_value(cluster).map_err(|error| error.to_string())?;
    }
    Ok(serde_json::json!({
        "apiVersion": exec.api_version,
        "kind": "ExecCredential",
        "spec": spec,
    })
    .to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> ExecConfig {
        let config = serde_json::json!({
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "/bin/sh",
            "args": ["-c", script],
            "env": [{ "name": "GIVEN", "value": "by-kubeconfig" }],
            "installHint": "apt install it",
        });
        serde_json::from_value(config).unwrap()
    }

    fn env() -> BTreeMap<String, String> {
        [("PATH", "/usr/bin:/bin"), ("ARRPLAN_VAR_key", "canary")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into()
    }

    async fn why(script: &str) -> String {
        match run_within(&shell(script), &env(), false, Duration::from_secs(1)).await {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{script}"),
        }
    }

    #[tokio::test]
    async fn a_plugin_gets_its_environment_without_ours_and_hands_out_a_token() {
        let script = r#"[ -z "$ARRPLAN_VAR_key" ] || exit 9; case "$KUBERNETES_EXEC_INFO" in *'"interactive":false'*) ;; *) exit 8;; esac
            printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s","expirationTimestamp":"2030-01-01T00:00:00Z"}}' "$GIVEN""#;
        let credential = run(&shell(script), &env(), false).await.unwrap();
        assert_eq!(credential.token.as_deref(), Some("by-kubeconfig"));
        assert!(credential.expires.is_some());
    }

    #[tokio::test]
    async fn trouble_is_told_with_what_the_plugin_said_on_stderr_but_never_on_stdout() {
        let text = why("echo expired session >&2; exit 3").await;
        assert!(text.contains("expired session") && text.contains("apt install it"), "{text}");
        let text = why("echo canary-token").await;
        assert!(text.contains("no ExecCredential") && !text.contains("canary"), "{text}");
        assert!(why(r#"echo '{"apiVersion":"v0","status":{"token":"x"}}'"#).await.contains("asks for"));
        assert!(
            why(r#"echo '{"apiVersion":"client.authentication.k8s.io/v1"}'"#).await.contains("no status")
        );
        assert!(why("read x || exit 7").await.contains('7'), "no standard input");
    }

    #[tokio::test]
    async fn a_plugin_that_hangs_is_killed_with_its_children() {
        let marker = tempfile::tempdir().unwrap();
        let file = marker.path().join("alive");
        let script = format!("(sleep 3; touch {}) & sleep 60", file.display());
        assert!(why(&script).await.contains("no answer within 1 s"));
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(!file.exists(), "the plugin's child went on");
    }
}
