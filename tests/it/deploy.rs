//! What a deployment leans on: token files, the health port, options for one role in an environment
//! that several share, and the files that people copy.
//!
//! On a real engine docker-compose.yml is tried by `make test-compose`; deploy/kubernetes is checked
//! by `make kubernetes`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::peer::Shop;
use crate::tool::{Finished, Running, Tool};

const SCRIPT: &str = "user(\"U\", #{ t: task(|| { this.client.get(\"/hello\"); }) });";

/// A port that nobody has right now.
fn free_port() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port().to_string()
}

/// The port that it says it answers on.
fn health_port(of: &mut Running) -> String {
    let line = of.says("/livez and /readyz are on port ");
    line.trim().rsplit(' ').next().unwrap().to_owned()
}

fn health(port: &str, arguments: &str) -> Finished {
    let tool = Tool::new().args("health --port").arg(port);
    tool.args(arguments).run()
}

fn is_ready(port: &str) {
    let begun = std::time::Instant::now();
    while health(port, "--ready").code != Some(0) {
        assert!(begun.elapsed() < crate::tool::BOUND, "it is never ready");
    }
}

#[test]
fn a_worker_waits_for_the_token_that_its_master_makes() {
    let (shop, port) = (Shop::open(), free_port());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let started = |tool: Tool, arguments: &str| {
        let tool = tool.env("KATYDID_CLUSTER_TOKEN_FILE", &file);
        tool.args(arguments).start()
    };
    let line = format!("--worker --threads 1 --master-port {port} --health-port 0");
    let mut worker = started(Tool::new(), &line);
    let health_of_worker = health_port(&mut worker);
    worker.says(&format!("waiting for `{}`", file.display()));
    let health_without = health(&health_of_worker, "").code(0);
    assert_eq!(health_without.stdout, "ok\n");
    health(&health_of_worker, "--ready")
        .code(1)
        .says(&["not ready yet"]);
    let line = format!("--master --master-bind-port {port} --health-port 0 -r 100 -u 2");
    let mut master = started(Tool::running(SCRIPT).on(&shop), &line);
    let health_of_master = health_port(&mut master);
    master.says(&format!("made a token for workers: {}", file.display()));
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    master.says("all users spawned: 2");
    is_ready(&health_of_worker);
    is_ready(&health_of_master);
    master.interrupt();
    worker.says("the run is over: all numbers are with the master");
    worker.finish().code(0);
    master.finish().code(0);
    health(&health_of_master, "")
        .code(1)
        .says(&["no answer on port", "--health-port"]);
}

#[test]
fn a_worker_that_waits_for_its_token_can_be_stopped() {
    let file = "--cluster-token-file token";
    let mut worker = Tool::new().args("--worker").args(file).start();
    worker.says("waiting for `token`");
    worker.terminate();
    worker.finish().code(0);
}

#[test]
fn the_web_ui_keeps_its_token_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web-token");
    let links = [(); 2].map(|()| {
        let mut run = Tool::new()
            .file("katydid.rhai", SCRIPT)
            .env("KATYDID_WEB_TOKEN_FILE", &file)
            .args("--web-host 0.0.0.0 --web-port 0")
            .start();
        let line = run.says("web UI: http://localhost:");
        run.interrupt();
        run.finish().code(0);
        line.rsplit_once("/#token=").unwrap().1.trim().to_owned()
    });
    assert_eq!(links[0].len(), 43);
    assert_eq!(links[0], links[1]);
}

#[test]
fn what_people_know_from_locust_is_accepted_with_a_word() {
    let shop = Shop::open();
    Tool::running(SCRIPT)
        .on(&shop)
        .args("-i 3 --processes -1 --enable-rebalancing")
        .run()
        .code(0)
        .says(&["`--processes` changes nothing", "`--enable-rebalancing`"]);
    let mut worker = Tool::new()
        .args("--worker -f nowhere.rhai --master-port 1 --processes 4")
        .start();
    worker.says("`--processes` changes nothing");
    worker.says("`-f` changes nothing: a worker gets its script from its master");
    worker.says("no master yet");
    worker.interrupt();
    worker.finish().code(0);
}

