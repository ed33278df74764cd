//! Workers at the end of a run: a table of them, and remarks on those that were strained or lost.
//!
//! Owns the words; `report` decides where they stand.

use crate::stats::{Strain, Summary, WorkerRow};

use super::super::numbers::{ms_cell, seconds};
use super::super::table::{Column, Line, Table};

/// More workers than this under one strain are said in one line.
const NAMED: usize = 3;

const COLUMNS: [Column; 7] = [
    Column::new("Threads", 7).dropped(2),
    Column::new("# samples", 9),
    Column::new("# missing", 9).bar(),
    Column::new("CPU %", 6),
    Column::new("MB", 6).dropped(1),
    Column::new("Lag ms", 7),
    Column::new("Clock ms", 8).dropped(3),
];

/// The workers of the run; `None` without any. CPU, memory and lag are the most of the whole run.
pub(super) fn table(summary: &Summary) -> Option<Table> {
    if summary.workers.is_empty() {
        return None;
    }
    let mut table = Table::titled(["State", "Worker"], &COLUMNS);
    for row in &*summary.workers {
        let missing = match row.missing {
            0 => "0".to_owned(),
            most => format!("≤ {most}"),
        };
        table.push(Line::Cells(vec![
            row.state.as_str().to_owned(),
            row.name.to_string(),
            row.threads.to_string(),
            row.samples.to_string(),
            missing,
            format!("{:.0}", row.most.cpu * 100.0),
            (row.most.rss_bytes / 1_000_000).to_string(),
            ms_cell(row.most.lag_max_us),
            clock(row),
        ]));
    }
    Some(table)
}

/// How far its time of day is from the master's.
fn clock(row: &WorkerRow) -> String {
    let Some(clock) = row.clock else {
        return String::new();
    };
    let sign = if clock.offset_us < 0 { '-' } else { '+' };
    format!("{sign}{}", ms_cell(clock.offset_us.unsigned_abs()))
}

/// Remarks on workers: strains first, losses last, where they are read.
pub(super) fn notes(summary: &Summary) -> impl Iterator<Item = String> {
    let strains = Strain::ALL.into_iter();
    let strains = strains.flat_map(|strain| strained(&summary.workers, strain));
    strains.chain(summary.workers.iter().filter_map(lost))
}

/// Who was under a strain, for how long.
fn strained(workers: &[WorkerRow], strain: Strain) -> Vec<String> {
    let mut all: Vec<(u64, &WorkerRow)> = workers
        .iter()
        .map(|row| (row.strains.of(strain).seconds, row))
        .filter(|(seconds, _)| *seconds > 0)
        .collect();
    // The longest first; of equals the first.
    all.sort_by_key(|(seconds, _)| std::cmp::Reverse(*seconds));
    let what = match strain {
        Strain::Busy => "used over 90 % of its CPU",
        Strain::Throttled => "was held back by the CPU limit of its control group",
        Strain::Lagging => "acted more than 10 ms late (p99)",
    };
    let why = "its times may be its own rather than the target's";
    let mut notes: Vec<String> = all
        .iter()
        .take(NAMED)
        .map(|(seconds, row)| format!("warning: {} {what} for {seconds} s: {why}", row.name))
        .collect();
    if all.len() > NAMED {
        let more = all.len() - NAMED;
        notes.push(format!(
            "warning: and so did {more} other workers, for less time"
        ));
    }
    notes
}

/// What is missing of a worker that is gone.
fn lost(row: &WorkerRow) -> Option<String> {
    if row.missing == 0 {
        return None;
    }
    Some(format!(
        "LOST: {} is {}. Nothing that it measured after second {:.0} of the run is in any figure: up \
         to {} requests",
        row.name,
        row.state.as_str(),
        seconds(row.counted_us).floor(),
        row.missing
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::fixture;

    #[test]
    fn the_workers_of_a_run() {
        let summary = fixture::with_workers();
        let table = table(&summary).expect("there are workers");
        insta::assert_snapshot!(table.render(100), @r"
        State    Worker         Threads # samples # missing | CPU %     MB  Lag ms Clock ms
        --------|--------------|-------|---------|----------|------|------|-------|--------
        left     worker 0 (box)       2       625         0 |    41     48    1.23    -3.20
        left     worker 1 (box)       2       625         0 |    97     48    31.0    -3.20
        lost     worker 2 (box)       2       625      ≤ 45 |    41     48    1.23
        ");
        let narrow = table.render(60);
        assert!(
            narrow.contains("worker 2 (box)") && narrow.contains("≤ 45"),
            "{narrow}"
        );
        let notes: Vec<String> = notes(&summary).collect();
        assert_eq!(
            notes,
            [
                "warning: worker 1 (box) used over 90 % of its CPU for 7 s: its times may be its own \
                 rather than the target's",
                "warning: worker 1 (box) was held back by the CPU limit of its control group for 7 s: \
                 its times may be its own rather than the target's",
                "LOST: worker 2 (box) is lost. Nothing that it measured after second 8 of the run is \
                 in any figure: up to 45 requests",
            ]
        );
        assert!(super::table(&fixture::final_shop()).is_none());
    }

    #[test]
    fn many_strained_workers_are_few_lines() {
        let one = fixture::with_workers().workers[1].clone();
        let all = vec![one; 200];
        let notes = strained(&all, Strain::Busy);
        assert_eq!(notes.len(), NAMED + 1);
        assert!(notes[NAMED].contains("197 other workers"), "{notes:?}");
    }
}
