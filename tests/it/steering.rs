//! Runs steered by their handle, as a web page or a master would: what is sent is plain data.
//!
//! What becomes of its users is tested through the built binary.

use std::sync::Arc;
use std::time::Duration;

use katydid::control::{Control, Exit, Finished, Happening, Interrupts};
use katydid::load::Plan;
use katydid::output::{Csv, HistoryRows, Output, Run};
use katydid::runner::{self, Edition, Handle, Notice, Options, Setup, State};
use katydid::script::{Bundle, Inputs, Program};
use katydid::units::Rate;
use tokio::sync::broadcast;

/// The longest that one step may take on a slow and busy machine.
const BOUND: Duration = Duration::from_secs(60);

fn edition(script: &str) -> Edition {
    let bundle = Bundle::from_text("script.rhai", script);
    let inputs = Inputs::default();
    let declared = Program::compile(&bundle, &inputs)
        .unwrap_or_else(|problems| panic!("{}", problems[0]))
        .scenario()
        .clone();
    Edition {
        bundle,
        inputs,
        scenario: declared.clone(),
        bases: vec![None; declared.classes.len()],
        declared,
        options: Options {
            plan: Arc::new(Plan::closed(4, Rate::from_per_sec(1e6).unwrap(), None)),
            iterations: None,
            stop_timeout: Duration::ZERO,
            on_stop_timeout: Duration::from_secs(5),
            threads: 2,
        },
    }
}

fn script(word: &str) -> String {
    format!("user(\"U\", #{{ wait_time: 0.01, t: task(|| print(\"{word}\")) }});")
}

/// Runs `steer` with a run of this script, and waits for its end.
fn steered(script: &str, steer: impl AsyncFnOnce(&Handle, &mut broadcast::Receiver<Notice>)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap();
    let setup = Setup {
        edition: Arc::new(edition(script)),
        environment: Arc::default(),
        onlooker: None,
    };
    runtime.block_on(async {
        let handle = runner::start(Arc::new(setup)).await.unwrap();
        let mut notices = handle.notices();
        steer(&handle, &mut notices).await;
        handle.stop();
        let ended = |state: &State| matches!(state, State::Ended(_));
        let mut state = handle.state();
        let ended = tokio::time::timeout(BOUND, state.wait_for(ended)).await;
        ended.expect("it ends").expect("it tells");
    });
}

/// The next notice that `wanted` knows.
async fn told<R>(
    notices: &mut broadcast::Receiver<Notice>,
    wanted: impl Fn(&Notice) -> Option<R>,
) -> R {
    let heard = async {
        loop {
            let notice = notices.recv().await.expect("the run goes on");
            if let Some(found) = wanted(&notice) {
                return found;
            }
        }
    };
    tokio::time::timeout(BOUND, heard)
        .await
        .expect("it is told")
}

async fn said(notices: &mut broadcast::Receiver<Notice>, text: &str) {
    told(notices, |notice| match notice {
        Notice::Script(line) if line.text == text => Some(()),
        _ => None,
    })
    .await;
}

#[test]
fn an_edition_may_be_sent_to_another_thread() {
    fn is_plain<T: Send + Sync>() {}
    is_plain::<Edition>();
    is_plain::<Handle>();
}

#[test]
fn an_edition_goes_into_service_and_the_summary_tells_its_generation() {
    steered(&script("one"), async |handle, notices| {
        said(notices, "one").await;
        let next = Arc::new(edition(&script("two")));
        handle.reload(next.clone());
        let reloaded = told(notices, |notice| match notice {
            Notice::Reloaded {
                generation, hash, ..
            } => Some((*generation, hash.clone())),
            _ => None,
        });
        assert_eq!(reloaded.await, (2, next.hash()));
        // At once, not with the next second.
        let summary = handle.summary().borrow().clone();
        let generations: Vec<_> = summary.generations.iter().map(|one| one.n).collect();
        assert_eq!(generations, [1, 2]);
        assert_eq!(*summary.generations[1].hash, next.hash());
        said(notices, "two").await;
        let mut summary = handle.summary();
        let all_through = summary.wait_for(|summary| summary.users.behind == 0);
        tokio::time::timeout(BOUND, all_through)
            .await
            .unwrap()
            .unwrap();
    });
}

