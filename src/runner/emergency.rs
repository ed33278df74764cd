//! What ends a run against everybody's will, in time for its results to be kept: a load thread
//! that crashed, and memory that runs out.
//!
//! Owns noticing both. A crashed thread stands still (`coroutine::survive`); a process without
//! memory is killed by the kernel or aborts, and then nothing is written any more.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::time::Instant;

use super::End;
use super::load_thread::Order;
use super::run::Run;
use crate::coroutine::{self, Cause, Crash};
use crate::scenario::Scenario;
use crate::script;
use crate::units::Bytes;

/// How often there is a look. A script in a loop takes about a gigabyte a second.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long the other threads may take to end then: what they measured is worth a moment.
const GRACE: Duration = Duration::from_secs(1);

/// Memory runs out when a sixteenth of it is left, within these bounds.
const LEFT_PART: u64 = 16;
const LEFT_AT_LEAST: u64 = 32 << 20;
const LEFT_AT_MOST: u64 = 512 << 20;

/// The run is at fault only if it has a quarter of the memory itself.
const OWN_PART: u64 = 4;

/// Addresses kept for writing results where they are limited (`ulimit -v`).
const RESERVE: usize = 32 << 20;

/// Looks for what ends a run.
#[derive(Debug)]
pub(super) struct Emergency {
    limits: Vec<Limit>,
    /// Never touched, so it costs no memory.
    reserve: Option<Vec<u8>>,
    is_over: bool,
}

/// What bounds the memory of this process.
#[derive(Debug)]
enum Limit {
    /// The machine's memory.
    Machine,
    /// That of a control group: its folder, and how much.
    Group(PathBuf, u64),
    /// Addresses.
    Addresses(u64),
}

/// How much there is of something, how much this process has, and how much is left.
struct Room {
    all: u64,
    own: u64,
    left: u64,
}

impl Room {
    fn is_short(&self) -> bool {
        let enough = (self.all / LEFT_PART).clamp(LEFT_AT_LEAST, LEFT_AT_MOST);
        self.left < enough && self.own > self.all / OWN_PART
    }
}

impl Emergency {
    pub(super) fn new() -> Emergency {
        let mut limits = vec![Limit::Machine];
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        limits.extend(smallest_group(&groups, Path::new("/sys/fs/cgroup")));
        let addresses = getrlimit(Resource::As).current;
        limits.extend(addresses.map(Limit::Addresses));
        Emergency {
            reserve: addresses.map(|_| Vec::with_capacity(RESERVE)),
            limits,
            is_over: false,
        }
    }

    /// What has happened, once; `None` while all is well.
    fn look(&mut self, scenario: &Scenario) -> Option<String> {
        if self.is_over {
            return None;
        }
        let what = match coroutine::crash() {
            Some(crash) => Some(described(&crash, scenario)),
            None => self.limits.iter().find_map(Limit::exceeded),
        };
        if what.is_some() {
            self.is_over = true;
            self.reserve = None;
        }
        what
    }
}

impl Run {
    /// Looks whether the run can go on, and ends it if not.
    pub(super) fn look_for_trouble(&mut self) {
        let Some(what) = self.emergency.look(&self.edition.scenario) else {
            return;
        };
        self.stop(End::Failed(what.clone()));
        // Also when it was stopping already.
        self.end = Some(End::Failed(what));
        self.grace = Some(Instant::now() + GRACE);
        self.order(&Order::Stop {
            stop_timeout: Duration::ZERO,
            on_stop_timeout: Duration::ZERO,
        });
    }

    /// A thread has not ended in time. Why the run failed before says more.
    pub(super) fn give_up(&mut self) {
        if !matches!(self.end, Some(End::Failed(_))) {
            let held = "a load thread did not end in time: a script holds it in one call";
            self.end = Some(End::Failed(held.to_owned()));
        }
    }
}

fn described(crash: &Crash, scenario: &Scenario) -> String {
    let thread = crash.thread;
    let who = crash.label.map_or_else(
        || "outside of any user".to_owned(),
        |label| script::described(label, scenario),
    );
    let why = match crash.cause {
        Cause::Overflow => "used up its stack",
        Cause::Abort => "aborted, perhaps for want of memory",
        Cause::Fault => "crashed, which is a bug of Katydid",
    };
    format!(
        "load thread {thread} {why}: {who}; its last 0.1 s are missing in the results, and what its \
         users had in flight"
    )
}

