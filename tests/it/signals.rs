//! Signals at the very beginning of a process, before it listens for them: none ends it without its
//! results. Those of a run that goes on are in `stopping`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::peer::Shop;
use crate::tool::{Running, Tool};

/// How often each is tried, as early as possible.
const TIMES: usize = 12;

/// A run that would go on, just when it can hear signals at all: before that lie the loader and
/// Rust's own start, about a millisecond, which no program can do anything about.
fn just_begun(shop: &Shop) -> Running {
    let run = Tool::task("this.client.get(\"/hello\"); sleep(0.001);")
        .on(shop)
        .args("--threads 1 -u 2 -r 1000 -t 30")
        .start();
    run.awaits(Signal::TERM);
    run
}

#[test]
fn an_early_stop_is_a_stop_with_results() {
    let shop = Shop::open();
    for number in 0..TIMES {
        let run = just_begun(&shop);
        if number % 2 == 0 {
            run.interrupt();
        } else {
            run.terminate();
        }
        let finished = run.finish().code(0);
        let document = finished.document();
        assert!(document.0["total"]["requests"].is_u64(), "{}", document.0);
    }
}

#[test]
fn an_early_hang_up_ends_nothing() {
    let shop = Shop::open();
    for _ in 0..TIMES / 3 {
        let mut run = just_begun(&shop);
        run.hang_up();
        run.says("all users spawned");
        run.terminate();
        run.finish().code(0).document();
    }
}

#[test]
fn quit_ends_at_once_with_results() {
    let shop = Shop::open();
    let run = just_begun(&shop);
    run.quit();
    run.finish().code(130).document();
    let mut run = just_begun(&shop);
    run.says("all users spawned");
    run.quit();
    run.finish().code(130).document();
}

#[test]
fn what_nohup_ignores_stays_ignored() {
    let mut target = Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$0\" target --port 0"])
        .arg(env!("CARGO_BIN_EXE_katydid"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut address = String::new();
    let stdout = target.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut address).unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", target.id())).unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = u64::from_str_radix(ignored.unwrap().trim(), 16).unwrap();
    let pid = Pid::from_child(&target);
    kill_process(pid, Signal::HUP).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(ignored & 1, 1, "{status}");
    assert_eq!(target.wait().unwrap().code(), Some(0));
}

#[test]
fn what_does_not_listen_ends_as_usual() {
    let run = Tool::new()
        .file(
            "long.rhai",
            "while true { } user(\"U\", #{ t: task(|| 1) });",
        )
        .args("check long.rhai")
        .start();
    run.awaits(Signal::TERM);
    run.terminate();
    assert_eq!(run.finish().code, None, "by the signal");
}
