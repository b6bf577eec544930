//! The Go types of the built-in kinds: what of a JSON text survives the way through them, and how they are named
//! in the decoder's errors.
//!
//! `types.txt` is made by `tests/controlplane/types` from the Go packages of the API server's own version.

use std::collections::HashMap;
use std::sync::OnceLock;

const TEXT: &str = include_str!("types.txt");

/// The number of a struct in the table.
pub(super) type StructId = usize;

/// The type of a field, element or value.
#[derive(Debug, Clone)]
pub(super) struct Type {
    /// Whether Go tells "absent" from "zero" here.
    pub(super) pointer: bool,
    /// What it holds.
    pub(super) shape: Shape,
    /// Its name, where it is not that of its shape.
    name: &'static str,
}

/// What a type holds.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    String,
    Bool,
    Int32,
    Int64,
    Bytes,
    Time,
    MicroTime,
    Quantity,
    IntOrString,
    Any,
    Struct(StructId),
    List(Box<Type>),
    Map(Box<Type>),
}

/// A field of a struct.
#[derive(Debug)]
pub(super) struct Field {
    /// In JSON.
    pub(super) name: &'static str,
    /// Left out where empty: `omitempty`.
    pub(super) omit_empty: bool,
    /// Left out where all of it is zero: `omitzero`.
    pub(super) omit_zero: bool,
    /// Its type.
    pub(super) of: Type,
}

/// A struct.
#[derive(Debug)]
pub(super) struct Struct {
    /// In the table: `PodSpec`; with its group where two have one name.
    pub(super) name: &'static str,
    /// As Go prints it: `v1.PodSpec`.
    pub(super) go: &'static str,
    /// Fields, in Go's order.
    pub(super) fields: Vec<Field>,
}

/// The table.
#[derive(Debug)]
pub(super) struct Types {
    structs: Vec<Struct>,
    kinds: HashMap<(&'static str, &'static str), StructId>,
}

impl Types {
    /// The one table.
    pub(super) fn get() -> &'static Self {
        static TYPES: OnceLock<Types> = OnceLock::new();
        TYPES.get_or_init(|| parse(TEXT))
    }

    /// A struct.
    pub(super) fn of(&self, id: StructId) -> &Struct {
        &self.structs[id]
    }

    /// The struct of a kind.
    pub(super) fn kind(&self, api_version: &str, kind: &str) -> Option<StructId> {
        self.kinds.get(&(api_version, kind)).copied()
    }

    /// The struct of this name.
    #[cfg(test)]
    pub(super) fn named(&self, name: &str) -> Option<StructId> {
        self.structs.iter().position(|known| known.name == name)
    }
}

impl Struct {
    /// Its name without the package.
    pub(super) fn bare_name(&self) -> &'static str {
        self.go.rsplit('.').next().unwrap_or(self.go)
    }

    /// One of its fields.
    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Type {
    /// As Go prints it, without the pointer.
    pub(super) fn go_name(&self) -> String {
        if !self.name.is_empty() {
            return self.name.to_owned();
        }
        match &self.shape {
            Shape::String | Shape::Time | Shape::MicroTime => "string".into(),
            Shape::Bool => "bool".into(),
            Shape::Int32 | Shape::IntOrString => "int32".into(),
            Shape::Int64 => "int64".into(),
            Shape::Bytes => "[]uint8".into(),
            Shape::Quantity => "resource.Quantity".into(),
            Shape::Any => "v1.FieldsV1".into(),
            Shape::Struct(id) => Types::get().of(*id).go.into(),
            Shape::List(item) => format!("[]{}", item.full_go_name()),
            Shape::Map(item) => format!("map[string]{}", item.full_go_name()),
        }
    }

    fn full_go_name(&self) -> String {
        let pointer = if self.pointer { "*" } else { "" };
        format!("{pointer}{}", self.go_name())
    }

    /// Whether it is a `ResourceList`, whose amounts the API server rounds.
    pub(super) fn is_resource_list(&self) -> bool {
        self.name == "v1.ResourceList"
    }
}

