//! "Did you mean": the candidate nearest to a mistyped word.

/// How many candidates are compared: a suggestion is a courtesy and must not cost time without bound.
const MOST: usize = 2000;

/// The candidate that `word` was probably meant to be. Letter case, `_` and `-` do not count as a difference.
pub(super) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let plain = fold(word);
    // Short words differ from everything by two letters.
    let limit = match plain.chars().count() {
        0..=2 => 0,
        3..=4 => 1,
        5..=8 => 2,
        n => n / 3,
    };
    candidates
        .into_iter()
        .take(MOST)
        .filter(|candidate| *candidate != word)
        .map(|candidate| (strsim::damerau_levenshtein(&plain, &fold(candidate)), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The word without what people vary: letter case, `_`, `-`.
pub(super) fn fold(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
}

/// `` `a`, `b` and `c` ``, at most `most` of them.
pub(super) fn listed<'c>(words: impl IntoIterator<Item = &'c str>, most: usize) -> String {
    let words: Vec<&str> = words.into_iter().take(most + 1).collect();
    let cut = words.len() > most;
    let words: Vec<String> = words.iter().take(most).map(|w| format!("`{w}`")).collect();
    match words.as_slice() {
        [] => "none".to_owned(),
        _ if cut => format!("{}, …", words.join(", ")),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant_and_nothing_else() {
        for (word, candidates, found) in [
            ("storageClasName", &["storageClassName", "volumeName"][..], Some("storageClassName")),
            ("dependsOn", &["depends_on", "protect"], Some("depends_on")),
            ("helmRelease", &["helm_release", "helm_chart"], Some("helm_release")),
            ("prowlar", &["prowlarr", "radarr"], Some("prowlarr")),
            ("xy", &["ab"], None),
            ("completely-different", &["namespace"], None),
            ("name", &["name"], None),
        ] {
            assert_eq!(nearest(word, candidates.iter().copied()), found, "{word}");
        }
    }

    #[test]
    fn lists_are_cut() {
        assert_eq!(listed(["a", "b", "c"], 3), "`a`, `b` and `c`");
        assert_eq!(listed(["a", "b", "c"], 2), "`a`, `b`, …");
        assert_eq!(listed([], 2), "none");
    }
}
