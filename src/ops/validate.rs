//! Everything that can be known from files.

use super::{Error, StackRequest, World, stack};
use crate::diag::Diagnostics;
use crate::stack::Stack;

/// A valid stack.
#[derive(Debug)]
pub struct Validated {
    /// The stack; its graph says what depends on what.
    pub stack: Stack,
    /// What is worth knowing and stops nothing.
    pub warnings: Diagnostics,
}

/// Loads a stack. Resolves no secret, runs no command, contacts nothing.
///
/// # Errors
/// An invalid stack, with every mistake in it; no stack to be found.
pub fn validate(request: &StackRequest, world: &World) -> Result<Validated, Error> {
    let (stack, warnings) = stack::load(request, world)?;
    Ok(Validated { stack, warnings })
}
