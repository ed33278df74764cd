//! What the thread of a master says: to workers, and to the log of the run.
//!
//! Owns that a connection that takes nothing is let go, with its last words.

use std::net::IpAddr;

use tokio::task::spawn_local;

use super::LAST_WORDS;
use super::serving::Thread;
use crate::clock;
use crate::cluster::hello::Conn;
use crate::cluster::message::{Answer, Counted, Down, Told};
use crate::cluster::roster::Stand;
use crate::cluster::wire;
use crate::script::{Level, Line};

impl Thread {
    pub(super) fn send(&mut self, conn: Conn, down: Down) {
        if let Down::Letter(letter) = &down
            && let Told::Answer(_, answer) = &letter.says
        {
            self.has_given(answer);
        }
        let Some(socketed) = self.conns.get_mut(&conn) else {
            return;
        };
        if let Down::Letter(letter) = &down
            && let Told::Farewell { is_wanted_again } = letter.says
        {
            self.invited += usize::from(is_wanted_again);
        }
        if matches!(down, Down::Welcome(_)) {
            socketed.is_in = true;
            socketed.opened.watch.admit();
        }
        let from = socketed.opened.from;
        let refused = match &down {
            Down::Refused(why) => Some(why.to_string()),
            _ => None,
        };
        let is_used_up = matches!(
            &down,
            Down::Letter(letter)
                if matches!(letter.says, Told::Answer(_, Answer::UsedUp(Counted::Iterations)))
        );
        let sent = match &socketed.down {
            Some(to) => to.try_send(Ok(wire::down(down))).is_ok(),
            None => false,
        };
        if !sent {
            // It takes nothing: the connection is of no use, and what was said is said again on
            // another one.
            self.shut(conn);
        }
        if let Some(why) = refused {
            self.say_stranger(from, &why);
        }
        if is_used_up && let Some(running) = &self.running {
            // Handed out by the machine, and so none of the run's own any more.
            let _ = running.gate.iterations(u64::MAX);
        }
    }

    pub(super) fn shut(&mut self, conn: Conn) {
        let Some(mut socketed) = self.conns.remove(&conn) else {
            return;
        };
        // The streams end once all that was said has left.
        socketed.down = None;
        socketed.applied = None;
        spawn_local(async move {
            tokio::time::sleep(LAST_WORDS).await;
            let _ = socketed.opened.socket.shutdown(std::net::Shutdown::Both);
        });
    }

    pub(super) fn say_stand(&self, worker: u32, stand: Stand) {
        let (level, what) = match stand {
            Stand::Present => (Level::Info, "is heard again"),
            Stand::Late => (Level::Info, "is late: no sign of it for 3 s"),
            Stand::Missing => (Level::Warn, "is missing: no sign of it for 5 s"),
            Stand::Moved if self.running.is_none() => (Level::Warn, "is gone"),
            Stand::Moved => (Level::Warn, "is gone: its users move to the others"),
            Stand::Lost => (Level::Error, "is lost: no sign of it for a minute"),
        };
        self.print(level, format!("{} {what}", self.name_of(worker)));
    }

    /// A connection from there was of no use.
    pub(super) fn say_stranger(&mut self, from: IpAddr, what: &str) {
        let text = format!("a connection from {from} was closed: {what}");
        if let Some(line) = self.strangers.line(clock::now(), &text) {
            self.print(Level::Warn, line);
        }
    }

    pub(super) fn print(&self, level: Level, text: String) {
        let Some(running) = &self.running else {
            let _ = self.says.try_send((level, text));
            return;
        };
        running.gate.print(Line {
            level,
            who: String::new(),
            place: String::new(),
            text,
            dropped: 0,
        });
    }
}
