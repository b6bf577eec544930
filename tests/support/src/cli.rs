//! The real binary, run as a user would, in an environment of its own.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::canary;
use crate::plane::lock;
use crate::redact::redact;
use crate::scratch::scratch_folder;

/// The binary under test: `support::arrplan!().args(["plan", "a.toml"]).run()`.
#[macro_export]
macro_rules! arrplan {
    () => {
        // Cargo says where the binary is only to the test binary itself.
        $crate::ArrplanCmd::new(env!("CARGO_BIN_EXE_arrplan"))
    };
}

/// One command line. Nothing of the caller's environment is in it but `PATH`; the home folder is a new one.
#[derive(Debug)]
pub struct ArrplanCmd {
    program: PathBuf,
    args: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    folder: PathBuf,
    home: PathBuf,
    stdin: Vec<u8>,
    limit: Duration,
}

impl ArrplanCmd {
    /// See [`arrplan!`](crate::arrplan).
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let home = scratch_folder("home");
        let environment = [
            ("PATH", std::env::var_os("PATH").unwrap_or_default()),
            ("HOME", home.clone().into()),
            ("TMPDIR", home.clone().into()),
            ("NO_COLOR", "1".into()),
            ("COLUMNS", "120".into()),
            ("LANG", "C.UTF-8".into()),
            ("TZ", "UTC".into()),
        ];
        Self {
            program: program.into(),
            args: Vec::new(),
            environment: environment.map(|(name, value)| (name.into(), value)).into(),
            folder: home.clone(),
            home,
            stdin: Vec::new(),
            limit: Duration::from_mins(3),
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Sets `KUBECONFIG`. Without this there is no cluster.
    #[must_use]
    pub fn kubeconfig(self, path: impl AsRef<Path>) -> Self {
        self.env("KUBECONFIG", path.as_ref())
    }

    /// The working folder; without this, the new home folder.
    #[must_use]
    pub fn folder(mut self, path: impl Into<PathBuf>) -> Self {
        self.folder = path.into();
        self
    }

    /// Another home folder, so that several runs share one.
    #[must_use]
    pub fn home(mut self, path: impl Into<PathBuf>) -> Self {
        self.home = path.into();
        let home = self.home.clone();
        self.env("TMPDIR", &home).env("HOME", home)
    }

    /// What is on standard input, which is never a terminal.
    #[must_use]
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = text.into();
        self
    }

    /// How long it may run before the test fails; three minutes without this.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// With its output so far, when it runs longer than its limit.
    #[track_caller]
    pub fn run(self) -> RunOutput {
        self.spawn().finish()
    }

    /// Runs it to its end; where it left a secret that the harness knows. [`Self::run`] fails by that.
    #[track_caller]
    pub fn leaks(self) -> Vec<String> {
        let mut running = self.spawn();
        let status = running.wait();
        running.output_and_leaks(status).1
    }

    /// Starts it, for tests that watch it, signal it or kill it. It is killed when dropped.
    #[track_caller]
    pub fn spawn(self) -> Running {
        let mut child = Command::new(&self.program)
            .args(&self.args)
            .env_clear()
            .envs(self.environment)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        let mut pipe = child.stdin.take().expect("standard input is a pipe");
        let stdin = self.stdin;
        // It may end, or be killed, without having read it all.
        let writer = std::thread::spawn(move || drop(pipe.write_all(&stdin)));
        let stdout = Collected::from(child.stdout.take().expect("standard output is a pipe"));
        let stderr = Collected::from(child.stderr.take().expect("standard error is a pipe"));
        Running {
            child,
            stdout,
            stderr,
            _writer: writer,
            started: Instant::now(),
            limit: self.limit,
            command: self.args.iter().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" "),
            folders: vec![(self.folder, "[folder]"), (self.home, "[home]")],
        }
    }
}

/// What a pipe gave so far, read by a thread so that the writer never waits for us.
#[derive(Debug)]
struct Collected {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Collected {
    fn from(pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let sink = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                lock(&sink).append(&mut line);
            }
        });
        Self { text, reader: Some(reader) }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&lock(&self.text)).into_owned()
    }

    fn all(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
        self.so_far()
    }
}

