//! Saved plans: `plan --out FILE` keeps a plan with everything that decided it, `apply FILE` does just that.
//!
//! *Invariants:* the file is its owner's alone and whole or not there; it holds no secret value, only keyed
//! digests; what is damaged, newer, or about another cluster, state, stack or variable is refused by name
//! before anything is written.

mod check;
mod file;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) use check::{inputs_differ, stack_missing, state_differs};
pub use file::{SavedFile, find_saved};
pub(super) use file::{may_write, write};

use super::{PlanRequest, Return, StackRequest, StateRequest, stack};
use crate::address::Address;
use crate::path::FieldPath;
use crate::plan::{Options, Plan, SavedPlan};
use crate::secrets::SecretValues;
use crate::stack::VariableValue;
use crate::state::{Digest, HashKey};

/// What the first member of every saved plan says.
const FORMAT: &str = "arrplan saved plan";
/// The version of the format that is written. Any other number is refused.
const FORMAT_VERSION: u32 = 1;

/// A saved plan as its file has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    /// [`FORMAT`].
    format: String,
    /// [`FORMAT_VERSION`].
    format_version: u32,
    /// The version that wrote it.
    tool_version: String,
    /// Which stack, as it was named, and the values given to its variables.
    stack: StackRequest,
    /// Which state, as it was named.
    state: StateRequest,
    /// Which cluster, as it was named.
    cluster: Reached,
    /// The serial of the revision to return to, where that was asked for.
    to: Option<u64>,
    /// The flags of planning.
    options: Options,
    /// [`HashKey::id`] of the key of all digests.
    key_id: String,
    /// What it was made from; `None` where nothing of the files counts (a destroy).
    inputs: Option<Inputs>,
    /// The plan.
    pub(super) plan: SavedPlan,
}

/// How the cluster was named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reached {
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
    server: Option<String>,
}

/// Keyed digests of all that a plan is made from but the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inputs {
    /// Everything read, in order.
    stack: Option<Digest>,
    /// Each file read, by its path below the stack's folder.
    files: BTreeMap<String, Digest>,
    /// Each variable with a value, secret or not.
    variables: BTreeMap<String, Digest>,
}

impl Inputs {
    /// The digests of what is desired; `None` where nothing of the files counts.
    pub(super) fn of(desired: &stack::Desired, secrets: &SecretValues, key: &HashKey) -> Option<Self> {
        let stack = desired.stack.as_ref()?;
        let digest = |of: &str, name: &str, value: &Value| {
            key.field(&Address::new(of, name), &FieldPath::default(), value)
        };
        let text = |of: &str, name: &str, text: &str| digest(of, name, &Value::String(text.to_owned()));
        let value = |name: &String, value: &VariableValue| match value {
            VariableValue::Plain(value) => Some(digest("variable", name, value)),
            VariableValue::Secret(_) => Some(text("secret", name, secrets.get(name)?)),
        };
        Some(Self {
            stack: Some(text("stack", "all", &stack.digest)),
            files: stack.files.iter().map(|(name, sum)| (name.clone(), text("file", name, sum))).collect(),
            variables: stack
                .variables
                .iter()
                .filter_map(|(name, variable)| Some((name.clone(), value(name, &variable.value)?)))
                .collect(),
        })
    }
}

impl Document {
    /// What is kept of a plan made for `request`, whose resources `options` name by their addresses.
    pub(super) fn of(
        request: &PlanRequest,
        options: &Options,
        inputs: Option<Inputs>,
        plan: &Plan,
        key: &HashKey,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            format_version: FORMAT_VERSION,
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            stack: request.stack.clone(),
            state: request.state.clone(),
            cluster: Reached {
                kubeconfig: request.cluster.kubeconfig.clone(),
                context: request.cluster.context.clone(),
                server: request.cluster.server.clone(),
            },
            to: plan.returns_to,
            options: options.clone(),
            key_id: key.id(),
            inputs,
            plan: SavedPlan::of(plan, key),
        }
    }

    /// The request that it was made for. Flags that name a way to the cluster win over what is recorded.
    pub(super) fn request(&self, given: &PlanRequest) -> PlanRequest {
        let mut cluster = given.cluster.clone();
        let named = cluster.kubeconfig.is_some() || cluster.context.is_some() || cluster.server.is_some();
        if !named && !cluster.sandbox {
            cluster.kubeconfig.clone_from(&self.cluster.kubeconfig);
            cluster.context.clone_from(&self.cluster.context);
            cluster.server.clone_from(&self.cluster.server);
        }
        cluster.sandbox = self.state.sandbox;
        PlanRequest {
            stack: self.stack.clone(),
            state: self.state.clone(),
            cluster,
            destroy: self.plan.destroy,
            to: self.to.map(Return::To),
            import: None,
            options: self.options.clone(),
            objects: Vec::new(),
            timeout: given.timeout,
        }
    }
}

/// The text of the file of a plan.
#[cfg(test)]
pub(crate) fn text(plan: &Plan) -> String {
    let key = HashKey::from_bytes(&[1; 32]).expect("32 bytes");
    let inputs = Inputs { stack: Some(Digest("d".to_owned())), ..Inputs::default() };
    let document = Document::of(&PlanRequest::default(), &Options::default(), Some(inputs), plan, &key);
    crate::state::seal(&serde_json::to_string_pretty(&document).expect("a document"))
}
