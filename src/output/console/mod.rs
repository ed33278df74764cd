//! Locust's tables on a terminal: what is going on every two seconds, everything at the end.
//!
//! The same columns as Locust's, except that times keep three digits below 100 ms and that narrow
//! terminals lose columns instead of wrapping. Which stream it is and how wide, the caller says.

use std::io::{self, Write};

use crate::stats::{Caveats, Distribution, Iterations, Kind, Row, Summary};

use super::numbers::{mean_us, ms_cell, share};
use super::table::{Column, Line, NARROWEST, Table, wrap};
use super::{Output, OutputError, Run};

/// How often the periodic table is printed.
const PERIOD_US: u64 = 2_000_000;
/// A generator that is later than this for one in a hundred is warned of.
const LAG_WARNING_US: u64 = 10_000;

/// Which tables to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// Every two seconds, and at the end.
    Periodic,
    /// At the end only.
    Final,
}

/// Which of a row's rates a table shows.
#[derive(Clone, Copy)]
enum Rates {
    /// Over the last ten seconds.
    Current,
    /// Over the whole run.
    Total,
}

/// Prints tables to a stream.
#[derive(Debug)]
pub struct Console<W> {
    to: W,
    width: usize,
    tables: Tables,
    periods: u64,
    is_broken: bool,
}

impl<W: Write> Console<W> {
    /// Prints to `to` in lines of at most `width` columns (60 at least).
    pub fn new(to: W, width: usize, tables: Tables) -> Console<W> {
        Console {
            to,
            width: width.max(NARROWEST),
            tables,
            periods: 0,
            is_broken: false,
        }
    }

    fn print(&mut self, text: &str) -> io::Result<()> {
        self.to.write_all(text.as_bytes())?;
        self.to.flush()
    }
}

impl<W: Write> Output for Console<W> {
    fn start(&mut self, _run: &Run) -> Result<(), OutputError> {
        Ok(())
    }

    fn tick(&mut self, summary: &Summary) -> Result<(), OutputError> {
        let periods = summary.now_us / PERIOD_US;
        if self.tables == Tables::Final || periods == self.periods || self.is_broken {
            return Ok(());
        }
        self.periods = periods;
        let text = main_table(summary, Rates::Current).render(self.width) + "\n";
        self.print(&text).map_err(|error| {
            self.is_broken = true;
            OutputError::Stream("the terminal", error)
        })
    }

    fn finish(&mut self, summary: &Summary) -> Result<(), OutputError> {
        let text = report(summary, self.width);
        self.print(&text)
            .map_err(|error| OutputError::Stream("the terminal", error))
    }
}

/// Everything that is printed at the end.
fn report(summary: &Summary, width: usize) -> String {
    let mut text = main_table(summary, Rates::Total).render(width) + "\n";
    if summary.total.requests > 0 || summary.groups.iter().any(|group| group.requests > 0) {
        text.push_str("Response time percentiles (ms)\n");
        text.push_str(&percentile_table(summary).render(width));
        text.push('\n');
    }
    let errors = summary.errors.iter().map(|row| {
        let name = format!("{} {}", row.method, row.name);
        (row.count, format!("{}: {}", name.trim_start(), row.error))
    });
    list(&mut text, "Error report", "Error", errors, width);
    let exceptions = summary
        .exceptions
        .iter()
        .map(|row| (row.count, format!("{}: {}", row.location, row.message)));
    list(&mut text, "Exceptions", "Exception", exceptions, width);
    for note in notes(summary) {
        for line in wrap(&note, width) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
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

fn main_table(summary: &Summary, rates: Rates) -> Table {
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

fn percentile_table(summary: &Summary) -> Table {
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

/// A titled list of texts with their counts; nothing if there are none.
fn list(
    text: &mut String,
    title: &str,
    what: &str,
    rows: impl Iterator<Item = (u64, String)>,
    width: usize,
) {
    const COUNT: usize = 18;
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    let room = width - COUNT - 1;
    let dashes = "-".repeat(room.min(100));
    text.push_str(&format!(
        "{title}\n{:<COUNT$} {what}\n{:-<COUNT$}|{dashes}\n",
        "# occurrences", ""
    ));
    for (count, row) in rows {
        let mut count = count.to_string();
        for line in wrap(&row, room) {
            text.push_str(format!("{count:<COUNT$} {line}").trim_end());
            text.push('\n');
            count.clear();
        }
    }
    text.push('\n');
}

/// Lines under the tables: iterations, and what must be said of the figures above.
fn notes(summary: &Summary) -> Vec<String> {
    let Iterations {
        started,
        finished,
        interrupted,
        missed,
        dropped,
    } = summary.iterations;
    let mut notes = vec![format!(
        "Iterations: {started} started, {finished} finished, {interrupted} interrupted, {missed} missed"
    )];
    if dropped > 0 {
        notes[0].push_str(&format!(", {dropped} dropped"));
    }
    if summary.in_flight > 0 {
        notes.push(format!(
            "In flight at stop: {} requests, in no row above",
            summary.in_flight
        ));
    }
    let Caveats {
        clipped,
        folded,
        stale_retries,
        too_many_names,
        too_many_texts,
    } = summary.caveats;
    if stale_retries > 0 {
        notes.push(format!(
            "Sent again because a kept-alive connection had closed: {stale_retries}"
        ));
    }
    let lag = &summary.generator.lag;
    if lag.p99_us() > LAG_WARNING_US {
        notes.push(format!(
            "warning: the load generator was late by {} ms (p99; at most {} ms): times may be its own \
             rather than the target's; give it more cores or fewer users",
            ms_cell(lag.p99_us()),
            ms_cell(lag.max_us)
        ));
    }
    if too_many_names {
        notes.push(
            "warning: too many names, the later ones share a row; give requests whose URLs carry ids a \
             `name:`"
                .to_owned(),
        );
    }
    if too_many_texts {
        notes.push("warning: too many different errors, the later ones share a row".to_owned());
    }
    if clipped > 0 {
        notes.push(format!(
            "warning: {clipped} numbers above an hour or 4 GiB were cut"
        ));
    }
    if folded > 0 {
        notes.push(format!(
            "warning: {folded} samples were summed up early because the control thread was busy; no \
             total is affected, current percentiles may be"
        ));
    }
    notes
}
