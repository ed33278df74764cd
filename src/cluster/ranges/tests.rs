//! What is given out, to whom, and what becomes of it.
//!
//! Numbers alone: how workers and masters use them is tried in `cluster::tests`.

use super::*;

const ROWS: Counted = Counted::Rows(1);

fn at(millis: u64) -> Micros {
    Micros::default() + Duration::from_millis(millis)
}

fn ranges(of: Counted, end: Option<u64>) -> Ranges {
    let mut ranges = Ranges::default();
    ranges.declare(of, end);
    for worker in [1, 2] {
        ranges.seated(worker);
        ranges.beat(worker, &[], 1);
    }
    ranges
}

fn got(answers: Vec<Answered>) -> Vec<(u32, Option<Range<u64>>)> {
    let got = |(worker, _, answer)| match answer {
        Answer::Range(_, range) => (worker, Some(range)),
        Answer::UsedUp(_) => (worker, None),
        other => panic!("{other:?}"),
    };
    answers.into_iter().map(got).collect()
}

#[test]
fn ranges_follow_each_other_and_grow_with_use() {
    let mut ranges = ranges(ROWS, Some(11));
    assert_eq!(
        got(ranges.ask(at(0), (1, 1), ROWS, u64::MAX)),
        [(1, Some(0..1))]
    );
    assert_eq!(
        got(ranges.ask(at(10), (1, 2), ROWS, u64::MAX)),
        [(1, Some(1..3))]
    );
    assert_eq!(
        got(ranges.ask(at(20), (2, 1), ROWS, u64::MAX)),
        [(2, Some(3..4))]
    );
    assert_eq!(
        got(ranges.ask(at(30), (1, 3), ROWS, u64::MAX)),
        [(1, Some(4..8))]
    );
    assert_eq!(
        got(ranges.ask(at(9_000), (1, 4), ROWS, u64::MAX)),
        [(1, Some(8..10))]
    );
    // What is given back is given out first, and only by who had it.
    ranges.returned(2, ROWS, 3..4);
    ranges.returned(2, ROWS, 3..4);
    ranges.returned(1, ROWS, 90..91);
    assert_eq!(
        got(ranges.ask(at(9_100), (1, 5), ROWS, u64::MAX)),
        [(1, Some(3..4))]
    );
    assert_eq!(
        got(ranges.ask(at(9_200), (1, 6), ROWS, u64::MAX)),
        [(1, Some(10..11))]
    );
    assert_eq!(
        got(ranges.ask(at(9_300), (2, 7), ROWS, u64::MAX)),
        [(2, None)]
    );
    let (burned, _) = ranges.unseated(1);
    assert_eq!(burned, [(ROWS, 11)], "it has told of no use");
}

