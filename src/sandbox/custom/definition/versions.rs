//! The versions of a definition as the API server's own form has them: what all versions say alike stands once,
//! beside them, and paths in its errors follow that.

use serde_json::Value;

use super::structural::{elements, fields, flag, text};
use crate::sandbox::fault;

/// A definition in that form.
pub(super) struct View<'v> {
    /// The schema, if all versions have the same.
    pub(super) schema: Option<&'v Value>,
    /// The subresources, if all versions have the same.
    pub(super) subresources: Option<&'v Value>,
    /// The printed columns, if all versions have the same.
    pub(super) columns: Option<&'v Value>,
    /// The selectable fields, if all versions have the same.
    pub(super) selectable: Option<&'v Value>,
    /// The versions, with what differs.
    pub(super) versions: Vec<Version<'v>>,
}

/// One version.
pub(super) struct Version<'v> {
    /// Its name.
    pub(super) name: &'v str,
    /// As it was given.
    pub(super) raw: &'v Value,
    /// Its schema, if not all versions have the same.
    pub(super) schema: Option<&'v Value>,
    /// Its subresources, if not all versions have the same.
    pub(super) subresources: Option<&'v Value>,
    /// Its printed columns, if not all versions have the same.
    pub(super) columns: Option<&'v Value>,
    /// Its selectable fields, if not all versions have the same.
    pub(super) selectable: Option<&'v Value>,
}

impl<'v> View<'v> {
    /// The form of `definition`.
    pub(super) fn of(definition: &'v Value) -> Self {
        let raw: Vec<&Value> =
            elements(&definition["spec"], "versions").map(|(_, version)| version).collect();
        let alike = |key: &str| -> (bool, Option<&'v Value>) {
            let first = raw.first().and_then(|version| version.get(key));
            let alike = raw.iter().all(|version| version.get(key) == first);
            (alike, first.filter(|_| alike))
        };
        let (one_schema, schema) = alike("schema");
        let (one_subresources, subresources) = alike("subresources");
        let (one_columns, columns) = alike("additionalPrinterColumns");
        let (one_selectable, selectable) = alike("selectableFields");
        let version = |raw: &'v Value| {
            let own = |alike: bool, key: &str| raw.get(key).filter(|_| !alike);
            Version {
                name: text(raw, "name"),
                raw,
                schema: own(one_schema, "schema").and_then(|schema| schema.get("openAPIV3Schema")),
                subresources: own(one_subresources, "subresources"),
                columns: own(one_columns, "additionalPrinterColumns"),
                selectable: own(one_selectable, "selectableFields"),
            }
        };
        Self {
            schema: schema.and_then(|schema| schema.get("openAPIV3Schema")),
            subresources,
            columns,
            selectable,
            versions: raw.iter().map(|raw| version(raw)).collect(),
        }
    }

    /// Whether the version has a status subresource.
    pub(super) fn has_status(&self, index: usize) -> bool {
        let own = self.versions.get(index).and_then(|version| version.subresources);
        own.or(self.subresources).is_some_and(|subresources| subresources.get("status").is_some())
    }

    /// Whether any version has one.
    pub(super) fn has_any_status(&self) -> bool {
        (0..self.versions.len()).any(|index| self.has_status(index))
    }

    /// Whether any schema has a default.
    pub(super) fn has_defaults(&self) -> bool {
        fn within(schema: &Value) -> bool {
            schema.get("default").is_some()
                || fields(schema, "properties").any(|(_, field)| within(field))
                || ["items", "additionalProperties", "not"].iter().any(|key| within(&schema[*key]))
                || ["allOf", "anyOf", "oneOf"]
                    .iter()
                    .any(|key| elements(schema, key).any(|(_, one)| within(one)))
        }
        let own = self.versions.iter().filter_map(|version| version.schema);
        self.schema.into_iter().chain(own).any(within)
    }

    /// Whether every version has a name of its own.
    pub(super) fn has_unique_names(&self) -> bool {
        let names: Vec<&str> = self.versions.iter().map(|version| version.name).collect();
        names.iter().enumerate().all(|(index, name)| !names[..index].contains(name))
    }

    /// The versions as an error shows them.
    pub(super) fn shown(&self, raw: &Value) -> String {
        if raw.is_null() {
            return "null".to_owned();
        }
        let version = |version: &Version<'_>| {
            let given = |value: Option<&Value>| value.cloned().unwrap_or_default();
            fault::go_struct(&[
                ("Name", version.name.into()),
                ("Served", flag(version.raw, "served").into()),
                ("Storage", flag(version.raw, "storage").into()),
                ("Deprecated", flag(version.raw, "deprecated").into()),
                ("DeprecationWarning", given(version.raw.get("deprecationWarning"))),
                ("Schema", given(version.schema)),
                ("Subresources", given(version.subresources)),
                ("AdditionalPrinterColumns", given(version.columns)),
                ("SelectableFields", given(version.selectable)),
            ])
        };
        let versions: Vec<String> = self.versions.iter().map(version).collect();
        format!("[{}]", versions.join(","))
    }
}
