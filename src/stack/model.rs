//! What a valid stack is once its files were read: the border between the language and the engine.
//!
//! *Invariants:* a [`Stack`] in hand is valid (names unique, references resolved, graph acyclic, fields
//! checked against the structure table); everything that can be known from files is already a plain value;
//! what is left ([`Late`]) is a secret or a field known only after apply.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::{Address, ObjectKey};
use crate::diag::{SourceMap, Span};
use crate::graph::Graph;
use crate::path::FieldPath;

/// A compiled stack.
#[derive(Debug, Clone)]
pub struct Stack {
    /// `[stack] name`.
    pub name: String,
    /// `[stack] description`.
    pub description: Option<String>,
    /// The stack file, as given.
    pub file: PathBuf,
    /// `--env`, if any.
    pub env: Option<String>,
    /// `[cluster]`.
    pub cluster: ClusterSettings,
    /// `[state]`.
    pub state: StateSettings,
    /// Resources by address, `for_each` already expanded.
    pub resources: BTreeMap<Address, Resource>,
    /// `[existing.<table>.<name>]` by `<table>.<name>`.
    pub existing: BTreeMap<Address, Existing>,
    /// Variables by name; secret ones with where their value comes from.
    pub variables: BTreeMap<String, Variable>,
    /// Outputs by name.
    pub outputs: BTreeMap<String, Output>,
    /// `[[moved]]`.
    pub moved: Vec<Moved>,
    /// `[[removed]]`.
    pub removed: Vec<Removed>,
    /// `[sources.<git_repository>] path`, absolute.
    pub sources: BTreeMap<String, PathBuf>,
    /// Dependencies between resources (and on `existing` ones), with the reason of each.
    pub graph: Graph<Address>,
    /// Hex SHA-256 over the content of every file read, in order of reading, with their paths.
    pub digest: String,
    /// Every file read, by its path below the stack's folder, with the hex SHA-256 of its text.
    pub files: BTreeMap<String, String>,
    /// The texts that the spans point into.
    pub sources_map: SourceMap,
}

/// `[cluster]`: which cluster the stack is for, unless flags say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterSettings {
    /// Context of the kubeconfig.
    pub context: Option<String>,
}

/// `[state]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StateSettings {
    /// `path`, absolute.
    pub path: Option<PathBuf>,
}

/// One declared object.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its address.
    pub address: Address,
    /// `apiVersion` of the manifest.
    pub api_version: String,
    /// `kind` of the manifest.
    pub kind: String,
    /// The object's namespace; `None` for cluster-scoped kinds, and for kinds of unknown scope without one.
    pub namespace: Option<String>,
    /// The object's name.
    pub name: String,
    /// Whether the kind is namespaced; `None` if only the cluster knows.
    pub namespaced: Option<bool>,
    /// The whole manifest, `apiVersion`, `kind` and `metadata` included, without our mark.
    /// Always a [`Val::Map`]. `stringData` of a Secret is already base64 `data`.
    pub manifest: Val,
    /// `protect`; `None` where the stack does not say.
    pub protect: Option<bool>,
    /// `timeout`.
    pub timeout: Option<Duration>,
    /// `wait`.
    pub wait: Wait,
    /// `ignore`: field paths left to others.
    pub ignore: Vec<FieldPath>,
    /// `on_immutable = "replace"`.
    pub replace_immutable: bool,
    /// The table header or first key that declares it.
    pub span: Span,
    /// Where each leaf of the manifest was written, as far as it was written by the user.
    pub spans: BTreeMap<FieldPath, Span>,
}

impl Resource {
    /// The key of the object.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        let (group, _) = crate::address::split_api_version(&self.api_version);
        ObjectKey::new(group, &self.kind, self.namespace.as_deref(), &self.name)
    }
}

/// When a resource counts as done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wait {
    /// Its kind's own readiness rule holds.
    Ready,
    /// The server accepted it.
    Applied,
    /// This CEL expression over the live object (its top-level fields, and `self`) is true.
    Cel(String),
}

/// A value of a manifest.
#[derive(Debug, Clone, PartialEq)]
pub enum Val {
    /// JSON `null`; only below free-form fields.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// A text.
    String(String),
    /// A list.
    List(Vec<Val>),
    /// A map.
    Map(BTreeMap<String, Val>),
    /// Not known from files.
    Late(Late),
}

