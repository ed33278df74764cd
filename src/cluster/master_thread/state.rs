//! The state of a run, kept in a file for a master that is started again.
//!
//! Owns when it is written, on a thread that may wait for the disk, and what the run gets of it. The
//! sum of all reports and the machine, which knows which those were, are taken at one moment.

use std::io;
use std::time::Duration;

use tokio::task::{spawn_blocking, spawn_local};

use super::account::Account;
use super::serving::{FromRun, Thread};
use crate::clock::{self, Micros};
use crate::cluster::master::MasterEvent;
use crate::cluster::message::{Going, SentOrder};
use crate::cluster::state_file::{Kept, Place};
use crate::script::Level;
use crate::stats::{Baseline, Limits, Report};

/// How often it is written.
const EVERY: Duration = Duration::from_secs(10);

/// How often at most, if somebody waits for it.
const AT_MOST: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct State {
    place: Place,
    account: Account,
    /// All that was counted.
    sum: Baseline,
    /// What an earlier master had counted, until the run has it.
    before: Option<Report>,
    /// How an earlier master's run stood, if no worker comes that knows it.
    going: Option<Going>,
    /// When it was written last.
    written: Option<Micros>,
    is_being_written: bool,
    /// A worker has gone since.
    is_wanted: bool,
    /// Why it could not be written the last time.
    trouble: Option<String>,
}

impl State {
    /// Of a run that begins.
    pub(super) fn new(place: Place) -> State {
        State {
            place,
            account: Account::default(),
            sum: Baseline::new(Limits::default()),
            before: None,
            going: None,
            written: None,
            is_being_written: false,
            is_wanted: false,
            trouble: None,
        }
    }

    /// Of a run that goes on, once workers have come or cannot come any longer.
    pub(super) fn resumed(place: Place, going: Going, report: Report) -> State {
        let mut state = State::new(place);
        state.sum.add(&report, 0);
        state.before = Some(report);
        state.going = Some(going);
        state
    }

    /// What the run has been told of an earlier one.
    pub(super) fn takes_over(&mut self, going: &Going) {
        self.going = None;
        self.account = Account::resumed(clock::now(), going.clone());
    }

    /// How the run stood when the last master wrote it down, as it stands now.
    pub(super) fn going(&mut self) -> Option<Going> {
        let mut going = self.going.take()?;
        let now_us = jiff::Timestamp::now().as_microsecond();
        let since_us = u64::try_from(now_us.saturating_sub(going.unix_us)).unwrap_or(0);
        let gone_us = since_us.saturating_sub(going.elapsed_us);
        going.elapsed_us += gone_us;
        going.pauses.1 = going.pauses.1.map(|paused| paused + gone_us);
        Some(going)
    }

    /// What the run does not have of what was counted.
    pub(super) fn before(&mut self) -> Option<Report> {
        self.before.take()
    }

    /// A member gets an order.
    pub(super) fn ordered(&mut self, order: &SentOrder) {
        self.account.ordered(clock::now(), order);
    }

    /// A report is counted, while there are so many users.
    pub(super) fn counted(&mut self, report: &Report, users: u32) {
        self.sum.add(report, users);
    }

    /// A worker has gone: it is written soon.
    pub(super) fn wants_writing(&mut self) {
        self.is_wanted = true;
    }

    /// The run is over; if it has ended, nothing goes on from it.
    pub(super) fn of_next_run(self, has_ended: bool) -> State {
        if has_ended {
            self.place.remove();
        }
        State::new(Place::new(self.place.path().to_owned()))
    }

    fn is_due(&self, now: Micros) -> bool {
        let every = match self.is_wanted {
            true => AT_MOST,
            false => EVERY,
        };
        !self.is_being_written && self.written.is_none_or(|written| written + every <= now)
    }
}

impl Thread {
    /// Time has passed: writes the state down, if that is due.
    pub(super) fn look_at_state(&mut self) {
        let now = clock::now();
        let is_under_way = self.running.is_some() && !self.is_waiting_for_run;
        let Some(state) = self.state.as_mut().filter(|_| is_under_way) else {
            return;
        };
        if self.master.waits_for_file() {
            state.is_wanted = true;
        }
        if !state.is_due(now) {
            return;
        }
        let Some(going) = state.account.going(now) else {
            return;
        };
        let kept = Kept {
            master: self.master.saving(now),
            going,
            missing: self.missing.clone(),
            generation: self.generation,
            report: state.sum.report(),
        };
        state.written = Some(now);
        (state.is_being_written, state.is_wanted) = (true, false);
        let (place, internal) = (state.place.clone(), self.internal.clone());
        spawn_local(async move {
            let written = spawn_blocking(move || place.write(kept)).await;
            let written = written.unwrap_or_else(|panic| Err(io::Error::other(panic)));
            // A run that is over is not told.
            let _ = internal.send(FromRun::StateWritten(written)).await;
        });
    }

    /// The disk has it, or not.
    pub(super) async fn state_written(&mut self, written: io::Result<()>) {
        let Some(state) = &mut self.state else {
            return;
        };
        state.is_being_written = false;
        let trouble = written.err().map(|error| error.to_string());
        let before = std::mem::replace(&mut state.trouble, trouble.clone());
        let path = state.place.path().display().to_string();
        match &trouble {
            Some(why) if before.as_ref() != Some(why) => self.print(
                Level::Error,
                format!(
                    "cannot write the state file `{path}`: {why}; the run goes on, workers keep \
                     their numbers until it works again, and it is tried every 10 s"
                ),
            ),
            None if before.is_some() => {
                let text = format!("the state file `{path}` is written again");
                self.print(Level::Info, text);
            }
            _ => {}
        }
        let event = match trouble {
            None => MasterEvent::Saved,
            Some(_) => MasterEvent::Unsaved,
        };
        self.on(event).await;
    }
}
