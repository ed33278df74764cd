//! Load threads under orders, without a run around them.
//!
//! What is held against them is what their users print: who comes, who goes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{BOUND, on_runtime, rate, setup_of};
use crate::clock::{self, Micros};
use crate::coroutine;
use crate::load::{Classes, Mix, Part, Plan};
use crate::runner::Setup;
use crate::runner::assignments::{Assignment, Parts};
use crate::runner::fleet::{Levels, Member, MemberId};
use crate::runner::load_thread::{Adoption, News, Order, Preparation, Start};
use crate::runner::threads::{self, Connections};
use crate::script::{Line, Shared};
use crate::stats::Batch;
use crate::vu::Budget;

/// Each user says when it comes and goes, and a number of its own.
const SCRIPT: &str = r#"
    user("U", #{
        on_start: || print(`comes ${random(1, 1000000000)}`),
        on_stop: || print("goes"),
        wait_time: 0.01,
        t: task(|| ()),
    });
"#;

fn setup(users: u32, per_sec: f64) -> Arc<Setup> {
    setup_of(SCRIPT, users, per_sec)
}

/// A load thread, its news, and what its users say.
struct Thread {
    member: Member,
    /// What it is told when it begins.
    start: Start,
    news: mpsc::Receiver<(MemberId, News)>,
    lines: mpsc::Receiver<Line>,
    _batches: mpsc::Receiver<Batch>,
}

impl Thread {
    async fn start(setup: &Arc<Setup>, shared: &Arc<Shared>, slots: &[u32]) -> Thread {
        Thread::with(setup, shared, slots, None, vec![setup.edition.classes(0)]).await
    }

    async fn with(
        setup: &Arc<Setup>,
        shared: &Arc<Shared>,
        slots: &[u32],
        budget: Option<Budget>,
        adopted: Vec<Classes>,
    ) -> Thread {
        let (news_in, mut news) = mpsc::channel(64);
        let (lines_in, lines) = mpsc::channel(1_024);
        let (full, batches) = mpsc::channel(64);
        let to = Connections {
            setup: setup.clone(),
            group: coroutine::new_group(),
            news: news_in,
            batches: full,
            log: lines_in,
            shared: shared.clone(),
            budget,
            fence: None,
        };
        let member = threads::start(MemberId(0), 0, 1, &setup.edition, 1, &to);
        let ready = timeout(BOUND, news.recv()).await;
        assert!(matches!(ready, Ok(Some((_, News::Ready)))));
        Thread {
            member: member.unwrap(),
            start: Start {
                epoch: clock::now(),
                unix_us: 0,
                plan: setup.edition.options.plan.clone(),
                parts: parts(slots),
                classes: adopted.into(),
                pauses: (0, None),
            },
            news,
            lines,
            _batches: batches,
        }
    }

    fn assign(&self, number: u16, slots: &[u32], per_sec: f64) {
        let (parts, pace) = (parts(slots), rate(per_sec));
        let assignment = Assignment { number, parts };
        self.member.order(Order::Assign { assignment, pace });
    }

    /// The next so many lines: who said them, and what.
    async fn says(&mut self, count: usize) -> Vec<(String, String)> {
        let mut said = Vec::new();
        while said.len() < count {
            let line = timeout(BOUND, self.lines.recv()).await;
            let line = line.expect("it is said").expect("the thread is there");
            said.push((line.who, line.text));
        }
        said
    }

    /// Waits for the news that users are gone; gives the assignment's number.
    async fn yields(&mut self) -> u16 {
        loop {
            let news = timeout(BOUND, self.news.recv()).await;
            if let Some((_, News::Assigned(number, _))) = news.expect("it is told") {
                return number;
            }
        }
    }

    async fn prepares(&mut self) {
        loop {
            let news = timeout(BOUND, self.news.recv()).await;
            if let Some((_, News::Prepared { result, .. })) = news.expect("it is told") {
                return assert!(result.is_ok());
            }
        }
    }

