//! Rates: `10`, `0.5/s`, `2k/s`, `120/m`.
//!
//! Owns how many times a second something happens; the caller knows what (users, tasks, requests).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::decimal::Decimal;
use super::duration::is_negative_number;
use super::{Invalid, Problem, Quantity};

/// The highest rate: one a nanosecond.
const HIGHEST_PER_SEC: f64 = 1e9;

/// The lowest rate at which a person may have users started: one a day. Below it, a second user would
/// come after every run is over; a slip of the pen, not a wish.
const LOWEST_OF_USERS_PER_SEC: f64 = 1.0 / 86_400.0;

/// A number of events a second: above zero, at most 10^9.
///
/// Reads `10` and `10/s`, with `k` and `M` for thousands and millions, and `/m` or `/h`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Rate {
    per_sec: f64,
}

impl Rate {
    /// A rate per second.
    ///
    /// # Errors
    /// When it is zero, negative, not a number, or above 10^9.
    pub fn from_per_sec(per_sec: f64) -> Result<Rate, Invalid> {
        Rate::checked(per_sec, &per_sec.to_string())
    }

    /// The rate per second.
    #[must_use]
    pub fn per_sec(self) -> f64 {
        self.per_sec
    }

    /// Itself, if it is one that users may be started at: not below one a day. `text` is how it was
    /// written.
    ///
    /// # Errors
    /// When it is below.
    pub fn of_users(self, text: &str) -> Result<Rate, Invalid> {
        match self.per_sec < LOWEST_OF_USERS_PER_SEC {
            true => Err(Invalid::new(Quantity::Rate, text, Problem::TooSlow)),
            false => Ok(self),
        }
    }

    fn checked(per_sec: f64, text: &str) -> Result<Rate, Invalid> {
        let problem = if per_sec.is_nan() {
            Problem::Malformed
        } else if per_sec < 0.0 {
            Problem::Negative
        } else if per_sec == 0.0 {
            Problem::Zero
        } else if per_sec > HIGHEST_PER_SEC {
            Problem::TooLarge
        } else {
            return Ok(Rate { per_sec });
        };
        Err(Invalid::new(Quantity::Rate, text, problem))
    }
}

impl FromStr for Rate {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Rate, Invalid> {
        let invalid = |problem| Invalid::new(Quantity::Rate, text, problem);
        let trimmed = text.trim();
        if is_negative_number(trimmed) {
            return Err(invalid(Problem::Negative));
        }
        let (_, rest) = Decimal::split_from(trimmed).ok_or_else(|| invalid(Problem::Malformed))?;
        let (multiple, period) = match rest.trim_start().split_once('/') {
            Some((multiple, period)) => (multiple.trim_end(), period.trim_start()),
            None => (rest.trim(), "s"),
        };
        let multiplier = match multiple {
            "" => 1,
            "k" | "K" => 1_000,
            "M" => 1_000_000,
            _ => return Err(invalid(Problem::Malformed)),
        };
        let period_secs = match period {
            "s" | "sec" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3_600.0,
            _ => return Err(invalid(Problem::Malformed)),
        };
        let digits = trimmed.len() - rest.len();
        // Straight to the nearest float, so that `0.1` stays what it prints as.
        let exact: f64 = trimmed[..digits]
            .parse()
            .map_err(|_| invalid(Problem::Malformed))?;
        Rate::checked(exact * f64::from(multiplier) / period_secs, text)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.per_sec)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_people_write() {
        let cases = [
            ("10", 10.0),
            ("0.5/s", 0.5),
            ("2k/s", 2_000.0),
            ("2K", 2_000.0),
            ("1.5M/s", 1_500_000.0),
            ("120/m", 2.0),
            ("90 / h", 0.025),
            ("0.1", 0.1),
        ];
        for (text, per_sec) in cases {
            assert_eq!(text.parse(), Ok(Rate { per_sec }), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        let cases = [
            ("", Problem::Malformed),
            ("/s", Problem::Malformed),
            ("10/", Problem::Malformed),
            ("10/d", Problem::Malformed),
            ("10x", Problem::Malformed),
            ("nan", Problem::Malformed),
            ("1e3", Problem::Malformed),
            ("-1", Problem::Negative),
            ("-0.5/s", Problem::Negative),
            ("0", Problem::Zero),
            ("0.0/m", Problem::Zero),
            ("1001M/s", Problem::TooLarge),
            ("18446744073709551615", Problem::TooLarge),
        ];
        for (text, problem) in cases {
            assert_eq!(text.parse::<Rate>().unwrap_err().problem, problem, "{text}");
        }
        assert_eq!(
            "0".parse::<Rate>().unwrap_err().to_string(),
            "`0` would start nothing: rates are above zero; write a number per second (`10`, \
             `0.5`) or with its unit (`2k/s`, `120/m`, `90/h`)"
        );
        for per_sec in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
            assert!(Rate::from_per_sec(per_sec).is_err(), "{per_sec}");
        }
    }

    #[test]
    fn users_start_at_one_a_day_or_faster() {
        for text in ["0.00001", "0.04/h"] {
            let rate: Rate = text.parse().unwrap();
            let wrong = rate.of_users(text).unwrap_err().problem();
            let words =
                "is too slow: users are started at one a day (0.0000116 a second) or faster";
            assert_eq!(wrong, format!("`{text}` {words}"));
        }
        for text in ["0.0000116", "0.05/h", "1000"] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!(rate.of_users(text), Ok(rate));
        }
        let day = Rate::from_per_sec(1.0 / 86_400.0).unwrap();
        assert!(day.of_users("").is_ok());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(per_sec in 1e-9_f64..1e9) {
            let rate = Rate::from_per_sec(per_sec).unwrap();
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }
    }
}