impl Limit {
    /// Which limit is nearly reached, in words.
    fn exceeded(&self) -> Option<String> {
        let room = self.room()?;
        let what = match self {
            Limit::Machine => "the machine's memory",
            Limit::Group(..) => "the memory of this control group",
            Limit::Addresses(_) => "what `ulimit -v` allows",
        };
        let mebibytes = |bytes: u64| Bytes(bytes >> 20 << 20);
        room.is_short().then(|| {
            format!(
                "memory runs out: {} of {} are left of {what}, and this run has {}; fewer users, \
                 smaller bodies or `--user-memory` help",
                mebibytes(room.left),
                mebibytes(room.all),
                mebibytes(room.own)
            )
        })
    }

    fn room(&self) -> Option<Room> {
        let (addresses, resident) = own_bytes()?;
        match self {
            Limit::Machine => {
                let info = fs::read_to_string("/proc/meminfo").ok()?;
                Some(Room {
                    all: kilobytes(&info, "MemTotal:")? << 10,
                    own: resident,
                    left: kilobytes(&info, "MemAvailable:")? << 10,
                })
            }
            Limit::Group(folder, all) => {
                let stat = fs::read_to_string(folder.join("memory.stat")).ok()?;
                let used = stat.lines().find_map(|line| line.strip_prefix("anon "))?;
                let used: u64 = used.trim().parse().ok()?;
                Some(Room {
                    all: *all,
                    own: resident,
                    left: all.saturating_sub(used),
                })
            }
            Limit::Addresses(all) => Some(Room {
                all: *all,
                own: addresses,
                left: all.saturating_sub(addresses),
            }),
        }
    }
}

/// Addresses and memory of this process.
fn own_bytes() -> Option<(u64, u64)> {
    let pages = fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = pages.split(' ').map(str::parse::<u64>);
    let page = rustix::param::page_size() as u64;
    let (addresses, resident) = (pages.next()?.ok()?, pages.next()?.ok()?);
    Some((addresses * page, resident * page))
}

fn kilobytes(info: &str, name: &str) -> Option<u64> {
    let line = info.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// The control group with the smallest limit, of this process's own and those around it.
fn smallest_group(groups: &str, root: &Path) -> Option<Limit> {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let own = root.join(path);
    let around = own
        .ancestors()
        .take_while(|folder| folder.starts_with(root));
    let limited = around.filter_map(|folder| {
        let most = fs::read_to_string(folder.join("memory.max")).ok()?;
        Some((most.trim().parse().ok()?, folder.to_owned()))
    });
    let (most, folder) = limited.min()?;
    Some(Limit::Group(folder, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_short_only_where_the_run_has_much_of_it() {
        let gigabyte = 1 << 30;
        let room = |own, left| Room {
            all: 16 * gigabyte,
            own,
            left,
        };
        assert!(room(8 * gigabyte, gigabyte / 4).is_short());
        assert!(!room(8 * gigabyte, gigabyte).is_short());
        assert!(!room(gigabyte, gigabyte / 4).is_short(), "others have it");
    }

    #[test]
    fn the_smallest_limit_of_the_groups_around_holds() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("memory.max"), "max\n").unwrap();
        fs::write(root.path().join("a/memory.max"), "1000\n").unwrap();
        fs::write(inner.join("memory.stat"), "anon 900\n").unwrap();
        let limit = smallest_group("0::/a/b\n", root.path());
        assert!(
            matches!(&limit, Some(Limit::Group(folder, 1_000)) if folder.ends_with("a")),
            "{limit:?}"
        );
        assert!(smallest_group("1:cpu:/\n", root.path()).is_none());
    }

    #[test]
    fn this_process_and_machine_have_memory() {
        let room = Limit::Machine.room().unwrap();
        assert!(room.all > room.left && room.own > 1 << 20);
        let (addresses, resident) = own_bytes().unwrap();
        assert!(addresses > resident);
    }
}
