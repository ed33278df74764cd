//! Workers in the API: frames, Locust's endpoints, the log.
//!
//! Owns what those say of a master's workers; files and the log's own lines are `cluster_shown`'s.

use super::{Ui, tool};
use crate::cluster_shown::{host_name, worker};
use crate::peer::Shop;

const SCRIPT: &str = r#"
user("U", #{ wait_time: 0.05, t: task(|| {
    if this.client.get("/hello").status == 200 { print("served"); }
}) });
"#;

#[test]
fn the_api_tells_of_workers_as_its_document_says() {
    let shop = Shop::open();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let args = format!(
        "--master --master-bind-port {port} --expect-workers 2 --autostart -u 4 -r 100 --autoquit 0"
    );
    let ui = Ui::start(tool(SCRIPT).on(&shop).args(&args));
    let mut workers = [worker(&port), worker(&port)];
    let host = host_name();
    let at_work = ui.until("/api/v1/snapshot", |now| {
        let workers = now["workers"].as_array()?;
        let is_at_work = |it: &serde_json::Value| it["state"] == "running" && it["users"] == 2;
        let are_told = workers
            .iter()
            .all(|it| is_at_work(it) && it["samples"] != 0);
        (workers.len() == 2 && are_told).then(|| workers.clone())
    });
    for (number, worker) in at_work.iter().enumerate() {
        assert_eq!(worker["number"], number);
        assert_eq!(worker["name"], host.as_str());
        assert_eq!(worker["version"], env!("CARGO_PKG_VERSION"));
    }
    let locust = ui.get("/stats/requests").status(200).json();
    assert_eq!(locust["worker_count"], 2);
    assert_eq!(locust["workers"][1]["id"], format!("{host}_1"));
    assert_eq!(locust["workers"][0]["user_count"], 2);
    assert_eq!(ui.get("/worker-count").json()["worker_count"], 2);
    ui.until("/logs", |log| {
        let lines = |worker: usize| log["workers"][format!("{host}_{worker}")].as_array();
        let said = |worker| {
            lines(worker)?
                .iter()
                .any(|it| it.as_str().unwrap().contains("served"))
                .then_some(())
        };
        said(0)?;
        said(1)
    });
    ui.run.interrupt();
    for worker in &mut workers {
        worker.says("the run is over: all numbers are with the master");
    }
    ui.run.finish().code(0);
}
