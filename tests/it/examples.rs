//! The gallery: every script of `examples/` opens with two lines that say what it shows, passes
//! the check without a word, and runs.
//!
//! What a feature does exactly is tested with the feature.

use std::fs;
use std::path::{Path, PathBuf};

use crate::gates::{self, Strict};
use crate::peer::{Peer, Shop};
use crate::tool::Tool;

/// What a run of an example gets: never more than a few seconds.
const BOUNDED: &str = "--headless --only-summary --json -t 4 --threads 2 -s 5";

/// What those get besides whose load is not a shape of their own.
const USERS: &str = "-u 8 -r 100 -i 60";

/// All scripts of the gallery, libraries left out.
fn gallery() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut scripts: Vec<_> = entries
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "rhai")
        })
        .collect();
    scripts.sort();
    assert!(scripts.len() > 15, "where is the gallery? {scripts:?}");
    scripts
}

/// Tries all scripts and tells of all that fail.
fn each(test: impl Fn(&Path) -> Result<(), String>) {
    let wrong: Vec<_> = gallery()
        .iter()
        .filter_map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            test(path).err().map(|why| format!("{name}: {why}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn each_example_passes_the_check_in_silence() {
    each(|path| {
        let run = Tool::new().arg("check").arg(path.to_str().unwrap()).run();
        let is_fine = run.stderr.lines().count() == 1 && run.stderr.contains(" is fine: ");
        if run.code == Some(0) && is_fine {
            Ok(())
        } else {
            Err(run.stderr)
        }
    });
}

#[test]
fn each_example_runs_on_the_embedded_target() {
    each(|path| {
        let shop = Shop::open();
        // What stands before the server in two of them has to be passed.
        let proxy = path.ends_with("proxy.rhai").then(gates::proxy);
        let authority = path.with_file_name("data").join("ca.pem");
        let strict = path
            .ends_with("client_certificate.rhai")
            .then(|| Strict::before(&shop, &authority));
        let mut params = Vec::new();
        params.extend(proxy.as_ref().map(|proxy| format!("proxy={}", proxy.url())));
        params.extend(
            strict
                .as_ref()
                .map(|strict| format!("ca={}", strict.authority().display())),
        );
        // Where there is a second host, it is the same server.
        for (script, param) in [("hosts.rhai", "other"), ("second_client.rhai", "api")] {
            if path.ends_with(script) {
                params.push(format!("{param}={}", shop.url()));
            }
        }
        let mut tool = Tool::new()
            .arg("-f")
            .arg(path.to_str().unwrap())
            .args(BOUNDED);
        tool = match &strict {
            Some(strict) => tool.on(strict),
            None => tool.on(&shop),
        };
        if !fs::read_to_string(path).unwrap().contains("\nshape(") {
            tool = tool.args(USERS);
        }
        for param in params {
            tool = tool.arg("-p").arg(&param);
        }
        let run = tool.run();
        if proxy.is_some_and(|proxy| proxy.received() == 0) {
            return Err("nothing went through the proxy".to_owned());
        }
        if run.code != Some(0) {
            return Err(format!(
                "exit code {:?}: {}{}",
                run.code, run.stderr, run.stdout
            ));
        }
        let document = run.document();
        let (requests, failures) = (
            document.count("/total/requests"),
            document.count("/total/failures"),
        );
        if requests == 0 || failures > 0 || !document.exceptions().is_empty() {
            return Err(format!(
                "{requests} requests, {failures} failures: {}",
                run.stdout
            ));
        }
        Ok(())
    });
}
