//! Durations: `20`, `1.5`, `250ms`, `1m30s`, `2h`, and seconds given as a number.
//!
//! Owns reading and writing them; the type itself is the standard library's `Duration`.

use std::fmt;
use std::time::Duration;

use super::decimal::Decimal;
use super::{Invalid, Problem, Quantity};

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// The longest duration that is accepted: 2^64 ns, about 584 years.
const LONGEST: Duration = Duration::from_nanos(u64::MAX);

/// Unit names, largest first, with their length in nanoseconds.
const UNITS: [(&str, u64); 7] = [
    ("d", 24 * 3_600 * NANOS_PER_SEC),
    ("h", 3_600 * NANOS_PER_SEC),
    ("m", 60 * NANOS_PER_SEC),
    ("s", NANOS_PER_SEC),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
];

/// Reads a duration: a bare number is seconds, else units from large to small (`1h20m`, `1m 30s`),
/// of which the last may have a fraction. Anything finer than a nanosecond is cut off.
///
/// # Errors
/// When the text is something else, negative, or more than about 584 years.
pub fn parse_duration(text: &str) -> Result<Duration, Invalid> {
    let invalid = |problem| Invalid::new(Quantity::Duration, text, problem);
    let mut rest = text.trim();
    if is_negative_number(rest) {
        return Err(invalid(Problem::Negative));
    }
    let mut total_ns = 0_u64;
    let mut smallest_ns = u64::MAX;
    loop {
        let (number, after) =
            Decimal::split_from(rest).ok_or_else(|| invalid(Problem::Malformed))?;
        let after = after.trim_start();
        let name_end = after
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(after.len());
        let (name, after) = after.split_at(name_end);
        let is_first = smallest_ns == u64::MAX;
        let unit_ns = match UNITS.iter().find(|(unit, _)| *unit == name) {
            Some((_, unit_ns)) => *unit_ns,
            // `1m30` could mean 30 s or half a minute: only a lone number goes without a unit.
            None if name.is_empty() && is_first && after.is_empty() => NANOS_PER_SEC,
            None => return Err(invalid(Problem::Malformed)),
        };
        rest = after.trim_start();
        if unit_ns >= smallest_ns || (number.has_fraction() && !rest.is_empty()) {
            return Err(invalid(Problem::Malformed));
        }
        smallest_ns = unit_ns;
        total_ns = number
            .times(unit_ns)
            .and_then(|part_ns| total_ns.checked_add(part_ns))
            .ok_or_else(|| invalid(Problem::TooLarge))?;
        if rest.is_empty() {
            return Ok(Duration::from_nanos(total_ns));
        }
    }
}

/// A duration in seconds, rounded to nanoseconds.
///
/// # Errors
/// When it is negative, not a number, infinite, or more than about 584 years.
pub fn duration_from_secs(secs: f64) -> Result<Duration, Invalid> {
    let invalid = |problem| Invalid::new(Quantity::Duration, &secs.to_string(), problem);
    if secs.is_nan() {
        return Err(invalid(Problem::Malformed));
    }
    if secs < 0.0 {
        return Err(invalid(Problem::Negative));
    }
    match Duration::try_from_secs_f64(secs) {
        Ok(length) if length <= LONGEST => Ok(length),
        _ => Err(invalid(Problem::TooLarge)),
    }
}

/// True for `-5s`, false for `-` or `--help`: the message should fit what was meant.
pub(super) fn is_negative_number(text: &str) -> bool {
    text.strip_prefix('-')
        .is_some_and(|rest| Decimal::split_from(rest).is_some())
}

/// Writes a duration as [`parse_duration`] reads it, without losing a nanosecond: `1m30s`,
/// `250ms`, `1.5s`, `0s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readable(pub Duration);

