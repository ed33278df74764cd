//! Ready-made shapes: from a few numbers to the stages of a plan.
//!
//! Owns the curves. How their numbers are written in a script is read there.

use std::time::Duration;

use super::Stage;
use crate::units::Rate;

/// Into how many straight pieces a curve is cut: each of a second in Locust's ten minutes.
const PIECES: u32 = 600;

/// The shortest piece: Locust looks at a shape once a second.
const SHORTEST_PIECE: Duration = Duration::from_secs(1);

/// How fast a shape's number of users changes where it jumps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Jump {
    /// So many users a second.
    Rate(Rate),
    /// Within a second, however many they are.
    WithinASecond,
}

impl Jump {
    fn stage(self, length: Duration, from: u32, users: u32) -> Stage {
        let within_a_second = || Rate::from_per_sec(f64::from(from.abs_diff(users))).ok();
        Stage {
            length,
            users: vec![users],
            rate: match self {
                Jump::Rate(rate) => Some(rate),
                Jump::WithinASecond => within_a_second(),
            },
        }
    }
}

/// Always `users` users.
#[must_use]
pub fn constant(users: u32, length: Duration, jump: Jump) -> Vec<Stage> {
    vec![jump.stage(length, 0, users)]
}

/// Evenly up to `users` users over `length`, and that many for as long as `hold`.
#[must_use]
pub fn ramp(users: u32, length: Duration, hold: Duration) -> Vec<Stage> {
    let stage = |length| Stage {
        length,
        users: vec![users],
        rate: None,
    };
    let stages = [length, hold].into_iter().filter(|it| !it.is_zero());
    stages.map(stage).collect()
}

/// `step` more users at the beginning of each `step_length`, until `length` is over: Locust's
/// `step_load`.
#[must_use]
pub fn steps(step: u32, step_length: Duration, length: Duration, jump: Jump) -> Vec<Stage> {
    let mut stages = Vec::new();
    let (mut users, mut left) = (0, length);
    while !left.is_zero() && !step_length.is_zero() {
        let next = step.saturating_add(users);
        stages.push(jump.stage(step_length.min(left), users, next));
        left = left.saturating_sub(step_length);
        users = next;
    }
    stages
}

/// `users` users, then `peak` for a while, then `users` again.
#[must_use]
pub fn spike(
    users: u32,
    peak: u32,
    [before, at_peak, after]: [Duration; 3],
    jump: Jump,
) -> Vec<Stage> {
    let stages = [
        (before, 0, users),
        (at_peak, users, peak),
        (after, peak, users),
    ];
    let stages = stages.into_iter().filter(|(length, ..)| !length.is_zero());
    stages
        .map(|(length, from, to)| jump.stage(length, from, to))
        .collect()
}

/// Two bell curves on top of `users` users, the first peak at a third of the time, the other at
/// two thirds: Locust's `double_wave`, followed in straight pieces.
#[must_use]
pub fn double_wave(users: u32, peaks: [u32; 2], length: Duration) -> Vec<Stage> {
    let piece = (length / PIECES).max(SHORTEST_PIECE).min(length);
    let mut stages = Vec::new();
    let mut begins = Duration::ZERO;
    while begins < length && !piece.is_zero() {
        let ends = (begins + piece).min(length);
        stages.push(Stage {
            length: ends - begins,
            users: vec![double_wave_at(users, peaks, ends.div_duration_f64(length))],
            rate: None,
        });
        begins = ends;
    }
    stages
}

/// The height of the double wave at this fraction of its time.
fn double_wave_at(users: u32, [first, second]: [u32; 2], part: f64) -> u32 {
    // Locust's example counts in units of a fifteenth of the time and has its peaks at 5 and 10.
    let position = part * 15.0;
    let bell = |peak: u32, at: f64| {
        (f64::from(peak) - f64::from(users)) * (-(position - at).powi(2)).exp()
    };
    let height = f64::from(users) + bell(first, 5.0) + bell(second, 10.0);
    // `as` saturates; the lowest that two dips come to is above nothing or meant to be nothing.
    height.round_ties_even() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Division, Plan};

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn plan(stages: &[Stage]) -> Plan {
        Plan::staged(Division::Mixed, stages)
    }

    fn at(stages: &[Stage], moments: &[u64]) -> Vec<u32> {
        let plan = plan(stages);
        let users = moments.iter().map(|at| plan.users_at(secs(*at)));
        users.collect()
    }

    #[test]
    fn the_plain_ones_are_a_few_stages() {
        let within = Jump::WithinASecond;
        let constant = constant(50, secs(60), within);
        assert_eq!(at(&constant, &[0, 1, 59]), [1, 50, 50]);
        assert_eq!(plan(&constant).end(), Some(secs(60)));
        let ramp = ramp(100, secs(10), secs(5));
        assert_eq!(at(&ramp, &[0, 5, 10, 14]), [1, 51, 100, 100]);
        assert_eq!(plan(&ramp).end(), Some(secs(15)));
        let spike = spike(10, 100, [secs(10), secs(5), secs(10)], within);
        assert_eq!(at(&spike, &[9, 11, 14, 16, 24]), [10, 100, 100, 10, 10]);
        assert_eq!(plan(&spike).end(), Some(secs(25)));
    }

    #[test]
    fn steps_are_locusts() {
        // step_load.py: step_time 30, step_load 10, spawn_rate 10, time_limit 600.
        let rate = Jump::Rate(Rate::from_per_sec(10.0).unwrap());
        let stages = steps(10, secs(30), secs(600), rate);
        assert_eq!(stages.len(), 20);
        assert_eq!(at(&stages, &[29, 31, 60 + 29, 599]), [10, 20, 30, 200]);
        let cut = steps(10, secs(30), secs(40), Jump::WithinASecond);
        assert_eq!((cut.len(), plan(&cut).end()), (2, Some(secs(40))));
    }

    #[test]
    fn the_double_wave_has_locusts_figures() {
        let stages = double_wave(20, [60, 40], secs(600));
        // What Locust's double_wave.py returns for these seconds.
        let expected = [
            (40, 20),
            (120, 21),
            (160, 35),
            (200, 60),
            (240, 35),
            (300, 20),
            (360, 27),
            (400, 40),
            (440, 27),
            (500, 20),
        ];
        for (second, users) in expected {
            // What is reached when the second begins, and not what starts in it.
            let at = secs(second) - Duration::from_nanos(1);
            assert_eq!(plan(&stages).users_at(at), users, "{second}");
        }
        assert_eq!(plan(&stages).end(), Some(secs(600)));
        assert_eq!(plan(&stages).peak_users(), 60);
    }

    #[test]
    fn waves_of_any_length_are_followed() {
        for length in [1, 7, 599, 86_400] {
            let stages = double_wave(0, [30, 10], secs(length));
            assert_eq!(plan(&stages).end(), Some(secs(length)));
            assert!(stages.len() <= 601, "{length}: {}", stages.len());
        }
        assert_eq!(
            plan(&double_wave(5, [0, 0], secs(600))).users_at(secs(200)),
            0
        );
        assert!(steps(1, Duration::ZERO, secs(1), Jump::WithinASecond).is_empty());
    }
}
