//! What users of a worker ask of what exists once for the whole run.
//!
//! Owns passing it on to the machine, and answers back; and that all of it is said before the end of
//! the users is.

use std::sync::Arc;
use std::time::Duration;

use super::Process;
use crate::clock::{self, Micros};
use crate::cluster::asking::FromUser;
use crate::cluster::message::{Answer, Counted, News, Said};
use crate::cluster::worker::WorkerEvent;
use crate::stats::Report;

/// How long answers may hold up the end of users: what they bring goes back before it.
const ANSWERS: Duration = Duration::from_secs(1);

impl Process {
    pub(super) fn users_say(&mut self, what: FromUser) {
        let says = self.askers.says(what);
        self.say_all(says);
    }

    fn say_all(&mut self, says: Vec<Said>) {
        for event in says.into_iter().filter_map(event) {
            self.on(event);
        }
    }

    /// Hands over an answer; returns what follows if nobody wants it.
    pub(super) fn answer(&mut self, number: u64, answer: Answer) -> Vec<WorkerEvent<Arc<Report>>> {
        let iterations = match answer {
            Answer::Range(Counted::Iterations, ref range) => Some(range.end - range.start),
            Answer::UsedUp(Counted::Iterations) => Some(0),
            _ => None,
        };
        let Some(iterations) = iterations else {
            let says = self.askers.answered(number, answer);
            return says.into_iter().filter_map(event).collect();
        };
        match (&*self.load.borrow(), answer) {
            (Some(load), _) => load.give(iterations),
            (None, Answer::Range(of, range)) => return vec![WorkerEvent::Returned(of, range)],
            (None, _) => {}
        }
        Vec::new()
    }

    /// All users have ended. What they asked for and have not used is given back first, and what
    /// they wrote is sent.
    pub(super) fn load_ended(&mut self, news: News) {
        let says = self.askers.ended();
        self.say_all(says);
        let now = clock::now();
        self.ended = Some((news, now + ANSWERS));
        self.look_at_end(now);
    }

    pub(super) fn look_at_end(&mut self, now: Micros) {
        let [_, _, questions] = self.machine.held();
        let ended = self
            .ended
            .take_if(|(_, until)| questions == 0 || *until <= now);
        if let Some((news, _)) = ended {
            self.on(WorkerEvent::News(news));
        }
    }
}

/// As the machine of a worker is told it.
fn event(said: Said) -> Option<WorkerEvent<Arc<Report>>> {
    Some(match said {
        Said::Ask(number, ask) => WorkerEvent::Ask(number, ask),
        Said::Cancel(number) => WorkerEvent::Cancel(number),
        Said::Back(queue, value) => WorkerEvent::Back(queue, value),
        Said::Returned(of, range) => WorkerEvent::Returned(of, range),
        Said::Passed(name, turn) => WorkerEvent::Passed(name, turn),
        Said::Idle | Said::News(..) | Said::Leaving | Said::Finished(_) | Said::Unable(_) => {
            return None;
        }
    })
}
