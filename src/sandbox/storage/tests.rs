use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn key(namespace: &str, name: &str) -> Key {
    Key { group: String::new(), plural: "configmaps".into(), namespace: namespace.into(), name: name.into() }
}

fn object(text: &str) -> Value {
    json!({"metadata": {"name": "a"}, "data": {"k": text}})
}

const ALL: Scope<'_> = Scope { group: "", plural: "configmaps", namespace: None };

/// Key, `data.k` and revision of every object.
type Contents = BTreeMap<String, (String, u64)>;

fn contents(list: &[(Key, Stored)]) -> Contents {
    let entry = |(key, stored): &(Key, Stored)| {
        let text = stored.object["data"]["k"].as_str().unwrap_or_default().to_owned();
        assert_eq!(stored.object["metadata"]["resourceVersion"], stored.revision.to_string());
        (key.place(), (text, stored.revision))
    };
    list.iter().map(entry).collect()
}

fn now(storage: &Storage) -> (Contents, u64) {
    let (list, revision) = storage.list("", "configmaps", None);
    (contents(&list), revision)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// A change of the object of a small name, whatever is there.
async fn change(storage: &Storage, name: u8, text: Option<&str>) {
    let key = key("n", &format!("o{name}"));
    let expected = storage.get(&key).map(|stored| stored.revision);
    if expected.is_some() || text.is_some() {
        storage.commit(&key, expected, text.map(object)).await.expect("nobody else writes");
    }
}

fn flip(path: &Path, at: usize, mask: u8) {
    let mut bytes = std::fs::read(path).expect("a log");
    bytes[at] ^= mask;
    std::fs::write(path, bytes).expect("a log");
}

#[test]
fn keys_are_ordered_as_paths() {
    let mut keys =
        [key("a", "x"), key("a-b", "c"), key("a", "b"), key("", "x"), key("", ":x"), key("b", "a")];
    keys.sort();
    assert_eq!(keys.map(|key| key.place()), [":x", "a-b/c", "a/b", "a/x", "b/a", "x"]);
}

#[test]
fn a_commit_names_what_it_replaces() {
    block_on(async {
        let storage = Storage::in_memory();
        let a = key("n", "a");
        let made = storage.commit(&a, None, Some(object("1"))).await.expect("nothing is there");
        assert_eq!(made.revision, 2);
        assert_eq!(made.object["metadata"]["resourceVersion"], "2");
        let stale = [
            storage.commit(&a, None, Some(object("2"))).await,
            storage.commit(&a, Some(1), Some(object("2"))).await,
            storage.commit(&key("n", "b"), Some(2), Some(object("2"))).await,
            storage.commit(&key("n", "b"), None, None).await,
        ];
        assert!(stale.iter().all(|result| matches!(result, Err(CommitError::Stale))), "{stale:?}");
        let gone = storage.commit(&a, Some(2), None).await.expect("it is there");
        assert_eq!((gone.revision, &gone.object["metadata"]["resourceVersion"]), (3, &json!("3")));
        assert_eq!(storage.get(&a), None);
        let events = storage.events_after(1).expect("all are remembered");
        let kinds: Vec<_> =
            events.iter().map(|e| (e.revision, e.before.is_some(), e.after.is_some())).collect();
        assert_eq!(kinds, [(2, false, true), (3, true, false)]);
    });
}

#[test]
fn the_past_can_be_listed_until_it_is_forgotten() {
    block_on(async {
        let storage = Storage::in_memory();
        let mut past = vec![(storage.revision(), contents(&[]))];
        for step in 0..40_u8 {
            let text = (step % 7 != 3).then(|| step.to_string());
            change(&storage, step % 5, text.as_deref()).await;
            let (contents, revision) = now(&storage);
            past.push((revision, contents));
        }
        for (revision, then) in past {
            assert_eq!(contents(&storage.list_at(ALL, revision).expect("not forgotten")), then, "{revision}");
        }
        for step in 0..10_000 {
            change(&storage, 0, Some(&step.to_string())).await;
        }
        let oldest = storage.revision() - 10_000;
        assert_eq!(storage.list_at(ALL, oldest - 1), Err(Compacted { oldest }));
        assert_eq!(storage.events_after(oldest).expect("just remembered").len(), 10_000);
        assert_eq!(storage.changes(ALL, storage.revision()).expect("now"), (vec![], storage.revision()));
    });
}

#[test]
fn a_folder_keeps_everything_and_is_private() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deep/er");
    let before = block_on(async {
        let storage = Storage::open(&path).expect("a new folder");
        for step in 0..20_u8 {
            change(&storage, step % 6, (step % 5 != 4).then_some("x\n\u{0}\u{e9}")).await;
        }
        (now(&storage), storage.events_after(1).expect("all"))
    });
    let mode = |path: &Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!([mode(&path), mode(&path.join("log")), mode(&path.join("lock"))], [0o700, 0o600, 0o600]);
    let storage = Storage::open(&path).expect("free again");
    assert_eq!((now(&storage), storage.events_after(1).expect("all")), before);
    let second = Storage::open(&path).expect_err("it is in use").to_string();
    let holder = std::process::id();
    assert_eq!(second, format!("{}: this sandbox is in use by process {holder}", path.display()));
}

