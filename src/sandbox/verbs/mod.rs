//! What one request does. Controllers call the same functions as the HTTP front.
//!
//! The order of a write is the API server's own: decode, default, managedFields, `prepare_*`, `validate_*`,
//! commit; a commit on something that has changed meanwhile begins again or conflicts, as the verb says.

mod continue_token;
mod create;
mod decode;
mod definition;
mod delete;
mod get;
mod list;
mod list_params;
pub(super) mod metadata;
mod namespace;
mod patch;
pub(super) mod review;
pub(super) mod rules;
mod scale;
#[cfg(test)]
mod tests;
mod update;
mod watch;
#[cfg(test)]
mod watch_tests;
mod write;

pub(super) use create::create;
pub(super) use decode::{api_version, unrecognized};
pub(super) use definition::serve_definitions;
pub(super) use delete::{DeleteOptions, delete, delete_collection};
pub(super) use get::get;
pub(super) use list::{fresh, list};
pub(super) use list_params::ListParams;
pub(super) use patch::{Patch, patch};
pub(super) use update::update;
pub(super) use watch::{WatchEvent, watch};

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::error::ApiError;
use super::ownership::Writer;
use super::resource::{Draw as _, Endpoint, FieldValidation, Resource};
use super::server::Server;
use super::storage::{CommitError, Key};

/// What every verb is told.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// Namespace; empty for cluster-scoped kinds, and for all namespaces.
    pub(super) namespace: String,
    /// Name; empty for a create and for collections.
    pub(super) name: String,
    /// The object or a subresource of it.
    pub(super) endpoint: Endpoint,
    /// Whether it is the subresource `finalize` of a namespace, which alone changes `spec.finalizers`.
    pub(super) finalize: bool,
    /// Whether nothing may stay.
    pub(super) dry_run: bool,
    /// See [`FieldValidation`].
    pub(super) validation: FieldValidation,
    /// `fieldManager`; empty if not given.
    pub(super) manager: String,
    /// The client's name for itself, from which a manager not given is taken.
    pub(super) user_agent: String,
    /// Who asks.
    pub(super) user: String,
    /// What the client is to be told besides the answer, or the refusal.
    pub(super) warnings: Warnings,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            namespace: String::new(),
            name: String::new(),
            endpoint: Endpoint::Main,
            finalize: false,
            dry_run: false,
            validation: FieldValidation::Warn,
            manager: String::new(),
            user_agent: String::new(),
            user: String::new(),
            warnings: Warnings::default(),
        }
    }
}

/// Warnings of one request; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    /// All of them, each once, in the order they came.
    pub(super) fn texts(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Request {
    /// A request about one object by a manager; dry-run and the like are left at their defaults.
    pub(super) fn on(namespace: &str, name: &str, manager: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into(), manager: manager.into(), ..Self::default() }
    }

    /// The same request about the `status` of the object.
    pub(super) fn status(self) -> Self {
        Self { endpoint: Endpoint::Status, ..self }
    }

    /// The key of the object.
    pub(super) fn key(&self, resource: &Resource) -> Key {
        Key {
            group: resource.group.clone(),
            plural: resource.plural.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }

    /// Adds warnings; one that was given before is not repeated.
    pub(super) fn warn(&self, texts: impl IntoIterator<Item = String>) {
        let mut warnings = self.warnings.0.lock().unwrap_or_else(PoisonError::into_inner);
        for text in texts {
            if !warnings.contains(&text) {
                warnings.push(text);
            }
        }
    }

    /// Who owns the fields that this request writes through `endpoint`: the manager named, or what stands before
    /// the first `/` of the user agent. `use_it` is given that.
    fn as_writer<T>(
        &self,
        server: &Server,
        resource: &Resource,
        force: bool,
        use_it: impl FnOnce(&Writer<'_>) -> T,
    ) -> T {
        let other_version = |version: &str| {
            let (group, version) = version.split_once('/').unwrap_or(("", version));
            let other = server.registry.find(group, version, &resource.plural)?;
            Some(other.schema.clone())
        };
        use_it(&Writer {
            manager: &self.manager_name(),
            force,
            api_version: &api_version(&resource.group, &resource.version),
            endpoint: self.endpoint,
            reset: &resource.strategy.reset_fields(self.endpoint),
            now: &server.now(),
            other_version: &other_version,
        })
    }

    fn manager_name(&self) -> String {
        const LONGEST: usize = 128;
        if !self.manager.is_empty() {
            return self.manager.clone();
        }
        let mut name = String::new();
        let agent = self.user_agent.split('/').next().unwrap_or_default();
        for letter in agent.chars().filter(|letter| !letter.is_control()) {
            if name.len() + letter.len_utf8() > LONGEST {
                break;
            }
            name.push(letter);
        }
        name
    }
}

/// What a verb answers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// 200, 201 or 202.
    pub(super) code: u16,
    /// The object, list or Status.
    pub(super) object: Value,
}

/// A log that cannot be written.
fn not_written(error: &CommitError) -> ApiError {
    ApiError::new(500, "InternalError", format!("Internal error occurred: {error}"))
}

/// The error of an object that is not there.
fn not_found(resource: &Resource, name: &str) -> ApiError {
    ApiError::not_found(&resource.group, &resource.plural, name)
}
