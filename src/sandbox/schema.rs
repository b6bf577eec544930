//! One view of structure for built-in kinds (the table of `crate::schema`) and custom ones (their CRD).

use std::sync::Arc;

use crate::schema::{ListKey, Node, Type};

/// A place in the structure of a kind.
#[derive(Debug, Clone)]
pub(super) enum Schema {
    /// From the embedded table.
    BuiltIn(Node),
    /// From a CRD.
    Custom(Arc<dyn CustomSchema>),
}

/// What the structure of a CRD offers here. Its `metadata` leads back into the table.
pub(super) trait CustomSchema: std::fmt::Debug + Send + Sync {
    /// What a value here may be, as server-side apply sees it.
    fn shape(&self) -> Shape;
    /// The structure of the field or map key.
    fn field(&self, name: &str) -> Option<Schema>;
    /// Whether `name` is a field that the schema names: not a key of a map, not what is merely kept.
    fn declares(&self, name: &str) -> bool;
    /// The structure of elements of a list or values of a map.
    fn item(&self) -> Option<Schema>;
}

/// How server-side apply merges and owns a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// Known fields. `atomic`: owned as a whole. `open`: unknown fields are kept, each owned by itself.
    Object { atomic: bool, open: bool },
    /// Keys of the user's choice.
    Map { atomic: bool },
    /// Owned as a whole.
    AtomicList,
    /// Distinct scalars, each owned by itself.
    Set,
    /// Elements told apart by these keys (name, JSON text of the default), each owned by itself.
    ListMap(Vec<(String, Option<String>)>),
    /// One value.
    Scalar(Scalar),
    /// Free-form: maps and lists below are deduced from the value (maps granular, lists atomic).
    Any,
}

/// Type of a scalar, as `typed` conversions check it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    /// A text (also bytes and durations, but no time).
    String,
    /// An integer or a fraction.
    Number,
    /// `true` or `false`.
    Bool,
    /// Anything scalar: quantities, times, int-or-string.
    Untyped,
}

impl Schema {
    /// See [`Shape`].
    pub(super) fn shape(&self) -> Shape {
        match self {
            Self::BuiltIn(node) => built_in(*node),
            Self::Custom(schema) => schema.shape(),
        }
    }

    /// The structure of the field or map key; `None` if the kind has no such field.
    pub(super) fn field(&self, name: &str) -> Option<Self> {
        match self {
            Self::BuiltIn(node) => node.field(name).map(Self::BuiltIn),
            Self::Custom(schema) => schema.field(name),
        }
    }

    /// Whether `name` is a field that the schema names: not a key of a map, not what is merely kept.
    pub(super) fn declares(&self, name: &str) -> bool {
        match self {
            Self::BuiltIn(node) if node.node_type() != Type::Object => false,
            Self::BuiltIn(node) if node.keeps_unknown() => node.fields().any(|field| field.name == name),
            Self::BuiltIn(node) => node.field(name).is_some(),
            Self::Custom(schema) => schema.declares(name),
        }
    }

    /// The structure of elements of a list or values of a map.
    pub(super) fn item(&self) -> Option<Self> {
        match self {
            Self::BuiltIn(node) => node.item().map(Self::BuiltIn),
            Self::Custom(schema) => schema.item(),
        }
    }
}

fn built_in(node: Node) -> Shape {
    let key = |key: &ListKey| {
        (key.name.to_owned(), key.default.or_else(|| zero(node, key.name)).map(str::to_owned))
    };
    match node.node_type() {
        Type::Object => Shape::Object { atomic: node.is_atomic(), open: node.keeps_unknown() },
        Type::Map => Shape::Map { atomic: node.is_atomic() },
        Type::List => Shape::AtomicList,
        Type::Set => Shape::Set,
        Type::ListMap(keys) => Shape::ListMap(keys.iter().map(key).collect()),
        Type::String | Type::Bytes | Type::Duration(_) => Shape::Scalar(Scalar::String),
        Type::Quantity | Type::IntOrString | Type::DateTime => Shape::Scalar(Scalar::Untyped),
        Type::Integer | Type::Number => Shape::Scalar(Scalar::Number),
        Type::Bool => Shape::Scalar(Scalar::Bool),
        Type::Any => Shape::Any,
    }
}

/// The value of a key that an element of a built-in list lacks: published as the default of every such key, save
/// of references to objects of any kind.
fn zero(list: Node, key: &str) -> Option<&'static str> {
    let item = list.item()?;
    if item.field("fieldPath").is_some() {
        return None;
    }
    match item.field(key)?.node_type() {
        Type::String => Some("\"\""),
        Type::Integer => Some("0"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::root_of;

    #[test]
    fn keys_have_the_defaults_that_the_api_server_publishes() {
        let keys = |kind: &str, path: &[&str]| {
            let root = Schema::BuiltIn(root_of("v1", kind));
            let list = path.iter().fold(root, |schema, name| match *name {
                "[]" => schema.item().unwrap(),
                name => schema.field(name).unwrap(),
            });
            match list.shape() {
                Shape::ListMap(keys) => keys,
                other => panic!("{other:?}"),
            }
        };
        let key = |name: &str, default: Option<&str>| (name.to_owned(), default.map(str::to_owned));
        assert_eq!(keys("Pod", &["spec", "containers"]), [key("name", Some("\"\""))]);
        let ports = keys("Pod", &["spec", "containers", "[]", "ports"]);
        assert_eq!(ports, [key("containerPort", Some("0")), key("protocol", Some("\"TCP\""))]);
        assert_eq!(keys("ServiceAccount", &["secrets"]), [key("name", None)]);
        assert_eq!(keys("Pod", &["spec", "imagePullSecrets"]), [key("name", Some("\"\""))]);
    }
}
