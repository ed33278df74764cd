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

#[test]
fn a_failure_counts_in_the_second_it_happened_in_also_in_a_batch_of_many() {
    let mut collector = Collector::new(Limits::default());
    let mut recorder = Recorder::new(0, Limits::default());
    let series = recorder.series(&Kind::Http, "GET", "/a");
    for at_us in [5 * S - 1, 5 * S, 5 * S + 1, 8 * S + 7] {
        recorder.error(series, at_us, "no");
    }
    collector.absorb(recorder.take(None));
    recorder.error(series, 8 * S + 8, "no");
    collector.absorb(recorder.take(None));
    let trace = collector.summary(9 * S).errors[0].trace.clone();
    assert_eq!((trace.from(), trace.step()), (4, 1));
    assert_eq!(trace.counts(), [1, 2, 0, 0, 2]);

    collector.reset(9 * S);
    recorder.error(series, 9 * S, "no");
    collector.absorb(recorder.take(None));
    let trace = collector.summary(10 * S).errors[0].trace.clone();
    assert_eq!((trace.from(), trace.counts()), (9, &[1][..]));
}
