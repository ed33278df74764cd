//! What the pages' decoder is tested with: `web/test/slots.json`.
//!
//! The file is what the code here encodes; with `KATYDID_WRITE_VECTORS=1` it is written anew.

use std::path::Path;
use std::{env, fs};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;
use crate::stats::timeline::times::Coarse;

const ABOUT: &str = "Slots and what they say; `sum` is all of them merged. Written by \
    src/stats/timeline/tests/vectors.rs. `quantiles_us` (p50, p95, p99) and `intervals_us` (lower \
    and upper end of each) are of response times and ages together; ranks of an interval are \
    max(1, floor(n*q - w)) and min(n, ceil(n*q + w)) with w = 1.96*sqrt(n*q*(1-q)).";

/// Knuth's MMIX generator.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    /// Most near 2 ms, few far above.
    fn us(&mut self) -> u64 {
        let tail = if self.below(20) == 0 { 40_000 } else { 400 };
        1_500 + self.below(500) + self.below(500) + self.below(tail)
    }

    fn request(&mut self, late_us: u64) -> What {
        What::Request {
            is_failure: self.below(10) == 0,
            late_us,
        }
    }
}

/// The slots by what they show.
fn slots() -> Vec<(&'static str, Vec<Event>)> {
    let mut random = Random(1);
    let event = |us, what| Event {
        second: 130,
        id: 1,
        us,
        what,
    };
    let in_time = |us| {
        event(
            us,
            What::Request {
                is_failure: false,
                late_us: 0,
            },
        )
    };
    let many = |count: u64, random: &mut Random| -> Vec<Event> {
        let one = |_| event(random.us(), random.request(0));
        (0..count).map(one).collect()
    };
    let (few, lots) = (many(21, &mut random), many(5_000, &mut random));
    let mut paced = many(300, &mut random);
    for _ in 0..40 {
        let late_us = random.below(200_000);
        paced.push(event(random.us(), random.request(late_us)));
    }
    paced.push(event(900_000, What::Missed { count: 7 }));
    let mut cut = many(80, &mut random);
    cut.extend((0..9).map(|nth| event(2_000_000 + nth * 1_000, What::Cut)));
    vec![
        ("nothing", vec![]),
        ("one request", vec![in_time(1_234)]),
        (
            "bounds of buckets",
            [0, 1, 127, 128, 255, 256, 257, 258, 511, 512, 513, 515, 516]
                .map(in_time)
                .to_vec(),
        ),
        ("a few requests", few),
        ("many requests", lots),
        ("response times differ, and missed slots", paced),
        ("some were cut", cut),
        ("all were cut", vec![event(5_000_000, What::Cut)]),
        (
            "longer than an hour",
            [3_599_999_999, 3_600_000_000, 4_000_000_000]
                .map(in_time)
                .to_vec(),
        ),
    ]
}

fn told(figures: &Figures) -> Value {
    let times = |times: &Coarse| {
        let span = times.span;
        json!({
            "count": span.count, "min_us": span.min_us, "max_us": span.max_us, "sum_us": span.sum_us,
            "buckets": times.buckets,
        })
    };
    let mut whole = figures.response.clone();
    whole.merge(&figures.ages);
    json!({
        "requests": figures.requests, "failures": figures.failures, "missed": figures.missed,
        "sent": figures.sent, "received": figures.received,
        "response": times(&figures.response),
        "service": figures.differs().then(|| times(figures.service())),
        "ages": (figures.ages.span.count > 0).then(|| times(&figures.ages)),
        "quantiles_us": whole.quantiles_us(&[0.50, 0.95, 0.99]),
        "intervals_us": whole.intervals_us(),
    })
}

fn vectors() -> String {
    let mut sum = Figures::default();
    let slots = slots().into_iter().map(|(what, events)| {
        let mut figures = Figures::default();
        figures.add(&cell_of(events.iter()));
        sum.merge(&figures);
        let mut bytes = Vec::new();
        figures.encode(&mut bytes);
        let expected = told(&figures);
        json!({ "what": what, "slot": [130, 1, STANDARD.encode(bytes)], "expected": expected })
            .to_string()
    });
    let slots: Vec<String> = slots.collect();
    let (about, slots, sum) = (json!(ABOUT), slots.join(",\n"), told(&sum));
    format!("{{\"about\": {about},\n\"slots\": [\n{slots}\n],\n\"sum\": {sum}}}\n")
}

#[test]
fn the_vectors_of_the_pages_are_what_is_encoded() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/test/slots.json");
    let expected = vectors();
    if env::var_os("KATYDID_WRITE_VECTORS").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap();
    assert!(
        found == expected,
        "web/test/slots.json is not what the code encodes; with KATYDID_WRITE_VECTORS=1 this test \
         writes it"
    );
}

#[test]
fn a_slot_is_written_byte_for_byte_as_the_pages_read_it() {
    let (_, events) = &slots()[1];
    let mut figures = Figures::default();
    figures.add(&cell_of(events.iter()));
    let mut bytes = Vec::new();
    figures.encode(&mut bytes);
    // 1,234 = 0x04D2: 0x52 | 0x80, 0x09. Bucket: spare = 10 − 7 = 3, 3·128 + (1,234 >> 3) = 538.
    let us = [0xD2, 0x09];
    let bucket = [0x9A, 0x04];
    let [sent, received] = [[0x82, 0x01], [0xAC, 0x02]];
    let expected = [
        &[0, 1, 0, 0][..],
        &sent,
        &received,
        &[1],
        &us,
        &us,
        &us,
        &[1],
        &bucket,
        &[1],
    ];
    assert_eq!(bytes, expected.concat());
    let nothing = Figures::default();
    let mut bytes = Vec::new();
    nothing.encode(&mut bytes);
    assert_eq!(bytes, NOTHING);
}