#[test]
fn nothing_is_given_out_beyond_what_all_have_been_told() {
    let mut ranges = ranges(ROWS, None);
    let mut last = 0;
    let mut blocked = None;
    for ask in 0..100_000 {
        // Only the first one says that it hears.
        ranges.beat(1, &[], ranges.horizons().0);
        match got(ranges.ask(at(ask), (1, ask), ROWS, u64::MAX)).as_slice() {
            [(1, Some(range))] => last = range.end,
            [] => {
                blocked = Some(ask);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    let blocked = blocked.expect("the other one has heard of no later horizon");
    let known = ranges.horizons().1[0].1;
    assert!(last <= known && !ranges.cancel(1, blocked + 1));
    // It has no seat any longer: it does not count.
    let (_, answers) = ranges.unseated(2);
    assert_eq!(answers.len(), 1);
}

#[test]
fn a_master_that_starts_again_begins_where_nobody_was() {
    let mut before = ranges(ROWS, Some(1_000));
    let mut last = 0;
    for ask in 0..5 {
        for (_, range) in got(before.ask(at(ask * 100), (1, ask), ROWS, u64::MAX)) {
            last = range.unwrap().end;
        }
    }
    let (statement, horizons) = before.horizons();
    assert!(statement >= 1);
    let mut after = Ranges::default();
    after.go_on_from(&horizons);
    after.declare(ROWS, Some(1_000));
    after.seated(1);
    let mut first = after.ask(at(0), (1, 1), ROWS, u64::MAX);
    first.extend(after.beat(1, &[], after.horizons().0));
    let (_, first) = got(first).remove(0);
    assert!(first.unwrap().start >= last);
    // Nobody who knows has come.
    let mut after = Ranges::default();
    after.declare(ROWS, Some(1_000));
    after.burn();
    assert_eq!(got(after.ask(at(0), (1, 1), ROWS, u64::MAX)), [(1, None)]);
    // A file says what was stated.
    before.restart();
    before.seated(1);
    before.ask(at(0), (1, 1), ROWS, u64::MAX);
    let answers = got(before.beat(1, &[], before.horizons().0));
    assert!(answers.is_empty() || answers[0].1.clone().unwrap().start >= last);
}

#[test]
fn iterations_of_a_lost_worker_are_given_out_again() {
    let mut ranges = ranges(Counted::Iterations, Some(40));
    let mut count = 0;
    for ask in 0.. {
        let answers = got(ranges.ask(at(ask), (1, ask), Counted::Iterations, u64::MAX));
        ranges.beat(1, &[], ranges.horizons().0);
        ranges.beat(2, &[], ranges.horizons().0);
        match answers.as_slice() {
            [(1, Some(range))] => count += range.end - range.start,
            [(1, None)] => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(count, 40);
    ranges.unseated(1);
    ranges.ended(1, 37);
    let mut again = 0;
    for ask in 0.. {
        match got(ranges.ask(at(ask), (2, ask), Counted::Iterations, u64::MAX)).as_slice() {
            [(2, Some(range))] => again += range.end - range.start,
            other => {
                assert_eq!(other, [(2, None)]);
                break;
            }
        }
    }
    assert_eq!(again, 3);
}

#[test]
fn iterations_are_used_up_when_nobody_has_any_to_begin() {
    let mut ranges = ranges(Counted::Iterations, Some(2));
    let ask = |ranges: &mut Ranges, worker, number| {
        got(ranges.ask(at(0), (worker, number), Counted::Iterations, u64::MAX))
    };
    assert_eq!(ask(&mut ranges, 1, 1), [(1, Some(0..1))]);
    assert_eq!(ask(&mut ranges, 2, 1), [(2, Some(1..2))]);
    // The other has one that it may not have begun.
    assert_eq!(ask(&mut ranges, 2, 2), []);
    // It is lost before it did.
    ranges.unseated(1);
    assert_eq!(got(ranges.ended(1, 0)), [(2, Some(1..2))]);
    assert_eq!(ask(&mut ranges, 2, 3), [(2, None)]);
}

#[test]
fn who_has_no_users_gives_back_and_others_begin() {
    let mut ranges = ranges(Counted::Iterations, Some(1));
    let of = Counted::Iterations;
    assert_eq!(got(ranges.ask(at(0), (1, 1), of, u64::MAX)).len(), 1);
    assert_eq!(ranges.ask(at(0), (2, 1), of, u64::MAX), []);
    assert_eq!(got(ranges.returned(1, of, 0..1)), [(2, Some(0..1))]);
}

#[test]
fn callers_get_turns_for_rows_that_they_know() {
    let mut ranges = Ranges::default();
    ranges.declare_rows(1, Mode::Unique, 2);
    ranges.declare_rows(1, Mode::Unique, 5);
    ranges.declare_rows(1, Mode::Unique, 2);
    for worker in [1, 2] {
        ranges.seated(worker);
        ranges.beat(worker, &[], ranges.horizons().0);
    }
    assert_eq!(got(ranges.ask(at(0), (1, 1), ROWS, 2)), [(1, Some(0..1))]);
    assert_eq!(got(ranges.ask(at(1), (1, 2), ROWS, 2)), [(1, Some(1..2))]);
    assert_eq!(got(ranges.ask(at(2), (1, 3), ROWS, 2)), [(1, None)]);
    assert_eq!(got(ranges.ask(at(3), (2, 1), ROWS, 5)), [(2, Some(2..3))]);
    // What comes back may be beyond what a caller knows.
    ranges.returned(2, ROWS, 2..3);
    assert_eq!(got(ranges.ask(at(4), (1, 4), ROWS, 2)), [(1, None)]);
    assert_eq!(got(ranges.ask(at(5), (2, 2), ROWS, 5)), [(2, Some(2..3))]);
}

#[test]
fn rows_go_on_as_in_one_process() {
    for mode in [Mode::Circular, Mode::Shuffle] {
        let mut ranges = Ranges::default();
        ranges.declare_rows(1, mode, 4);
        for ask in 0..3 {
            ranges.course(1, 4);
            ranges.ask(at(ask), (1, ask), ROWS, 4);
        }
        let taken = ranges.pools[&ROWS].next;
        ranges.declare_rows(1, mode, 9);
        let before = Course::settled(mode, None, 4, 0);
        let settled = Course::settled(mode, Some(before), 9, taken);
        assert_eq!(ranges.course(1, 9), Some(settled));
        // It stays, however many are taken.
        ranges.ask(at(9), (1, 9), ROWS, 9);
        assert_eq!(ranges.course(1, 9), Some(settled));
        assert_eq!(ranges.course(1, 10), None);
    }
}

#[test]
fn what_was_used_is_not_burned() {
    let mut ranges = ranges(ROWS, Some(100));
    for ask in 0..4 {
        ranges.ask(at(ask), (1, ask), ROWS, u64::MAX);
    }
    // 1, 2, 4 and 8.
    ranges.beat(1, &[(ROWS, 5)], 1);
    let (burned, _) = ranges.unseated(1);
    assert_eq!(burned, [(ROWS, 10)]);
    assert_eq!(ranges.unseated(1).0, []);
}

#[test]
fn under_another_master_nobody_is_told_of_an_end_before_it_is_known() {
    let mut ranges = Ranges::new(true);
    let unknown = Counted::Rows(2);
    ranges.seated(1);
    // They ask before the run is there that knows what these are of.
    assert_eq!(got(ranges.ask(at(0), (1, 1), ROWS, 100)), []);
    assert_eq!(got(ranges.ask(at(0), (1, 2), unknown, 100)), []);
    assert_eq!(ranges.ask_course((1, 3), 1, 100), []);
    assert_eq!(ranges.ask_course((1, 4), 1, 100), []);
    assert!(ranges.cancel(1, 4));
    ranges.go_on_from(&[(ROWS, 40)]);
    assert_eq!(ranges.declare_rows(1, Mode::Unique, 100), []);
    assert_eq!(ranges.waiting(), 3);
    let course = Course::settled(Mode::Unique, None, 100, 40);
    let used_up = Answer::UsedUp(unknown);
    assert_eq!(
        ranges.release(),
        [(1, 3, Answer::Course(course)), (1, 2, used_up)]
    );
    // Those who have a seat hear how far it may go, and then it goes on from there.
    assert_eq!(got(ranges.beat(1, &[], 1)), [(1, Some(40..41))]);
    assert_eq!(ranges.waiting(), 0);
}
