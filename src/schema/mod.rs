//! The structure of the kinds a user of this tool writes: field names, types, list-map keys, enums, required
//! fields. Embedded, so that mistakes are found before anything is contacted.
//!
//! *Invariants:* the table is what a real API server says (`tests/schema` compares them); it holds no prose. A
//! kind or a field that the table lacks is not wrong, it is unknown: the cluster decides.

mod check;
mod duration;
mod problem;
mod quantity;
mod suggest;
mod table;

pub use check::{Tree, View, check, check_node};
pub use duration::{DurationError, parse_duration};
pub use problem::{Expected, Got, Problem, Violation};
pub use quantity::{Quantity, QuantityError};
pub use suggest::Suggestion;
pub use table::ListKey;

use std::sync::OnceLock;

use table::{Def, Table, TypeId};

use crate::path::{FieldPath, Segment};

/// Fields of `metadata` that only the server writes.
pub const SERVER_METADATA: &[&str] = &[
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// What the table was made from: name and version, e.g. `kubernetes`, `v1.37.1`.
#[must_use]
pub fn versions() -> &'static [(&'static str, &'static str)] {
    &Table::get().versions
}

/// A known kind.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its `apiVersion`.
    pub api_version: &'static str,
    /// Its name.
    pub kind: &'static str,
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
    /// The structure of a whole object.
    pub root: Node,
}

impl Kind {
    /// Whether the API server itself defines this kind, so that it stores typed values: a quantity in its own
    /// form, where a custom resource's stays as it was written.
    #[must_use]
    pub fn is_built_in(self) -> bool {
        let (group, _) = crate::address::split_api_version(self.api_version);
        !group.contains('.') || group.ends_with(".k8s.io")
    }
}

/// The structure of this kind, or of any object if the table does not have it.
#[must_use]
pub fn root_of(api_version: &str, kind: &str) -> Node {
    lookup(api_version, kind).map_or_else(Node::generic, |kind| kind.root)
}

/// The kind of this `apiVersion` and name; `None` if the table does not have it.
#[must_use]
pub fn lookup(api_version: &str, kind: &str) -> Option<Kind> {
    kinds().find(|k| k.kind == kind && k.api_version == api_version)
}

/// Every kind of the table, ordered by `apiVersion` and name, save that `apps.cozystack.io` stands last.
pub fn kinds() -> impl Iterator<Item = Kind> {
    Table::get().kinds.iter().map(|line| Kind {
        api_version: line.api_version,
        kind: line.kind,
        namespaced: line.namespaced,
        root: Node(line.root),
    })
}

/// The structure at `path` in an object of `kind`; `None` where the kind has no such field. Selectors and
/// positions all lead to the element of a list.
#[must_use]
pub fn node_at(kind: Kind, path: &FieldPath) -> Option<Node> {
    path.0.iter().try_fold(kind.root, Node::step)
}

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A map with known fields.
    Object,
    /// A map with keys of the user's choice.
    Map,
    /// A list that server-side apply owns as one value.
    List,
    /// A list whose elements are told apart by these fields.
    ListMap(&'static [ListKey]),
    /// A list of distinct scalars.
    Set,
    /// A text.
    String,
    /// A text in base64.
    Bytes,
    /// An amount such as `500Gi`, or a number.
    Quantity,
    /// An integer or a text, e.g. a port by number or name.
    IntOrString,
    /// A Go duration in these units, e.g. `5m30s`.
    Duration(&'static [&'static str]),
    /// A time, e.g. `2024-05-01T12:00:00Z`.
    DateTime,
    /// An integer.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// Anything: free-form.
    Any,
}

/// A place in the structure of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node(TypeId);

/// A field of an object.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Whether an object without it is refused.
    pub required: bool,
    /// Its structure.
    pub node: Node,
}

impl From<&table::Field> for Field {
    fn from(field: &table::Field) -> Self {
        Self { name: field.name, required: field.required, node: Node(field.id) }
    }
}

