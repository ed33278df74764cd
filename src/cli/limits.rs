//! What the machine gives this process: cores, memory, open files, signals.
//!
//! Owns asking for it; what it means for a run is decided by the caller.

use std::fs;
use std::io;
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Cores this process may use: its affinity and its share of the machine's time are respected.
pub(super) fn cores() -> u32 {
    std::thread::available_parallelism()
        .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1_024))
}

/// Bytes of memory this process may use: the machine's, or less by its control group or by
/// `ulimit -v`.
pub(super) fn memory() -> u64 {
    let of_machine = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let of_group = of_control_groups(&groups, Path::new("/sys/fs/cgroup"));
    let address_space = getrlimit(Resource::As).current;
    let known = [total(&of_machine), of_group, address_space];
    known.into_iter().flatten().min().unwrap_or(u64::MAX)
}

/// The machine's memory, as `/proc/meminfo` has it.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1_024)
}

/// The least that the process's groups, and those above them, allow. `groups` is
/// `/proc/self/cgroup`; in a container its paths may lead nowhere, and the mount itself is the
/// group.
fn of_control_groups(groups: &str, mount: &Path) -> Option<u64> {
    let mut least = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        // Version 2 has one hierarchy without a name, version 1 one for each controller.
        let (mount, file) = match controllers {
            "" => (mount.to_owned(), "memory.max"),
            "memory" => (mount.join("memory"), "memory.limit_in_bytes"),
            _ => continue,
        };
        let own = mount.join(path.trim_start_matches('/'));
        for folder in own.ancestors().take_while(|it| it.starts_with(&mount)) {
            // Without a limit it says `max`.
            let limit = fs::read_to_string(folder.join(file)).ok();
            let limit = limit.and_then(|limit| limit.trim().parse::<u64>().ok());
            least = least.into_iter().chain(limit).min();
        }
    }
    least
}

/// Raises the number of files that may be open to what the system allows; returns it.
pub(super) fn raise_open_files() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // Where it is refused the old limit holds, and is what is returned.
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: maximum,
                maximum,
            },
        );
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Ctrl-C and SIGTERM, from the moment they are listened for: none is missed between two waits.
pub(super) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// Takes both signals from the system; must be called in a tokio runtime.
    ///
    /// # Errors
    /// When the process may not listen for signals.
    pub(super) fn listen() -> io::Result<Interrupts> {
        Ok(Interrupts {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next of either. Cancelling loses none.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_some_memory() {
        assert!((1 << 25..u64::MAX).contains(&memory()));
        assert_eq!(
            total("MemFree: 1 kB\nMemTotal:     2048 kB\n"),
            Some(2 << 20)
        );
        assert_eq!(total(""), None);
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
        write("memory.max", "9000\n");
        write("memory/x/memory.limit_in_bytes", "4000\n");
        let least = |groups| of_control_groups(groups, mount.path());
        assert_eq!(least("0::/a/b\n"), Some(5_000));
        assert_eq!(least("0::/elsewhere\n"), Some(9_000));
        assert_eq!(least("3:cpu,cpuacct:/x\n4:memory:/x\n0::/\n"), Some(4_000));
        assert_eq!(least("nonsense"), None);
    }
}
