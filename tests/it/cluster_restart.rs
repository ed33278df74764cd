//! A master that ends in mid-run, and is started again or not: what is reported then is what the
//! target counted, and everything that waits for it ends.

use std::fs;

use tempfile::TempDir;

use crate::cluster_shared::{Noting, accounts};
use crate::peer::{Peer, Shop};
use crate::tool::{Running, Tool};

const SCRIPT: &str =
    "user(\"U\", #{ wait_time: 0.01, t: task(|| { this.client.get(\"/hello\"); }) });";

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a port");
    free.local_addr().expect("it has an address").port()
}

/// A master of that script, which waits for workers on that port.
pub(crate) fn master(script: &str, shop: &impl Peer, port: u16, arguments: &str) -> Running {
    let arguments = format!("--master --master-bind-port {port} --worker-timeout 5s {arguments}");
    let mut master = Tool::running(script).on(shop).args(&arguments).start();
    master.says("waiting for workers on ");
    master
}

pub(crate) fn worker(port: u16, arguments: &str) -> Running {
    let arguments = format!("--worker --threads 1 --master-port {port} {arguments}");
    Tool::new().args(&arguments).start()
}

/// Waits for so many more requests.
pub(crate) fn more(shop: &Shop, requests: u64) {
    let before = shop.counts().total;
    shop.receives("/hello", before + requests);
}

#[test]
fn a_master_that_is_started_again_goes_on_from_its_workers() {
    let shop = Shop::open();
    let port = free_port();
    let arguments = "-u 12 -r 100 --expect-workers 2";
    let mut first_master = master(SCRIPT, &shop, port, arguments);
    let mut first = worker(port, "");
    let mut second = worker(port, "");
    first_master.says("all users spawned: 12");
    more(&shop, 500);
    first_master.kill();
    // Nobody is there: load goes on.
    more(&shop, 500);
    let mut run = master(SCRIPT, &shop, port, arguments);
    run.says("goes on");
    run.says("goes on");
    more(&shop, 500);
    // Once it is known who has what, others may come, and take their share.
    let mut third = worker(port, "");
    run.says("joins with 1 load threads");
    run.reload(&SCRIPT.replace("0.01", "0.02"));
    run.in_service(2);
    more(&shop, 500);
    run.interrupt();
    for worker in [&mut first, &mut second, &mut third] {
        worker.says("the run is over: all numbers are with the master");
    }
    for worker in [first, second, third] {
        worker.finish().code(0);
    }
    let document = run.finish().code(0).document();
    let counted = shop.counts().total;
    let reported = document.count("/total/requests");
    let cut = document.count("/in_flight_at_stop");
    assert_eq!(reported + cut, counted, "{reported} and {cut} cut");
    assert_eq!(document.count("/total/failures"), 0);
    assert_eq!(document.count("/users/peak"), 12);
}

#[test]
fn a_worker_whose_master_stays_away_stops_and_says_so() {
    let shop = Shop::open();
    let port = free_port();
    let mut run = master(SCRIPT, &shop, port, "-u 4 -r 100");
    let mut alone = worker(port, "--master-timeout 3s");
    run.says("all users spawned: 4");
    more(&shop, 200);
    run.kill();
    alone.says("no master yet");
    let end = alone.finish().code(3).stderr;
    assert!(end.contains("there was no master for 6s"), "{end}");
}

#[test]
fn a_run_whose_time_is_over_meanwhile_ends_with_all_its_numbers() {
    let shop = Shop::open();
    let port = free_port();
    let arguments = "-u 6 -r 100 -t 4s --expect-workers 2";
    let mut first_master = master(SCRIPT, &shop, port, arguments);
    let workers = [worker(port, ""), worker(port, "")];
    first_master.says("all users spawned: 6");
    more(&shop, 200);
    first_master.kill();
    // Far more than four seconds' requests: nobody ends the run.
    more(&shop, 2_500);
    let run = master(SCRIPT, &shop, port, arguments);
    let document = run.finish().code(0).document();
    for worker in workers {
        worker.finish().code(0);
    }
    let counted = shop.counts().total;
    let reported = document.count("/total/requests");
    let cut = document.count("/in_flight_at_stop");
    assert_eq!(reported + cut, counted, "{reported} and {cut} cut");
}

