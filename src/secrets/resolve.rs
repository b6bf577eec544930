//! Reading secret variables from where they are, when a plan needs them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::OFlags;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use zeroize::Zeroizing;

use super::SecretValues;
use crate::diag::{Diagnostic, Diagnostics};
use crate::stack::{SecretSource, Variable, VariableValue};

/// Largest value: Kubernetes keeps no larger Secret.
const LARGEST: u64 = 1 << 20;
/// How long a command may take: time enough to type a passphrase.
const COMMAND_TIMEOUT: Duration = Duration::from_mins(2);

/// Why a value could not be had; never holds any of it.
struct Failure {
    code: &'static str,
    message: String,
    help: String,
}

/// Reads the values of secret variables: each from its [`SecretSource`], in which all precedence is settled
/// already. Generated values are left out, and with `skip` (`--skip-secrets`) all are.
///
/// Distinct commands run once each, in parallel, in `folder`, with the terminal; they do not see
/// `ARRPLAN_VAR_*`, which are other secrets. `environment` reads an environment variable.
///
/// # Errors
/// Every variable that has no value, at its declaration.
pub async fn resolve(
    variables: &BTreeMap<String, Variable>,
    folder: &Path,
    environment: &(dyn Fn(&str) -> Option<String> + Sync),
    skip: bool,
) -> Result<SecretValues, Diagnostics> {
    resolve_within(variables, folder, environment, skip, COMMAND_TIMEOUT).await
}

