//! Numbers for people and files: milliseconds from microseconds, rounded rates.
//!
//! Where a number stands in a table or file is not decided here.

/// A time in ms for a table: three significant digits below 100 ms, whole ms above.
pub(super) fn ms_cell(us: u64) -> String {
    let (whole, rest) = (us / 1_000, us % 1_000);
    match us {
        0 => "0".to_owned(),
        1..1_000 => format!("0.{rest:03}"),
        1_000..9_995 => {
            let hundredths = (us + 5) / 10;
            format!("{}.{:02}", hundredths / 100, hundredths % 100)
        }
        9_995..99_950 => {
            let tenths = (us + 50) / 100;
            format!("{}.{}", tenths / 10, tenths % 10)
        }
        _ => format!("{}", whole + u64::from(rest >= 500)),
    }
}

/// A time in ms with µs precision.
#[allow(clippy::cast_precision_loss, reason = "exact below 285 years")]
pub(crate) fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}

/// A difference of times in ms with µs precision.
#[allow(clippy::cast_precision_loss, reason = "exact below 285 years")]
pub(super) fn difference_ms(us: i64) -> f64 {
    us as f64 / 1e3
}

/// A mean in ms, rounded to µs.
pub(crate) fn mean_ms(us: f64) -> f64 {
    us.round() / 1e3
}

/// A mean in whole µs.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a mean lies between a minimum and a maximum that are u64"
)]
pub(super) fn mean_us(us: f64) -> u64 {
    us.round() as u64
}

/// A time in s with µs precision.
#[allow(clippy::cast_precision_loss, reason = "exact below 285 years")]
pub(super) fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// A rate, rounded to a thousandth.
pub(super) fn rate(per_second: f64) -> f64 {
    (per_second * 1e3).round() / 1e3
}

/// A number of the script's own unit for a table: four significant digits, whole above 1,000.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the exponent of a f64 has four digits"
)]
pub(super) fn figure_cell(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude < f64::MIN_POSITIVE {
        return "0".to_owned();
    }
    if !(1e-4..1e9).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let decimals = usize::try_from(3 - magnitude.log10().floor() as i32).unwrap_or(0);
    format!("{value:.decimals$}")
}

/// `part` as a share of `whole`; zero if that is zero.
#[allow(
    clippy::cast_precision_loss,
    reason = "a share needs no more than 53 bits"
)]
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_four_digits_and_huge_or_tiny_ones_an_exponent() {
        let cells = [
            0.0,
            1.0,
            -2.25,
            12.345,
            123_456.7,
            0.001_234_56,
            1e-7,
            -3e12,
        ]
        .map(figure_cell);
        assert_eq!(
            cells,
            [
                "0",
                "1.000",
                "-2.250",
                "12.35",
                "123457",
                "0.001235",
                "1.000e-7",
                "-3.000e12"
            ]
        );
    }

    #[test]
    fn a_table_shows_three_digits_below_100_ms_and_never_zero_for_something() {
        let cells = [
            (0, "0"),
            (1, "0.001"),
            (213, "0.213"),
            (999, "0.999"),
            (1_000, "1.00"),
            (1_234, "1.23"),
            (1_235, "1.24"),
            (9_994, "9.99"),
            (9_995, "10.0"),
            (12_340, "12.3"),
            (99_949, "99.9"),
            (99_950, "100"),
            (100_499, "100"),
            (100_500, "101"),
            (3_600_000_000, "3600000"),
        ];
        for (us, text) in cells {
            assert_eq!(ms_cell(us), text, "{us} µs");
        }
    }

    #[test]
    fn json_numbers_have_microseconds() {
        assert_eq!(ms(1_234).to_string(), "1.234");
        assert_eq!(mean_ms(1_234.567).to_string(), "1.235");
        assert_eq!(seconds(30_000_001).to_string(), "30.000001");
        assert_eq!(rate(0.123_456), 0.123);
        assert_eq!(share(1, 0), 0.0);
    }
}
