//! What the process itself uses: CPU time and memory, as the kernel counts them.
//!
//! Owns reading them; what is made of the numbers is decided elsewhere.

use rustix::time::{ClockId, clock_gettime};

/// CPU time of the whole process since it started, user and system, in µs.
pub(super) fn cpu_us() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec.unsigned_abs() * 1_000_000 + time.tv_nsec.unsigned_abs() / 1_000
}

/// The largest resident set so far, in bytes; 0 where the kernel does not tell.
pub(super) fn max_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok());
    kilobytes.map_or(0, |kilobytes: u64| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_uses_something() {
        assert!(cpu_us() > 0);
        assert!(max_rss_bytes() > 1 << 20);
    }
}