    fn says_no_more(&mut self) {
        assert!(self.lines.try_recv().is_err(), "nobody else comes or goes");
    }

    async fn stop(mut self) -> Vec<(String, String)> {
        self.member.order(Order::Stop {
            stop_timeout: Duration::from_secs(5),
            on_stop_timeout: Duration::from_secs(5),
        });
        let mut said = Vec::new();
        while let Some(line) = timeout(BOUND, self.lines.recv()).await.expect("it ends") {
            said.push((line.who, line.text));
        }
        said
    }
}

fn part(slots: &[u32]) -> Part {
    Part::of(4, slots.to_vec()).unwrap()
}

/// For the only thread of a member.
fn parts(slots: &[u32]) -> Parts {
    Parts::new(BTreeMap::from([(0, part(slots))]), 4)
}

/// Those who say so, in order.
fn sorted(said: &[(String, String)], word: &str) -> Vec<String> {
    let by = said.iter().filter(|(_, text)| text.starts_with(word));
    let mut by: Vec<_> = by.map(|(who, _)| who.clone()).collect();
    by.sort();
    by
}

fn users(ordinals: &[u64]) -> Vec<String> {
    ordinals
        .iter()
        .map(|ordinal| format!("U {ordinal}"))
        .collect()
}

async fn begin(threads: &[&Thread]) {
    begin_at(clock::now(), threads);
}

fn begin_at(epoch: Micros, threads: &[&Thread]) {
    for thread in threads {
        let start = thread.start.clone();
        thread.member.order(Order::Start(Start { epoch, ..start }));
    }
}

#[test]
fn a_run_that_begins_at_a_moment_still_to_come_begins_then() {
    on_runtime(async {
        let (setup, shared) = (setup(8, 1e6), Arc::new(Shared::default()));
        let mut thread = Thread::start(&setup, &shared, &[0, 1, 2, 3]).await;
        let epoch = clock::now() + Duration::from_millis(300);
        begin_at(epoch, &[&thread]);
        // Orders are heard before.
        let plan = Arc::new(Plan::closed(3, rate(1e6), None));
        thread.member.order(Order::Follow(plan));
        assert_eq!(sorted(&thread.says(3).await, "comes"), users(&[0, 1, 2]));
        assert!(clock::now() >= epoch);
        thread.says_no_more();
        assert_eq!(thread.stop().await.len(), 3);
    });
}

// Of four slots: users 0 to 3 have them in that order, 4 to 7 have 2, 3, 0, 1.
#[test]
fn users_of_slots_that_move_go_before_they_come_and_nobody_else_does() {
    on_runtime(async {
        let (setup, shared) = (setup(8, 1e6), Arc::new(Shared::default()));
        let mut one = Thread::start(&setup, &shared, &[0, 1]).await;
        let mut other = Thread::start(&setup, &shared, &[2, 3]).await;
        begin(&[&one, &other]).await;
        let mut drawn: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut note = |said: &[(String, String)]| {
            for (who, text) in said.iter().filter(|(_, text)| text != "goes") {
                drawn.entry(who.clone()).or_default().push(text.clone());
            }
        };
        let said = [one.says(4).await, other.says(4).await];
        assert_eq!(sorted(&said[0], "comes"), users(&[0, 1, 6, 7]));
        assert_eq!(sorted(&said[1], "comes"), users(&[2, 3, 4, 5]));
        said.iter().for_each(|said| note(said));

        one.assign(1, &[0], 1.0);
        assert_eq!(one.yields().await, 1);
        assert_eq!(sorted(&one.says(2).await, "goes"), users(&[1, 7]));
        assert_eq!(shared.users(), 6, "they are gone when that is told");
        other.assign(1, &[1, 2, 3], 1_000.0);
        assert_eq!(other.yields().await, 1);
        let said = other.says(2).await;
        assert_eq!(sorted(&said, "comes"), users(&[1, 7]));
        note(&said);

        // And back again.
        other.assign(2, &[2, 3], 1.0);
        assert_eq!(other.yields().await, 2);
        assert_eq!(sorted(&other.says(2).await, "goes"), users(&[1, 7]));
        one.assign(3, &[0, 1], 1_000.0);
        let said = one.says(2).await;
        assert_eq!(sorted(&said, "comes"), users(&[1, 7]));
        note(&said);
        one.says_no_more();
        other.says_no_more();
        assert_eq!(shared.users(), 8);
        assert_eq!(sorted(&one.stop().await, "goes"), users(&[0, 1, 6, 7]));
        assert_eq!(sorted(&other.stop().await, "goes"), users(&[2, 3, 4, 5]));
        // Each life has numbers of its own.
        for (who, mut numbers) in drawn {
            let lives = numbers.len();
            assert_eq!(
                lives,
                if ["U 1", "U 7"].contains(&&*who) {
                    3
                } else {
                    1
                }
            );
            numbers.sort();
            numbers.dedup();
            assert_eq!(numbers.len(), lives, "{who}");
        }
    });
}

