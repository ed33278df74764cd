//! What happens once, before the first user and after the last: `setup`, listeners, `teardown`.
//!
//! Owns their order, their limits and what ends them; they run beside the loop, in `control`.
//!
//! | step | ends early by | if it fails |
//! |---|---|---|
//! | `setup`, then `test_start` | Ctrl-C, once; the run time, if there is one | setup: no user starts, no teardown |
//! | `test_stopping`, `test_stop` | `--on-stop-timeout`, a second Ctrl-C | logged, counted |
//! | `teardown` | the same, counted anew | logged, counted |
//! | `quitting` | the same, counted anew | logged, counted |

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

use super::run::Run;
use super::wishes::{Refusal, Wish};
use super::{Command, End, Notice, State};
use crate::scenario::Event;
use crate::script::{Call, Outcome};

/// How often a long `setup` is spoken of.
const SPEAK_EVERY: Duration = Duration::from_secs(5);

/// The most that is remembered of what is asked for meanwhile.
const MOST_EARLY: usize = 16;

/// How long what was cancelled may take to unwind.
const UNWINDING: Duration = Duration::from_secs(1);

/// How long a call is waited for.
#[derive(Clone, Copy)]
enum Patience {
    /// Before the first user: until a person stops the run, or this moment.
    Setup(Option<Instant>),
    /// After the last: until this moment, for a person waits.
    End(Instant),
}

/// Why a call was not waited for.
enum Unanswered {
    /// A person stopped the run.
    Stopped,
    /// A person wants it to end at once, or nobody is left.
    Killed,
    /// It took too long.
    Late,
}

impl Run {
    /// Runs `setup`, then the listeners of `test_start`; false if the run shall not begin.
    pub(super) async fn set_up(&mut self) -> bool {
        let Some(control) = &self.control else {
            return true;
        };
        let hooks = &self.edition.scenario.hooks;
        self.state.send_replace(State::SettingUp);
        let mut calls = Vec::new();
        if hooks.setup {
            self.notice(Notice::SettingUp { seconds: 0 });
            calls.push((Call::Setup, control.call(Call::Setup)));
        }
        if hooks.listeners.contains(&Event::TestStart) {
            let call = Call::Listeners(Event::TestStart);
            calls.push((call, control.call(call)));
        }
        // What runs once takes nothing of the run time, but no more than that either.
        let limit = self.course.plan().end();
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        for (call, answer) in calls {
            let end = match self.answered(answer, Patience::Setup(until)).await {
                Ok(Outcome::Done(value)) => {
                    if call == Call::Setup {
                        self.shared.set_setup_result(value);
                    }
                    continue;
                }
                // A listener's is logged and counted.
                Ok(Outcome::Failed(_)) if call != Call::Setup => continue,
                Ok(Outcome::Failed(failure)) => {
                    let place = failure.location();
                    let message = format!("`setup` failed: {} ({place})", failure.message);
                    End::Failed(message)
                }
                Ok(Outcome::StopTest(why)) => End::StopTest(why),
                Err(Unanswered::Late) => {
                    let what = match call {
                        Call::Setup => "`setup`",
                        _ => "a listener of `test_start`",
                    };
                    let limit = limit.unwrap_or_default();
                    End::Failed(format!("{what} took longer than the run time of {limit:?}"))
                }
                Ok(Outcome::Cancelled) | Err(_) => End::Stopped,
            };
            self.end = Some(end.clone());
            self.state.send_replace(State::Stopping(end));
            // What was set up, if only for a listener, is taken down.
            if call == Call::Setup {
                self.close_control().await;
            } else {
                self.conclude().await;
            }
            return false;
        }
        true
    }

    /// Tells an event's listeners, without waiting for them.
    pub(super) fn tell(&mut self, event: Event) {
        if self.edition.scenario.hooks.listeners.contains(&event)
            && let Some(control) = &self.control
        {
            self.told.retain_mut(|told| told.try_recv().is_err());
            let answer = control.call(Call::Listeners(event));
            self.told.push(answer);
        }
    }

