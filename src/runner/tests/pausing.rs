//! Runs that are paused: who stands still, and where they go on.
//!
//! The target counts requests, so that nothing has to be believed that a run says of itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::members::{Run, alive, counters, script as two_classes};
use super::{BOUND, edited, on_runtime, setup_of, target};
use crate::runner::elsewhere::Coming;
use crate::runner::{End, Notice, Refusal, State};
use crate::stats::{Mark, Summary};
use crate::target::Target;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Users that count themselves, with this wait, who ask for this.
fn script(wait: &str, what: &str) -> String {
    format!(
        "user(\"U\", #{{
            wait_time: {wait},
            on_start: || counter(\"came\").add(1),
            on_stop: || counter(\"went\").add(1),
            t: task(|| this.client.get(\"{what}\")),
        }});"
    )
}

fn count(summary: &Summary, name: &str) -> u64 {
    counters(summary).get(name).copied().unwrap_or(0)
}

async fn requests_reach(target: &Target, count: u64) {
    let reached = async {
        while target.counts().total < count {
            sleep(ms(5)).await;
        }
    };
    timeout(BOUND, reached).await.expect("they come");
}

/// Waits until no request has come for a while: how many there have been.
async fn at_rest(target: &Target) -> u64 {
    let rests = async {
        loop {
            let before = target.counts().total;
            sleep(ms(500)).await;
            if target.counts().total == before {
                return before;
            }
        }
    };
    timeout(BOUND, rests).await.expect("it comes to rest")
}

fn state(run: &Run) -> State {
    run.handle.state().borrow().clone()
}

#[test]
fn a_pause_in_a_ramp_holds_users_and_those_to_come_and_the_ramp_goes_on_from_there() {
    let (target, url) = target();
    on_runtime(async {
        let began = Instant::now();
        // Two seconds for 40 users.
        let setup = setup_of(&script("0.05", &format!("{url}/hello")), 40, 20.0);
        let mut run = Run::start(setup, &[2]).await;
        run.shows(|summary| summary.users.running >= 5).await;
        run.handle.pause().await.unwrap();
        let paused = Instant::now();
        assert_eq!(state(&run), State::Paused);
        assert_eq!(run.handle.pause().await, Err(Refusal::Paused));
        let requests = at_rest(&target).await;
        let then = run.handle.summary().borrow().clone();
        assert!(then.users.running < 40, "{:?}", then.users);
        sleep(ms(2_100)).await;
        let now = run.handle.summary().borrow().clone();
        assert!(now.now_us > then.now_us, "seconds go on");
        assert_eq!(target.counts().total, requests);
        assert_eq!(count(&now, "came"), now.users.running);
        assert_eq!(now.users.running, now.users.peak);
        assert_eq!(state(&run), State::Paused);

        let pause = paused.elapsed();
        run.handle.resume().await.unwrap();
        assert_eq!(run.handle.resume().await, Err(Refusal::NotPaused));
        assert_eq!(state(&run), State::Spawning);
        run.told(|notice| matches!(notice, Notice::Arrived(change) if change.to == 40))
            .await;
        // The last one is due at 1.95 s.
        assert!(
            began.elapsed() >= ms(1_950) + pause,
            "{:?}",
            began.elapsed()
        );
        assert_eq!(state(&run), State::Running);
        requests_reach(&target, requests + 40).await;

        let summary = run.stop().await;
        assert_eq!(summary.total.requests, target.counts().total);
        assert_eq!((count(&summary, "came"), count(&summary, "went")), (40, 40));
        let marks: Vec<_> = summary.marks.iter().map(|marked| &marked.mark).collect();
        let marks: Vec<_> = marks
            .into_iter()
            .filter(|mark| !matches!(mark, Mark::Tainted { .. }))
            .collect();
        assert_eq!(marks, [&Mark::Pause, &Mark::Resume]);
        let pause_us = u64::try_from(pause.as_micros()).unwrap();
        assert!(summary.pauses.held_us() >= pause_us);
        assert!(summary.paused_us() <= summary.pauses.held_us());
        // It was watched at rest for 2.1 s; half a second more is what `at_rest` needs.
        assert!(summary.paused_us() >= 2_500_000, "{}", summary.paused_us());
        assert_eq!(summary.elapsed_us + summary.paused_us(), summary.end_us);
        let seconds: u64 = summary.history.iter().map(|second| second.paused_us).sum();
        assert_eq!(seconds, summary.paused_us());
    });
}

#[test]
fn what_is_left_of_a_wait_is_waited_after_the_pause() {
    let (target, url) = target();
    on_runtime(async {
        let began = Instant::now();
        let setup = setup_of(&script("1.0", &format!("{url}/hello")), 5, 1e6);
        let run = Run::start(setup, &[1]).await;
        requests_reach(&target, 5).await;
        run.handle.pause().await.unwrap();
        let paused = Instant::now();
        // The wait would be over in the pause.
        assert_eq!(at_rest(&target).await, 5);
        sleep(ms(1_500)).await;
        assert_eq!(target.counts().total, 5);
        let pause = paused.elapsed();
        run.handle.resume().await.unwrap();
        requests_reach(&target, 6).await;
        assert!(
            began.elapsed() >= ms(1_000) + pause,
            "{:?}",
            began.elapsed()
        );
        run.stop().await;
    });
}

#[test]
fn users_are_no_more_in_step_after_a_pause_than_before() {
    let (target, url) = target();
    on_runtime(async {
        // Ten users without a wait, a tenth of an iteration apart.
        let setup = setup_of(&script("0", &format!("{url}/delay/1000")), 10, 10.0);
        let run = Run::start(setup, &[2]).await;
        requests_reach(&target, 15).await;
        run.handle.pause().await.unwrap();
        // All have ended, and no other has begun.
        sleep(ms(1_500)).await;
        let requests = at_rest(&target).await;
        run.handle.resume().await.unwrap();
        requests_reach(&target, requests + 1).await;
        let first = Instant::now();
        requests_reach(&target, requests + 10).await;
        assert!(first.elapsed() >= ms(400), "{:?}", first.elapsed());
        run.stop().await;
    });
}

#[test]
fn iterations_are_as_many_as_were_asked_for_and_a_pause_outlasts_none() {
    let (target, url) = target();
    on_runtime(async {
        for (wait, route, iterations) in [("0.05", "hello", 60), ("0", "delay/600", 5)] {
            let before = target.counts().total;
            let mut setup = setup_of(&script(wait, &format!("{url}/{route}")), 5, 1e6);
            let edition = &mut Arc::get_mut(&mut setup).unwrap().edition;
            Arc::get_mut(edition).unwrap().options.iterations = Some(iterations);
            let run = Run::start(setup, &[2]).await;
            requests_reach(&target, before + 5).await;
            run.handle.pause().await.unwrap();
            if iterations > 5 {
                let requests = at_rest(&target).await;
                assert!(requests < before + iterations);
                assert_eq!(state(&run), State::Paused);
                run.handle.resume().await.unwrap();
            }
            // Those that are used up in a pause need no end of it.
            let mut state = run.handle.state();
            let ended = state.wait_for(|state| matches!(state, State::Ended(_)));
            let ended = timeout(BOUND, ended)
                .await
                .expect("it ends")
                .unwrap()
                .clone();
            assert!(matches!(ended, State::Ended(ended) if ended.why == End::Done));
            let summary = run.handle.summary().borrow().clone();
            assert_eq!(summary.iterations.finished, iterations);
            assert_eq!(target.counts().total, before + iterations);
        }
    });
}

#[test]
fn a_paced_user_misses_no_slot_and_is_never_late_for_a_pause() {
    let (target, url) = target();
    on_runtime(async {
        // Iterations of 0.1 s, so that some are under way when the pause comes.
        let setup = setup_of(
            &script("constant_pacing(1.5)", &format!("{url}/delay/100")),
            10,
            20.0,
        );
        let run = Run::start(setup, &[2]).await;
        requests_reach(&target, 15).await;
        for _ in 0..2 {
            run.handle.pause().await.unwrap();
            let requests = at_rest(&target).await;
            // Longer than a slot.
            sleep(ms(1_500)).await;
            assert_eq!(target.counts().total, requests);
            run.handle.resume().await.unwrap();
            requests_reach(&target, requests + 10).await;
        }
        let summary = run.stop().await;
        assert_eq!(summary.iterations.missed, 0);
        let total = &summary.total;
        assert_eq!(total.response, total.service, "nobody was late");
        assert!(
            total.response.max_us < 1_500_000,
            "{}",
            total.response.max_us
        );
        // Nor does anybody make up for the pause.
        let plan_us = summary.end_us - summary.pauses.held_us();
        let slots = 10 * (plan_us / 1_500_000 + 1);
        assert!(
            summary.iterations.started <= slots,
            "{:?}",
            summary.iterations
        );
    });
}

#[test]
fn the_run_time_stands_still_and_other_users_are_gone_to_after_the_pause() {
    let (target, url) = target();
    on_runtime(async {
        let setup = setup_of(&script("0.05", &format!("{url}/hello")), 4, 1e6);
        let run = Run::start(setup, &[1]).await;
        run.handle.set_run_time(Some(ms(1_500))).await.unwrap();
        requests_reach(&target, 8).await;
        run.handle.pause().await.unwrap();
        let rate = super::rate(1e6);
        run.handle.set_users(9, rate).await.unwrap();
        let requests = at_rest(&target).await;
        sleep(ms(1_700)).await;
        assert_eq!(state(&run), State::Paused);
        assert_eq!(target.counts().total, requests);
        assert_eq!(count(&run.handle.summary().borrow(), "came"), 4);
        run.handle.resume().await.unwrap();
        let mut state = run.handle.state();
        let ended = state.wait_for(|state| matches!(state, State::Ended(_)));
        let ended = timeout(BOUND, ended)
            .await
            .expect("it ends")
            .unwrap()
            .clone();
        assert!(matches!(ended, State::Ended(ended) if ended.why == End::RunTime));
        let summary = run.handle.summary().borrow().clone();
        assert_eq!(count(&summary, "came"), 9);
        let held_us = summary.pauses.held_us();
        assert!(held_us >= 2_200_000, "{held_us}");
        assert!(summary.end_us >= 1_500_000 + held_us, "{}", summary.end_us);
    });
}

#[test]
fn a_run_time_that_has_passed_and_a_stop_end_a_pause() {
    let (target, url) = target();
    on_runtime(async {
        for wait in ["0", "100"] {
            let setup = setup_of(&script(wait, &format!("{url}/hello")), 6, 1e6);
            let run = Run::start(setup, &[2]).await;
            run.shows(|summary| summary.users.running == 6 && summary.total.requests >= 6)
                .await;
            run.handle.pause().await.unwrap();
            at_rest(&target).await;
            if wait == "0" {
                let summary = run.stop().await;
                assert_eq!(count(&summary, "went"), 6);
                assert!(summary.paused_us() >= 300_000, "{}", summary.paused_us());
                continue;
            }
            run.handle.set_run_time(Some(ms(1))).await.unwrap();
            let mut state = run.handle.state();
            let ended = state.wait_for(|state| matches!(state, State::Ended(_)));
            let ended = timeout(BOUND, ended)
                .await
                .expect("it ends")
                .unwrap()
                .clone();
            assert!(matches!(ended, State::Ended(ended) if ended.why == End::RunTime));
            assert_eq!(run.handle.resume().await, Err(Refusal::Ended));
        }
    });
}

#[test]
fn editions_go_into_service_in_a_pause_and_whom_they_bring_waits() {
    let (target, url) = target();
    on_runtime(async {
        let first = setup_of(&two_classes([1, 1], &url), 40, 1e6);
        let mut run = Run::start(first.clone(), &[1, 1]).await;
        run.shows(|summary| alive(summary) == [20, 20]).await;
        run.handle.pause().await.unwrap();
        let requests = at_rest(&target).await;
        let mut before = first;
        // Two in one pause, of which each takes users from a class.
        for (weights, generation) in [([3, 1], 2), ([1, 3], 3)] {
            let next = edited(&before, &two_classes(weights, &url), 40, 1e6);
            run.handle.reload(next.edition.clone()).await.unwrap();
            run.told(|notice| matches!(notice, Notice::Reloaded { generation: n, .. } if *n == generation))
                .await;
            run.shows(|summary| {
                summary.generations.len() == usize::from(generation)
                    && summary.users.behind == 0
                    && summary.users.running == 40
            })
            .await;
            before = next;
        }
        assert_eq!(state(&run), State::Paused);
        let summary = run.handle.summary().borrow().clone();
        let came = count(&summary, "A came") + count(&summary, "B came");
        assert_eq!(came, 40, "nobody has started in the pause");
        assert_eq!(target.counts().total, requests);
        run.handle.resume().await.unwrap();
        run.shows(|summary| alive(summary) == [10, 30]).await;
        let summary = run.stop().await;
        assert_eq!(alive(&summary), [0, 0]);
        assert_eq!(summary.total.requests, target.counts().total);
        assert!(summary.exceptions.is_empty(), "{:?}", summary.exceptions);
    });
}

#[test]
fn who_joins_in_a_pause_takes_over_its_users_after_it() {
    let (target, url) = target();
    on_runtime(async {
        let setup = setup_of(&script("0.1", &format!("{url}/hello")), 24, 1e6);
        let run = Run::start(setup, &[1, 1]).await;
        run.shows(|summary| summary.users.running == 24).await;
        run.handle.pause().await.unwrap();
        run.coming
            .send(Coming::JoinsHere { threads: 1 })
            .await
            .unwrap();
        // Whoever has too many gives them up.
        run.shows(|summary| count(summary, "went") > 0 && summary.users.running < 24)
            .await;
        let requests = at_rest(&target).await;
        sleep(ms(1_100)).await;
        let summary = run.handle.summary().borrow().clone();
        assert_eq!(count(&summary, "came"), 24);
        assert_eq!(target.counts().total, requests);
        run.handle.resume().await.unwrap();
        run.shows(|summary| {
            summary.users.running == 24 && count(summary, "came") - count(summary, "went") == 24
        })
        .await;
        // All three are at work: the first two may go.
        for id in [0, 1] {
            let leaves = Coming::Leaves(id);
            run.coming.send(leaves).await.unwrap();
        }
        run.shows(|summary| summary.users.running == 24 && count(summary, "went") >= 24)
            .await;
        let summary = run.stop().await;
        assert_eq!(summary.total.requests, target.counts().total);
        assert!(summary.users.peak <= 24);
    });
}

#[test]
fn a_pause_that_is_asked_for_during_setup_comes_before_the_first_user() {
    on_runtime(async {
        let script = format!(
            "setup(|| sleep(0.3)); {}",
            script("0.05", "/nowhere").replace("this.client.get(\"/nowhere\")", "()")
        );
        let run = Run::start(setup_of(&script, 6, 1e6), &[2]).await;
        run.handle.pause().await.unwrap();
        assert_eq!(state(&run), State::Paused);
        run.shows(|summary| summary.now_us >= 1_000_000).await;
        let summary = run.handle.summary().borrow().clone();
        assert_eq!((summary.users.running, count(&summary, "came")), (0, 0));
        run.handle.resume().await.unwrap();
        run.shows(|summary| summary.users.running == 6 && count(summary, "came") == 6)
            .await;
        run.stop().await;
    });
}