#[test]
fn a_thread_that_comes_in_the_middle_of_a_ramp_takes_its_share_and_goes_on_with_it() {
    on_runtime(async {
        // A user each 10 ms. No more: of one thread 100 lines are heard a second.
        let (setup, shared) = (setup(40, 100.0), Arc::new(Shared::default()));
        let mut one = Thread::start(&setup, &shared, &[0, 1, 2, 3]).await;
        let mut late = Thread::start(&setup, &shared, &[]).await;
        begin(&[&one, &late]).await;
        let mut said = one.says(10).await;
        one.assign(1, &[0, 1], 1.0);
        assert_eq!(one.yields().await, 1);
        // Who had to go has said so: from now on they only come.
        while let Ok(line) = one.lines.try_recv() {
            said.push((line.who, line.text));
        }
        late.assign(1, &[2, 3], 1e6);
        let has_all = |said: &[(String, String)], word| sorted(said, word).len() >= 20;
        let mut of_late = Vec::new();
        while !has_all(&of_late, "comes") {
            of_late.extend(late.says(1).await);
        }
        while there(&said).len() < 20 {
            said.extend(one.says(1).await);
        }
        assert_eq!(shared.users(), 40);
        let mut all = there(&said);
        all.extend(there(&of_late));
        all.sort();
        let mut expected = users(&(0..40).collect::<Vec<_>>());
        expected.sort();
        assert_eq!(all, expected, "each user of the plan is there once");
        assert_eq!(one.stop().await.len(), 20);
        assert_eq!(late.stop().await.len(), 20);
    });
}

/// Those that have come and not gone, by what they are called.
fn there(said: &[(String, String)]) -> Vec<String> {
    let mut there = sorted(said, "comes");
    for gone in sorted(said, "goes") {
        let at = there.iter().position(|who| *who == gone);
        there.remove(at.expect("who goes has come"));
    }
    there
}

