//! What bounds the memory of this process, and how much of it is left.
//!
//! Owns reading both from the kernel: of the machine, of control groups (versions 1 and 2), and of
//! `ulimit -v`. `emergency` acts when little is left.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

/// Memory is short when an eighth of it is left, within these bounds.
const LEFT_PART: u64 = 8;
const LEFT_AT_LEAST: u64 = 64 << 20;
const LEFT_AT_MOST: u64 = 512 << 20;

/// A process is at fault only if it has a quarter of the memory itself.
const OWN_PART: u64 = 4;

/// Bytes of memory this process may use: the least that anything allows.
#[must_use]
pub fn allowed() -> u64 {
    let all = Limit::all()
        .iter()
        .filter_map(Limit::room)
        .map(|room| room.all)
        .min();
    all.unwrap_or(u64::MAX)
}

/// What bounds the memory of this process.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// The machine's memory.
    Machine,
    /// That of a control group.
    Group(Group),
    /// Addresses.
    Addresses(u64),
}

/// A control group with a limit.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    most: u64,
    folder: PathBuf,
    /// What its statistics call memory that cannot be taken back from it.
    used: &'static str,
}

/// How much there is of something, how much this process has, and how much is left.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) all: u64,
    pub(super) own: u64,
    pub(super) left: u64,
}

impl Room {
    /// Whether little is left, by the fault of this process.
    pub(super) fn is_short(&self) -> bool {
        let enough = (self.all / LEFT_PART).clamp(LEFT_AT_LEAST, LEFT_AT_MOST);
        self.left < enough && self.own > self.all / OWN_PART
    }
}

impl Limit {
    /// All that there are.
    pub(super) fn all() -> Vec<Limit> {
        let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let group = smallest_group(&groups, Path::new("/sys/fs/cgroup"));
        let addresses = getrlimit(Resource::As).current;
        [Limit::Machine]
            .into_iter()
            .chain(group.map(Limit::Group))
            .chain(addresses.map(Limit::Addresses))
            .collect()
    }

    /// What it is, for people.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Limit::Machine => "the machine's memory",
            Limit::Group(_) => "the memory of this control group",
            Limit::Addresses(_) => "what `ulimit -v` allows",
        }
    }

    /// How much room there is; `None` if the kernel does not tell.
    pub(super) fn room(&self) -> Option<Room> {
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
            Limit::Group(group) => {
                let stat = fs::read_to_string(group.folder.join("memory.stat")).ok();
                let used = stat.as_deref().and_then(|stat| {
                    let line = stat
                        .lines()
                        .find_map(|line| line.strip_prefix(group.used))?;
                    line.trim().parse().ok()
                });
                Some(Room {
                    all: group.most,
                    own: resident,
                    left: group.most.saturating_sub(used.unwrap_or(resident)),
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
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The control group with the smallest limit, of this process's own and those above. `groups` is
/// `/proc/self/cgroup`; in a container its paths may lead nowhere, and the mount itself is the
/// group.
fn smallest_group(groups: &str, mount: &Path) -> Option<Group> {
    let mut limited = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        // Version 2 has one hierarchy without a name, version 1 one for each controller.
        let (mount, file, used) = match controllers {
            "" => (mount.to_owned(), "memory.max", "anon "),
            "memory" => (mount.join("memory"), "memory.limit_in_bytes", "total_rss "),
            _ => continue,
        };
        let own = mount.join(path.trim_start_matches('/'));
        for folder in own.ancestors().take_while(|it| it.starts_with(&mount)) {
            // Without a limit it says `max`.
            let most = fs::read_to_string(folder.join(file)).ok();
            let most = most.and_then(|most| most.trim().parse().ok());
            limited.extend(most.map(|most| Group {
                most,
                folder: folder.to_owned(),
                used,
            }));
        }
    }
    limited.into_iter().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_short_only_where_the_process_has_much_of_it() {
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
    fn the_least_of_all_groups_holds() {
        let mount = tempfile::TempDir::new().unwrap();
        let write = |path: &str, text: &str| {
            let path = mount.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("a/b/memory.max", "max\n");
        write("a/memory.max", "5000\n");
        write("a/memory.stat", "file 3000\nanon 1000\n");
        write("memory.max", "9000\n");
        write("memory/x/memory.limit_in_bytes", "4000\n");
        let least = |groups| smallest_group(groups, mount.path());
        let most = |groups| least(groups).map(|group| group.most);
        assert_eq!(most("0::/a/b\n"), Some(5_000));
        assert_eq!(most("0::/elsewhere\n"), Some(9_000));
        assert_eq!(most("3:cpu,cpuacct:/x\n4:memory:/x\n0::/\n"), Some(4_000));
        assert_eq!(most("nonsense"), None);
        let room = Limit::Group(least("0::/a/b\n").unwrap()).room().unwrap();
        assert_eq!(
            (room.all, room.left),
            (5_000, 4_000),
            "files can be taken back"
        );
    }

    #[test]
    fn this_process_and_machine_have_memory() {
        let room = Limit::Machine.room().unwrap();
        assert!(room.all > room.left && room.own > 1 << 20);
        assert!((1 << 25..u64::MAX).contains(&allowed()));
        let (addresses, resident) = own_bytes().unwrap();
        assert!(addresses > resident);
        assert_eq!(
            kilobytes("MemFree: 1 kB\nMemTotal:     2048 kB\n", "MemTotal:"),
            Some(2_048)
        );
    }
}
