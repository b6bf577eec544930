//! What to write instead of a text that is no duration or quantity.

/// The duration that `text` was meant to be, in words that start a help line.
pub(super) fn duration_hint(text: &str, units: &[&str]) -> String {
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let digits = compact.find(|c: char| !c.is_ascii_digit()).unwrap_or(compact.len());
    let (number, unit) = compact.split_at(digits);
    let number: Option<u64> = number.parse().ok();
    let units_shown: Vec<String> = units.iter().map(|unit| format!("`{unit}`")).collect();
    let rule = format!("a number and a unit ({}), joined without spaces", units_shown.join(", "));
    let hours = |n: Option<u64>, factor: u64| {
        if units.contains(&"h") {
            n?.checked_mul(factor).map(|n| format!("{n}h"))
        } else {
            n?.checked_mul(factor * 60).map(|n| format!("{n}m"))
        }
    };
    let instead = match unit.to_lowercase().as_str() {
        "" | "s" | "sec" | "secs" | "second" | "seconds" => number.map(|n| format!("{n}s")),
        "m" | "min" | "mins" | "minute" | "minutes" => number.map(|n| format!("{n}m")),
        "h" | "hr" | "hrs" | "hour" | "hours" => hours(number, 1),
        "d" | "day" | "days" => hours(number, 24),
        "w" | "week" | "weeks" => hours(number, 168),
        _ => None,
    };
    match instead {
        Some(instead) => format!("write `\"{instead}\"`: {rule}"),
        None => format!("a duration is {rule}, for example `\"10m\"`"),
    }
}

/// The quantity that `text` was meant to be, in words that start a help line.
pub(super) fn quantity_hint(text: &str) -> String {
    let rule =
        "a quantity is a number with an optional suffix: `\"500Gi\"`, `\"1.5\"`, `\"100m\"`".to_owned();
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let digits = compact.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(compact.len());
    let (number, suffix) = compact.split_at(digits);
    if number.parse::<f64>().is_err() {
        return rule;
    }
    let letters = suffix.to_lowercase();
    let unit = letters.strip_suffix('b').unwrap_or(&letters);
    let unit = match unit.strip_suffix('i').unwrap_or(unit) {
        "k" => ("Ki", "k"),
        "m" => ("Mi", "M"),
        "g" => ("Gi", "G"),
        "t" => ("Ti", "T"),
        "p" => ("Pi", "P"),
        _ => return rule,
    };
    format!("write `\"{number}{}\"` (powers of 1024) or `\"{number}{}\"` (powers of 1000)", unit.0, unit.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let units = &["ms", "s", "m", "h"];
        for (text, hint) in [
            ("10", "\"10s\""),
            ("5 minutes", "\"5m\""),
            ("1d", "\"24h\""),
            ("10M", "\"10m\""),
            ("", "\"10m\""),
            ("-5m", "\"10m\""),
            ("often", "\"10m\""),
            ("99999999999999999999d", "\"10m\""),
        ] {
            let found = duration_hint(text, units);
            assert!(found.contains(hint), "{text}: {found}");
        }
        assert!(duration_hint("1h", &["ms", "s", "m"]).contains("\"60m\""));
    }

    #[test]
    fn quantities() {
        for (text, hint) in [
            ("500GB", "\"500Gi\""),
            ("500 Gi", "\"500Gi\""),
            ("10gb", "\"10Gi\""),
            ("1K", "\"1k\""),
            ("100mb", "\"100Mi\""),
            ("lots", "a number with"),
            ("", "a number with"),
            ("1.2.3Gi", "a number with"),
        ] {
            let found = quantity_hint(text);
            assert!(found.contains(hint), "{text}: {found}");
        }
    }
}
