//! Reports that went over a wire are the reports that were sent, and what is no report is refused.
//!
//! What collectors make of them is tested with those.

use std::mem::size_of;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Bounds, Damaged, Decoder, Encoder};
use crate::stats::cells::Stamped;
use crate::stats::{
    Baseline, Collector, Kind, Ledger, Limits, Outcome, Recorder, Report, Sample, Slots, Summary,
};

const LIMITS: Limits = Limits {
    series: 6,
    texts: 4,
    samples: 64,
};
const BOUNDS: Bounds = Bounds {
    second: 60,
    generation: 3,
};

/// What a script may do, and when.
#[derive(Clone, Copy, Debug)]
struct Event {
    what: u8,
    name: u8,
    at_us: u64,
    took_us: u64,
    late_us: u64,
}

fn event() -> impl Strategy<Value = Event> {
    let took = prop_oneof![0_u64..3_000, 0..4_000_000_000_u64, Just(7_200_000_000)];
    let late = prop_oneof![Just(0_u64), 0..9_000_000_u64];
    (any::<u8>(), 0..9_u8, 0..60_000_000_u64, took, late).prop_map(
        |(what, name, at_us, took_us, late_us)| Event {
            what,
            name,
            at_us,
            took_us,
            late_us,
        },
    )
}

fn happens(recorder: &mut Recorder, event: Event) {
    let Event {
        what,
        name,
        at_us,
        took_us,
        late_us,
    } = event;
    let generation = u16::from(what % 3) + 1;
    let outcome = match what % 5 {
        0 => Outcome::Failure,
        _ => Outcome::Success,
    };
    let kind = match name {
        7 => Kind::Group,
        8 => Kind::Protocol("sql".into()),
        _ => Kind::Http,
    };
    let text = format!("text {}", what % 7);
    let series = match what % 2 {
        0 => recorder.series(&kind, "GET", &format!("/{name}")),
        _ => recorder.series_of("Shopper", &kind, "PUT", &format!("/{name}")),
    };
    let start_us = at_us.saturating_sub(took_us);
    let sample = Sample::new(series, generation, outcome, start_us)
        .service_us(at_us - start_us)
        .late_us(late_us)
        .bytes(u64::from(what), took_us)
        .lag_us(late_us % 7);
    recorder.record(sample);
    recorder.lag(at_us, u32::from(what) * 50);
    if outcome == Outcome::Failure {
        recorder.error(series, at_us, &text);
    }
    match what % 11 {
        0 => recorder.missed_slots(Slots {
            series,
            generation,
            outcome,
            at_us,
            longest_us: took_us,
            period_us: 1_000,
            count: late_us % 20,
        }),
        1 => recorder.exception(at_us, &text, &format!("a.rhai:{name}:1"), || {
            Some(format!("f (a.rhai:{what}:1)").into())
        }),
        2 => recorder.check(&text, name % 2 == 0),
        3 => recorder.count_own(&text, took_us),
        4 => recorder.measure_own(&text, f64::from(what) - 99.5 * f64::from(name)),
        5 => recorder.iteration_started(),
        _ => {}
    }
}

/// The reports of a member that those happen to, so many each.
fn reports(events: &[Event], each: usize) -> Vec<Report> {
    let mut ledger = Ledger::new(LIMITS);
    let mut recorder = Recorder::new(0, LIMITS);
    let mut spare = None;
    let chunks = events.chunks(each).enumerate();
    let mut reports: Vec<Report> = chunks
        .map(|(nth, events)| {
            events
                .iter()
                .for_each(|event| happens(&mut recorder, *event));
            ledger.cpu(nth as u64 * 10_000);
            spare = Some(ledger.absorb(recorder.take(spare.take())));
            ledger.cut(1_000_000 * (nth as u64).min(60))
        })
        .collect();
    reports.push(ledger.cut(61_000_000));
    reports
}

/// What a collector makes of them.
fn collected(reports: &[Report]) -> Arc<Summary> {
    let mut collector = Collector::new(LIMITS);
    reports.iter().for_each(|report| collector.apply(report));
    collector.tick(64_000_000);
    collector.summary(64_000_000)
}

