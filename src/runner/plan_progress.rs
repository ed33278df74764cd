//! How far a run is in its plan, as the control thread sees it.
//!
//! Owns the current stage, whether its number of users has been reached, and which ramps to
//! announce. Crews start and stop the users.

use std::sync::Arc;
use std::time::Duration;

use super::Notice;
use crate::load::{Change, Plan};

/// A ramp in the same direction as one announced this recently is not announced: a shape may change
/// the numbers every second.
const TELL_AGAIN: Duration = Duration::from_secs(10);

/// A run's way through its plan.
#[derive(Debug)]
pub(super) struct PlanProgress {
    plan: Arc<Plan>,
    /// The stage entered last.
    stage: Option<Change>,
    /// Whether all members have reached its number of users.
    has_arrived: bool,
    /// The last ramp announced, and when.
    told: Option<(Change, Duration)>,
}

impl PlanProgress {
    pub(super) fn new(plan: Arc<Plan>) -> PlanProgress {
        PlanProgress {
            plan,
            stage: None,
            has_arrived: false,
            told: None,
        }
    }

    pub(super) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Follows another plan from now on; the stage is entered with [`PlanProgress::enter`].
    pub(super) fn redirect(&mut self, plan: Arc<Plan>) {
        self.plan = plan;
    }

    /// Like [`PlanProgress::redirect`], but always announced.
    pub(super) fn restart(&mut self, plan: Arc<Plan>) {
        self.told = None;
        self.redirect(plan);
    }

    /// Enters the stage at `elapsed` unless that is done already; returns it with the notice to
    /// send, if any.
    pub(super) fn enter(&mut self, elapsed: Duration) -> Option<(Change, Option<Notice>)> {
        let change = self.plan.change_at(elapsed);
        if self.stage.is_some_and(|stage| stage.stage == change.stage) {
            return None;
        }
        self.stage = Some(change);
        self.has_arrived = false;
        let notice = self.is_told(change, elapsed).then(|| {
            self.told = Some((change, elapsed));
            Notice::Ramping(change)
        });
        Some((change, notice))
    }

    fn is_told(&self, change: Change, elapsed: Duration) -> bool {
        let Some((last, at)) = self.told else {
            return change.to != change.from;
        };
        let turns = (change.to > change.from) != (last.to > last.from);
        change.to != change.from && (turns || elapsed.saturating_sub(at) >= TELL_AGAIN)
    }

    /// Notes that all members have reached `stage`'s number of users. `Some` if it is the current
    /// stage and this is the first time, with the notice to send if its ramp was announced.
    pub(super) fn arrive(&mut self, stage: u32) -> Option<Option<Notice>> {
        let change = self.stage.filter(|change| change.stage == stage)?;
        if std::mem::replace(&mut self.has_arrived, true) {
            return None;
        }
        let was_told = self.told.is_some_and(|(told, _)| told.stage == stage);
        Some(was_told.then_some(Notice::Arrived(change)))
    }

    /// Whether no more users will start, so that a run without users is done. A plan that ends with
    /// a stretch without users still runs to its end.
    pub(super) fn is_settled(&self, elapsed: Duration) -> bool {
        let asks_for_some = self.stage.is_some_and(|stage| stage.to > 0);
        self.plan.next_stage(elapsed).is_none()
            && self.has_arrived
            && (asks_for_some || self.plan.end().is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Division, Stage};

    fn progress(stages: &[(u64, u32)]) -> PlanProgress {
        let stages: Vec<_> = stages
            .iter()
            .map(|(length, users)| Stage {
                length: Duration::from_secs(*length),
                users: vec![*users],
                rate: None,
            })
            .collect();
        PlanProgress::new(Arc::new(Plan::staged(Division::Mixed, &stages)))
    }

    fn told(progress: &mut PlanProgress, secs: u64) -> Option<(u32, Option<u32>)> {
        let (change, notice) = progress.enter(Duration::from_secs(secs))?;
        let told = notice.map(|notice| match notice {
            Notice::Ramping(change) => change.to,
            other => panic!("{other:?}"),
        });
        Some((change.to, told))
    }

    #[test]
    fn a_ramp_is_told_when_it_turns_or_after_a_while() {
        let stages = [(1, 1), (1, 2), (1, 1), (1, 1), (20, 3), (20, 4)];
        let mut progress = progress(&stages);
        assert_eq!(told(&mut progress, 0), Some((1, Some(1))));
        assert_eq!(told(&mut progress, 0), None);
        assert_eq!(told(&mut progress, 1), Some((2, None)));
        assert_eq!(told(&mut progress, 2), Some((1, Some(1))));
        assert_eq!(told(&mut progress, 3), Some((1, None)));
        assert_eq!(told(&mut progress, 4), Some((3, Some(3))));
        assert_eq!(told(&mut progress, 24), Some((4, Some(4))));
    }

    #[test]
    fn the_stage_that_goes_on_is_arrived_at_once() {
        let mut progress = progress(&[(1, 5), (1, 9)]);
        progress.enter(Duration::ZERO);
        assert_eq!(progress.arrive(7), None);
        let arrived = progress.arrive(1);
        assert!(matches!(arrived, Some(Some(Notice::Arrived(change))) if change.to == 5));
        assert_eq!(progress.arrive(1), None);
        // The ramp of the next stage is not told, and so not its end.
        progress.enter(Duration::from_secs(1));
        assert_eq!(progress.arrive(1), None);
        assert_eq!(progress.arrive(2), Some(None));
    }

    #[test]
    fn a_run_without_users_goes_on_while_its_plan_has_some() {
        let second = Duration::from_secs(1);
        let mut up = progress(&[(1, 5), (1, 9)]);
        up.enter(Duration::ZERO);
        up.arrive(1);
        assert!(!up.is_settled(Duration::ZERO));
        up.enter(second);
        assert!(!up.is_settled(second));
        up.arrive(2);
        assert!(up.is_settled(second));
        let mut down = progress(&[(1, 5), (1, 0)]);
        down.enter(second);
        down.arrive(2);
        assert!(!down.is_settled(second));
    }

    #[test]
    fn a_plan_that_restarts_is_told_and_must_be_arrived_at_again() {
        let mut progress = progress(&[(100, 5)]);
        assert_eq!(told(&mut progress, 0), Some((5, Some(5))));
        assert!(matches!(progress.arrive(1), Some(Some(_))));
        // An edit goes on upwards so soon after: a shape's redirect would not be told.
        let at = Duration::from_secs(1);
        let edited = Stage {
            length: Duration::from_secs(100),
            users: vec![9],
            rate: None,
        };
        let plan = Plan::staged(Division::Mixed, &[edited]);
        let number = progress.plan().change_at(at).stage;
        progress.restart(Arc::new(plan.resumed_at(at, &[5], number)));
        assert_eq!(told(&mut progress, 1), Some((9, Some(9))));
        assert_eq!(progress.arrive(number), None, "that was the plan before");
        assert!(!progress.is_settled(at));
        let arrived = progress.arrive(number + 1);
        assert!(matches!(arrived, Some(Some(Notice::Arrived(change))) if change.to == 9));
        assert!(progress.is_settled(at));
    }
}
