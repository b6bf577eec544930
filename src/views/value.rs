//! Values as people read them: bare where nothing is ambiguous, quoted where it could be another type.

use serde_json::Value;

use crate::plan::Shown;

/// The value on one line: texts bare unless they could be read as another type or as one of our own words,
/// lists and maps as JSON.
#[must_use]
pub fn inline(value: &Value) -> String {
    match value {
        Value::String(text) if is_bare(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The value on one line, or what is said in its place.
#[must_use]
pub fn shown(value: &Shown) -> String {
    match value {
        Shown::Absent => "(not set)".to_owned(),
        Shown::Plain(value) => inline(value),
        Shown::Masked => "(secret)".to_owned(),
        Shown::KnownAfterApply => "(known after apply)".to_owned(),
        Shown::NotRead => "(not read)".to_owned(),
    }
}

/// Whether a text cannot be mistaken for a number, a boolean, JSON, or a remark of ours in parentheses.
fn is_bare(text: &str) -> bool {
    const WORDS: [&str; 8] = ["true", "false", "null", "yes", "no", "on", "off", "~"];
    !text.is_empty()
        && text.trim() == text
        && !text.starts_with(['(', '"', '\'', '{', '['])
        && !text.contains(" -> ")
        && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
        && text.parse::<f64>().is_err()
}

/// The lines of a value that does not fit on one: a text with line breaks, or a list or map longer than
/// `width`, one member per line.
#[must_use]
pub fn block(value: &Shown, width: usize) -> Option<String> {
    match value {
        Shown::Plain(Value::String(text)) if text.trim_end_matches('\n').contains('\n') => Some(text.clone()),
        Shown::Plain(value @ (Value::Array(_) | Value::Object(_)))
            if value.to_string().chars().count() > width =>
        {
            let mut text = super::yaml::to_string(value);
            if text.is_empty() {
                text.push('\n');
            }
            Some(text)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quotes_what_could_be_another_type() {
        for (value, text) in [
            (json!("5Gi"), "5Gi"),
            (json!("false"), "\"false\""),
            (json!(false), "false"),
            (json!("10"), "\"10\""),
            (json!("1e3"), "\"1e3\""),
            (json!(10), "10"),
            (json!(""), "\"\""),
            (json!(" x"), "\" x\""),
            (json!("(secret)"), "\"(secret)\""),
            (json!("Yes"), "\"Yes\""),
            (json!("a -> b"), "\"a -> b\""),
            (json!(["a", 1]), "[\"a\",1]"),
            (json!(null), "null"),
            (json!("https://x.example/a?b=c"), "https://x.example/a?b=c"),
        ] {
            assert_eq!(inline(&value), text);
        }
    }
}