fn over_the_wire(reports: &[Report]) -> Result<Vec<Report>, Damaged> {
    let (mut encoder, mut decoder) = (Encoder::default(), Decoder::new(LIMITS));
    let reports = reports.iter();
    reports
        .map(|report| decoder.decode(&encoder.encode(report), BOUNDS))
        .collect()
}

#[test]
fn what_arrives_is_what_was_sent() {
    proptest!(ProptestConfig::with_cases(64), |(events in prop::collection::vec(event(), 0..400), each in 1_usize..100)| {
        let sent = reports(&events, each);
        let arrived = over_the_wire(&sent).unwrap();
        let bytes = |reports: &[Report]| reports.iter().map(|report| Encoder::default().encode(report)).collect::<Vec<_>>();
        prop_assert_eq!(bytes(&sent), bytes(&arrived));
        prop_assert_eq!(format!("{:?}", collected(&sent)), format!("{:?}", collected(&arrived)));
    });
}

/// What a collector makes of the sum of what several members measured, long after that: without
/// what is told of times in the latest seconds.
fn after_all(reports: &[Report]) -> (Summary, crate::stats::Windowed) {
    let mut collector = Collector::new(LIMITS);
    reports.iter().for_each(|report| collector.apply(report));
    collector.tick(200_000_000);
    let mut summary = Arc::unwrap_or_clone(collector.summary(200_000_000));
    let window = std::mem::take(&mut summary.timeline).window(0..200);
    summary.marks.clear();
    (summary, window)
}

#[test]
fn the_sum_of_all_reports_is_what_they_add_up_to() {
    let members =
        prop::collection::vec((prop::collection::vec(event(), 0..200), 1_usize..60), 1..4);
    proptest!(ProptestConfig::with_cases(64), |(members in members, most in 20_usize..2_000)| {
        let limits = Limits { series: 60, texts: 40, ..LIMITS };
        let (mut all, mut sums, mut pieces) = (Vec::new(), Vec::new(), Vec::new());
        let mut sum_of_sums = Baseline::new(limits);
        for (events, each) in &members {
            let reports = reports(events, *each);
            let mut baseline = Baseline::new(limits);
            reports.iter().for_each(|report| baseline.add(report, 3));
            let bytes = Encoder::default().encode(&baseline.report());
            sums.push(Decoder::new(limits).decode(&bytes, BOUNDS).unwrap());
            prop_assert_eq!(Encoder::default().encode(&sums[sums.len() - 1]), bytes);
            let (mut encoder, mut decoder) = (Encoder::default(), Decoder::new(limits));
            sum_of_sums.add(&sums[sums.len() - 1], 0);
            for piece in baseline.report().in_pieces(most) {
                pieces.push(decoder.decode(&encoder.encode(&piece), BOUNDS).unwrap());
            }
            all.extend(reports);
        }
        let ((one, window), (other, same)) = (after_all(&all), after_all(&sums));
        prop_assert_eq!(format!("{window:?}"), format!("{same:?}"));
        let (third, same) = after_all(&pieces);
        prop_assert_eq!(format!("{window:?}"), format!("{same:?}"));
        let counts = |summary: &Summary| {
            let seconds = summary.history.iter();
            seconds.map(|it| (it.requests, it.failures, it.missed, it.sent, it.received, it.in_flight, it.lag_us, it.rps.to_bits())).collect::<Vec<_>>()
        };
        prop_assert_eq!(counts(&one), counts(&other));
        prop_assert_eq!(counts(&one), counts(&third));
        let (fourth, same) = after_all(&[sum_of_sums.report()]);
        prop_assert_eq!(format!("{window:?}"), format!("{same:?}"));
        prop_assert_eq!(counts(&one), counts(&fourth));
        let without = |mut summary: Summary| {
            summary.history = crate::stats::History::default();
            // Which of those that share a place is met first.
            summary.errors.sort_by(|a, b| (&a.method, &a.name, &a.error).cmp(&(&b.method, &b.name, &b.error)));
            summary.exceptions.sort_by(|a, b| (&a.message, &a.location).cmp(&(&b.message, &b.location)));
            format!("{summary:?}")
        };
        let one = without(one);
        prop_assert_eq!(&one, &without(other));
        prop_assert_eq!(&one, &without(third));
        prop_assert_eq!(&one, &without(fourth));
    });
}

