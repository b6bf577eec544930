//! Child processes that die with the test process.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;

/// Starts the program and kills it when the shell's standard input ends. Only the test process holds the other end of that
/// pipe, so it ends with the process in every case, `kill -9` included.
const SUPERVISOR: &str = r#"
log=$1; shift
exec 3<&0 4>&1 </dev/null >>"$log" 2>&1
"$@" 3<&- 4>&- &
child=$!
( exec 4>&-; read -r _ <&3; kill -9 "$child" ) &
watcher=$!
exec 3<&-
echo "$child" >&4
exec 4>&-
wait "$child"
status=$?
kill "$watcher"
exit "$status"
"#;

/// A running program that dies with the test process, or when this is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    supervisor: Child,
    leash: Option<ChildStdin>,
    pid: u32,
    log: PathBuf,
}

impl Process {
    /// Starts `program`; its output goes to `log`.
    pub(crate) fn start<A: AsRef<OsStr>>(
        program: &Path,
        args: impl IntoIterator<Item = A>,
        environment: &[(&str, OsString)],
        log: PathBuf,
    ) -> Self {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut supervisor = Command::new("sh")
            .args(["-c", SUPERVISOR, "supervisor"])
            .arg(&log)
            .arg(program)
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("sh");
        let leash = supervisor.stdin.take();
        let mut line = String::new();
        let stdout = supervisor.stdout.take().expect("standard output is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("the supervisor's first line");
        let pid = line.trim().parse().expect("the supervisor says the child's process id");
        Self { name, supervisor, leash, pid, log }
    }

    /// The program's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The program's own process id, not its supervisor's.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Its output so far, the end of it.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.supervisor.try_wait().expect("own child").is_some()
    }

    /// Sends a signal by name: `STOP` freezes it, `CONT` goes on.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("sh")
            .args(["-c", r#"kill -s "$1" "$2""#, "kill", signal, &self.pid.to_string()])
            .status()
            .expect("sh");
        assert!(status.success(), "kill -s {signal} {}", self.name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.leash.take());
        // The supervisor ends when the child has; there is nobody to tell of an error.
        drop(self.supervisor.wait());
    }
}

/// A port nobody listens on now, never handed out twice by this process. Somebody else may still take it before its user
/// does, so whoever listens on it must be ready to start again with another.
pub fn free_port() -> u16 {
    static HANDED_OUT: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let port = listener.local_addr().expect("an address").port();
        if HANDED_OUT.lock().expect("no panic while held").insert(port) {
            return port;
        }
    }
}