#[test]
fn options_of_a_role_are_missed_only_where_they_were_typed() {
    for (arguments, option, role) in [
        ("--expect-workers 2", "--expect-workers", "--master"),
        ("--master-bind-host *", "--master-bind-host", "--master"),
        ("--master --master-host a", "--master-host", "--worker"),
        (
            "--worker --master-bind-port 1",
            "--master-bind-port",
            "--master",
        ),
    ] {
        let missed = format!("`{option}` means nothing without `{role}`");
        Tool::running(SCRIPT)
            .args(arguments)
            .run()
            .code(2)
            .says(&[&missed, "hint"]);
    }
    // As in the image, whatever it is started as; the last one is Kubernetes', for a Service.
    let with_all = |tool: Tool| {
        tool.env("KATYDID_WEB_HOST", "0.0.0.0")
            .env("KATYDID_MASTER_BIND_HOST", "0.0.0.0")
            .env("KATYDID_EXPECT_WORKERS", "2")
            .env("KATYDID_MASTER_NODE_HOST", "127.0.0.1")
            .env("KATYDID_HEALTH_PORT", "0")
            .env("KATYDID_MASTER_PORT", "tcp://10.0.0.1:5557")
    };
    let shop = Shop::open();
    let alone = with_all(Tool::running(SCRIPT)).on(&shop).args("-i 5");
    alone.run().code(0);
    assert_eq!(shop.counts().total, 5);
    let mut worker = with_all(Tool::new())
        .args("--worker --master-port 1")
        .start();
    worker.says("for the master at 127.0.0.1:1");
    worker.interrupt();
    worker.finish().code(0);
    let port = free_port();
    let arguments = format!("target --port 0 --health-port {port}");
    let target = with_all(Tool::new()).args(&arguments).start();
    is_ready(&port);
    target.interrupt();
    target.finish().code(0);
    with_all(Tool::new()).args("--version").run().code(0);
}

/// A file of the repository.
fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn variables_in_the_files_to_copy_are_known() {
    let known = Tool::new().args("--help").run().code(0).stdout;
    let name = regex::Regex::new(r"KATYDID_[A-Z_]+").unwrap();
    let known: Vec<_> = name.find_iter(&known).map(|it| it.as_str()).collect();
    // Of the build, and of the engine.
    let others = ["KATYDID_WEB_DIST", "KATYDID_MASTER_PORT", "KATYDID_"];
    let files = [
        "Dockerfile",
        "docker-compose.yml",
        "deploy/kubernetes/master.yaml",
        "deploy/kubernetes/worker.yaml",
    ];
    for file in files {
        let text = read(file);
        let mut found = name.find_iter(&text).map(|it| it.as_str()).peekable();
        assert!(found.peek().is_some(), "{file}");
        for name in found.filter(|name| !others.contains(name)) {
            assert!(
                known.contains(&name),
                "{file} has {name}, which nobody reads"
            );
        }
    }
}

#[test]
fn the_image_is_built_of_what_is_there_by_the_compiler_that_is_asked_for() {
    let (dockerfile, ignored) = (read("Dockerfile"), read(".dockerignore"));
    let version = env!("CARGO_PKG_RUST_VERSION");
    assert!(dockerfile.contains(&format!("FROM rust:{version}-")));
    let copies = dockerfile.lines().filter_map(|line| {
        let copied = line.strip_prefix("COPY ")?;
        (!copied.starts_with("--from")).then_some(copied)
    });
    let mut files: Vec<_> = copies
        .flat_map(|line| {
            let (files, _) = line.rsplit_once(' ').unwrap();
            files.split(' ')
        })
        .collect();
    assert!(files.len() > 5, "{files:?}");
    files.dedup();
    for file in files {
        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists(),
            "{file}"
        );
        let is_sent = ignored.lines().any(|line| {
            line.strip_prefix('!')
                .is_some_and(|sent| Path::new(file).starts_with(sent))
        });
        assert!(is_sent, "{file} is not sent to the engine");
    }
}