#[test]
fn a_damaged_report_is_refused_or_another_report() {
    let event = event();
    let events = prop::collection::vec(event, 1..60);
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    proptest!(ProptestConfig::with_cases(256), |(events in events, damage in damage, cut in any::<prop::sample::Index>())| {
        let report = reports(&events, events.len()).swap_remove(0);
        let mut bytes = Encoder::default().encode(&report);
        let short = &bytes[..cut.index(bytes.len())];
        prop_assert!(Decoder::new(LIMITS).decode(short, BOUNDS).is_err());
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(report) = Decoder::new(LIMITS).decode(&bytes, BOUNDS) {
            // What is taken harms nobody: it adds up, and is shown.
            let twice = [report.clone(), report];
            let _ = collected(&twice);
        }
    });
}

#[test]
fn bytes_of_chance_are_no_report_and_harm_nobody() {
    proptest!(ProptestConfig::with_cases(2_000), |(bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0..4_u8], 0..80))| {
        if let Ok(report) = Decoder::new(LIMITS).decode(&bytes, BOUNDS) {
            let _ = collected(&[report]);
        }
    });
}

/// The bytes of a report of nothing but a cell, which begins at byte 5.
fn of_a_cell(second: u8, series: u8, generation: u8, times: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, 0, 0, 1, b'a', 0, 1, second, series, generation, 1];
    bytes.extend(times);
    bytes.extend([0, 0, 0, 0]);
    bytes.extend([0; 16]);
    bytes
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    // One request of 5 µs.
    let times = [1, 5, 0, 5, 0, 1, 5, 1];
    let said = |bytes: &[u8]| {
        let report = Decoder::new(LIMITS).decode(bytes, BOUNDS);
        report.map(|_| ()).map_err(|damaged| damaged.to_string())
    };
    assert_eq!(said(&of_a_cell(60, 0, 3, &times)), Ok(()));
    let other = |at: usize, n: u8| {
        let mut times = times;
        times[at] = n;
        said(&of_a_cell(60, 0, 3, &times)).unwrap_err()
    };
    let refused = |bytes: &[u8]| said(bytes).unwrap_err();
    insta::assert_snapshot!([
        refused(&of_a_cell(61, 0, 3, &times)),
        refused(&of_a_cell(60, 1, 3, &times)),
        refused(&of_a_cell(60, 0, 4, &times)),
        refused(&of_a_cell(60, 0, 3, &[1, 5, 0, 5, 0, 1, 0x80, 0xb8, 1, 1])),
        other(0, 2),
        other(1, 6),
        other(2, 9),
        other(4, 2),
        other(5, 0),
        other(6, 4),
        other(7, 2),
        refused(&of_a_cell(60, 0, 3, &[2, 5, 0, 10, 0, 2, 5, 1, 0, 1])),
        refused(&[&of_a_cell(60, 0, 3, &times)[..], &[0]].concat()),
    ]
    .join("\n"), @"
    a report with a second that is still to come
    a report with a series without a name
    a report with a generation that was not announced
    a report with a bucket that there is not
    a report with times that are not what they add up to
    a report with times that are not what they add up to
    a report with times that are not what they add up to
    a report with times that are not what they add up to
    a report with times that are not what they add up to
    a report with times that are not what they add up to
    a report with times that are not what they add up to
    a report with buckets out of order
    a report with more bytes than it says
    ");
}

