//! Switching a run to an edited script: a transaction over all members.
//!
//! Owns the steps and their notices, but carries out nothing: events go in, steps come out. A load
//! thread's part is in `takeover`.
//!
//! | step | ends when | if a member fails |
//! |---|---|---|
//! | waiting | no user is in the generation before the current one | |
//! | opening | control has compiled its part of the script | the edition is abandoned |
//! | preparing | each member has compiled its generation | all drop it |
//! | adopting | each member has put it into service and counted the users behind | |
//!
//! A later edition replaces one that is waiting. Members that join meanwhile catch up afterwards;
//! members that leave are not waited for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::fleet::MemberId;
use super::load_thread::Preparation;
use super::shape::LiveShape;
use super::{Edition, Notice, Unable};
use crate::load::{Division, Plan};

/// How long an edition waits before a notice says so: most iterations end sooner.
const TELL_AFTER: Duration = Duration::from_secs(1);

/// What to do next.
#[derive(Debug)]
pub(crate) enum ReloadStep {
    /// Compile the edition's part for control, and report whether that worked.
    Open(Arc<Edition>),
    /// Have these members compile it.
    Prepare(BTreeSet<MemberId>, Preparation),
    /// Have all members put it into service.
    Adopt(Adopted),
    /// Have all members drop what they compiled.
    Discard,
    Tell(Notice),
}

/// An edition about to go into service.
#[derive(Debug)]
pub(crate) struct Adopted {
    pub(crate) edition: Arc<Edition>,
    pub(crate) number: u16,
    /// What the script's author should know.
    pub(crate) remarks: Vec<String>,
}

/// The state of a run's reloads.
#[derive(Debug, Default)]
pub(crate) struct Reload {
    /// Generations before the current one.
    replaced: u16,
    /// How many editions members have been asked to compile.
    asked: u32,
    /// The next edition, and since when it has been waiting.
    waiting: Option<(Arc<Edition>, Instant)>,
    was_told: bool,
    under_way: Option<UnderWay>,
    /// Members that have not confirmed that the last one is in service; until they do, the number
    /// of users behind is unknown.
    adopting: BTreeSet<MemberId>,
}

/// An edition on its way into service.
#[derive(Debug)]
struct UnderWay {
    edition: Arc<Edition>,
    /// Members that are still compiling; `None` before they have been asked to.
    preparing: Option<BTreeSet<MemberId>>,
    remarks: Vec<String>,
}

impl Reload {
    /// For a run that goes on under another master, with the generation of this number.
    pub(crate) fn resumed(number: u16) -> Reload {
        Reload {
            replaced: number.saturating_sub(1),
            ..Reload::default()
        }
    }

    /// The number of the generation in service.
    pub(crate) fn number(&self) -> u16 {
        self.replaced + 1
    }

    /// Whether members are at different generations.
    pub(crate) fn is_under_way(&self) -> bool {
        self.under_way.is_some() || !self.adopting.is_empty()
    }

    /// When to [look](Reload::look) again even if nothing has happened.
    pub(crate) fn due_at(&self) -> Option<Instant> {
        let (_, since) = self.waiting.as_ref()?;
        (!self.was_told && !self.is_under_way()).then(|| *since + TELL_AFTER)
    }

    /// Takes an edition; it replaces one that is still waiting.
    pub(crate) fn take(&mut self, edition: Arc<Edition>, now: Instant) {
        self.waiting = Some((edition, now));
        // After another save, say again that an edition is waiting.
        self.was_told = false;
    }

    /// Begins with the waiting edition once no users are `behind`.
    pub(crate) fn look(&mut self, behind: u32, now: Instant) -> Option<ReloadStep> {
        if self.is_under_way() {
            return None;
        }
        let (edition, since) = self.waiting.as_ref()?;
        if behind > 0 {
            let is_told = !self.was_told && now.duration_since(*since) >= TELL_AFTER;
            self.was_told |= is_told;
            return is_told.then_some(ReloadStep::Tell(Notice::ReloadWaits { users: behind }));
        }
        let edition = edition.clone();
        self.waiting = None;
        self.under_way = Some(UnderWay {
            edition: edition.clone(),
            preparing: None,
            remarks: Vec::new(),
        });
        Some(ReloadStep::Open(edition))
    }

    /// Control has compiled its part; these are the members.
    pub(crate) fn opened(&mut self, members: BTreeSet<MemberId>) -> Vec<ReloadStep> {
        let Some(under_way) = &mut self.under_way else {
            return Vec::new();
        };
        let Some(number) = self.replaced.checked_add(2) else {
            let most = "65,535 generations of a script are all that a run can have";
            return self.abandon(Unable::Limit(most.to_owned()));
        };
        under_way.preparing = Some(members.clone());
        self.asked += 1;
        let preparation = Preparation {
            ticket: self.asked,
            edition: under_way.edition.clone(),
            number,
        };
        vec![ReloadStep::Prepare(members, preparation)]
    }

