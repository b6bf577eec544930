//! What each fuzz target does with its bytes, and what must hold whatever they are. The bytes of a finding panic here.
//!
//! The test `fuzz` of the product includes this file and runs it over the committed seeds and findings, so that no target
//! rots between two campaigns.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use arrplan::address::{Address, ObjectKey};
use arrplan::cluster::{Error, classify_bytes};
use arrplan::plan::immutable_causes;
use arrplan::stack::LoadRequest;
use arrplan::state::{Disk, Location, State, Store, document, forge, locate, replay};
use arrplan::views::page::{Layout, Page, Text};
use arrplan::views::sanitize::clean;
use arrplan::views::{diagnostics, resources, yaml};

/// A stack in TOML, and the files it names: each begins behind a line `#%% path`. The stack compiles or says why not,
/// twice in the same words, and what it says is safe for a terminal.
pub fn stack(bytes: &[u8]) {
    in_folder(|folder| {
        let mut files: Vec<(String, Vec<u8>)> = vec![("s.toml".to_owned(), Vec::new())];
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match name(line) {
                Some(name) => files.push((name, Vec::new())),
                None => files.last_mut().expect("the stack itself").1.extend_from_slice(line),
            }
        }
        for (name, content) in &files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().expect("below the folder")).ok();
            // A name may be a folder of another: then that file is not there.
            std::fs::write(path, content).ok();
        }
        let mut request = LoadRequest::new(folder.join("s.toml"));
        request.environment.insert("ARRPLAN_VAR_v".to_owned(), "7".to_owned());
        if files.iter().any(|(name, _)| name == "v.toml") {
            request.var_files.push(folder.join("v.toml"));
        }
        let (stack, said, sources) = arrplan::stack::load(&request);
        assert_eq!(stack.is_some(), !said.has_errors(), "a stack in hand is valid, and only then");
        for width in [20, 100] {
            is_text(&diagnostics::render(&said, &sources, Layout { color: false, width }));
        }
        let (again, same, _) = arrplan::stack::load(&request);
        assert_eq!(format!("{said:?}"), format!("{same:?}"), "the same files, the same words");
        let (Some(stack), Some(again)) = (stack, again) else { return };
        assert_eq!(stack.digest, again.digest, "the same files, the same digest");
        let mut keys = BTreeSet::new();
        for (address, resource) in &stack.resources {
            assert_eq!(
                address.to_string().parse::<Address>().as_ref(),
                Ok(address),
                "an address is its text"
            );
            assert!(keys.insert(resource.key()), "{address}: one object, two addresses");
            assert_eq!(
                format!("{:?}", resource.manifest),
                format!("{:?}", again.resources[address].manifest)
            );
        }
    });
}

/// The file that a line of the input begins, if it does; nothing outside of the folder.
fn name(line: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(line.strip_prefix(b"#%% ")?).ok()?.trim();
    let plain = |part: &str| {
        let letters = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        letters && !part.is_empty() && !part.starts_with('.') && part.len() < 40
    };
    (name.len() < 100 && name.split('/').all(plain)).then(|| name.to_owned())
}

/// A state file, and behind a line `#%% journal` its journal; as they are, and with checksums that fit. They are refused,
/// or what they say is written and read again as the same.
pub fn state(bytes: &[u8]) {
    let (state, journal) = match find(bytes, b"#%% journal\n") {
        Some(at) => (&bytes[..at], Some(&bytes[at + 12..])),
        None => (bytes, None),
    };
    load(state, journal);
    let sealed = String::from_utf8_lossy(state);
    let sealed = forge::document(&without_sum(&sealed, ",\n  \"checksum\": \"", "\n}"));
    load(sealed.as_bytes(), journal.map(resealed).as_deref());
}