#[test]
fn names_without_end_are_refused() {
    let mut recorder = Recorder::new(
        0,
        Limits {
            series: 50,
            ..LIMITS
        },
    );
    (0..20_u8).for_each(|name| {
        let series = recorder.series(&Kind::Http, "GET", &format!("/{name}"));
        recorder.record(Sample::new(series, 1, Outcome::Success, 0));
    });
    let mut ledger = Ledger::new(Limits {
        series: 50,
        ..LIMITS
    });
    ledger.absorb(recorder.take(None));
    let error = over_the_wire(&[ledger.cut(0)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a report with more names than a run keeps apart"
    );
}

#[test]
fn what_is_sent_in_pieces_adds_up_to_the_same() {
    proptest!(ProptestConfig::with_cases(64), |(events in prop::collection::vec(event(), 0..400), most in 20_usize..2_000)| {
        let sent = reports(&events, 100);
        let pieces = sent.iter().flat_map(|report| report.clone().in_pieces(most));
        let pieces: Vec<_> = pieces.collect();
        for piece in &pieces {
            let alone = Report { cells: piece.cells.clone(), keys: piece.keys.clone(), ..Report::default() };
            let named = Report { keys: piece.keys.clone(), ..Report::default() };
            let length = |report: &Report| Encoder::default().encode(report).len();
            let cells = length(&alone) - length(&named);
            prop_assert!(cells <= most + 2 || piece.cells.len() == 1, "{} of {}", cells, most);
        }
        let arrived = over_the_wire(&pieces).unwrap();
        // The timeline may keep the parts of a second apart for a while, and they add up when read.
        let figures = |reports: &[Report]| {
            let all = collected(reports);
            format!("{:?}", (&all.requests, &all.total, &all.groups, &all.errors, &all.exceptions, all.iterations, &all.generator, &all.warnings))
        };
        prop_assert_eq!(figures(&sent), figures(&arrived));
    });
}

#[test]
fn a_name_without_end_is_told_by_its_beginning() {
    let mut recorder = Recorder::new(0, LIMITS);
    let name = format!("/{}", "ä".repeat(9_000));
    let series = recorder.series(&Kind::Http, "GET", &name);
    recorder.record(Sample::new(series, 1, Outcome::Success, 0).service_us(1_000));
    let mut ledger = Ledger::new(LIMITS);
    ledger.absorb(recorder.take(None));
    let arrived = over_the_wire(&[ledger.cut(0)]).unwrap();
    let told = &arrived[0].keys[0].name;
    assert!(name.starts_with(&**told) && told.len() > 4_000, "{told}");
}

#[test]
fn a_series_is_named_once_a_stream() {
    let event = |at_us| Event {
        what: 1,
        name: 1,
        at_us,
        took_us: 300,
        late_us: 0,
    };
    let [first, second, _] = &reports(&[event(1_000), event(1_000)], 1)[..] else {
        panic!("a report each, and the last");
    };
    let mut encoder = Encoder::default();
    let names = |bytes: &[u8]| bytes.windows(7).filter(|part| part == b"Shopper").count();
    assert_eq!(names(&encoder.encode(first)), 1);
    let bytes = encoder.encode(second);
    assert_eq!(names(&bytes), 0);
    // Another stream does not know it.
    assert!(Decoder::new(LIMITS).decode(&bytes, BOUNDS).is_err());
}

#[test]
fn a_bucket_takes_little_room() {
    let mut recorder = Recorder::new(
        0,
        Limits {
            samples: 10_000,
            ..LIMITS
        },
    );
    let series = recorder.series(&Kind::Http, "GET", "/a");
    for n in 0..4_000_u64 {
        let took = 1_000 + n * n % 1_999;
        recorder.record(Sample::new(series, 1, Outcome::Success, 0).service_us(took));
    }
    let mut ledger = Ledger::new(LIMITS);
    ledger.absorb(recorder.take(None));
    let report = ledger.cut(0);
    let buckets = report.cells[0].cell.successes.service.buckets().len();
    let bytes = Encoder::default().encode(&report).len();
    assert!(bytes < 60 + 5 * buckets / 2, "{bytes} for {buckets}");
    // A cell takes 16 bytes at least, and a list may have twice the room that it needs.
    assert!(2 * size_of::<Stamped>() <= 50 * 16, "as the decoder says");
}
