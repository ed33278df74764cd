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

    /// How the users stand; the most at once is counted from now on.
    pub(super) fn levels(&self) -> Levels {
        let users = self.users.get();
        let nobody_will_come = self.settled.get() || self.is_used_up();
        Levels {
            users,
            peak: self.peak.replace(users),
            behind: self.thread.behind(),
            stage: self.arrived.get(),
            is_idle: nobody_will_come && self.alive.borrow().is_empty(),
        }
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