async fn resolve_within(
    variables: &BTreeMap<String, Variable>,
    folder: &Path,
    environment: &(dyn Fn(&str) -> Option<String> + Sync),
    skip: bool,
    timeout: Duration,
) -> Result<SecretValues, Diagnostics> {
    let mut values = SecretValues::default();
    if skip {
        return Ok(values);
    }
    let secrets = || {
        variables.iter().filter_map(|(name, variable)| match &variable.value {
            VariableValue::Secret(source) => Some((name, variable, source)),
            VariableValue::Plain(_) => None,
        })
    };
    let commands: BTreeSet<&[String]> = secrets()
        .filter_map(|(_, _, source)| match source {
            SecretSource::Command(words) => Some(words.as_slice()),
            _ => None,
        })
        .collect();
    let runs = commands.into_iter().map(async |words| (words, run(words, folder, timeout).await));
    let outputs: BTreeMap<_, _> = futures::future::join_all(runs).await.into_iter().collect();

    let mut problems = Diagnostics::default();
    for (name, variable, source) in secrets() {
        let value = match source {
            SecretSource::Env(key) => from_environment(environment(key), key),
            SecretSource::File(path) => from_file(path, folder),
            SecretSource::VarFile(path) => from_variable_file(path, name),
            SecretSource::Command(words) => match &outputs[words.as_slice()] {
                Ok(value) => Ok(value.clone()),
                Err(Failure { code, message, help }) => {
                    Err(Failure { code, message: message.clone(), help: help.clone() })
                }
            },
            SecretSource::Generate { .. } => continue,
        };
        match value {
            Ok(value) => drop(values.values.insert(name.clone(), value)),
            Err(failure) => problems.push(
                Diagnostic::error(failure.code, format!("secret variable `{name}` has no value"))
                    .at(variable.span.clone(), "")
                    .note(failure.message)
                    .help(failure.help),
            ),
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

fn from_environment(value: Option<String>, key: &str) -> Result<Zeroizing<String>, Failure> {
    let fail = |what| Failure {
        code: "E150",
        message: format!("environment variable `{key}` is {what}"),
        help: format!("set it: export {key}=…, or plan without secrets: --skip-secrets"),
    };
    match value.map(Zeroizing::new) {
        None => Err(fail("not set")),
        Some(value) if value.is_empty() => Err(fail("empty")),
        Some(value) => Ok(value),
    }
}

fn from_file(path: &Path, folder: &Path) -> Result<Zeroizing<String>, Failure> {
    let fail = |reason: &str| Failure {
        code: "E151",
        message: format!("file {}: {reason}", path.display()),
        help: "name a regular text file of at most 1 MiB below the stack's folder".to_owned(),
    };
    let real = path.canonicalize().map_err(|error| fail(&error.to_string()))?;
    let inside = folder.canonicalize().is_ok_and(|folder| real.starts_with(folder));
    if !inside {
        return Err(fail("it is not below the stack's folder"));
    }
    let bytes = read_regular(&real).map_err(|reason| fail(&reason))?;
    text(&bytes).map_err(fail)
}

fn from_variable_file(path: &Path, name: &str) -> Result<Zeroizing<String>, Failure> {
    let fail = |reason: &str| Failure {
        code: "E152",
        message: format!("variable file {}: {reason}", path.display()),
        help: format!("write there: {name} = \"…\""),
    };
    let bytes = read_regular(path).map_err(|reason| fail(&reason))?;
    let content = std::str::from_utf8(&bytes).map_err(|_| fail("it is not text"))?;
    // What the parser says quotes the line, and with it the value.
    let table: toml::Table = content.parse().map_err(|_| fail("it is not TOML"))?;
    match table.get(name) {
        Some(toml::Value::String(value)) if value.is_empty() => Err(fail("the value is empty")),
        Some(toml::Value::String(value)) => Ok(Zeroizing::new(value.clone())),
        Some(_) => Err(fail("the value is not text")),
        None => Err(fail("the value is not there any more")),
    }
}

async fn run(words: &[String], folder: &Path, timeout: Duration) -> Result<Zeroizing<String>, Failure> {
    let shown = words.join(" ");
    let fail = |reason: String| Failure {
        code: "E153",
        message: format!("command `{shown}`: {reason}"),
        help: format!("try it in {}: it must print the value and nothing else", folder.display()),
    };
    let Some((program, arguments)) = words.split_first() else {
        return Err(fail("it is empty".to_owned()));
    };
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdout(Stdio::piped()).kill_on_drop(true);
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("ARRPLAN_VAR_") {
            command.env_remove(key);
        }
    }
    let mut child = command.spawn().map_err(|error| fail(error.to_string()))?;
    let output = async {
        let mut bytes = Zeroizing::new(Vec::new());
        if let Some(stdout) = child.stdout.take() {
            stdout.take(LARGEST + 1).read_to_end(&mut bytes).await?;
        }
        // Its pipe is closed now: one that still writes ends by that.
        child.wait().await.map(|status| (status, bytes))
    };
    match tokio::time::timeout(timeout, output).await {
        Err(_) => Err(fail(format!("it did not end within {} s", timeout.as_secs()))),
        Ok(Err(error)) => Err(fail(error.to_string())),
        Ok(Ok((_, bytes))) if bytes.len() as u64 > LARGEST => {
            Err(fail("it printed more than 1 MiB".to_owned()))
        }
        Ok(Ok((status, _))) if !status.success() => Err(fail(format!("it failed with {status}"))),
        Ok(Ok((_, bytes))) => text(&bytes).map_err(|reason| fail(reason.to_owned())),
    }
}

/// The bytes of a regular file, which is not waited for if it is something else by now.
fn read_regular(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let open = || -> std::io::Result<File> {
        OpenOptions::new()
            .read(true)
            .custom_flags((OFlags::NONBLOCK | OFlags::CLOEXEC).bits().cast_signed())
            .open(path)
    };
    let file = open().map_err(|error| error.to_string())?;
    if !file.metadata().is_ok_and(|meta| meta.is_file()) {
        return Err("it is no regular file".to_owned());
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let read = file.take(LARGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LARGEST {
        return Err("it is larger than 1 MiB".to_owned());
    }
    Ok(bytes)
}

/// Bytes as a value: text, without the newline that editors and commands put at the end.
fn text(bytes: &[u8]) -> Result<Zeroizing<String>, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the value is not text")?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err("the value is empty");
    }
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{FileId, Span};

    fn variable(name: &str, source: SecretSource) -> (String, Variable) {
        let variable = Variable {
            name: name.to_owned(),
            description: None,
            value: VariableValue::Secret(source),
            span: Span::new(FileId(0), 3..4),
        };
        (name.to_owned(), variable)
    }

    fn command(words: &[&str]) -> SecretSource {
        SecretSource::Command(words.iter().map(|w| (*w).to_owned()).collect())
    }

    fn environment(key: &str) -> Option<String> {
        match key {
            "TOKEN" => Some("from-env".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    async fn resolved(
        folder: &Path,
        sources: Vec<(&str, SecretSource)>,
    ) -> Result<SecretValues, Diagnostics> {
        let variables = sources.into_iter().map(|(name, source)| variable(name, source)).collect();
        resolve_within(&variables, folder, &environment, false, Duration::from_secs(2)).await
    }

    #[tokio::test]
    async fn every_source_gives_its_value_and_one_newline_less() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("one"), "from-file\n").unwrap();
        std::fs::write(at("two"), "from-file\r\n").unwrap();
        std::fs::write(at("three"), "a\n\n").unwrap();
        std::fs::write(at("v.toml"), "token = \"from-vars\"\n").unwrap();
        let values = resolved(
            folder.path(),
            vec![
                ("env", SecretSource::Env("TOKEN".to_owned())),
                ("one", SecretSource::File(at("one"))),
                ("two", SecretSource::File(at("two"))),
                ("three", SecretSource::File(at("three"))),
                ("token", SecretSource::VarFile(at("v.toml"))),
                ("command", command(&["sh", "-c", "pwd; printf %s \"$0\"", "x y"])),
            ],
        )
        .await
        .unwrap();
        let inside = folder.path().canonicalize().unwrap();
        for (name, expected) in [
            ("env", "from-env"),
            ("one", "from-file"),
            ("two", "from-file"),
            ("three", "a\n"),
            ("token", "from-vars"),
            ("command", &format!("{}\nx y", inside.display())),
        ] {
            assert_eq!(values.get(name), Some(expected));
        }
        assert_eq!(values.get("none"), None);
        let shown = format!("{values:?}");
        assert_eq!(shown, r#"{"command", "env", "one", "three", "token", "two"}"#);
    }

    #[tokio::test]
    async fn a_command_runs_once_and_beside_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let count = command(&["sh", "-c", "echo x >> runs; sleep 0.5; echo value"]);
        let start = std::time::Instant::now();
        let values = resolved(
            folder.path(),
            vec![
                ("a", count.clone()),
                ("b", count),
                ("c", command(&["sh", "-c", "sleep 0.5; echo other"])),
                ("d", command(&["sh", "-c", "sleep 0.5; echo third"])),
            ],
        )
        .await
        .unwrap();
        assert!(start.elapsed() < Duration::from_millis(1400), "{:?}", start.elapsed());
        assert_eq!(
            (values.get("a"), values.get("b"), values.get("c")),
            (Some("value"), Some("value"), Some("other"))
        );
        assert_eq!(std::fs::read_to_string(folder.path().join("runs")).unwrap(), "x\n");
    }

    #[tokio::test]
    async fn every_failure_is_told_without_the_value() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(outside.path().join("x"), "s3cr3t").unwrap();
        std::os::unix::fs::symlink(outside.path().join("x"), at("link")).unwrap();
        std::fs::write(at("binary"), b"s3cr3t\xff").unwrap();
        std::fs::write(at("empty"), "\n").unwrap();
        std::fs::write(at("large"), "x".repeat((1 << 20) + 1)).unwrap();
        std::fs::write(at("bad.toml"), "t = \"s3cr3t\nu = 1").unwrap();
        std::fs::write(at("number.toml"), "t = 1\nu = \"\"\n").unwrap();
        let pipe = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(pipe.success());
        let cases = [
            ("t", SecretSource::Env("NONE".to_owned()), "environment variable `NONE` is not set"),
            ("t", SecretSource::Env("EMPTY".to_owned()), "environment variable `EMPTY` is empty"),
            ("t", SecretSource::File(at("none")), "No such file"),
            ("t", SecretSource::File(at("link")), "not below the stack's folder"),
            ("t", SecretSource::File(at("../not-there-for-arrplan")), "No such file"),
            ("t", SecretSource::File("/etc/hostname".into()), "not below the stack's folder"),
            ("t", SecretSource::File(folder.path().to_owned()), "no regular file"),
            ("t", SecretSource::File(at("pipe")), "no regular file"),
            ("t", SecretSource::File(at("binary")), "the value is not text"),
            ("t", SecretSource::File(at("empty")), "the value is empty"),
            ("t", SecretSource::File(at("large")), "larger than 1 MiB"),
            ("t", SecretSource::VarFile(at("bad.toml")), "it is not TOML"),
            ("t", SecretSource::VarFile(at("number.toml")), "the value is not text"),
            ("u", SecretSource::VarFile(at("number.toml")), "the value is empty"),
            ("v", SecretSource::VarFile(at("number.toml")), "not there any more"),
            ("t", command(&[]), "it is empty"),
            ("t", command(&["./none"]), "No such file"),
            ("t", command(&["sh", "-c", "echo s3cr3t; exit 3"]), "it failed with exit status: 3"),
            ("t", command(&["true"]), "the value is empty"),
            ("t", command(&["sh", "-c", "echo s3cr3t; sleep 60"]), "it did not end within 2 s"),
            ("t", command(&["head", "-c", "2000000", "/dev/zero"]), "it printed more than 1 MiB"),
        ];
        let checks = cases.into_iter().map(async |(name, source, expected)| {
            let Err(problems) = resolved(folder.path(), vec![(name, source)]).await else {
                panic!("no error: {expected}");
            };
            let text = format!("{problems:?}");
            assert!(text.contains(expected), "{expected}: {text}");
            assert!(text.contains(&format!("secret variable `{name}` has no value")));
            assert!(!text.contains("s3cr3t") || text.contains("echo s3cr3t"), "{text}");
        });
        futures::future::join_all(checks).await;
    }

    #[tokio::test]
    async fn all_problems_are_told_at_once_and_skipping_reads_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let variables = ["a", "b"]
            .map(|name| variable(name, command(&["sh", "-c", "touch ran; exit 1"])))
            .into_iter()
            .collect();
        let skipped = resolve(&variables, folder.path(), &environment, true).await.unwrap();
        assert_eq!(skipped.get("a"), None);
        assert!(!folder.path().join("ran").exists());
        let problems = resolve(&variables, folder.path(), &environment, false).await.unwrap_err();
        assert_eq!(problems.0.len(), 2);
        assert!(problems.0.iter().all(|d| d.labels[0].span.start == 3));
        assert!(folder.path().join("ran").exists());
    }
}
