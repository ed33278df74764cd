//! The columns and rows of the files, as bytes.
//!
//! Locust's columns in Locust's order; where the bytes go is decided elsewhere.

use std::time::Duration;

use ::csv::{Terminator, Writer, WriterBuilder};

use crate::stats::{CURRENT_SECONDS, Distribution, Kind, Row, Summary};

use super::super::numbers::{mean_ms, ms, share};
use super::super::visible::cell;
use super::super::{at, traceback};

const QUANTILES: [&str; 11] = [
    "50%", "66%", "75%", "80%", "90%", "95%", "98%", "99%", "99.9%", "99.99%", "100%",
];

/// Requests that were cut. They count in no other column except the quantiles, which they make
/// lower bounds above `Certain To`; the last columns are the upper bounds, empty where there is none.
/// Locust has no such columns, so they come last.
const UNFINISHED: [&str; 13] = [
    "Unfinished",
    "Certain To",
    "50% At Most",
    "66% At Most",
    "75% At Most",
    "80% At Most",
    "90% At Most",
    "95% At Most",
    "98% At Most",
    "99% At Most",
    "99.9% At Most",
    "99.99% At Most",
    "100% At Most",
];

const STATS: [&str; 11] = [
    "Type",
    "Name",
    "Request Count",
    "Failure Count",
    "Median Response Time",
    "Average Response Time",
    "Min Response Time",
    "Max Response Time",
    "Average Content Size",
    "Requests/s",
    "Failures/s",
];

const GENERATIONS: [&str; 4] = ["First Generation", "Last Generation", "Hash", "Timestamp"];

const HISTORY_BEFORE: [&str; 6] = [
    "Timestamp",
    "User Count",
    "Type",
    "Name",
    "Requests/s",
    "Failures/s",
];

const HISTORY_AFTER: [&str; 7] = [
    "Total Request Count",
    "Total Failure Count",
    "Total Median Response Time",
    "Total Average Response Time",
    "Total Min Response Time",
    "Total Max Response Time",
    "Total Average Content Size",
];

const FAILURES: [&str; 6] = [
    "Method",
    "Name",
    "Error",
    "Occurrences",
    "First Seen",
    "Last Seen",
];

const CHECKS: [&str; 3] = ["Name", "Passes", "Fails"];

const EXCEPTIONS: [&str; 4] = ["Count", "Message", "Traceback", "Nodes"];

const METRICS: [&str; 10] = [
    "Type",
    "Name",
    "Count",
    "Per Second",
    "Average",
    "Min",
    "Max",
    "50%",
    "95%",
    "99%",
];

/// The script's own counters and metrics; `None` if it has none. A counter's count is its sum.
pub(super) fn metrics(summary: &Summary) -> Option<Vec<u8>> {
    if summary.counters.is_empty() && summary.metrics.is_empty() {
        return None;
    }
    let content = table(|out| {
        out.write_record(METRICS)?;
        for row in &summary.counters {
            let mut cells = vec!["counter".to_owned(), cell(&row.name)];
            cells.push(row.total.to_string());
            cells.push(format!("{:.6}", row.per_s));
            cells.extend([const { String::new() }; 6]);
            out.write_record(cells)?;
        }
        for row in &summary.metrics {
            let mut cells = vec!["metric".to_owned(), cell(&row.name)];
            cells.push(row.count.to_string());
            cells.push(String::new());
            let figures = [row.mean, row.min, row.max, row.p50, row.p95, row.p99];
            cells.extend(figures.map(|figure| figure.to_string()));
            out.write_record(cells)?;
        }
        Ok(())
    });
    Some(content)
}

/// The header of the history.
pub(super) fn history_titles() -> Vec<u8> {
    table(|out| {
        out.write_record(
            HISTORY_BEFORE
                .iter()
                .chain(&QUANTILES)
                .chain(&HISTORY_AFTER),
        )
    })
}

/// The history's rows for one moment: the named ones, and the total.
pub(super) fn history(summary: &Summary, named: &[Row]) -> Vec<u8> {
    let at = at(summary, summary.now_us).as_second().to_string();
    let users = summary.users.running.to_string();
    table(|out| {
        for row in named.iter().chain([&summary.total]) {
            let mut cells = vec![at.clone(), users.clone()];
            cells.extend(named_cells(row));
            cells.push(format!("{:.6}", row.current_rps));
            cells.push(format!("{:.6}", row.current_failures_per_s));
            cells.extend(quantiles(&row.current));
            cells.push(row.requests.to_string());
            cells.push(row.failures.to_string());
            cells.extend(times(&row.response));
            cells.push(content_size(row));
            out.write_record(cells)?;
        }
        Ok(())
    })
}

