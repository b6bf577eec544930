//! Kubernetes quantities: `500Gi`, `1000m`, `0.5`, `1e3`.
//!
//! Two questions are answered exactly, in decimal digits without a limit: how two amounts compare, and which
//! text the server keeps for one. The second is no function of the amount alone: the server keeps some texts
//! as written (`1.500`) and rewrites others (`1000m` becomes `1`). The rules are those of
//! `k8s.io/apimachinery/pkg/api/resource` (`ParseQuantity`, `CanonicalizeBytes`).

use std::cmp::Ordering;
use std::str::FromStr;

use serde_json::Value;

/// Nothing is counted below a billionth; what is smaller is rounded away from zero.
const NANO: i64 = -9;

/// The largest amount with a binary suffix.
const MAX_BINARY: u128 = i64::MAX as u128;

/// Why a text is not a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It does not look like one.
    #[error("not a quantity such as `500Mi`, `0.5` or `1e3`")]
    Syntax,
    /// What follows the number is no suffix.
    #[error(
        "unknown suffix: `n`, `u`, `m`, `k`, `M`, `G`, `T`, `P`, `E` or `Ki`, `Mi`, `Gi`, `Ti`, `Pi`, `Ei`"
    )]
    Suffix,
}

/// An amount. Compares by what it amounts to: `1000m` equals `1`.
#[derive(Debug, Clone)]
pub struct Quantity {
    amount: Amount,
    stored: Option<String>,
}

impl Quantity {
    /// The text the server keeps for this quantity. Two texts with one amount may be kept differently (`1e3`
    /// and `1k`), and replacing one by the other is a change. `None` where the server itself garbles the
    /// amount: it has no suffix for 10²¹ and more.
    #[must_use]
    pub fn stored(&self) -> Option<&str> {
        self.stored.as_deref()
    }

    /// The quantity of a JSON text or number.
    ///
    /// # Errors
    /// Says why the value is none.
    pub fn of(value: &Value) -> Result<Self, QuantityError> {
        match value {
            Value::String(text) => text.parse(),
            Value::Number(number) => number.to_string().parse(),
            _ => Err(QuantityError::Syntax),
        }
    }

