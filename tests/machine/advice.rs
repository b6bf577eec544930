//! What a refusal says to type.

use crate::always::Ran;

/// The values of `--allow` and `--take` that a refusal names.
pub(crate) fn advice(ran: &Ran) -> Vec<String> {
    let text = format!("{} {}", ran.plan["problems"], ran.output.stderr.replace('\n', " "));
    let mut advice = takes(&text);
    for (at, _) in text.match_indices("--allow ") {
        let rest = text[at + 8..].trim_start().trim_start_matches('\'');
        let word: String = rest.chars().take_while(|c| !c.is_whitespace() && !"'\"\\".contains(*c)).collect();
        if word.starts_with("data-loss=") && !advice.contains(&word) {
            advice.push(word);
        }
    }
    advice
}

/// The values of `--take` in a text.
pub(crate) fn takes(text: &str) -> Vec<String> {
    let mut takes: Vec<String> = Vec::new();
    for (at, _) in text.match_indices("--take '") {
        let word: String = text[at + 8..].chars().take_while(|c| *c != '\'').collect();
        // In JSON, quotes are escaped.
        let word = word.replace("\\\"", "\"");
        if !takes.contains(&word) {
            takes.push(word);
        }
    }
    takes
}
