//! What is wrong with a field, in the API server's words (`k8s.io/apimachinery` `field.Error`).

use std::fmt::Write;

use serde_json::Value;

use super::error::Cause;

/// A value that is not allowed here.
pub(super) fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Cause {
    with_value("FieldValueInvalid", "Invalid value", field, value, detail)
}

/// The same, with a text as the value.
pub(super) fn invalid_text(field: impl Into<String>, value: &str, detail: &str) -> Cause {
    invalid(field, &Value::from(value), detail)
}

/// A value that is not allowed here and too long to be shown.
pub(super) fn invalid_omitted(field: impl Into<String>, detail: &str) -> Cause {
    without_value("FieldValueInvalid", "Invalid value", field, detail)
}

/// The same, with a value shown as it is given.
pub(super) fn invalid_shown(field: impl Into<String>, shown: &str, detail: &str) -> Cause {
    without_value("FieldValueInvalid", &format!("Invalid value: {shown}"), field, detail)
}

/// A value of another type than the schema's.
pub(super) fn type_invalid(field: impl Into<String>, value: &Value, detail: &str) -> Cause {
    with_value("FieldValueTypeInvalid", "Invalid value", field, value, detail)
}

/// A value that has to be there.
pub(super) fn required(field: impl Into<String>, detail: &str) -> Cause {
    without_value("FieldValueRequired", "Required value", field, detail)
}

/// A value that may not be there under these conditions.
pub(super) fn forbidden(field: impl Into<String>, detail: &str) -> Cause {
    without_value("FieldValueForbidden", "Forbidden", field, detail)
}

/// A value that stands twice.
pub(super) fn duplicate(field: impl Into<String>, value: &Value) -> Cause {
    with_value("FieldValueDuplicate", "Duplicate value", field, value, "")
}

/// The same, where the value is not shown.
pub(super) fn duplicate_omitted(field: impl Into<String>) -> Cause {
    without_value("FieldValueDuplicate", "Duplicate value", field, "")
}

/// A value that is none of `supported`.
pub(super) fn not_supported<T: AsRef<str>>(
    field: impl Into<String>,
    value: &Value,
    supported: &[T],
) -> Cause {
    let quoted: Vec<String> = supported.iter().map(|text| quote(text.as_ref())).collect();
    let detail = match quoted.as_slice() {
        [] => String::new(),
        quoted => format!("supported values: {}", quoted.join(", ")),
    };
    with_value("FieldValueNotSupported", "Unsupported value", field, value, &detail)
}

/// A text of more than `most` bytes; negative: too long, whatever that is.
pub(super) fn too_long(field: impl Into<String>, most: i64) -> Cause {
    let detail = match u64::try_from(most) {
        Err(_) => "value is too long".to_owned(),
        Ok(1) => "may not be more than 1 byte".to_owned(),
        Ok(most) => format!("may not be more than {most} bytes"),
    };
    without_value("FieldValueTooLong", "Too long", field, &detail)
}

/// A list or map of `actual` elements, more than `most`.
pub(super) fn too_many(field: impl Into<String>, actual: usize, most: usize) -> Cause {
    let items = if most == 1 { "item" } else { "items" };
    let detail = format!("must have at most {most} {items}");
    with_value("FieldValueTooMany", "Too many", field, &Value::from(actual), &detail)
}

fn with_value(
    reason: &'static str,
    title: &str,
    field: impl Into<String>,
    value: &Value,
    detail: &str,
) -> Cause {
    let shown = match value {
        Value::String(text) => quote(text),
        Value::Number(number) => go_number(number),
        other => go_json(other),
    };
    without_value(reason, &format!("{title}: {shown}"), field, detail)
}

fn without_value(reason: &'static str, title: &str, field: impl Into<String>, detail: &str) -> Cause {
    let message = if detail.is_empty() { title.to_owned() } else { format!("{title}: {detail}") };
    Cause { reason, message, field: field.into() }
}

