//! Runs of a master with a web UI, one after another, on the same workers.
//!
//! What is exact within one of them is tested in `cluster`.

use serde_json::json;

use super::{Ui, tool};
use crate::peer::Shop;
use crate::tool::{Running, Tool};

const SCRIPT: &str =
    "user(\"U\", #{ wait_time: 0.01, t: task(|| { this.client.get(\"/hello\"); }) });";

const JSON: &str = "content-type: application/json";

fn worker(port: &str) -> Running {
    let arguments = format!("--worker --threads 1 --master-port {port}");
    Tool::new().args(&arguments).start()
}

#[test]
fn workers_stay_for_the_next_run_and_leave_with_their_master() {
    let shop = Shop::open();
    let options = "--master --master-bind-port 0 --expect-workers 2 -u 6 -r 1000 -i 200 --json";
    let mut process = tool(SCRIPT).on(&shop).args(options).start();
    let line = process.says("waiting for workers on ");
    let port = line.trim().rsplit(':').next().unwrap().to_owned();
    let ui = Ui::serving(process);
    let mut first = worker(&port);
    let refused = ui.json(422, "POST /api/v1/runs", &json!({}));
    let why = refused["detail"].as_str().unwrap();
    assert!(why.contains("of 2 workers have come"), "{why}");
    assert!(why.contains("katydid --worker"), "{why}");
    let mut second = worker(&port);
    for run in 1..=3 {
        // The second worker may take its time to come.
        let start = || ui.request("POST /api/v1/runs", &[JSON], b"{}").status;
        let mut starts = std::iter::repeat_with(start).take(20);
        let last = starts.find(|status| *status != 422);
        assert_eq!(last, Some(201));
        ui.reaches("stopped");
        let all = ui.api("runs");
        let all = all["runs"].as_array().unwrap();
        assert_eq!(all.len(), run);
        assert!(all.iter().all(|run| run["requests"] == 200), "{all:?}");
        assert_eq!(shop.counts().total, 200 * run as u64);
        for worker in [&mut first, &mut second] {
            worker.says("waiting for the next run");
        }
    }
    ui.run.interrupt();
    for mut worker in [first, second] {
        worker.says("the run is over: all numbers are with the master");
        worker.finish().code(0);
    }
    ui.run.finish().code(0);
}