fn load(state: &[u8], journal: Option<&[u8]>) {
    in_folder(|folder| {
        let location = location(folder);
        let stack = "arr";
        let at = |extension: &str| location.state.with_extension(extension);
        std::fs::create_dir_all(folder.join("state")).expect("a folder to write in");
        std::fs::write(&location.state, state).expect("a folder to write in");
        if let Some(journal) = journal {
            std::fs::write(at("journal"), journal).expect("a folder to write in");
        }
        let store = Store::new(Disk::real(), location.clone(), stack);
        let read = || wait(store.open_read(|| "other".to_owned()));
        let snapshot = match read() {
            Ok(snapshot) => snapshot,
            Err(error) => {
                is_text(&clean(&error.to_string()));
                assert_eq!(std::fs::read(&location.state).ok().as_deref(), Some(state), "untouched");
                return;
            }
        };
        holds(&snapshot.state);
        is_text(&resources(&snapshot.state, Layout::PLAIN));
        std::fs::write(&location.state, document(&snapshot.state)).expect("a folder to write in");
        std::fs::remove_file(at("journal")).ok();
        let again = read().expect("what was written can be read");
        assert!(again.state.same_content(&snapshot.state), "{:?}\n{:?}", again.state, snapshot.state);
        assert_eq!(again.state.serial, snapshot.state.serial);
    });
}

/// A journal, as it is and with checksums that fit, played onto a state that owns nothing. Cut off anywhere in its last line
/// it says the same but for that line.
pub fn journal(bytes: &[u8]) {
    let own_nothing = || State::new("L", "arr", "arr.toml");
    let played = |journal: &[u8]| {
        let result = replay(own_nothing(), journal);
        match &result {
            Ok((state, open)) => {
                holds(state);
                let ids: BTreeSet<_> = open.iter().map(|open| open.id).collect();
                assert_eq!(ids.len(), open.len(), "each is open once");
            }
            Err(why) => is_text(&clean(why)),
        }
        result
    };
    drop(played(bytes));
    let sealed = resealed(bytes);
    let whole = played(&sealed);
    let Some(line) = sealed.strip_suffix(b"\n").and_then(|rest| rest.iter().rposition(|byte| *byte == b'\n'))
    else {
        return;
    };
    let (before, last) = sealed.split_at(line + 1);
    if whole.is_ok() {
        let shorter = played(before);
        let cut = &sealed[..before.len() + last.len() / 2];
        assert_eq!(
            format!("{:?}", played(cut)),
            format!("{shorter:?}"),
            "an unfinished line was never written"
        );
        assert!(shorter.is_ok());
    }
}

/// An answer of an API server: `STATUS NAME` on the first line, the rest is its body. What an engine stakes data on must be in
/// the answer word for word.
pub fn classify(bytes: &[u8]) {
    const STATUSES: [u16; 9] = [400, 401, 403, 404, 409, 413, 422, 500, 503];
    let (head, body) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &bytes[..0]),
    };
    let head = String::from_utf8_lossy(head);
    let (status, name) = head.split_once(' ').unwrap_or((&head, "app"));
    let sum = status.bytes().fold(0_usize, |sum, byte| sum + usize::from(byte));
    let status = status.parse().unwrap_or(STATUSES[sum % STATUSES.len()]);
    let error = classify_bytes(status, body, "media", name);
    assert_eq!(error, classify_bytes(status, body, "media", name));
    is_text(&clean(&error.to_string()));
    let typed =
        serde_json::from_slice::<serde_json::Value>(body).ok().filter(|value| value["kind"] == "Status");
    let details = typed.as_ref().map(|value| &value["details"]);
    let causes = details.and_then(|details| details["causes"].as_array());
    match &error {
        Error::NotFound(key) => {
            assert_eq!(*key, ObjectKey::new("", "ConfigMap", Some("media"), name));
            assert_eq!(status, 404);
            assert_eq!(
                details.map(|details| &details["name"]),
                Some(&name.into()),
                "a typed 404 of this very object"
            );
        }
        // The server's validation spoke, of fields, or of the object as a whole in words that only it uses.
        Error::Invalid { causes: found, .. } => {
            assert_eq!(status, 422);
            assert!(!found.is_empty());
            assert!(
                found.iter().all(|cause| cause.field.is_some() || cause.reason.starts_with("FieldValue"))
            );
            assert_eq!(causes.map(Vec::len), Some(found.len()));
            // What may be replaced: of fields alone, and never of which object it is.
            let immutable = immutable_causes(&error);
            assert!(immutable.iter().all(|cause| found.contains(cause)));
            let names_fields = found.iter().all(|cause| cause.field.is_some());
            let of_uid = found.iter().any(|cause| cause.field.as_deref() == Some("metadata.uid"));
            assert!(immutable.is_empty() || names_fields && !of_uid);
        }
        Error::FieldsOwned { conflicts, .. } => {
            assert_eq!(status, 409);
            assert!(!conflicts.is_empty());
        }
        _ => {}
    }
}