/// A text as Go's `%q` prints it.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        let escaped = match letter {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\u{7}' => "\\a",
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            '\u{b}' => "\\v",
            _ => "",
        };
        if !escaped.is_empty() {
            quoted.push_str(escaped);
        } else if letter.is_control() && letter < '\u{80}' {
            write!(quoted, "\\x{:02x}", u32::from(letter)).expect("a String takes all text");
        } else if letter.is_control()
            || matches!(letter, '\u{ad}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{feff}')
        {
            write!(quoted, "\\u{:04x}", u32::from(letter)).expect("a String takes all text");
        } else {
            quoted.push(letter);
        }
    }
    quoted.push('"');
    quoted
}

/// A number as Go's `%v` prints it.
pub(super) fn go_number(number: &serde_json::Number) -> String {
    match number.as_i64() {
        Some(whole) => whole.to_string(),
        None => number
            .as_u64()
            .map_or_else(|| go_float(number.as_f64().unwrap_or(f64::NAN)), |whole| whole.to_string()),
    }
}

/// A float as Go's `%v` prints it: the shortest digits that read back, an exponent from 1e6 on and below 1e-4.
pub(super) fn go_float(float: f64) -> String {
    let size = float.abs();
    if size != 0.0 && !(1e-4..1e6).contains(&size) {
        let text = format!("{float:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    float.to_string()
}

/// A value as Go's `json.Marshal` prints it: sorted keys, and `<`, `>`, `&` escaped.
pub(super) fn go_json(value: &Value) -> String {
    let mut text = String::new();
    for letter in value.to_string().chars() {
        match letter {
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            other => text.push(other),
        }
    }
    text
}

/// A map as Go's `json.Marshal` prints a struct: its fields in their own order, null if they are not there.
pub(super) fn go_struct(fields: &[(&str, Value)]) -> String {
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("\"{name}\":{}", go_json(value))).collect();
    format!("{{{}}}", fields.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn causes_are_worded_as_the_api_server_does() {
        let told: Vec<(&str, String)> = [
            invalid("spec.a", &json!({"k": "<x>"}), "must not"),
            invalid("spec.a", &json!(10.5), "no"),
            invalid_omitted("spec.a", "too big"),
            type_invalid("spec.a", &json!("integer"), "of type"),
            required("spec.a", ""),
            forbidden("spec.a", "not now"),
            duplicate("spec.a[1]", &json!("x")),
            not_supported("spec.a", &json!("c"), &["a", "b"]),
            too_long("spec.a", 63),
            too_many("spec.a", 5, 1),
        ]
        .into_iter()
        .map(|cause| (cause.reason, cause.message))
        .collect();
        let expected = [
            ("FieldValueInvalid", r#"Invalid value: {"k":"\u003cx\u003e"}: must not"#),
            ("FieldValueInvalid", "Invalid value: 10.5: no"),
            ("FieldValueInvalid", "Invalid value: too big"),
            ("FieldValueTypeInvalid", r#"Invalid value: "integer": of type"#),
            ("FieldValueRequired", "Required value"),
            ("FieldValueForbidden", "Forbidden: not now"),
            ("FieldValueDuplicate", r#"Duplicate value: "x""#),
            ("FieldValueNotSupported", r#"Unsupported value: "c": supported values: "a", "b""#),
            ("FieldValueTooLong", "Too long: may not be more than 63 bytes"),
            ("FieldValueTooMany", "Too many: 5: must have at most 1 item"),
        ];
        assert_eq!(told, expected.map(|(reason, message)| (reason, message.to_owned())));
    }

    #[test]
    fn prints_as_go_does() {
        for (text, expected) in
            [("a\"b", r#""a\"b""#), ("\u{1b}\n", r#""\x1b\n""#), ("é", "\"é\""), ("\u{202e}", r#""\u202e""#)]
        {
            assert_eq!(quote(text), expected);
        }
        for (float, expected) in [
            (0.5, "0.5"),
            (10.0, "10"),
            (123_456.0, "123456"),
            (1_234_567.0, "1.234567e+06"),
            (1e-7, "1e-07"),
            (-2.25, "-2.25"),
        ] {
            assert_eq!(go_float(float), expected);
        }
    }
}
