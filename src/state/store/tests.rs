use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use proptest::prelude::*;
use serde_json::json;

use super::super::envelope::seal;
use super::super::files;
use super::super::journal::tests::{begin, owned};
use super::super::journal::{Begin, Operation, Outcome};
use super::super::model::State;
use super::super::{ChangeCounts, Digest, Disk, Location, Owned, locate};
use super::*;
use crate::address::{Address, ObjectKey};
use crate::cluster::{ClusterIdentity, IdentityKind};

struct Project {
    folder: tempfile::TempDir,
    location: Location,
    store: Store,
}

pub(super) fn cluster() -> ClusterIdentity {
    ClusterIdentity { kind: IdentityKind::KubeSystemUid, id: "c-1".to_owned() }
}

pub(super) fn holder() -> Holder {
    Holder {
        pid: 7,
        user: "ann".to_owned(),
        host: "nas".to_owned(),
        operation: "apply".to_owned(),
        started: "2026-01-02T03:04:05Z".parse().unwrap(),
    }
}

impl Project {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stacks/arr.toml");
        std::fs::create_dir(folder.path().join("stacks")).unwrap();
        std::fs::write(&file, "[stack]\nname = \"arr\"\n").unwrap();
        let location = locate(&file, "arr", None, None, None).unwrap();
        let store = Store::new(Disk::real(), location.clone(), "arr");
        Self { folder, location, store }
    }

    async fn open(&self) -> LockedStore {
        self.try_open().await.unwrap()
    }

    async fn try_open(&self) -> Result<LockedStore, Error> {
        self.store.open_locked_now(&holder(), || "L".to_owned()).await
    }

    async fn read(&self) -> Result<Snapshot, Error> {
        self.store.open_read(|| "R".to_owned()).await
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.location.state).unwrap()
    }

    /// Applies one create.
    async fn apply(&self, n: u8) -> Committed {
        let store = self.open().await;
        let id = store.begin(begin(Operation::Create, n, n, n)).await.unwrap();
        store.end(id, owned(n, n, false)).unwrap();
        store.commit(|_| {}).await.unwrap()
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.location.folder())
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn example() -> State {
    let mut state = State::new("L", "arr", "stacks/arr.toml");
    state.serial = 3;
    state.tool_version = "0.1.0".to_owned();
    state.cluster = Some(cluster());
    state.key_id = Some("k".to_owned());
    let key = ObjectKey::new("", "PersistentVolumeClaim", Some("media"), "media-pvc");
    let mut claim = Owned::new(key, "v1", "u-1");
    claim.resource_version = Some("42".to_owned());
    claim.desired_hash = Some(Digest("ab".to_owned()));
    claim.owned.insert("spec.accessModes".parse().unwrap(), Some(Digest("cd".to_owned())));
    claim.owned.insert("metadata.labels[\"a.b/c\"]".parse().unwrap(), None);
    claim.fights.insert("spec.x".parse().unwrap(), "kubectl".to_owned());
    claim.former.push(super::super::Former {
        key: ObjectKey::new("", "PersistentVolumeClaim", Some("media"), "old"),
        api_version: "v1".to_owned(),
        uid: "u-0".to_owned(),
        status: super::super::FormerStatus::Kept,
    });
    claim.protect = true;
    claim.depends_on.push(Address::new("namespace", "media"));
    claim.took(Duration::from_millis(1500));
    claim.since_serial = 3;
    let address = Address::new("persistent_volume_claim", "media").instance("a \"b\"");
    state.resources.insert(address, claim);
    state.outputs.insert("url".to_owned(), json!("https://x"));
    state
}

#[test]
fn the_file_on_paper() {
    insta::assert_snapshot!(render(&example()));
}

#[test]
fn reading_and_writing_gives_the_same_bytes() {
    let text = render(&example());
    let read: State =
        serde_json::from_str(&super::super::envelope::unseal(text.as_bytes()).unwrap()).unwrap();
    assert_eq!(read, example());
    assert_eq!(render(&read), text);
}

