//! Scripts in a process that was sent their files.
//!
//! None of them is on the disk: whatever opened one would fail.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use super::super::{Bundle, Ended, Inputs, Program};
use super::{World, on_load_thread};
use crate::data::{RationSource, Rations, Sources};
use crate::files::Files;

/// What a script comes to beside these files, none of which is on the disk.
fn compiled(script: &str, files: &[(&str, &str)]) -> Result<Program, String> {
    let files = files.iter();
    let files = files.map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()));
    let inputs = Inputs {
        sources: Arc::new(Sources::default().reading(Files::sent(files))),
        ..Inputs::default()
    };
    let bundle = Bundle::from_text("no/such/folder/main.rhai", script);
    Program::compile(&bundle, &inputs).map_err(|wrong| wrong[0].message.clone())
}

#[test]
fn data_that_was_sent_is_not_looked_for_on_the_disk() {
    let script = r#"
        let users = csv("../users.csv");
        user("U", #{ t: task(|| ()), weight: users.len });
    "#;
    let path = "no/such/folder/../users.csv";
    let program = compiled(script, &[(path, "id\n1\n2\n")]).unwrap();
    let weight = program.scenario().classes[0].share.weight;
    assert!((weight - 2.0).abs() < 1e-9);
    let wrong = compiled(script, &[]).err().unwrap();
    assert!(wrong.contains("it was not sent to this worker"), "{wrong}");
}

#[test]
fn certificates_that_were_sent_are_not_looked_for_on_the_disk() {
    let script = r#"user("U", #{ t: task(|| ()), ca: "ca.pem" });"#;
    let authority = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let sent = [("no/such/folder/ca.pem", &*authority.cert.pem())];
    let program = compiled(script, &sent);
    assert!(program.is_ok(), "{:?}", program.err());
    let wrong = compiled(script, &[]).err().unwrap();
    assert!(
        wrong.contains("ca.pem`: it was not sent to this worker"),
        "{wrong}"
    );
}

/// Counts turns as a master does that is asked over a slow wire.
#[derive(Debug)]
struct Master {
    sources: Arc<Sources>,
    rations: Arc<Rations>,
    asked: Mutex<u32>,
}

impl RationSource for Master {
    fn rations(&self, _: u64) -> Arc<Rations> {
        self.rations.clone()
    }

    fn want(&self, count: u64, rows: u64) {
        *self.asked.lock().unwrap() += 1;
        let (sources, rations) = (self.sources.clone(), self.rations.clone());
        tokio::task::spawn_local(async move {
            tokio::task::yield_now().await;
            let declared = sources.counted().remove(0);
            assert_eq!((declared.name, declared.rows), (count, rows));
            let source = sources.file(declared.declared).unwrap();
            match source.turns.ration(2) {
                Some((turns, course)) => {
                    rations.course(rows, course);
                    rations.give(turns);
                }
                None => rations.used_up(rows),
            }
        });
    }
}

/// What the tasks of so many users return.
fn asked(script: &'static str, users: u64) -> Vec<String> {
    on_load_thread(async move || {
        let rows = (PathBuf::from("users.csv"), b"id\n1\n2\n3\n".to_vec());
        let files = Files::sent([rows]);
        let counted = Arc::new(Sources::default().reading(files.clone()));
        let inputs = Inputs {
            sources: counted.clone(),
            ..Inputs::default()
        };
        Program::compile(&Bundle::from_text("s.rhai", script), &inputs).unwrap();
        let names = counted.counted();
        let master = Arc::new(Master {
            sources: counted,
            rations: Arc::default(),
            asked: Mutex::default(),
        });
        let sources = Sources::default()
            .reading(files)
            .asking(names, master.clone());
        let inputs = Inputs {
            sources: Arc::new(sources),
            ..Inputs::default()
        };
        let world = Rc::new(World::of(&[("s.rhai", script)], &inputs, None));
        let answers = world.run_all(users).await;
        assert!(*master.asked.lock().unwrap() > 0);
        let mut answers: Vec<_> = answers
            .into_iter()
            .map(|answer| match answer {
                Ok(row) => row.to_string(),
                Err(Ended::Failure(failure)) => failure.message.clone(),
                Err(Ended::Control(control)) => format!("{control:?}"),
            })
            .collect();
        answers.sort();
        answers
    })
}

#[test]
fn users_wait_for_rows_that_are_counted_elsewhere() {
    let script = r#"
        let users = csv("users.csv", #{ mode: "unique" });
        user("U", #{ t: task(|| users.next().id) });
    "#;
    assert_eq!(asked(script, 4), ["1", "2", "3", "StopUser"]);
    let script = r#"
        let users = csv("users.csv");
        user("U", #{ t: task(|| users.try_next().id) });
    "#;
    assert_eq!(asked(script, 4), ["1", "1", "2", "3"]);
}
