//! What one request does. Controllers call the same functions as the HTTP front.
//!
//! The order of a write is the API server's own: decode, default, managedFields, `prepare_*`, `validate_*`,
//! commit; a commit on something that has changed meanwhile begins again or conflicts, as the verb says.

mod create;
mod delete;
mod get;

pub(super) use create::create;
pub(super) use delete::{DeleteOptions, delete};
pub(super) use get::get;

use serde_json::Value;

use super::error::ApiError;
use super::resource::{Endpoint, FieldValidation, Resource};
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
}

impl Default for Request {
    fn default() -> Self {
        Self {
            namespace: String::new(),
            name: String::new(),
            endpoint: Endpoint::Main,
            dry_run: false,
            validation: FieldValidation::Warn,
            manager: String::new(),
            user_agent: String::new(),
            user: String::new(),
        }
    }
}

impl Request {
    /// A request about one object by a manager; dry-run and the like are left at their defaults.
    pub(super) fn on(namespace: &str, name: &str, manager: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into(), manager: manager.into(), ..Self::default() }
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
}

/// What a verb answers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    /// 200, 201 or 202.
    pub(super) code: u16,
    /// The object, list or Status.
    pub(super) object: Value,
    /// For `Warning` headers.
    pub(super) warnings: Vec<String>,
}

impl Answer {
    fn new(code: u16, object: Value) -> Self {
        Self { code, object, warnings: Vec::new() }
    }
}

/// A log that cannot be written.
fn not_written(error: &CommitError) -> ApiError {
    ApiError::new(500, "InternalError", format!("Internal error occurred: {error}"))
}

/// The error of an object that is not there.
fn not_found(resource: &Resource, name: &str) -> ApiError {
    ApiError::not_found(&resource.group, &resource.plural, name)
}