#[test]
fn users_that_move_while_a_reload_changes_their_classes_keep_to_the_mix() {
    let script = |classes: &[(&str, u32)]| -> String {
        let class = |(name, weight): &(&str, u32)| {
            format!(
                "user(\"{name}\", #{{ weight: {weight}, on_start: || print(\"comes\"), \
                 on_stop: || print(\"goes\"), wait_time: 0.01, t: task(|| ()) }});"
            )
        };
        classes.iter().map(class).collect()
    };
    on_runtime(async {
        const USERS: u32 = 16;
        let first = setup_of(&script(&[("A", 1), ("B", 1)]), USERS, 1e6);
        let edited = setup_of(&script(&[("B", 1), ("C", 2), ("A", 1)]), USERS, 1e6);
        let adopted = vec![first.edition.classes(0), edited.edition.classes(USERS)];
        let names = &adopted[1].names;
        let mut mix = Mix::of(&adopted);
        let mut expected = |slots: &[u32]| {
            let part = part(slots);
            let own = (0..part.own_of(0, USERS)).filter_map(|index| part.ordinal(0, index));
            let name = |ordinal| format!("{} {ordinal}", names[mix.class_of(ordinal).unwrap()]);
            let mut all: Vec<_> = own.map(name).collect();
            all.sort();
            all
        };
        let shared = Arc::new(Shared::default());
        let mut one = Thread::start(&first, &shared, &[0, 1, 2, 3]).await;
        begin(&[&one]).await;
        let mut said = one.says(USERS as usize).await;
        one.member.order(Order::Prepare(Preparation {
            ticket: 1,
            edition: edited.edition.clone(),
            number: 2,
        }));
        one.prepares().await;
        one.member.order(Order::Adopt(Adoption {
            number: 2,
            mixed: USERS,
            plan: None,
        }));
        // While those that are to be of another class make place.
        one.assign(1, &[1, 3], 1.0);
        assert_eq!(one.yields().await, 1);
        // Who comes late has not seen the edit.
        let mut late = Thread::with(&edited, &shared, &[], None, adopted.clone()).await;
        begin(&[&late]).await;
        late.assign(1, &[0, 2], 1e6);
        let expected = [expected(&[1, 3]), expected(&[0, 2])];
        while there(&said) != expected[0] {
            said.extend(one.says(1).await);
        }
        let mut of_late = Vec::new();
        while there(&of_late) != expected[1] {
            of_late.extend(late.says(1).await);
        }
        assert_eq!(shared.users(), USERS);
        assert_eq!(sorted(&one.stop().await, "goes"), expected[0]);
        assert_eq!(sorted(&late.stop().await, "goes"), expected[1]);
    });
}

/// A thread with two users, whose iterations come from elsewhere.
async fn with_budget(budget: &Budget) -> Thread {
    let script = SCRIPT.replace("task(|| ())", "task(|| print(\"does\"))");
    let (setup, shared) = (setup_of(&script, 2, 1e6), Arc::new(Shared::default()));
    let adopted = vec![setup.edition.classes(0)];
    let all = [0, 1, 2, 3];
    let mut thread = Thread::with(&setup, &shared, &all, Some(budget.clone()), adopted).await;
    begin(&[&thread]).await;
    assert_eq!(sorted(&thread.says(2).await, "comes").len(), 2);
    thread
}

#[test]
fn users_wait_for_iterations_that_may_still_come() {
    on_runtime(async {
        let budget = Budget::asking();
        let mut thread = with_budget(&budget).await;
        for given in [3, 1] {
            timeout(BOUND, budget.asked()).await.expect("somebody asks");
            budget.give(given);
            let count = usize::try_from(given).unwrap();
            assert_eq!(sorted(&thread.says(count).await, "does").len(), count);
        }
        timeout(BOUND, budget.asked()).await.expect("somebody asks");
        thread.says_no_more();
        budget.close();
        assert_eq!(sorted(&thread.says(2).await, "goes").len(), 2);
        loop {
            let news = timeout(BOUND, thread.news.recv()).await;
            let idle = |levels: Levels| levels.is_idle && levels.users == 0;
            if matches!(news.expect("it is told"), Some((_, News::Levels(now))) if idle(now)) {
                break;
            }
        }
        assert!(thread.stop().await.is_empty());
    });
}

#[test]
fn who_waits_for_iterations_is_stopped_as_one_that_waits() {
    on_runtime(async {
        let budget = Budget::asking();
        let thread = with_budget(&budget).await;
        timeout(BOUND, budget.asked()).await.expect("somebody asks");
        assert_eq!(sorted(&thread.stop().await, "goes").len(), 2);
    });
}
