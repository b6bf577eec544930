//! Where the control plane's programs come from.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once};

use crate::plane::lock;

/// The exit status of `tests/controlplane/build` when there is no Go.
const NO_GO: i32 = 3;

/// The programs and files that were asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Programs {
    paths: BTreeMap<String, PathBuf>,
}

impl Programs {
    /// The path of a program, or the folder of copied files.
    pub(crate) fn path(&self, target: &str) -> &Path {
        self.paths.get(target).unwrap_or_else(|| panic!("{target} is not among what this part asked for"))
    }

    /// Finds or builds the targets (names of `tests/controlplane/targets`; folders of files as `share/NAME`).
    ///
    /// `None`: they are neither here nor buildable, which was said on the terminal.
    ///
    /// # Panics
    /// When a build fails; when they cannot be had and `CI` is `true`.
    pub(crate) fn find(targets: &[&str]) -> Option<Self> {
        // Held while building: whoever else needs a program waits for it here, not in a second build.
        static KNOWN: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
        let mut known = lock(&KNOWN);
        for target in targets {
            if let Some(asset) = asset(target) {
                known.entry((*target).to_owned()).or_insert(asset);
            }
        }
        let missing: Vec<&str> =
            targets.iter().copied().filter(|target| !known.contains_key(*target)).collect();
        if !missing.is_empty() {
            let root = build(&missing)?;
            for target in missing {
                let path = if target.starts_with("share/") {
                    root.join(target)
                } else {
                    root.join("bin").join(target)
                };
                known.insert(target.to_owned(), path);
            }
        }
        let paths = targets.iter().map(|target| ((*target).to_owned(), known[*target].clone())).collect();
        Some(Self { paths })
    }
}

/// The path of one target of `tests/controlplane/targets`, built if need be (`helm`, `share/cozystack/basics`). `None`: not to
/// be had here, which was said on the terminal.
pub fn program(target: &str) -> Option<PathBuf> {
    Some(Programs::find(&[target])?.path(target).to_owned())
}

/// The convention of controller-runtime's envtest: a folder with etcd, kube-apiserver and kubectl.
fn asset(target: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("KUBEBUILDER_ASSETS")?).join(target);
    (!target.contains('/') && path.is_file()).then_some(path)
}

fn build(targets: &[&str]) -> Option<PathBuf> {
    static NO_GO_HERE: AtomicBool = AtomicBool::new(false);
    if NO_GO_HERE.load(Ordering::Relaxed) {
        report_missing(targets);
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../controlplane/build");
    let output = Command::new(&script)
        .args(targets.iter().map(|target| target.strip_prefix("share/").unwrap_or(target)))
        .stdin(Stdio::null())
        // Its progress belongs on the terminal while it goes on, past the test runner's capture.
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    match output.status.code() {
        Some(0) => Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())),
        Some(NO_GO) => {
            NO_GO_HERE.store(true, Ordering::Relaxed);
            report_missing(targets);
            None
        }
        _ => panic!("{} failed ({}); its output is above", script.display(), output.status),
    }
}

fn report_missing(targets: &[&str]) {
    static EXPLAINED: Once = Once::new();
    // The test runner names a test's thread after the test.
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "CI=true, and {test} cannot run without {targets:?}"
    );
    // Not `eprintln!`: what a passing test prints is captured, and this test will pass.
    let mut terminal = std::io::stderr().lock();
    EXPLAINED.call_once(|| {
        let explanation = "\n\
            ===========================================================================================\n\
            NOT EVERY TEST RAN: those against a real control plane need programs that are not here, and\n\
            there is no Go to build them with. Any of these gets them:\n  \
              - install Go 1.26 or newer (https://go.dev/dl/) and run `cargo test` again: they are built\n    \
                once, in about 20 minutes, or beforehand by `tests/controlplane/build`;\n  \
              - set KUBEBUILDER_ASSETS to a folder with etcd, kube-apiserver and kubectl: enough for the\n    \
                tests without controllers.\n\
            The tests that did not run:\n\
            ===========================================================================================\n";
        drop(terminal.write_all(explanation.as_bytes()));
    });
    drop(writeln!(terminal, "NOT RUN: {test}"));
}