#[test]
fn a_second_interrupt_ends_a_master_that_waits_for_last_numbers() {
    let shop = Shop::open();
    let port = free_port();
    // A run that waited for all its workers' tasks would not end in the time of a test.
    let mut run = master(SCRIPT, &shop, port, "-u 4 -r 100 --stop-timeout 10m");
    let frozen = worker(port, "");
    run.says("all users spawned: 4");
    // Long enough for its master to know how fast its users are.
    more(&shop, 1_500);
    frozen.signal(rustix::process::Signal::STOP);
    run.interrupt();
    run.says("stopping");
    run.interrupt();
    let finished = run.finish();
    frozen.kill();
    let is_named = finished
        .stderr
        .contains("requests that it made are in no figure");
    assert!(is_named, "{}", finished.stderr);
    let counted = shop.counts().total;
    let document = finished.document();
    let reported = document.count("/total/requests");
    assert!(reported <= counted, "{reported} of {counted}");
}

#[test]
fn a_worker_timeout_that_any_delay_would_exceed_is_refused() {
    let run = Tool::running(SCRIPT).args("-H http://127.0.0.1:1 --master --worker-timeout 1s");
    let said = run.run().code(2).stderr;
    assert!(
        said.contains("`--worker-timeout` takes 5s to 600s, not 1s"),
        "{said}"
    );
}

#[test]
fn a_limit_of_iterations_holds_over_two_masters() {
    let shop = Shop::open();
    let port = free_port();
    let arguments = "-u 6 -r 100 -i 2500";
    let first_master = master(SCRIPT, &shop, port, arguments);
    let only = worker(port, "");
    more(&shop, 1_000);
    first_master.kill();
    more(&shop, 50);
    let run = master(SCRIPT, &shop, port, arguments);
    let document = run.finish().code(0).document();
    only.finish().code(0);
    // Numbers that may have been given out before are not given out again.
    let counted = shop.counts().total;
    assert_eq!(document.count("/total/requests"), counted);
    assert!((1_050..=2_500).contains(&counted), "{counted}");
}

#[test]
fn what_exists_once_goes_on_from_workers_or_is_said_to_be_gone() {
    let peer = Noting::open();
    let port = free_port();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("accounts.csv");
    fs::write(&file, accounts(100_000)).unwrap();
    let script = r#"
        let accounts = csv("FILE", #{ mode: "unique" });
        on("worker_connect", |w| print(`hello ${w.worker}`));
        user("U", #{ wait_time: 0.01, t: task(|| {
            let account = accounts.next();
            append("taken.txt", `${account.id}`);
            this.client.get(`/${account.id}`, #{ name: "account" });
        }) });
        teardown(|| {
            queue("left").put(1);
            print(`${queue("left").len()} left, and ${accounts.next().id}`);
        });
    "#;
    let script = script.replace("FILE", file.to_str().unwrap());
    // Nothing is cut at the end.
    let arguments = "-u 6 -r 100 --expect-workers 2 --stop-timeout 20";
    let mut first_master = master(&script, &peer.server, port, arguments);
    let workers = [worker(port, ""), worker(port, "")];
    first_master.says("all users spawned: 6");
    peer.receives(500);
    first_master.kill();
    let mut run = master(&script, &peer.server, port, arguments);
    run.says_each(&[
        "what was in queues is gone with the last master",
        "worker 0 (",
        "worker 1 (",
        "hello 0",
        "hello 1",
    ]);
    // What their users hold is used, and rows go on once all who had some are there.
    let before = peer.counts().len();
    peer.receives(before + 1_000);
    let mut late = worker(port, "");
    run.says("hello 2");
    peer.receives(before + 1_500);
    let written = run.path("taken.txt");
    run.interrupt();
    run.says("1 left, and ");
    late.says("the run is over: all numbers are with the master");
    let run = run.finish().code(0);
    for worker in workers {
        worker.finish().code(0);
    }
    late.finish().code(0);
    let lines = fs::read_to_string(written).map_or(0, |text| text.lines().count());
    assert!(lines >= 1_000, "{lines} lines are in the file");
    assert!(!run.stderr.contains("did not end"), "{}", run.stderr);
    let document = run.document();
    let counts = peer.counts();
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    let counted = u64::try_from(counts.len()).unwrap();
    assert_eq!(document.count("/total/requests"), counted);
    let samples = (0..3).map(|it| document.count(&format!("/workers/{it}/samples")));
    assert_eq!(samples.sum::<u64>(), counted);
    for worker in 0..3 {
        assert_eq!(document.count(&format!("/workers/{worker}/missing")), 0);
    }
}
