//! The built binary, run as a person runs it: a script, arguments, signals, and what came out.
//!
//! Nothing here sleeps: a test waits for a line on stderr or for the end. A wait that lasts longer
//! than `BOUND` fails its test with what was said until then, and the tool is killed.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::Value;
use tempfile::TempDir;

use crate::peer::Peer;

/// The longest that one wait in these tests may take on a slow and busy machine.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// A command line that is being put together.
pub(crate) struct Tool {
    command: Command,
    folder: TempDir,
}

impl Tool {
    /// `katydid` in an empty folder of its own, without any of its environment variables.
    pub(crate) fn new() -> Tool {
        Tool::started_by(Command::new(env!("CARGO_BIN_EXE_katydid")))
    }

    /// The same within a limit of the shell, such as `-n 64` for open files.
    pub(crate) fn limited(limit: &str) -> Tool {
        Tool::in_shell(&format!("ulimit {limit}"))
    }

    /// The same by another command, which gets it as its last arguments.
    pub(crate) fn by(command: &str, arguments: &[&str]) -> Tool {
        let mut command = Command::new(command);
        command.args(arguments).arg(env!("CARGO_BIN_EXE_katydid"));
        Tool::started_by(command)
    }

    /// The same with stdout on a device that is full.
    pub(crate) fn into_a_full_device() -> Tool {
        Tool::in_shell("exec >/dev/full")
    }

    fn in_shell(first: &str) -> Tool {
        let mut shell = Command::new("sh");
        let line = format!("{first} && exec \"$0\" \"$@\"");
        shell.args(["-c", &line, env!("CARGO_BIN_EXE_katydid")]);
        Tool::started_by(shell)
    }

    fn started_by(mut command: Command) -> Tool {
        let folder = TempDir::new().unwrap();
        command.current_dir(&folder);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("KATYDID_") {
                command.env_remove(name);
            }
        }
        command.env("NO_COLOR", "1");
        Tool { command, folder }
    }

    /// A headless run of this script with `--json`, in which the tables come only at the end.
    pub(crate) fn running(script: &str) -> Tool {
        Tool::new()
            .file("script.rhai", script)
            .args("-f script.rhai --headless --only-summary --json")
    }

    /// A headless run of a script of the repository.
    pub(crate) fn running_file(path: &str) -> Tool {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        Tool::new()
            .arg("-f")
            .arg(path.to_str().unwrap())
            .args("--headless --only-summary --json")
    }

    /// A headless run of one user class `U` with one task, whose body this is.
    pub(crate) fn task(body: &str) -> Tool {
        Tool::running(&format!("user(\"U\", #{{ t: task(|| {{\n{body}\n}}) }});"))
    }

    /// Puts a file beside the script.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Tool {
        fs::write(self.folder.path().join(name), content).unwrap();
        self
    }

    /// A path in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sends the users to this server.
    pub(crate) fn on(self, peer: &impl Peer) -> Tool {
        let url = peer.url();
        self.arg("-H").arg(&url)
    }

    /// Arguments, separated by spaces.
    pub(crate) fn args(mut self, line: &str) -> Tool {
        self.command.args(line.split_whitespace());
        self
    }

    /// One argument, spaces included.
    pub(crate) fn arg(mut self, argument: &str) -> Tool {
        self.command.arg(argument);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Tool {
        self.command.env(name, value);
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(self) -> Finished {
        self.start().finish()
    }

    /// Starts it, to send it signals or to wait for what it says.
    pub(crate) fn start(mut self) -> Running {
        self.command.stdin(Stdio::null());
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap();
        let (lines_in, lines) = channel();
        let stderr = child.stderr.take().unwrap();
        read_lines(stderr, Heard::Stderr, lines_in.clone());
        read_lines(child.stdout.take().unwrap(), Heard::Stdout, lines_in);
        Running {
            child,
            lines,
            folder: self.folder,
            stdout: String::new(),
            stderr: String::new(),
            started: Instant::now(),
            waits_since: Instant::now(),
        }
    }
}

/// What a tool writes to a terminal, with all the sequences that move its cursor.
pub(crate) type Written = Receiver<Vec<u8>>;

impl Tool {
    /// Starts it on a terminal of so many columns and rows, which has its stdout and stderr.
    pub(crate) fn start_on(mut self, columns: u16, rows: u16) -> (Running, Written) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let ours = openpt(flags).unwrap();
        unlockpt(&ours).unwrap();
        let size = Winsize {
            ws_col: columns,
            ws_row: rows,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&ours, size).unwrap();
        let its = ioctl_tiocgptpeer(&ours, flags).unwrap();
        self.command.stdin(Stdio::null());
        self.command.stdout(its.try_clone().unwrap()).stderr(its);
        let child = self.command.spawn().unwrap();
        // What the command holds of the terminal would keep it open.
        drop(self.command);
        let (written_in, written) = channel();
        let mut ours = fs::File::from(ours);
        std::thread::spawn(move || {
            let mut part = [0; 4_096];
            // At its end a terminal gives an error.
            while let Ok(read @ 1..) = ours.read(&mut part) {
                if written_in.send(part[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        let running = Running {
            child,
            lines: channel().1,
            folder: self.folder,
            stdout: String::new(),
            stderr: String::new(),
            started: Instant::now(),
            waits_since: Instant::now(),
        };
        (running, written)
    }
}

enum Heard {
    Stdout(String),
    Stderr(String),
}

fn read_lines(
    from: impl Read + Send + 'static,
    heard: fn(String) -> Heard,
    to: Sender<Heard>,
) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            if to
                .send(heard(String::from_utf8_lossy(&line).into_owned()))
                .is_err()
            {
                return;
            }
            line.clear();
        }
    })
}

/// A run that has been started. Dropped, it is killed.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<Heard>,
    folder: TempDir,
    stdout: String,
    stderr: String,
    started: Instant,
    /// When the present wait began.
    waits_since: Instant,
}

