//! Failures and exceptions in summaries: how often, when, and where the first one came from.
//!
//! How texts are told apart and bounded is tested with the tally.

use super::*;

const S: u64 = 1_000_000;

fn throw(recorder: &mut Recorder, at_us: u64) {
    recorder.exception(at_us, "boom", "a.rhai:1:1", || {
        Some(format!("thrown at {at_us}").into())
    });
}

#[test]
fn an_exception_has_the_stack_of_the_first_one_since_the_reset() {
    let mut collector = Collector::new(Limits::default());
    let [mut early, mut late] = [0, 1].map(|thread| Recorder::new(thread, Limits::default()));
    throw(&mut late, 900);
    throw(&mut late, 950);
    collector.absorb(late.take(None));
    throw(&mut early, 700);
    collector.absorb(early.take(None));
    let seen = |collector: &mut Collector| {
        let summary = collector.summary(2 * S);
        let [row] = &summary.exceptions[..] else {
            panic!("{:?}", summary.exceptions)
        };
        let stack = row.stack.as_deref().map(str::to_owned);
        (row.count, row.first_us, row.last_us, stack)
    };
    let stack = Some("thrown at 700".to_owned());
    assert_eq!(seen(&mut collector), (3, 700, 950, stack));

    collector.reset(S);
    assert!(collector.summary(S).exceptions.is_empty());
    throw(&mut early, S + 5);
    throw(&mut early, S + 6);
    collector.absorb(early.take(None));
    let stack = Some(format!("thrown at {}", S + 5));
    assert_eq!(seen(&mut collector), (2, S + 5, S + 6, stack));
}
