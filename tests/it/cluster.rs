//! A master and its workers, as processes on this machine: what they report is what the target
//! counted.
//!
//! What they say to each other is tried in `src/cluster` against every kind of mishap.

use crate::peer::{Peer, Shop};
use crate::tool::{Running, Tool};

pub(crate) const SCRIPT: &str =
    "user(\"U\", #{ wait_time: 0.01, t: task(|| { this.client.get(\"/hello\"); }) });";

/// A master of that script, and the address where it waits for workers.
pub(crate) fn master(script: &str, peer: &impl Peer, arguments: &str) -> (Running, String) {
    started(Tool::running(script), peer, arguments)
}

/// As `master`, of a command line that is begun.
pub(crate) fn started(tool: Tool, peer: &impl Peer, arguments: &str) -> (Running, String) {
    let mut master = tool
        .on(peer)
        .args(&format!("--master --master-bind-port 0 {arguments}"))
        .start();
    let line = master.says("waiting for workers on ");
    let port = line.rsplit(':').next().expect("an address has a port");
    (master, port.trim().to_owned())
}

pub(crate) fn worker(port: &str, arguments: &str) -> Running {
    let arguments = format!("--worker --threads 1 --master-port {port} {arguments}");
    Tool::new().args(&arguments).start()
}

#[test]
fn workers_come_go_and_reload_and_every_request_is_counted_once() {
    let shop = Shop::open();
    let (mut run, port) = master(SCRIPT, &shop, "-u 12 -r 100 --expect-workers 2");
    let mut first = worker(&port, "");
    let mut second = worker(&port, "");
    run.says("all users spawned: 12");
    let mut third = worker(&port, "");
    run.says("joins with 1 load threads");
    run.reload(&SCRIPT.replace("0.01", "0.02"));
    run.in_service(2);
    // One leaves in order: its users go to the others, and its numbers stay.
    first.interrupt();
    first.says("the run is over: all numbers are with the master");
    first.finish().code(0);
    shop.receives("/hello", 2_000);
    run.interrupt();
    for worker in [&mut second, &mut third] {
        worker.says("the run is over: all numbers are with the master");
    }
    second.finish().code(0);
    third.finish().code(0);
    let document = run.finish().code(0).document();
    let counted = shop.counts().total;
    let reported = document.count("/total/requests");
    let cut = document.count("/in_flight_at_stop");
    assert_eq!(reported + cut, counted, "{reported} and {cut} cut");
    assert_eq!(document.count("/total/failures"), 0);
    assert_eq!(document.count("/users/peak"), 12);
}

#[test]
fn iterations_are_exact_and_a_worker_may_be_there_first() {
    let shop = Shop::open();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let mut early = worker(&port, "");
    early.says("no master yet");
    let mut run = Tool::running(SCRIPT)
        .on(&shop)
        .args(&format!(
            "--master --master-bind-port {port} -u 7 -r 100 -i 503"
        ))
        .start();
    run.says("waiting for workers");
    early.says("the run is over: all numbers are with the master");
    early.finish().code(0);
    let document = run.finish().code(0).document();
    assert_eq!(document.count("/total/requests"), 503);
    assert_eq!(shop.counts().total, 503);
}

#[test]
fn a_worker_that_is_killed_is_named_with_what_may_be_missing() {
    let shop = Shop::open();
    let (mut run, port) = master(SCRIPT, &shop, "-u 10 -r 100 --expect-workers 2");
    let mut second = worker(&port, "");
    let first = worker(&port, "");
    run.says("all users spawned: 10");
    shop.receives("/hello", 1_000);
    first.kill();
    run.says("is gone: its users move to the others");
    let before = shop.counts().total;
    shop.receives("/hello", before + 1_000);
    run.interrupt();
    second.says("the run is over: all numbers are with the master");
    let line = run.says("requests that it made are in no figure");
    let named: u64 = line
        .split_once("up to ")
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
        .expect("it is a number");
    let document = run.finish().document();
    let counted = shop.counts().total;
    let reported = document.count("/total/requests");
    let cut = document.count("/in_flight_at_stop");
    assert!(reported <= counted, "{reported} of {counted}");
    assert!(
        counted <= reported + cut + named,
        "{counted}: {reported}, {cut}, {named}"
    );
    assert_eq!(document.count("/users/peak"), 10);
}

#[test]
fn who_does_not_know_the_token_is_no_worker_and_no_master() {
    let shop = Shop::open();
    let token = "--cluster-token a-token-of-16-letters";
    let (mut run, port) = master(SCRIPT, &shop, &format!("-u 2 -r 100 -i 20 {token}"));
    let stranger = worker(&port, "--cluster-token another-of-16-letters").finish();
    assert!(stranger.code(3).stderr.contains("--cluster-token"));
    let mut friend = worker(&port, token);
    friend.says("the run is over");
    friend.finish().code(0);
    run.says("all users have ended");
    run.finish().code(0);
    assert_eq!(shop.counts().total, 20);
}

#[test]
fn what_cannot_be_is_said_before_anything_starts() {
    let shop = Shop::open();
    let refused = |script: &str, arguments: &str, code: i32| {
        let run = Tool::running(script).on(&shop).args(arguments).run();
        run.code(code).stderr
    };
    let far = refused(SCRIPT, "--master --master-bind-host 0.0.0.0", 2);
    assert!(
        far.contains("workers from other machines need a token"),
        "{far}"
    );
    let short = refused(SCRIPT, "--master --cluster-token short", 2);
    assert!(short.contains("16 are the least"), "{short}");
    let both = refused(SCRIPT, "--master --worker", 2);
    assert!(both.contains("cannot be used with"), "{both}");
    let late = refused(
        SCRIPT,
        "--master --master-bind-port 0 --expect-workers-max-wait 1s",
        3,
    );
    assert!(late.contains("0 of 1 workers have come in 1s"), "{late}");
    assert!(late.contains("katydid --worker --master-host"), "{late}");
}
