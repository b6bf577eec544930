//! From what was asked for to a compiled stack.

use std::path::PathBuf;

use super::{Error, World};
use crate::diag::Diagnostics;
use crate::stack::{self, ClusterSettings, LoadRequest, Stack, StateSettings};

/// Which stack is meant, and the values of its variables.
#[derive(Debug, Clone, Default)]
pub struct StackRequest {
    /// A path, or the name of a file in `./stacks`; may be left out where there is only one.
    pub stack: Option<String>,
    /// `--env`.
    pub env: Option<String>,
    /// `--var`, each `NAME=VALUE`.
    pub vars: Vec<String>,
    /// `--var-file`.
    pub var_files: Vec<PathBuf>,
}

/// What a stack is called and where it lives: all that commands on its state need.
#[derive(Debug, Clone)]
pub(super) struct Head {
    /// `[stack] name`.
    pub(super) name: String,
    /// The stack file.
    pub(super) file: PathBuf,
    /// `--env`.
    pub(super) env: Option<String>,
    /// `[cluster]`.
    pub(super) cluster: ClusterSettings,
    /// `[state]`.
    pub(super) state: StateSettings,
}

/// What is desired, and under which name.
#[derive(Debug)]
pub(super) struct Desired {
    /// Name and place.
    pub(super) head: Head,
    /// What is desired; `None`: nothing is.
    pub(super) stack: Option<Stack>,
    /// Warnings about the files.
    pub(super) warnings: Diagnostics,
}

impl Desired {
    /// Loads what is desired; for a destroy, which desires nothing, only name and place.
    pub(super) fn load(request: &StackRequest, destroy: bool, world: &World) -> Result<Self, Error> {
        if destroy {
            return Ok(Self {
                head: head(request, world)?,
                stack: None,
                warnings: Diagnostics::default(),
            });
        }
        let (stack, warnings) = load(request, world)?;
        Ok(Self {
            head: Head {
                name: stack.name.clone(),
                file: stack.file.clone(),
                env: stack.env.clone(),
                cluster: stack.cluster.clone(),
                state: stack.state.clone(),
            },
            stack: Some(stack),
            warnings,
        })
    }
}

/// The compiled stack with the warnings about its files.
pub(super) fn load(request: &StackRequest, world: &World) -> Result<(Stack, Diagnostics), Error> {
    let file = stack::find_stack(request.stack.as_deref(), &world.cwd).map_err(Error::Choose)?;
    let load = LoadRequest {
        file,
        env: request.env.clone(),
        vars: request.vars.clone(),
        var_files: request
            .var_files
            .iter()
            .map(|path| world.cwd.join(path))
            .collect(),
        environment: world.env.clone(),
    };
    match stack::load(&load) {
        (Some(stack), diagnostics, _) if !diagnostics.has_errors() => Ok((stack, diagnostics)),
        (_, diagnostics, sources) => Err(Error::Invalid(Box::new((diagnostics, sources)))),
    }
}

/// Name and place of a stack.
pub(super) fn head(request: &StackRequest, world: &World) -> Result<Head, Error> {
    let (stack, _) = load(request, world)?;
    Ok(Head {
        name: stack.name,
        file: stack.file,
        env: stack.env,
        cluster: stack.cluster,
        state: stack.state,
    })
}
