//! Runs steered by their handle, as a web page or a master would: what is sent is plain data.
//!
//! What becomes of its users is tested through the built binary.

use std::sync::Arc;
use std::time::Duration;

use katydid::control::{Control, Exit, FinishedRun, Happening, Interrupts};
use katydid::load::{Division, Plan, Stage};
use katydid::output::{Csv, HistoryRows, Output, RunInfo};
use katydid::runner::{self, Edition, End, Handle, Notice, Options, Refusal, Setup, State};
use katydid::script::{Bundle, Inputs, Program};
use katydid::stats::{Mark, Summary};
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
        },
    }
}

fn script(word: &str) -> String {
    format!("user(\"U\", #{{ wait_time: 0.01, t: task(|| print(\"{word}\")) }});")
}

/// Runs `steer` with a run of this script, and waits for its end.
fn steered(script: &str, steer: impl AsyncFnOnce(&Handle, &mut broadcast::Receiver<Notice>)) {
    steered_with(edition(script), steer);
}

fn steered_with(
    edition: Edition,
    steer: impl AsyncFnOnce(&Handle, &mut broadcast::Receiver<Notice>),
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .unwrap();
    let setup = Setup {
        threads: 2,
        edition: Arc::new(edition),
        observer: None,
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
        handle.reload(next.clone()).await.unwrap();
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
        handle.reload(Arc::new(wrong)).await.unwrap();
        let why = told(notices, |notice| match notice {
            Notice::NotReloaded(why) => Some(why.to_string()),
            _ => None,
        });
        assert!(why.await.starts_with("the script declares something else"));
        handle
            .reload(Arc::new(edition(&script("right"))))
            .await
            .unwrap();
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
        let refused = handle.reload(Arc::new(edition(&script("late")))).await;
        // It has nothing to wait for.
        assert!(
            matches!(refused, Err(Refusal::Stopping | Refusal::Ended)),
            "{refused:?}"
        );
        let ended = |state: &State| matches!(state, State::Ended(_));
        let mut state = handle.state();
        tokio::time::timeout(BOUND, state.wait_for(ended))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(handle.summary().borrow().generations.len(), 1);
    });
}

/// Waits for a summary of which `wanted` holds.
async fn seen(handle: &Handle, wanted: impl FnMut(&Arc<Summary>) -> bool) -> Arc<Summary> {
    let mut summary = handle.summary();
    let seen = tokio::time::timeout(BOUND, summary.wait_for(wanted)).await;
    seen.expect("it comes").expect("the run goes on").clone()
}

async fn why_ended(handle: &Handle) -> End {
    let mut state = handle.state();
    let is_over = |state: &State| matches!(state, State::Ended(_));
    let over = tokio::time::timeout(BOUND, state.wait_for(is_over)).await;
    match &*over.expect("it ends").expect("it tells") {
        State::Ended(ended) => ended.why.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_run_is_asked_for_it_does_or_refuses() {
    let rate = || Rate::from_per_sec(1e6).unwrap();
    let counting = "user(\"U\", #{ wait_time: 0.01, t: task(|| { counter(\"n\").add(1); }) });";
    steered(counting, async |handle, _| {
        assert_eq!(handle.set_users(7, rate()).await, Ok(()));
        seen(handle, |summary| summary.users.running == 7).await;
        let before = seen(handle, |summary| summary.iterations.finished > 50).await;
        assert_eq!(handle.note("now".to_owned()).await, Ok(()));
        assert_eq!(handle.reset().await, Ok(()));
        let after = handle.summary().borrow().clone();
        assert!(after.iterations.finished < before.iterations.finished);
        assert!(after.counters.is_empty());
        assert!(after.elapsed_us < before.elapsed_us);
        let marks: Vec<_> = after.marks.iter().map(|it| it.mark.clone()).collect();
        let is_wanted = |mark: &&Mark| !matches!(mark, Mark::Tainted { .. });
        let marks: Vec<_> = marks.iter().filter(is_wanted).collect();
        assert!(
            matches!(
                marks.as_slice(),
                [Mark::Users { asked: 7 }, Mark::Note { text }, Mark::Reset] if **text == *"now"
            ),
            "{marks:?}"
        );
        // It has gone on for longer: it ends at once, and does nothing more.
        let run_time = Some(Duration::from_millis(1));
        assert_eq!(handle.set_run_time(run_time).await, Ok(()));
        assert_eq!(why_ended(handle).await, End::RunTime);
        assert_eq!(handle.set_users(1, rate()).await, Err(Refusal::Ended));
        assert_eq!(handle.reset().await, Err(Refusal::Ended));
    });
}

#[test]
fn one_number_of_users_says_nothing_to_a_shape_with_one_for_each_class() {
    let mut edition = edition(&script("one"));
    let stage = Stage {
        length: Duration::MAX,
        users: vec![2],
        rate: None,
    };
    edition.options.plan = Arc::new(Plan::staged(Division::PerClass(1), &[stage]));
    steered_with(edition, async |handle, notices| {
        said(notices, "one").await;
        let rate = Rate::from_per_sec(1.0).unwrap();
        assert_eq!(handle.set_users(3, rate).await, Err(Refusal::PerClass));
        handle.stop();
        why_ended(handle).await;
    });
}

#[test]
fn an_edition_is_taken_while_setup_runs_and_keeps_nobody_waiting() {
    let script = "let begun = setup(|h| { sleep(3600); 1 });
        user(\"U\", #{ t: task(|| 1) });";
    steered(script, async |handle, _| {
        let mut state = handle.state();
        let is_set_up = |state: &State| *state == State::SettingUp;
        tokio::time::timeout(BOUND, state.wait_for(is_set_up))
            .await
            .unwrap()
            .unwrap();
        let taken = handle.reload(Arc::new(edition(script)));
        assert_eq!(tokio::time::timeout(BOUND, taken).await, Ok(Ok(())));
        assert_eq!(*handle.state().borrow(), State::SettingUp);
        handle.stop();
        assert_eq!(why_ended(handle).await, End::Stopped);
    });
}

#[test]
fn what_is_asked_for_during_setup_holds_from_the_first_user_on() {
    let script = "let begun = setup(|h| { sleep(0.2); 1 });
        user(\"U\", #{ wait_time: 0.01, t: task(|| print(\"runs\")) });";
    steered(script, async |handle, _| {
        let mut state = handle.state();
        let is_set_up = |state: &State| *state == State::SettingUp;
        tokio::time::timeout(BOUND, state.wait_for(is_set_up))
            .await
            .unwrap()
            .unwrap();
        let rate = Rate::from_per_sec(1e6).unwrap();
        assert_eq!(handle.set_users(9, rate).await, Ok(()));
        assert_ne!(*handle.state().borrow(), State::SettingUp);
        seen(handle, |summary| summary.users.running == 9).await;
    });
}

/// Stays with the run at hand until `wanted` is printed, hands it `edition`, if there is one, and
/// stops it when `last` is printed.
async fn stay(control: &mut Control, prints: &[&str], next: Option<Edition>) -> FinishedRun {
    let (mut prints, mut next) = (prints.iter(), next);
    let mut awaited = prints.next();
    loop {
        let happening = tokio::time::timeout(BOUND, control.next()).await;
        match happening.expect("something happens") {
            Happening::Notice(Notice::Script(line)) if awaited == Some(&line.text.as_str()) => {
                awaited = prints.next();
                match (next.take(), awaited) {
                    (Some(edition), _) => drop(control.reload(edition).await),
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
    let described = |name: &str| RunInfo {
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
        threads: 2,
        edition: Arc::new(edition(&counting(word))),
        observer: None,
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
