//! What the machine allows this process: cores and open files.
//!
//! Owns the queries; the caller decides what they mean for a run.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Cores this process may use: its affinity and its share of the machine's time are respected.
#[must_use]
pub fn cores() -> u32 {
    std::thread::available_parallelism()
        .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1_024))
}

/// Raises the number of files that may be open to what the system allows; returns that.
pub fn raise_open_files() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // If refused, the old limit stays in force and is returned.
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: maximum,
                maximum,
            },
        );
    }
    open_files()
}

/// How many files may be open.
pub(super) fn open_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
