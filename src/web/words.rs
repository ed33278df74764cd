//! How times, waits and ends of runs are said.
//!
//! Owns the words that only pages need; log lines are said by `screen::show`.

use std::time::Duration;

use crate::runner::End;
use crate::scenario::Wait;
use crate::screen::show;

/// A length as it is typed: `10m`, `1m30s`, `0.5s`.
pub(super) fn time_text(length: Duration) -> String {
    let seconds = length.as_secs();
    if length.subsec_nanos() > 0 {
        return format!("{}s", length.as_secs_f64());
    }
    let parts = [
        (seconds / 3_600, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let text: String = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| format!("{n}{unit}"))
        .collect();
    if text.is_empty() {
        "0s".to_owned()
    } else {
        text
    }
}

/// A wait between two tasks.
pub(super) fn wait_words(wait: &Wait) -> String {
    match wait {
        Wait::Constant(length) if length.is_zero() => "none".to_owned(),
        Wait::Constant(length) => time_text(*length),
        Wait::Between(least, most) => {
            format!("{} to {}", time_text(*least), time_text(*most))
        }
        Wait::Pacing(period) => format!("every {}", time_text(*period)),
        Wait::Poisson(rate) => format!("{rate} a second, at random"),
        Wait::Script => "as the script says".to_owned(),
    }
}

/// Why a run ended.
pub(super) fn end_words(end: &End) -> String {
    match end {
        End::RunTime => "the run time is over".to_owned(),
        End::Shape => "the shape is over".to_owned(),
        End::Done => "all users have ended".to_owned(),
        End::Stopped => "stopped".to_owned(),
        End::StopTest(why) => show::clean(&show::stopped(why)).into_owned(),
        End::Failed(why) => show::clean(why).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_they_are_typed() {
        for (ms, text) in [
            (0, "0s"),
            (500, "0.5s"),
            (90_000, "1m30s"),
            (600_000, "10m"),
            (3_600_000, "1h"),
            (3_661_000, "1h1m1s"),
        ] {
            assert_eq!(time_text(Duration::from_millis(ms)), text);
            let read = crate::units::parse_duration(text).unwrap();
            assert_eq!(read, Duration::from_millis(ms));
        }
    }
}
