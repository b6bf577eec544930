//! What holds after every command, whatever went wrong in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use support::{AuditRecord, RunOutput};

use crate::advice::makes_a_definition;
use crate::drift::base64;
use crate::world::{Seen, World};

/// One command that ran.
#[derive(Debug)]
pub(crate) struct Ran {
    /// As it was typed.
    pub(crate) line: String,
    pub(crate) output: RunOutput,
    /// The plan it showed.
    pub(crate) plan: Value,
}

impl Ran {
    pub(crate) fn new(line: String, output: RunOutput) -> Self {
        let whole =
            serde_json::from_str::<Value>(&output.stdout).ok().filter(|value| value["changes"].is_array());
        let lines = output.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut of_lines = lines.map(|line| line["plan"].clone()).filter(Value::is_object);
        let plan = whole.or_else(|| of_lines.next()).unwrap_or_default();
        Self { line, output, plan }
    }

    pub(crate) fn changes(&self) -> impl Iterator<Item = &Value> {
        self.plan["changes"].as_array().into_iter().flatten()
    }

    /// Changes of one action.
    pub(crate) fn count(&self, action: &str) -> usize {
        self.changes().filter(|change| change["action"] == action).count()
    }

    /// Objects that it said it would write.
    pub(crate) fn to_write(&self) -> BTreeSet<&str> {
        let writes = |change: &&Value| !["no-op", "keep"].contains(&change["action"].as_str().unwrap());
        self.changes().filter(writes).map(|change| change["object"].as_str().unwrap()).collect()
    }

    /// What it said, for a message: of the plan only what it would do.
    pub(crate) fn told(&self) -> String {
        let changes = self.changes().map(|change| {
            let text = |key: &str| change[key].as_str().unwrap_or_default();
            let (action, address, object) = (text("action"), text("address"), text("object"));
            format!("    {action} {address} {object} {}", text("reason"))
        });
        let changes: Vec<String> = changes.collect();
        let rest: Vec<&str> =
            self.output.stdout.lines().filter(|line| line.contains("\"elapsed_ms\":")).collect();
        format!(
            "$ arrplan {}\n  status {:?}\n{}\n  problems {}\n{}\n{}",
            self.line,
            self.output.status,
            changes.join("\n"),
            self.plan["problems"],
            rest.join("\n"),
            self.output.stderr
        )
    }
}

/// The key of the object that a record is about.
pub(crate) fn key_of(record: &AuditRecord) -> String {
    let kind = match record.resource.as_str() {
        "namespaces" => return format!("Namespace/{}", record.name),
        "customresourcedefinitions" => {
            return format!("CustomResourceDefinition.apiextensions.k8s.io/{}", record.name);
        }
        "configmaps" => "ConfigMap",
        "secrets" => "Secret",
        "services" => "Service",
        "persistentvolumeclaims" => "PersistentVolumeClaim",
        "gears" => "Gear.machine.test",
        other => panic!("nobody asked for {other}: {record}"),
    };
    format!("{kind}/{}/{}", record.namespace, record.name)
}

/// The engine's writes that were done.
pub(crate) fn writes(records: &[AuditRecord]) -> Vec<&AuditRecord> {
    let done = |record: &&AuditRecord| record.user == "arrplan" && record.is_write() && record.succeeded();
    records.iter().filter(done).collect()
}

/// Checks the invariants. `exempt`: objects that carry our mark although they were never ours.
pub(crate) fn check(
    world: &World,
    runs: &[Ran],
    records: &[AuditRecord],
    before: &Seen,
    after: &Seen,
    exempt: &BTreeSet<String>,
) {
    let told = || runs.iter().map(Ran::told).collect::<Vec<_>>().join("\n");
    for ran in runs {
        let text = format!("{}{}", ran.output.stdout, ran.output.stderr);
        assert!(!text.contains("a fault of arrplan's"), "{}", ran.told());
        assert!([None, Some(0), Some(1), Some(130)].contains(&ran.output.status), "{}", ran.told());
    }
    no_orphan(after, exempt, &told);
    monotone(before, after, &told);
    let writes = writes(records);
    approved_only(runs, &writes, before, &told);
    foreign_untouched(runs, before, after, &told);
    in_order(runs, records, before, &told);
    no_secret(world, runs, after);
}

