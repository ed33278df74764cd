//! All that a member of a run has measured in its life, as one report: for a collector that has
//! nothing of it, because the one before it is gone.
//!
//! Owns the sum of all reports that were cut. Its series, times and texts add up to exactly theirs;
//! of when it happened it has the counts of each second, and the timeline's coarser stretches.

use std::sync::Arc;

use super::batch::Iterations;
use super::cell::Cell;
use super::cells::Stamped;
use super::checks::Checks;
use super::custom_metrics::CustomMetrics;
use super::dist::Dist;
use super::exceptions::Exceptions;
use super::history::{History, Second};
use super::ledger::Report;
use super::recorder::Limits;
use super::series::SeriesTable;
use super::tally::Tally;
use super::timeline::{Remembered, Timeline};

/// Generations of a series that are kept apart, as a collector does.
const GENERATIONS: usize = 3;

/// When it happened, of a report whose cells are sums over all seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    /// By second, ascending: what it counted.
    pub(super) seconds: Vec<(u64, Second)>,
    /// By stretch: what each series added up to; the numbers are the report's.
    pub(super) stretches: Vec<Remembered>,
}

/// The sum of the reports of one member.
#[derive(Debug)]
pub struct Baseline {
    table: SeriesTable,
    /// By series: the sums of its latest generations, ascending.
    sums: Vec<Vec<(u16, Cell)>>,
    lags: Dist,
    seconds: History,
    timeline: Timeline,
    errors: Tally,
    exceptions: Exceptions,
    checks: Checks,
    custom: CustomMetrics,
    iterations: Iterations,
    stale_retries: u64,
    folded: u64,
    last_end_us: u64,
}

impl Baseline {
    /// The sum of nothing; `limits` bounds its series and texts, and with them its memory: some KB a
    /// series, and 16 MB for when it all happened.
    #[must_use]
    pub fn new(limits: Limits) -> Baseline {
        Baseline {
            table: SeriesTable::new(limits.series),
            sums: Vec::new(),
            lags: Dist::default(),
            seconds: History::default(),
            timeline: Timeline::of_a_member(),
            errors: Tally::new(limits.texts),
            exceptions: Exceptions::new(limits.texts),
            checks: Checks::new(limits.texts),
            custom: CustomMetrics::default(),
            iterations: Iterations::default(),
            stale_retries: 0,
            folded: 0,
            last_end_us: 0,
        }
    }

    /// Adds a report, in the seconds of which that has gauges there were so many users. One merge
    /// for each of its cells.
    pub fn add(&mut self, report: &Report, users: u32) {
        let numbers: Vec<usize> = report
            .keys
            .iter()
            .map(|key| {
                let class = key.class.as_deref();
                let number = self.table.number(class, &key.kind, &key.method, &key.name);
                number.index()
            })
            .collect();
        self.sums.resize_with(self.table.keys().len(), Vec::new);
        for stamped in &report.cells {
            let number = numbers[stamped.series];
            self.sum(number, stamped.generation).merge(&stamped.cell);
        }
        report.lags.values().for_each(|it| self.lags.merge(it));
        match &report.past {
            Some(past) => self.recall(past, &numbers),
            None => self.add_seconds(report, &numbers),
        }
        for (second, gauge) in &report.gauges {
            if let Some(at) = self.seconds.second(*second) {
                at.in_flight += gauge.in_flight;
                at.cpu_us += gauge.cpu_us;
                at.users = u64::from(users);
            }
            self.timeline.reach(second + 1);
        }
        for error in &report.errors {
            let owner = numbers[error.owner as usize];
            self.errors.merge(id_of(owner), error);
        }
        for (place, exception) in &report.exceptions {
            self.exceptions.merge(place, exception);
        }
        report.checks.iter().for_each(|it| self.checks.merge(it));
        self.custom.merge(&report.custom);
        self.iterations.merge(report.iterations);
        self.stale_retries += report.stale_retries;
        self.folded += report.folded;
        self.last_end_us = self.last_end_us.max(report.last_end_us);
    }

    /// Notes when it happened.
    fn add_seconds(&mut self, report: &Report, numbers: &[usize]) {
        let cells = report.cells.iter();
        let cells = cells.map(|it| (it.second, id_of(numbers[it.series]), &it.cell));
        self.timeline.add(cells);
        for stamped in &report.cells {
            let kind = &self.table.keys()[numbers[stamped.series]].kind;
            if kind.is_request()
                && let Some(second) = self.seconds.second(stamped.second)
            {
                second.count(&stamped.cell);
            }
        }
        for (second, lags) in &report.lags {
            if let Some(second) = self.seconds.second(*second) {
                second.lag_us = second.lag_us.max(lags.max_us);
            }
        }
    }

    /// Notes when that happened of which a report is the sum.
    fn recall(&mut self, past: &Past, numbers: &[usize]) {
        for (second, known) in &past.seconds {
            if let Some(ours) = self.seconds.second(*second) {
                ours.recall(known);
            }
        }
        let stretches = past.stretches.iter().map(|it| Remembered {
            id: id_of(numbers[it.id as usize]),
            ..it.clone()
        });
        let keys = self.table.keys();
        self.timeline
            .recall(stretches, |id| keys[id as usize].kind.is_request());
    }

    /// The sum of a series in a generation. What is older than the two newest is one.
    fn sum(&mut self, series: usize, generation: u16) -> &mut Cell {
        let sums = &mut self.sums[series];
        let mut at = sums.partition_point(|(other, _)| *other < generation);
        if sums.get(at).is_none_or(|(other, _)| *other != generation) {
            sums.insert(at, (generation, Cell::default()));
            if sums.len() > GENERATIONS {
                let (_, second) = sums.remove(1);
                sums[0].1.merge(&second);
                at = at.saturating_sub(1);
            }
        }
        &mut sums[at].1
    }

    /// All of it as one report.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut cells = Vec::new();
        for (series, sums) in self.sums.iter().enumerate() {
            for (generation, sum) in sums.iter().filter(|(_, sum)| !sum.is_empty()) {
                let mut cell = sum.clone();
                cell.close();
                cells.push(Stamped {
                    second: 0,
                    series,
                    generation: *generation,
                    cell,
                });
            }
        }
        let mut lags = self.lags.clone();
        lags.close();
        let seconds = (0..).zip(self.seconds.iter().copied());
        let past = Past {
            seconds: seconds
                .filter(|(_, second)| *second != Second::default())
                .collect(),
            stretches: self.timeline.remembered(),
        };
        let exceptions = self.exceptions.entries();
        Report {
            keys: self.table.keys().to_vec(),
            cells,
            lags: [(0, lags)].into(),
            errors: self.errors.entries().to_vec(),
            exceptions: exceptions
                .map(|(place, exception)| (Arc::clone(place), exception.clone()))
                .collect(),
            checks: self.checks.entries().to_vec(),
            custom: self.custom.clone(),
            iterations: self.iterations,
            stale_retries: self.stale_retries,
            folded: self.folded,
            last_end_us: self.last_end_us,
            past: Some(Arc::new(past)),
            ..Report::default()
        }
    }
}

fn id_of(series: usize) -> u32 {
    u32::try_from(series).expect("series are bounded")
}
