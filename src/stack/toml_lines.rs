//! What is wrong with one line of TOML: a header, or a key and its value.

use std::ops::Range;

use toml::de::Error;

use crate::diag::Diagnostic;

use super::toml_errors::Report;
use super::toml_text::{find_equals, is_yaml, mended_header, mended_key, mended_value, two_assignments};

impl Report<'_, '_> {
    pub(super) fn header(&mut self, at: usize, line: &str) {
        let double = line.starts_with("[[");
        let inner = line.trim_start_matches('[');
        let inner = inner.split(']').next().unwrap_or_default();
        let inner = inner.split('#').next().unwrap_or_default().trim();
        let mended = mended_header(inner);
        let (open, close) = if double { ("[[", "]]") } else { ("[", "]") };
        let right = format!("{open}{mended}{close}");
        let range = at..at + line.len();
        let closing = line.bytes().filter(|b| *b == b']').count();
        let diagnostic = if inner.is_empty() {
            self.error("this table header names nothing", range, "")
                .help("write `[TABLE.NAME]`, for example `[namespace.media]`")
        } else if mended != inner {
            self.error("this table header is not well formed", range, "")
                .help(format!("quote what is not a bare word: `{right}`"))
        } else if closing < open.len() {
            self.error("this table header is not closed", range, &format!("`{close}` is missing"))
                .help(format!("write `{right}`"))
        } else {
            self.error("this table header is not well formed", range, "")
                .help(format!("write `{right}`, alone on its line"))
        };
        self.diags.push(diagnostic);
    }

    pub(super) fn key_value(&mut self, start: usize, line: &str, errors: &[&Error]) {
        let indent = line.len() - line.trim_start().len();
        let whole = start + indent..start + line.len();
        let body = line.trim_start();
        if body.starts_with("//") || body.starts_with("/*") || body.starts_with("--") {
            self.diags.push(self.error("not a comment of TOML", whole, "").help("a comment starts with `#`"));
            return;
        }
        let Some(equals) = find_equals(body) else {
            self.damage.lossy = true;
            let mut diagnostic = self.error("expected `key = value`", whole, "");
            if is_yaml(body) {
                let (key, value) = body.split_once(':').unwrap_or((body, ""));
                let value = value.trim();
                let value = if value.is_empty() {
                    "…".to_owned()
                } else {
                    mended_value(value).unwrap_or_else(|| value.to_owned())
                };
                diagnostic = diagnostic
                    .help(format!("`key: value` is YAML; in TOML: `{} = {value}`", mended_key(key.trim())));
            } else if body.starts_with("- ") {
                diagnostic =
                    diagnostic.help("`- item` is YAML; in TOML a list is `key = [\"item\", \"item\"]`");
            }
            self.diags.push(diagnostic);
            return;
        };
        let key = body[..equals].trim_end();
        let value_at = start + indent + equals + 1;
        let value = &body[equals + 1..];
        let space = value.len() - value.trim_start().len();
        let value_range = value_at + space..start + line.len();
        let value = value.trim();
        if errors
            .iter()
            .any(|e| e.message().contains("unquoted key") || e.message().contains("key with no value"))
            && mended_key(key) != key
        {
            let range = start + indent..start + indent + key.len();
            let diagnostic = self.error("this key must stand in quotes", range, "not a bare word");
            self.diags.push(diagnostic.help(format!("quote the key: `{} = {value}`", mended_key(key))));
            return;
        }
        let at = errors[0].span().unwrap_or_else(|| value_range.clone());
        let diagnostic = self.value(key, value, value_range, at, errors[0].message());
        self.diags.push(diagnostic);
    }

    fn value(
        &mut self,
        key: &str,
        value: &str,
        range: Range<usize>,
        at: Range<usize>,
        message: &str,
    ) -> Diagnostic {
        if value.is_empty() {
            self.damage.lossy = true;
            return self
                .error(format!("`{key}` has no value"), at, "")
                .help(format!("an empty text is `{key} = \"\"`; leave the line out if nothing is meant"));
        }
        if message.contains("escaped value") {
            return self
                .error("a `\\` in `\"…\"` starts an escape, and this is none", at, "")
                .help("write `\\\\` for a backslash, or use a literal string: '…'");
        }
        if let Some(stripped) = value.strip_prefix('=') {
            return self
                .error("one `=` too many", at, "")
                .help(format!("write `{key} = {}`", stripped.trim()));
        }
        if let Some(two) = two_assignments(value) {
            return self
                .error("two keys on one line", range, "")
                .help(format!("put `{two}` on a line of its own"));
        }
        let shown: String = value.chars().take(40).collect();
        let message_for = |what: &str| format!("`{shown}` is {what}");
        if matches!(value.to_lowercase().as_str(), "null" | "nil" | "none" | "~") {
            return self.error(message_for("nothing that TOML knows"), range, "").help(format!(
                "leave the line out; in a free-form field, such as the values of a release, write `{key} = \"${{null}}\"`"
            ));
        }
        if message.contains("leading zero") {
            return self.error(message_for("no number: it starts with a zero"), range, "").help(format!(
                "write `{key} = \"{value}\"` for text, or `0o{}` for an octal number",
                value.trim_start_matches('0')
            ));
        }
        if let Some(right) = mended_value(value) {
            let (what, label) = match right.as_str() {
                "true" | "false" => ("no boolean of TOML", "a boolean is `true` or `false`, in lower case"),
                _ => ("no value of TOML", "text must stand in quotes"),
            };
            return self.error(message_for(what), range, label).help(format!("write `{key} = {right}`"));
        }
        let words = message.split(", expected").next().unwrap_or(message);
        self.error(words.to_owned(), at, "")
    }
}
