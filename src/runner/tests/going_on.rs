//! Runs that go on under another master, or without anybody: as members see it, which are played
//! here by what they say.

use std::sync::Arc;
use std::time::Duration;

use super::{on_runtime, setup_of};
use crate::clock;
use crate::load::{Part, Plan};
use crate::runner::elsewhere::{Going, HeldPlace, News, SentEditions, SentOrder};
use crate::runner::{End, Ended, Handle, Setup, State, go_on, open};

const SCRIPT: &str = "user(\"U\", #{ t: task(|| { sleep(1); }) });";
const SLOTS: u32 = 64;

async fn end(handle: &Handle) -> End {
    let mut state = handle.state();
    let ended = state.wait_for(|state| matches!(state, State::Ended(_)));
    match &*ended.await.expect("it is told") {
        State::Ended(Ended { why, .. }) => why.clone(),
        _ => unreachable!("that was waited for"),
    }
}

fn going(setup: &Setup) -> Going {
    Going {
        elapsed_us: 100_000_000,
        unix_us: 1_700_000_000_000_000,
        plan: Arc::new(Plan::closed(9, super::rate(1_000.0), None)),
        classes: Arc::new([setup.edition.classes(0)]),
        pauses: (0, None),
        setup: None,
        generation: 1,
        hash: setup.edition.hash(),
        counted: setup.edition.inputs.sources.counted(),
    }
}

fn held() -> HeldPlace {
    let all = (0..SLOTS).collect();
    HeldPlace {
        member: 7,
        first: 3,
        parts: vec![Part::of(SLOTS, all).expect("they are all there")],
        assignment: 5,
        generation: 1,
    }
}

#[test]
fn it_begins_in_its_middle_and_deals_once_it_is_known_who_is_there() {
    on_runtime(async {
        let setup = setup_of(SCRIPT, 1, 1.0);
        let (handle, gate) = go_on(setup.clone(), &going(&setup), Arc::default()).unwrap();
        let sent = SentEditions::default();
        let mut old = gate.hold(held()).await.await.unwrap();
        assert_eq!((old.member, old.threads.clone()), (7, 3..4));
        let mut new = gate.join(2).await.unwrap();
        assert_eq!((new.member, new.threads.clone()), (8, 4..6));
        gate.say(new.member, News::Ready).await;
        gate.settled().await;
        gate.deal().await;
        // The first order that the old one gets is to give some up.
        let order = old.orders.next(&sent).await.unwrap().unwrap();
        let SentOrder::Assign { number, parts, .. } = order else {
            panic!("{order:?}");
        };
        assert_eq!((number, parts[0].count()), (6, SLOTS));
        assert!(parts[0].slots().len() < 64, "{parts:?}");
        let begin = new.orders.next(&sent).await.unwrap().unwrap();
        assert!(matches!(begin, SentOrder::Begin { .. }));
        let SentOrder::Start(start) = new.orders.next(&sent).await.unwrap().unwrap() else {
            panic!("then it starts");
        };
        let elapsed = Duration::from_micros(clock::now().since(start.epoch));
        assert!(elapsed >= Duration::from_secs(100), "{elapsed:?}");
        assert_eq!(start.plan.peak_users(), 9);
        assert!(start.parts.iter().all(|part| part.slots().is_empty()));
        let summary = handle.summary();
        assert_eq!(summary.borrow().epoch_unix_us, 1_700_000_000_000_000);
        handle.stop();
        for member in [old.member, new.member] {
            gate.say(member, News::Ended { cut: 0 }).await;
        }
        assert_eq!(end(&handle).await, End::Stopped);
    });
}

#[test]
fn it_ends_as_failed_when_nobody_comes_or_another_master_has_it() {
    on_runtime(async {
        let setup = setup_of(SCRIPT, 1, 1.0);
        let (mut opening, joined) = open(setup.clone(), &[1], Arc::default()).unwrap();
        opening.patience(Duration::from_millis(200));
        let gate = opening.gate();
        gate.say(joined[0].member, News::Ready).await;
        let handle = opening.begin().await.unwrap();
        gate.gone(joined[0].member).await;
        let nobody = End::Failed("no worker was there for 200ms".to_owned());
        assert_eq!(end(&handle).await, nobody);

        let (handle, gate) = go_on(setup.clone(), &going(&setup), Arc::default()).unwrap();
        let _joined = gate.hold(held()).await;
        gate.deposed("another has it".to_owned()).await;
        let other = End::Failed("another has it".to_owned());
        assert_eq!(end(&handle).await, other);
    });
}
