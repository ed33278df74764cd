//! What happens to links and processes of a cluster, and that no number is lost by it.
//!
//! Each time: reported ≤ counted by the target ≤ reported + cut + named, and nothing is named, as no
//! process is killed.

use std::process::Command;
use std::time::Duration;

use katydid::cluster::hello::{Credentials, Role};
use katydid::cluster::message::{
    Down, Hello, Letter, PROTOCOL, ProcessId, Refused, Resume, Said, Up, Welcome,
};
use katydid::cluster::wire::proto::cluster_client::ClusterClient;
use katydid::cluster::wire::{self, proto};
use rustix::process::Signal;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Endpoint;

use crate::cluster::{SCRIPT, master, worker};
use crate::mutants::alone::{Place, alone};
use crate::peer::Shop;
use crate::proxy::{Proxy, lasts};
use crate::tool::{Running, Tool};

/// Ends a run, whose workers end with it, and holds its numbers against what the target counted.
fn ends(run: Running, workers: Vec<Running>, shop: &Shop) {
    run.interrupt();
    for mut worker in workers {
        worker.says("the run is over: all numbers are with the master");
        worker.finish().code(0);
    }
    let run = run.finish();
    let document = run.document();
    let (reported, counted) = (document.count("/total/requests"), shop.counts().total);
    let cut = document.count("/in_flight_at_stop");
    assert!(!run.stderr.contains("are in no figure"), "{}", run.stderr);
    assert!(
        reported <= counted && counted <= reported + cut,
        "{reported} reported, {cut} cut, {counted} counted:\n{}",
        run.stderr
    );
    assert_eq!(document.count("/total/failures"), 0);
}

/// A run that goes on, with two workers of which the second has its master at another port.
fn two(shop: &Shop, port_of: impl Fn(&str) -> String) -> (Running, [Running; 2]) {
    let (mut run, port) = master(SCRIPT, shop, "-u 8 -r 100 --expect-workers 2");
    let workers = [worker(&port, ""), worker(&port_of(&port), "")];
    run.says("all users spawned: 8");
    (run, workers)
}

fn goes_on(shop: &Shop, by: u64) {
    let before = shop.counts().total;
    shop.receives("/hello", before + by);
}

#[test]
fn a_worker_that_stands_still_for_ten_seconds_costs_nothing() {
    let shop = Shop::open();
    let (mut run, workers) = two(&shop, str::to_owned);
    workers[1].signal(Signal::STOP);
    run.says("is missing: no sign of it for 5 s");
    lasts(Duration::from_secs(5));
    workers[1].signal(Signal::CONT);
    run.says("is heard again");
    goes_on(&shop, 500);
    ends(run, workers.into(), &shop);
}

#[test]
fn a_link_of_200_ms_costs_nothing() {
    let shop = Shop::open();
    let proxy = std::cell::OnceCell::new();
    let through = |port: &str| {
        let slow = || Proxy::to(port, Duration::from_millis(200));
        proxy.get_or_init(slow).port()
    };
    let (mut run, workers) = two(&shop, through);
    goes_on(&shop, 500);
    run.reload(&SCRIPT.replace("0.01", "0.02"));
    run.in_service(2);
    goes_on(&shop, 500);
    ends(run, workers.into(), &shop);
}

#[test]
fn connections_that_are_reset_cost_nothing() {
    let shop = Shop::open();
    let proxy = std::cell::OnceCell::new();
    let through = |port: &str| {
        let fast = || Proxy::to(port, Duration::ZERO);
        proxy.get_or_init(fast).port()
    };
    let (run, workers) = two(&shop, through);
    for _ in 0..6 {
        proxy.get().unwrap().reset();
        goes_on(&shop, 300);
    }
    ends(run, workers.into(), &shop);
}

fn shell(line: &str) {
    let done = Command::new("sh").args(["-ec", line]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{line}: {said}");
}

/// Two networks with a cable each: by the first a worker reaches its master, by the second the
/// master's other worker reaches the target. The first is unplugged for so long.
fn unplugged(number: u8, time: Duration, said: &str) {
    let shop = Shop::everywhere();
    let net = format!("10.{}", 70 + number);
    let [near, far, load_near, load_far] =
        ["n", "f", "ln", "lf"].map(|end| format!("kd{number}{end}"));
    // The master begins once its ends of the cables are there.
    let begins = format!(
        "until ip link show {far} && ip link show {load_far}; do :; done >/dev/null 2>&1
         ip addr add {net}.1.1/24 dev {far}; ip addr add {net}.2.1/24 dev {load_far}
         for it in lo {far} {load_far}; do ip link set $it up; done
         exec \"$0\" \"$@\""
    );
    let token = "--cluster-token a-token-of-16-letters";
    let mut run = Tool::by("unshare", &["-n", "sh", "-c", &begins])
        .file("script.rhai", format!("param(\"secret\", \"\"); {SCRIPT}"))
        .args("-f script.rhai --headless --only-summary --json -u 8 -r 100 -p secret=1")
        .args(&format!(
            "--master --master-bind-host 0.0.0.0 --expect-workers 2 {token}"
        ))
        .args(&format!("-H http://{net}.2.2:{}", shop.port()))
        .start();
    let master = run.pid();
    let network = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).unwrap();
    while network(&master.to_string()) == network("self") {
        std::thread::yield_now();
    }
    shell(&format!(
        "ip link add {near} type veth peer name {far} netns {master}
         ip link add {load_near} type veth peer name {load_far} netns {master}
         ip addr add {net}.1.2/24 dev {near}; ip addr add {net}.2.2/24 dev {load_near}
         ip link set {near} up; ip link set {load_near} up"
    ));
    run.says("waiting for workers on ");
    let work = format!("--worker --threads 1 {token}");
    let inside = ["-t", &master.to_string(), "-n"];
    let other = Tool::by("nsenter", &inside).args(&work).start();
    let cut_off = Tool::new()
        .args(&format!("{work} --master-host {net}.1.1"))
        .start();
    run.says(
        "everybody on the way to the workers can read the script, with the values of `secret`",
    );
    run.says("all users spawned: 8");
    shell(&format!("ip link set {near} down"));
    run.says(said);
    // What was said has taken some of it.
    lasts(time);
    shell(&format!("ip link set {near} up"));
    run.says("is heard again");
    goes_on(&shop, 500);
    ends(run, vec![cut_off, other], &shop);
}