#[tokio::test]
async fn nothing_is_written_by_looking_or_by_an_apply_of_nothing() {
    let project = Project::new();
    let snapshot = project.read().await.unwrap();
    assert_eq!((snapshot.state.serial, snapshot.state.lineage.as_str()), (0, "R"));
    assert!(!project.location.folder().exists());
    let store = project.open().await;
    let committed = store.commit(|_| {}).await.unwrap();
    assert_eq!(committed, Committed { serial: 0, changed: false });
    drop(store);
    assert_eq!(project.files(), ["arr.key", "arr.lock"]);
}

#[tokio::test]
async fn the_serial_counts_changes_of_content() {
    let project = Project::new();
    assert_eq!(project.apply(1).await, Committed { serial: 1, changed: true });
    let first = project.bytes();
    assert_eq!(project.apply(1).await, Committed { serial: 1, changed: false });
    assert_eq!(project.bytes(), first, "no byte changed");
    assert_eq!(project.apply(2).await, Committed { serial: 2, changed: true });
    assert_eq!(std::fs::read(project.location.previous()).unwrap(), first);
    let snapshot = project.read().await.unwrap();
    assert_eq!(snapshot.state.lineage, "L");
    assert_eq!(snapshot.state.resources.len(), 2);
    assert!(snapshot.notes.is_empty() && snapshot.open.is_empty() && snapshot.held_by.is_none());
    assert_eq!(project.files(), ["arr.json", "arr.key", "arr.lock", "arr.prev.json"]);
}

#[tokio::test]
async fn an_edit_goes_in_and_must_leave_the_lineage_and_keys_alone() {
    let project = Project::new();
    project.apply(1).await;
    project.apply(2).await;
    let store = project.open().await;
    let before = project.bytes();
    store.commit(|s| s.lineage = "M".to_owned()).await.unwrap_err();
    let twins = |s: &mut State| {
        let key = s.resources.values().next().unwrap().key.clone();
        s.resources.values_mut().for_each(|o| o.key = key.clone());
    };
    let error = store.commit(twins).await.unwrap_err().to_string();
    assert!(error.contains("both config_map.a1 and config_map.a2 own ConfigMap ns/o1"), "{error}");
    assert_eq!(project.bytes(), before);
    let outputs = |s: &mut State| drop(s.outputs.insert("a".to_owned(), json!(1)));
    assert_eq!(store.commit(outputs).await.unwrap().serial, 3);
    assert_eq!(project.read().await.unwrap().state.outputs["a"], json!(1));
}

#[tokio::test]
async fn every_damage_is_refused_and_never_read_as_no_state() {
    let project = Project::new();
    project.apply(1).await;
    project.apply(2).await;
    let good = project.bytes();
    let mut damaged: Vec<Vec<u8>> = (0..good.len()).map(|cut| good[..cut].to_vec()).collect();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut flipped = good.clone();
            flipped[at] ^= 1 << bit;
            damaged.push(flipped);
        }
    }
    println!("state of {} bytes: {} damages, each refused", good.len(), damaged.len());
    assert_eq!(damaged.len(), good.len() * 9);
    for bytes in damaged {
        let error = super::load::parse_for_tests(&project.location, "arr", &bytes).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. } | Error::Newer { .. }), "{error}");
    }
    std::fs::write(&project.location.state, b"").unwrap();
    let error = project.read().await.unwrap_err();
    let place = project.location.state.display();
    assert_eq!(error.to_string(), format!("state file {place} is damaged: it is empty"));
    assert!(error.help()[2].contains("arr.prev.json"), "{:?}", error.help());
    project.try_open().await.unwrap_err();
    assert_eq!(project.bytes(), b"", "untouched");
}

