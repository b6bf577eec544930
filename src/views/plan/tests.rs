use super::*;
use crate::views::plan::samples;

fn show(plan: &Plan, full: bool, width: usize) -> String {
    let view = PlanView {
        full,
        layout: Layout { color: false, width },
        now: "2026-11-22T12:00:00Z".parse().unwrap(),
        allowed: &std::collections::BTreeSet::new(),
        sources: None,
    };
    human(plan, &view)
}

macro_rules! screens {
    ($($name:ident, $full:expr, $width:expr;)*) => {
        $(mod $name {
            #[test]
            fn screen() {
                let text = super::show(&super::samples::$name(), $full, $width);
                for line in text.lines() {
                    assert!(!line.ends_with(' '), "trailing blank: {line:?}");
                    assert!(!line.chars().any(char::is_control), "control character: {line:?}");
                }
                assert!(!text.contains("Y2FuYXJ5"), "a secret value is shown");
                insta::assert_snapshot!(text);
            }
        })*
    };
}

screens! {
    first, false, 80;
    update, false, 80;
    drift, false, 80;
    contested, false, 80;
    adopt_and_replace, false, 80;
    destroy, false, 80;
    not_ready, false, 80;
    nothing, false, 80;
}

#[test]
fn full_shows_manifests_without_secrets_and_every_unchanged_resource() {
    let text = show(&samples::first(), true, 80);
    assert!(!text.contains("Y2FuYXJ5"));
    insta::assert_snapshot!(text);
    insta::assert_snapshot!(show(&samples::nothing(), true, 80));
}

#[test]
fn no_line_is_wider_than_the_page_unless_one_word_is() {
    for plan in [samples::first(), samples::drift(), samples::destroy(), samples::adopt_and_replace()] {
        for width in [60, 80, 120] {
            for line in show(&plan, false, width).lines() {
                let longest = line.split(' ').map(|word| word.chars().count()).max().unwrap_or(0);
                assert!(line.chars().count() <= width.max(longest + 12), "{width}: {line}");
            }
        }
    }
}

#[test]
fn colour_adds_only_escapes() {
    let allowed = std::collections::BTreeSet::new();
    let view = |color| PlanView {
        full: false,
        layout: Layout { color, width: 80 },
        now: "2026-11-22T12:00:00Z".parse().unwrap(),
        allowed: &allowed,
        sources: None,
    };
    let colored = human(&samples::destroy(), &view(true));
    assert!(colored.contains("\u{1b}["));
    let mut bare = String::new();
    let mut rest = colored.as_str();
    while let Some(at) = rest.find('\u{1b}') {
        bare.push_str(&rest[..at]);
        rest = &rest[at + rest[at..].find('m').unwrap() + 1..];
    }
    bare.push_str(rest);
    assert_eq!(bare, human(&samples::destroy(), &view(false)));
}