    /// After the last user: the listeners, `teardown`, and whatever is still to be counted.
    pub(super) async fn conclude(&mut self) {
        if self.control.is_some() {
            // `stats()` in them is of the whole run.
            self.show_all();
        }
        let steps: [(&'static str, Call); 3] = [
            ("test_stop", Call::Listeners(Event::TestStop)),
            ("teardown", Call::Teardown),
            ("quitting", Call::Listeners(Event::Quitting)),
        ];
        for (what, call) in steps {
            let Some(control) = &self.control else {
                return;
            };
            let mut answers = std::mem::take(&mut self.told);
            answers.push(control.call(call));
            let limit = self.edition.options.on_stop_timeout;
            let until = Instant::now() + limit;
            for answer in answers {
                match self.answered(answer, Patience::End(until)).await {
                    Err(Unanswered::Late) => {
                        let message = format!("`{what}` took longer than {limit:?} and was ended");
                        self.numbers.exception(&message, "--on-stop-timeout");
                        self.notice(Notice::Late { what, limit });
                    }
                    Err(Unanswered::Killed) => self.killed = true,
                    Ok(_) | Err(Unanswered::Stopped) => {}
                }
                if self.killed {
                    break;
                }
            }
            if self.killed {
                break;
            }
        }
        self.close_control().await;
    }

    /// What was cancelled unwinds by itself; then what it counted is here.
    async fn close_control(&mut self) {
        if let Some(control) = self.control.take() {
            let _ = timeout(UNWINDING, control.close()).await;
        }
    }

    /// What is asked for before the first user is done then; after the last one nothing is. An edition
    /// is taken at once: whoever hands it over has others to listen to than a long `setup`.
    fn keep(&mut self, wish: Wish, answer: oneshot::Sender<Result<(), Refusal>>, is_setup: bool) {
        if let (Wish::Reload(edition), true) = (&wish, is_setup) {
            self.reload.take(edition.clone());
            let _ = answer.send(Ok(()));
            return;
        }
        let refusal = match is_setup {
            true if self.early.len() < MOST_EARLY => return self.early.push((wish, answer)),
            true => Refusal::NotBegun,
            false => Refusal::Stopping,
        };
        let _ = answer.send(Err(refusal));
    }

    /// Waits for an answer; lines, batches and commands are heard meanwhile. The first Ctrl-C ends
    /// only what has no limit: a person waits for what has one.
    async fn answered(
        &mut self,
        mut answer: oneshot::Receiver<Outcome>,
        patience: Patience,
    ) -> Result<Outcome, Unanswered> {
        let (is_setup, limit) = match patience {
            Patience::Setup(limit) => (true, limit),
            Patience::End(limit) => (false, Some(limit)),
        };
        let began = Instant::now();
        let mut speaks = interval_at(began + SPEAK_EVERY, SPEAK_EVERY);
        speaks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                command = self.commands.recv() => match command {
                    Some(Command::Stop) if is_setup => return Err(Unanswered::Stopped),
                    Some(Command::Stop) => {}
                    Some(Command::Ask(wish, answer)) => self.keep(wish, answer, is_setup),
                    Some(Command::Kill) | None => return Err(Unanswered::Killed),
                },
                outcome = &mut answer => return Ok(outcome.unwrap_or(Outcome::Cancelled)),
                Some(batch) = self.batches.recv() => self.absorb(batch.thread(), batch),
                Some(line) = self.lines.recv() => self.notice(Notice::Script(line)),
                _ = speaks.tick(), if is_setup => {
                    let seconds = began.elapsed().as_secs();
                    self.notice(Notice::SettingUp { seconds });
                }
                () = until(limit), if limit.is_some() => return Err(Unanswered::Late),
            }
        }
    }
}

/// Waits until a moment, or for ever without one.
pub(super) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