impl fmt::Display for Readable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, nanos) = (self.0.as_secs(), u64::from(self.0.subsec_nanos()));
        if secs == 0 && nanos > 0 {
            let (unit, unit_ns) = if nanos >= 1_000_000 {
                ("ms", 1_000_000)
            } else {
                ("us", 1_000)
            };
            write_decimal(f, nanos / unit_ns, nanos % unit_ns, unit_ns)?;
            return f.write_str(unit);
        }
        let (hours, minutes, secs_left) = (secs / 3_600, secs / 60 % 60, secs % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        if secs_left > 0 || nanos > 0 || secs == 0 {
            write_decimal(f, secs_left, nanos, NANOS_PER_SEC)?;
            f.write_str("s")?;
        }
        Ok(())
    }
}

/// `whole + part / unit` without trailing zeros; `unit` is a power of ten.
fn write_decimal(f: &mut fmt::Formatter<'_>, whole: u64, part: u64, unit: u64) -> fmt::Result {
    write!(f, "{whole}")?;
    if part > 0 {
        let width = unit.ilog10() as usize;
        let digits = format!("{part:0width$}");
        write!(f, ".{}", digits.trim_end_matches('0'))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_people_write() {
        let cases = [
            ("20", 20_000),
            ("1.5", 1_500),
            ("0", 0),
            ("250ms", 250),
            ("30s", 30_000),
            ("1m30s", 90_000),
            ("1m 30s", 90_000),
            (" 2h ", 7_200_000),
            ("1h20m", 4_800_000),
            ("3h30m10s", 12_610_000),
            ("1d", 86_400_000),
            ("1m1.5s", 61_500),
            ("1.5h", 5_400_000),
            ("1 s", 1_000),
        ];
        for (text, expected_ms) in cases {
            let expected = Duration::from_millis(expected_ms);
            assert_eq!(parse_duration(text), Ok(expected), "{text}");
        }
        assert_eq!(parse_duration("7us"), parse_duration("7µs"));
    }

    #[test]
    fn refuses_the_rest() {
        let cases = [
            "", " ", "s", "1x", "1m30", "30s1m", "1s1s", "1.5m30s", "1e3", "nan", "inf", "+5",
            "5.", "1,5", "1us1µs", "--", "5S",
        ];
        for text in cases {
            let error = parse_duration(text).unwrap_err();
            assert_eq!(error.problem, Problem::Malformed, "{text}");
        }
        assert_eq!(
            parse_duration("-5s").unwrap_err().to_string(),
            "`-5s` is negative, and durations are not; write seconds (`20`, `1.5`) or units \
             (`250ms`, `30s`, `1m30s`, `2h`)"
        );
        for text in ["999999999999d", "18446744073709551615s"] {
            assert_eq!(
                parse_duration(text).unwrap_err().problem,
                Problem::TooLarge,
                "{text}"
            );
        }
    }

    #[test]
    fn seconds_as_a_number() {
        assert_eq!(duration_from_secs(0.25), Ok(Duration::from_millis(250)));
        assert_eq!(duration_from_secs(-0.0), Ok(Duration::ZERO));
        for (secs, problem) in [
            (-0.5, Problem::Negative),
            (f64::NEG_INFINITY, Problem::Negative),
            (f64::NAN, Problem::Malformed),
            (f64::INFINITY, Problem::TooLarge),
            (1e300, Problem::TooLarge),
        ] {
            assert_eq!(duration_from_secs(secs).unwrap_err().problem, problem);
        }
    }

    #[test]
    fn writes_the_short_form() {
        let cases = [
            (0, "0s"),
            (1_500_000_000, "1.5s"),
            (90_000_000_000, "1m30s"),
            (3_605_000_000_000, "1h5s"),
            (250_000_000, "250ms"),
            (1_050_000, "1.05ms"),
            (1_001, "1.001us"),
            (60_000_000_001, "1m0.000000001s"),
        ];
        for (nanos, expected) in cases {
            assert_eq!(Readable(Duration::from_nanos(nanos)).to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(nanos in any::<u64>(), shift in 0_u32..64) {
            let length = Duration::from_nanos(nanos >> shift);
            prop_assert_eq!(parse_duration(&Readable(length).to_string()), Ok(length));
        }

        #[test]
        fn any_text_gives_an_answer(text in "[-+0-9.hms dµe]{0,12}") {
            let _ = parse_duration(&text);
        }
    }
}
