//! The lock: one writer per state. The kernel frees it with its process, so it is never stale.
//!
//! The lock file is never removed or renamed, because a lock on a removed file excludes nobody. The holder
//! writes who it is into it and empties it when it lets go: what is left in it with nobody holding the lock
//! was left by a process that died.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::disk::{Disk, How, Open};
use super::error::Error;
use super::files;
use crate::failpoint;

/// How long a lock is tried even without a timeout: a reader that looks whether it is held holds it for a
/// moment itself.
const GRACE: Duration = Duration::from_millis(200);
/// How often a held lock is tried again: the kernel tells nobody when it becomes free.
const RETRY: Duration = Duration::from_millis(50);

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// User name.
    pub user: String,
    /// Host name.
    pub host: String,
    /// `apply`, `destroy`, …
    pub operation: String,
    /// Since when.
    pub started: Timestamp,
}

impl Holder {
    /// This process, doing `operation`.
    #[must_use]
    pub fn this_process(operation: &str, now: Timestamp) -> Self {
        let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
        Self {
            pid: std::process::id(),
            user: user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw())),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            operation: operation.to_owned(),
            started: now,
        }
    }

    /// `user@host`.
    #[must_use]
    pub fn who(&self) -> String {
        format!("{}@{}", self.user, self.host)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return f.write_str("another process");
        }
        write!(
            f,
            "`arrplan {}` of {} (process {}, since {})",
            self.operation,
            self.who(),
            self.pid,
            self.started.strftime("%Y-%m-%d %H:%M:%S UTC")
        )
    }
}

/// What a lock file holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    holder: Holder,
    /// When the first of the runs of this operation started that were killed one after the other before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resumes: Option<Timestamp>,
    /// The revision that a rollback returns to, as soon as it is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    returns_to: Option<u64>,
}

impl Entry {
    /// With the start of the first of several runs that were killed.
    fn since_the_first(self) -> Self {
        let started = self.resumes.unwrap_or(self.holder.started);
        Self { holder: Holder { started, ..self.holder }, ..self }
    }

    /// The last whole line counts: what becomes known later is written below what was.
    fn read(disk: &Disk, path: &Path) -> Option<Self> {
        let bytes = disk.read(path).ok()??;
        let lines = bytes.split(|byte| *byte == b'\n');
        lines.rev().find_map(|line| serde_json::from_slice(line).ok())
    }
}

/// How long to wait for a lock that is held, and whom to tell.
pub struct LockWait<'a> {
    /// `--lock-timeout`; zero gives up at once.
    pub timeout: Duration,
    /// Called once for each holder that is waited for.
    pub waiting: &'a mut (dyn FnMut(&Holder) + Send),
}

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub struct Lock {
    file: Box<dyn Open>,
    path: PathBuf,
    entry: Entry,
    died: Option<Entry>,
    /// This process came to the end of what it did.
    ended: AtomicBool,
}

