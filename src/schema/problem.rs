//! What can be wrong with a value, as data and as one line of text.

use std::fmt;

use super::Type;
use super::suggest::Suggestion;
use crate::path::FieldPath;

/// A place where a manifest does not fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// Where. Elements of lists are named by position, as they were written. A missing field is reported at
    /// the object that lacks it; everything else at the value itself.
    pub path: FieldPath,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Problem {
    /// The kind has no such field.
    UnknownField {
        /// The field's name.
        name: String,
        /// What was probably meant.
        suggestion: Option<Suggestion>,
    },
    /// A value of another type is needed.
    WrongType {
        /// What is needed.
        expected: Expected,
        /// What was found.
        got: Got,
        /// The key that was probably meant as one, where a dotted key became nested maps: `team.io`.
        quote: Option<String>,
    },
    /// The text is none of the legal ones.
    NotInEnum {
        /// The text.
        got: String,
        /// The legal ones.
        allowed: &'static [String],
        /// The one that was probably meant.
        suggestion: Option<&'static str>,
    },
    /// A field without which the server refuses the object.
    Missing {
        /// The field's name.
        name: &'static str,
    },
    /// No amount such as `500Gi`.
    BadQuantity {
        /// The text.
        got: String,
    },
    /// No duration such as `5m30s`, or one in units that this field does not take.
    BadDuration {
        /// The text.
        got: String,
        /// The units it takes.
        units: &'static [&'static str],
    },
    /// No time such as `2024-05-01T12:00:00Z`.
    BadTime {
        /// The text.
        got: String,
    },
    /// No base64. The text is not kept: it may be a secret.
    BadBase64,
    /// A URL of another scheme.
    BadUrl {
        /// The schemes it may have.
        schemes: &'static [&'static str],
    },
    /// An integer that does not fit into 32 bits, or 64.
    OutOfRange {
        /// The bits it must fit into.
        bits: u32,
    },
    /// `null` where it means nothing.
    Null,
    /// An element of a list map or set that is there already.
    Duplicate {
        /// The element that came first.
        first: FieldPath,
    },
    /// A field that only the server writes.
    ServerOwned,
}

/// The type that is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected(pub Type);

/// The type that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Got {
    /// A boolean.
    Bool,
    /// An integer.
    Integer,
    /// A number with a fraction.
    Float,
    /// A text.
    String,
    /// A list.
    List,
    /// A map.
    Map,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Type::Object | Type::Map => "a table",
            Type::List | Type::ListMap(_) | Type::Set => "a list",
            Type::String => "a string",
            Type::Bytes => "a base64 string",
            Type::Quantity => "a quantity such as \"500Mi\" or a number",
            Type::IntOrString => "an integer or a string",
            Type::Duration(_) => "a duration such as \"5m\"",
            Type::DateTime => "a time as a string",
            Type::Integer => "an integer",
            Type::Number => "a number",
            Type::Bool => "true or false",
            Type::Any => "any value",
        })
    }
}

impl fmt::Display for Got {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "a boolean",
            Self::Integer => "an integer",
            Self::Float => "a fraction",
            Self::String => "a string",
            Self::List => "a list",
            Self::Map => "a table",
        })
    }
}

impl fmt::Display for Problem {
    /// One line, without the place and without the suggestion.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownField { name, .. } => write!(f, "unknown field `{name}`"),
            Self::WrongType { expected, got, .. } => write!(f, "expected {expected}, found {got}"),
            Self::NotInEnum { got, allowed, .. } => {
                write!(f, "`{got}` is not one of ")?;
                for (at, value) in allowed.iter().enumerate() {
                    write!(f, "{}`{value}`", if at == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            Self::Missing { name } => write!(f, "missing field `{name}`"),
            Self::BadQuantity { got } => write!(f, "`{got}` is not a quantity"),
            Self::BadDuration { got, units } => {
                let units = units.join(", ");
                write!(f, "`{got}` is not a duration in the units {units}")
            }
            Self::BadTime { got } => write!(f, "`{got}` is not a time such as 2024-05-01T12:00:00Z"),
            Self::BadBase64 => f.write_str("not a base64 string"),
            Self::BadUrl { schemes } => {
                let schemes: Vec<String> = schemes.iter().map(|s| format!("{s}://")).collect();
                write!(f, "not a URL that starts with {}", schemes.join(", "))
            }
            Self::OutOfRange { bits } => write!(f, "does not fit into {bits} bits"),
            Self::Null => f.write_str("null means nothing here"),
            Self::Duplicate { first } => write!(f, "the same element stands at `{first}`"),
            Self::ServerOwned => f.write_str("only the cluster writes this field"),
        }
    }
}