#[tokio::test]
async fn a_newer_or_unknown_content_is_refused_untouched() {
    let project = Project::new();
    project.apply(1).await;
    let text = String::from_utf8(project.bytes()).unwrap();
    let json = super::super::envelope::unseal(text.as_bytes()).unwrap();
    let newer = json.replacen("\"format_version\": 1", "\"format_version\": 2", 1);
    let more = json.replacen("\"serial\": 1", "\"serial\": 1,\n  \"more\": true", 1);
    let deep = json.replacen("\"uid\":", "\"more\": 1, \"uid\":", 1);
    for (content, expected) in [
        (seal(&newer), "has format 2; this version of arrplan knows format 1"),
        (newer.clone(), "has format 2"),
        (seal(&more), "unknown field `more`"),
        (seal(&deep), "unknown field `more`"),
        (seal(&json.replace("\"arr\"", "\"rra\"")), "belongs to stack `rra`, not to `arr`"),
        (seal(&json.replace("\"lineage\": \"L\"", "\"lineage\": \"\"")), "it has no lineage"),
    ] {
        std::fs::write(&project.location.state, &content).unwrap();
        for error in [project.read().await.unwrap_err(), project.try_open().await.unwrap_err()] {
            assert!(error.to_string().contains(expected), "{error}");
        }
        assert_eq!(project.bytes(), content.as_bytes());
    }
}

#[tokio::test]
async fn a_state_that_is_gone_is_missed() {
    let project = Project::new();
    project.apply(1).await;
    project.apply(2).await;
    std::fs::remove_file(&project.location.state).unwrap();
    let error = project.read().await.unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error}");
    std::fs::remove_file(project.location.previous()).unwrap();
    assert_eq!(project.read().await.unwrap().state.serial, 0);
    // A revision is written before its state, so that the first one says nothing unless it made something.
    let store = project.open().await;
    store.record_revision(&revision(1, true)).await.unwrap();
    assert_eq!(project.read().await.unwrap().state.serial, 0);
    store.record_revision(&revision(2, true)).await.unwrap();
    let error = project.read().await.unwrap_err();
    assert!(matches!(&error, Error::Missing { witness, .. } if *witness == project.location.revisions()));
    // A first run that is not over: its journal says so.
    drop(store);
    std::fs::remove_dir_all(project.location.revisions()).unwrap();
    let store = project.open().await;
    store.begin(begin(Operation::Create, 1, 1, 1)).await.unwrap();
    store.record_revision(&revision(2, true)).await.unwrap();
    drop(store);
    assert_eq!(project.read().await.unwrap().open.len(), 1);
}

#[tokio::test]
async fn what_was_done_before_a_crash_is_not_lost() {
    let project = Project::new();
    let store = project.open().await;
    store.prepare(3, &cluster()).await.unwrap();
    let done = store.begin(begin(Operation::Create, 1, 1, 1)).await.unwrap();
    store.end(done, owned(1, 1, false)).unwrap();
    store.begin(begin(Operation::Create, 2, 2, 2)).await.unwrap();
    drop(store);

    let mut snapshot = project.read().await.unwrap();
    assert_eq!(snapshot.state.lineage, "L", "its objects carry it");
    assert_eq!(snapshot.state.serial, 0);
    assert_eq!(snapshot.state.resources.len(), 1);
    assert_eq!(snapshot.state.cluster, Some(cluster()), "no other one can tell what became of it");
    assert_eq!(snapshot.open.len(), 1);
    let open = snapshot.open[0].clone();
    assert_eq!(open.begin, begin(Operation::Create, 2, 2, 2));
    snapshot.settle(open.id, &owned(2, 2, false));
    assert_eq!((snapshot.state.resources.len(), snapshot.open.len()), (2, 0));

    // The same for real, with another crash in between.
    let store = project.open().await;
    store.end(open.id, owned(2, 2, false)).unwrap();
    drop(store);
    let store = project.open().await;
    assert!(store.open_begins().is_empty());
    assert_eq!(store.state().cluster, Some(cluster()), "through a journal that was written anew");
    assert_eq!(store.commit(|_| {}).await.unwrap().serial, 1);
    drop(store);
    assert_eq!(project.read().await.unwrap().state.resources.len(), 2);
    assert_eq!(project.files(), ["arr.json", "arr.key", "arr.lock"]);
}