/// The history's rows for all seconds, of the total alone.
///
/// The percentiles of a row are over the up to ten seconds that end with its own: response times as
/// the timeline has them, at most 0.8 % above, those of missed slots and of cut requests included.
/// After a quarter of an hour the timeline merges two seconds into one stretch, later four, and so on;
/// where the ten seconds are no whole stretches any more, a row has the median and the 95th
/// percentile that the history keeps of the requests that ended, to 0.1 %, and `N/A` for the others.
/// Each row reads up to ten stretches anew.
pub(super) fn seconds(summary: &Summary) -> Vec<u8> {
    let (mut requests, mut failures, mut received) = (0, 0, 0);
    table(|out| {
        for (second, end) in summary.history.iter().zip(1_u64..) {
            let at_us = end * 1_000_000;
            requests += second.requests;
            failures += second.failures;
            received += second.received;
            let at = at(summary, at_us).as_second().to_string();
            let mut cells = vec![at, second.users.to_string()];
            cells.extend(named_cells(&summary.total));
            cells.push(format!("{:.6}", second.rps));
            cells.push(format!("{:.6}", second.failures_per_s));
            let recent = end.saturating_sub(CURRENT_SECONDS)..end;
            cells.extend(match summary.timeline.total_response(recent) {
                Some(response) => quantiles(&response),
                None => QUANTILES.map(|quantile| match quantile {
                    "50%" if second.rps > 0.0 => ms(second.p50_us).to_string(),
                    "95%" if second.rps > 0.0 => ms(second.p95_us).to_string(),
                    _ => "N/A".to_owned(),
                }),
            });
            cells.extend([requests.to_string(), failures.to_string()]);
            cells.extend(["N/A", "N/A", "N/A", "N/A"].map(str::to_owned));
            let size = share(received, requests);
            cells.push(((size * 1e3).round() / 1e3).to_string());
            out.write_record(cells)?;
        }
        Ok(())
    })
}

/// One row per name, and the total.
pub(super) fn stats(summary: &Summary) -> Vec<u8> {
    figures(summary.requests.iter().chain([&summary.total]))
}

/// One row per group, in the columns of the statistics.
pub(super) fn groups(summary: &Summary) -> Vec<u8> {
    figures(summary.groups.iter())
}

/// One row per check.
pub(super) fn checks(summary: &Summary) -> Vec<u8> {
    table(|out| {
        out.write_record(CHECKS)?;
        for row in &summary.checks {
            out.write_record([
                cell(&row.name),
                row.passes.to_string(),
                row.fails.to_string(),
            ])?;
        }
        Ok(())
    })
}

fn figures<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<u8> {
    table(|out| {
        out.write_record(STATS.iter().chain(&QUANTILES).chain(&UNFINISHED))?;
        for row in rows {
            out.write_record(named_cells(row).into_iter().chain(figure_cells(row)))?;
        }
        Ok(())
    })
}

/// One row per pause; `None` without one.
pub(super) fn pauses(summary: &Summary) -> Option<Vec<u8>> {
    let mut pauses = summary.pauses.iter().peekable();
    pauses.peek()?;
    let seconds = |us: u64| Duration::from_micros(us).as_secs_f64().to_string();
    let content = table(|out| {
        out.write_record(["Paused", "Resumed", "Seconds", "Seconds Not In Rates"])?;
        for (from_us, to_us) in pauses {
            out.write_record([
                at(summary, from_us).as_second().to_string(),
                at(summary, to_us).as_second().to_string(),
                seconds(to_us.saturating_sub(from_us)),
                seconds(summary.pauses.within(from_us, to_us)),
            ])?;
        }
        Ok(())
    });
    Some(content)
}

/// One row per generation and name, with its total and its groups, in the columns of the
/// statistics; `None` without a reload. The earlier generations share rows, with the number and
/// hash of the last of them and the time when the first took over.
pub(super) fn generations(summary: &Summary) -> Option<Vec<u8>> {
    if summary.by_generation.is_empty() {
        return None;
    }
    let content = table(|out| {
        let figures = STATS.iter().chain(&QUANTILES).chain(&UNFINISHED);
        out.write_record(GENERATIONS.iter().chain(figures))?;
        for part in &summary.by_generation {
            let rows = part.requests.iter().chain([&part.total]);
            for row in rows.chain(&part.groups) {
                let mut cells = vec![
                    part.first.n.to_string(),
                    part.last.n.to_string(),
                    part.last.hash.to_string(),
                    at(summary, part.first.at_us).as_second().to_string(),
                ];
                let [method, name] = named_cells(row);
                let is_group = row.key.kind == Kind::Group;
                cells.push(if is_group { "group".to_owned() } else { method });
                cells.push(name);
                cells.extend(figure_cells(row));
                out.write_record(cells)?;
            }
        }
        Ok(())
    });
    Some(content)
}

/// One row per failure text.
pub(super) fn failures(summary: &Summary) -> Vec<u8> {
    let time = |us| format!("{:.0}", at(summary, us));
    table(|out| {
        out.write_record(FAILURES)?;
        for row in &summary.errors {
            let (count, first, last) =
                (row.count.to_string(), time(row.first_us), time(row.last_us));
            let [method, name, error] = [&row.method, &row.name, &row.error].map(|it| cell(it));
            out.write_record([method, name, error, count, first, last])?;
        }
        Ok(())
    })
}