    /// A member has compiled its generation, or failed to.
    pub(crate) fn prepared(
        &mut self,
        id: MemberId,
        ticket: u32,
        result: Result<Vec<String>, Unable>,
    ) -> Vec<ReloadStep> {
        if ticket != self.asked {
            // For an edition that was abandoned.
            return Vec::new();
        }
        match result {
            Ok(remarks) => {
                if let Some(under_way) = &mut self.under_way {
                    under_way.remarks = remarks;
                }
                self.no_longer_prepares(id)
            }
            Err(why) => self.abandon(why),
        }
    }

    fn no_longer_prepares(&mut self, id: MemberId) -> Vec<ReloadStep> {
        let under_way = self.under_way.as_mut();
        let preparing = under_way.and_then(|under_way| under_way.preparing.as_mut());
        let is_last = preparing.is_some_and(|members| members.remove(&id) && members.is_empty());
        let Some(done) = self.under_way.take_if(|_| is_last) else {
            return Vec::new();
        };
        vec![ReloadStep::Adopt(Adopted {
            edition: done.edition,
            number: self.replaced + 2,
            remarks: done.remarks,
        })]
    }

    /// Abandons an edition; the generation in service stays.
    pub(crate) fn abandon(&mut self, why: Unable) -> Vec<ReloadStep> {
        match self.under_way.take() {
            Some(_) => vec![
                ReloadStep::Discard,
                ReloadStep::Tell(Notice::NotReloaded(why)),
            ],
            None => Vec::new(),
        }
    }

    /// The edition is in service on control, and these members have the order to adopt it.
    pub(crate) fn in_service(&mut self, members: BTreeSet<MemberId>) {
        self.replaced += 1;
        self.adopting = members;
    }

    /// A member has put what it prepared into service.
    pub(crate) fn adopted(&mut self, id: MemberId) {
        self.adopting.remove(&id);
    }

    /// A member has left, so nothing waits for it any longer.
    pub(crate) fn left(&mut self, id: MemberId) -> Vec<ReloadStep> {
        self.adopting.remove(&id);
        self.no_longer_prepares(id)
    }
}

