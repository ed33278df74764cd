//! Sizes: `4096`, `10MB`, `4 KiB`.
//!
//! Owns the units of bytes, decimal and binary; tables have their own abbreviations.

use std::fmt;
use std::str::FromStr;

use super::decimal::Decimal;
use super::duration::is_negative_number;
use super::{Invalid, Problem, Quantity};

/// Unit names with their size in bytes, the largest first of each pair of equal fit.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

/// A number of bytes. Its `Display` is exact: `10MB`, `4KiB`, `1501B`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

impl FromStr for Bytes {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Bytes, Invalid> {
        let invalid = |problem| Invalid::new(Quantity::Bytes, text, problem);
        let trimmed = text.trim();
        if is_negative_number(trimmed) {
            return Err(invalid(Problem::Negative));
        }
        let (number, unit) =
            Decimal::split_from(trimmed).ok_or_else(|| invalid(Problem::Malformed))?;
        let unit = unit.trim_start();
        let unit_bytes = if unit.is_empty() {
            1
        } else {
            // Nobody means megabits by `10mb` here; only bytes are read.
            let known = UNITS
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(unit));
            known.ok_or_else(|| invalid(Problem::Malformed))?.1
        };
        if unit_bytes == 1 && number.has_fraction() {
            return Err(invalid(Problem::Malformed));
        }
        number
            .times(unit_bytes)
            .map(Bytes)
            .ok_or_else(|| invalid(Problem::TooLarge))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fitting = UNITS
            .iter()
            .find(|(_, unit_bytes)| self.0 >= *unit_bytes && self.0.is_multiple_of(*unit_bytes));
        match fitting {
            Some((unit, unit_bytes)) => write!(f, "{}{unit}", self.0 / unit_bytes),
            None => write!(f, "0B"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_people_write() {
        let cases = [
            ("4096", 4_096),
            ("10MB", 10_000_000),
            ("4 KiB", 4_096),
            ("1.5GB", 1_500_000_000),
            ("10mb", 10_000_000),
            ("0.5KiB", 512),
            ("7B", 7),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse(), Ok(Bytes(expected)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        let cases = [
            ("", Problem::Malformed),
            ("MB", Problem::Malformed),
            ("1.5", Problem::Malformed),
            ("1.5B", Problem::Malformed),
            ("10M", Problem::Malformed),
            ("10MBps", Problem::Malformed),
            ("-1", Problem::Negative),
            ("99999999999TB", Problem::TooLarge),
        ];
        for (text, problem) in cases {
            assert_eq!(
                text.parse::<Bytes>().unwrap_err().problem,
                problem,
                "{text}"
            );
        }
        assert_eq!(
            "10M".parse::<Bytes>().unwrap_err().to_string(),
            "`10M` is not a size; write bytes (`4096`) or a unit (`10MB`, `4KiB`, `1.5GB`)"
        );
    }

    #[test]
    fn writes_the_largest_exact_unit() {
        let cases = [
            (0, "0B"),
            (1_501, "1501B"),
            (4_096, "4KiB"),
            (10_000_000, "10MB"),
            (1 << 30, "1GiB"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Bytes(bytes).to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(bytes in any::<u64>(), shift in 0_u32..64) {
            let size = Bytes(bytes >> shift);
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }
    }
}