/// I1 and I2: whatever carries our mark is in the state, or announced in the journal.
fn no_orphan(after: &Seen, exempt: &BTreeSet<String>, told: &dyn Fn() -> String) {
    let mut known: BTreeSet<String> = after.owned().into_iter().map(|entry| entry.key).collect();
    for record in &after.journal {
        for key in [&record["begin"]["key"], &record["outcome"]["object"]["key"]] {
            known.extend(key.as_str().map(str::to_owned));
        }
    }
    for (key, object) in &after.objects {
        let uid = object["metadata"]["uid"].as_str().unwrap();
        assert!(
            !after.is_marked(object) || known.contains(key) || exempt.contains(uid),
            "an orphan: {key} carries our mark and is not in the state\n{object:#}\n{:#}\n{}",
            after.state,
            told()
        );
    }
}

/// I7.
fn monotone(before: &Seen, after: &Seen, told: &dyn Fn() -> String) {
    if before.state.is_null() {
        return;
    }
    assert!(!after.state.is_null(), "the state is gone: {}", told());
    assert_eq!(before.lineage(), after.lineage(), "{}", told());
    assert!(before.serial() <= after.serial(), "{} -> {}: {}", before.serial(), after.serial(), told());
    let content = |seen: &Seen| (seen.state["resources"].clone(), seen.state["outputs"].clone());
    if before.serial() == after.serial() {
        assert_eq!(content(before), content(after), "a change without a serial: {}", told());
    }
}

/// I5: what is written was shown before; deletes name the uid; nothing protected is deleted.
fn approved_only(runs: &[Ran], writes: &[&AuditRecord], before: &Seen, told: &dyn Fn() -> String) {
    let mut shown: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for change in runs.iter().flat_map(Ran::changes) {
        let action = change["action"].as_str().unwrap();
        shown.entry(change["object"].as_str().unwrap()).or_default().insert(action);
    }
    for record in writes {
        let key = key_of(record);
        let actions = shown.get(key.as_str()).cloned().unwrap_or_default();
        let allowed: &[&str] = match record.verb.as_str() {
            "delete" => &["delete", "replace"],
            _ => &["create", "update", "adopt", "replace", "forget"],
        };
        let is_shown = allowed.iter().any(|action| actions.contains(action));
        assert!(is_shown, "not in the plan: {record}, {actions:?}\n{}", told());
        if record.verb == "delete" {
            let uid = &record.body["preconditions"]["uid"];
            assert!(uid.is_string(), "a delete without a uid: {record}\n{}", told());
            if let Some(live) = before.objects.get(&key).filter(|live| live["metadata"]["uid"] == *uid) {
                assert!(!before.is_protected(live), "a protected object is deleted: {record}\n{}", told());
            }
        }
    }
}

/// What is not ours and not in the plan is as it was, unless what it lies in goes.
fn foreign_untouched(runs: &[Ran], before: &Seen, after: &Seen, told: &dyn Fn() -> String) {
    let shown: BTreeSet<&str> = runs.iter().flat_map(Ran::to_write).collect();
    let goes = |holder: &str| shown.iter().any(|key| key.starts_with(holder));
    for (key, old) in &before.objects {
        let inside = key.contains("/extra/") && goes("Namespace/")
            || key.starts_with("Gear.") && goes("CustomResourceDefinition.");
        if shown.contains(key.as_str()) || inside || is_going(before, key) {
            continue;
        }
        let uid = after.uid(key);
        assert_eq!(uid, old["metadata"]["uid"].as_str(), "{key} was not in the plan\n{}", told());
        let data = after.objects.get(key).map(|new| &new["data"]);
        assert_eq!(data, Some(&old["data"]), "{key} was not in the plan\n{}", told());
    }
}

/// Whether somebody had deleted an object, or what it lies in or is defined by, before.
fn is_going(before: &Seen, key: &str) -> bool {
    let going = |key: &str| {
        before.objects.get(key).is_none_or(|object| !object["metadata"]["deletionTimestamp"].is_null())
    };
    going(key)
        || key.contains("/extra/") && going("Namespace/extra")
        || key.starts_with("Gear.")
            && going("CustomResourceDefinition.apiextensions.k8s.io/gears.machine.test")
}

