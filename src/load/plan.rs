//! The plan of a run: what the runner asks while time passes.
//!
//! Owns how many users there should be at each moment and when the run is over. It answers from
//! elapsed time only, so another kind of plan (such as a shape) is another way to make a `Plan`,
//! not another question. `part` works out which thread has which users.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Ramp;
use super::stage::{Change, Stage, Step, nobody};
use crate::units::Rate;

/// What the numbers of users in a plan count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Division {
    /// All users; the mix decides the class of each.
    Mixed,
    /// The users of each class, this many, in the order of the scenario.
    PerClass(usize),
}

impl Division {
    /// How many numbers there are: one sequence of users each.
    #[must_use]
    pub fn tracks(self) -> usize {
        match self {
            Division::Mixed => 1,
            Division::PerClass(classes) => classes,
        }
    }
}

/// How many users there should be as time passes, and when it ends.
///
/// Each track is a sequence of users with ordinals from 0; its number of users changes one by
/// one, and the last started is the first stopped. After its end a plan keeps its numbers; the
/// runner stops the users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    division: Division,
    /// At least one; the first begins at zero.
    steps: Vec<Step>,
    /// When the last stage is over.
    staged: Option<Duration>,
    run_time: Option<Duration>,
}

/// A ramp in its place.
pub(super) struct RampAt {
    pub(super) ramp: Ramp,
    /// What its times count from.
    pub(super) begins: Duration,
    /// How many users there should be.
    pub(super) users: u32,
}

impl Plan {
    /// Up to `users` users at `rate` a second, kept until `run_time` is over, or without a limit if
    /// there is none. The run time counts from the start of the ramp, as in Locust.
    #[must_use]
    pub fn closed(users: u32, rate: Rate, run_time: Option<Duration>) -> Plan {
        let stage = Stage {
            length: Duration::MAX,
            users: vec![users],
            rate: Some(rate),
        };
        Plan {
            run_time,
            ..Plan::starting_with(Division::Mixed, stage)
        }
    }

    /// One stage after the other; the plan is over with the last of them.
    #[must_use]
    pub fn staged(division: Division, stages: &[Stage]) -> Plan {
        let mut plan = Plan::idle(division);
        let mut at = Duration::ZERO;
        for stage in stages {
            plan.push(at, stage);
            at = at.saturating_add(stage.length);
        }
        plan.staged = Some(at);
        plan
    }

    /// No users until it is [redirected](Plan::redirected_at); without an end.
    #[must_use]
    pub fn idle(division: Division) -> Plan {
        Plan::starting_with(division, nobody(division))
    }

    fn starting_with(division: Division, stage: Stage) -> Plan {
        Plan {
            division,
            steps: vec![Step::of(
                0,
                Duration::ZERO,
                &vec![0; division.tracks()],
                stage,
            )],
            staged: None,
            run_time: None,
        }
    }

    /// Ends the plan after `run_time` at the latest.
    #[must_use]
    pub fn limited_to(mut self, run_time: Option<Duration>) -> Plan {
        self.run_time = earlier(self.run_time, run_time);
        self
    }

    /// This plan with another run time, longer or shorter; `None` for no limit. It still ends with
    /// its stages.
    #[must_use]
    pub fn ending(&self, run_time: Option<Duration>) -> Plan {
        Plan {
            run_time,
            ..self.clone()
        }
    }

    /// A plan that continues this one from `at` on by going to other numbers of users and staying
    /// there; not valid before `at`. It has the same end. If `division` differs, it begins from
    /// zero users.
    #[must_use]
    pub fn redirected_at(&self, at: Duration, division: Division, stage: &Stage) -> Plan {
        let mut last = self.step_at(at).clone();
        if division != self.division {
            last = Step::of(
                last.number,
                at,
                &vec![0; division.tracks()],
                nobody(division),
            );
        }
        let mut plan = Plan {
            division,
            steps: vec![last],
            staged: self.staged,
            run_time: self.run_time,
        };
        plan.push(at, stage);
        plan.steps.drain(..plan.steps.len() - 1);
        plan
    }

    /// This plan, for a run that has followed another one until `at`: it goes from the numbers of
    /// users at that time to its own, and continues. `from` has one number for each track; `after`
    /// is the number of the run's last stage.
    #[must_use]
    pub fn resumed_at(&self, at: Duration, from: &[u32], after: u32) -> Plan {
        let index = self.index_at(at);
        let next = self.steps.get(index + 1);
        let mut stage = self.steps[index].stage.clone();
        if let Some(end) = next.map(|next| next.begins).or(self.staged) {
            // What is left of it, for a change that is spread over it.
            stage.length = end.saturating_sub(at);
        }
        let mut plan = Plan {
            steps: vec![Step::of(after + 1, at, from, stage)],
            ..self.clone()
        };
        for step in &self.steps[index + 1..] {
            plan.push(step.begins, &step.stage);
        }
        plan
    }

