//! Decimal numbers as people write them, read without going through floating point.
//!
//! Owns digits and the point; callers handle signs, exponents, units and ranges. This way `0.1s` is
//! exactly 100 ms.

/// The most digits after the point that are read; further ones are below any unit here.
const FRACTION_DIGITS: usize = 18;

/// A non-negative decimal number: `whole + fraction / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    whole: u64,
    fraction: u64,
    scale: u32,
}

impl Decimal {
    /// The number that `text` starts with, and the rest of the text.
    ///
    /// `None` if it starts with no digit, ends in a point, or its whole part is beyond 64 bits.
    pub(super) fn split_from(text: &str) -> Option<(Decimal, &str)> {
        let (digits, rest) = split_digits(text);
        if digits.is_empty() {
            return None;
        }
        let whole = digits.parse().ok()?;
        let Some(after_point) = rest.strip_prefix('.') else {
            let number = Decimal {
                whole,
                fraction: 0,
                scale: 0,
            };
            return Some((number, rest));
        };
        let (digits, rest) = split_digits(after_point);
        if digits.is_empty() {
            return None;
        }
        let kept = &digits[..digits.len().min(FRACTION_DIGITS)];
        let number = Decimal {
            whole,
            fraction: kept.parse().ok()?,
            scale: u32::try_from(kept.len()).ok()?,
        };
        Some((number, rest))
    }

    /// True if a point was written.
    pub(super) fn has_fraction(self) -> bool {
        self.scale > 0
    }

    /// The number times `unit`, rounded down; `None` beyond 64 bits.
    pub(super) fn times(self, unit: u64) -> Option<u64> {
        let fraction = u128::from(self.fraction) * u128::from(unit) / 10_u128.pow(self.scale);
        let product = u128::from(self.whole) * u128::from(unit) + fraction;
        u64::try_from(product).ok()
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_exact() {
        let (number, rest) = Decimal::split_from("0.1s").unwrap();
        assert_eq!(number.times(1_000_000_000), Some(100_000_000));
        assert_eq!(rest, "s");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", ".5", "5.", "-1", "+1", "x", "99999999999999999999"] {
            assert_eq!(Decimal::split_from(text), None, "{text}");
        }
    }

    #[test]
    fn beyond_64_bits_is_refused() {
        let (number, _) = Decimal::split_from("18446744073709551615").unwrap();
        assert_eq!(number.times(1), Some(u64::MAX));
        assert_eq!(number.times(2), None);
    }
}
