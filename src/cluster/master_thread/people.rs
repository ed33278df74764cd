//! Workers as people see them: in the log, in the figures, and in listeners of the script.
//!
//! Owns what each said last of itself, what was said of it, and how much of what is printed on
//! workers reaches the log. Whether a worker is there is the machine's to say (`master`).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::serving::Thread;
use crate::clock::{self, Micros};
use crate::cluster::hello::Conn;
use crate::cluster::master::Person;
use crate::cluster::message::{Machine, UpBeat};
use crate::cluster::printed::SentLine;
use crate::cluster::roster::Stand;
use crate::runner::elsewhere::WorkerCard;
use crate::scenario::Event;
use crate::script::{Level, Line};
use crate::stats::{
    Roll, Strain, Strains, WorkerClock, WorkerMachine, WorkerName, WorkerRow, WorkerState,
};

/// How often figures of workers are handed over.
const EVERY: Duration = Duration::from_secs(1);

/// Beats so far apart tell of another second, in µs: a worker looks at the clock ten times in one.
const A_SECOND_US: u64 = 950_000;

/// Lines of all workers in a second: more nobody reads, and they would fill the disk.
const LINES_A_SECOND: u32 = 500;

/// More than any machine has, of bytes and of µs: so sums and signs cannot overflow.
const MOST: u64 = 1 << 52;

/// What is known of one worker.
#[derive(Debug, Default)]
struct Card {
    address: Option<IpAddr>,
    machine: WorkerMachine,
    most: WorkerMachine,
    /// When its last report was counted.
    counted: Option<Micros>,
    clock: Option<WorkerClock>,
    strains: Strains,
    /// Until when those have been counted, by the worker's clock.
    strains_at: Micros,
    users: u32,
    state: WorkerState,
    since_us: u64,
    heard_us: u64,
    /// The number of its last line.
    line: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct People {
    known: BTreeMap<u32, Card>,
    /// By member of the run: the worker that has its seat.
    members: BTreeMap<u32, u32>,
    /// When figures were handed over last.
    told: Micros,
    /// The second that is under way, the lines that were printed in it, and those left out.
    second: Micros,
    lines: u32,
    left_out: u64,
}

impl People {
    /// Users of all workers, as they said last.
    pub(super) fn users(&self) -> u32 {
        self.known.values().map(|card| card.users).sum()
    }
}

impl Thread {
    /// What people call a worker.
    pub(super) fn name_of(&self, worker: u32) -> WorkerName {
        WorkerName::new(worker, self.master.host_of(worker))
    }

    /// What people call the worker that has a member's seat.
    pub(super) fn name_of_member(&self, member: u32) -> Option<WorkerName> {
        let worker = self.people.members.get(&member)?;
        Some(self.name_of(*worker))
    }

    /// A worker has told how it does.
    pub(super) fn beat(&mut self, worker: u32, conn: Conn, beat: &UpBeat) {
        let address = self
            .conns
            .get(&conn)
            .map(|it| it.opened.from.to_canonical());
        let name = self.name_of(worker);
        let known = self.people.known.entry(worker).or_default();
        known.address = address;
        known.users = beat.levels.users;
        known.machine = machine_of(&beat.load);
        known.most = known.most.most(known.machine);
        known.clock = clock_of(beat);
        // There are more beats than one a second while a worker asks for much.
        if beat.stamp.since(known.strains_at) < A_SECOND_US {
            return;
        }
        known.strains_at = beat.stamp;
        let turns = known.strains.on(&known.machine);
        let machine = known.machine;
        for (strain, begins) in turns {
            let (level, text) = match begins {
                true => (Level::Warn, strained(&name, strain, &machine)),
                false => (
                    Level::Info,
                    format!("{name} is no longer {}", strain.as_str()),
                ),
            };
            self.print(level, text);
        }
    }

    /// A report of a worker is counted.
    pub(super) fn counted(&mut self, worker: u32) {
        let known = self.people.known.entry(worker).or_default();
        known.counted = Some(clock::now());
    }

    /// A worker gets the seat of a member.
    pub(super) async fn takes_seat(&mut self, worker: u32, member: u32) {
        self.people.members.insert(member, worker);
        self.tell_script(Event::WorkerConnect, worker).await;
    }

    /// A member of the run is none any longer: in order, or because its worker is gone.
    pub(super) async fn leaves_seat(&mut self, member: u32, is_gone: bool) {
        if let Some(worker) = self.people.members.remove(&member)
            && is_gone
        {
            self.tell_script(Event::WorkerLost, worker).await;
        }
    }

