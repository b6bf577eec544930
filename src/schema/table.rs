//! The embedded table: its text form and the types in it.
//!
//! One line per kind and per type; a type is named by the number of its line. Lines are split when the table is
//! first used, a type is read when it is first looked at, so a command pays only for the kinds it meets.

use std::sync::OnceLock;

/// Made by `tests/schema` from a real API server; see there for how to make it anew.
const TEXT: &str = include_str!("structure.txt");

pub(super) type TypeId = u32;

/// A key of a list map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListKey {
    /// The field of the elements.
    pub name: &'static str,
    /// JSON text of the value that counts where an element does not have the field.
    pub default: Option<&'static str>,
}

/// A field of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) id: TypeId,
}

#[derive(Debug)]
pub(super) enum Def {
    Any,
    String,
    Url(Vec<&'static str>),
    Enum(Vec<String>),
    Bytes,
    DateTime,
    Duration(Vec<&'static str>),
    Quantity,
    IntOrString,
    Int32,
    Int64,
    Number,
    Bool,
    Object { fields: Vec<Field>, atomic: bool, keeps_unknown: bool },
    Map { item: TypeId, atomic: bool },
    List(TypeId),
    Set(TypeId),
    ListMap { item: TypeId, keys: Vec<ListKey> },
}

pub(super) struct KindLine {
    pub(super) api_version: &'static str,
    pub(super) kind: &'static str,
    pub(super) namespaced: bool,
    pub(super) root: TypeId,
}

pub(super) struct Table {
    pub(super) versions: Vec<(&'static str, &'static str)>,
    pub(super) kinds: Vec<KindLine>,
    types: Vec<(&'static str, OnceLock<Def>)>,
}

impl Table {
    pub(super) fn get() -> &'static Self {
        static TABLE: OnceLock<Table> = OnceLock::new();
        TABLE.get_or_init(|| Self::split(TEXT))
    }

    fn split(text: &'static str) -> Self {
        let (mut versions, mut kinds, mut types) = (Vec::new(), Vec::new(), Vec::new());
        for line in text.lines() {
            let (word, rest) = line.split_once(' ').expect("every line has a first word");
            match word {
                "type" => types.push((rest, OnceLock::new())),
                "version" => versions.push(rest.split_once(' ').expect("a name and a version")),
                _ => {
                    let mut words = rest.split(' ');
                    let mut word = || words.next().expect("apiVersion, kind, scope and type");
                    kinds.push(KindLine {
                        api_version: word(),
                        kind: word(),
                        namespaced: word() == "N",
                        root: id(word()),
                    });
                }
            }
        }
        Self { versions, kinds, types }
    }

    pub(super) fn def(&self, id: TypeId) -> &Def {
        let (line, def) = &self.types[id as usize];
        def.get_or_init(|| parse(line))
    }

    #[cfg(test)]
    pub(super) fn type_count(&self) -> usize {
        self.types.len()
    }
}

fn id(word: &str) -> TypeId {
    word.parse().expect("the table names types by number")
}

fn parse(line: &'static str) -> Def {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "any" => Def::Any,
        "string" => Def::String,
        "url" => Def::Url(rest.split(' ').collect()),
        "enum" => Def::Enum(serde_json::from_str(rest).expect("the table holds enums as JSON")),
        "bytes" => Def::Bytes,
        "date-time" => Def::DateTime,
        "duration" => Def::Duration(rest.split(' ').collect()),
        "quantity" => Def::Quantity,
        "int-or-string" => Def::IntOrString,
        "int32" => Def::Int32,
        "int64" => Def::Int64,
        "number" => Def::Number,
        "bool" => Def::Bool,
        "list" => Def::List(id(rest)),
        "set" => Def::Set(id(rest)),
        "map" | "map@" => Def::Map { item: id(rest), atomic: word.ends_with('@') },
        "listmap" => {
            let (item, keys) = rest.split_once(' ').expect("a list map has keys");
            Def::ListMap { item: id(item), keys: keys.split(' ').map(list_key).collect() }
        }
        _ => Def::Object {
            fields: rest.split(' ').filter(|f| !f.is_empty()).map(field).collect(),
            atomic: word.contains('@'),
            keeps_unknown: word.contains('*'),
        },
    }
}

fn list_key(text: &'static str) -> ListKey {
    match text.split_once('=') {
        Some((name, default)) => ListKey { name, default: Some(default) },
        None => ListKey { name: text, default: None },
    }
}

fn field(text: &'static str) -> Field {
    let (name, number) = text.rsplit_once(':').expect("a field has a type");
    let (name, required) = match name.strip_suffix('!') {
        Some(name) => (name, true),
        None => (name, false),
    };
    Field { name, required, id: id(number) }
}
