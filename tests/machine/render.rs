//! An [`Intent`] as a stack file.

use std::fmt::Write as _;

use crate::intent::{Decl, EXTRA, Edge, GEARS, Intent, Kind, MAIN};

/// The environment variable that the canary is read from.
pub(crate) const CANARY: &str = "MACHINE_CANARY";

/// The name of every stack here.
pub(crate) const STACK: &str = "machine";

const SCHEMA: &str = r#"group = "machine.test"
scope = "Namespaced"
names = { plural = "gears", singular = "gear", kind = "Gear", listKind = "GearList" }
"#;
const VERSION: &str = r#"name = "v1"
served = true
storage = true
"#;
const PROPERTIES: &str = r#"type = "object"
properties.spec = { type = "object", properties = { size = { type = "integer" }, note = { type = "string" } } }
"#;

/// The stack file.
pub(crate) fn stack(intent: &Intent) -> String {
    let mut text = format!("[stack]\nname = \"{STACK}\"\n\n[defaults]\nnamespace = \"{MAIN}\"\n");
    if intent.decls.values().any(|decl| decl.kind == Kind::Secret) {
        text.push_str("\n[variables.canary]\nsecret = true\n");
        writeln!(text, "from = {{ env = \"{CANARY}\" }}").unwrap();
    }
    for decl in intent.decls.values() {
        declaration(&mut text, intent, decl);
    }
    for (from, to) in &intent.moved {
        write!(text, "\n[[moved]]\nfrom = \"{from}\"\nto = \"{to}\"\n").unwrap();
    }
    for address in &intent.released {
        write!(text, "\n[[removed]]\nresource = \"{address}\"\ndestroy = false\n").unwrap();
    }
    text
}

/// The keys of `k0`, `k1`, `k2` that a declaration has.
pub(crate) fn keys(decl: &Decl) -> impl Iterator<Item = String> {
    let bits = decl.keys;
    (0..3).filter(move |bit| bits & (1 << bit) != 0).map(|bit| format!("k{bit}"))
}

/// The name of the annotation that an edge makes.
pub(crate) fn annotation(needed: &str, edge: Edge) -> Option<String> {
    let what = match edge {
        Edge::Order => return None,
        Edge::Name => "name",
        Edge::Uid => "uid",
    };
    Some(format!("{what}-{}", needed.replace(['.', '_'], "-")))
}

fn declaration(text: &mut String, intent: &Intent, decl: &Decl) {
    let Decl { kind, local, object, value, .. } = decl;
    let address = decl.address();
    if *kind == Kind::Secret {
        write!(text, "\n[variables.token_{local}]\nsecret = true\n").unwrap();
        text.push_str("from = { generate = { length = 32, charset = \"hex\" } }\n");
    }
    write!(text, "\n[{address}]\nname = \"{object}\"\n").unwrap();
    if decl.extra {
        writeln!(text, "namespace = \"{EXTRA}\"").unwrap();
    }
    if decl.protect {
        text.push_str("protect = true\n");
    }
    if decl.applied {
        text.push_str("wait = \"applied\"\n");
    }
    let orders = decl.needs.iter().filter(|(_, edge)| **edge == Edge::Order);
    let orders: Vec<String> = orders.map(|(needed, _)| format!("\"{needed}\"")).collect();
    if !orders.is_empty() {
        writeln!(text, "depends_on = [{}]", orders.join(", ")).unwrap();
    }
    for (needed, edge) in &decl.needs {
        let field = if *edge == Edge::Uid { "uid" } else { "name" };
        if let Some(name) = annotation(needed, *edge) {
            writeln!(text, "annotations.{name} = \"${{{needed}.{field}}}\"").unwrap();
        }
        debug_assert!(intent.decls.contains_key(needed));
    }
    if !matches!(kind, Kind::Map | Kind::Sealed | Kind::Secret) {
        writeln!(text, "labels.v = \"v{value}\"").unwrap();
    }
    match kind {
        Kind::Namespace => {}
        Kind::Definition => {
            debug_assert_eq!(object, GEARS);
            write!(text, "[{address}.spec]\n{SCHEMA}[[{address}.spec.versions]]\n{VERSION}").unwrap();
            write!(text, "[{address}.spec.versions.schema.openAPIV3Schema]\n{PROPERTIES}").unwrap();
        }
        Kind::Map | Kind::Sealed => {
            if *kind == Kind::Sealed {
                text.push_str("immutable = true\non_immutable = \"replace\"\n");
            }
            for key in keys(decl) {
                writeln!(text, "data.{key} = \"v{value}\"").unwrap();
            }
        }
        Kind::Secret => {
            writeln!(text, "stringData.token = \"${{var.token_{local}}}\"").unwrap();
            text.push_str("stringData.canary = \"${var.canary}\"\n");
            for key in keys(decl) {
                writeln!(text, "stringData.{key} = \"v{value}\"").unwrap();
            }
        }
        Kind::Service => {
            text.push_str("spec.selector = { app = \"machine\" }\n");
            writeln!(
                text,
                "spec.ports = [{{ name = \"p{0}\", port = {0}, targetPort = 8080 }}]",
                port(*value)
            )
            .unwrap();
        }
        Kind::Claim => {
            text.push_str("spec.accessModes = [\"ReadWriteOnce\"]\nspec.storageClassName = \"replicated\"\n");
            text.push_str("spec.resources.requests.storage = \"1Gi\"\n");
        }
        Kind::Gear => {
            text.push_str("apiVersion = \"machine.test/v1\"\nkind = \"Gear\"\n");
            writeln!(text, "spec.size = {value}\nspec.note = \"v{value}\"").unwrap();
        }
    }
}

/// The port of a Service with this value.
pub(crate) fn port(value: u8) -> u16 {
    80 + u16::from(value)
}