#[test]
fn commits_at_once_are_all_made_in_some_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = Arc::new(Storage::open(folder.path()).expect("a new folder"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let writers: Vec<_> = (0..16_u8)
        .map(|writer| {
            let storage = Arc::clone(&storage);
            runtime.spawn(async move {
                for step in 0..25_u8 {
                    loop {
                        let key = key("n", &format!("o{}", writer % 3));
                        let expected = storage.get(&key).map(|stored| stored.revision);
                        match storage.commit(&key, expected, Some(object(&format!("{writer}.{step}")))).await
                        {
                            Ok(_) => break,
                            Err(CommitError::Stale) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            })
        })
        .collect();
    runtime.block_on(async {
        for writer in writers {
            writer.await.expect("a writer");
        }
    });
    assert_eq!(storage.revision(), 1 + 16 * 25);
    let before = now(&storage);
    drop(storage);
    assert_eq!(now(&Storage::open(folder.path()).expect("again")), before);
}

#[test]
fn a_long_log_is_written_anew_and_the_history_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "x".repeat(300_000);
    let before = block_on(async {
        let storage = Storage::open(folder.path()).expect("a new folder");
        for step in 0..60_u8 {
            change(&storage, step % 2, Some(&format!("{step}{text}"))).await;
        }
        assert_eq!(storage.events_after(1).expect("all").len(), 60);
        now(&storage)
    });
    let length = folder.path().join("log").metadata().expect("a log").len();
    assert!(length < 12_000_000, "{length}");
    let storage = Storage::open(folder.path()).expect("again");
    assert_eq!(now(&storage), before);
    assert!(matches!(storage.events_after(1), Err(Compacted { oldest }) if oldest > 1));
}

#[test]
fn what_is_not_a_log_is_refused_with_a_way_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let path = log.display();
    let reset = "`arrplan sandbox reset` begins an empty";
    let trust = "what this sandbox held cannot be trusted:";
    let base = {
        let mut line = b"arrplan-sandbox-log 1\n".to_vec();
        record::write_base(&mut line, 7, 1);
        line
    };
    let twice = [&base[..], &base[22..]].concat();
    let cases: [(&[u8], String); 5] = [
        (b"", format!("{path}: not written by this version of arrplan; {reset} sandbox")),
        (
            b"arrplan-sandbox-log 2\n",
            format!("{path}: not written by this version of arrplan; {reset} sandbox"),
        ),
        (
            b"arrplan-sandbox-log 1\n",
            format!(
                "{path}: damaged at byte 22: the objects it begins with are not all there; {trust} {reset} one"
            ),
        ),
        (
            &base,
            format!(
                "{path}: damaged at byte {}: the objects it begins with are not all there; {trust} {reset} one",
                base.len()
            ),
        ),
        (
            &twice,
            format!(
                "{path}: damaged at byte {}: a record is where it cannot be; {trust} {reset} one",
                base.len()
            ),
        ),
    ];
    for (content, message) in cases {
        std::fs::write(&log, content).expect("a file");
        assert_eq!(Storage::open(folder.path()).expect_err("damaged").to_string(), message);
        assert_eq!(std::fs::read(&log).expect("a file"), content, "a refused log is left alone");
    }
}

#[test]
fn what_a_crash_leaves_beside_the_log_is_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(Storage::open(folder.path()).expect("a new folder"));
    std::fs::write(folder.path().join("log.new"), "half").expect("a file");
    let log = folder.path().join("log");
    let mut file = std::fs::OpenOptions::new().append(true).open(&log).expect("a log");
    file.write_all(&[0; 4096]).expect("zeros, as a file system may leave them");
    drop(Storage::open(folder.path()).expect("nothing is lost"));
    assert!(!folder.path().join("log.new").exists());
    assert!(log.metadata().expect("a log").len() < 4096);
}

#[derive(Debug, Clone)]
struct Step {
    name: u8,
    text: Option<String>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..4_u8, proptest::option::weighted(0.8, "[a-z\"\\\\\n\u{0}é]{0,12}"));
    proptest::collection::vec(step.prop_map(|(name, text)| Step { name, text }), 1..9)
}

/// Makes the changes in a folder. Returns, after each, the length of the log and what is there.
fn make(folder: &Path, steps: &[Step]) -> Vec<(u64, (Contents, u64))> {
    block_on(async {
        let storage = Storage::open(folder).expect("a new folder");
        let length = || folder.join("log").metadata().expect("a log").len();
        let mut after = vec![(length(), now(&storage))];
        for step in steps {
            change(&storage, step.name, step.text.as_deref()).await;
            after.push((length(), now(&storage)));
        }
        after.dedup();
        after
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// A log cut off anywhere is what had been acknowledged when it was that long.
    #[test]
    fn a_cut_loses_only_what_was_not_acknowledged(steps in steps()) {
        let folder = tempfile::tempdir().expect("a folder");
        let after = make(folder.path(), &steps);
        let log = folder.path().join("log");
        let bytes = std::fs::read(&log).expect("a log");
        let first = after.len().saturating_sub(3);
        let start = usize::try_from(after[first].0).expect("small");
        for cut in start..=bytes.len() {
            std::fs::write(&log, &bytes[..cut]).expect("a file");
            let storage = Storage::open(folder.path()).expect("only the end is missing");
            let complete = after.iter().rev().find(|(length, _)| *length <= cut as u64).expect("a base");
            prop_assert_eq!(&now(&storage), &complete.1, "cut at {}", cut);
        }
    }

    /// A log with another byte anywhere is refused.
    #[test]
    fn another_byte_is_noticed(steps in steps(), mask in 1..=255_u8) {
        let folder = tempfile::tempdir().expect("a folder");
        make(folder.path(), &steps);
        let log = folder.path().join("log");
        let length = std::fs::read(&log).expect("a log").len();
        for at in 0..length {
            flip(&log, at, mask);
            prop_assert!(Storage::open(folder.path()).is_err(), "byte {} of {}", at, length);
            flip(&log, at, mask);
        }
        prop_assert!(Storage::open(folder.path()).is_ok());
    }
}