/// Any text, on its way to a terminal: no byte of it moves the cursor, whatever the page does with it.
pub fn sanitise(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let safe = clean(&text);
    prints(&safe, false);
    assert_eq!(clean(&safe), safe, "what is clean stays as it is");
    let width = usize::from(bytes.first().copied().unwrap_or(80));
    let layout = Layout { color: false, width };
    let mut page = Page::new(layout);
    page.wrapped(2, 4, &Text::plain(&text));
    page.columns(2, &Text::plain(&text), 20, &Text::plain(&text));
    page.ends(&Text::plain(&text), &Text::plain("end"));
    is_text(&page.finish());
    // YAML has escapes of its own, and another reader: what is written is read as the same.
    let value = serde_json::json!({ "k": text, "l": [text] });
    is_text(&yaml::to_string(&value));
}

/// The text is lines of characters and nothing else.
fn is_text(text: &str) {
    prints(text, true);
}

fn prints(text: &str, lines: bool) {
    struct Terminal<'t> {
        text: &'t str,
        lines: bool,
    }
    impl vte::Perform for Terminal<'_> {
        fn execute(&mut self, byte: u8) {
            assert!(self.lines && byte == b'\n', "the terminal obeys {byte:#x} of {:?}", self.text);
        }
        fn hook(&mut self, _: &vte::Params, _: &[u8], _: bool, _: char) {
            panic!("a control string in {:?}", self.text);
        }
        fn osc_dispatch(&mut self, _: &[&[u8]], _: bool) {
            panic!("a command in {:?}", self.text);
        }
        fn csi_dispatch(&mut self, _: &vte::Params, _: &[u8], _: bool, _: char) {
            panic!("a control sequence in {:?}", self.text);
        }
        fn esc_dispatch(&mut self, _: &[u8], _: bool, _: u8) {
            panic!("an escape in {:?}", self.text);
        }
    }
    vte::Parser::new().advance(&mut Terminal { text, lines }, text.as_bytes());
    let hidden =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!text.contains(hidden), "a character that hides or reorders in {text:?}");
}

/// What must hold for every state: one holder for each object.
fn holds(state: &State) {
    let mut keys = BTreeSet::new();
    for (key, address, _) in state.objects() {
        assert!(keys.insert(key), "{address} is not alone with {}", key.human());
    }
}

/// Every line without the checksum it came with, and with the one that fits.
fn resealed(journal: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(journal);
    let lines: Vec<String> = text.lines().map(|line| without_sum(line, ",\"sum\":\"", "}")).collect();
    forge::journal(lines.iter().map(String::as_str)).into_bytes()
}

/// The object without the checksum at its end, if it has one.
fn without_sum(text: &str, member: &str, end: &str) -> String {
    match text.rsplit_once(member) {
        Some((body, _)) => format!("{body}{end}"),
        None => text.trim_end().to_owned(),
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn location(folder: &Path) -> Location {
    locate(&folder.join("arr.toml"), "arr", None, None, None).expect("no environment, nothing wrong with it")
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime without threads or sockets").block_on(work)
}

/// Runs `work` in an empty folder, in memory where there is one.
fn in_folder(work: impl FnOnce(&Path)) {
    thread_local! {
        static FOLDER: RefCell<Option<(tempfile::TempDir, u32)>> = const { RefCell::new(None) };
    }
    let folder = FOLDER.with_borrow_mut(|folder| {
        let memory = Path::new("/dev/shm");
        let (place, number) = folder.get_or_insert_with(|| {
            let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
            (made.expect("a temporary folder"), 0)
        });
        *number += 1;
        place.path().join(number.to_string())
    });
    std::fs::create_dir(&folder).expect("a new folder");
    let _cleared = Cleared(folder.clone());
    work(&folder);
}

struct Cleared(PathBuf);

impl Drop for Cleared {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}