    async fn tell_script(&self, event: Event, worker: u32) {
        let Some(running) = &self.running else {
            return;
        };
        let now = clock::now();
        let person = self.master.people(now).find(|it| it.number == worker);
        let known = self.people.known.get(&worker);
        let card = WorkerCard {
            name: self.name_of(worker),
            threads: person.map_or(0, |person| person.threads),
            users: known.map_or(0, |known| known.users),
        };
        running.gate.worker(event, card).await;
    }

    /// What was printed on a worker goes to the log, with who said it.
    pub(super) fn printed_there(&mut self, worker: u32, lines: Vec<SentLine>) {
        let now = clock::now();
        let name = self.name_of(worker);
        if now.since(self.people.second) >= 1_000_000 {
            self.people.second = now;
            self.people.lines = 0;
            let left_out = std::mem::take(&mut self.people.left_out);
            if left_out > 0 {
                let text = format!(
                    "{left_out} lines of workers are left out: more than {LINES_A_SECOND} a second"
                );
                self.print(Level::Warn, text);
            }
        }
        for line in lines {
            let known = self.people.known.entry(worker).or_default();
            let missing = line.number.saturating_sub(known.line).saturating_sub(1);
            known.line = known.line.max(line.number);
            self.people.lines = self.people.lines.saturating_add(1);
            if self.people.lines > LINES_A_SECOND {
                self.people.left_out += 1;
                continue;
            }
            if missing > 0 {
                let text = format!("{missing} lines of {name} are left out");
                self.print(Level::Warn, text);
            }
            if let Some(running) = &self.running {
                running.gate.print(said_by(&name, line));
            }
        }
    }

    /// Hands over how all workers stand, if that is due.
    pub(super) fn look_at_people(&mut self) {
        let now = clock::now();
        if self.people.told + EVERY <= now {
            // Once nothing more can come it stays the last word, however long the run's own functions
            // take.
            self.show_people(now, self.is_waiting_for_run);
        }
    }

    /// Figures are due at the next tick: many may change at a time, as when the network is away.
    pub(super) fn show_people_soon(&mut self) {
        self.people.told = Micros::default();
    }

