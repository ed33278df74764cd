//! What a load thread says to control.
//!
//! Owns when it is said and that nothing is lost that control waits for. What follows from it is
//! control's decision.

use std::rc::Rc;

use tokio::sync::mpsc::error::TrySendError;
use tokio::task::spawn_local;

use super::Unable;
use super::crew::Crew;
use super::fleet::Levels;
use super::load_thread::News;

impl Crew {
    /// Says how the users stand. If it is lost for want of room, that is made good in a tenth of a
    /// second.
    pub(super) fn report(&self) {
        if let Ok(permit) = self.news.try_reserve() {
            permit.send((self.index, News::Levels(self.levels())));
        }
    }

    /// Says how the users stand, each tenth of a second; the most at once is counted from now on.
    pub(super) fn report_regularly(&self) {
        self.report();
        self.peak.set(self.users.get());
    }

    /// Whether all users have ended by themselves, and as the plan is no more will start.
    pub(super) fn is_idle(&self) -> bool {
        let nobody_will_come = self.settled.get() || self.is_used_up();
        nobody_will_come && self.alive.borrow().is_empty()
    }

    /// How the users stand.
    pub(super) fn levels(&self) -> Levels {
        Levels {
            users: self.users.get(),
            peak: self.peak.get(),
            behind: self.thread.behind(),
            stage: self.arrived.get(),
            is_idle: self.is_idle(),
        }
    }

    /// Says that an assignment has been carried out. Who goes by it is not there at once with those
    /// who come for it elsewhere.
    pub(super) fn report_assigned(&self, number: u16) {
        self.peak.set(self.users.get());
        self.tell_for_sure(News::Assigned(number, self.levels()));
    }

    /// An edition may wait for that.
    pub(super) async fn report_when_nobody_is_behind(self: Rc<Self>) {
        loop {
            self.thread.nobody_behind().await;
            self.report();
        }
    }

    /// What control waits for may not be lost for want of room.
    pub(super) fn tell_for_sure(&self, news: News) {
        if let Err(TrySendError::Full(news)) = self.news.try_send((self.index, news)) {
            let to = self.news.clone();
            spawn_local(async move { to.send(news).await });
        }
    }
}

/// Ends the run if what it watches over panics: tokio keeps a task's panic to itself, and users
/// would be missing from a run that looks well.
pub(super) struct Alarm<'a>(pub(super) &'a Crew);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self
                .0
                .news
                .try_send((self.0.index, News::Failed(Unable::Panicked)));
        }
    }
}
