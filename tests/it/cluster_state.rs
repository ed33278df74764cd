//! A master that keeps its state in a file: one that is started again has what had left before, and
//! what exists once.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::cluster::SCRIPT;
use crate::cluster_restart::{free_port, master, more, worker};
use crate::peer::{Raw, Shop};
use crate::tool::{BOUND, Tool};

/// A place for a state file, in a folder of its own.
fn place() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("master.state");
    (folder, path)
}

#[test]
fn numbers_of_a_worker_that_had_left_outlive_the_master() {
    let shop = Shop::open();
    let port = free_port();
    let (_folder, file) = place();
    let arguments = format!(
        "-u 12 -r 100 --stop-timeout 20 --expect-workers 2 --state {}",
        file.display()
    );
    let mut first_master = master(SCRIPT, &shop, port, &arguments);
    let mut first = worker(port, "");
    let mut second = worker(port, "");
    first_master.says("all users spawned: 12");
    more(&shop, 500);
    first.interrupt();
    // It goes once all its numbers are in the file.
    first.says("the run is over: all numbers are with the master");
    first.finish().code(0);
    more(&shop, 300);
    first_master.kill();
    more(&shop, 300);
    let mut run = master(SCRIPT, &shop, port, &arguments);
    run.says("goes on");
    let mut third = worker(port, "");
    run.says("joins with 1 load threads");
    more(&shop, 500);
    run.interrupt();
    for worker in [&mut second, &mut third] {
        worker.says("the run is over: all numbers are with the master");
    }
    second.finish().code(0);
    third.finish().code(0);
    let finished = run.finish().code(0);
    assert!(
        !finished.stderr.contains("in no figure"),
        "{}",
        finished.stderr
    );
    let document = finished.document();
    let counted = shop.counts().total;
    let reported = document.count("/total/requests");
    let cut = document.count("/in_flight_at_stop");
    assert_eq!(reported + cut, counted, "{reported} and {cut} cut");
    assert_eq!(document.count("/total/failures"), 0);
    assert!(!file.exists(), "the run has ended");
}