impl Running {
    /// Waits until a line with this text was said, on stdout or stderr; returns the line.
    pub(crate) fn says(&mut self, text: &str) -> String {
        self.waits_since = Instant::now();
        loop {
            match self.hear() {
                Some(line) if line.contains(text) => return line,
                Some(_) => {}
                None => panic!("it ended without saying `{text}`:\n{}", self.stderr),
            }
        }
    }

    /// Waits until all these texts were said, in any order: what two threads say has none.
    pub(crate) fn says_each(&mut self, texts: &[&str]) {
        self.waits_since = Instant::now();
        let mut missing: Vec<_> = texts.to_vec();
        while !missing.is_empty() {
            match self.hear() {
                Some(line) => missing.retain(|text| !line.contains(text)),
                None => panic!("it ended without saying {missing:?}:\n{}", self.stderr),
            }
        }
    }

    /// Waits until the script has printed this, and nothing else on the line.
    pub(crate) fn prints(&mut self, text: &str) {
        let end = format!(": {text}\n");
        self.says(&end);
    }

    /// Writes a file of its folder anew.
    pub(crate) fn edit(&self, name: &str, content: &str) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    /// A file of its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Edits the script and says so.
    pub(crate) fn reload(&self, script: &str) {
        self.edit("script.rhai", script);
        self.hang_up();
    }

    /// Waits until an edit is in service.
    pub(crate) fn in_service(&mut self, generation: u16) {
        self.says(&format!("in service: generation {generation} "));
    }

    /// The signal to read the script again.
    pub(crate) fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Ctrl-\.
    pub(crate) fn quit(&self) {
        self.signal(Signal::QUIT);
    }

    /// Waits until it has a handler for that signal.
    pub(crate) fn awaits(&self, signal: Signal) {
        while !self.catches(signal) {
            assert!(self.started.elapsed() < BOUND, "no handler of {signal:?}");
            std::thread::yield_now();
        }
    }

