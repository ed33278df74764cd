//! Numbers as people and files want them: milliseconds from microseconds, rounded rates.
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
pub(super) fn ms(us: u64) -> f64 {
    us as f64 / 1e3
}

/// A mean in ms, rounded to µs.
pub(super) fn mean_ms(us: f64) -> f64 {
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

/// `part` of `whole`; zero of nothing.
#[allow(
    clippy::cast_precision_loss,
    reason = "a share needs no more than 53 bits"
)]
pub(super) fn share(part: u64, whole: u64) -> f64 {
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