    /// A plan that stays at these numbers of users from `at` on, until it is
    /// [redirected](Plan::redirected_at); `after` is the number of the run's last stage.
    #[must_use]
    pub fn held_at(division: Division, at: Duration, users: &[u32], after: u32) -> Plan {
        let stage = Stage {
            users: users.to_vec(),
            ..nobody(division)
        };
        Plan {
            steps: vec![Step::of(after + 1, at, users, stage)],
            ..Plan::idle(division)
        }
    }

    /// Adds a stage that begins at `at`, which is not before the last one's beginning.
    fn push(&mut self, at: Duration, stage: &Stage) {
        let last = self.last();
        let (number, since) = (last.number + 1, at.saturating_sub(last.begins));
        let from: Vec<u32> = last
            .ramps
            .iter()
            .map(|ramp| ramp.users_before(since))
            .collect();
        let step = Step::of(number, at, &from, stage.clone());
        if at == last.begins {
            // That stage has had no time at all.
            self.steps.pop();
        }
        self.steps.push(step);
    }

    /// Whether this is a plan that could have been made: of one that comes from elsewhere.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        let tracks = self.division.tracks();
        let first = self.steps.first();
        first.is_some_and(|first| first.begins.is_zero())
            && self.steps.iter().all(|step| step.ramps.len() == tracks)
            && self.steps.is_sorted_by_key(|step| step.begins)
    }

    /// What the numbers of users count.
    #[must_use]
    pub fn division(&self) -> Division {
        self.division
    }

    /// How many users of a track there should be at `elapsed`.
    ///
    /// # Panics
    /// When the division has no such track.
    #[must_use]
    pub fn users_of(&self, track: usize, elapsed: Duration) -> u32 {
        self.ramp_at(track, elapsed).users
    }

    /// How many users there should be at `elapsed`, of all classes.
    #[must_use]
    pub fn users_at(&self, elapsed: Duration) -> u32 {
        let tracks = 0..self.division.tracks();
        sum(tracks.map(|track| self.users_of(track, elapsed)))
    }

    /// The ramp of a track that goes on at `elapsed`.
    pub(super) fn ramp_at(&self, track: usize, elapsed: Duration) -> RampAt {
        let step = self.step_at(elapsed);
        let ramp = step.ramps[track];
        let users = match self.end() {
            // What is due at the very end would only start to be stopped.
            Some(end) if elapsed >= end => ramp.users_before(end.saturating_sub(step.begins)),
            _ => ramp.users_at(elapsed.saturating_sub(step.begins)),
        };
        RampAt {
            ramp,
            begins: step.begins,
            users,
        }
    }

    /// The stage at `elapsed`.
    #[must_use]
    pub fn change_at(&self, elapsed: Duration) -> Change {
        let step = self.step_at(elapsed);
        let per_sec = step.ramps.iter().map(|ramp| ramp.per_sec()).sum();
        Change {
            stage: step.number,
            from: sum(step.ramps.iter().map(|ramp| ramp.origin())),
            to: sum(step.ramps.iter().map(|ramp| ramp.target())),
            per_sec,
        }
    }

    /// When the stage at `elapsed` gives way to the next; `None` if it is the last.
    #[must_use]
    pub fn next_stage(&self, elapsed: Duration) -> Option<Duration> {
        let next = self.steps.get(self.index_at(elapsed) + 1)?;
        Some(next.begins)
    }

    /// When the run ends by itself; `None` if the plan has no end.
    #[must_use]
    pub fn end(&self) -> Option<Duration> {
        earlier(self.staged, self.run_time)
    }

    /// True if it ends because its stages are over, and not for the run time.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.staged.is_some() && self.end() == self.staged
    }

    /// The most users that there are at once; one more for each class where they change places.
    #[must_use]
    pub fn peak_users(&self) -> u32 {
        let begins = self.steps.iter().map(|step| step.begins);
        let ends = begins.skip(1).map(Some).chain([self.end()]);
        let peaks = self.steps.iter().zip(ends).map(|(step, end)| {
            let reached = step.ramps.iter().map(|ramp| match end {
                Some(end) => ramp.users_before(end.saturating_sub(step.begins)),
                None => ramp.target(),
            });
            // The tracks arrive together, so in between there are not more.
            sum(reached).max(sum(step.ramps.iter().map(|ramp| ramp.origin())))
        });
        peaks.max().unwrap_or(0)
    }

    fn index_at(&self, elapsed: Duration) -> usize {
        let begun = self.steps.partition_point(|step| step.begins <= elapsed);
        begun.saturating_sub(1)
    }

    fn step_at(&self, elapsed: Duration) -> &Step {
        &self.steps[self.index_at(elapsed)]
    }

    fn last(&self) -> &Step {
        self.steps.last().expect("a plan has a step from the start")
    }
}

