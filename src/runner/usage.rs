//! What the process itself uses: CPU time and memory, as the kernel counts them.
//!
//! Owns reading them; what is made of the numbers is decided elsewhere.

use std::fs;
use std::path::Path;

use rustix::time::{ClockId, clock_gettime};

/// What the process has used since it started, and what it has now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// CPU time, user and system, in µs.
    pub cpu_us: u64,
    /// The resident set now, in bytes; 0 where the kernel does not tell.
    pub rss_bytes: u64,
    /// For how long its control group held it back because of a CPU limit, in µs, over all cores;
    /// 0 without one.
    pub throttled_us: u64,
}

/// What the process has used so far. Reads some small files: about 50 µs.
#[must_use]
pub fn used() -> Used {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    Used {
        cpu_us: cpu_us(),
        rss_bytes: status_bytes("VmRSS:"),
        throttled_us: throttled_us(&groups, Path::new("/sys/fs/cgroup")),
    }
}

/// CPU time of the whole process since it started, user and system, in µs.
pub(super) fn cpu_us() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec.unsigned_abs() * 1_000_000 + time.tv_nsec.unsigned_abs() / 1_000
}

/// The largest resident set so far, in bytes; 0 where the kernel does not tell.
pub(super) fn max_rss_bytes() -> u64 {
    status_bytes("VmHWM:")
}

fn status_bytes(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
    kilobytes.map_or(0, |kilobytes: u64| kilobytes * 1024)
}

/// The longest that any of the process's control groups was held back; a limit may be of one further
/// up. `groups` is `/proc/self/cgroup`; in a container its paths may lead nowhere, and the mount
/// itself is the group.
fn throttled_us(groups: &str, mount: &Path) -> u64 {
    let mut longest = 0;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        // Version 2 has one hierarchy without a name and counts µs, version 1 one for each
        // controller and ns.
        let (mount, key, per_us) = match controllers {
            "" => (mount.to_owned(), "throttled_usec ", 1),
            _ if controllers.split(',').any(|name| name == "cpu") => {
                (mount.join("cpu"), "throttled_time ", 1_000)
            }
            _ => continue,
        };
        let own = mount.join(path.trim_start_matches('/'));
        for folder in own.ancestors().take_while(|it| it.starts_with(&mount)) {
            let stat = fs::read_to_string(folder.join("cpu.stat")).unwrap_or_default();
            let time = stat.lines().find_map(|line| line.strip_prefix(key));
            let time = time.and_then(|time| time.trim().parse::<u64>().ok());
            longest = longest.max(time.unwrap_or(0) / per_us);
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn the_process_uses_something() {
        assert!(cpu_us() > 0);
        assert!(max_rss_bytes() > 1 << 20);
        let used = used();
        assert!(used.cpu_us > 0);
        assert!((1 << 20..=max_rss_bytes()).contains(&used.rss_bytes));
    }

    #[test]
    fn a_control_group_tells_how_long_it_was_held_back() {
        let folder = TempDir::new().unwrap();
        let mount = folder.path();
        let write = |group: &str, text: &str| {
            fs::create_dir_all(mount.join(group)).unwrap();
            fs::write(mount.join(group).join("cpu.stat"), text).unwrap();
        };
        assert_eq!(throttled_us("0::/pod/app\n", mount), 0);
        write("pod", "nr_throttled 7\nthrottled_usec 1500\n");
        write("pod/app", "nr_throttled 0\nthrottled_usec 0\n");
        assert_eq!(throttled_us("0::/pod/app\n", mount), 1_500);
        // The path is the host's, and the mount the container's.
        write("", "throttled_usec 9000\n");
        assert_eq!(throttled_us("0::/kubepods/x\n", mount), 9_000);
        write("cpu/old", "throttled_time 7000000\n");
        let groups = "4:memory:/old\n3:cpu,cpuacct:/old\n";
        assert_eq!(throttled_us(groups, mount), 7_000);
    }
}
