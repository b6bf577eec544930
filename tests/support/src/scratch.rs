//! The folder of this test process below the system's temporary folder, and who removes it.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Once, OnceLock};

/// Statics are never dropped and a killed process drops nothing, so a shell that outlives the process does the removing: it
/// waits for the end of its standard input, which only this process holds open. After a failure (the file `keep`) it
/// removes the bulk and leaves the logs.
const JANITOR: &str = r#"
read -r _
sleep 1
if [ -e "$1/keep" ]; then rm -rf "$1"/*/data "$1"/data; else rm -rf "$1"; fi
"#;

struct Scratch {
    root: PathBuf,
    _janitor: Child,
}

fn scratch() -> &'static Scratch {
    static SCRATCH: OnceLock<Scratch> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        let root = tempfile::Builder::new()
            .prefix("arrplan-tests-")
            .tempdir()
            .expect("a folder for the tests")
            .keep()
            // A link in the path (macOS) would not be found again in what programs print.
            .canonicalize()
            .expect("the folder just made");
        let janitor = Command::new("sh")
            .args(["-c", JANITOR, "janitor"])
            .arg(&root)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Out of reach of the terminal's interrupt, which the test process dies of.
            .process_group(0)
            .spawn()
            .expect("sh");
        keep_after_panic(root.clone());
        Scratch { root, _janitor: janitor }
    })
}

fn keep_after_panic(root: PathBuf) {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        static NAMED: Once = Once::new();
        NAMED.call_once(|| {
            // A hook must not panic: without the mark the logs are removed, without the line they are only harder to find.
            drop(std::fs::write(root.join("keep"), ""));
            // Not `eprintln!`: that is captured, and shown only where the test itself fails.
            drop(writeln!(std::io::stderr(), "\nlogs of this test run: {}", root.display()));
        });
        previous(panic);
    }));
}

/// The folder of this test process. What a test puts below `data` there goes even when a failure keeps the rest.
pub fn scratch_dir() -> &'static Path {
    &scratch().root
}

/// A new folder of its own, named after its purpose.
pub(crate) fn scratch_folder(purpose: &str) -> PathBuf {
    tempfile::Builder::new()
        .prefix(&format!("{purpose}-"))
        .tempdir_in(scratch_dir())
        .expect("a folder below the scratch folder")
        .keep()
}
