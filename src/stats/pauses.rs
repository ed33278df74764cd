//! When a run was paused, and for how much of that nobody was at work.
//!
//! Users finish their iteration after the order to pause, so requests still end for a while. That
//! while counts as any other: rates leave out only the rest, or a run would look faster for having
//! been paused. What a script does later in a pause, such as in `on_reload`, counts the second or
//! two in which it was done.

/// How long a request may have ended before that is known here, in µs, with much to spare: rest is
/// settled after that.
const LATE_US: u64 = 1_000_000;

/// A stretch of time, in µs since the run's epoch.
type FromTo = (u64, u64);

/// The pauses of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pauses {
    /// Rest that is settled, ascending, a few for each pause.
    rests: Vec<FromTo>,
    present: Option<Pause>,
    /// Those that are over, from the order to pause to the one to go on.
    over: Vec<FromTo>,
}

/// A pause that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pause {
    at_us: u64,
    /// Since when no request has ended, or up to where rest is settled.
    from_us: u64,
}

impl Pauses {
    pub(super) fn is_paused(&self) -> bool {
        self.present.is_some()
    }

    pub(super) fn pause(&mut self, at_us: u64) {
        let from_us = at_us;
        self.present.get_or_insert(Pause { at_us, from_us });
    }

    /// The run goes on, or ends. Gives the rest that is settled by it.
    pub(super) fn resume(&mut self, at_us: u64) -> Option<FromTo> {
        let pause = self.present.take()?;
        self.over.push((pause.at_us, at_us));
        self.settle((pause.from_us, at_us))
    }

    /// A request ended then; known late, but not by more than a second.
    pub(super) fn ended(&mut self, at_us: u64) {
        if let Some(pause) = &mut self.present {
            pause.from_us = pause.from_us.max(at_us);
        }
    }

    /// Settles the rest that nothing can cut short any more at `now_us`.
    pub(super) fn reach(&mut self, now_us: u64) -> Option<FromTo> {
        let settled_us = now_us.saturating_sub(LATE_US);
        let pause = self.present.as_mut()?;
        let span = (pause.from_us, settled_us);
        pause.from_us = pause.from_us.max(settled_us);
        self.settle(span)
    }

    fn settle(&mut self, span: FromTo) -> Option<FromTo> {
        if span.0 >= span.1 {
            return None;
        }
        match self.rests.last_mut() {
            Some((_, end)) if *end == span.0 => *end = span.1,
            _ => self.rests.push(span),
        }
        Some(span)
    }

    /// As they are at `now_us`: a pause that goes on ends there.
    pub(super) fn until(&self, now_us: u64) -> Pauses {
        let mut ended = self.clone();
        ended.resume(now_us);
        ended
    }

    /// For how long nobody was at work because of a pause, within these moments (µs since the run's
    /// epoch), in µs: what rates over them leave out.
    #[must_use]
    pub fn within(&self, from_us: u64, to_us: u64) -> u64 {
        let first = self.rests.partition_point(|rest| rest.1 <= from_us);
        let within = self.rests[first..].iter().take_while(|rest| rest.0 < to_us);
        within.map(|rest| common((from_us, to_us), *rest)).sum()
    }

    /// From when to when the run was paused, in µs since its epoch.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.over.iter().copied()
    }

    /// How long it was paused in all, in µs: for so long its plan stood still.
    #[must_use]
    pub fn held_us(&self) -> u64 {
        self.over
            .iter()
            .map(|(from_us, to_us)| to_us.saturating_sub(*from_us))
            .sum()
    }
}

/// How much two stretches have in common.
pub(super) fn common(one: FromTo, other: FromTo) -> u64 {
    one.1.min(other.1).saturating_sub(one.0.max(other.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000;

    #[test]
    fn rest_is_what_is_left_of_a_pause_after_the_last_request() {
        let mut pauses = Pauses::default();
        pauses.pause(3 * S);
        pauses.ended(3 * S + 400_000);
        assert_eq!(pauses.reach(4 * S), None);
        // Known a little late.
        pauses.ended(3 * S + 900_000);
        assert_eq!(pauses.until(4 * S).within(0, 9 * S), 100_000);
        assert_eq!(pauses.reach(6 * S), Some((3 * S + 900_000, 5 * S)));
        assert_eq!(pauses.resume(7 * S), Some((5 * S, 7 * S)));
        assert_eq!(
            (pauses.within(0, 9 * S), pauses.held_us()),
            (3_100_000, 4 * S)
        );
        assert_eq!(pauses.within(4 * S, 5 * S), S);
        assert_eq!(pauses.within(6 * S + 1, 6 * S + 4), 3);
        assert_eq!(
            [pauses.within(0, 3 * S), pauses.within(7 * S, 8 * S)],
            [0; 2]
        );
    }

    #[test]
    fn a_request_in_the_middle_of_a_long_rest_costs_at_most_the_last_second_of_it() {
        let mut pauses = Pauses::default();
        pauses.pause(10 * S);
        for now in 11..=20 {
            pauses.reach(now * S);
        }
        pauses.ended(20 * S + 500_000);
        pauses.resume(30 * S);
        assert_eq!(pauses.within(0, 99 * S), 20 * S - 1_500_000);
    }

    #[test]
    fn several_pauses_add_up_and_one_in_which_all_are_at_work_is_none() {
        let mut pauses = Pauses::default();
        for at in [10 * S, 30 * S] {
            pauses.pause(at);
            pauses.pause(at + S);
            pauses.resume(at + 2 * S);
            assert_eq!(pauses.resume(at + 3 * S), None);
        }
        pauses.pause(50 * S);
        pauses.ended(52 * S);
        assert_eq!(pauses.resume(52 * S), None);
        assert_eq!((pauses.within(0, 99 * S), pauses.held_us()), (4 * S, 6 * S));
        assert_eq!(pauses.within(11 * S, 31 * S), 2 * S);
        assert_eq!(pauses.until(60 * S), pauses);
    }
}
