//! Whether a number is within its limits.

use serde_json::Number;

use super::check::Found;
use super::node::Node;
use crate::sandbox::fault::go_float;

/// A number as Go's decoder has it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sized {
    Whole(i64),
    Float(f64),
}

/// What is wrong with the number.
pub(super) fn check(node: &Node, number: &Number, path: &str) -> Found {
    let limits = &node.limits;
    let value = match number.as_i64() {
        Some(whole) => Sized::Whole(whole),
        None => Sized::Float(number.as_f64().unwrap_or(f64::NAN)),
    };
    let range =
        Range { kind: if node.int_or_string { "" } else { &node.kind }, format: &limits.format, path };
    let mut found = Found::default();
    range.check(value, "Checked", &mut found);
    let shown = || number.clone().into();
    if let Some(factor) = limits.multiple_of {
        let told = |problem: &str, factor: &str| match problem {
            "" => format!("{path} in body should be a multiple of {factor}"),
            _ => format!("factor MultipleOf declared for {path} must be positive: {factor}"),
        };
        match (value, range.check(Sized::Float(factor), "MultipleOf", &mut found)) {
            (Sized::Whole(whole), true) => {
                let factor = truncated(factor);
                let text = factor.to_string();
                if factor <= 0 {
                    found.add(path, factor.into(), told("not positive", &text));
                } else if whole % factor != 0 {
                    found.add(path, shown(), told("", &text));
                }
            }
            (value, _) => {
                let text = go_float(factor);
                let value = value.as_float();
                let quotient = if factor < 1.0 { 1.0 / factor * value } else { value / factor };
                if factor <= 0.0 {
                    found.add(path, factor.into(), told("not positive", &text));
                } else if !is_whole(quotient) {
                    found.add(path, shown(), told("", &text));
                }
            }
        }
    }
    let mut bound = |bound: Option<f64>, exclusive: bool, prefix: &str, words: [&str; 2], sign: i8| {
        let Some(bound) = bound else {
            return;
        };
        let is_whole = range.check(Sized::Float(bound), prefix, &mut found);
        let (exceeds, text) = match value {
            Sized::Whole(whole) if is_whole => {
                let bound = truncated(bound);
                let order = whole.cmp(&bound) as i8 * sign;
                (order > 0 || (exclusive && order == 0), bound.to_string())
            }
            value => {
                let order = value.as_float().partial_cmp(&bound).map_or(0, |order| order as i8 * sign);
                (order > 0 || (exclusive && order == 0), go_float(bound))
            }
        };
        if exceeds {
            let word = words[usize::from(exclusive)];
            found.add(path, shown(), format!("{path} in body should be {word} {text}"));
        }
    };
    // Findings stand in this order in an answer: multiples, the smallest, the largest.
    let least = ["greater than or equal to", "greater than"];
    bound(limits.minimum, limits.exclusive_minimum, "Minimum boundary", least, -1);
    let most = ["less than or equal to", "less than"];
    bound(limits.maximum, limits.exclusive_maximum, "Maximum boundary", most, 1);
    found.count();
    found
}

/// What the type and its format can hold.
struct Range<'n> {
    kind: &'n str,
    format: &'n str,
    path: &'n str,
}

impl Range<'_> {
    /// Whether the number is within; if not, that is told.
    fn check(&self, value: Sized, prefix: &str, found: &mut Found) -> bool {
        let whole = match value {
            Sized::Whole(whole) => Some(whole),
            Sized::Float(float) if is_whole(float) && float.abs() < 9.3e18 => Some(truncated(float)),
            Sized::Float(_) => None,
        };
        let fits = match (self.kind, self.format) {
            ("integer", "int32") => whole.is_some_and(|whole| i32::try_from(whole).is_ok()),
            ("integer", _) => whole.is_some(),
            (_, "float") => value.as_float().abs() <= f64::from(f32::MAX),
            _ => true,
        };
        if !fits {
            let format = match self.format {
                "" => "(default format)".to_owned(),
                format => format!("with format {format}"),
            };
            found
                .add_plain(format!("{prefix} value must be of type {} {format} in {}", self.kind, self.path));
        }
        fits
    }
}

impl Sized {
    fn as_float(self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "as the API server compares")]
            Self::Whole(whole) => whole as f64,
            Self::Float(float) => float,
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "Go's conversion, which this mirrors, truncates too")]
fn truncated(float: f64) -> i64 {
    float as i64
}

/// Whether a number counts as whole: nearly so is enough.
fn is_whole(float: f64) -> bool {
    let rounded = float.round();
    let off = (float - rounded).abs();
    float.abs() <= 9_007_199_254_740_991.0 && (off == 0.0 || off < 1e-9 * rounded.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_whole_is_whole() {
        assert!(is_whole(3.0) && is_whole(0.3 / 0.1) && !is_whole(0.5) && !is_whole(1e-12));
    }
}
