//! Holds cells to adding up to the same, however a run was split over threads, members, batches,
//! folds, reports and generations.
//!
//! A property test; not compiled into the tool.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::*;
use crate::stats::cell::together;
use crate::stats::dist::Dist;
use crate::stats::generations::Age;
use crate::stats::{Outcome, Recorder, Row, Sample, Second, Slots, Summary, Times};

const LIMITS: Limits = Limits {
    series: 50,
    texts: 50,
    samples: 8,
};

/// Members of the split run, of two threads each; the first is control's own process.
const MEMBERS: usize = 3;

/// When all has been measured, in seconds.
const END_S: u64 = 40;

#[derive(Clone, Debug)]
enum What {
    Request { outcome: Outcome, late_us: u64 },
    Group,
    Missed(u64),
    Cut,
    Lag(u32),
}

/// What happens to those that carry it, once it is recorded.
#[derive(Clone, Debug)]
enum Then {
    Nothing,
    Fold,
    HandOver,
    Report,
    Tick,
}

/// Something that is measured.
#[derive(Clone, Debug)]
struct Event {
    member: usize,
    thread: usize,
    generation: u16,
    name: u8,
    end_us: u64,
    service_us: u64,
    what: What,
    then: Then,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let outcome = prop_oneof![3 => Just(Outcome::Success), 1 => Just(Outcome::Failure)];
    let late = prop_oneof![3 => Just(0_u64), 1 => 0..3_000_000_u64];
    let what = prop_oneof![
        8 => (outcome, late).prop_map(|(outcome, late_us)| What::Request { outcome, late_us }),
        1 => Just(What::Group),
        1 => (1_u64..30).prop_map(What::Missed),
        1 => Just(What::Cut),
        1 => (0_u32..40_000).prop_map(What::Lag),
    ];
    let then = prop_oneof![
        12 => Just(Then::Nothing),
        1 => Just(Then::Fold),
        2 => Just(Then::HandOver),
        1 => Just(Then::Report),
        1 => Just(Then::Tick),
    ];
    let service = (0_u32..26).prop_flat_map(|bits| 0..=(1_u64 << bits));
    let one = (
        (0..MEMBERS, 0_usize..2, 1_u16..5, 0_u8..4),
        (0_u64..20_000_000, service, what, then),
    );
    let one = one.prop_map(
        |((member, thread, generation, name), (end_us, service_us, what, then))| Event {
            member,
            thread,
            generation,
            name,
            end_us: end_us + service_us,
            service_us,
            what,
            then,
        },
    );
    prop::collection::vec(one, 1..400)
}

fn record(recorder: &mut Recorder, event: &Event) {
    let name = format!("/{}", event.name);
    let series = recorder.series(&Kind::Http, "GET", &name);
    let generation = event.generation;
    let start_us = event.end_us - event.service_us;
    let sample = |series, outcome| {
        Sample::new(series, generation, outcome, start_us)
            .service_us(event.service_us)
            .bytes(7, event.service_us)
    };
    match event.what {
        What::Request { outcome, late_us } => {
            recorder.record(sample(series, outcome).late_us(late_us));
            recorder.iteration_started();
            recorder.check("is fine", outcome == Outcome::Success);
            recorder.count_own("bytes", event.service_us);
            if outcome == Outcome::Failure {
                recorder.error(series, event.end_us, "no");
                recorder.exception(event.end_us, "no", "a.rhai:1:1", || {
                    Some(format!("f (a.rhai:{}:1)", event.service_us).into())
                });
            }
        }
        What::Group => {
            let group = recorder.series(&Kind::Group, "", "checkout");
            recorder.record(sample(group, Outcome::Success));
        }
        What::Missed(count) => recorder.missed_slots(Slots {
            series,
            generation,
            outcome: Outcome::Success,
            at_us: event.end_us,
            longest_us: event.service_us,
            period_us: 10_000,
            count,
        }),
        What::Cut => {
            let age_us = event.service_us;
            recorder.unfinished(series, generation, event.end_us, age_us, age_us + 5);
        }
        What::Lag(us) => recorder.lag(event.end_us, us),
    }
}