impl Node {
    fn def(self) -> &'static Def {
        Table::get().def(self.0)
    }

    /// What a value here may be.
    #[must_use]
    pub fn node_type(self) -> Type {
        match self.def() {
            Def::Any => Type::Any,
            Def::String | Def::Url(_) | Def::Enum(_) => Type::String,
            Def::Bytes => Type::Bytes,
            Def::DateTime => Type::DateTime,
            Def::Duration(units) => Type::Duration(units),
            Def::Quantity => Type::Quantity,
            Def::IntOrString => Type::IntOrString,
            Def::Int32 | Def::Int64 => Type::Integer,
            Def::Number => Type::Number,
            Def::Bool => Type::Bool,
            Def::Object { .. } => Type::Object,
            Def::Map { .. } => Type::Map,
            Def::List(_) => Type::List,
            Def::Set(_) => Type::Set,
            Def::ListMap { keys, .. } => Type::ListMap(keys),
        }
    }

    /// The structure of the field or map key `name`. Below free-form values everything is free-form.
    #[must_use]
    pub fn field(self, name: &str) -> Option<Self> {
        match self.def() {
            Def::Object { fields, keeps_unknown, .. } => {
                match fields.binary_search_by(|field| field.name.cmp(name)) {
                    Ok(at) => Some(Self(fields[at].id)),
                    Err(_) => keeps_unknown.then(Self::any),
                }
            }
            Def::Map { item, .. } => Some(Self(*item)),
            Def::Any => Some(self),
            _ => None,
        }
    }

    /// The fields of an object, by name; none for every other type.
    pub fn fields(self) -> impl Iterator<Item = Field> {
        let fields = match self.def() {
            Def::Object { fields, .. } => fields.as_slice(),
            _ => &[],
        };
        fields.iter().map(Field::from)
    }

    /// The structure of the elements of a list, or of the values of a map.
    #[must_use]
    pub fn item(self) -> Option<Self> {
        match self.def() {
            Def::Map { item, .. } | Def::List(item) | Def::Set(item) | Def::ListMap { item, .. } => {
                Some(Self(*item))
            }
            Def::Any => Some(self),
            _ => None,
        }
    }

    /// The structure one step down; `None` where there is none.
    #[must_use]
    pub fn step(self, segment: &Segment) -> Option<Self> {
        match segment {
            Segment::Key(name) => self.field(name),
            _ => match self.def() {
                Def::Object { .. } | Def::Map { .. } => None,
                _ => self.item(),
            },
        }
    }

    /// The only texts that are legal here; empty where every text is.
    #[must_use]
    pub fn enum_values(self) -> &'static [String] {
        match self.def() {
            Def::Enum(values) => values,
            _ => &[],
        }
    }

    /// The only URL schemes that are legal here; empty where the text is no URL or any scheme is legal.
    #[must_use]
    pub fn url_schemes(self) -> &'static [&'static str] {
        match self.def() {
            Def::Url(schemes) => schemes,
            _ => &[],
        }
    }

    /// Names of the fields without which an object is refused.
    pub fn required(self) -> impl Iterator<Item = &'static str> {
        self.fields().filter(|field| field.required).map(|field| field.name)
    }

    /// Whether server-side apply owns the value here as a whole.
    #[must_use]
    pub fn is_atomic(self) -> bool {
        match self.def() {
            Def::Object { atomic, .. } | Def::Map { atomic, .. } => *atomic,
            Def::Set(_) | Def::ListMap { .. } | Def::Any => false,
            _ => true,
        }
    }

    /// Whether fields that the table does not know are kept here: free-form values and maps, and objects
    /// that preserve unknown fields.
    #[must_use]
    pub fn keeps_unknown(self) -> bool {
        match self.def() {
            Def::Any | Def::Map { .. } => true,
            Def::Object { keeps_unknown, .. } => *keeps_unknown,
            _ => false,
        }
    }

    fn is_int32(self) -> bool {
        matches!(self.def(), Def::Int32)
    }

    /// The structure of an object of any kind: known metadata, and free-form otherwise.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "a test holds that the embedded table has it")]
    pub fn generic() -> Self {
        static GENERIC: OnceLock<Node> = OnceLock::new();
        *GENERIC.get_or_init(|| {
            let tenant = lookup("apps.cozystack.io/v1alpha1", "Tenant");
            tenant.expect("the table has Tenant, whose spec is free-form").root
        })
    }

    /// The free-form structure: what every field of an unknown kind has.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "a test holds that the embedded table has it")]
    pub fn any() -> Self {
        static ANY: OnceLock<Node> = OnceLock::new();
        *ANY.get_or_init(|| Self::generic().field("spec").expect("every object may have a spec"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_parses_and_every_field_leads_somewhere() {
        let table = Table::get();
        for id in 0..table.type_count() {
            let node = Node(TypeId::try_from(id).unwrap());
            let mut last = "";
            for field in node.fields() {
                assert!(last < field.name, "fields are sorted for the search: {last} {}", field.name);
                last = field.name;
                assert_eq!(node.field(field.name), Some(field.node));
                let _type = field.node.node_type();
            }
            if let Some(item) = node.item() {
                let _type = item.node_type();
            }
        }
        assert_eq!(Node::any().node_type(), Type::Any);
    }

    #[test]
    fn says_what_it_knows_of_a_field() {
        let at = |api_version: &str, kind: &str, path: &str| {
            let kind = lookup(api_version, kind).unwrap_or_else(|| panic!("{kind}"));
            node_at(kind, &path.parse().unwrap()).unwrap_or_else(|| panic!("{path}"))
        };
        let ports = at("apps/v1", "Deployment", "spec.template.spec.containers[name=app].ports");
        let Type::ListMap(keys) = ports.node_type() else { panic!("{ports:?}") };
        assert_eq!(
            keys,
            [
                ListKey { name: "containerPort", default: None },
                ListKey { name: "protocol", default: Some("\"TCP\"") },
            ]
        );
        assert_eq!(ports.item().unwrap().field("protocol").unwrap().enum_values(), ["SCTP", "TCP", "UDP"]);
        for (api_version, kind, path, expected, atomic) in [
            ("v1", "Service", "spec.selector", Type::Map, true),
            ("v1", "Service", "spec.ports[0].targetPort", Type::IntOrString, true),
            ("v1", "PersistentVolumeClaim", "spec.resources.requests.storage", Type::Quantity, true),
            ("v1", "PersistentVolumeClaim", "spec.accessModes", Type::List, true),
            ("v1", "Secret", "data.key", Type::Bytes, true),
            ("v1", "ConfigMap", "metadata.finalizers", Type::Set, false),
            ("apps/v1", "Deployment", "spec.selector", Type::Object, true),
            ("helm.toolkit.fluxcd.io/v2", "HelmRelease", "spec.values.sonarr.host", Type::Any, false),
            (
                "helm.toolkit.fluxcd.io/v2",
                "HelmRelease",
                "spec.interval",
                Type::Duration(&["ms", "s", "m", "h"]),
                true,
            ),
            (
                "source.toolkit.fluxcd.io/v1",
                "GitRepository",
                "spec.timeout",
                Type::Duration(&["ms", "s", "m"]),
                true,
            ),
            (
                "cozystack.io/v1alpha1",
                "ApplicationDefinition",
                "spec.application.openAPISchema",
                Type::String,
                true,
            ),
        ] {
            let node = at(api_version, kind, path);
            assert_eq!(node.node_type(), expected, "{kind} {path}");
            assert_eq!(node.is_atomic(), atomic, "{kind} {path}");
        }
        assert!(node_at(lookup("v1", "Pod").unwrap(), &"spec.contaners".parse().unwrap()).is_none());
        assert!(!lookup("v1", "Namespace").unwrap().namespaced);
        assert!(lookup("apps.cozystack.io/v1alpha1", "Tenant").unwrap().namespaced);
    }
}
