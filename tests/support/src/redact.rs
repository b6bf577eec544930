//! Removing from output what changes from run to run.

use std::sync::LazyLock;

use regex::Regex;

static RULES: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let rules = [
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "[uid]"),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?", "[time]"),
        (r"\b(127\.0\.0\.1|localhost):\d{2,5}\b", "$1:[port]"),
        (r"\b(in|after|for|took|since) (\d+(\.\d+)? ?(ms|s|m|h)\b ?)+", "$1 [duration]"),
        (r"\b\d+\.\d+ ?(ms|s)\b", "[duration]"),
        (r#"("?resourceVersion"?[:=] ?)"?\d+"?"#, "$1[version]"),
    ];
    rules.map(|(pattern, replacement)| (Regex::new(pattern).expect("a pattern"), replacement)).into()
});

/// Replaces uids, times, ports of loopback, measured durations, resource versions and the scratch folder.
pub fn redact(text: &str) -> String {
    let text = text.replace(&*crate::scratch_dir().to_string_lossy(), "[scratch]");
    RULES
        .iter()
        .fold(text, |text, (pattern, replacement)| pattern.replace_all(&text, *replacement).into_owned())
}