fn announce(collector: &mut Collector, known: &mut u16, newest: u16) {
    while *known < newest {
        *known += 1;
        collector.generation(Generation {
            n: *known,
            hash: "".into(),
            at_us: 0,
        });
    }
}

/// All in one batch of one thread.
fn at_once(events: &[Event]) -> Collector {
    let mut collector = Collector::new(LIMITS);
    let mut recorder = Recorder::new(0, Limits::default());
    let newest = events.iter().map(|event| event.generation).max();
    announce(&mut collector, &mut 0, newest.unwrap_or(0));
    events.iter().for_each(|event| record(&mut recorder, event));
    collector.absorb(recorder.take(None));
    collector.tick(END_S * 1_000_000);
    collector
}

/// As the events say; reports arrive in another order than they were cut.
fn split(events: &[Event]) -> Collector {
    let mut collector = Collector::new(LIMITS);
    let mut known = 0;
    let mut ledgers = [(); MEMBERS].map(|()| Ledger::new(LIMITS));
    let mut recorders = [(); MEMBERS].map(|()| [0, 1].map(|thread| Recorder::new(thread, LIMITS)));
    let mut under_way = Vec::new();
    let hand_over =
        |collector: &mut Collector, ledger: &mut Ledger, member, recorder: &mut Recorder| {
            let batch = recorder.take(None);
            if member == 0 {
                collector.absorb(batch);
            } else {
                ledger.absorb(batch);
            }
        };
    for event in events {
        announce(&mut collector, &mut known, event.generation);
        let (member, ledger) = (event.member, &mut ledgers[event.member]);
        let recorder = &mut recorders[member][event.thread];
        let now_us = event.end_us.min(END_S * 1_000_000);
        record(recorder, event);
        match event.then {
            Then::Nothing => {}
            Then::Fold => recorder.fold(),
            Then::HandOver => hand_over(&mut collector, ledger, member, recorder),
            Then::Report => {
                hand_over(&mut collector, ledger, member, recorder);
                under_way.push(ledger.cut(now_us));
                if under_way.len() > 2 {
                    collector.apply(&under_way.remove(0));
                }
            }
            Then::Tick => {
                collector.tick(now_us);
                collector.summary(now_us);
            }
        }
    }
    for (member, pair) in recorders.iter_mut().enumerate() {
        for recorder in pair {
            hand_over(&mut collector, &mut ledgers[member], member, recorder);
        }
        under_way.push(ledgers[member].cut(END_S * 1_000_000));
    }
    collector.tick(END_S * 1_000_000);
    under_way
        .iter()
        .rev()
        .for_each(|report| collector.apply(report));
    collector.tick(END_S * 1_000_000);
    collector
}

/// All counts of a cell, by bucket.
fn counts(cell: &Cell) -> impl PartialEq + std::fmt::Debug + use<> {
    let response =
        [Outcome::Success, Outcome::Failure].map(|outcome| together(cell.response_of(outcome)));
    let ages = cell.unfinished.iter();
    let ages = ages.flat_map(|ages| [ages.service.buckets(), ages.response().buckets()]);
    let times = [&cell.successes.service, &cell.failures.service].map(Dist::buckets);
    let exact = response
        .each_ref()
        .map(|dist| (dist.min_us, dist.max_us, dist.sum_us));
    (
        (times, response.map(|dist| dist.buckets()), exact),
        (ages.collect::<Vec<_>>(), cell.missed()),
        (cell.requests(), cell.failures(), cell.unfinished()),
        (cell.sent, cell.received, cell.all_clipped()),
    )
}