/// One row per exception. Its traceback, which has several lines in Locust, is on one: the place, and
/// the call stack after it.
pub(super) fn exceptions(summary: &Summary) -> Vec<u8> {
    table(|out| {
        out.write_record(EXCEPTIONS)?;
        for row in &summary.exceptions {
            let lines: Vec<&str> = traceback(row).collect();
            let (message, traceback) = (cell(&row.message), cell(&lines.join("; ")));
            out.write_record([&*row.count.to_string(), &message, &traceback, "local"])?;
        }
        Ok(())
    })
}

fn named_cells(row: &Row) -> [String; 2] {
    [cell(&row.key.method), cell(&row.key.name)]
}

/// The statistics' columns after the name.
fn figure_cells(row: &Row) -> Vec<String> {
    let mut cells = vec![row.requests.to_string(), row.failures.to_string()];
    cells.extend(times(&row.response));
    cells.push(content_size(row));
    cells.push(format!("{:.6}", row.rps));
    cells.push(format!("{:.6}", row.failures_per_s));
    cells.extend(quantiles(&row.response));
    cells.push(row.unfinished.count.to_string());
    cells.push(row.certain_to.to_string());
    cells.extend(at_most(row));
    cells
}

/// Median, average, minimum, maximum.
fn times(of: &Distribution) -> [String; 4] {
    [
        ms(of.p50_us()),
        mean_ms(of.mean_us),
        ms(of.min_us),
        ms(of.max_us),
    ]
    .map(|ms| ms.to_string())
}

fn quantiles(of: &Distribution) -> [String; 11] {
    of.quantiles_us.map(|us| {
        if of.count == 0 {
            "N/A".to_owned()
        } else {
            ms(us).to_string()
        }
    })
}

/// The upper bounds of the quantiles; empty where there is none.
fn at_most(row: &Row) -> [String; 11] {
    let is_empty = row.requests + row.unfinished.count == 0;
    row.unfinished.at_most_us.map(|us| match us {
        _ if is_empty => "N/A".to_owned(),
        Some(us) => ms(us).to_string(),
        None => String::new(),
    })
}

fn content_size(row: &Row) -> String {
    let size = share(row.received, row.requests);
    ((size * 1e3).round() / 1e3).to_string()
}

/// The rows that `fill` writes, as bytes.
pub(super) fn table(fill: impl FnOnce(&mut Writer<Vec<u8>>) -> ::csv::Result<()>) -> Vec<u8> {
    let mut out = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .flexible(true)
        .from_writer(Vec::new());
    fill(&mut out).expect("writing to memory does not fail");
    out.into_inner().expect("writing to memory does not fail")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Collector, Limits, Outcome, Recorder, Sample};

    const LENGTH: u64 = 1_000;

    /// A run of a thousand seconds, three requests in each, which take longer and longer.
    fn long_run() -> std::sync::Arc<Summary> {
        let mut collector = Collector::new(Limits::default());
        let mut recorder = Recorder::new(0, Limits::default());
        let series = recorder.series(&Kind::Http, "GET", "/");
        for second in 0..LENGTH {
            for n in 1..=3 {
                let sample = Sample::new(series, 1, Outcome::Success, second * 1_000_000);
                recorder.record(sample.service_us(n * (1_000 + second)));
            }
            collector.absorb(recorder.take(None));
            collector.tick((second + 1) * 1_000_000);
        }
        collector.summary(LENGTH * 1_000_000)
    }

    #[test]
    fn percentiles_of_a_second_are_those_of_its_window_or_two_if_that_is_merged() {
        let summary = long_run();
        let content = seconds(&summary);
        let mut reader = ::csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(&content[..]);
        let rows: Vec<_> = reader.records().map(|row| row.expect("a row")).collect();
        assert_eq!(rows.len() as u64, LENGTH);
        let (mut whole, mut merged) = (0, 0);
        for (row, end) in rows.iter().zip(1_u64..) {
            let asked = end.saturating_sub(10)..end;
            let window = summary.timeline.window(asked.clone());
            let told: Vec<&str> = row.iter().skip(6).take(11).collect();
            if window.seconds == asked {
                whole += 1;
                assert_eq!(told, quantiles(&window.rows[0].response), "{end}");
            } else {
                merged += 1;
                let at = usize::try_from(end - 1).expect("below a thousand");
                let second = summary.history.iter().nth(at).expect("a second");
                let mut expected = ["N/A"; 11].map(str::to_owned);
                expected[0] = ms(second.p50_us).to_string();
                expected[5] = ms(second.p95_us).to_string();
                assert_eq!(told, expected, "{end}");
            }
        }
        // Above 900 stretches of a second the oldest are merged, and every other window is cut.
        assert!(whole > 900 && merged > 20, "{whole} and {merged}");
    }
}
