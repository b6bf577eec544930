//! Secrets of a revision: it holds no values, so they are resolved today. Where today's value is another one
//! than was recorded, what is live stays.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Back, replace};
use crate::address::Address;
use crate::diag::Diagnostic;
use crate::fields;
use crate::manifest::{self, Lookup, SecretValue};
use crate::object::Object;
use crate::path::FieldPath;
use crate::schema;
use crate::secrets::SecretValues;
use crate::stack::{FieldRef, Late, Part, SecretSource, Stack, Val, VariableValue};
use crate::state::{HashKey, Revision, RevisionManifest};

/// Whether a value involves a secret.
pub(super) fn is_secret(late: &Late) -> bool {
    late.parts.iter().any(|part| matches!(part, Part::Secret(_)))
}

/// What has to be settled before the revision can be planned.
pub(super) struct Task<'a> {
    pub(super) revision: &'a Revision,
    pub(super) key: &'a HashKey,
    pub(super) live: &'a BTreeMap<Address, Object>,
    pub(super) values: &'a mut SecretValues,
    pub(super) stack: &'a mut Stack,
}

/// Where the value of a place comes from.
enum Source {
    /// Its variables, as they are today.
    Today,
    /// Its variables, although they were others then: there is no value to keep.
    Another,
    /// The live object, with why.
    Live(String, String),
    /// Nowhere: these variables are not there.
    Missing(Vec<String>),
}

impl Task<'_> {
    /// Decides about every place with a secret.
    pub(super) fn settle(&mut self, back: &mut Back) {
        let revision = self.revision;
        for (address, recorded) in &revision.resources {
            let secrets = recorded.manifest.late.iter().filter(|(_, late)| is_secret(late));
            for (path, late) in secrets {
                match self.source(address, recorded, path, late) {
                    Source::Today => {}
                    Source::Another => back.note(
                        address,
                        format!("{path}: the value of today is written; revisions hold no values"),
                    ),
                    Source::Live(value, why) => {
                        let text = format!("{path}: the value stays as it is in the cluster; {why}");
                        back.note(address, text);
                        self.keep(address, path, late.base64, &value);
                        back.kept.entry(address.clone()).or_default().insert(path.clone(), late.clone());
                    }
                    Source::Missing(names) => back.problems.push(missing(revision, address, path, &names)),
                }
            }
        }
    }

    fn source(
        &self,
        address: &Address,
        recorded: &RevisionManifest,
        path: &FieldPath,
        late: &Late,
    ) -> Source {
        let mut absent = Vec::new();
        let mut generated = false;
        for part in &late.parts {
            let Part::Secret(name) = part else { continue };
            match self.stack.variables.get(name).map(|variable| &variable.value) {
                Some(VariableValue::Secret(SecretSource::Generate { home, .. })) => {
                    generated = true;
                    if !self.is_home(name, home) {
                        absent.push(name.clone());
                    }
                }
                Some(VariableValue::Secret(_)) => {}
                Some(VariableValue::Plain(_)) | None => absent.push(name.clone()),
            }
        }
        // It lives in the cluster alone: read back from its home, or drawn anew where that is gone.
        if generated && absent.is_empty() {
            return Source::Today;
        }
        let same = absent.is_empty() && {
            let now = manifest::value(&Val::Late(late.clone()), &Today(self.values));
            let then = recorded.secrets.get(path);
            now.zip(then).is_some_and(|(now, then)| self.key.field(address, path, &now) == *then)
        };
        if same {
            return Source::Today;
        }
        match self.live_text(address, recorded, path) {
            Some(value) => Source::Live(value, self.reason(recorded, path, &absent)),
            None if absent.is_empty() => Source::Another,
            None => Source::Missing(absent),
        }
    }

    /// Why a value stays.
    fn reason(&self, recorded: &RevisionManifest, path: &FieldPath, absent: &[String]) -> String {
        match absent {
            [] if self.revision.key_id != self.key.id() => {
                "whether it is the recorded one is not known: the state's key was lost".to_owned()
            }
            [] if recorded.secrets.contains_key(path) => {
                "today's is another one than was recorded, and revisions hold no values".to_owned()
            }
            [] => "what it was then was not recorded".to_owned(),
            [name] => format!("the stack has no secret variable `{name}` any more"),
            names => format!("the stack has no secret variables `{}` any more", names.join("`, `")),
        }
    }

    /// Whether the home that the stack of today gives a generated variable is its home in the revision too.
    fn is_home(&self, name: &str, home: &(Address, String)) -> bool {
        let late = self.revision.resources.get(&home.0);
        let late = late.and_then(|r| r.manifest.late.get(&FieldPath::keys(["data", home.1.as_str()])));
        late.is_some_and(|late| matches!(&late.parts[..], [Part::Secret(only)] if only == name))
    }

    fn live_text(&self, address: &Address, recorded: &RevisionManifest, path: &FieldPath) -> Option<String> {
        let resource = self.stack.resources.get(address)?;
        let root = schema::root_of(&resource.api_version, &resource.kind);
        let path = fields::canonical_path(root, &recorded.manifest.value, path);
        path.get(&self.live.get(address)?.0)?.as_str().map(str::to_owned)
    }

    /// Makes a live value what is desired, as a secret like any other: under a name that no variable can have.
    fn keep(&mut self, address: &Address, path: &FieldPath, base64: bool, value: &str) {
        let decoded = STANDARD.decode(value).ok().filter(|_| base64).and_then(|b| String::from_utf8(b).ok());
        let name = format!("{address} {path}");
        let late = Late { parts: vec![Part::Secret(name.clone())], base64: decoded.is_some() };
        self.values.insert(name, decoded.unwrap_or_else(|| value.to_owned()));
        replace(self.stack, address, path, Val::Late(late));
    }
}

/// The values of variables, and nothing else.
struct Today<'a>(&'a SecretValues);

impl Lookup for Today<'_> {
    fn field(&self, _field: &FieldRef) -> Option<Value> {
        None
    }

    fn secret(&self, name: &str) -> SecretValue {
        self.0.get(name).map_or(SecretValue::NotRead, |value| SecretValue::Known(value.to_owned()))
    }
}

fn missing(revision: &Revision, address: &Address, path: &FieldPath, names: &[String]) -> Diagnostic {
    let message = format!("{address}: revision {} has no value for {path}", revision.serial);
    let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Diagnostic::error("E416", message)
        .note("revisions hold no values of secrets, and there is no live one to keep")
        .note(format!("the stack has no secret variable {names} any more"))
        .help("declare the variable again, with a source that has the value")
}