fn parse(text: &'static str) -> Types {
    let lines = || text.lines().filter_map(|line| line.split_once(' '));
    let ids: HashMap<&str, StructId> = lines()
        .filter(|(word, _)| *word == "type")
        .enumerate()
        .map(|(id, (_, rest))| (rest.split(' ').next().unwrap_or_default(), id))
        .collect();
    let (mut structs, mut kinds) = (Vec::new(), HashMap::new());
    for (word, rest) in lines() {
        let mut words = rest.split(' ');
        let mut next = || words.next().unwrap_or_default();
        if word == "type" {
            let (name, go) = (next(), next());
            let fields = words.filter(|word| !word.is_empty()).map(|word| field(word, &ids)).collect();
            structs.push(Struct { name, go, fields });
        } else {
            let key = (next(), next());
            kinds.insert(key, ids[next()]);
        }
    }
    Types { structs, kinds }
}

fn field(word: &'static str, ids: &HashMap<&str, StructId>) -> Field {
    let (name, of) = word.split_once(':').expect("the table gives every field a type");
    let bare = name.trim_end_matches(['?', '0']);
    let flags = &name[bare.len()..];
    Field {
        name: bare,
        omit_empty: flags.contains('?'),
        omit_zero: flags.contains('0'),
        of: type_of(of, ids),
    }
}

fn type_of(text: &'static str, ids: &HashMap<&str, StructId>) -> Type {
    if let Some(rest) = text.strip_prefix('*') {
        return Type { pointer: true, ..type_of(rest, ids) };
    }
    let plain = |shape, name| Type { pointer: false, shape, name };
    if let Some(rest) = text.strip_prefix("[]") {
        let (item, name) = named_container(rest);
        return plain(Shape::List(Box::new(type_of(item, ids))), name);
    }
    if let Some(rest) = text.strip_prefix("{}") {
        let (item, name) = named_container(rest);
        return plain(Shape::Map(Box::new(type_of(item, ids))), name);
    }
    let (word, name) = text.split_once('/').unwrap_or((text, ""));
    let shape = match word {
        "string" => Shape::String,
        "bool" => Shape::Bool,
        "int32" => Shape::Int32,
        "int64" => Shape::Int64,
        "bytes" => Shape::Bytes,
        "time" => Shape::Time,
        "microtime" => Shape::MicroTime,
        "quantity" => Shape::Quantity,
        "intorstring" => Shape::IntOrString,
        "any" => Shape::Any,
        _ => Shape::Struct(ids[word]),
    };
    plain(shape, name)
}

/// Splits the name of a container's own type off: `quantity/v1.ResourceList`. A name after `string/…` is that of
/// the elements.
fn named_container(text: &'static str) -> (&'static str, &'static str) {
    let start = if text.starts_with("string/") { "string/".len() } else { 0 };
    match text[start..].split_once('/') {
        Some((_, name)) => (&text[..text.len() - name.len() - 1], name),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_types_as_go_prints_them() {
        let types = Types::get();
        let name = |owner: &str, field: &str| {
            types.of(types.named(owner).unwrap()).field(field).unwrap().of.go_name()
        };
        for (owner, field, expected) in [
            ("PodSpec", "containers", "[]v1.Container"),
            ("Container", "imagePullPolicy", "v1.PullPolicy"),
            ("ResourceRequirements", "limits", "v1.ResourceList"),
            ("ConfigMap", "data", "map[string]string"),
            ("ConfigMap", "binaryData", "map[string][]uint8"),
            ("PersistentVolumeClaimSpec", "accessModes", "[]v1.PersistentVolumeAccessMode"),
            ("DeploymentSpec", "replicas", "int32"),
            ("HorizontalPodAutoscaler", "spec", "v2.HorizontalPodAutoscalerSpec"),
        ] {
            assert_eq!(name(owner, field), expected, "{owner}.{field}");
        }
        assert_eq!(types.of(types.kind("v1", "Pod").unwrap()).bare_name(), "Pod");
    }
}
