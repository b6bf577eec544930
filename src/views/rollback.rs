//! After a rollback: where the stack's files still say otherwise.

use super::page::{Layout, Page, Text, Tone, count};
use crate::ops::StillSays;

/// Places that are listed at most.
const LISTED: usize = 20;

/// The places, and what they mean; nothing where the files agree.
#[must_use]
pub fn still_says(places: &[StillSays], layout: Layout) -> String {
    let mut page = Page::new(layout);
    if places.is_empty() {
        return String::new();
    }
    page.blank();
    page.wrapped(
        0,
        2,
        &Text::tone(Tone::Note, "The stack says otherwise, so the next apply goes forward again:"),
    );
    for place in places.iter().take(LISTED) {
        let mut text = Text::tone(Tone::Strong, place.location.as_deref().unwrap_or("nowhere"))
            .add(Tone::Plain, "  ")
            .add(Tone::Plain, &place.address.to_string());
        text = match (&place.path, &place.says) {
            (Some(path), Some(says)) => text.add(Tone::Plain, &format!(" {path}: {says}")),
            (Some(path), None) => text.add(Tone::Plain, &format!(" {path}: not set")),
            (None, Some(_)) => text.add(Tone::Plain, " is declared, and the revision does not have it"),
            (None, None) => text.add(Tone::Plain, " is not declared, and the revision has it"),
        };
        page.wrapped(2, 6, &text);
    }
    if places.len() > LISTED {
        let more = count(places.len() - LISTED, "more place", "more places");
        page.line(2, &Text::tone(Tone::Dim, &format!("and {more}")));
    }
    // A blank line before it: it stands behind a plan or a run.
    format!("\n{}", page.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_named_and_long_lists_cut() {
        let layout = Layout { color: false, width: 100 };
        assert_eq!(still_says(&[], layout), "");
        let place = |location: Option<&str>, path: Option<&str>, says: Option<&str>| StillSays {
            location: location.map(str::to_owned),
            address: "config_map.a".parse().unwrap(),
            path: path.map(|path| path.parse().unwrap()),
            says: says.map(str::to_owned),
        };
        let mut places = vec![
            place(Some("stacks/a.toml:7"), Some("data.k"), Some("5Gi")),
            place(Some("stacks/a.toml:5"), Some("data.gone"), None),
            place(Some("stacks/a.toml:9"), None, Some("declared")),
            place(None, None, None),
        ];
        let expected = "
The stack says otherwise, so the next apply goes forward again:
  stacks/a.toml:7  config_map.a data.k: 5Gi
  stacks/a.toml:5  config_map.a data.gone: not set
  stacks/a.toml:9  config_map.a is declared, and the revision does not have it
  nowhere  config_map.a is not declared, and the revision has it
";
        assert_eq!(still_says(&places, layout), expected);
        places.extend((0..17).map(|_| place(None, None, None)));
        assert!(still_says(&places, layout).ends_with("\n  and 1 more place\n"));
    }
}
