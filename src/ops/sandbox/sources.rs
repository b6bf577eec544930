//! `[sources.<name>] path` of every stack applied to the sandbox: a Git source that is a folder on this
//! computer. Kept beside the cluster, because whoever runs the sandbox next may know another stack.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::place::SandboxPlace;
use crate::ops::Error;
use crate::stack::Stack;

/// Folders by namespace and name of the GitRepository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources(BTreeMap<(String, String), PathBuf>);

impl Sources {
    /// The folder of a GitRepository.
    #[must_use]
    pub fn get(&self, namespace: &str, name: &str) -> Option<&Path> {
        self.0.get(&(namespace.to_owned(), name.to_owned())).map(PathBuf::as_path)
    }

    pub(super) fn folders(&self) -> BTreeMap<(String, String), PathBuf> {
        self.0.clone()
    }

    /// Reads what was remembered; none if nothing was.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let text = match fs_err::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Error::Sandbox(error.to_string())),
        };
        let list = crate::sandbox::parse_sources(&text);
        list.map(Self).map_err(|why| Error::Sandbox(format!("{}: {why}", path.display())))
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), Error> {
        let entry = |((namespace, name), path): (&(String, String), &PathBuf)| {
            (format!("{namespace}/{name}"), serde_json::Value::from(path.to_string_lossy()))
        };
        let list: serde_json::Map<_, _> = self.0.iter().map(entry).collect();
        SandboxPlace::write(path, &format!("{:#}\n", serde_json::Value::Object(list)))
    }

    /// Takes in what a stack says of its own `GitRepositories`; whether that is news.
    pub(super) fn take_in(&mut self, stack: &Stack) -> bool {
        let before = self.0.clone();
        let repositories = stack.resources.values().filter(|resource| resource.kind == "GitRepository");
        for resource in repositories {
            let key = (resource.namespace.clone().unwrap_or_default(), resource.name.clone());
            match stack.sources.get(&resource.address.name) {
                Some(folder) => self.0.insert(key, folder.clone()),
                None => self.0.remove(&key),
            };
        }
        self.0 != before
    }
}
