//! Master and workers by TLS: what both trust, and that each is told in words what is wrong.
//!
//! The token is tried in `cluster`, and what strangers send in `cluster_garbage`.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use crate::cluster::{SCRIPT, master, worker};
use crate::peer::Shop;
use crate::tool::Tool;

static AUTHORITIES: AtomicU32 = AtomicU32::new(0);

/// Somebody who signs certificates, and a folder for them.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        // Authorities of one name would be taken for each other.
        let name = format!("authority {}", AUTHORITIES.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Authority { issuer, folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn own(&self) -> String {
        self.path("ca.pem")
    }

    /// A certificate for that name and its key, as two options of the command line name them.
    fn signs(&self, name: &str, until: i32, options: [&str; 2]) -> String {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (cert, secret) = (format!("{name}-{until}.pem"), format!("{name}-{until}.key"));
        fs::write(self.path(&cert), certificate.pem()).unwrap();
        fs::write(self.path(&secret), key.serialize_pem()).unwrap();
        let [first, second] = options;
        format!(
            "{first} {} {second} {} ",
            self.path(&cert),
            self.path(&secret)
        )
    }

    fn master(&self, name: &str, until: i32) -> String {
        self.signs(name, until, ["--cluster-tls-cert", "--cluster-tls-key"])
    }

    fn worker(&self) -> String {
        self.signs("worker", 2090, ["--cluster-cert", "--cluster-key"])
    }
}

#[test]
fn by_mutual_tls_every_request_is_counted_once() {
    let (shop, authority) = (Shop::open(), Authority::new());
    let (own, ca) = (authority.master("127.0.0.1", 2090), authority.own());
    let strict = format!("{own} --cluster-client-ca {ca}");
    let token = "--cluster-token a-token-of-16-letters";
    let arguments = format!("-u 7 -r 100 -i 503 --expect-workers 2 {token} {strict}");
    let (run, port) = master(SCRIPT, &shop, &arguments);
    let arguments = format!("{token} --cluster-ca {ca} {}", authority.worker());
    let workers = [(); 2].map(|()| worker(&port, &arguments));
    for mut worker in workers {
        worker.says("the run is over: all numbers are with the master");
        worker.finish().code(0);
    }
    let document = run.finish().code(0).document();
    assert_eq!(document.count("/total/requests"), 503);
    assert_eq!(shop.counts().total, 503);
}

#[test]
fn a_certificate_that_vouches_for_itself_is_trusted_by_its_file() {
    let (shop, folder) = (Shop::open(), TempDir::new().unwrap());
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("own.pem"), made.cert.pem()).unwrap();
    fs::write(path("own.key"), made.signing_key.serialize_pem()).unwrap();
    let (cert, key) = (path("own.pem"), path("own.key"));
    let arguments = format!("-i 20 --cluster-tls-cert {cert} --cluster-tls-key {key}");
    let (run, port) = master(SCRIPT, &shop, &arguments);
    worker(&port, &format!("--cluster-ca {cert}"))
        .finish()
        .code(0);
    run.finish().code(0);
    assert_eq!(shop.counts().total, 20);
}

/// What such a master and such a worker say, the one of the other.
fn both_say(masters: &str, workers: &str, said: [&str; 2]) {
    let shop = Shop::open();
    let (mut run, port) = master(SCRIPT, &shop, masters);
    let mut stranger = worker(&port, workers);
    let line = stranger.says("no master yet");
    assert!(line.contains(said[1]), "the worker: {line}");
    let line = run.says("a connection from 127.0.0.1 was closed");
    assert!(line.contains(said[0]), "the master: {line}");
}

#[test]
fn a_master_that_is_not_trusted_is_told_so_and_named() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (ca, others) = (authority.own(), other.own());
    let (good, old) = (
        authority.master("127.0.0.1", 2090),
        authority.master("127.0.0.1", 2020),
    );
    let elsewhere = authority.master("elsewhere.example", 2090);
    let by = |ca: &str| format!("--cluster-ca {ca}");
    both_say(
        &good,
        &by(&others),
        [
            "does not know who signed this master's certificate",
            "its issuer is unknown (--cluster-ca",
        ],
    );
    both_say(
        &elsewhere,
        &by(&ca),
        [
            "another name than its --master-host",
            "is for elsewhere.example, and --master-host is 127.0.0.1",
        ],
    );
    both_say(
        &old,
        &by(&ca),
        [
            "certificate has expired for it (--cluster-tls-cert)",
            "not accepted: it has expired",
        ],
    );
}

#[test]
fn who_forgot_tls_is_told_so_on_both_sides() {
    let authority = Authority::new();
    both_say(
        &authority.master("127.0.0.1", 2090),
        "",
        ["it speaks plain text", "it speaks TLS (--cluster-ca"],
    );
    both_say(
        "",
        &format!("--cluster-ca {}", authority.own()),
        [
            "it speaks TLS, and this master has none",
            "plain text: --cluster-tls-cert",
        ],
    );
}

#[test]
fn a_worker_that_is_not_trusted_is_told_so_and_named() {
    let (authority, other) = (Authority::new(), Authority::new());
    let ca = authority.own();
    let strict = format!(
        "{} --cluster-client-ca {ca}",
        authority.master("127.0.0.1", 2090)
    );
    let by = format!("--cluster-ca {ca}");
    both_say(
        &strict,
        &by,
        [
            "it shows no certificate",
            "it wants a certificate (--cluster-cert and --cluster-key)",
        ],
    );
    both_say(
        &strict,
        &format!("{by} {}", other.worker()),
        [
            "its issuer is unknown (--cluster-client-ca",
            "it does not know who signed this worker's certificate",
        ],
    );
}

#[test]
fn files_that_cannot_be_used_are_named_before_anything_starts() {
    let (shop, authority) = (Shop::open(), Authority::new());
    let refused = |arguments: &str| {
        let tool = Tool::running(SCRIPT).on(&shop).file("empty.pem", "");
        let run = tool.args(&format!("--master --master-bind-port 0 {arguments}"));
        run.run().code(2).stderr
    };
    let own = authority.master("127.0.0.1", 2090);
    let empty = refused(&format!("{own} --cluster-client-ca empty.pem"));
    assert!(
        empty.contains("`--cluster-client-ca` file `empty.pem` has no certificate"),
        "{empty}"
    );
    let alone = refused("--cluster-tls-cert empty.pem");
    assert!(alone.contains("--cluster-tls-key"), "{alone}");
    let run = Tool::new().args("--worker --cluster-ca nowhere.pem").run();
    run.code(2)
        .says(&["`--cluster-ca` file `nowhere.pem`", "No such file"]);
}