#[test]
fn what_scripts_share_outlives_the_master() {
    let (is_open, paths) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(Mutex::new(Vec::new())),
    );
    let (opens, noted) = (is_open.clone(), paths.clone());
    let peer = Raw::serving(move |stream, head| {
        let path = head[0].split(' ').nth(1).unwrap_or_default();
        let status = match path == "/gate" && !opens.load(Ordering::SeqCst) {
            true => "404 Not Found",
            false => "200 OK",
        };
        noted.lock().unwrap().push(path.to_owned());
        let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
    });
    let count = |of: &str| {
        let paths = paths.lock().unwrap();
        paths.iter().filter(|path| path.starts_with(of)).count()
    };
    let comes = |of: &str, many: usize| {
        let begun = std::time::Instant::now();
        while count(of) < many {
            assert!(begun.elapsed() < BOUND, "{} of {of}", count(of));
            std::thread::yield_now();
        }
    };
    let script = r#"
        let jobs = queue("jobs");
        setup(|| { for n in 0..40 { jobs.put(n); } });
        user("U", #{ wait_time: 0.02,
            on_start: || {
                let made = once("token", || random(1, 1000000000));
                this.client.get(`/token/${made}`, #{ name: "token" });
            },
            t: task(|| {
                let gate = this.client.get("/gate", #{ expect: [200, 404] });
                if gate.status != 200 { return; }
                let job = jobs.try_take();
                if job != () { this.client.get(`/job/${job}`, #{ name: "job" }); }
            }),
        });
    "#;
    let port = free_port();
    let (_folder, file) = place();
    let arguments = format!(
        "--master --master-bind-port {port} --worker-timeout 5s -u 4 -r 100 --expect-workers 2 \
         --state {}",
        file.display()
    );
    let start = || {
        let mut master = Tool::running(script).on(&peer).args(&arguments).start();
        master.says("waiting for workers on ");
        master
    };
    let mut first_master = start();
    let mut first = worker(port, "");
    let second = worker(port, "");
    first_master.says("all users spawned: 4");
    comes("/token/", 4);
    first.interrupt();
    first.says("the run is over: all numbers are with the master");
    first_master.kill();
    let mut run = start();
    run.says("goes on");
    let before = count("/token/");
    let third = worker(port, "");
    run.says("joins with 1 load threads");
    comes("/token/", before + 1);
    is_open.store(true, Ordering::SeqCst);
    comes("/job/", 40);
    run.interrupt();
    let finished = run.finish();
    assert!(
        !finished.stderr.contains("gone with the last master"),
        "{}",
        finished.stderr
    );
    second.finish();
    third.finish();
    let mut all = paths.lock().unwrap().clone();
    all.retain(|path| path != "/gate");
    all.sort();
    let jobs = all.iter().filter(|path| path.starts_with("/job/"));
    assert_eq!(jobs.count(), 40, "each once: {all:?}");
    all.dedup();
    // One token for all users, and forty jobs.
    assert_eq!(all.len(), 41, "{all:?}");
}

#[test]
fn a_file_that_cannot_be_written_is_said_and_said_again_when_it_can() {
    let shop = Shop::open();
    let port = free_port();
    let (folder, file) = place();
    // Where it is written before it is renamed, the disk is full.
    std::os::unix::fs::symlink("/dev/full", folder.path().join("master.state.new")).unwrap();
    let arguments = format!(
        "-u 4 -r 100 --stop-timeout 20 --expect-workers 2 --state {}",
        file.display()
    );
    let mut run = master(SCRIPT, &shop, port, &arguments);
    let mut first = worker(port, "");
    let second = worker(port, "");
    let line = run.says("cannot write the state file");
    assert!(line.contains("No space left on device"), "{line}");
    run.says("all users spawned: 4");
    more(&shop, 200);
    // Its numbers have to be in the file.
    first.interrupt();
    run.says("is written again");
    first.says("the run is over: all numbers are with the master");
    run.interrupt();
    second.finish().code(0);
    let document = run.finish().code(0).document();
    let reported = document.count("/total/requests") + document.count("/in_flight_at_stop");
    assert_eq!(reported, shop.counts().total);
}

#[test]
fn a_run_whose_workers_have_died_with_the_master_goes_on_with_others() {
    let shop = Shop::open();
    let port = free_port();
    let (_folder, file) = place();
    let arguments = format!("-u 6 -r 100 --expect-workers 2 --state {}", file.display());
    let mut first_master = master(SCRIPT, &shop, port, &arguments);
    let mut first = worker(port, "");
    let second = worker(port, "");
    first_master.says("all users spawned: 6");
    more(&shop, 500);
    first.interrupt();
    first.says("the run is over: all numbers are with the master");
    let in_file = shop.counts().total / 4;
    first_master.kill();
    second.kill();
    let run = master(SCRIPT, &shop, port, &arguments);
    let third = worker(port, "");
    more(&shop, 300);
    run.interrupt();
    third.finish().code(0);
    let finished = run.finish();
    let line = finished
        .stderr
        .lines()
        .find(|line| line.contains("was lost"));
    let named = line.and_then(|line| line.split("up to ").nth(1)).unwrap();
    let named: u64 = named.split(' ').next().unwrap().parse().unwrap();
    let reported = finished.document().count("/total/requests");
    let counted = shop.counts().total;
    assert!(
        (in_file..=counted).contains(&reported) && reported + named >= counted,
        "{reported} of {counted}, {named} named"
    );
}

#[test]
fn a_file_that_is_damaged_is_refused_and_left_alone() {
    let (_folder, file) = place();
    std::fs::write(&file, "no state").unwrap();
    let arguments = format!("-H http://127.0.0.1:1 --master --state {}", file.display());
    let run = || Tool::running(SCRIPT).args(&arguments);
    let said = run().run().code(2).stderr;
    assert!(
        said.contains("is not a state file, or not a whole one"),
        "{said}"
    );
    assert!(said.contains("`--fresh`"), "{said}");
    assert_eq!(std::fs::read(&file).unwrap(), b"no state");
    let mut fresh = run().args("--master-bind-port 0 --fresh").start();
    fresh.says("waiting for workers on ");
    fresh.kill();
}
