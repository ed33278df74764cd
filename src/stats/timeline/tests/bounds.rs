//! How much a timeline keeps: stretches of each length, and bytes.
//! Not compiled into the tool.

use super::*;

/// So many requests of each of so many names in a second, of widely spread times.
fn second(second: u64, names: u32, requests: u64) -> Vec<(u64, u32, Cell)> {
    let of_name = |id: u32| {
        let mut cell = Cell::default();
        for nth in 0..requests {
            let seed = second % 1_000_003 * 7_919 + u64::from(id) * 104_729 + nth;
            let random = seed * 2_654_435_761 % 1_000_003;
            Event {
                second,
                id,
                us: 200 + random * random / 1_000_000,
                what: What::Request {
                    is_failure: false,
                    late_us: 0,
                },
            }
            .add_to(&mut cell);
        }
        cell.close();
        (second, id, cell)
    };
    (1..=names).map(of_name).collect()
}

fn add(timeline: &mut Timeline, cells: &[(u64, u32, Cell)]) {
    timeline.add(cells.iter().map(|(second, id, cell)| (*second, *id, cell)));
    let mut total = Cell::default();
    cells.iter().for_each(|(_, _, cell)| total.merge(cell));
    timeline.add_total([(cells[0].0, &total)].into_iter());
}

#[test]
fn each_length_has_at_most_960_stretches_and_the_latest_15_minutes_are_whole() {
    let mut timeline = Timeline::default();
    for now in 0..40_000 {
        if now % 7 == 0 {
            add(&mut timeline, &second(now, 1, 1));
        }
        timeline.reach(now + 1);
        if now % 1_000 == 0 {
            for axis in [&timeline.total, &timeline.names] {
                let lens = axis.lens();
                assert!(lens.iter().all(|len| *len <= 960), "{lens:?}");
            }
            assert_eq!(covered(&timeline), 0..now + 1);
        }
    }
    let lens: Vec<u64> = timeline
        .stretches(TOTAL, 0..40_000)
        .map(|it| it.len)
        .collect();
    assert!(lens.is_sorted_by(|older, newer| older >= newer));
    let of = |len| lens.iter().filter(|it| **it == len).count();
    assert!(of(1) >= 900 && of(2) >= 890 && of(16) >= 890, "{lens:?}");
    assert_eq!(lens[0], 32, "five tiers have 7.5 hours");
}

#[test]
fn a_week_fits_and_what_comes_after_it_is_left_out() {
    let mut timeline = Timeline::default();
    let latest = MAX_SECONDS - 1;
    let cells = second(latest, 2, 3);
    add(&mut timeline, &cells);
    add(&mut timeline, &second(5, 2, 1));
    for beyond in [MAX_SECONDS, u64::MAX] {
        add(&mut timeline, &second(beyond % (1 << 40), 2, 1));
        timeline.reach(beyond);
    }
    assert_eq!(covered(&timeline), 0..MAX_SECONDS);
    let stretches = timeline.stretches(TOTAL, 0..MAX_SECONDS).count();
    assert!(stretches <= 9_600, "{stretches}");
    assert_eq!(timeline.window(0..1).rows[0].requests, 2);
    assert_eq!(timeline.window(latest..latest + 1).rows[0].requests, 6);
    assert_eq!(timeline.window(0..MAX_SECONDS).rows[2].requests, 4);
}

#[test]
fn many_names_stay_within_their_budget_and_keep_recent_seconds() {
    const BYTES: usize = 1 << 20;
    let mut timeline = Timeline::with_budget(BYTES);
    let (mut sum, mut requests) = (Cell::default(), 0);
    for now in 0..700 {
        let cells = second(now, 50, 20);
        if now % 10 == 9 {
            // A thread that was busy for two minutes.
            let late = second(now.saturating_sub(120), 50, 1);
            late.iter()
                .for_each(|(_, _, cell)| requests += cell.requests());
            sum.merge(&late[6].2);
            add(&mut timeline, &late);
        }
        sum.merge(&cells[6].2);
        requests += 50 * 20;
        add(&mut timeline, &cells);
        let (bytes, lens) = (timeline.names.bytes(), timeline.names.lens());
        assert!(bytes <= BYTES, "{bytes}");
        // No length is thinned far below the others.
        if let [.., last] = lens[..] {
            let least = lens[..lens.len() - 1].iter().min().copied().unwrap_or(last);
            let most = lens.iter().max().copied().unwrap_or(0);
            assert!(now < 300 || least * 2 >= most, "{lens:?}");
        }
    }
    assert!(timeline.names.bytes() > BYTES / 2);
    assert_eq!(
        timeline.total.lens(),
        [688],
        "the total pays nothing for them"
    );
    assert!(timeline.adds_up_to(7, &sum));
    let all = timeline.window(0..700);
    assert_eq!(all.seconds, 0..700);
    let of_names: u64 = all.rows[1..].iter().map(|row| row.requests).sum();
    assert_eq!((of_names, all.rows[0].requests), (requests, requests));
    assert_eq!(timeline.window(695..697).seconds, 695..697);
}

#[test]
fn a_clone_stays_as_it_was() {
    let mut timeline = Timeline::default();
    (0..1_000).for_each(|now| add(&mut timeline, &second(now, 2, 2)));
    let before = timeline.clone();
    let seen = |timeline: &Timeline| {
        let window = timeline.window(0..2_000);
        (window, covered(timeline))
    };
    let expected = seen(&before);
    (1_000..1_200).for_each(|now| add(&mut timeline, &second(now, 2, 2)));
    add(&mut timeline, &second(3, 2, 2));
    assert_eq!(seen(&before), expected);
    assert_eq!(expected.0.rows[0].requests, 4_000);
    assert_eq!(timeline.window(0..2_000).rows[0].requests, 4_804);
}