/// The binary while it runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Collected,
    stderr: Collected,
    _writer: JoinHandle<()>,
    started: Instant,
    limit: Duration,
    command: String,
    folders: Vec<(PathBuf, &'static str)>,
}

impl Running {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Standard output so far, whole lines.
    pub fn stdout(&self) -> String {
        self.stdout.so_far()
    }

    /// Standard error so far, whole lines.
    pub fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("own child").is_some()
    }

    /// Sends a signal by name, such as `INT`.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("sh")
            .args(["-c", r#"kill -s "$1" "$2""#, "kill", signal, &self.pid().to_string()])
            .status()
            .expect("sh");
        assert!(status.success(), "kill -s {signal}");
    }

    /// `kill -9`, and what it had said by then.
    #[track_caller]
    pub fn kill(mut self) -> RunOutput {
        self.child.kill().expect("own child");
        let status = self.child.wait().expect("own child");
        self.output(status)
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// With its output so far, when it runs longer than its limit.
    #[track_caller]
    pub fn finish(mut self) -> RunOutput {
        let status = self.wait();
        self.output(status)
    }

    #[track_caller]
    fn wait(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.child.try_wait().expect("own child") {
                return status;
            }
            let (stdout, stderr) = (&self.stdout, &self.stderr);
            assert!(
                self.started.elapsed() < self.limit,
                "still runs after {} s\n----- stdout\n{}\n----- stderr\n{}",
                self.limit.as_secs(),
                stdout.so_far(),
                stderr.so_far()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[track_caller]
    fn output(&mut self, status: ExitStatus) -> RunOutput {
        let (output, leaks) = self.output_and_leaks(status);
        canary::none(&leaks);
        output
    }

    fn output_and_leaks(&mut self, status: ExitStatus) -> (RunOutput, Vec<String>) {
        let (stdout, stderr) = (self.stdout.all(), self.stderr.all());
        let said = [("stdout", stdout.as_bytes()), ("stderr", stderr.as_bytes())];
        let folders: Vec<&Path> = self.folders.iter().map(|(path, _)| path.as_path()).collect();
        let leaks = canary::look_through(&self.command, &said, &folders);
        let output = RunOutput {
            stdout,
            stderr,
            status: status.code(),
            elapsed: self.started.elapsed(),
            names: self.folders.iter().map(|(path, name)| (text(path), (*name).to_owned())).collect(),
        };
        (output, leaks)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended, and there is nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// All a run gave.
#[derive(Debug, Clone)]
pub struct RunOutput {
    /// Standard output as it was.
    pub stdout: String,
    /// Standard error as it was.
    pub stderr: String,
    /// The exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    /// How long it ran.
    pub elapsed: Duration,
    names: Vec<(String, String)>,
}

impl RunOutput {
    /// Shows `text` as `name` in the snapshot.
    #[must_use]
    pub fn redact(mut self, text: impl Into<String>, name: impl Into<String>) -> Self {
        self.names.insert(0, (text.into(), name.into()));
        self
    }

    /// The same, when the status is `expected`.
    #[expect(clippy::return_self_not_must_use, reason = "the check alone is often all that a test wants")]
    #[track_caller]
    pub fn expect_status(self, expected: i32) -> Self {
        assert_eq!(self.status, Some(expected), "{self}");
        self
    }

    /// Status, standard output and standard error in one text, with everything redacted that changes from run to run: also
    /// whether a real server had so much to do, or made the lists of a new kind ready just then, that it said 429.
    pub fn snapshot(&self) -> String {
        let is_pause = |line: &&str| line.starts_with("the API server asks to slow down: ");
        let lines = self.to_string();
        let mut shown: String = lines.split_inclusive('\n').filter(|line| !is_pause(line)).collect();
        for (text, name) in self.names.iter().filter(|(text, _)| !text.is_empty()) {
            shown = shown.replace(text, name);
        }
        redact(&shown)
    }
}

impl fmt::Display for RunOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.status.map_or_else(|| "ended by a signal".to_owned(), |status| status.to_string());
        write!(f, "status: {status}\n----- stdout\n{}\n----- stderr\n{}", self.stdout, self.stderr)
    }
}

fn text(path: impl AsRef<OsStr>) -> String {
    path.as_ref().to_string_lossy().into_owned()
}