impl Lock {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`Error::Locked`] when it is still held after the timeout, [`Error::NoLocks`] when the file system has
    /// none: work never goes on unlocked.
    pub async fn acquire(
        disk: &Disk,
        path: &Path,
        holder: &Holder,
        wait: LockWait<'_>,
    ) -> Result<Self, Error> {
        let start = Instant::now();
        let mut told: Option<Holder> = None;
        loop {
            let file = disk.open_lock(path)?;
            match file.lock(false) {
                Ok(true) if file.is_at(path) => {
                    let died = Entry::read(disk, path).map(Entry::since_the_first);
                    let same = died.as_ref().filter(|died| died.holder.operation == holder.operation);
                    let entry = Entry {
                        holder: holder.clone(),
                        resumes: same.map(|died| died.holder.started),
                        returns_to: same.and_then(|died| died.returns_to),
                    };
                    let ended = AtomicBool::new(false);
                    let mut lock = Self { file, path: path.to_owned(), entry, died, ended };
                    lock.introduce().map_err(files::failed("write", path))?;
                    failpoint::hit("lock.taken");
                    return Ok(lock);
                }
                // Somebody removed the file under us: the lock is on nothing.
                Ok(true) => {}
                Ok(false) => {
                    let other = read_holder(disk, path).unwrap_or_else(unknown);
                    let waited = start.elapsed();
                    if waited >= wait.timeout.max(GRACE) {
                        return Err(Error::Locked { path: path.to_owned(), holder: other });
                    }
                    if waited >= GRACE && told.as_ref() != Some(&other) {
                        (wait.waiting)(&other);
                        told = Some(other);
                    }
                }
                Err(source) if has_no_locks(&source) => {
                    return Err(Error::NoLocks { path: path.to_owned(), source });
                }
                Err(source) => return Err(files::failed("lock", path)(source)),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Who held it before and never let go of it: a process that was killed. Of several that did the same and
    /// were killed one after the other, the last, since the start of the first.
    #[must_use]
    pub fn died(&self) -> Option<&Holder> {
        self.died.as_ref().map(|died| &died.holder)
    }

    /// Which revision that process was returning to.
    #[must_use]
    pub fn died_returning_to(&self) -> Option<u64> {
        self.died.as_ref()?.returns_to
    }

    /// Notes which revision this process returns to, for whoever comes after it if it is killed.
    ///
    /// # Errors
    /// When the lock file cannot be written.
    pub fn returns_to(&mut self, serial: u64) -> Result<(), Error> {
        self.entry.returns_to = Some(serial);
        self.append().map_err(files::failed("write", &self.path))
    }

    /// What was left undone before is done, or is this process's own now: nobody died before it any more.
    pub fn ended(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    fn introduce(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.append()
    }

    fn append(&mut self) -> io::Result<()> {
        let text = serde_json::to_string(&self.entry)?;
        self.file.append(format!("{text}\n").as_bytes())
    }
}

/// Whether the file system itself says that it has no locks, as some network file systems do.
fn has_no_locks(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let of_none = [Errno::NOLCK, Errno::OPNOTSUPP, Errno::NOTSUP, Errno::NOSYS, Errno::INVAL];
    error.raw_os_error().is_some_and(|code| of_none.iter().any(|errno| errno.raw_os_error() == code))
}

impl Drop for Lock {
    fn drop(&mut self) {
        failpoint::hit("lock.releasing");
        // Best effort: what stays behind is harmless, since the lock itself goes with the file. Who did nothing, as
        // after a "no", leaves word of the one that died.
        let emptied = self.file.set_len(0);
        if let Some(died) =
            self.died.take().filter(|_| emptied.is_ok() && !self.ended.load(Ordering::Relaxed))
        {
            self.entry = died;
            drop(self.append());
        }
    }
}

/// Who holds the lock right now, if anybody. Takes nothing: only a file with a name in it is tried, for a
/// moment, with a shared lock.
#[must_use]
pub fn probe(disk: &Disk, path: &Path) -> Option<Holder> {
    let held = disk.read(path).ok()?.is_some_and(|bytes| !bytes.is_empty());
    if !held {
        return None;
    }
    let file = disk.files().open(path, How::Look).ok()?;
    match file.lock(true) {
        Ok(false) => Some(read_holder(disk, path).unwrap_or_else(unknown)),
        _ => None,
    }
}

fn read_holder(disk: &Disk, path: &Path) -> Option<Holder> {
    Entry::read(disk, path).map(|entry| entry.holder)
}

fn unknown() -> Holder {
    Holder {
        pid: 0,
        user: String::new(),
        host: String::new(),
        operation: String::new(),
        started: Timestamp::UNIX_EPOCH,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufRead;
    use std::process::{Command, Stdio};
    use std::sync::atomic::AtomicUsize;

    fn holder(operation: &str) -> Holder {
        Holder {
            pid: 7,
            user: "ann".to_owned(),
            host: "nas".to_owned(),
            operation: operation.to_owned(),
            started: "2026-01-02T03:04:05Z".parse().unwrap(),
        }
    }

    async fn take(path: &Path, timeout: Duration, calls: &mut Vec<String>) -> Result<Lock, Error> {
        let wait = LockWait { timeout, waiting: &mut |h: &Holder| calls.push(h.operation.clone()) };
        Lock::acquire(&Disk::real(), path, &holder("apply"), wait).await
    }

    #[tokio::test]
    async fn one_holder_at_a_time_and_its_name_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        assert_eq!(probe(&Disk::real(), &path), None);
        let lock = take(&path, Duration::ZERO, &mut Vec::new()).await.unwrap();
        assert_eq!(probe(&Disk::real(), &path), Some(holder("apply")));
        let refused = take(&path, Duration::ZERO, &mut Vec::new()).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!(
                "the state is locked by `arrplan apply` of ann@nas (process 7, since 2026-01-02 03:04:05 UTC) ({})",
                path.display()
            )
        );
        drop(lock);
        assert_eq!(probe(&Disk::real(), &path), None);
        take(&path, Duration::ZERO, &mut Vec::new()).await.unwrap();
    }

    #[tokio::test]
    async fn who_waits_is_told_once_and_gets_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let lock = take(&path, Duration::ZERO, &mut Vec::new()).await.unwrap();
        let release = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(600)).await;
            drop(lock);
        });
        let mut calls = Vec::new();
        take(&path, Duration::from_secs(30), &mut calls).await.unwrap();
        release.await.unwrap();
        assert_eq!(calls, ["apply"]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_tasks_never_hold_it_together() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let inside = std::sync::Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (path, inside) = (path.clone(), inside.clone());
                tokio::spawn(async move {
                    let lock = take(&path, Duration::from_mins(1), &mut Vec::new()).await.unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    inside.fetch_sub(1, Ordering::SeqCst);
                    drop(lock);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_file_system_without_locks_is_refused_and_another_failure_is_not_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let place = path.display();
        for (error, code, says) in [
            ("ENOLCK", "E508", "name a place on a local disk with --state"),
            ("EOPNOTSUPP", "E508", "name a place on a local disk with --state"),
            ("EIO", "E501", "mend that and run the same command again"),
        ] {
            let disk = Disk::scripted(&format!("lock:x.lock={error}")).unwrap();
            let wait = LockWait { timeout: Duration::from_mins(1), waiting: &mut |_| {} };
            let refused = Lock::acquire(&disk, &path, &holder("apply"), wait).await.unwrap_err();
            assert_eq!((refused.to_string(), refused.code()), (format!("cannot lock {place}"), code));
            assert_eq!(refused.help().last().map_or("", String::as_str), says);
        }
    }

    const CHILD: &str = "ARRPLAN_TEST_LOCK";

    /// Not a test of its own: the other process of the next one.
    #[tokio::test]
    #[ignore = "runs as a child of killing_the_holder_frees_the_lock"]
    async fn child_that_holds_the_lock() {
        let Ok(path) = std::env::var(CHILD) else { return };
        let _lock = take(Path::new(&path), Duration::ZERO, &mut Vec::new()).await.unwrap();
        println!("\nheld");
        std::thread::sleep(Duration::from_mins(1));
    }

    #[tokio::test]
    async fn killing_the_holder_frees_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["state::lock::tests::child_that_holds_the_lock", "--exact", "--ignored", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == "held"));
        assert!(probe(&Disk::real(), &path).is_some());
        assert!(take(&path, Duration::ZERO, &mut Vec::new()).await.is_err());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(probe(&Disk::real(), &path), None, "the dead holder's name alone is no lock");
        let lock = take(&path, Duration::ZERO, &mut Vec::new()).await.unwrap();
        assert_eq!(lock.died(), Some(&holder("apply")));
        drop(lock);
        let lock = take(&path, Duration::ZERO, &mut Vec::new()).await.unwrap();
        assert_eq!(lock.died(), Some(&holder("apply")), "who did nothing tells of it again");
        assert_eq!(probe(&Disk::real(), &path), Some(holder("apply")));
        lock.ended();
        drop(lock);
        assert_eq!(std::fs::read(&path).unwrap(), b"");
        let lock = take(&path, Duration::ZERO, &mut Vec::new()).await.unwrap();
        assert_eq!(lock.died(), None, "who let go did not die");
        drop(lock);

        // Two that died, one after the other.
        let first = Holder { started: "2026-01-01T00:00:00Z".parse().unwrap(), ..holder("apply") };
        std::fs::write(&path, serde_json::to_string(&first).unwrap()).unwrap();
        let lock = take(&path, Duration::ZERO, &mut Vec::new()).await.unwrap();
        assert_eq!(probe(&Disk::real(), &path), Some(holder("apply")));
        let left = std::fs::read(&path).unwrap();
        drop(lock);
        std::fs::write(&path, left).unwrap();
        let lock = take(&path, Duration::ZERO, &mut Vec::new()).await.unwrap();
        assert_eq!(lock.died(), Some(&first));
    }
}