fn sum(numbers: impl Iterator<Item = u32>) -> u32 {
    numbers.fold(0, u32::saturating_add)
}

fn earlier(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    [one, other].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn stage(length_ms: u64, users: &[u32], per_sec: Option<f64>) -> Stage {
        Stage {
            length: ms(length_ms),
            users: users.to_vec(),
            rate: per_sec.map(|rate| Rate::from_per_sec(rate).unwrap()),
        }
    }

    fn closed(users: u32, per_sec: f64) -> Plan {
        Plan::closed(users, Rate::from_per_sec(per_sec).unwrap(), None)
    }

    fn mixed(stages: &[Stage]) -> Plan {
        Plan::staged(Division::Mixed, stages)
    }

    /// The number of users at each of these moments.
    fn at(plan: &Plan, moments: &[u64]) -> Vec<u32> {
        moments.iter().map(|at| plan.users_at(ms(*at))).collect()
    }

    #[test]
    fn users_ramp_up_and_stay() {
        let plan = closed(3, 10.0);
        assert_eq!(at(&plan, &[0, 99, 100, 200, 99_999]), [1, 1, 2, 3, 3]);
        assert_eq!((plan.end(), plan.peak_users()), (None, 3));
        assert_eq!(plan.next_stage(ms(0)), None);
        assert_eq!(at(&closed(0, 1.0), &[0, 5_000]), [0, 0]);
    }

    #[test]
    fn the_earlier_of_two_ends_counts() {
        let plan = mixed(&[stage(1_000, &[5], None)]);
        assert_eq!(plan.end(), Some(ms(1_000)));
        let cut = plan.clone().limited_to(Some(ms(300)));
        assert_eq!((cut.end(), cut.is_complete()), (Some(ms(300)), false));
        let whole = plan.clone().limited_to(Some(ms(3_000)));
        assert_eq!((whole.end(), whole.is_complete()), (Some(ms(1_000)), true));
        assert_eq!(plan.limited_to(None).end(), Some(ms(1_000)));
        assert_eq!(closed(5, 1.0).limited_to(Some(ms(7))).end(), Some(ms(7)));
        assert!(!closed(5, 1.0).is_complete());
    }

    #[test]
    fn stages_follow_one_another() {
        let plan = mixed(&[
            stage(1_000, &[10], Some(100.0)),
            stage(1_000, &[4], Some(10.0)),
            stage(1_000, &[6], None),
        ]);
        // Up one by one, to 10 after 90 ms; down with the last one first; up over a whole second.
        assert_eq!(at(&plan, &[0, 10, 89, 90, 999]), [1, 2, 9, 10, 10]);
        assert_eq!(at(&plan, &[1_000, 1_100, 1_500, 1_999]), [9, 8, 4, 4]);
        assert_eq!(at(&plan, &[2_000, 2_499, 2_500, 9_000]), [5, 5, 6, 6]);
        // What is due at the very end does not start.
        let cut = plan.clone().limited_to(Some(ms(10)));
        assert_eq!(at(&cut, &[0, 9, 10, 500]), [1, 1, 1, 1]);
        assert_eq!((plan.end(), plan.peak_users()), (Some(ms(3_000)), 10));
        let begins = [plan.next_stage(ms(0)), plan.next_stage(ms(1_000))];
        assert_eq!(begins, [Some(ms(1_000)), Some(ms(2_000))]);
        assert_eq!(plan.next_stage(ms(2_000)), None);
    }

    #[test]
    fn a_stage_shorter_than_its_ramp_is_cut_but_not_skipped() {
        let plan = mixed(&[
            stage(1_000, &[100], Some(10.0)),
            stage(500, &[200], Some(20.0)),
            stage(300, &[0], Some(10.0)),
        ]);
        // Ten of 100 in the first second; the next stage goes on without a gap or a jump.
        assert_eq!(
            at(&plan, &[0, 900, 999, 1_000, 1_049, 1_050]),
            [1, 10, 10, 11, 11, 12]
        );
        assert_eq!(at(&plan, &[1_499, 1_500, 1_600, 1_799]), [20, 19, 18, 17]);
        assert_eq!(plan.peak_users(), 20);
        let change = plan.change_at(ms(1_500));
        assert_eq!((change.from, change.to), (20, 0));
        assert!((change.per_sec - 10.0).abs() < 1e-9);
    }

    #[test]
    fn classes_with_numbers_of_their_own_arrive_together() {
        let plan = Plan::staged(
            Division::PerClass(3),
            &[
                stage(2_000, &[30, 10, 0], Some(40.0)),
                stage(2_000, &[0, 10, 20], Some(50.0)),
            ],
        );
        let of = |moment| [0, 1, 2].map(|track| plan.users_of(track, ms(moment)));
        assert_eq!(of(0), [1, 1, 0]);
        assert_eq!(of(500), [16, 6, 0]);
        assert_eq!(of(999), [30, 10, 0]);
        // 30 out and 20 in, 50 changes in a second; who stays is not touched.
        assert_eq!(of(2_000), [29, 10, 1]);
        assert_eq!(of(2_500), [14, 10, 11]);
        assert_eq!(of(3_000), [0, 10, 20]);
        assert_eq!((plan.users_at(ms(3_000)), plan.peak_users()), (30, 40));
    }

    #[test]
    fn a_turn_goes_on_from_what_was_reached() {
        let plan = closed(100, 10.0).redirected_at(
            ms(1_000),
            Division::Mixed,
            &stage(1_000, &[5], Some(5.0)),
        );
        assert_eq!(at(&plan, &[1_000, 1_799, 1_800, 9_000]), [9, 6, 5, 5]);
        let again = plan.redirected_at(ms(1_400), Division::Mixed, &stage(1_000, &[20], None));
        assert_eq!(at(&again, &[1_400, 2_399]), [9, 20]);
        let numbers = [
            plan.change_at(ms(1_400)).stage,
            again.change_at(ms(1_400)).stage,
        ];
        assert_eq!(numbers, [1, 2]);
        // Twice at the same moment: the later word counts.
        let twice = plan.redirected_at(ms(1_000), Division::Mixed, &stage(1_000, &[40], None));
        assert_eq!(twice.users_at(ms(9_000)), 40);
    }

    #[test]
    fn an_edited_plan_goes_on_from_the_users_there_are() {
        // Ten users are to become four, at two a second.
        let edited = closed(4, 2.0).resumed_at(ms(5_000), &[10], 0);
        assert_eq!(at(&edited, &[5_000, 5_499, 5_500, 8_000]), [9, 9, 8, 4]);
        assert_eq!(edited.change_at(ms(5_000)).stage, 1);
        // Stages keep their place in time: this one has half of its length left.
        let stages = [stage(2_000, &[20], None), stage(1_000, &[0], Some(100.0))];
        let edited = mixed(&stages).resumed_at(ms(1_000), &[10], 3);
        assert_eq!(at(&edited, &[1_000, 1_500, 1_999, 2_100]), [11, 16, 20, 9]);
        assert_eq!(
            (edited.end(), edited.is_complete()),
            (Some(ms(3_000)), true)
        );
        let begins = [ms(1_000), ms(2_000)].map(|at| edited.change_at(at).stage);
        assert_eq!(begins, [4, 5]);
        // Nothing was edited but the end.
        let same = closed(4, 2.0)
            .limited_to(Some(ms(9_000)))
            .resumed_at(ms(5_000), &[4], 0);
        assert_eq!(
            (at(&same, &[5_000, 8_000]), same.end()),
            (vec![4, 4], Some(ms(9_000)))
        );
    }

    #[test]
    fn a_plan_stays_where_it_is_told() {
        let plan = Plan::held_at(Division::PerClass(2), ms(500), &[3, 4], 6);
        assert_eq!(at(&plan, &[500, 7_000]), [7, 7]);
        assert_eq!((plan.end(), plan.change_at(ms(500)).stage), (None, 7));
        let redirected =
            plan.redirected_at(ms(900), Division::PerClass(2), &stage(1, &[1, 4], None));
        assert_eq!(redirected.users_at(ms(901)), 5);
    }

    #[test]
    fn extremes_are_plans_too() {
        let plan = mixed(&[
            stage(1, &[u32::MAX], None),
            stage(u64::MAX, &[0], Some(1e-300)),
        ]);
        // More than one a nanosecond: as good as none is asked for in so short a time.
        assert_eq!(plan.users_at(Duration::MAX), plan.users_at(ms(1)));
        assert_eq!(Plan::idle(Division::PerClass(2)).users_at(Duration::MAX), 0);
        assert_eq!(mixed(&[]).end(), Some(Duration::ZERO));
    }
}
