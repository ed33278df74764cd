//! What runs once, before the first user and after the last: `setup`, listeners, `teardown`.
//!
//! Owns their order, their limits and what ends them, but runs nothing: events go in, steps come
//! out. The functions themselves run beside the loop, in `control`.
//!
//! | phase | calls | ends early by | if one fails |
//! |---|---|---|---|
//! | setting up | `setup`, `test_start` | Ctrl-C, once; the run time, if there is one | setup: no user starts, no teardown |
//! | measuring | what events have listeners | | logged, counted |
//! | tearing down | `test_stop`, `teardown`, `quitting` | `--on-stop-timeout` for each; a second Ctrl-C | logged, counted |

use std::time::Duration;

use tokio::time::Instant;

use super::End;
use crate::data::Value;
use crate::scenario::{Event, Hooks as Declared};
use crate::script::{Call, Outcome};

/// How often to remind of a long `setup`.
const SPEAK_EVERY: Duration = Duration::from_secs(5);

/// What is called after the last user, with the name to show.
const TEARING_DOWN: [(&str, Call); 3] = [
    ("test_stop", Call::Listeners(Event::TestStop)),
    ("teardown", Call::Teardown),
    ("quitting", Call::Listeners(Event::Quitting)),
];

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum HookStep {
    Call(Call),
    /// Stop waiting for any call.
    CancelCalls,
    /// `setup`, or what follows it, is still running.
    SpeakOf {
        seconds: u64,
    },
    /// What `setup` returned.
    Keep(Value),
    /// Start the first users.
    Begin,
    /// End the run for this reason before any user starts.
    NeverBegin(End),
    /// These exceeded their limit and were ended.
    Late {
        what: &'static str,
        limit: Duration,
    },
    /// Everything is done.
    Close,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    SettingUp,
    /// From the first user to the last.
    Measuring,
    TearingDown,
    Over,
}

/// The state of the functions that run once.
#[derive(Debug)]
pub(super) struct Hooks {
    phase: Phase,
    /// The call in progress.
    waits: Option<Waits>,
    /// The limit for calls in this phase: the run time, or `--on-stop-timeout`.
    limit: Option<Duration>,
    has_listeners_of_start: bool,
    /// How many of [`TEARING_DOWN`] have been called.
    called: usize,
}

#[derive(Clone, Copy, Debug)]
struct Waits {
    call: Call,
    since: Instant,
    until: Option<Instant>,
    speak_at: Option<Instant>,
}