#[tokio::test]
async fn an_operation_in_doubt_outlives_the_commit() {
    let project = Project::new();
    let store = project.open().await;
    let in_doubt = store.begin(begin(Operation::Create, 1, 1, 1)).await.unwrap();
    let done = store.begin(begin(Operation::Create, 2, 2, 2)).await.unwrap();
    store.end(done, owned(2, 2, false)).unwrap();
    assert_eq!(store.commit(|_| {}).await.unwrap().serial, 1);
    // It goes on in the same process, and the one in doubt ends after all.
    let third = store.begin(begin(Operation::Create, 3, 3, 3)).await.unwrap();
    store.end(third, owned(3, 3, false)).unwrap();
    drop(store);
    let store = project.open().await;
    assert_eq!(store.open_begins().iter().map(|o| o.id).collect::<Vec<_>>(), [in_doubt]);
    assert_eq!(store.state().resources.len(), 2);
    store.end(in_doubt, Outcome::Unchanged).unwrap();
    assert_eq!(store.commit(|_| {}).await.unwrap().serial, 2);
    assert!(!project.location.journal().exists());
}

#[tokio::test]
async fn a_crash_between_state_and_journal_repeats_nothing() {
    let project = Project::new();
    project.apply(1).await;
    let store = project.open().await;
    let gone = Begin::clone(&begin(Operation::Delete, 1, 1, 1));
    let id = store.begin(gone).await.unwrap();
    store.end(id, Outcome::Gone).unwrap();
    store.begin(begin(Operation::Create, 2, 2, 2)).await.unwrap();
    drop(store);
    let journal = std::fs::read(project.location.journal()).unwrap();
    let store = project.open().await;
    // Committed together with the same object, made anew outside and adopted.
    let edit = |s: &mut State| {
        let owned = Owned::new(super::super::journal::tests::key(1), "v1", "u1");
        s.resources.insert(Address::new("config_map", "a1"), owned);
        s.outputs.insert("x".to_owned(), json!(1));
    };
    store.commit(edit).await.unwrap();
    drop(store);
    std::fs::write(project.location.journal(), journal).unwrap();
    let snapshot = project.read().await.unwrap();
    assert_eq!(snapshot.state.serial, 2);
    assert_eq!(snapshot.state.resources.len(), 1, "the old delete is not played again");
    assert_eq!(snapshot.open.len(), 1, "what was open still is");
    let store = project.open().await;
    store.end(snapshot.open[0].id, owned(2, 2, false)).unwrap();
    drop(store);
    let store = project.open().await;
    assert_eq!((store.open_begins().len(), store.state().resources.len()), (0, 2));
}

#[tokio::test]
async fn a_state_put_back_from_a_backup_goes_on_from_its_journal() {
    let project = Project::new();
    project.apply(1).await;
    project.apply(2).await;
    let store = project.open().await;
    let id = store.begin(begin(Operation::Create, 3, 3, 3)).await.unwrap();
    store.end(id, owned(3, 3, false)).unwrap();
    drop(store);
    std::fs::copy(project.location.previous(), &project.location.state).unwrap();
    let snapshot = project.read().await.unwrap();
    assert_eq!((snapshot.state.serial, snapshot.state.resources.len()), (1, 2));
    assert!(snapshot.notes[0].contains("put back from a backup"), "{:?}", snapshot.notes);
    let store = project.open().await;
    assert_eq!(store.commit(|_| {}).await.unwrap().serial, 3, "a serial is never given twice");
}

#[tokio::test]
async fn a_journal_of_another_lineage_is_refused() {
    let project = Project::new();
    project.apply(1).await;
    let other = Project::new();
    let store = other.store.open_locked_now(&holder(), || "M".to_owned()).await.unwrap();
    store.begin(begin(Operation::Create, 1, 1, 1)).await.unwrap();
    drop(store);
    std::fs::copy(other.location.journal(), project.location.journal()).unwrap();
    let error = project.read().await.unwrap_err();
    assert!(matches!(error, Error::ForeignJournal { .. }), "{error}");
}

#[tokio::test]
async fn a_torn_line_is_cut_before_the_journal_goes_on() {
    let project = Project::new();
    let store = project.open().await;
    store.begin(begin(Operation::Create, 1, 1, 1)).await.unwrap();
    drop(store);
    let mut bytes = std::fs::read(project.location.journal()).unwrap();
    bytes.extend(b"{\"record\":\"beg");
    std::fs::write(project.location.journal(), bytes).unwrap();
    let store = project.open().await;
    store.begin(begin(Operation::Create, 2, 2, 2)).await.unwrap();
    drop(store);
    assert_eq!(project.read().await.unwrap().open.len(), 2);
}