    /// Whether the server keeps the same for both values, so that sending one over the other changes nothing.
    #[must_use]
    pub fn same_stored(a: &Value, b: &Value) -> bool {
        match (Self::of(a), Self::of(b)) {
            (Ok(a), Ok(b)) => a.stored.is_some() && a.stored == b.stored,
            _ => false,
        }
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (&self.amount, &other.amount);
        match (a.negative, b.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => a.cmp_magnitude(b),
            (true, true) => b.cmp_magnitude(a),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Decimal,
    Exponent,
    Binary,
}

/// `±digits × 10^exponent`, without zeros at either end; no digits is zero, which is not negative.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Amount {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Amount {
    fn new(negative: bool, mut digits: Vec<u8>, mut exponent: i64) -> Self {
        let leading = digits.iter().take_while(|d| **d == 0).count();
        digits.drain(..leading);
        while digits.last() == Some(&0) {
            digits.pop();
            exponent += 1;
        }
        if digits.is_empty() {
            return Self { negative: false, digits, exponent: 0 };
        }
        Self { negative, digits, exponent }
    }

    fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// The power of ten above the first digit.
    fn magnitude(&self) -> i64 {
        // A text is far shorter than `i64::MAX` characters.
        self.exponent + i64::try_from(self.digits.len()).unwrap_or(i64::MAX)
    }

    fn cmp_magnitude(&self, other: &Self) -> Ordering {
        match (self.is_zero(), other.is_zero()) {
            (true, true) => return Ordering::Equal,
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
        // Without trailing zeros, the longer of two equal beginnings is the larger.
        self.magnitude().cmp(&other.magnitude()).then_with(|| self.digits.cmp(&other.digits))
    }

    fn times_power_of_two(self, power: u32) -> Self {
        let mut digits = self.digits;
        for _ in 0..power {
            let mut carry = 0;
            for digit in digits.iter_mut().rev() {
                let doubled = *digit * 2 + carry;
                *digit = doubled % 10;
                carry = doubled / 10;
            }
            if carry > 0 {
                digits.insert(0, carry);
            }
        }
        Self::new(self.negative, digits, self.exponent)
    }

    fn rounded_to_nano(self) -> Self {
        if self.is_zero() || self.exponent >= NANO {
            return self;
        }
        let dropped = usize::try_from(NANO - self.exponent).unwrap_or(usize::MAX);
        let kept = self.digits.len().saturating_sub(dropped);
        let mut digits = vec![0];
        digits.extend(&self.digits[..kept]);
        // The last digit is not zero, so something was dropped: away from zero by one.
        for digit in digits.iter_mut().rev() {
            if *digit == 9 {
                *digit = 0;
            } else {
                *digit += 1;
                break;
            }
        }
        Self::new(self.negative, digits, NANO)
    }

    /// The magnitude as an integer; `None` if it has a fraction or is larger than a binary amount may be.
    fn integer(&self) -> Option<u128> {
        if self.exponent < 0 || self.magnitude() > 19 {
            return None;
        }
        let digits = self.digits.iter().fold(0, |value: u128, digit| value * 10 + u128::from(*digit));
        let value = digits * 10_u128.pow(u32::try_from(self.exponent).ok()?);
        (value <= MAX_BINARY).then_some(value)
    }

    fn from_integer(negative: bool, value: u128) -> Self {
        let digits = value.to_string().bytes().map(|b| b - b'0').collect();
        Self::new(negative, digits, 0)
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let (negative, unsigned) = match text.as_bytes().first() {
            None => return Err(QuantityError::Syntax),
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            Some(_) => (false, text),
        };
        let (whole, rest) = split_digits(unsigned);
        let (fraction, suffix) = match rest.strip_prefix('.') {
            Some(rest) => split_digits(rest),
            None => ("", rest),
        };
        let (format, power) = interpret(suffix)?;
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            whole => whole,
        };
        let shifted: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|b| b - b'0').collect();
        // A text is far shorter than `i64::MAX` characters.
        let places = i64::try_from(fraction.len()).unwrap_or(i64::MAX);
        let mut amount;
        let mut kept_format = format;
        if format == Format::Binary {
            amount = Amount::new(negative, shifted.clone(), -places)
                .times_power_of_two(u32::try_from(power).unwrap_or(0))
                .rounded_to_nano();
            if amount.cmp_magnitude(&Amount::from_integer(false, MAX_BINARY)) == Ordering::Greater {
                amount = Amount::from_integer(negative, MAX_BINARY);
            }
            if amount.cmp_magnitude(&Amount::from_integer(false, 1)) == Ordering::Less {
                kept_format = Format::Decimal;
            }
        } else {
            amount = Amount::new(negative, shifted.clone(), power - places).rounded_to_nano();
        }
        let stored = if keeps_text(format, power, whole, fraction, &shifted) {
            Some(text.to_owned())
        } else {
            canonical(&amount, kept_format)
        };
        Ok(Self { amount, stored })
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// The format and the power, of ten or two, that a suffix means.
fn interpret(suffix: &str) -> Result<(Format, i64), QuantityError> {
    let (format, power) = match suffix {
        "n" => (Format::Decimal, -9),
        "u" => (Format::Decimal, -6),
        "m" => (Format::Decimal, -3),
        "" => (Format::Decimal, 0),
        "k" => (Format::Decimal, 3),
        "M" => (Format::Decimal, 6),
        "G" => (Format::Decimal, 9),
        "T" => (Format::Decimal, 12),
        "P" => (Format::Decimal, 15),
        "E" => (Format::Decimal, 18),
        "Ki" => (Format::Binary, 10),
        "Mi" => (Format::Binary, 20),
        "Gi" => (Format::Binary, 30),
        "Ti" => (Format::Binary, 40),
        "Pi" => (Format::Binary, 50),
        "Ei" => (Format::Binary, 60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E']).ok_or(QuantityError::Suffix)?;
            let exponent: i32 = exponent.parse().map_err(|_| QuantityError::Suffix)?;
            (Format::Exponent, i64::from(exponent))
        }
    };
    Ok((format, power))
}

/// Whether the server takes a text to be canonical without looking closer: `ParseQuantity`'s fast path.
fn keeps_text(format: Format, power: i64, whole: &str, fraction: &str, shifted: &[u8]) -> bool {
    let count = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    if format == Format::Binary {
        let precision = 15 - count(whole) - power * 3 / 10 - 1;
        let low = whole.parse::<i64>().is_ok_and(|value| value & 7 != 0);
        return fraction.is_empty() && precision >= 0 && low;
    }
    let scale = power - count(fraction);
    count(whole) + count(fraction) <= 18
        && scale >= NANO
        && scale % 3 == 0
        && !shifted.ends_with(&[0, 0, 0])
        && shifted.first() != Some(&0)
}

fn canonical(amount: &Amount, format: Format) -> Option<String> {
    if amount.is_zero() {
        return Some("0".into());
    }
    let sign = if amount.negative { "-" } else { "" };
    if format == Format::Binary
        && let Some(mut value) = amount.integer()
        && value >= 1024
    {
        let mut suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].into_iter();
        let mut suffix = suffixes.next()?;
        while value >= 1024 && value % 1024 == 0 {
            value /= 1024;
            suffix = suffixes.next()?;
        }
        return Some(format!("{sign}{value}{suffix}"));
    }
    let extra = amount.exponent.rem_euclid(3);
    let exponent = amount.exponent - extra;
    let digits: String = amount
        .digits
        .iter()
        .map(|digit| char::from(b'0' + digit))
        .chain(std::iter::repeat_n('0', usize::try_from(extra).unwrap_or(0)))
        .collect();
    let suffix = match (format, exponent) {
        (Format::Exponent, 0) => String::new(),
        (Format::Exponent, _) => format!("e{exponent}"),
        _ => {
            let at = usize::try_from((exponent - NANO) / 3).ok()?;
            (*["n", "u", "m", "", "k", "M", "G", "T", "P", "E"].get(at)?).to_owned()
        }
    };
    Some(format!("{sign}{digits}{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stored(text: &str) -> String {
        match text.parse::<Quantity>() {
            Ok(quantity) => quantity.stored.unwrap_or_else(|| "?".into()),
            Err(error) => format!("{error:?}"),
        }
    }

    /// The right column was printed by `resource.MustParse(text)`, marshalled, of apimachinery v0.37.1.
    #[test]
    fn keeps_what_the_server_keeps() {
        let vectors = include_str!("quantity_vectors.txt");
        let mut count = 0;
        for line in vectors.lines() {
            let (text, expected) = line.split_once(" => ").unwrap();
            let actual = stored(text);
            if actual == "?" {
                continue;
            }
            let actual = if text.parse::<Quantity>().is_err() { "error".to_owned() } else { actual };
            assert_eq!(actual, expected, "{text}");
            count += 1;
        }
        assert!(count >= 500, "{count}");
    }

    #[test]
    fn compares_amounts() {
        for (a, ordering, b) in [
            ("1000m", Ordering::Equal, "1"),
            ("0.5", Ordering::Equal, "500m"),
            ("1e3", Ordering::Equal, "1k"),
            ("1024Mi", Ordering::Equal, "1Gi"),
            ("1G", Ordering::Less, "1Gi"),
            ("-1", Ordering::Less, "1n"),
            ("-2", Ordering::Less, "-1"),
            ("0", Ordering::Equal, "-0.000"),
            ("0.1n", Ordering::Equal, "1n"),
            ("99999999999999999999999999999999999999999", Ordering::Greater, "1E"),
            ("20Ei", Ordering::Equal, "9223372036854775807"),
            ("1e-2147483648", Ordering::Equal, "1n"),
        ] {
            let (left, right): (Quantity, Quantity) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(left.cmp(&right), ordering, "{a} {b}");
        }
        for text in ["", "-", "Gi", "1gi", "1 Gi", "1e", "1.5.0", "0x1", "1Gib", "1K", "ten"] {
            let result = text.parse::<Quantity>();
            // Kubernetes reads a lone sign or suffix as zero.
            if matches!(text, "-" | "Gi") {
                assert_eq!(result.unwrap().cmp(&"0".parse().unwrap()), Ordering::Equal);
            } else {
                assert!(result.is_err(), "{text}");
            }
        }
        assert!(Quantity::same_stored(&serde_json::json!(0.5), &serde_json::json!("500m")));
        assert!(!Quantity::same_stored(&serde_json::json!("1e3"), &serde_json::json!("1k")));
    }

    proptest! {
        #[test]
        fn what_is_stored_is_the_same_amount_and_stays(text in "[+-]?[0-9]{0,22}(\\.[0-9]{0,14})?(|n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e-?[0-9]{1,2})") {
            let Ok(quantity) = text.parse::<Quantity>() else { return Ok(()) };
            if let Some(stored) = quantity.stored() {
                let again: Quantity = stored.parse().unwrap();
                prop_assert_eq!(again.stored(), Some(stored));
                prop_assert_eq!(&again, &quantity);
            }
        }

        #[test]
        fn order_is_that_of_integers(a in any::<i32>(), b in any::<i32>(), power in 0_usize..3) {
            let suffix = ["n", "u", "m"][power];
            let small: Quantity = format!("{a}{suffix}").parse().unwrap();
            let other: Quantity = format!("{b}000{}", ["", "n", "u"][power]).parse().unwrap();
            let expected = match power {
                0 => i128::from(a).cmp(&(i128::from(b) * 1_000_000_000_000)),
                _ => i128::from(a).cmp(&i128::from(b)),
            };
            prop_assert_eq!(small.cmp(&other), expected);
        }

        #[test]
        fn any_text_is_a_quantity_or_an_error(text in ".{0,12}") {
            let _quantity = text.parse::<Quantity>();
        }
    }
}
