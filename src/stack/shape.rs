//! The structure of the field a value stands in.

use crate::schema::{self, Node, Type};

/// A place in the structure of a kind, or nowhere in particular.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// No manifest: a local value, an output, an engine argument.
    Nowhere,
    /// The kind has no such field.
    Unknown,
    /// A kind whose structure is not known.
    Free,
    Known(Node),
}

/// The fields by which an object names another.
const REFERENCE: &[&str] = &["apiVersion", "apiGroup", "kind", "name", "namespace"];

impl Shape {
    /// The structure of a whole object.
    pub(super) fn of(api_version: &str, kind: &str) -> Self {
        schema::lookup(api_version, kind).map_or(Self::Free, |kind| Self::Known(kind.root))
    }

    pub(super) fn field(self, name: &str) -> Self {
        self.step(|node| node.field(name))
    }

    pub(super) fn item(self) -> Self {
        self.step(Node::item)
    }

    fn step(self, way: impl FnOnce(Node) -> Option<Node>) -> Self {
        match self {
            Self::Known(node) => way(node).map_or(Self::Unknown, Self::Known),
            other => other,
        }
    }

    /// The fields of a reference that stands here.
    ///
    /// # Errors
    /// Why none can stand here.
    pub(super) fn reference_fields(self) -> Result<Vec<&'static str>, &'static str> {
        let node = match self {
            Self::Nowhere => return Err("only a field of a manifest gives it one"),
            Self::Free => return Err("the structure of this kind is not known"),
            Self::Unknown => return Err("the kind has no such field"),
            Self::Known(node) => node,
        };
        match node.node_type() {
            Type::Any => Err("the structure of this field is not known"),
            Type::Object => {
                let fields: Vec<&str> =
                    REFERENCE.iter().copied().filter(|name| node.field(name).is_some()).collect();
                if fields.contains(&"name") { Ok(fields) } else { Err("this field does not name an object") }
            }
            Type::String => Err("this field is text: use `.name`"),
            Type::List | Type::ListMap(_) | Type::Set => {
                Err("this field is a list: put the reference in brackets")
            }
            _ => Err("this field does not name an object"),
        }
    }
}