/// A value that is a secret, or known only after apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Late {
    /// The parts, joined as text. If there is exactly one and it is no [`Part::Text`], the value has that
    /// part's own type.
    pub parts: Vec<Part>,
    /// Whether the joined text is base64-encoded into the manifest (`data` of a Secret).
    pub base64: bool,
}

/// A part of a [`Late`] value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Plain text.
    Text(String),
    /// The value of a secret variable.
    Secret(String),
    /// A field of another object.
    Field(FieldRef),
}

/// A field of a live object: `uid`, `status.*`, or any field of an `existing` object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldRef {
    /// Whose.
    pub target: Target,
    /// Path in the live object; `uid` is already `metadata.uid`.
    pub path: FieldPath,
}

/// What a reference points at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// A resource of the stack.
    Resource(Address),
    /// An `existing` object, by `<table>.<name>`.
    Existing(Address),
}

/// An object that is read, waited for and referenced, never written.
#[derive(Debug, Clone)]
pub struct Existing {
    /// `<table>.<name>`, without the leading `existing`.
    pub address: Address,
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// Namespace; `None` for cluster-scoped kinds.
    pub namespace: Option<String>,
    /// The object's name.
    pub name: String,
    /// `wait`.
    pub wait: Wait,
    /// `timeout`.
    pub timeout: Option<Duration>,
    /// Where it is declared.
    pub span: Span,
}

/// A declared variable.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// `description`.
    pub description: Option<String>,
    /// Plain: the value, all precedence applied. Secret: where the value comes from.
    pub value: VariableValue,
    /// Where it is declared.
    pub span: Span,
}

/// See [`Variable::value`].
#[derive(Debug, Clone)]
pub enum VariableValue {
    /// A value known at compile time.
    Plain(serde_json::Value),
    /// A secret, not resolved yet.
    Secret(SecretSource),
}

/// Where the value of a secret variable comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// This environment variable (`from = { env = … }`, or `ARRPLAN_VAR_<name>` when that is set, which wins).
    Env(String),
    /// This file's content, one trailing newline dropped; absolute path below the stack's folder.
    File(PathBuf),
    /// Standard output of this command, one trailing newline dropped; run in the stack's folder.
    Command(Vec<String>),
    /// Read from a variable file or `--env` file at this key; never kept in the compiled stack.
    VarFile(PathBuf),
    /// Drawn at apply; lives in the cluster only.
    Generate {
        /// Number of characters.
        length: usize,
        /// Alphabet.
        charset: Charset,
        /// The resource and the key of its `data` that is the reference alone.
        home: Box<(Address, String)>,
    },
}

/// Alphabet of a generated secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// `0-9a-f`.
    Hex,
    /// `A-Za-z0-9`.
    Alphanumeric,
    /// `A-Za-z0-9` and `!#%+,-./:=?@_~`.
    Printable,
}

/// A declared output.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its value.
    pub value: Val,
    /// Where it is declared.
    pub span: Span,
}

/// `[[moved]]`: the resource at `from` is now at `to`.
#[derive(Debug, Clone)]
pub struct Moved {
    /// The old address.
    pub from: Address,
    /// The new address.
    pub to: Address,
    /// Where it is declared.
    pub span: Span,
}

/// `[[removed]]`: the resource was taken out of the stack on purpose.
#[derive(Debug, Clone)]
pub struct Removed {
    /// Its address; a declaration names all its instances.
    pub resource: Address,
    /// `destroy = false`: forget it, leave the object.
    pub destroy: bool,
    /// Where it is declared.
    pub span: Span,
}

impl crate::schema::Tree for Val {
    fn view(&self) -> crate::schema::View<'_, Self> {
        use crate::schema::View;
        match self {
            Self::Null => View::Null,
            Self::Bool(value) => View::Bool(*value),
            Self::Number(value) => View::Number(value),
            Self::String(value) => View::String(value),
            Self::List(items) => View::List(items),
            Self::Map(map) => View::Map(map.iter().map(|(key, value)| (key.as_str(), value)).collect()),
            Self::Late(late) => match late.parts[..] {
                [Part::Secret(_) | Part::Field(_)] if !late.base64 => View::Unknown,
                _ => View::SomeText,
            },
        }
    }
}
