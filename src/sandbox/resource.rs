//! What is served: one [`Resource`] per kind and version, built in or from a CRD.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use super::error::{ApiError, Cause};
use super::schema::Schema;
use crate::fields::FieldSet;

/// A served kind in one version.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    /// Group; empty for the core group.
    pub(super) group: String,
    /// Version.
    pub(super) version: String,
    /// Kind.
    pub(super) kind: String,
    /// Kind of its lists.
    pub(super) list_kind: String,
    /// Plural name, of URLs.
    pub(super) plural: String,
    /// Singular name.
    pub(super) singular: String,
    /// Short names for kubectl.
    pub(super) short_names: Vec<String>,
    /// `all` and the like.
    pub(super) categories: Vec<String>,
    /// Whether its objects lie in namespaces.
    pub(super) namespaced: bool,
    /// Served verbs, sorted.
    pub(super) verbs: Vec<String>,
    /// Whether `status` is a subresource.
    pub(super) status: bool,
    /// Where the replicas stand if `scale` is a subresource.
    pub(super) scale: Option<Scale>,
    /// Field labels, besides `metadata.name` and `metadata.namespace`, that a field selector may name.
    pub(super) selectable: Vec<String>,
    /// Structure.
    pub(super) schema: Schema,
    /// Its own rules.
    pub(super) strategy: Arc<dyn Strategy>,
    /// The CRD it is from; `None` for a built-in kind.
    pub(super) custom: Option<Arc<Value>>,
}

/// Paths of the scale subresource, as a CRD names them: `.spec.replicas`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "they are called so in the CRD")]
pub(super) struct Scale {
    /// Desired replicas.
    pub(super) spec_path: String,
    /// Observed replicas.
    pub(super) status_path: String,
    /// Selector as text.
    pub(super) selector_path: Option<String>,
}

/// Through which endpoint a write came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// The object itself.
    Main,
    /// Its `status`.
    Status,
    /// Its `scale`.
    Scale,
}

/// What to do with unknown and duplicate fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldValidation {
    /// Drop them silently.
    Ignore,
    /// Drop them, with a `Warning` header each. The default.
    Warn,
    /// Refuse them.
    Strict,
}

/// What a kind does with its objects beyond their structure. Objects are whole: `apiVersion`, `kind`,
/// `metadata`, … The order of one write is the API server's own: `decode`, `default`, ownership,
/// `prepare_*`, `validate_*`, storage.
pub(super) trait Strategy: std::fmt::Debug + Send + Sync {
    /// Checks types and drops (or refuses) fields that the kind does not have. Returns warnings. `duplicates`
    /// are paths that stood twice in the request's text.
    ///
    /// # Errors
    /// 400 as the API server words it.
    fn decode(
        &self,
        resource: &Resource,
        object: &mut Value,
        duplicates: &[String],
        validation: FieldValidation,
    ) -> Result<Vec<String>, ApiError>;

    /// Fills in defaults and brings values into the form they are stored in (quantities, `stringData`).
    fn default(&self, object: &mut Value);

    /// Before a create is validated: what a client may not set is taken away, what only the server draws is drawn.
    /// `metadata` that every kind has (uid, times, generation = 1 where the kind counts it) was done.
    fn prepare_create(&self, object: &mut Value, draw: &dyn Draw);

    /// Before an update is validated: what this endpoint may not change is taken from `old`.
    fn prepare_update(&self, object: &mut Value, old: &Value, endpoint: Endpoint, draw: &dyn Draw);

    /// What is wrong with a new object; in the API server's order.
    fn validate_create(&self, object: &Value) -> Vec<Cause>;

    /// What is wrong with the change.
    fn validate_update(&self, object: &Value, old: &Value, endpoint: Endpoint) -> Vec<Cause>;

    /// Fields that nobody owns by writing through this endpoint (`status` through the main one).
    fn reset_fields(&self, endpoint: Endpoint) -> FieldSet;

    /// Whether `metadata.generation` counts changes of this kind; it is 1 from the beginning then.
    fn counts_generation(&self) -> bool {
        let spec = |value: i64| serde_json::json!({ "metadata": {}, "spec": { "probe": value } });
        self.is_new_generation(&spec(1), &spec(0))
    }

    /// Whether `metadata.generation` counts this change of an object.
    fn is_new_generation(&self, object: &Value, old: &Value) -> bool;

    /// Finalizers the server adds at create, and the propagation policy when a DELETE names none.
    fn default_propagation(&self) -> Propagation {
        Propagation::Background
    }

    /// Seconds an object may take to end when a DELETE does not say (pods); 0 for every other kind.
    fn grace_period(&self, _object: &Value) -> u64 {
        0
    }

    /// Refuses what the API server's admission plugins refuse. Asked after validation, before the commit; `old`
    /// at an update.
    ///
    /// # Errors
    /// As the plugin words it.
    fn admit(&self, _object: &Value, _old: Option<&Value>, _draw: &dyn Draw) -> Result<(), ApiError> {
        Ok(())
    }

    /// Warnings about an accepted object; `old` at an update.
    fn warnings(&self, _object: &Value, _old: Option<&Value>, _endpoint: Endpoint) -> Vec<String> {
        Vec::new()
    }
}

/// What becomes of dependents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Propagation {
    /// Collected later.
    Background,
    /// Before the owner.
    Foreground,
    /// Left alone.
    Orphan,
}

/// Values that only the server draws.
pub(super) trait Draw {
    /// A free address of the service range.
    fn cluster_ip(&self) -> String;
    /// A free port of 30000–32767.
    fn node_port(&self) -> u16;
    /// Whether a port of a Service is taken.
    fn is_node_port_taken(&self, port: u16) -> bool;
    /// A random uid.
    fn uid(&self) -> String;
    /// The time, RFC 3339 with seconds.
    fn now(&self) -> String;
    /// Name of the default `StorageClass`, if there is one.
    fn default_storage_class(&self) -> Option<String>;
    /// All objects of a kind, sorted by namespace and name.
    fn all(&self, group: &str, plural: &str) -> Vec<Arc<Value>>;
}

/// All that is served. Cheap to read; changes when a CRD does.
#[derive(Debug, Default)]
pub(super) struct Registry(RwLock<Arc<Served>>);

/// Served kinds by group, version and plural.
pub(super) type Served = BTreeMap<(String, String, String), Arc<Resource>>;

impl Registry {
    /// What is served now.
    pub(super) fn served(&self) -> Arc<Served> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// One of it.
    pub(super) fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Resource>> {
        self.served().get(&(group.to_owned(), version.to_owned(), plural.to_owned())).cloned()
    }

    /// Changes it as a whole.
    pub(super) fn change(&self, change: impl FnOnce(&mut Served)) {
        let mut guard = self.0.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut guard));
    }
}
