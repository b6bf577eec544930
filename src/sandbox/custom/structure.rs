//! A custom kind's structure, as server-side apply sees it.
//!
//! The rules are those by which the API server turns the definition into a schema for structured merges
//! (`k8s.io/kube-openapi` `schemaconv`).

use std::sync::Arc;

use super::node::{Additional, List, Node};
use crate::sandbox::schema::{CustomSchema, Scalar, Schema, Shape};
use crate::schema::Node as BuiltIn;

/// A place in the structure.
#[derive(Debug)]
struct Place {
    node: Arc<Node>,
    /// Whether a place above keeps unknown fields: then so does everything below it.
    preserve: bool,
    /// Whether a whole object stands here, with metadata of its own.
    is_object: bool,
}

/// The structure of objects with this schema.
pub(super) fn root(node: &Arc<Node>) -> Schema {
    place(node, false, true)
}

fn place(node: &Arc<Node>, preserve: bool, is_object: bool) -> Schema {
    let preserve = preserve || node.preserve;
    Schema::Custom(Arc::new(Place { node: Arc::clone(node), preserve, is_object }))
}

fn any() -> Schema {
    Schema::BuiltIn(BuiltIn::any())
}

impl Place {
    fn child(&self, node: &Arc<Node>) -> Schema {
        place(node, self.preserve, node.embedded)
    }

    /// An object of which nothing is said takes everything; one that stands for a whole object has metadata.
    fn is_open(&self) -> bool {
        self.preserve || (self.node.properties.is_empty() && !self.is_object)
    }
}

impl CustomSchema for Place {
    fn shape(&self) -> Shape {
        let node = &self.node;
        match node.kind.as_str() {
            "string" => Shape::Scalar(Scalar::String),
            "integer" | "number" => Shape::Scalar(Scalar::Number),
            "boolean" => Shape::Scalar(Scalar::Bool),
            "array" => match &node.list {
                List::Atomic => Shape::AtomicList,
                List::Set => Shape::Set,
                List::Map(keys) => {
                    let default = |key: &String| {
                        let items = node.items.as_ref()?;
                        Some(items.properties.get(key)?.default.as_ref()?.to_string())
                    };
                    Shape::ListMap(keys.iter().map(|key| (key.clone(), default(key))).collect())
                }
            },
            "" if node.properties.is_empty() => Shape::Any,
            _ => match node.additional {
                Additional::None => Shape::Object { atomic: node.atomic_map, open: self.is_open() },
                Additional::Any | Additional::Schema(_) => Shape::Map { atomic: node.atomic_map },
            },
        }
    }

    fn field(&self, name: &str) -> Option<Schema> {
        if self.is_object && matches!(name, "apiVersion" | "kind" | "metadata") {
            return BuiltIn::generic().field(name).map(Schema::BuiltIn);
        }
        let node = &self.node;
        match (node.properties.get(name), &node.additional) {
            (Some(field), _) | (None, Additional::Schema(field)) => Some(self.child(field)),
            (None, Additional::Any) => Some(any()),
            (None, Additional::None) => self.is_open().then(any),
        }
    }

    fn declares(&self, name: &str) -> bool {
        self.node.properties.contains_key(name)
            || (self.is_object && matches!(name, "apiVersion" | "kind" | "metadata"))
    }

    fn item(&self) -> Option<Schema> {
        match (&self.node.items, &self.node.additional) {
            (Some(items), _) => Some(self.child(items)),
            (None, Additional::Schema(values)) => Some(self.child(values)),
            (None, Additional::Any) => Some(any()),
            (None, Additional::None) => self.is_open().then(any),
        }
    }
}