    /// Hands over how all workers stand now; `is_final` says that nothing more will come of the run.
    pub(super) fn show_people(&mut self, now: Micros, is_final: bool) {
        let Some(running) = &self.running else {
            return;
        };
        self.people.told = now;
        let since = |moment: Micros| match self.epoch_us {
            Some(epoch) => moment.get().saturating_sub(epoch),
            None => 0,
        };
        let mut rows = Vec::new();
        for person in self.master.people(now) {
            let known = self.people.known.entry(person.number).or_default();
            let missing = self.missing.get(&person.number).copied();
            let missing = missing.unwrap_or(person.missing);
            let state = state_of(&person, is_final && missing > 0);
            if state != known.state {
                // That nothing waits for it is no news to a person: it has gone before.
                if known.state != WorkerState::Gone || state != WorkerState::Lost {
                    known.since_us = since(now);
                }
                known.state = state;
            }
            known.heard_us = person.heard.map_or(known.heard_us, since);
            rows.push(WorkerRow {
                name: WorkerName::new(person.number, person.host),
                address: known.address,
                version: env!("CARGO_PKG_VERSION"),
                state,
                since_us: known.since_us,
                heard_us: known.heard_us,
                threads: person.threads,
                users: match state.has_users() && person.is_seated {
                    true => u64::from(known.users),
                    false => 0,
                },
                samples: person.samples,
                missing,
                counted_us: known.counted.map_or(0, since),
                machine: known.machine,
                most: known.most,
                clock: known.clock,
                strains: known.strains,
            });
        }
        running.gate.roll(Roll {
            rows: rows.into(),
            is_final,
        });
    }
}

fn state_of(person: &Person<'_>, is_missed: bool) -> WorkerState {
    match person.stand {
        _ if person.has_left => WorkerState::Left,
        _ if person.is_barred || is_missed => WorkerState::Lost,
        Stand::Present if person.is_seated => WorkerState::Running,
        Stand::Present => WorkerState::Ready,
        Stand::Late => WorkerState::Late,
        Stand::Missing => WorkerState::Missing,
        Stand::Moved => WorkerState::Gone,
        Stand::Lost => WorkerState::Lost,
    }
}

/// What a machine says of itself, as far as that can be.
fn machine_of(said: &Machine) -> WorkerMachine {
    let share = |permille: u16| f64::from(permille.min(1_000)) / 1_000.0;
    WorkerMachine {
        cpu: share(said.cpu),
        rss_bytes: said.rss_bytes.min(MOST),
        memory_bytes: said.memory_bytes.min(MOST),
        throttled: share(said.throttled),
        lag_p99_us: said.lag_p99_us.min(MOST),
        lag_max_us: said.lag_us.min(MOST),
    }
}

/// How a worker's time of day differs from ours, from one moment by both.
fn clock_of(beat: &UpBeat) -> Option<WorkerClock> {
    let at = beat.at?;
    let error_us = beat.load.clock_error_us?.min(MOST);
    if beat.load.zero_unix_us == 0 {
        return None;
    }
    let age_us = clock::now().since(at);
    let ours = jiff::Timestamp::now().as_microsecond();
    let ours = ours.saturating_sub_unsigned(age_us);
    let theirs = beat.load.zero_unix_us;
    let theirs = theirs.saturating_add_unsigned(beat.stamp.get());
    Some(WorkerClock {
        round_trip_us: 2 * error_us.saturating_sub(1),
        offset_us: theirs.saturating_sub(ours),
        error_us,
    })
}

/// That a worker is under a strain, and what follows from it.
fn strained(name: &WorkerName, strain: Strain, machine: &WorkerMachine) -> String {
    let how = match strain {
        Strain::Busy => format!("{:.0} % of the CPU that it can use", machine.cpu * 100.0),
        Strain::Throttled => format!(
            "its control group holds it back for {:.0} % of the time",
            machine.throttled * 100.0
        ),
        Strain::Lagging => {
            // A display of milliseconds needs no more than 53 bits.
            let ms = machine.lag_p99_us as f64 / 1e3;
            format!("{ms:.1} ms late (p99)")
        }
    };
    format!(
        "{name} is {}: {how}; times that it measures may be its own rather than the target's",
        strain.as_str()
    )
}

/// A line of a worker as one of ours.
fn said_by(name: &WorkerName, line: SentLine) -> Line {
    Line {
        level: line.level(),
        who: format!("{name} {}", line.who),
        place: line.place,
        text: line.text,
        dropped: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(stand: Stand) -> Person<'static> {
        Person {
            number: 1,
            host: "box",
            threads: 2,
            conn: None,
            stand,
            heard: None,
            has_left: false,
            is_barred: false,
            is_seated: false,
            samples: 0,
            missing: 0,
        }
    }

    #[test]
    fn a_worker_stands_as_its_beats_its_seat_and_its_numbers_say() {
        let seated = Person {
            is_seated: true,
            ..person(Stand::Present)
        };
        let left = Person {
            has_left: true,
            ..person(Stand::Lost)
        };
        let all = [
            (person(Stand::Present), false, WorkerState::Ready),
            (seated, false, WorkerState::Running),
            (person(Stand::Late), false, WorkerState::Late),
            (person(Stand::Moved), false, WorkerState::Gone),
            (person(Stand::Moved), true, WorkerState::Lost),
            (left, false, WorkerState::Left),
        ];
        for (person, is_missed, state) in all {
            assert_eq!(state_of(&person, is_missed), state);
        }
    }

    #[test]
    fn what_no_machine_can_say_is_bounded() {
        let said = Machine {
            cpu: u16::MAX,
            throttled: u16::MAX,
            rss_bytes: u64::MAX,
            lag_us: u64::MAX,
            ..Machine::default()
        };
        let machine = machine_of(&said);
        assert!(machine.cpu <= 1.0 && machine.throttled <= 1.0);
        assert_eq!((machine.rss_bytes, machine.lag_max_us), (MOST, MOST));
        let beat = UpBeat {
            at: Some(clock::now()),
            load: Machine {
                zero_unix_us: i64::MIN,
                clock_error_us: Some(u64::MAX),
                ..Machine::default()
            },
            ..UpBeat::default()
        };
        assert!(clock_of(&beat).is_some_and(|clock| clock.error_us == MOST));
        assert_eq!(clock_of(&UpBeat::default()), None);
    }

    #[test]
    fn a_strain_says_how_bad_it_is_and_what_follows() {
        let machine = WorkerMachine {
            cpu: 0.973,
            throttled: 0.2,
            lag_p99_us: 12_340,
            ..WorkerMachine::default()
        };
        let name = WorkerName::new(2, "box");
        let text = strained(&name, Strain::Busy, &machine);
        assert!(
            text.starts_with("worker 2 (box) is busy: 97 % of the CPU that it can use;"),
            "{text}"
        );
        assert!(strained(&name, Strain::Lagging, &machine).contains("12.3 ms late (p99)"));
    }
}
