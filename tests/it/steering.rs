//! A run steered by its handle, as a web page or a master would: what is sent is plain data.
//!
//! What becomes of its users is tested through the built binary.

use std::sync::Arc;
use std::time::Duration;

use katydid::load::Plan;
use katydid::runner::{self, Edition, Handle, Notice, Options, Setup, State};
use katydid::script::{Bundle, Inputs, Program};
use katydid::units::Rate;
use tokio::sync::mpsc;

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
fn steered(script: &str, steer: impl AsyncFnOnce(&Handle, &mut mpsc::Receiver<Notice>)) {
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
        let (notices_in, mut notices) = mpsc::channel(1_000);
        let (handle, _shared) = runner::start(Arc::new(setup), notices_in).await.unwrap();
        steer(&handle, &mut notices).await;
        handle.stop();
        let ended = |state: &State| matches!(state, State::Ended(_));
        let mut state = handle.state();
        let ended = tokio::time::timeout(BOUND, state.wait_for(ended)).await;
        ended.expect("it ends").expect("it tells");
    });
}

/// The next notice that `wanted` knows.
async fn told<R>(notices: &mut mpsc::Receiver<Notice>, wanted: impl Fn(&Notice) -> Option<R>) -> R {
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

async fn said(notices: &mut mpsc::Receiver<Notice>, text: &str) {
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
