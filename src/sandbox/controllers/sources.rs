//! Which Git sources are folders on this computer.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value};

/// By namespace and name of the GitRepository: given at the start, else in a file that other processes write.
#[derive(Debug, Clone, Default)]
pub(in crate::sandbox) struct Sources {
    /// Given at the start.
    pub(in crate::sandbox) given: BTreeMap<(String, String), PathBuf>,
    /// Read anew each time; see [`parse`].
    pub(in crate::sandbox) file: Option<PathBuf>,
}

impl Sources {
    /// The folder of a GitRepository.
    pub(super) fn folder(&self, namespace: &str, name: &str) -> Option<PathBuf> {
        let key = (namespace.to_owned(), name.to_owned());
        if let Some(folder) = self.given.get(&key) {
            return Some(folder.clone());
        }
        // A file that is not there, or not whole, names no folder.
        let text = fs_err::read_to_string(self.file.as_ref()?).ok()?;
        parse(&text).ok()?.remove(&key)
    }
}

/// Reads a file of sources: a JSON object of paths by `namespace/name`.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str) -> Result<BTreeMap<(String, String), PathBuf>, String> {
    let list: Map<String, Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    list.into_iter()
        .map(|(key, path)| match (key.split_once('/'), path) {
            (Some((namespace, name)), Value::String(path)) => {
                Ok(((namespace.to_owned(), name.to_owned()), PathBuf::from(path)))
            }
            _ => Err(format!("`{key}` is no path by namespace/name")),
        })
        .collect()
}