#[tokio::test]
async fn without_its_key_the_state_knows_objects_but_no_values() {
    let project = Project::new();
    let store = project.open().await;
    let digest = store.key().manifest(&Address::new("config_map", "a1"), &json!({}));
    let id = store.begin(begin(Operation::Create, 1, 1, 1)).await.unwrap();
    let Outcome::Owned(mut object) = owned(1, 1, false) else { unreachable!() };
    object.desired_hash = Some(digest.clone());
    object.owned.insert("data.x".parse().unwrap(), Some(digest));
    store.end(id, Outcome::Owned(object)).unwrap();
    store.commit(|_| {}).await.unwrap();
    drop(store);
    for damage in [Some([1; 31].as_slice()), None, Some(&[2; 32])] {
        match damage {
            Some(bytes) => std::fs::write(project.location.key(), bytes).unwrap(),
            None => std::fs::remove_file(project.location.key()).unwrap(),
        }
        let snapshot = project.read().await.unwrap();
        let object = snapshot.state.resources.values().next().unwrap();
        assert_eq!(object.desired_hash, None);
        assert_eq!(object.owned.values().collect::<Vec<_>>(), [&None]);
        assert!(snapshot.notes.iter().any(|n| n.contains("key was lost")), "{:?}", snapshot.notes);
    }
    let store = project.open().await;
    assert_eq!(store.commit(|_| {}).await.unwrap().serial, 2);
    drop(store);
    let notes = project.read().await.unwrap().notes;
    assert_eq!(notes.len(), 1, "the test made the key readable: {notes:?}");
    assert!(notes[0].contains("chmod 600"));
}

#[tokio::test]
async fn two_stack_files_with_one_name() {
    let project = Project::new();
    project.apply(1).await;
    let second = project.folder.path().join("stacks/other.toml");
    std::fs::write(&second, "[stack]\nname = \"arr\"\n").unwrap();
    let location = locate(&second, "arr", None, None, None).unwrap();
    let store = Store::new(Disk::real(), location, "arr");
    let error = store.open_read(|| "R".to_owned()).await.unwrap_err();
    assert!(matches!(error, Error::TwoFiles { .. }), "{error}");
    // The first one was renamed, or has another name now: no conflict, and no change of content.
    let first = project.folder.path().join("stacks/arr.toml");
    std::fs::write(&first, "[stack]\nname = \"x\"\n").unwrap();
    store.open_read(|| "R".to_owned()).await.unwrap();
    std::fs::remove_file(first).unwrap();
    let locked = store.open_locked_now(&holder(), || "R".to_owned()).await.unwrap();
    assert!(!locked.commit(|_| {}).await.unwrap().changed);
}

#[tokio::test]
async fn a_reader_sees_who_writes_and_a_second_writer_waits() {
    let project = Project::new();
    let store = project.open().await;
    assert_eq!(project.read().await.unwrap().held_by, Some(holder()));
    assert!(matches!(project.try_open().await.unwrap_err(), Error::Locked { .. }));
    drop(store);
    assert_eq!(project.read().await.unwrap().held_by, None);
    project.open().await;
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_shows_before_the_first_change() {
    let project = Project::new();
    let store = project.open().await;
    let error = store.prepare(1 << 40, &cluster()).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot reserve space in"), "{error}");
    store.prepare(10, &cluster()).await.unwrap();
    drop(store);
    assert!(!files::temporary(&project.location.state).exists());

    let file = project.folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let location = locate(Path::new("/x.toml"), "arr", None, Some(&file.join("arr.json")), None).unwrap();
    let opened = Store::new(Disk::real(), location, "arr").open_locked_now(&holder(), String::new).await;
    assert!(opened.unwrap_err().to_string().starts_with("cannot create folder"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn begins_that_wait_together_share_a_sync() {
    let project = Project::new();
    let store = Arc::new(project.open().await);
    store.prepare(1000, &cluster()).await.unwrap();
    let tasks = futures::stream::iter(0..1000u32).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut begin = begin(Operation::Create, 0, 0, 0);
            begin.address = Address::new("config_map", format!("a{n}"));
            begin.key.name = format!("o{n}");
            let owned = Owned::new(begin.key.clone(), "v1", format!("u{n}"));
            let id = store.begin(begin).await.unwrap();
            store.end(id, Outcome::Owned(Box::new(owned))).unwrap();
        })
    });
    let start = std::time::Instant::now();
    tasks.buffer_unordered(16).for_each(async |task| task.unwrap()).await;
    let took = start.elapsed();
    let syncs = store.syncs_for_tests();
    println!("1000 begins at concurrency 16: {syncs} syncs, {took:?}");
    assert!(syncs < 500, "{syncs}");
    assert_eq!(store.commit(|_| {}).await.unwrap().serial, 1);
    assert_eq!(project.read().await.unwrap().state.resources.len(), 1000);
}

