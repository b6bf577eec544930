//! Outputs, what the state holds, and what was applied when.

use std::collections::BTreeMap;

use serde_json::Value;

use super::page::{Layout, Page, Text, Tone};
use super::value;

/// Outputs by name, values below each other; a value of several lines stands below its name.
#[must_use]
pub fn outputs(outputs: &BTreeMap<String, Value>, layout: Layout) -> String {
    let mut page = Page::new(layout);
    let widest = outputs.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    for (name, output) in outputs {
        let left = Text::tone(Tone::Strong, name);
        match output {
            Value::String(text) if text.contains('\n') => {
                page.line(2, &left);
                for line in text.lines() {
                    page.line(6, &Text::plain(line));
                }
            }
            other => page.columns(2, &left, widest + 5, &Text::plain(&value::inline(other))),
        }
    }
    page.finish()
}
