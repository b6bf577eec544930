//! Secret values that must not leave the cluster, and who looks for them in every byte that a run leaves.
//!
//! Each run of the binary is looked through when it ends: standard output, standard error, its command line's folder and its
//! home with all files below (state, journal, revisions, plans, logs, temporary files). Two things may hold a secret: a file
//! that a test named with [`may_hold_secrets`], from which the secret comes, and the storage of a sandbox, which *is* the
//! cluster: `state/sandbox/cluster` beside the stack.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use aho_corasick::AhoCorasick;

use crate::plane::lock;
use crate::scratch::scratch_dir;

/// So many letters and digits in a row of a secret, or of a text that carries it, are a leak: a part tells, too.
const WINDOW: usize = 12;
/// Output that is kept to be looked through again when a value becomes known that was drawn meanwhile.
const KEPT: usize = 64 << 20;

static SCANNER: Mutex<Scanner> = Mutex::new(Scanner {
    needles: Vec::new(),
    exempt: BTreeSet::new(),
    said: VecDeque::new(),
    kept: 0,
    automaton: None,
});

struct Scanner {
    /// Form, and what of it is looked for: letters and digits alone.
    needles: Vec<(&'static str, String)>,
    exempt: BTreeSet<PathBuf>,
    said: VecDeque<(String, Arc<[u8]>)>,
    kept: usize,
    automaton: Option<Arc<Automaton>>,
}

/// A new secret value. It has characters that JSON, URLs, YAML and shells escape, and is looked for from now on.
pub fn canary() -> String {
    let half = || {
        let random = || format!("{:016x}", RandomState::new().hash_one(()));
        // Letters on both sides, so that no parser takes it for a number.
        format!("k{}z", random())
    };
    let value = format!("{}\"<&%'\\/ +ü{}", half(), half());
    watch_for(&value);
    value
}

/// A new secret value of letters and digits alone, for places that take nothing else.
pub fn plain_canary() -> String {
    let value = format!("k{:016x}z", RandomState::new().hash_one(()));
    watch_for(&value);
    value
}

/// Looks for a value from now on, one that something else drew; and in what was said so far.
///
/// # Panics
/// When it was said before, or is too short to be told from other text.
#[track_caller]
pub fn watch_for(value: &str) {
    none(&leaked_before(value));
}

/// [`watch_for`], and where the value was said before.
///
/// # Panics
/// When it is too short to be told from other text.
#[track_caller]
pub fn leaked_before(value: &str) -> Vec<String> {
    let new = needles(value);
    assert!(
        !new.is_empty(),
        "a secret of fewer than {WINDOW} letters and digits in a row is not to be told from other text"
    );
    let automaton = Automaton::new(&new);
    let said: Vec<_> = {
        let mut scanner = lock(&SCANNER);
        scanner.needles.extend(new);
        scanner.automaton = None;
        scanner.said.iter().cloned().collect()
    };
    said.iter().filter_map(|(place, text)| told(place, text, &automaton.forms(text))).collect()
}

/// A file, or everything in a folder, that a test or a sandbox keeps secrets in.
pub fn may_hold_secrets(path: impl Into<PathBuf>) {
    lock(&SCANNER).exempt.insert(path.into());
}

/// The forms in which known secrets are in these bytes.
pub fn leaks(bytes: &[u8]) -> BTreeSet<&'static str> {
    let automaton = {
        let mut scanner = lock(&SCANNER);
        if scanner.needles.is_empty() {
            return BTreeSet::new();
        }
        let built = scanner.automaton.take().unwrap_or_else(|| Arc::new(Automaton::new(&scanner.needles)));
        Arc::clone(scanner.automaton.insert(built))
    };
    automaton.forms(bytes)
}

