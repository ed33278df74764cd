//! What exists once for a whole run, over workers: rows, queues, values made once, files, the seed.
//!
//! Each test counts at the target or on the master's disk, and fails if the thing existed once for
//! each worker.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use crate::cluster::{started, worker};
use crate::peer::Raw;
use crate::tool::{BOUND, Running, Tool};

/// A server that notes the paths of its requests.
pub(crate) struct Noting {
    pub(crate) server: Raw,
    paths: Arc<Mutex<Vec<String>>>,
}

impl Noting {
    pub(crate) fn open() -> Noting {
        let paths = Arc::new(Mutex::new(Vec::new()));
        let noted = paths.clone();
        let server = Raw::serving(move |stream, head| {
            let path = head[0].split(' ').nth(1).unwrap_or_default();
            noted.lock().unwrap().push(path.to_owned());
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        });
        Noting { server, paths }
    }

    /// All requests so far, in order of their paths.
    fn paths(&self) -> Vec<String> {
        let mut paths = self.paths.lock().unwrap().clone();
        paths.sort();
        paths
    }

    /// How often each path came.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for path in self.paths() {
            *counts.entry(path).or_default() += 1;
        }
        counts
    }

    pub(crate) fn receives(&self, count: usize) {
        let begun = std::time::Instant::now();
        while self.paths.lock().unwrap().len() < count {
            assert!(begun.elapsed() < BOUND, "{} came", self.paths().len());
            std::thread::yield_now();
        }
    }
}

pub(crate) fn accounts(count: u32) -> String {
    let lines = (0..count).map(|id| format!("{id}\n"));
    std::iter::once("id\n".to_owned()).chain(lines).collect()
}

/// Each user takes an account for each of its iterations.
const TAKES: &str = r#"
    let accounts = csv("accounts.csv", #{ mode: "unique" });
    user("U", #{ wait_time: 0.01, t: task(|| {
        let account = accounts.next();
        this.client.get(`/${account.id}`, #{ name: "account" });
    }) });
"#;

/// A master of that script beside so many accounts, and workers.
fn taking(
    accounts_there: u32,
    peer: &Noting,
    workers: usize,
    arguments: &str,
) -> (Running, Vec<Running>) {
    let tool = Tool::running(TAKES).file("accounts.csv", accounts(accounts_there));
    let arguments = format!("--expect-workers {workers} {arguments}");
    let (run, port) = started(tool, &peer.server, &arguments);
    let workers = (0..workers).map(|_| worker(&port, "")).collect();
    (run, workers)
}

#[test]
fn each_row_is_taken_once_over_all_workers_and_the_run_ends_when_they_are_used_up() {
    let peer = Noting::open();
    let (mut run, workers) = taking(400, &peer, 3, "-u 9 -r 1000");
    run.says("all users have ended");
    let document = run.finish().code(0).document();
    for worker in workers {
        worker.finish().code(0);
    }
    assert_eq!(document.count("/total/requests"), 400);
    let counts = peer.counts();
    assert_eq!(counts.len(), 400);
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
}

#[test]
fn a_worker_that_leaves_gives_its_rows_back() {
    let peer = Noting::open();
    let (mut run, mut workers) = taking(600, &peer, 2, "-u 8 -r 1000 --stop-timeout 20");
    peer.receives(150);
    let first = workers.remove(0);
    first.terminate();
    first.finish().code(0);
    run.says("all users have ended");
    let run = run.finish().code(0);
    assert!(!run.stderr.contains("rows were with"), "{}", run.stderr);
    assert_eq!(run.document().count("/total/requests"), 600);
    let counts = peer.counts();
    assert_eq!(counts.len(), 600);
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
}

#[test]
fn rows_of_a_worker_that_is_killed_are_named_and_used_by_nobody() {
    let peer = Noting::open();
    let (mut run, mut workers) = taking(1_200, &peer, 2, "-u 8 -r 1000");
    peer.receives(300);
    workers.remove(0).kill();
    let line = run.says("rows were with worker");
    assert!(
        line.contains("accounts.csv: ") && line.contains("are not used again"),
        "{line}"
    );
    let named = line.split_once("accounts.csv: ").unwrap().1;
    let named: usize = named.split(' ').next().unwrap().parse().unwrap();
    run.says("all users have ended");
    run.finish();
    let counts = peer.counts();
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    assert!(
        counts.len() + named >= 1_200,
        "{} and {named}",
        counts.len()
    );
}

#[test]
fn iterations_of_a_worker_that_is_killed_are_begun_by_others() {
    let peer = Noting::open();
    let script = "user(\"U\", #{ wait_time: 0.01, t: task(|| { this.client.get(\"/\"); }) });";
    let arguments = "--expect-workers 2 -u 8 -r 1000 -i 1500";
    let (mut run, port) = started(Tool::running(script), &peer.server, arguments);
    let mut second = worker(&port, "");
    let first = worker(&port, "");
    peer.receives(400);
    first.kill();
    run.says("all users have ended");
    second.says("the run is over");
    let document = run.finish().document();
    assert_eq!(document.count("/iterations/started"), 1_500);
    // The users of the one that was killed were in the midst of theirs.
    let reported = document.count("/total/requests");
    assert!((1_500 - 8..=1_500).contains(&reported), "{reported}");
    assert!(peer.paths().len() as u64 >= reported);
}