#[test]
fn links_that_are_down_for_10_and_30_seconds_cost_nothing() {
    let name = "cluster_faults::links_that_are_down_for_10_and_30_seconds_cost_nothing";
    match alone(name) {
        Place::Alone => {}
        Place::Elsewhere => return,
        Place::InTheWorld => {
            eprintln!("not run: there is no network of one's own to be had");
            return;
        }
    }
    std::thread::scope(|scope| {
        let five = Duration::from_secs(5);
        scope.spawn(move || unplugged(1, five, "is missing: no sign of it for 5 s"));
        scope.spawn(move || unplugged(2, 3 * five, "is gone: its users move to the others"));
    });
}

/// A worker that is made by hand.
struct Made {
    up: mpsc::Sender<proto::Up>,
    down: Streaming<proto::Down>,
}

fn own() -> Credentials {
    Credentials {
        token: Box::default(),
        version: env!("CARGO_PKG_VERSION").into(),
        source_hash: *include_bytes!(concat!(env!("OUT_DIR"), "/source_hash")),
    }
}

fn hello(resume: Option<Resume>) -> Hello {
    Hello {
        protocol: PROTOCOL,
        version: own().version,
        source_hash: own().source_hash,
        name: "made".into(),
        threads: 1,
        memory: 0,
        labels: [].into(),
        process: ProcessId(7),
        nonce: [3; 16],
        attempt: 1,
        resume,
    }
}

impl Made {
    async fn open(port: &str) -> Made {
        let address = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
        let mut client = ClusterClient::new(address.connect().await.unwrap());
        let (up, said) = mpsc::channel(8);
        let serving = client.serve(ReceiverStream::new(said)).await.unwrap();
        let down = serving.into_inner();
        Made { up, down }
    }

    async fn says(&self, said: Up) {
        self.up.send(wire::up(said)).await.unwrap();
    }

    /// What the master says; `None` if it has closed the connection.
    async fn hears(&mut self) -> Option<Down> {
        let down = self.down.message().await.ok().flatten()?;
        Some(wire::heard_down(down).unwrap())
    }

    /// Says hello and proves it; what the master says to that.
    async fn knocks(&mut self, hello: &Hello) -> Option<Down> {
        self.says(Up::Hello(Box::new(hello.clone()))).await;
        match self.hears().await? {
            Down::Challenge { nonce, .. } => {
                let proof = own().proof(Role::Worker, hello, &nonce);
                self.says(Up::Proof(proof)).await;
                self.hears().await
            }
            other => Some(other),
        }
    }
}

#[test]
fn a_clone_and_another_version_are_turned_away_and_the_others_go_on() {
    let shop = Shop::open();
    let (mut run, port) = master(SCRIPT, &shop, "-u 4 -r 100");
    let real = worker(&port, "");
    run.says("all users spawned: 4");
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(async {
        let old = Hello {
            version: "0.0.1".into(),
            ..hello(None)
        };
        let mut other = Made::open(&port).await;
        assert_eq!(
            other.knocks(&old).await,
            Some(Down::Refused(Refused::Version))
        );

        let mut first = Made::open(&port).await;
        let Some(Down::Welcome(welcome)) = first.knocks(&hello(None)).await else {
            panic!("it is as good as any worker");
        };
        let says = Said::Cancel(1);
        first.says(Up::Letter(Letter { number: 1, says })).await;
        // Another process with the same memory comes again and again.
        let copied = hello(Some(resumes(&welcome)));
        let mut last = None;
        for _ in 0..3 {
            last = Made::open(&port).await.knocks(&copied).await;
        }
        assert_eq!(last, Some(Down::Refused(Refused::Cloned)));
        let mut heard = Some(Down::Superseded);
        while let Some(down) = heard.take() {
            if down == Down::Refused(Refused::Cloned) {
                return;
            }
            heard = first.hears().await;
        }
        panic!("the first one was not told");
    });
    run.says("it is another version of Katydid");
    run.says("is turned away: two processes claim to be this worker");
    goes_on(&shop, 300);
    ends(run, vec![real], &shop);
}

/// What a worker brings along that was welcomed like that.
fn resumes(welcome: &Welcome) -> Resume {
    Resume {
        run: welcome.run,
        epoch: welcome.epoch,
        key: welcome.key,
        heard: 0,
        claim: None,
        worker_timeout: Duration::from_secs(15),
        stood: true,
        recorded: 0,
        horizons: Vec::new(),
        departed: 0,
    }
}
