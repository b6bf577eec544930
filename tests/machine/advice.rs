//! What a refusal says to type.

use crate::always::Ran;

/// A flag and its value, as they are typed.
pub(crate) type Advice = [String; 2];

/// What a refusal says would help.
pub(crate) fn advice(ran: &Ran) -> Vec<Advice> {
    let text = format!("{} {}", ran.plan["problems"], ran.output.stderr.replace('\n', " "));
    let mut advice = of_contested(&text);
    for (at, _) in text.match_indices("--allow ") {
        let rest = text[at + 8..].trim_start().trim_start_matches('\'');
        let word: String = rest.chars().take_while(|c| !c.is_whitespace() && !"'\"\\".contains(*c)).collect();
        if word.starts_with("data-loss=") {
            put(&mut advice, ["--allow".to_owned(), word]);
        }
    }
    advice
}

/// What a text says to type where somebody else declares a field.
pub(crate) fn of_contested(text: &str) -> Vec<Advice> {
    let mut advice = Vec::new();
    for flag in ["--take", "--adopt"] {
        for (at, found) in text.match_indices(&format!("{flag} '")) {
            let word: String = text[at + found.len()..].chars().take_while(|c| *c != '\'').collect();
            // In JSON, quotes are escaped.
            put(&mut advice, [flag.to_owned(), word.replace("\\\"", "\"")]);
        }
    }
    advice
}

/// The sealed maps that a refusal says to mark as ours before they are made anew: namespace, name, and the lineage it says.
pub(crate) fn unmarked(problems: &str) -> Vec<[String; 3]> {
    let of = |said: &str| -> Option<[String; 3]> {
        let (namespace, rest) = said.split_once(" annotate configmap/")?;
        let (name, rest) = rest.split_once(" arrplan.dev/lineage=")?;
        let lineage: String = rest.chars().take_while(|c| c.is_ascii_hexdigit() || *c == '-').collect();
        Some([namespace.to_owned(), name.to_owned(), lineage])
    };
    problems.split("kubectl -n ").filter_map(of).collect()
}

/// Whether a change stopped at a field that another holds and whose value was known after the plan alone: no dry-run can tell
/// of that contest, and the next plan, which knows the value, does.
pub(crate) fn is_contested_late(ran: &Ran) -> bool {
    let is_one = |line: &str| line.contains("metadata.annotations.uid-") && line.contains("is held by");
    ran.output.stdout.lines().any(is_one)
}

/// Whether an object came back with its definition: one that was stored while that was going, which a server-side apply
/// may do, is in no list until a definition of that name is made again. It is found to be ours, and compared by the next
/// plan.
pub(crate) fn came_back(ran: &Ran) -> bool {
    let found = ran.output.stdout.contains("is there and ours; the next plan compares it");
    found && makes_a_definition(ran)
}

/// Whether a definition was to be made.
pub(crate) fn makes_a_definition(ran: &Ran) -> bool {
    ran.changes().any(|change| {
        let object = change["object"].as_str().unwrap_or_default();
        change["action"] == "create" && object.starts_with("CustomResourceDefinition.")
    })
}

fn put(advice: &mut Vec<Advice>, one: Advice) {
    if !advice.contains(&one) {
        advice.push(one);
    }
}

/// Whether it is among what was typed.
pub(crate) fn is_typed(args: &[String], advice: &Advice) -> bool {
    args.windows(2).any(|typed| typed == advice)
}
