//! The master of a bench: a process of its own, and what it takes of the machine.
//!
//! Owns starting, watching and ending it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// The longest wait for anything that it says.
const BOUND: Duration = Duration::from_secs(120);

/// How often its memory is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A master that waits for workers.
pub(crate) struct Master {
    child: Child,
    lines: Receiver<String>,
    document: JoinHandle<String>,
    /// Where workers come to.
    pub(crate) address: String,
}

/// CPU time since its start, in seconds: of the whole process, and of its thread for workers.
#[derive(Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) whole_s: f64,
    pub(crate) cluster_s: f64,
}

impl std::ops::Sub for Cpu {
    type Output = Cpu;

    fn sub(self, earlier: Cpu) -> Cpu {
        Cpu {
            whole_s: self.whole_s - earlier.whole_s,
            cluster_s: self.cluster_s - earlier.cluster_s,
        }
    }
}

impl Master {
    /// Starts one with these arguments, in a folder with its script.
    pub(crate) fn start(folder: &Path, arguments: &str) -> Master {
        let mut child = Command::new(env!("CARGO_BIN_EXE_katydid"))
            .args("-f script.rhai --headless --only-summary --json --master".split(' '))
            .args(["--master-bind-port", "0"])
            .args(arguments.split(' '))
            .current_dir(folder)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the master can be started");
        let said = child.stderr.take().expect("it is piped");
        let mut written = child.stdout.take().expect("it is piped");
        let (line_in, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                if line_in.send(line).is_err() {
                    return;
                }
            }
        });
        let document = std::thread::spawn(move || {
            let mut text = String::new();
            written.read_to_string(&mut text).expect("it writes text");
            text
        });
        let mut master = Master {
            child,
            lines,
            document,
            address: String::new(),
        };
        let line = master.says("waiting for workers on ");
        let address = line.rsplit(' ').next().unwrap_or_default();
        address.clone_into(&mut master.address);
        master
    }

    /// Waits for a line with that text.
    fn says(&mut self, text: &str) -> String {
        let until = Instant::now() + BOUND;
        loop {
            let line = self.lines.recv_timeout(until - Instant::now());
            let line = line.unwrap_or_else(|_| panic!("the master does not say `{text}`"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// What it has used so far.
    pub(crate) fn cpu(&self) -> Cpu {
        let process = format!("/proc/{}", self.child.id());
        let mut cluster_s = 0.0;
        for task in fs::read_dir(format!("{process}/task")).expect("the master runs") {
            let path = task.expect("the master runs").path();
            let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
            if name.trim() == "cluster" {
                cluster_s += used_s(&path.to_string_lossy());
            }
        }
        Cpu {
            whole_s: used_s(&process),
            cluster_s,
        }
    }

    /// The most memory that it has had, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        kib.unwrap_or(0) * 1_024
    }

    /// Waits for its end. What it said that people should look at, its memory at the most, what it
    /// wrote, and how it ended.
    pub(crate) fn ended(mut self) -> Ended {
        let mut peak = 0;
        let until = Instant::now() + BOUND;
        let status = loop {
            peak = peak.max(self.peak());
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                break status;
            }
            if Instant::now() > until {
                let _ = self.child.kill();
            }
            std::thread::sleep(LOOK);
        };
        let document = self.document.join().unwrap_or_default();
        Ended {
            peak,
            status,
            document: serde_json::from_str(&document).unwrap_or_default(),
            lines: self.lines.iter().collect(),
        }
    }
}

/// How a master ended.
pub(crate) struct Ended {
    pub(crate) peak: u64,
    pub(crate) status: ExitStatus,
    pub(crate) document: Value,
    pub(crate) lines: Vec<String>,
}

/// User and system time of a process or a thread, in seconds.
fn used_s(path: &str) -> f64 {
    let stat = fs::read_to_string(format!("{path}/stat")).unwrap_or_default();
    // Its name, in brackets, may have spaces.
    let fields = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest)
        .unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u32 = ticks.filter_map(|ticks| ticks.parse::<u32>().ok()).sum();
    // The kernel's unit, whatever its own is.
    f64::from(ticks) / 100.0
}
