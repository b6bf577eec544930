//! Sessions of plain kubectl: the same commands against both servers, their whole output compared.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use regex::Regex;

use crate::server::{self, Server};

/// A session: its files, then its commands, one in a line. `{n}` is the namespace, and part of every cluster-wide
/// name.
struct Session {
    name: &'static str,
    text: &'static str,
}

const SESSIONS: [Session; 3] = [
    Session { name: "built-in", text: include_str!("kubectl/built_in.txt") },
    Session { name: "custom", text: include_str!("kubectl/custom.txt") },
    Session { name: "discovery", text: include_str!("kubectl/discovery.txt") },
];

/// What the sandbox refuses and kube-apiserver does not.
const REFUSED: Session = Session { name: "refused", text: include_str!("kubectl/refused.txt") };

#[test]
fn sessions_read_the_same_on_both_servers() {
    let (Some(servers), Some(kubectl)) = (server::servers(), support::program("kubectl")) else {
        return;
    };
    let mut commands = 0;
    for session in &SESSIONS {
        let told: Vec<(String, usize)> = [&servers.real, &servers.sandbox]
            .into_iter()
            .flatten()
            .map(|server| session.run(&kubectl, server))
            .collect();
        if let [(real, count), (sandbox, _)] = told.as_slice() {
            let difference = support_diff(real, sandbox);
            assert!(real == sandbox, "session {}: kubectl says\n{difference}", session.name);
            commands += count;
        }
        if let Some((told, _)) = told.first() {
            insta::assert_snapshot!(session.name, told);
        }
    }
    println!("kubectl: {commands} commands, the same output from both servers");
    assert!(servers.real.is_none() || servers.sandbox.is_none() || commands >= 60, "{commands} commands");
}

#[test]
fn what_is_not_served_is_refused_in_clear_words() {
    let (Some(servers), Some(kubectl)) = (server::servers(), support::program("kubectl")) else {
        return;
    };
    if let Some(sandbox) = &servers.sandbox {
        insta::assert_snapshot!(REFUSED.name, REFUSED.run(&kubectl, sandbox).0);
    }
}

/// Every version the sandbox tells of is one of kube-apiserver's.
#[test]
fn nothing_is_told_of_that_kube_apiserver_lacks() {
    let (Some(servers), Some(kubectl)) = (server::servers(), support::program("kubectl")) else {
        return;
    };
    let (Some(real), Some(sandbox)) = (&servers.real, &servers.sandbox) else {
        return;
    };
    let told = |server: &Server| -> Vec<String> {
        let folder = folder(server, "versions");
        let (_, output) = run(&kubectl, server, &folder, "api-resources --no-headers");
        let lines = output.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        lines.filter(|line| !line.contains("example.com") && !line.contains("example.org")).collect()
    };
    let (real, sandbox) = (told(real), told(sandbox));
    assert!(sandbox.len() >= 30, "{sandbox:#?}");
    let more: Vec<&String> = sandbox.iter().filter(|line| !real.contains(line)).collect();
    assert!(more.is_empty(), "{more:#?}");
}

fn support_diff(real: &str, sandbox: &str) -> String {
    let diff = similar::TextDiff::from_lines(real, sandbox);
    diff.unified_diff().context_radius(3).header("real", "sandbox").to_string()
}

impl Session {
    /// What the commands say, and how many they are.
    fn run(&self, kubectl: &Path, server: &Server) -> (String, usize) {
        let namespace = format!("k-{}-{}", self.name, std::process::id());
        let folder = folder(server, self.name);
        let (mut told, mut count) = (String::new(), 0);
        let mut file: Option<PathBuf> = None;
        for line in self.text.lines() {
            let line = line.replace("{n}", &namespace);
            if let Some(name) = line.strip_prefix("--- ") {
                let path = folder.join(name);
                std::fs::write(&path, "").expect("the scratch folder");
                file = Some(path);
            } else if let Some(command) = line.strip_prefix("$ ") {
                file = None;
                let (_, output) = run(kubectl, server, &folder, command);
                let shown = format!("$ kubectl {command}\n{output}\n");
                write!(told, "{}", named(&shown, &namespace, &folder)).expect("a String takes all text");
                count += 1;
            } else if let Some(path) = &file {
                let mut text = std::fs::read_to_string(path).expect("the scratch folder");
                text.push_str(&line);
                text.push('\n');
                std::fs::write(path, text).expect("the scratch folder");
            }
        }
        (told, count)
    }
}

fn folder(server: &Server, session: &str) -> PathBuf {
    let folder = support::scratch_dir().join(format!("kubectl-{}-{session}", server.name));
    std::fs::create_dir_all(&folder).expect("the scratch folder");
    folder
}

/// Runs a command; its code and all it printed.
fn run(kubectl: &Path, server: &Server, folder: &Path, command: &str) -> (i32, String) {
    let output = Command::new(kubectl)
        .args(words(command))
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("PATH", "/usr/bin:/bin")
        .env("KUBECONFIG", server.kubeconfig_file())
        .env("KUBECTL_EXTERNAL_DIFF", "diff -u -N")
        .output()
        .expect("kubectl runs");
    let code = output.status.code().unwrap_or(-1);
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    if code != 0 {
        write!(text, "(exit code {code})").expect("a String takes all text");
    }
    (code, text.trim_end().to_owned() + "\n")
}

/// Words of a command line; single quotes hold one together.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut started) = (false, false);
    for letter in command.chars() {
        match letter {
            '\'' => {
                quoted = !quoted;
                started = true;
            }
            ' ' if !quoted => {
                if started || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                started = false;
            }
            letter => word.push(letter),
        }
    }
    if started || !word.is_empty() {
        words.push(word);
    }
    words
}

/// What two runs cannot have in common is named instead. Columns are set by the widest cell: spaces count once.
fn named(text: &str, namespace: &str, folder: &Path) -> String {
    type Rule = (LazyLock<Regex>, &'static str);
    static RULES: [Rule; 10] = [
        // kubectl's own log: it comes and goes with how fast the machine is.
        (LazyLock::new(|| pattern(r"(?m)^[IWE]\d{4} \d\d:\d\d:\d\d\..*\n")), ""),
        (LazyLock::new(|| pattern(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")), "<uid>"),
        (LazyLock::new(|| pattern(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( [+-]\d{4}|Z)?")), "<time>"),
        (LazyLock::new(|| pattern(r#"(?m)(resourceVersion"?: )"?\d+"?"#)), "$1<version>"),
        (LazyLock::new(|| pattern(r"\b(\d+[smhd])+\b")), "<age>"),
        (LazyLock::new(|| pattern(r"(clusterIPs?: |- |\b)10\.\d+\.\d+\.\d+")), "$1<address>"),
        (LazyLock::new(|| pattern(r"/tmp/(LIVE|MERGED)-\d+")), "/tmp/$1"),
        (LazyLock::new(|| pattern(r"127\.0\.0\.1:\d+")), "<server>"),
        (LazyLock::new(|| pattern(r"(uid|UID) [0-9a-f-]{36}")), "$1 <uid>"),
        (LazyLock::new(|| pattern(r"(?m)[ \t]+$")), ""),
    ];
    static SPACES: LazyLock<Regex> = LazyLock::new(|| pattern(r"(\S) {2,}"));
    let mut text = text.replace(namespace, "{n}").replace(&folder.display().to_string(), "{folder}");
    for (rule, name) in &RULES {
        text = rule.replace_all(&text, *name).into_owned();
    }
    SPACES.replace_all(&text, "$1  ").into_owned()
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern")
}
