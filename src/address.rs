//! Names: of a resource in a stack ([`Address`]) and of an object in a cluster ([`ObjectKey`]).
//!
//! *Invariants:* both are totally ordered and round-trip through their text form. Neither holds an API
//! version: the same object read at another version is the same object.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where a resource is declared: `<table>.<name>`, or `<table>.<name>["key"]` for an instance of `for_each`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The table of the stack language, e.g. `helm_release`.
    pub table: String,
    /// The local name, `[A-Za-z0-9_-]+`.
    pub name: String,
    /// The key of a `for_each` instance.
    pub index: Option<String>,
}

impl Address {
    /// The address of a resource without `for_each`.
    pub fn new(table: impl Into<String>, name: impl Into<String>) -> Self {
        Self { table: table.into(), name: name.into(), index: None }
    }

    /// The same declaration's instance under `key`.
    #[must_use]
    pub fn instance(&self, key: impl Into<String>) -> Self {
        Self { table: self.table.clone(), name: self.name.clone(), index: Some(key.into()) }
    }

    /// The address of the declaration this one is an instance of (itself without `for_each`).
    #[must_use]
    pub fn declaration(&self) -> Self {
        Self { table: self.table.clone(), name: self.name.clone(), index: None }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table, self.name)?;
        if let Some(index) = &self.index {
            // JSON's string form escapes quotes and control characters, and is what `FromStr` reads back.
            write!(f, "[{}]", serde_json::Value::String(index.clone()))?;
        }
        Ok(())
    }
}

/// Why a text is not an [`Address`] or an [`ObjectKey`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}, which looks like {example}")]
pub struct ParseNameError {
    text: String,
    what: &'static str,
    example: &'static str,
}

impl FromStr for Address {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseNameError {
            text: text.to_owned(),
            what: "a resource address",
            example: "`helm_release.arr-stack` or `helm_release.app[\"sonarr\"]`",
        };
        let (plain, index) = match text.find('[') {
            None => (text, None),
            Some(at) => {
                let inner =
                    text[at..].strip_prefix('[').and_then(|t| t.strip_suffix(']')).ok_or_else(error)?;
                let key: String = serde_json::from_str(inner).map_err(|_| error())?;
                (&text[..at], Some(key))
            }
        };
        let (table, name) = plain.split_once('.').ok_or_else(error)?;
        let word =
            |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        // A document of a YAML table carries its object's own name in the index only.
        if !word(table) || !word(name) {
            return Err(error());
        }
        Ok(Self { table: table.to_owned(), name: name.to_owned(), index })
    }
}

/// What names an object in a cluster: group, kind, namespace, name. Never the version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind, e.g. `HelmRelease`.
    pub kind: String,
    /// The namespace; `None` for cluster-scoped kinds.
    pub namespace: Option<String>,
    /// The object's name.
    pub name: String,
}

impl ObjectKey {
    /// A key from its parts; an empty namespace is none.
    pub fn new(group: &str, kind: &str, namespace: Option<&str>, name: &str) -> Self {
        Self {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.filter(|n| !n.is_empty()).map(str::to_owned),
            name: name.to_owned(),
        }
    }

    /// The way people say it: `HelmRelease tenant-media/arr-stack`.
    #[must_use]
    pub fn human(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.kind, self.name),
            None => format!("{} {}", self.kind, self.name),
        }
    }
}

impl fmt::Display for ObjectKey {
    /// `Kind.group/namespace/name`, `Kind/name` for a cluster-scoped kind of the core group.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(namespace) = &self.namespace {
            write!(f, "/{namespace}")?;
        }
        write!(f, "/{}", self.name)
    }
}

impl FromStr for ObjectKey {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseNameError {
            text: text.to_owned(),
            what: "an object key",
            example: "`Namespace/media` or `HelmRelease.helm.toolkit.fluxcd.io/media/arr-stack`",
        };
        let parts: Vec<&str> = text.split('/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(error());
        }
        let (kind, namespace, name) = match parts[..] {
            [kind, name] => (kind, None, name),
            [kind, namespace, name] => (kind, Some(namespace), name),
            _ => return Err(error()),
        };
        let (kind, group) = kind.split_once('.').unwrap_or((kind, ""));
        if kind.is_empty() {
            return Err(error());
        }
        Ok(Self::new(group, kind, namespace, name))
    }
}

macro_rules! serde_as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use serde_as_text;

serde_as_text!(Address);
serde_as_text!(ObjectKey);

/// A resource as a person types it: by its address, or by its object as kubectl takes it (`pvc/media-pvc`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// Its address.
    Address(Address),
    /// Its object: the kind may be one of kubectl's words for it, the namespace left out. What it stands for is
    /// told by who knows the kinds.
    Object(ObjectKey),
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Object(said) => said.fmt(f),
        }
    }
}

impl FromStr for Named {
    type Err = ParseNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let no_address = match text.parse() {
            Ok(address) => return Ok(Self::Address(address)),
            Err(error) => error,
        };
        // An object has a slash, and no index.
        match text.parse() {
            Ok(said) if !text.contains(['[', '"']) => Ok(Self::Object(said)),
            _ => Err(no_address),
        }
    }
}

/// Splits an `apiVersion` into group and version; the core group is empty.
#[must_use]
pub fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn addresses_round_trip(table in "[a-z_]{1,12}", name in "[A-Za-z0-9_-]{1,12}", index in proptest::option::of(".*")) {
            let address = Address { table, name, index };
            prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        }

        #[test]
        fn object_keys_round_trip(
            group in "([a-z]{1,8}(\\.[a-z]{1,8}){0,3})?", kind in "[A-Z][A-Za-z]{0,12}",
            namespace in proptest::option::of("[a-z0-9-]{1,12}"), name in "[a-z0-9:.-]{1,20}",
        ) {
            let key = ObjectKey { group, kind, namespace, name };
            prop_assert_eq!(key.to_string().parse::<ObjectKey>().unwrap(), key);
        }
    }

    #[test]
    fn a_resource_is_named_by_its_address_or_as_kubectl_takes_it() {
        let named = |text: &str| match text.parse() {
            Ok(Named::Address(address)) => format!("address {address}"),
            Ok(Named::Object(said)) => format!("object {said:?}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(named("helm_release.app"), "address helm_release.app");
        assert_eq!(named("yaml.x[\"ConfigMap/a/b\"]"), "address yaml.x[\"ConfigMap/a/b\"]");
        let object = |group, kind, namespace, name| {
            format!("object {:?}", ObjectKey::new(group, kind, namespace, name))
        };
        assert_eq!(named("pvc/media-pvc"), object("", "pvc", None, "media-pvc"));
        assert_eq!(named("cm/media/a.b"), object("", "cm", Some("media"), "a.b"));
        assert_eq!(named("helmreleases.helm.x.io/app"), object("helm.x.io", "helmreleases", None, "app"));
        for text in ["pvc", "pvc/", "/x", "a/b/c/d", "yaml.x[\"a/b]"] {
            assert!(named(text).contains("helm_release.arr-stack"), "{text}: {}", named(text));
        }
    }

    #[test]
    fn what_is_no_address_says_what_one_looks_like() {
        for text in ["", "x", "a.", ".b", "a.b[", "a.b[c]", "a.b.c", "a.b[\"c\"]d"] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains("helm_release.arr-stack"), "{text}: {error}");
        }
    }
}
