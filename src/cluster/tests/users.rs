//! What workers of the world do: their machine's actions, and their users' lives.
//!
//! Owns iterations: when one begins, what it asks for, and what it records.

use super::load::Done;
use super::net::{Message, SECOND, Way};
use super::world::{Event, World};
use crate::clock::Micros;
use crate::cluster::message::Up;
use crate::cluster::message::{Answer, Ask, Counted, Sums};
use crate::cluster::worker::{WorkerAction, WorkerEvent};
use crate::data::Value;

use super::net::Count;

/// Names of values made once.
const NAMES: [&str; 3] = ["a", "b", "c"];

impl World {
    pub(super) fn worker(&mut self, it: usize, event: WorkerEvent<Count>) {
        let process = &mut self.processes[it];
        if !process.is_alive {
            return;
        }
        let now = process.clock.at(self.now);
        let actions = process.core.on(now, event);
        let is_at_it = !process.actions.is_empty();
        process.actions.extend(actions);
        while !is_at_it && let Some(action) = self.processes[it].actions.front().cloned() {
            self.worker_does(it, action);
            self.processes[it].actions.pop_front();
        }
    }

    fn worker_does(&mut self, it: usize, action: WorkerAction<Count>) {
        if !self.processes[it].is_alive {
            return;
        }
        match action {
            WorkerAction::Connect(conn) => self.connect(it, conn),
            WorkerAction::Send(conn, up) => {
                if let Some(wire) = self.wire_of(it, conn) {
                    if let Up::Beat(beat) = &up {
                        self.check_clock(it, beat.stamp, beat.at);
                    }
                    self.send(wire, Way::Up, Message::Up(up));
                }
            }
            WorkerAction::Report(conn, numbers) => {
                if let Some(wire) = self.wire_of(it, conn) {
                    self.send(wire, Way::Up, Message::Numbers(numbers));
                }
            }
            WorkerAction::Close(conn) => self.break_off(it, conn),
            WorkerAction::Order(order) => {
                let done = self.processes[it].load.ordered(order);
                self.ordered(it, done);
            }
            WorkerAction::Answer(ask, answer) => self.answered(it, ask, answer),
            WorkerAction::Cut | WorkerAction::CutLast => {
                let is_last = matches!(action, WorkerAction::CutLast);
                let samples = std::mem::take(&mut self.processes[it].load.uncut);
                let sums = Sums {
                    samples,
                    started: 0,
                };
                let event = match is_last {
                    true => WorkerEvent::Last(samples, sums),
                    false => WorkerEvent::Cut(samples, sums),
                };
                self.worker(it, event);
            }
            WorkerAction::SumUp => {
                let load = &self.processes[it].load;
                let samples = load.recorded - load.uncut;
                let piece = |samples| {
                    let sums = Sums {
                        samples,
                        started: 0,
                    };
                    (samples, sums)
                };
                let (first, others) = (samples / 3, samples - samples / 3);
                let pieces = vec![piece(first), piece(others)];
                self.worker(it, WorkerEvent::Baseline(pieces));
            }
            WorkerAction::Exit(why) => {
                self.processes[it].exit = Some(why);
                self.kill_worker(it, true);
            }
        }
    }

    /// What a worker says of the master's clock is right within the error that it gives.
    fn check_clock(&self, it: usize, stamp: Micros, at: Option<Micros>) {
        let (Some(at), Some(head)) = (at, &self.head) else {
            return;
        };
        let process = &self.processes[it];
        let known = process.core.offset().best().unwrap();
        let truth = head.clock.at(self.now);
        assert_eq!(stamp, process.clock.at(self.now));
        // Clocks drift apart by 0.1 ms a second at most, and an exchange counts for a minute.
        let most = known.error_us + 10_000;
        // Only this master's clock is meant; a worker may not know yet that it is another one.
        if self.life == 1 {
            let off = at.get().abs_diff(truth.get());
            assert!(off <= most, "the clock of {it} is {off} µs off, not {most}");
        }
    }

    fn ordered(&mut self, it: usize, done: Done) {
        let mut at = self.now;
        for user in done.started {
            at += self.chance.within(1_000, SECOND / 10);
            self.at(at, Event::User(it, user));
        }
        for user in done.stopped {
            let (is_at_it, asked) = {
                let user = &self.processes[it].load.users[&user];
                (user.is_at_it, user.asked)
            };
            if let Some(ask) = asked {
                self.worker(it, WorkerEvent::Cancel(ask));
            }
            let most = if is_at_it { SECOND } else { SECOND / 2 };
            let gone = self.now + self.chance.within(0, most);
            self.at(gone, Event::User(it, user));
        }
        if let Some(news) = done.compiled {
            let ticket = self.processes[it].load.compiling;
            let ready = self.now + self.chance.within(1_000, SECOND / 2);
            self.at(ready, Event::Compiled(it, ticket, news));
        }
        for news in done.news {
            self.worker(it, WorkerEvent::News(news));
        }
    }

