//! Paths to fields in a schema, as rules and selectable fields name them: `.spec.size`, `['a.b']`
//! (`k8s.io/apiextensions-apiserver` `cel.ValidFieldPath`).

use serde_json::Value;

/// The fields the path names, and the schema there. `brackets`: whether `['…']` may stand in it.
///
/// # Errors
/// Why it leads nowhere.
pub(super) fn read<'v>(
    path: &str,
    schema: &'v Value,
    brackets: bool,
) -> Result<(Vec<String>, &'v Value), String> {
    const NOWHERE: &str = "does not refer to a valid field";
    let mut names = Vec::new();
    let mut schema = schema;
    let mut rest = path;
    while !rest.is_empty() {
        let name = if let Some(after) = rest.strip_prefix('.') {
            if after.is_empty() {
                return Err("unexpected end of JSON path".to_owned());
            }
            let end = after.find(['.', '[', ']']).unwrap_or(after.len());
            // A delimiter right after the dot is the name.
            let end = end.max(1);
            rest = &after[end..];
            after[..end].to_owned()
        } else if let Some(after) = rest.strip_prefix('[') {
            if !brackets {
                return Err("array notation is not allowed".to_owned());
            }
            let (name, after) = quoted(after)?;
            rest = after.strip_prefix(']').ok_or_else(|| {
                if after.is_empty() {
                    "unexpected end of JSON path".to_owned()
                } else {
                    format!("expected ] but got {after}")
                }
            })?;
            name
        } else {
            let end = rest.find(['.', '[', ']']).unwrap_or(rest.len()).max(1);
            return Err(format!("expected [ or . but got: {}", &rest[..end]));
        };
        schema = match (schema["properties"].is_object(), &schema["additionalProperties"]) {
            (true, _) => schema["properties"].get(&name).ok_or(NOWHERE)?,
            (false, additional @ Value::Object(_)) => additional,
            (false, _) => return Err(NOWHERE.to_owned()),
        };
        names.push(name);
    }
    Ok((names, schema))
}

fn quoted(text: &str) -> Result<(String, &str), String> {
    let got = || {
        let end = text.find(['.', '[', ']']).unwrap_or(text.len());
        format!("expected single quoted string but got {}", &text[..end])
    };
    if text.is_empty() {
        return Err("unexpected end of JSON path".to_owned());
    }
    let body = text.strip_prefix('\'').ok_or_else(got)?;
    let mut name = String::new();
    let mut letters = body.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\'' => return Ok((name, &body[at + 1..])),
            '\\' => match letters.next() {
                Some((_, 'a')) => name.push('\u{7}'),
                Some((_, 'b')) => name.push('\u{8}'),
                Some((_, 'f')) => name.push('\u{c}'),
                Some((_, 'n')) => name.push('\n'),
                Some((_, 'r')) => name.push('\r'),
                Some((_, 't')) => name.push('\t'),
                Some((_, 'v')) => name.push('\u{b}'),
                Some((_, other @ ('\'' | '\\'))) => name.push(other),
                other => {
                    let letter = other.map(|(_, letter)| letter.to_string()).unwrap_or_default();
                    return Err(format!("invalid string literal: invalid escape char \\{letter}"));
                }
            },
            other => name.push(other),
        }
    }
    Err(got())
}
