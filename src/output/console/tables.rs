//! The tables: figures, percentiles, the script's own figures, and before and after a reload.
//!
//! Owns the columns and their cells; `table` fits them to a terminal.

use std::collections::BTreeMap;
use std::slice;

use crate::stats::{
    Distribution, Generation, GenerationRows, Kind, QUANTILES, Row, SeriesKey, Summary,
};

use super::super::numbers::{figure_cell, mean_us, ms_cell, share};
use super::super::table::{Column, Line, Table};

/// Which of a row's rates a table shows.
#[derive(Clone, Copy)]
pub(super) enum Rates {
    /// Over the last ten seconds.
    Current,
    /// Over the whole run.
    Total,
}

const FIGURES: [Column; 8] = [
    Column::new("# reqs", 7),
    Column::new("# fails", 12).bar(),
    Column::new("Avg ms", 7).dropped(4),
    Column::new("Min ms", 7).dropped(2),
    Column::new("Max ms", 7).dropped(3),
    Column::new("Med ms", 7).bar(),
    Column::new("req/s", 8).dropped(5),
    Column::new("failures/s", 11).dropped(1),
];

/// Counts, times and rates of every row.
pub(super) fn main_table(summary: &Summary, rates: Rates) -> Table {
    let mut table = Table::new(&FIGURES);
    let cells = |row: &Row| {
        let (rps, failures_per_s) = match rates {
            Rates::Current => (row.current_rps, row.current_failures_per_s),
            Rates::Total => (row.rps, row.failures_per_s),
        };
        let mut cells = named(&row.key);
        cells.extend(counts(row));
        cells.extend(times(&row.response));
        cells.push(format!("{rps:.2}"));
        cells.push(format!("{failures_per_s:.2}"));
        cells
    };
    let service = |row: &Row| {
        let mut cells = vec![
            String::new(),
            SERVICE.to_owned(),
            String::new(),
            String::new(),
        ];
        cells.extend(times(&row.service));
        cells.extend([String::new(), String::new()]);
        cells
    };
    fill(&mut table, summary, |row| {
        let differs = row.response.differs(&row.service);
        [Some(cells(row)), differs.then(|| service(row)), None]
    });
    table
}

/// The name of the line under a row whose service times differ from its response times.
const SERVICE: &str = "  service";

/// The name of the line under a row some of whose percentiles are lower bounds: the upper ones.
const AT_MOST: &str = "  at most";

const QUANTILE_COLUMNS: [Column; 12] = [
    Column::new("50%", 8),
    Column::new("66%", 6).dropped(1),
    Column::new("75%", 6).dropped(4),
    Column::new("80%", 6).dropped(2),
    Column::new("90%", 6).dropped(6),
    Column::new("95%", 6),
    Column::new("98%", 6).dropped(3),
    Column::new("99%", 6),
    Column::new("99.9%", 6).dropped(7),
    Column::new("99.99%", 6).dropped(5),
    Column::new("100%", 6),
    Column::new("# reqs", 6).dropped(8),
];

/// Percentiles of every row.
pub(super) fn percentile_table(summary: &Summary) -> Table {
    let mut table = Table::new(&QUANTILE_COLUMNS);
    let cells = |row: &Row| {
        let mut cells = named(&row.key);
        cells.extend(quantiles(&row.response, row.certain_to));
        cells.push(row.requests.to_string());
        cells
    };
    let at_most = |row: &Row| {
        let mut cells = vec![String::new(), AT_MOST.to_owned()];
        let bounds = row.unfinished.at_most_us;
        cells.extend(bounds.map(|us| us.map_or_else(|| "?".to_owned(), ms_cell)));
        cells.push(String::new());
        cells
    };
    let service = |row: &Row| {
        let mut cells = vec![String::new(), SERVICE.to_owned()];
        cells.extend(quantiles(&row.service, row.certain_to));
        cells.push(String::new());
        cells
    };
    fill(&mut table, summary, |row| {
        let is_uncertain = row.certain_to < 1.0;
        let at_most = is_uncertain.then(|| at_most(row));
        let differs = row.response.differs(&row.service);
        let service = differs.then(|| service(row));
        [Some(cells(row)), at_most, service]
    });
    table
}

/// Each quantile as a cell, with `>` where cut requests make it a lower bound.
fn quantiles(of: &Distribution, certain_to: f64) -> impl Iterator<Item = String> {
    of.quantiles_us
        .into_iter()
        .zip(QUANTILES)
        .map(move |(us, quantile)| {
            let bound = if quantile > certain_to { ">" } else { "" };
            format!("{bound}{}", ms_cell(us))
        })
}

