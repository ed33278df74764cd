//! Several groups of load threads as the members of one run: whoever comes or goes, all is exact.
//!
//! Users count themselves, the rows they take and their requests; the target counts those too.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{broadcast, mpsc};
use tokio::time::timeout;

use super::{BOUND, edited, on_runtime, setup_of, target};
use crate::load::Slots;
use crate::runner::elsewhere::{Coming, Gate};
use crate::runner::run::start_with;
use crate::runner::{End, Handle, Notice, Setup, State};
use crate::stats::Summary;

const USERS: u32 = 40;

/// Users of two classes who count themselves, the rows they take, and their requests.
pub(super) fn script(weights: [u32; 2], url: &str) -> String {
    let class = |(name, weight): (&str, u32)| {
        format!(
            "user(\"{name}\", #{{
                weight: {weight}, wait_time: 0.2,
                on_start: || counter(\"{name} came\").add(1),
                on_stop: || counter(\"{name} went\").add(1),
                t: task(|| {{
                    counter(\"rows\").add(ROWS.next());
                    counter(\"taken\").add(1);
                    this.client.get(\"{url}/hello\");
                }}),
            }});"
        )
    };
    let classes: String = ["A", "B"].into_iter().zip(weights).map(class).collect();
    let numbers = "fn numbers() { let all = []; for n in 1..10_000 { all.push(n); } all }";
    format!("const ROWS = rows(numbers(), #{{ mode: \"unique\" }}); {classes} {numbers}")
}

/// A run whose members come and go.
pub(super) struct Run {
    pub(super) handle: Handle,
    pub(super) coming: mpsc::Sender<Coming>,
    notices: broadcast::Receiver<Notice>,
}

impl Run {
    pub(super) async fn start(setup: Arc<Setup>, members: &[u32]) -> Run {
        let slots = Slots::shared(members.iter().sum());
        let (handle, gate) = start_with(setup, members, slots).await.unwrap();
        Run::of(handle, gate)
    }

    pub(super) fn of(handle: Handle, gate: Gate) -> Run {
        Run {
            notices: handle.notices(),
            handle,
            coming: gate.coming,
        }
    }

    /// Waits for a notice.
    pub(super) async fn told(&mut self, wanted: impl Fn(&Notice) -> bool) {
        let heard =
            async { while !wanted(&self.notices.recv().await.expect("the run goes on")) {} };
        timeout(BOUND, heard).await.expect("it is told");
    }

    /// Waits until the figures are such.
    pub(super) async fn shows(&self, wanted: impl Fn(&Summary) -> bool) {
        let mut summary = self.handle.summary();
        let shown = summary.wait_for(|summary| wanted(summary));
        let shown = timeout(BOUND, shown).await.map(|shown| shown.is_ok());
        let last = self.handle.summary().borrow().clone();
        assert_eq!(shown, Ok(true), "{:?} {:?}", last.users, last.counters);
    }

    /// Stops it: its last figures.
    pub(super) async fn stop(self) -> Arc<Summary> {
        self.handle.stop();
        self.until(End::Stopped).await
    }

    /// Waits until its users have done all they were to do: its last figures.
    pub(super) async fn ends(self) -> Arc<Summary> {
        self.until(End::Done).await
    }

    async fn until(self, end: End) -> Arc<Summary> {
        let mut state = self.handle.state();
        let ended = state.wait_for(|state| matches!(state, State::Ended(_)));
        let ended = timeout(BOUND, ended)
            .await
            .expect("it ends")
            .unwrap()
            .clone();
        assert!(
            matches!(&ended, State::Ended(ended) if ended.why == end),
            "{ended:?}"
        );
        self.handle.summary().borrow().clone()
    }
}

pub(super) fn counters(summary: &Summary) -> BTreeMap<&str, u64> {
    let all = summary.counters.iter();
    all.map(|counter| (&*counter.name, counter.total)).collect()
}

/// How many users of each class there are now, as they say themselves.
pub(super) fn alive(summary: &Summary) -> [u64; 2] {
    let all = counters(summary);
    let of = |name: String| all.get(&*name).copied().unwrap_or(0);
    ["A", "B"].map(|class| of(format!("{class} came")) - of(format!("{class} went")))
}

#[test]
fn members_come_and_go_and_users_classes_rows_and_counts_stay_exact() {
    let (target, url) = target();
    let first = setup_of(&script([3, 1], &url), USERS, 100.0);
    let edited = edited(&first, &script([1, 1], &url), USERS, 100.0);
    let summary = {
        let target_counts = || target.counts();
        let mut last = None;
        on_runtime(async {
            let mut run = Run::start(first, &[2, 1]).await;
            // In the middle of the ramp, which takes 0.4 s.
            run.told(|notice| matches!(notice, Notice::Ramping(_)))
                .await;
            run.coming
                .send(Coming::JoinsHere { threads: 2 })
                .await
                .unwrap();
            run.told(|notice| matches!(notice, Notice::Arrived(change) if change.to == USERS))
                .await;
            run.shows(|summary| summary.users.running == 40 && alive(summary) == [30, 10])
                .await;

            // During a reload.
            run.handle.reload(edited.edition.clone()).await.unwrap();
            run.coming
                .send(Coming::JoinsHere { threads: 1 })
                .await
                .unwrap();
            run.told(|notice| matches!(notice, Notice::Reloaded { .. }))
                .await;
            run.shows(|summary| {
                summary.users.behind == 0
                    && summary.users.running == 40
                    && alive(summary) == [20, 20]
            })
            .await;

            // One that was there from the beginning, and one that came late, both at once.
            for id in [0, 2] {
                let leaves = Coming::Leaves(id);
                run.coming.send(leaves).await.unwrap();
            }
            let went = |summary: &Summary| {
                let all = counters(summary);
                let of = |name| all.get(name).copied().unwrap_or(0);
                of("A went") + of("B went")
            };
            let before = went(&run.handle.summary().borrow());
            run.shows(|summary| {
                went(summary) >= before + 10
                    && summary.users.running == 40
                    && alive(summary) == [20, 20]
            })
            .await;
            assert_eq!(run.handle.state().borrow().clone(), State::Running);
            last = Some(run.stop().await);
        });
        let summary = last.expect("it has run");
        assert_eq!(summary.total.requests, target_counts().total);
        summary
    };
    assert_eq!(summary.total.failures, 0);
    assert_eq!(summary.exceptions.len(), 0, "{:?}", summary.exceptions);
    assert_eq!(alive(&summary), [0, 0], "all have gone");
    assert!(
        summary.users.peak <= u64::from(USERS),
        "{:?}",
        summary.users
    );
    // The first rows, each of them once.
    let all = counters(&summary);
    let taken = all["taken"];
    assert_eq!(all["rows"], taken * (taken + 1) / 2, "of {taken}");
}

#[test]
fn who_joins_during_setup_has_its_part_from_the_first_user_on() {
    on_runtime(async {
        let script = "setup(|| sleep(0.3));
            user(\"U\", #{ on_start: || print(\"comes\"), wait_time: 0.01, t: task(|| ()) });";
        let mut run = Run::start(setup_of(script, 6, 1e6), &[1]).await;
        run.coming
            .send(Coming::JoinsHere { threads: 1 })
            .await
            .unwrap();
        run.told(|notice| matches!(notice, Notice::Arrived(change) if change.to == 6))
            .await;
        run.coming.send(Coming::Leaves(0)).await.unwrap();
        run.shows(|summary| summary.users.running == 6 && summary.elapsed_us > 1_000_000)
            .await;
        assert!(run.stop().await.users.peak <= 6);
    });
}

#[test]
fn a_run_goes_on_while_somebody_is_left_and_ends_with_the_last() {
    on_runtime(async {
        let script =
            "user(\"U\", #{ wait_time: 0.01, t: task(|| record(#{ type: \"T\", name: \"t\" })) });";
        let mut run = Run::start(setup_of(script, 6, 1e6), &[1, 1]).await;
        run.told(|notice| matches!(notice, Notice::Arrived(_)))
            .await;
        run.coming.send(Coming::Leaves(1)).await.unwrap();
        // One that nobody knows, and one that is leaving already.
        run.coming.send(Coming::Leaves(7)).await.unwrap();
        run.coming.send(Coming::Leaves(1)).await.unwrap();
        run.shows(|summary| summary.users.running == 6 && summary.elapsed_us > 1_000_000)
            .await;
        run.coming
            .send(Coming::JoinsHere { threads: 1 })
            .await
            .unwrap();
        // It is stopped before it has begun, or in the middle of its first users: both are in
        // order.
        let summary = run.stop().await;
        assert_eq!(summary.users.running, 0);
        assert!(summary.users.peak <= 6);
    });
}
