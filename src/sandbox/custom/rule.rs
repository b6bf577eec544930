//! `x-kubernetes-validations`: rules in CEL (`apiextensions-apiserver` `schema/cel`).
//!
//! The library is the one that `wait = { cel = "…" }` uses. It has no type checker: that a rule names a field
//! the schema lacks, or costs too much, is not found when a definition is made. A function that the library
//! lacks is: see [`Rule::problem`].

use std::sync::{Arc, LazyLock};

use cel::objects::OptionalValue;
use cel::{Context, Env, ExecutionError, Value as Cel};
use serde_json::Value;

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    let strings = env.add_extension(cel::extensions::strings);
    let lists = env.add_extension(cel::extensions::lists);
    debug_assert!(strings.is_ok() && lists.is_ok(), "extensions do not overlap");
    Arc::new(env)
});

/// One rule.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// Its text.
    pub(super) text: String,
    /// What to say when it fails; empty for a text made from the rule.
    pub(super) message: String,
    /// `FieldValueInvalid` and the like; empty for that.
    pub(super) reason: String,
    /// The field, below the rule's own place, to blame.
    pub(super) field: String,
    /// Whether `oldSelf` may be absent.
    pub(super) optional_old: bool,
    /// Whether the rule compares with what was.
    pub(super) uses_old: bool,
    program: Result<Arc<cel::Program>, String>,
    telling: Option<Result<Arc<cel::Program>, String>>,
}

/// What a rule says of a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// True.
    Holds,
    /// False.
    Fails,
    /// It cannot be told; why.
    Error(String),
}

impl Rule {
    /// Reads one element of `x-kubernetes-validations`.
    pub(super) fn read(rule: &Value) -> Self {
        let text = |key: &str| rule[key].as_str().unwrap_or_default().to_owned();
        let program = compile(&text("rule"));
        let telling = rule["messageExpression"].as_str().filter(|text| !text.is_empty()).map(compile);
        Self {
            uses_old: program.as_ref().is_ok_and(|program| program.references().has_variable("oldSelf")),
            text: text("rule"),
            message: text("message"),
            reason: text("reason"),
            field: text("fieldPath"),
            optional_old: rule["optionalOldSelf"].as_bool().unwrap_or_default(),
            program,
            telling,
        }
    }

    /// Why the rule cannot be evaluated here.
    pub(super) fn problem(&self) -> Option<&str> {
        self.program.as_ref().err().map(String::as_str)
    }

    /// Why its message cannot.
    pub(super) fn message_problem(&self) -> Option<&str> {
        self.telling.as_ref()?.as_ref().err().map(String::as_str)
    }

    /// What the rule says of `value`, which was `old` before.
    pub(super) fn eval(&self, value: &Cel, old: Option<&Cel>) -> Verdict {
        match self.run(&self.program, value, old) {
            Ok(Cel::Bool(true)) => Verdict::Holds,
            Ok(Cel::Bool(false)) => Verdict::Fails,
            Ok(_) => Verdict::Error("cel expression must evaluate to a bool".to_owned()),
            Err(why) => Verdict::Error(why),
        }
    }

    /// What to say when it fails.
    pub(super) fn told(&self, value: &Cel, old: Option<&Cel>) -> String {
        let told = self.telling.as_ref().and_then(|telling| match self.run(telling, value, old) {
            Ok(Cel::String(text)) => Some(text.trim().to_owned()),
            Ok(_) | Err(_) => None,
        });
        let usable = |text: &String| !text.is_empty() && text.len() <= 5 * 1024 && !text.contains('\n');
        match told.filter(usable) {
            Some(text) => text,
            None if self.message.is_empty() => format!("failed rule: {}", self.text.trim()),
            None => self.message.trim().to_owned(),
        }
    }

    /// The rule, as an error names it.
    pub(super) fn name(&self) -> &str {
        if self.message.is_empty() { self.text.trim() } else { self.message.trim() }
    }

    fn run(
        &self,
        program: &Result<Arc<cel::Program>, String>,
        value: &Cel,
        old: Option<&Cel>,
    ) -> Result<Cel, String> {
        let program = program.as_ref().map_err(Clone::clone)?;
        let mut context = Context::with_env(ENV.clone());
        context.add_variable_from_value("self", value.clone());
        let old = match (self.optional_old, old) {
            (true, Some(old)) => Some(optional(OptionalValue::of(old.clone()))),
            (true, None) => Some(optional(OptionalValue::none())),
            (false, old) => old.cloned(),
        };
        if let Some(old) = old {
            context.add_variable_from_value("oldSelf", old);
        }
        program.execute(&context).map_err(|error| worded(&error))
    }
}

fn optional(value: OptionalValue) -> Cel {
    Cel::Opaque(Arc::new(value))
}

/// An error as the API server words it, where it is one of those that occur to well-typed rules.
fn worded(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::IndexOutOfBounds(Cel::Int(index)) => format!("index out of bounds: {index}"),
        ExecutionError::DivisionByZero(_) => "division by zero".to_owned(),
        ExecutionError::RemainderByZero(_) => "modulus by zero".to_owned(),
        ExecutionError::Overflow(..) => "integer overflow".to_owned(),
        ExecutionError::NoSuchOverload(_) => "no such overload".to_owned(),
        other => other.to_string(),
    }
}

fn compile(text: &str) -> Result<Arc<cel::Program>, String> {
    let program = ENV.compile(text).map_err(|errors| {
        let told = errors.errors.first().map_or_else(|| errors.to_string(), |error| error.msg.clone());
        told.lines().next().unwrap_or_default().to_owned()
    })?;
    match unknown_function(&program) {
        Some(name) => Err(format!("the sandbox has no function {name}")),
        None => Ok(Arc::new(program)),
    }
}

/// A function that the library lacks. It has no list of them, but says of a call without fitting arguments
/// which of the two is wrong.
fn unknown_function(program: &cel::Program) -> Option<String> {
    let references = program.references();
    let is_name = |name: &&str| {
        name.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.'))
    };
    let is_undeclared = |call: &str, name: &str| {
        let result = ENV.compile(call).map(|call| call.execute(&Context::with_env(ENV.clone())));
        matches!(result, Ok(Err(ExecutionError::UndeclaredReference(unknown))) if unknown.as_str() == name)
    };
    let mut unknown = references.functions().into_iter().filter(is_name).filter(|name| {
        is_undeclared(&format!("{name}()"), name) && is_undeclared(&format!("''.{name}()"), name)
    });
    unknown.next().map(str::to_owned)
}

/// Evaluates a call of one text argument: `timestamp('…')`.
pub(super) fn converted(function: &str, text: &str) -> Option<Cel> {
    let mut context = Context::with_env(ENV.clone());
    context.add_variable_from_value("text", Cel::String(Arc::new(text.to_owned())));
    ENV.compile(&format!("{function}(text)")).ok()?.execute(&context).ok()
}
