//! A test in a network namespace of its own that has nothing but `lo`: what is damaged at random
//! may name any host of the world.

use std::process::Command;

const ALONE: &str = "KATYDID_TEST_IS_ALONE";

/// Where a test runs.
pub(crate) enum Place {
    /// Here, with no network but `lo`.
    Alone,
    /// It has run to its end in a process that was alone.
    Elsewhere,
    /// Here, and the world can be reached: this system lets nobody but root have a namespace, or
    /// lacks `unshare` or `ip`.
    InTheWorld,
}

/// Runs the test of that name in a namespace of its own, if that may be.
pub(crate) fn alone(test: &str) -> Place {
    if std::env::var_os(ALONE).is_some() {
        return Place::Alone;
    }
    // As root, or as whoever may have a user namespace.
    let ways = [&["-n"][..], &["-r", "-n"]];
    let way = ways.into_iter().find(|way| {
        let tried = Command::new("unshare")
            .args(*way)
            .args(["ip", "link", "set", "lo", "up"])
            .output();
        tried.is_ok_and(|tried| tried.status.success())
    });
    let Some(way) = way else {
        return Place::InTheWorld;
    };
    let run = Command::new("unshare")
        .args(way)
        .args(["sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = [run.stdout, run.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        run.status.success(),
        "in a namespace of its own, {}:\n{said}",
        run.status
    );
    assert!(
        said.contains("1 passed"),
        "there is no test {test}:\n{said}"
    );
    eprint!("{said}");
    Place::Elsewhere
}