#[test]
fn what_scripts_share_is_one_for_all_workers() {
    let peer = Noting::open();
    let script = r#"
        let jobs = queue("jobs");
        let gate = queue("gate");
        setup(|| { for n in 0..60 { jobs.put(n); } });
        teardown(|| { print("left", jobs.len(), "of", stats().requests); });
        user("U", #{
            on_start: || {
                let made = this.once("token", || this.client.get("/token").status);
                if made != 200 { throw "it has none"; }
                wait_for("spawning_complete");
                if user_count() != 8 { throw `there are ${user_count()}`; }
                gate.put(worker_index());
                // Nobody begins before all of both workers have come.
                while gate.len() < 8 { sleep("5ms"); }
            },
            t: task(|| {
                let job = jobs.try_take();
                if job == () {
                    exit_code(7);
                    stop_user();
                }
                counter("jobs").add(1);
                append("done.txt", `${worker_index()} ${job}`);
                this.client.get(`/job/${job}`, #{ name: "job" });
            }),
        });
    "#;
    let tool = Tool::running(script);
    let (mut run, port) = started(tool, &peer.server, "--expect-workers 2 -u 8 -r 1000");
    let workers = [worker(&port, ""), worker(&port, "")];
    run.says("all users have ended");
    let run = run.finish().code(7).says(&["left 0 of 61"]);
    for worker in workers {
        worker.finish().code(0);
    }
    let document = run.document();
    assert!(
        document.exceptions().is_empty(),
        "{:?}",
        document.exceptions()
    );
    assert_eq!(document.count("/counters/0/total"), 60);
    let mut expected: Vec<_> = (0..60).map(|job| format!("/job/{job}")).collect();
    expected.push("/token".to_owned());
    expected.sort();
    assert_eq!(peer.paths(), expected);
    let written = std::fs::read_to_string(run.path("done.txt")).unwrap();
    let lines = written.lines().map(|line| line.split_once(' ').unwrap());
    let mut jobs: Vec<u32> = lines.clone().map(|(_, job)| job.parse().unwrap()).collect();
    jobs.sort_unstable();
    assert!(jobs.into_iter().eq(0..60), "{written}");
    let mut indices: Vec<_> = lines.map(|(index, _)| index).collect();
    indices.sort_unstable();
    indices.dedup();
    assert_eq!(indices, ["0", "1"], "both have written");
}

#[test]
fn workers_have_what_the_script_names_of_the_masters_machine_and_nothing_else() {
    let peer = Noting::open();
    let script = r#"
        user("U", #{ t: task(|| {
            let photo = #{ photo: #{ file: "photo.png" } };
            this.client.post(`/${env("WHERE")}/${env("NOWHERE", "unset")}`, #{ multipart: photo });
            try { env("OTH" + "ER"); } catch (why) { print(why); }
            try { append("other" + ".txt", "x"); } catch (why) { print(why); }
            let other = #{ p: #{ file: "a" + ".png" } };
            try { this.client.post("/never", #{ multipart: other }); } catch (why) { print(why); }
        }) });
    "#;
    let tool = Tool::running(script)
        .file("photo.png", "pixels")
        .file("a.png", "others")
        .env("WHERE", "here")
        .env("OTHER", "secret");
    let (mut run, port) = started(tool, &peer.server, "-u 1 -i 1");
    let mut worker = worker(&port, "");
    worker.says("`OTHER` is not on this worker");
    worker.says("whose names stand in the script");
    worker.says("was not sent to this worker");
    run.says("all users have ended");
    run.finish();
    assert_eq!(peer.paths(), ["/here/unset"]);
}

/// What the users of a run ask for with that seed.
fn asked_for(workers: usize) -> Vec<String> {
    let peer = Noting::open();
    let script = r#"
        let rows = csv("accounts.csv", #{ mode: "random" });
        fn asks(what) {
            let n = random(1, 1000000);
            this.client.get(`/${what}/${vu_class()}-${vu_id()}-${vu_iteration()}-${n}`);
            if vu_iteration() >= 5 { stop_user(); }
        }
        user("A", #{ weight: 3, one: task(2, || this.asks("one")),
            row: task(1, || this.asks(rows.random().id)), asks: asks });
        user("B", #{ weight: 1, two: task(|| this.asks("two")), asks: asks });
    "#;
    let tool = Tool::running(script).file("accounts.csv", accounts(50));
    let arguments = format!("--expect-workers {workers} -u 12 -r 1000 --seed 11");
    let (mut run, port) = started(tool, &peer.server, &arguments);
    let workers: Vec<_> = (0..workers).map(|_| worker(&port, "")).collect();
    run.says("all users have ended");
    let run = run.finish().code(0);
    drop(workers);
    assert!(
        run.document().exceptions().is_empty(),
        "{:?}",
        run.document().exceptions()
    );
    peer.paths()
}

#[test]
fn the_same_seed_gives_the_same_users_and_choices_on_one_worker_and_on_four() {
    let alone = asked_for(1);
    assert!(alone.len() >= 60, "{alone:?}");
    assert_eq!(asked_for(4), alone);
}