impl Hooks {
    pub(super) fn new() -> Hooks {
        Hooks {
            phase: Phase::SettingUp,
            waits: None,
            limit: None,
            has_listeners_of_start: false,
            called: 0,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// When to call [`Hooks::due`].
    pub(super) fn due_at(&self) -> Option<Instant> {
        let waits = self.waits?;
        [waits.until, waits.speak_at].into_iter().flatten().min()
    }

    /// The run is another's until now, whose users have begun.
    pub(super) fn go_on(&mut self) {
        self.phase = Phase::Measuring;
    }

    /// The run is ready. `setup` does not count towards the run time, but may take no longer than
    /// it.
    pub(super) fn set_up(
        &mut self,
        declared: &Declared,
        run_time: Option<Duration>,
        now: Instant,
    ) -> Vec<HookStep> {
        self.limit = run_time;
        self.has_listeners_of_start = declared.listeners.contains(&Event::TestStart);
        if declared.setup {
            let mut steps = vec![HookStep::SpeakOf { seconds: 0 }];
            steps.extend(self.call(Call::Setup, now));
            return steps;
        }
        self.start_listeners(now)
    }

    /// What follows `setup`.
    fn start_listeners(&mut self, now: Instant) -> Vec<HookStep> {
        if std::mem::take(&mut self.has_listeners_of_start) {
            return self.call(Call::Listeners(Event::TestStart), now);
        }
        self.waits = None;
        self.phase = Phase::Measuring;
        vec![HookStep::Begin]
    }

    fn call(&mut self, call: Call, now: Instant) -> Vec<HookStep> {
        let is_setup = self.phase == Phase::SettingUp;
        // `setup` and `test_start` share one limit.
        let until = match self.waits {
            Some(waits) if is_setup => waits.until,
            _ => self.limit.and_then(|limit| now.checked_add(limit)),
        };
        self.waits = Some(Waits {
            call,
            since: now,
            until,
            speak_at: is_setup.then(|| now + SPEAK_EVERY),
        });
        vec![HookStep::Call(call)]
    }

    /// A call has ended. Nothing follows from calls that are not waited for.
    pub(super) fn answered(&mut self, call: Call, outcome: Outcome, now: Instant) -> Vec<HookStep> {
        if self.waits.is_none_or(|waits| waits.call != call) {
            return Vec::new();
        }
        if self.phase == Phase::TearingDown {
            return self.tear_on(now);
        }
        match outcome {
            Outcome::Done(value) if call == Call::Setup => {
                let mut steps = vec![HookStep::Keep(value)];
                steps.extend(self.start_listeners(now));
                steps
            }
            Outcome::Failed(failure) if call == Call::Setup => {
                let place = failure.location();
                let message = format!("`setup` failed: {} ({place})", failure.message);
                self.never_begin(End::Failed(message), now)
            }
            // A listener's failure is logged and counted.
            Outcome::Done(_) | Outcome::Failed(_) => self.start_listeners(now),
            Outcome::StopTest(why) => self.never_begin(End::StopTest(why), now),
            Outcome::Cancelled => self.never_begin(End::Stopped, now),
        }
    }

    /// The run is to stop. After the last user, calls still have until their limit.
    pub(super) fn stopped(&mut self, why: End, now: Instant) -> Vec<HookStep> {
        match self.phase {
            Phase::SettingUp => self.never_begin(why, now),
            Phase::Measuring | Phase::TearingDown | Phase::Over => Vec::new(),
        }
    }

    /// The run is to end at once.
    pub(super) fn killed(&mut self) -> Vec<HookStep> {
        match self.phase {
            Phase::SettingUp => {
                let mut steps = vec![HookStep::NeverBegin(End::Stopped)];
                steps.extend(self.close());
                steps
            }
            Phase::TearingDown => self.close(),
            Phase::Measuring | Phase::Over => Vec::new(),
        }
    }

    /// The moment of [`Hooks::due_at`] has come.
    pub(super) fn due(&mut self, now: Instant) -> Vec<HookStep> {
        let Some(waits) = &mut self.waits else {
            return Vec::new();
        };
        if waits.until.is_some_and(|until| until <= now) {
            return self.late(now);
        }
        match waits.speak_at {
            Some(at) if at <= now => {
                let seconds = now.duration_since(waits.since).as_secs();
                waits.speak_at = Some(at.max(now - SPEAK_EVERY) + SPEAK_EVERY);
                vec![HookStep::SpeakOf { seconds }]
            }
            _ => Vec::new(),
        }
    }

    fn late(&mut self, now: Instant) -> Vec<HookStep> {
        let limit = self.limit.unwrap_or_default();
        if self.phase == Phase::SettingUp {
            let what = match self.waits.map(|waits| waits.call) {
                Some(Call::Setup) => "`setup`",
                _ => "a listener of `test_start`",
            };
            let message = format!("{what} took longer than the run time of {limit:?}");
            return self.never_begin(End::Failed(message), now);
        }
        let (what, _) = TEARING_DOWN[self.called - 1];
        let mut steps = vec![HookStep::CancelCalls, HookStep::Late { what, limit }];
        steps.extend(self.tear_on(now));
        steps
    }

    /// What was set up, if only for a listener, is taken down; what `setup` began is not.
    fn never_begin(&mut self, why: End, now: Instant) -> Vec<HookStep> {
        let is_set_up = self.waits.is_some_and(|waits| waits.call != Call::Setup);
        let mut steps = vec![HookStep::CancelCalls, HookStep::NeverBegin(why)];
        if is_set_up {
            self.phase = Phase::TearingDown;
            steps.extend(self.tear_on(now));
        } else {
            steps.extend(self.close());
        }
        steps
    }

    /// The last user has ended; each call gets `limit` from when it is its turn. Without functions
    /// on control there is nothing to call.
    pub(super) fn tear_down(
        &mut self,
        has_control: bool,
        limit: Duration,
        now: Instant,
    ) -> Vec<HookStep> {
        self.phase = Phase::TearingDown;
        self.limit = Some(limit);
        match has_control {
            true => self.tear_on(now),
            false => self.close(),
        }
    }

    fn tear_on(&mut self, now: Instant) -> Vec<HookStep> {
        let Some((_, call)) = TEARING_DOWN.get(self.called) else {
            return self.close();
        };
        self.called += 1;
        self.call(*call, now)
    }

    fn close(&mut self) -> Vec<HookStep> {
        self.phase = Phase::Over;
        self.waits = None;
        vec![HookStep::CancelCalls, HookStep::Close]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const START: Call = Call::Listeners(Event::TestStart);
    const STOP: Call = Call::Listeners(Event::TestStop);
    const QUITTING: Call = Call::Listeners(Event::Quitting);

    /// What can happen, in the words of the tables below.
    enum Happens {
        Done(Call),
        StopTest(Call),
        Stop,
        Kill,
        /// So many seconds have gone by, and the next timer is due.
        Due(u32),
        LastUserEnds,
    }
    use Happens::{Done, Due, Kill, LastUserEnds, Stop, StopTest};

    /// The steps that follow each.
    fn steps(setup: bool, test_start: bool, happens: &[Happens]) -> Vec<Vec<HookStep>> {
        let mut now = Instant::now();
        let declared = Declared {
            setup,
            listeners: test_start.then_some(Event::TestStart).into_iter().collect(),
            ..Declared::default()
        };
        let mut hooks = Hooks::new();
        let mut all = vec![hooks.set_up(&declared, Some(12 * SECOND), now)];
        for one in happens {
            let steps = match one {
                Done(call) => hooks.answered(*call, Outcome::Done(Value::Int(7)), now),
                StopTest(call) => {
                    hooks.answered(*call, Outcome::StopTest("enough".to_owned()), now)
                }
                Stop => hooks.stopped(End::Stopped, now),
                Kill => hooks.killed(),
                Due(seconds) => {
                    now += *seconds * SECOND;
                    assert!(hooks.due_at().is_some_and(|at| at <= now), "{hooks:?}");
                    hooks.due(now)
                }
                LastUserEnds => hooks.tear_down(true, 2 * SECOND, now),
            };
            all.push(steps);
        }
        all
    }

    #[test]
    fn everything_has_its_turn() {
        let happens = [
            Done(Call::Setup),
            Done(START),
            // A listener that is not waited for.
            Done(Call::Listeners(Event::SpawningComplete)),
            LastUserEnds,
            // One that was called while users ran.
            Done(Call::Listeners(Event::TestStopping)),
            Done(STOP),
            Done(Call::Teardown),
            Done(QUITTING),
        ];
        let expected = vec![
            vec![
                HookStep::SpeakOf { seconds: 0 },
                HookStep::Call(Call::Setup),
            ],
            vec![HookStep::Keep(Value::Int(7)), HookStep::Call(START)],
            vec![HookStep::Begin],
            vec![],
            vec![HookStep::Call(STOP)],
            vec![],
            vec![HookStep::Call(Call::Teardown)],
            vec![HookStep::Call(QUITTING)],
            vec![HookStep::CancelCalls, HookStep::Close],
        ];
        assert_eq!(steps(true, true, &happens), expected);
        assert_eq!(steps(false, false, &[]), [[HookStep::Begin]]);
    }

    #[test]
    fn what_is_set_up_is_torn_down_and_what_is_not_is_not() {
        let never = |why: End| [HookStep::CancelCalls, HookStep::NeverBegin(why)];
        let closed = [HookStep::CancelCalls, HookStep::Close];
        let all = steps(true, false, &[Stop]);
        assert_eq!(all[1], [never(End::Stopped), closed.clone()].concat());
        let all = steps(true, true, &[Done(Call::Setup), Stop, Done(STOP)]);
        let torn = [never(End::Stopped).as_slice(), &[HookStep::Call(STOP)]].concat();
        assert_eq!(all[2..], [torn, vec![HookStep::Call(Call::Teardown)]]);
        let all = steps(false, true, &[StopTest(START), Kill]);
        let why = End::StopTest("enough".to_owned());
        assert_eq!(
            all[1],
            [never(why).as_slice(), &[HookStep::Call(STOP)]].concat()
        );
        assert_eq!(all[2], closed);
        let all = steps(true, true, &[Done(Call::Setup), Kill]);
        assert_eq!(
            all[2],
            [&[HookStep::NeverBegin(End::Stopped)], closed.as_slice()].concat()
        );
    }

    #[test]
    fn a_long_setup_is_spoken_of_and_ends_with_the_run_time() {
        let all = steps(true, false, &[Due(5), Due(6), Due(1)]);
        assert_eq!(all[1], [HookStep::SpeakOf { seconds: 5 }]);
        assert_eq!(all[2], [HookStep::SpeakOf { seconds: 11 }]);
        let message = "`setup` took longer than the run time of 12s".to_owned();
        assert_eq!(all[3][1], HookStep::NeverBegin(End::Failed(message)));
        // The listeners of `test_start` have what `setup` left of it.
        let all = steps(true, true, &[Due(11), Done(Call::Setup), Due(1)]);
        let message = "a listener of `test_start` took longer than the run time of 12s".to_owned();
        assert_eq!(all[3][1], HookStep::NeverBegin(End::Failed(message)));
    }

    #[test]
    fn after_the_last_user_each_has_its_own_limit() {
        let late = |what, next| {
            let limit = 2 * SECOND;
            vec![HookStep::CancelCalls, HookStep::Late { what, limit }, next]
        };
        // An interrupt ends nothing that has a limit.
        let all = steps(false, false, &[LastUserEnds, Stop, Due(2), Due(2)]);
        assert_eq!(all[2], []);
        assert_eq!(all[3], late("test_stop", HookStep::Call(Call::Teardown)));
        assert_eq!(all[4], late("teardown", HookStep::Call(QUITTING)));
    }
}
