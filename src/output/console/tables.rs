//! The two tables: figures, and percentiles.
//!
//! Which columns there are and what stands in their cells; how they fit a terminal is `table`'s.

use crate::stats::{Distribution, Kind, Row, Summary};

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
        let failed = share(row.failures, row.requests) * 100.0;
        let (rps, failures_per_s) = match rates {
            Rates::Current => (row.current_rps, row.current_failures_per_s),
            Rates::Total => (row.rps, row.failures_per_s),
        };
        let mut cells = named(row);
        cells.push(row.requests.to_string());
        cells.push(format!("{}({failed:.2}%)", row.failures));
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
    fill(&mut table, summary, cells, service);
    table
}

/// The name of the line under a row whose service times differ from its response times.
const SERVICE: &str = "  service";

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
    let quantiles = |of: &Distribution| of.quantiles_us.map(ms_cell);
    let cells = |row: &Row| {
        let mut cells = named(row);
        cells.extend(quantiles(&row.response));
        cells.push(row.requests.to_string());
        cells
    };
    let service = |row: &Row| {
        let mut cells = vec![String::new(), SERVICE.to_owned()];
        cells.extend(quantiles(&row.service));
        cells.push(String::new());
        cells
    };
    fill(&mut table, summary, cells, service);
    table
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

/// Requests, the total, and the groups that are not in it.
fn fill(
    table: &mut Table,
    summary: &Summary,
    cells: impl Fn(&Row) -> Vec<String>,
    service: impl Fn(&Row) -> Vec<String>,
) {
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
            table.push(Line::Cells(cells(row)));
            if row.response.differs(&row.service) {
                table.push(Line::Cells(service(row)));
            }
        }
    }
}

/// Type and name; a group, which has no method, says what it is.
fn named(row: &Row) -> Vec<String> {
    let method = match row.key.kind {
        Kind::Group if row.key.method.is_empty() => "group",
        _ => &row.key.method,
    };
    vec![method.to_owned(), row.key.name.to_string()]
}

fn times(of: &Distribution) -> [String; 4] {
    [mean_us(of.mean_us), of.min_us, of.max_us, of.p50_us()].map(ms_cell)
}