/// Where known secrets are in what a run said, and in all it left in these folders.
pub(crate) fn look_through(command: &str, said: &[(&str, &[u8])], folders: &[&Path]) -> Vec<String> {
    let mut found = Vec::new();
    for (stream, text) in said {
        let place = format!("{stream} of {command}");
        found.extend(told(&place, text, &leaks(text)));
        let mut scanner = lock(&SCANNER);
        scanner.kept += text.len();
        scanner.said.push_back((place, Arc::from(*text)));
        while scanner.kept > KEPT {
            let Some((_, old)) = scanner.said.pop_front() else { break };
            scanner.kept -= old.len();
        }
    }
    if lock(&SCANNER).needles.is_empty() {
        return found;
    }
    // A test may run the binary in the sources' folder: what is there is nobody's leaving.
    let temporary = [std::env::temp_dir(), scratch_dir().to_owned()];
    for folder in folders.iter().filter(|folder| temporary.iter().any(|root| folder.starts_with(root))) {
        for (file, bytes) in files(folder) {
            found.extend(told(&format!("{} after {command}", file.display()), &bytes, &leaks(&bytes)));
        }
    }
    found
}

/// # Panics
/// With the first leak, if there is one.
#[track_caller]
pub(crate) fn none(leaks: &[String]) {
    assert!(leaks.is_empty(), "{}", leaks[0]);
}

fn told(place: &str, bytes: &[u8], forms: &BTreeSet<&'static str>) -> Option<String> {
    let text = || String::from_utf8_lossy(bytes);
    (!forms.is_empty()).then(|| format!("a secret ({forms:?}) in {place}:\n{}", text()))
}

/// Finds needles.
struct Automaton {
    automaton: AhoCorasick,
    forms: Vec<&'static str>,
}

impl Automaton {
    fn new(needles: &[(&'static str, String)]) -> Self {
        let automaton = AhoCorasick::new(needles.iter().map(|(_, text)| text));
        let forms = needles.iter().map(|(form, _)| *form).collect();
        Self { automaton: automaton.expect("a few thousand short needles"), forms }
    }

    fn forms(&self, bytes: &[u8]) -> BTreeSet<&'static str> {
        let squeezed = squeezed(bytes);
        let found = self.automaton.find_overlapping_iter(&squeezed);
        found.map(|found| self.forms[found.pattern().as_usize()]).collect()
    }
}

/// Every file below the folder but those that may hold secrets. A run may be at work in it: what goes meanwhile is gone.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let exempt = lock(&SCANNER).exempt.clone();
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        if exempt.contains(&path) || path.ends_with("state/sandbox/cluster") {
            continue;
        }
        let Ok(meta) = path.symlink_metadata() else { continue };
        if meta.is_dir() {
            let entries = std::fs::read_dir(&path).into_iter().flatten();
            open.extend(entries.flatten().map(|entry| entry.path()));
        } else if meta.is_file()
            && let Ok(bytes) = std::fs::read(&path)
        {
            found.push((path, bytes));
        }
    }
    found
}

/// What is looked for: of every text that carries the value, each run of letters and digits that only the value explains.
/// Escapes of JSON, Go, YAML, shells and URLs change nothing inside of such a run, and line breaks and frames vanish where it
/// is looked for.
fn needles(value: &str) -> Vec<(&'static str, String)> {
    let mut needles = Vec::new();
    let mut add = |form: &'static str, text: &str| {
        let text = String::from_utf8(squeezed(text.as_bytes())).expect("letters and digits");
        let windows = (0..(text.len() + 1).saturating_sub(WINDOW)).map(|at| text[at..at + WINDOW].to_owned());
        needles.extend(windows.map(|window| (form, window)));
    };
    for run in value.split(|c: char| !c.is_ascii_alphanumeric()) {
        add("plain", run);
    }
    let hex = value.bytes().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("writing to a String cannot fail");
        hex
    });
    add("hex", &hex);
    add("hex", &hex.to_uppercase());
    for before in 0..3 {
        add("base64", &base64_of_value(value.as_bytes(), before));
    }
    needles.sort();
    needles.dedup();
    needles
}

/// Letters and digits alone.
fn squeezed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().filter(u8::is_ascii_alphanumeric).collect()
}

/// The characters of base64 that depend on the value alone, where it stands behind so many other bytes. Both alphabets differ
/// in characters that do not count.
fn base64_of_value(value: &[u8], before: usize) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = std::iter::repeat_n(0, before).chain(value.iter().copied()).collect();
    let first = (before * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    (first..last)
        .map(|at| {
            let bit = at * 6;
            let pair =
                u16::from(bytes[bit / 8]) << 8 | u16::from(bytes.get(bit / 8 + 1).copied().unwrap_or(0));
            char::from(LETTERS[usize::from(pair >> (10 - bit % 8) & 0x3f)])
        })
        .collect()
}