const OWN: [Column; 8] = [
    Column::new("# or sum", 9),
    Column::new("Avg", 9),
    Column::new("Min", 9).dropped(2),
    Column::new("Max", 9).dropped(4),
    Column::new("Med", 9).dropped(3),
    Column::new("95%", 9).dropped(5),
    Column::new("99%", 9).dropped(1).bar(),
    Column::new("/s", 9),
];

/// The script's own counters and metrics, in its own units; `None` if it has none.
pub(super) fn own_table(summary: &Summary) -> Option<Table> {
    if summary.counters.is_empty() && summary.metrics.is_empty() {
        return None;
    }
    let mut table = Table::new(&OWN);
    for row in &summary.counters {
        let mut cells = vec!["counter".to_owned(), row.name.to_string()];
        cells.push(row.total.to_string());
        cells.extend([const { String::new() }; 6]);
        cells.push(format!("{:.2}", row.per_s));
        table.push(Line::Cells(cells));
    }
    for row in &summary.metrics {
        let mut cells = vec!["metric".to_owned(), row.name.to_string()];
        cells.push(row.count.to_string());
        let figures = [row.mean, row.min, row.max, row.p50, row.p95, row.p99];
        cells.extend(figures.map(figure_cell));
        cells.push(String::new());
        table.push(Line::Cells(cells));
    }
    Some(table)
}

/// Narrower than elsewhere, so that 80 columns show all of them.
const BEFORE_AND_AFTER: [Column; 7] = [
    Column::new("# reqs", 6),
    Column::new("# fails", 11).bar(),
    Column::new("Avg", 6).dropped(1),
    Column::new("Med", 6).dropped(2),
    Column::new("95%", 6),
    Column::new("99%", 6),
    Column::new("Max", 6).dropped(3),
];

/// The newest generation below the previous one, name by name; `None` without a reload.
pub(super) fn before_and_after(summary: &Summary) -> Option<Table> {
    let [.., before, now] = &summary.by_generation[..] else {
        return None;
    };
    let parts: [fn(&GenerationRows) -> &[Row]; 3] = [
        |rows| &rows.requests,
        |rows| slice::from_ref(&rows.total),
        |rows| &rows.groups,
    ];
    let mut table = Table::new(&BEFORE_AND_AFTER);
    for (i, part) in parts.into_iter().enumerate() {
        let mut names: BTreeMap<&SeriesKey, Vec<(&Generation, &Row)>> = BTreeMap::new();
        for side in [before, now] {
            for row in part(side) {
                names.entry(&row.key).or_default().push((&side.last, row));
            }
        }
        if i > 0 && !names.is_empty() {
            table.push(Line::Rule);
        }
        for (key, sides) in names {
            let mut title = named(key);
            title.extend([const { String::new() }; BEFORE_AND_AFTER.len()]);
            table.push(Line::Cells(title));
            for (generation, row) in sides {
                let mut cells = vec![String::new(), format!("  {}", label(generation))];
                cells.extend(counts(row));
                let of = &row.response;
                let times = [
                    mean_us(of.mean_us),
                    of.p50_us(),
                    of.p95_us(),
                    of.p99_us(),
                    of.max_us,
                ];
                cells.extend(times.map(ms_cell));
                table.push(Line::Cells(cells));
            }
        }
    }
    Some(table)
}

/// A generation's number and the beginning of its hash.
pub(super) fn label(generation: &Generation) -> String {
    let short: String = generation.hash.chars().take(SHORT_HASH).collect();
    format!("{} ({short})", generation.n)
}

/// How many characters of a hash are shown, as in git.
const SHORT_HASH: usize = 7;

/// Requests, the total, and the groups that are not in it.
fn fill(table: &mut Table, summary: &Summary, lines: impl Fn(&Row) -> [Option<Vec<String>>; 3]) {
    let parts = [
        &summary.requests[..],
        std::slice::from_ref(&summary.total),
        &summary.groups,
    ];
    for (i, rows) in parts.iter().filter(|rows| !rows.is_empty()).enumerate() {
        if i > 0 {
            table.push(Line::Rule);
        }
        for row in *rows {
            let lines = lines(row).into_iter().flatten();
            lines.for_each(|cells| table.push(Line::Cells(cells)));
        }
    }
}

/// Type and name; a group has no method, so its type says `group`.
fn named(key: &SeriesKey) -> Vec<String> {
    let method = match key.kind {
        Kind::Group if key.method.is_empty() => "group",
        _ => &key.method,
    };
    vec![method.to_owned(), key.name.to_string()]
}

/// Requests and failures.
fn counts(row: &Row) -> [String; 2] {
    let failed = share(row.failures, row.requests) * 100.0;
    [
        row.requests.to_string(),
        format!("{}({failed:.2}%)", row.failures),
    ]
}

fn times(of: &Distribution) -> [String; 4] {
    [mean_us(of.mean_us), of.min_us, of.max_us, of.p50_us()].map(ms_cell)
}