/// I6: what needs something is written after it; what is needed goes after what needed it.
fn in_order(runs: &[Ran], records: &[AuditRecord], before: &Seen, told: &dyn Fn() -> String) {
    let (writes, owned) = (writes(records), before.owned());
    let of = |key: &Value| -> Vec<&AuditRecord> {
        writes.iter().copied().filter(|record| key.as_str() == Some(&key_of(record))).collect()
    };
    for ran in runs {
        let makes = |change: &&Value| {
            ["create", "update", "replace", "adopt"].contains(&change["action"].as_str().unwrap())
        };
        let made: BTreeMap<&str, &Value> =
            ran.changes().filter(makes).map(|c| (c["address"].as_str().unwrap(), &c["object"])).collect();
        for change in ran.changes().filter(makes) {
            let Some(first) = of(&change["object"]).into_iter().map(|record| &record.received).min() else {
                continue;
            };
            for needed in change["depends_on"].as_object().into_iter().flatten().map(|(needed, _)| needed) {
                let Some(object) = made.get(needed.as_str()) else { continue };
                let last = of(object).into_iter().map(|record| &record.answered).max();
                // What came back with its definition as it is wanted needs no write.
                let there =
                    object.as_str().is_some_and(|key| key.starts_with("Gear.")) && makes_a_definition(ran);
                assert!(
                    last.map_or(there, |last| last <= first),
                    "{} was written before {needed} was done: {first}, {last:?}\n{}",
                    change["address"],
                    told()
                );
            }
        }
        let goes = |change: &&Value| change["action"] == "delete" && change["former"] == false;
        for change in ran.changes().filter(goes) {
            let deletes = of(&change["object"]).into_iter().filter(|record| record.verb == "delete");
            let Some(first) = deletes.map(|record| &record.received).min() else { continue };
            for dependent in owned.iter().filter(|entry| !entry.former) {
                let needs =
                    change["address"].as_str().is_some_and(|address| dependent.needs.contains(address));
                let going = |c: &&Value| {
                    c["address"] == dependent.address
                        && c["former"] == false
                        && ["update", "replace", "delete"].contains(&c["action"].as_str().unwrap())
                };
                let Some(of_dependent) = ran.changes().find(going).filter(|_| needs) else { continue };
                // What a namespace or definition took along, or somebody else deleted, needed no request of ours.
                let live = before.uid(of_dependent["object"].as_str().unwrap()) == Some(&*dependent.uid);
                let last = of(&of_dependent["object"]).into_iter().map(|record| &record.answered).max();
                assert!(
                    !live || last.is_some_and(|last| last <= first),
                    "{} was deleted before {} had let go of it: {first}, {last:?}\n{}",
                    change["address"],
                    dependent.address,
                    told()
                );
            }
        }
    }
}

/// I8: no value of a secret in what was printed or left in the project's folder.
fn no_secret(world: &World, runs: &[Ran], after: &Seen) {
    let mut secrets = vec![world.canary.clone(), base64(&world.canary)];
    for object in after.objects.values().filter(|object| object["kind"] == "Secret") {
        if let Some(token) = object["data"]["token"].as_str() {
            secrets.push(token.to_owned());
            secrets.push(decoded(token));
        }
    }
    let has = |bytes: &[u8]| {
        secrets.iter().find(|secret| bytes.windows(secret.len()).any(|window| window == secret.as_bytes()))
    };
    for ran in runs {
        for text in [&ran.output.stdout, &ran.output.stderr] {
            assert_eq!(has(text.as_bytes()), None, "a secret was printed: {}", ran.told());
        }
    }
    for folder in ["state", "stacks", "home"] {
        each_file(&world.folder.join(folder), &mut |path| {
            // Another process may replace it at this moment.
            let bytes = std::fs::read(path).unwrap_or_default();
            assert_eq!(has(&bytes), None, "a secret is in {}", path.display());
        });
    }
}

fn each_file(folder: &Path, see: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { each_file(&path, see) } else { see(&path) }
    }
}

fn decoded(text: &str) -> String {
    use base64::Engine as _;
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).unwrap()).unwrap()
}
