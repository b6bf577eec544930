//! What others do to objects.

use serde_json::{Value, json};

use crate::generate::Drift;
use crate::intent::{Decl, GEARS, Kind};
use crate::world::World;

/// The finalizer that others put on objects.
pub(crate) const HOLD: &str = "machine.test/hold";

/// Does it to the object of a declaration, as far as it is there to do it to. `number` makes values and managers that nobody
/// had before. Returns the uid of an object that was restored with a mark that is not its own.
pub(crate) fn drift(world: &World, decl: &Decl, drift: Drift, number: u32) -> Option<String> {
    let key = &decl.key();
    let live = world.get(key);
    let manager = format!("kubectl-edit-{number}");
    let value = if decl.kind == Kind::Secret { base64(&format!("x{number}")) } else { format!("x{number}") };
    let whole = live.is_some() && decl.kind.is_namespaced();
    match drift {
        Drift::Edit => world.merge(key, &manager, &ours(decl, &json!(value))),
        Drift::Add => {
            let mut patch = json!({"metadata": {"annotations": {"theirs": value}}});
            if matches!(decl.kind, Kind::Map | Kind::Secret) {
                patch["data"] = json!({"x": value});
            }
            world.merge(key, &manager, &patch);
        }
        Drift::Drop => world.merge(key, &manager, &ours(decl, &Value::Null)),
        Drift::Declare => declare(world, decl, &value),
        Drift::Delete => world.delete(key),
        Drift::Recreate if whole => {
            world.delete(key);
            let_go(world, key);
            world.until_gone(key);
            world.make(&foreign(decl, &value));
        }
        Drift::Restore if whole => {
            let mut copy = live.unwrap_or_default();
            let metadata = copy["metadata"].as_object_mut().unwrap();
            for own in
                ["uid", "resourceVersion", "creationTimestamp", "managedFields", "finalizers", "generation"]
            {
                metadata.remove(own);
            }
            copy.as_object_mut().unwrap().remove("status");
            for drawn in ["clusterIP", "clusterIPs", "volumeName"] {
                copy["spec"].as_object_mut().and_then(|spec| spec.remove(drawn));
            }
            world.delete(key);
            let_go(world, key);
            world.until_gone(key);
            world.make(&copy);
            return Some(world.get(key)?["metadata"]["uid"].as_str()?.to_owned());
        }
        Drift::Unmark => {
            let patch = json!({"metadata": {
                "labels": {"arrplan.dev/stack": null},
                "annotations": {"arrplan.dev/lineage": null},
            }});
            world.merge(key, &manager, &patch);
        }
        Drift::Hold => hold(world, key),
        Drift::HoldAndDelete => {
            hold(world, key);
            world.delete(key);
        }
        Drift::LetGo => let_go(world, key),
        Drift::Make if live.is_none() && decl.object != GEARS => world.make(&foreign(decl, &value)),
        Drift::Recreate | Drift::Restore | Drift::Make => {}
    }
    None
}

/// A field that the stack sets, with another value.
fn ours(decl: &Decl, value: &Value) -> Value {
    match decl.kind {
        Kind::Map | Kind::Secret => json!({"data": {"k0": value, "k1": value}}),
        _ => json!({"metadata": {"labels": {"v": value}}}),
    }
}

/// Another manager that declares the field that [`ours`] changes.
fn declare(world: &World, decl: &Decl, value: &str) {
    let Some(live) = world.get(&decl.key()) else { return };
    let mut manifest = json!({"apiVersion": live["apiVersion"], "kind": live["kind"]});
    manifest["metadata"] = json!({"name": decl.object});
    match decl.kind {
        Kind::Map | Kind::Secret => manifest["data"] = json!({"k0": value}),
        _ => manifest["metadata"]["labels"] = json!({"v": value}),
    }
    world.declare(&decl.key(), "flux", &manifest);
}

fn hold(world: &World, key: &str) {
    let Some(live) = world.get(key) else { return };
    let mut finalizers = live["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
    if !finalizers.contains(&json!(HOLD)) {
        finalizers.push(json!(HOLD));
        world.merge(key, "holder", &json!({"metadata": {"finalizers": finalizers}}));
    }
}

/// Takes the hold off an object.
pub(crate) fn let_go(world: &World, key: &str) {
    let Some(live) = world.get(key) else { return };
    let Some(finalizers) = live["metadata"]["finalizers"].as_array() else { return };
    if finalizers.contains(&json!(HOLD)) {
        let others: Vec<&Value> = finalizers.iter().filter(|one| **one != HOLD).collect();
        world.merge(key, "holder", &json!({"metadata": {"finalizers": others}}));
    }
}

/// An object of that name that somebody else made.
fn foreign(decl: &Decl, value: &str) -> Value {
    let (kind, group) = decl.kind.of_key().split_once('.').unwrap_or((decl.kind.of_key(), ""));
    let version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
    let mut object = json!({"apiVersion": version, "kind": kind, "metadata": {"name": decl.object}});
    if decl.kind.is_namespaced() {
        object["metadata"]["namespace"] = decl.namespace().into();
    }
    object["metadata"]["annotations"] = json!({"theirs": value});
    match decl.kind {
        Kind::Namespace | Kind::Definition => {}
        Kind::Map | Kind::Sealed | Kind::Secret => object["data"] = json!({"k0": value, "x": value}),
        Kind::Service => object["spec"] = json!({"ports": [{"name": "theirs", "port": 99}]}),
        Kind::Claim => {
            object["spec"] = json!({
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "replicated",
                "resources": {"requests": {"storage": "1Gi"}},
            });
        }
        Kind::Gear => object["spec"] = json!({"size": 9}),
    }
    object
}

/// Text in base64.
pub(crate) fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
