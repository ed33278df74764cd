//! Damaged examples run by the built binary: every end is one that the manual names. What the users
//! do before that is not looked at.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::alone::{Place, alone};
use super::scripts::Gallery;
use super::{assert_none, count, each};
use crate::peer::{Peer, Shop};
use crate::tool::Tool;

const BOUND: Duration = Duration::from_secs(90);

/// No shape with millions of users: that tests the machine.
const SMALL_NUMBERS: [&str; 9] = ["0", "-1", "-0.0", "0.001", "1e-9", "7", "64", "300", "1e3"];

#[test]
fn damaged_examples_end_with_a_code_of_the_manual() {
    match alone("mutants::runs::damaged_examples_end_with_a_code_of_the_manual") {
        Place::Alone => {}
        Place::Elsewhere => return,
        Place::InTheWorld => {
            eprintln!("not run: a damaged host could be anybody's, and there is no namespace");
            return;
        }
    }
    let gallery = Gallery::open();
    let shop = Shop::open();
    let began = AtomicUsize::new(0);
    let mutants = count(120);
    let wrong = each(mutants, 4, BOUND, |number, tell| {
        let (path, text) = gallery.mutant(number, &SMALL_NUMBERS, 1);
        tell(&text);
        let run = Tool::new()
            .args("--headless --only-summary -t 1 -i 20 -u 2 --stop-timeout 1 -f")
            .arg(path.to_str().unwrap())
            .arg("-H")
            .arg(&shop.url())
            .run();
        fs::remove_file(&path).unwrap();
        let said = &run.stderr;
        if said.contains("Iterations: ") {
            began.fetch_add(1, Ordering::Relaxed);
        }
        let asked_for = String::from_utf8_lossy(&text).contains("exit_code");
        match run.code {
            None => Err(format!("it ends by a signal:\n{said}")),
            Some(_) if said.contains("panicked") || said.contains("bug of Katydid") => {
                Err(format!("it panics:\n{said}"))
            }
            Some(0..=3) => Ok(()),
            Some(_) if asked_for => Ok(()),
            Some(code) => Err(format!("it ends with {code}:\n{said}")),
        }
    });
    assert_none(&wrong, "mutants that were run");
    let began = began.into_inner();
    eprintln!("{began} of {mutants} got as far as users");
    assert!(began > mutants / 10, "hardly any can be run");
}