pub(super) fn revision(serial: u64, ready: bool) -> Revision {
    Revision {
        format_version: Revision::FORMAT,
        lineage: "L".to_owned(),
        serial,
        stack: "arr".to_owned(),
        tool_version: "0.1.0".to_owned(),
        key_id: "k".to_owned(),
        operation: "apply".to_owned(),
        at: "2026-01-02T03:04:05Z".parse().unwrap(),
        by: holder().who(),
        changes: ChangeCounts { create: 2, ..ChangeCounts::default() },
        took: 1500,
        ready,
        returned_to: None,
        resources: std::collections::BTreeMap::new(),
        existing: std::collections::BTreeMap::new(),
        outputs: std::collections::BTreeMap::new(),
    }
}

#[tokio::test]
async fn ten_revisions_are_kept_and_the_last_that_got_ready() {
    let project = Project::new();
    let store = project.open().await;
    for serial in 1..=14 {
        store.record_revision(&revision(serial, serial <= 2)).await.unwrap();
    }
    let kept: Vec<u64> = project.store.revisions().await.unwrap().iter().map(|(s, _)| *s).collect();
    assert_eq!(kept, [2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    assert_eq!(project.store.revision(14).await.unwrap(), Some(revision(14, false)));
    assert_eq!(project.store.revision(4).await.unwrap(), None);
    std::fs::write(project.location.revision(13), "{}").unwrap();
    let all = project.store.revisions().await.unwrap();
    let bad: Vec<u64> = all.iter().filter(|(_, r)| r.is_err()).map(|(s, _)| *s).collect();
    assert_eq!(bad, [13]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    /// The state after any run of commits and crashes is the state of a model that loses nothing.
    #[test]
    fn crashes_lose_nothing(steps in proptest::collection::vec((0..5u8, 0..4u8, 0..4u8, 0..3u8), 1..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let project = Project::new();
            let mut model = State::new("L", "arr", "stacks/arr.toml");
            let mut store = project.open().await;
            for (step, address, object, uid) in steps {
                let (operation, outcome) = match step {
                    0 => {
                        let committed = store.commit(|_| {}).await.unwrap();
                        prop_assert!(committed.serial >= model.serial && committed.serial <= model.serial + 1);
                        model.serial = committed.serial;
                        continue;
                    }
                    1 => {
                        drop(store);
                        store = project.open().await;
                        continue;
                    }
                    2 => (Operation::Delete, Outcome::Gone),
                    _ => (Operation::Create, owned(object, uid, step == 4)),
                };
                let begin = begin(operation, address, object, uid);
                let id = store.begin(begin.clone()).await.unwrap();
                super::super::record(&mut model, &begin, &outcome);
                store.end(id, outcome).unwrap();
                prop_assert_eq!(&store.state().resources, &model.resources);
            }
            drop(store);
            let snapshot = project.read().await.unwrap();
            prop_assert_eq!(&snapshot.state.resources, &model.resources);
            prop_assert_eq!(snapshot.state.serial, model.serial);
            Ok(())
        })?;
    }
}