#[test]
fn an_edition_that_is_not_what_was_checked_changes_nothing() {
    steered(&script("one"), async |handle, notices| {
        said(notices, "one").await;
        // As if it had declared something else when it was checked.
        let mut wrong = edition(&script("wrong"));
        wrong.declared.classes[0].name = "V".to_owned();
        handle.reload(Arc::new(wrong));
        let why = told(notices, |notice| match notice {
            Notice::NotReloaded(why) => Some(why.clone()),
            _ => None,
        });
        assert!(why.await.starts_with("the script declares something else"));
        handle.reload(Arc::new(edition(&script("right"))));
        let generation = told(notices, |notice| match notice {
            Notice::Reloaded { generation, .. } => Some(*generation),
            Notice::Script(line) => {
                assert_ne!(line.text, "wrong");
                None
            }
            _ => None,
        });
        assert_eq!(generation.await, 2);
        said(notices, "right").await;
    });
}

#[test]
fn a_run_that_stops_takes_no_edition() {
    steered(&script("one"), async |handle, notices| {
        said(notices, "one").await;
        handle.stop();
        handle.reload(Arc::new(edition(&script("late"))));
        let ended = |state: &State| matches!(state, State::Ended(_));
        let mut state = handle.state();
        tokio::time::timeout(BOUND, state.wait_for(ended))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(handle.summary().borrow().generations.len(), 1);
    });
}

/// Stays with the run at hand until `wanted` is printed, hands it `edition`, if there is one, and
/// stops it when `last` is printed.
async fn stay(control: &mut Control, prints: &[&str], next: Option<Edition>) -> Finished {
    let (mut prints, mut next) = (prints.iter(), next);
    let mut awaited = prints.next();
    loop {
        let happening = tokio::time::timeout(BOUND, control.next()).await;
        match happening.expect("something happens") {
            Happening::Notice(Notice::Script(line)) if awaited == Some(&line.text.as_str()) => {
                awaited = prints.next();
                match (next.take(), awaited) {
                    (Some(edition), _) => drop(control.reload(edition)),
                    (None, Some(_)) => {}
                    (None, None) => control.handle().expect("it runs").stop(),
                }
            }
            Happening::Finished(run) => return run,
            _ => {}
        }
    }
}

#[test]
fn runs_follow_one_another_each_with_its_own_numbers_and_outputs() {
    let folder = tempfile::tempdir().unwrap();
    let described = |name: &str| Run {
        version: String::new(),
        script: name.to_owned(),
        host: String::new(),
        seed: 0,
    };
    // Each counts under its own name.
    let counting = |word: &str| {
        let counts =
            format!("record(#{{ type: \"step\", name: \"{word}\", response_time: 0.001 }})");
        format!(
            "user(\"U\", #{{ wait_time: 0.01, t: task(|| {{ {counts}; print(\"{word}\"); }}) }});"
        )
    };
    let setup = |word: &str| Setup {
        edition: Arc::new(edition(&counting(word))),
        environment: Arc::default(),
        onlooker: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap();
    let finished = runtime.block_on(async {
        let mut control = Control::new(Interrupts::listen(|| 0).unwrap());
        let mut finished = Vec::new();
        for (word, next) in [("one", Some("two")), ("three", None)] {
            let mut csv = Csv::new(folder.path().join(word), HistoryRows::Total);
            csv.start(&described(word)).unwrap();
            control.start(setup(word)).await.unwrap();
            let edited = next.map(|next| edition(&counting(next)));
            let prints: Vec<_> = [word].into_iter().chain(next).collect();
            let run = stay(&mut control, &prints, edited).await;
            assert!(!control.is_running());
            csv.finish(&run.summary).unwrap();
            finished.push(run);
        }
        finished
    });
    let stats = |word: &str| {
        let path = folder.path().join(format!("{word}_stats.csv"));
        std::fs::read_to_string(path).unwrap()
    };
    assert!(stats("one").contains(",one,") && stats("one").contains(",two,"));
    assert!(stats("three").contains(",three,") && !stats("three").contains(",one,"));
    for (run, generations) in finished.iter().zip([2, 1]) {
        assert_eq!(run.summary.generations.len(), generations);
        assert_eq!(run.exit(true, 1), Exit::Ok);
        assert_eq!(run.exit(false, 1), Exit::Incomplete);
    }
}