/// By row, its cells by age.
fn cells(collector: &Collector) -> BTreeMap<SeriesKey, Vec<impl PartialEq + std::fmt::Debug>> {
    let ages = [Age::Now, Age::Before, Age::Earlier];
    let of = |series: &ByGeneration| {
        let cells = ages.map(|age| series.part(age).map(|part| counts(&part.sum)));
        cells.into_iter().collect()
    };
    let rows = collector.table.keys().iter().cloned();
    let rows = rows.zip(collector.rows.iter().map(of));
    let total = (collector.total_key.clone(), of(&collector.total));
    rows.chain([total]).collect()
}

/// The rows that are not what their stretches of the timeline add up to, bucket for bucket.
fn off_the_timeline(collector: &Collector) -> Vec<u32> {
    let rows = [&collector.total].into_iter().chain(&collector.rows);
    let rows = (0..).zip(rows);
    let wrong = rows.filter(|(id, row)| !collector.timeline.adds_up_to(*id, &row.whole()));
    wrong.map(|(id, _)| id).collect()
}

/// What people see, without what depends on the order in which names were met.
fn shown(collector: &mut Collector) -> impl PartialEq + std::fmt::Debug + use<> {
    let summary = collector.summary(END_S * 1_000_000);
    let Summary {
        iterations,
        errors,
        exceptions,
        checks,
        counters,
        generator,
        ..
    } = &*summary;
    let rows = summary.requests.iter().chain(&summary.groups);
    let of = |row: &Row| Row {
        id: 0,
        changed: 0,
        ..row.clone()
    };
    let rows: Vec<Row> = rows.chain([&summary.total]).map(of).collect();
    let by_generation: Vec<Vec<Row>> = summary
        .by_generation
        .iter()
        .map(|part| part.requests.iter().map(of).collect())
        .collect();
    let history: Vec<Second> = summary.history.iter().copied().collect();
    let mut marks: Vec<String> = summary
        .marks
        .iter()
        .map(|mark| format!("{mark:?}"))
        .collect();
    marks.sort();
    (
        (rows, by_generation, history, marks),
        (
            *iterations,
            errors.clone(),
            exceptions.clone(),
            checks.clone(),
        ),
        (counters.clone(), *generator),
    )
}

#[test]
fn any_split_adds_up_to_the_same_bucket_for_bucket() {
    proptest!(ProptestConfig::with_cases(64), |(events in events())| {
        let (mut whole, mut parts) = (at_once(&events), split(&events));
        prop_assert_eq!(cells(&parts), cells(&whole));
        prop_assert_eq!(off_the_timeline(&parts), [0; 0]);
        prop_assert_eq!(off_the_timeline(&whole), [0; 0]);
        prop_assert_eq!(shown(&mut parts), shown(&mut whole));
    });
}

#[test]
fn the_total_is_the_sum_of_its_rows_and_its_quantiles_are_one_histograms() {
    proptest!(ProptestConfig::with_cases(64), |(events in events())| {
        let collector = split(&events);
        let mut sum = Cell::default();
        let rows = collector.table.keys().iter().zip(&collector.rows);
        for (_, series) in rows.filter(|(key, _)| key.kind.is_request()) {
            sum.merge(&series.whole());
        }
        prop_assert_eq!(counts(&collector.total.whole()), counts(&sum));

        let mut hdr = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 3_600_000_000, 3).unwrap();
        let (mut least, mut most) = (u64::MAX, 0);
        for event in &events {
            if let What::Request { .. } = event.what {
                hdr.record(event.service_us).unwrap();
                (least, most) = (least.min(event.service_us), most.max(event.service_us));
            }
        }
        for quantile in [0.001, 0.25, 0.5, 0.77, 0.9, 0.99, 0.995] {
            let expected = hdr.value_at_quantile(quantile).max(least).min(most);
            let expected = (!hdr.is_empty()).then_some(expected);
            prop_assert_eq!(collector.quantile_us(0, Times::Service, quantile), expected);
        }
    });
}
