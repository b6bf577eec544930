//! `wait = { cel = "…" }`: an expression over the live object.
//!
//! Its variables are the object's top-level fields (`spec`, `status`, `data`, …) and `self`, the whole object.
//! A field that is not there yet is "not yet", not a mistake.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::{Context, Env, ExecutionError, Value as Cel};
use serde_json::Value;

use crate::object::Object;

/// Longest expression: the parser's time grows with it.
const LONGEST: usize = 4096;
/// Deepest nesting: the parser recurses.
const DEEPEST: usize = 50;

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled expression.
#[derive(Debug)]
pub struct Program {
    program: cel::Program,
}

/// What an expression says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// True.
    Done,
    /// False, or about a field that is not there; why.
    NotYet(String),
    /// It cannot be true or false: a type that does not fit.
    Mistake(String),
}

/// Compiles an expression.
///
/// # Errors
/// What is wrong with it, in one line.
pub fn compile(expression: &str) -> Result<Program, String> {
    if expression.len() > LONGEST {
        return Err(format!("longer than {LONGEST} characters"));
    }
    if depth(expression) > DEEPEST {
        return Err(format!("nested deeper than {DEEPEST}"));
    }
    let program = ENV.compile(expression).map_err(|errors| {
        let first = errors.errors.first();
        let text =
            first.map_or_else(|| errors.to_string(), |error| format!("{}: {}", error.pos.1, error.msg));
        text.lines().next().unwrap_or_default().to_owned()
    })?;
    if let Some(name) = unknown_function(&program) {
        return Err(format!("there is no function {name}"));
    }
    let program = Program { program };
    // What can never be true or false shows on an empty object too.
    if let Verdict::Mistake(why) = program.eval(&Object(Value::Null)) {
        return Err(why);
    }
    Ok(program)
}

/// Checks an expression, for a stack that is only validated.
///
/// # Errors
/// See [`compile`].
pub fn check(expression: &str) -> Result<(), String> {
    compile(expression).map(|_| ())
}

/// A function the expression calls that does not exist. The library has no list of them, but says of a call
/// without fitting arguments which of the two is wrong.
fn unknown_function(program: &cel::Program) -> Option<String> {
    let references = program.references();
    let named = references.functions().into_iter().filter(|name| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    });
    let undeclared = |call: &str, name: &str| {
        let result = ENV.compile(call).map(|call| call.execute(&Context::with_env(ENV.clone())));
        matches!(result, Ok(Err(ExecutionError::UndeclaredReference(unknown))) if unknown.as_str() == name)
    };
    let mut unknown = named
        .filter(|name| undeclared(&format!("{name}()"), name) && undeclared(&format!("''.{name}()"), name));
    unknown.next().map(str::to_owned)
}

fn depth(expression: &str) -> usize {
    let (mut deepest, mut now) = (0_usize, 0_usize);
    for byte in expression.bytes() {
        match byte {
            b'(' | b'[' | b'{' => {
                now += 1;
                deepest = deepest.max(now);
            }
            b')' | b']' | b'}' => now = now.saturating_sub(1),
            // Unary chains and conditionals recurse as well.
            b'!' | b'-' | b'?' => deepest = deepest.max(now + 1),
            _ => {}
        }
    }
    deepest
}

impl Program {
    /// What the expression says of an object.
    #[must_use]
    pub fn eval(&self, object: &Object) -> Verdict {
        let mut context = Context::with_env(ENV.clone());
        let mut fields = Vec::new();
        for (name, value) in object.0.as_object().into_iter().flatten() {
            let value = to_cel(value);
            context.add_variable_from_value(name.clone(), value.clone());
            fields.push((name.clone(), value));
        }
        let whole: HashMap<String, Cel> = fields.into_iter().collect();
        context.add_variable_from_value("self", Cel::from(whole));
        match self.program.execute(&context) {
            Ok(Cel::Bool(true)) => Verdict::Done,
            Ok(Cel::Bool(false)) => Verdict::NotYet("the expression is false".to_owned()),
            Ok(other) => Verdict::Mistake(format!("it is a {}, not true or false", other.type_of())),
            Err(ExecutionError::NoSuchKey(key)) => Verdict::NotYet(format!("there is no {key} yet")),
            Err(ExecutionError::UndeclaredReference(name)) => {
                Verdict::NotYet(format!("there is no {name} yet"))
            }
            Err(ExecutionError::IndexOutOfBounds(_)) => {
                Verdict::NotYet("a list is shorter than that".to_owned())
            }
            Err(error) => Verdict::Mistake(error.to_string()),
        }
    }
}

fn to_cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(value) => Cel::Bool(*value),
        // The API has no unsigned numbers; literals in expressions are signed.
        Value::Number(number) => match number.as_i64() {
            Some(number) => Cel::Int(number),
            None => Cel::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(list) => Cel::List(Arc::new(list.iter().map(to_cel).collect())),
        Value::Object(map) => {
            let map: HashMap<String, Cel> =
                map.iter().map(|(key, value)| (key.clone(), to_cel(value))).collect();
            Cel::from(map)
        }
    }
}

#[cfg(test)]
#[path = "cel_tests.rs"]
mod tests;