    fn catches(&self, signal: Signal) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = mask.map_or(0, |mask| u64::from_str_radix(mask.trim(), 16).unwrap());
        mask >> (signal.as_raw() - 1) & 1 == 1
    }

    /// The memory that it has, in bytes.
    pub(crate) fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let mut lines = status.lines();
        let line = lines.find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib: u64 = line.trim_end_matches("kB").trim().parse().unwrap();
        kib * 1024
    }

    /// The number of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without a word.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.unwrap(), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Finished {
        self.waits_since = Instant::now();
        while self.hear().is_some() {}
        let status = self.child.wait().unwrap();
        let folder = TempDir::new().unwrap();
        Finished {
            code: status.code(),
            took: self.started.elapsed(),
            stdout: std::mem::take(&mut self.stdout),
            stderr: std::mem::take(&mut self.stderr),
            folder: std::mem::replace(&mut self.folder, folder),
        }
    }

    /// The next line; `None` when both streams have ended.
    fn hear(&mut self) -> Option<String> {
        let left = BOUND.saturating_sub(self.waits_since.elapsed());
        match self.lines.recv_timeout(left) {
            Ok(Heard::Stdout(line)) => {
                self.stdout.push_str(&line);
                Some(line)
            }
            Ok(Heard::Stderr(line)) => {
                self.stderr.push_str(&line);
                Some(line)
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                panic!("not over after {BOUND:?}:\n{}", self.stderr)
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already unless a test failed half-way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A run that has ended.
pub(crate) struct Finished {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) took: Duration,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    folder: TempDir,
}

impl Finished {
    /// Fails unless it ended with this code.
    pub(crate) fn code(self, expected: i32) -> Finished {
        assert_eq!(self.code, Some(expected), "{}", self.stderr);
        self
    }

    /// Fails unless all these texts were said on stderr.
    pub(crate) fn says(self, texts: &[&str]) -> Finished {
        for text in texts {
            assert!(
                self.stderr.contains(text),
                "`{text}` is missing:\n{}",
                self.stderr
            );
        }
        self
    }

    /// A file of its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What its script printed, without time, user and place.
    pub(crate) fn printed(&self) -> Vec<&str> {
        let place = regex::Regex::new(r"script\.rhai:\d+: ").unwrap();
        let lines = self.stderr.lines();
        lines
            .filter_map(|line| Some(&line[place.find(line)?.end()..]))
            .collect()
    }

    /// The document of `--json`, which is all that stdout has.
    pub(crate) fn document(&self) -> Document {
        match serde_json::from_str(&self.stdout) {
            Ok(value) => Document(value),
            Err(error) => panic!(
                "{error}; stdout: `{}`; stderr: {}",
                self.stdout, self.stderr
            ),
        }
    }
}

/// The document of `--json`.
pub(crate) struct Document(pub(crate) Value);

impl Document {
    /// A whole number, by JSON pointer.
    pub(crate) fn count(&self, pointer: &str) -> u64 {
        let value = self.0.pointer(pointer).and_then(Value::as_u64);
        value.unwrap_or_else(|| panic!("no count at `{pointer}`: {}", self.0))
    }

    /// A number, by JSON pointer.
    pub(crate) fn number(&self, pointer: &str) -> f64 {
        let value = self.0.pointer(pointer).and_then(Value::as_f64);
        value.unwrap_or_else(|| panic!("no number at `{pointer}`: {}", self.0))
    }

    /// Requests and failures of a row; zeros if there is none.
    pub(crate) fn row(&self, name: &str) -> (u64, u64) {
        let rows = self.0["requests"].as_array().unwrap();
        let number = |row: &Value, key: &str| row[key].as_u64().unwrap();
        let row = rows.iter().find(|row| row["name"] == name);
        row.map_or((0, 0), |row| {
            (number(row, "requests"), number(row, "failures"))
        })
    }

    /// Each kind of failed request: name, error, count; the names in order.
    pub(crate) fn errors(&self) -> Vec<(String, String, u64)> {
        self.list("errors", "name", "error")
    }

    /// Each kind of exception: message, place, count.
    pub(crate) fn exceptions(&self) -> Vec<(String, String, u64)> {
        self.list("exceptions", "message", "location")
    }

    fn list(&self, list: &str, first: &str, second: &str) -> Vec<(String, String, u64)> {
        let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        let rows = self.0[list].as_array().unwrap().iter();
        let mut rows: Vec<_> = rows
            .map(|row| {
                let count = row["count"].as_u64().unwrap();
                (text(row, first), text(row, second), count)
            })
            .collect();
        rows.sort();
        rows
    }
}

/// One row of [`Document::errors`] or [`Document::exceptions`].
pub(crate) fn counted(first: &str, second: &str, count: u64) -> (String, String, u64) {
    (first.to_owned(), second.to_owned(), count)
}