/// The plan to follow under `edition`, for a run that has followed `plan` under the edition
/// `before` until `elapsed`. `None` to keep `plan`, because both editions ask for the same users.
/// `counted` is what the numbers of the edition's shape count, if a closure gives them.
pub(super) fn plan_after(
    plan: &Plan,
    before: &Edition,
    edition: &Edition,
    counted: Option<Division>,
    elapsed: Duration,
) -> Option<Arc<Plan>> {
    let (planned, after) = (&before.options.plan, &edition.options.plan);
    let is_scripted = LiveShape::is_in(edition);
    let are_tracks_the_same = match (plan.division(), counted) {
        (Division::Mixed, None | Some(Division::Mixed)) => true,
        (Division::PerClass(_), None | Some(Division::PerClass(_))) => {
            edition.names().eq(before.names())
        }
        _ => false,
    };
    let is_shape_the_same = planned == after && LiveShape::is_in(before) == is_scripted;
    if is_shape_the_same && are_tracks_the_same {
        return None;
    }
    // A shape's closure will decide; until then the numbers stay.
    let division = match (is_scripted, counted.unwrap_or(plan.division())) {
        (true, Division::PerClass(_)) => Division::PerClass(edition.scenario.classes.len()),
        (true, Division::Mixed) => Division::Mixed,
        (false, _) => after.division(),
    };
    // The users there are now, by track of the new plan.
    let from: Vec<u32> = match (plan.division(), division) {
        (Division::Mixed, Division::Mixed) => vec![plan.users_of(0, elapsed)],
        (Division::PerClass(_), Division::PerClass(_)) => {
            let of = |name| {
                let track = before.names().position(|known| known == name);
                track.map_or(0, |track| plan.users_of(track, elapsed))
            };
            edition.names().map(of).collect()
        }
        // The numbers count something else, so all users make way for new ones.
        (_, division) => vec![0; division.tracks()],
    };
    let number = plan.change_at(elapsed).stage;
    Some(Arc::new(match is_scripted {
        true => Plan::held_at(division, elapsed, &from, number).limited_to(after.end()),
        false => after.resumed_at(elapsed, &from, number),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: MemberId = MemberId(1);
    const TWO: MemberId = MemberId(2);

    fn both() -> BTreeSet<MemberId> {
        BTreeSet::from([ONE, TWO])
    }

    /// What a step is about, in short.
    fn short(steps: impl IntoIterator<Item = ReloadStep>) -> Vec<String> {
        let short = |step| match step {
            ReloadStep::Open(edition) => format!("open {}", name(&edition)),
            ReloadStep::Prepare(
                members,
                Preparation {
                    edition, number, ..
                },
            ) => {
                format!(
                    "prepare {} as {number} on {}",
                    name(&edition),
                    members.len()
                )
            }
            ReloadStep::Adopt(Adopted {
                edition,
                number,
                remarks,
            }) => format!("adopt {} as {number}: {remarks:?}", name(&edition)),
            ReloadStep::Discard => "discard".to_owned(),
            ReloadStep::Tell(notice) => format!("{notice:?}"),
        };
        steps.into_iter().map(short).collect()
    }

    fn name(edition: &Edition) -> &str {
        &edition.bundle.files()[0].text
    }

    /// A reload of `script` that both members are to adopt.
    fn adopting(reload: &mut Reload, script: &str, now: Instant) {
        reload.take(Edition::unchecked(script), now);
        assert_eq!(short(reload.look(0, now)), [format!("open {script}")]);
        assert_eq!(short(reload.opened(both())).len(), 1);
        assert_eq!(
            short(reload.prepared(ONE, reload.asked, Ok(Vec::new()))),
            [""; 0]
        );
        let adopt = short(reload.prepared(TWO, reload.asked, Ok(Vec::new())));
        assert!(
            adopt[0].starts_with(&format!("adopt {script}")),
            "{adopt:?}"
        );
        reload.in_service(both());
    }

    #[test]
    fn all_members_prepare_and_then_all_adopt() {
        let now = Instant::now();
        let mut reload = Reload::default();
        reload.take(Edition::unchecked("a"), now);
        assert_eq!(short(reload.look(0, now)), ["open a"]);
        assert_eq!(short(reload.opened(both())), ["prepare a as 2 on 2"]);
        assert_eq!(
            short(reload.prepared(TWO, reload.asked, Ok(Vec::new()))),
            [""; 0]
        );
        // The same member once more is no other member.
        assert_eq!(
            short(reload.prepared(TWO, reload.asked, Ok(Vec::new()))),
            [""; 0]
        );
        let remarks = vec!["new".to_owned()];
        let adopt = short(reload.prepared(ONE, 1, Ok(remarks)));
        assert_eq!(adopt, ["adopt a as 2: [\"new\"]"]);
        assert_eq!(reload.number(), 1);
        reload.in_service(both());
        assert_eq!(reload.number(), 2);
    }

    #[test]
    fn the_latest_edition_waits_until_nobody_is_behind() {
        let now = Instant::now();
        let mut reload = Reload::default();
        adopting(&mut reload, "a", now);
        reload.take(Edition::unchecked("b"), now);
        reload.take(Edition::unchecked("c"), now);
        // While members are still putting the last one into service, the number behind is unknown.
        assert!(reload.look(0, now).is_none());
        assert_eq!(reload.due_at(), None);
        reload.adopted(ONE);
        assert!(reload.look(0, now).is_none());
        reload.adopted(TWO);
        assert!(reload.look(3, now).is_none());
        let due = reload.due_at().unwrap();
        assert_eq!(due, now + TELL_AFTER);
        assert_eq!(short(reload.look(3, due)), ["ReloadWaits { users: 3 }"]);
        assert_eq!(reload.due_at(), None, "it has been told");
        // Another save waits too, with a notice.
        reload.take(Edition::unchecked("d"), due);
        assert!(reload.look(2, due).is_none());
        let due = reload.due_at().unwrap();
        assert_eq!(short(reload.look(2, due)), ["ReloadWaits { users: 2 }"]);
        assert_eq!(short(reload.look(0, due)), ["open d"]);
    }

    #[test]
    fn if_one_cannot_nothing_changes() {
        let now = Instant::now();
        let mut reload = Reload::default();
        reload.take(Edition::unchecked("a"), now);
        reload.look(0, now);
        reload.opened(both());
        reload.take(Edition::unchecked("b"), now);
        let given_up = short(reload.prepared(ONE, 1, Err(Unable::Script("no".to_owned()))));
        assert_eq!(given_up, ["discard", "NotReloaded(Script(\"no\"))"]);
        assert_eq!(reload.number(), 1);
        assert_eq!(short(reload.look(0, now)), ["open b"]);
        assert_eq!(short(reload.opened(BTreeSet::from([TWO]))).len(), 1);
        // It had been told to prepare the one before, and says so late.
        assert_eq!(short(reload.prepared(TWO, 1, Ok(Vec::new()))), [""; 0]);
        let not_opened = short(reload.abandon(Unable::Panicked));
        assert_eq!(not_opened, ["discard", "NotReloaded(Panicked)"]);
        assert!(!reload.is_under_way());
    }

    #[test]
    fn who_leaves_is_not_waited_for() {
        let now = Instant::now();
        let mut reload = Reload::default();
        reload.take(Edition::unchecked("a"), now);
        reload.look(0, now);
        reload.opened(both());
        assert_eq!(
            short(reload.prepared(ONE, reload.asked, Ok(Vec::new()))),
            [""; 0]
        );
        assert_eq!(short(reload.left(TWO)), ["adopt a as 2: []"]);
        reload.in_service(both());
        reload.adopted(ONE);
        assert!(reload.is_under_way());
        assert_eq!(short(reload.left(TWO)), [""; 0]);
        assert!(!reload.is_under_way());
    }

    #[test]
    fn a_run_has_65_535_generations_at_most() {
        let now = Instant::now();
        let mut reload = Reload {
            replaced: u16::MAX - 1,
            ..Reload::default()
        };
        reload.take(Edition::unchecked("a"), now);
        reload.look(0, now);
        let given_up = short(reload.opened(both()));
        assert_eq!(given_up.len(), 2, "{given_up:?}");
        assert!(given_up[1].contains("65,535"));
    }
}