    pub(super) fn user(&mut self, it: usize, id: u64) {
        let process = &mut self.processes[it];
        let now = process.clock.at(self.now);
        let fence = process.core.fence();
        let Some(user) = process.load.users.get_mut(&id) else {
            return;
        };
        if user.is_stopping {
            if user.is_at_it && self.chance.one_in(2) {
                process.load.recorded += 1;
                process.load.uncut += 1;
            }
            for news in self.processes[it].load.ended(id) {
                self.worker(it, WorkerEvent::News(news));
            }
        } else if user.is_at_it {
            if let Some(ask) = user.asked {
                if user.waits {
                    // It has waited long enough; what is made is made, though.
                    self.worker(it, WorkerEvent::Cancel(ask));
                    let process = &mut self.processes[it];
                    let is_open = process.core.is_open(ask);
                    if let Some(user) = process.load.users.get_mut(&id) {
                        user.asked = user.asked.filter(|_| is_open);
                    }
                } else {
                    user.waits = true;
                }
                let later = self.now + self.chance.within(SECOND, 4 * SECOND);
                self.at(later, Event::User(it, id));
                return;
            }
            (user.is_at_it, user.waits) = (false, false);
            process.load.recorded += 1;
            process.load.uncut += 1;
            let next = self.now + self.chance.within(SECOND / 5, SECOND);
            self.at(next, Event::User(it, id));
        } else if now >= fence {
            self.at(self.now + SECOND / 3, Event::User(it, id));
        } else {
            user.is_at_it = true;
            let ordinal = user.ordinal;
            self.checks.iterations += 1;
            if !process.is_cloned {
                self.checks.begins(self.now, ordinal, (it, id));
            }
            let over = self.now + self.chance.within(SECOND * 3 / 5, 5 * SECOND / 2);
            self.at(over, Event::User(it, id));
            self.acts(it, id);
        }
    }

    fn acts(&mut self, it: usize, id: u64) {
        match self.chance.within(0, 15) {
            0..=3 => match self.processes[it].load.row(1) {
                Some(row) => self.takes_row(it, row),
                None => self.asks(it, id, 0, Ask::Range(Counted::Rows(1), u64::MAX)),
            },
            4 | 5 => {
                let value = self.checks.puts();
                self.asks(it, id, 0, Ask::Put("q".into(), Value::Int(value)));
            }
            6 => self.asks(it, id, 0, Ask::Take("q".into())),
            7 => self.asks(it, id, 0, Ask::TryTake("q".into())),
            8 => {
                let name = u8::try_from(self.chance.within(0, 2)).unwrap();
                self.asks(it, id, name, Ask::Once(NAMES[usize::from(name)].into()));
            }
            _ => {}
        }
    }

    fn takes_row(&mut self, it: usize, row: u64) {
        if !self.processes[it].is_cloned {
            self.checks.row(row);
        }
    }

    fn asks(&mut self, it: usize, id: u64, name: u8, ask: Ask) {
        let process = &mut self.processes[it];
        process.next_ask += 1;
        let number = process.next_ask;
        process.asks.insert(number, (id, name));
        if let Some(user) = process.load.users.get_mut(&id) {
            user.asked = Some(number);
        }
        self.worker(it, WorkerEvent::Ask(number, ask));
    }

    fn answered(&mut self, it: usize, ask: u64, answer: Answer) {
        let Some((id, name)) = self.processes[it].asks.remove(&ask) else {
            panic!("an answer to no question");
        };
        if let Some(user) = self.processes[it].load.users.get_mut(&id) {
            assert_eq!(user.asked.take(), Some(ask));
        }
        match answer {
            Answer::Range(_, mut range) => {
                let row = range.next().expect("no range is empty");
                let rations = &mut self.processes[it].load.rations;
                rations.entry(1).or_default().push_back(range);
                self.takes_row(it, row);
            }
            Answer::Taken(Some(Value::Int(value))) if !self.processes[it].is_cloned => {
                self.checks.takes(value);
            }
            Answer::Put => self.checks.has_put(),
            Answer::Make(turn) if self.chance.one_in(4) => {
                let name = NAMES[usize::from(name)].into();
                self.worker(it, WorkerEvent::Passed(name, turn));
            }
            Answer::Make(turn) => {
                let value = self.checks.makes();
                let made = Ask::Made(NAMES[usize::from(name)].into(), turn, Value::Int(value));
                self.asks(it, id, name, made);
                return;
            }
            Answer::Value(Value::Int(value)) if !self.processes[it].is_cloned => {
                self.checks.once(name, value);
            }
            _ => {}
        }
        let user = self.processes[it].load.users.get(&id);
        if user.is_some_and(|user| user.waits) {
            self.at(self.now, Event::User(it, id));
        }
    }
}
