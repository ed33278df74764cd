//! Remarks below the tables: iterations, what was cut, summed up early or may be the load generator's
//! own doing.
//!
//! Owns the words; the web page shows them too.

use std::time::Duration;

use crate::stats::{Iterations, LAG_LIMIT_US, Summary, Warnings};

use super::super::numbers::ms_cell;
use super::workers;

/// The line about iterations.
pub(super) fn iterations(summary: &Summary) -> String {
    let Iterations {
        started,
        finished,
        interrupted,
        missed,
        dropped,
    } = summary.iterations;
    let mut line = format!(
        "Iterations: {started} started, {finished} finished, {interrupted} interrupted, {missed} missed"
    );
    if dropped > 0 {
        line.push_str(&format!(", {dropped} dropped"));
    }
    line
}

/// Remarks on the figures: what was cut, summed up early or may be the load generator's own doing.
#[must_use]
pub fn notes(summary: &Summary) -> Vec<String> {
    let mut notes = Vec::new();
    let paused = Duration::from_micros(summary.paused_us());
    if !paused.is_zero() {
        let seconds = paused.as_secs_f64();
        notes.push(format!("Paused for {seconds:.1} s: not in rates"));
    }
    if summary.in_flight > 0 {
        let mut note = format!(
            "In flight at stop: {} requests, in no count above",
            summary.in_flight
        );
        if summary.total.unfinished.count > 0 {
            let oldest = ms_cell(summary.total.unfinished.max_us);
            note.push_str(&format!(
                "; the oldest for {oldest} ms: percentiles with `>` are at least so much, and at \
                 most what stands below (`?`: anything)"
            ));
        }
        notes.push(note);
    }
    let Warnings {
        clipped,
        folded,
        stale_retries,
        too_many_names,
        too_many_figures,
        is_counter_full,
        too_many_texts,
    } = summary.warnings;
    if stale_retries > 0 {
        notes.push(format!(
            "Sent again because a kept-alive connection had closed: {stale_retries}"
        ));
    }
    let lag = &summary.generator.lag;
    if lag.p99_us() > LAG_LIMIT_US {
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
    if too_many_figures {
        notes.push(
            "warning: too many counters (1,000) or metrics (100), the later ones share a row"
                .to_owned(),
        );
    }
    if is_counter_full {
        notes.push(format!(
            "warning: a counter has reached {} and stays there",
            u64::MAX
        ));
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
    notes.extend(workers::notes(summary));
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::fixture;

    #[test]
    fn a_pause_is_noted() {
        let mut shop = fixture::shop();
        shop.pause(12_000_000);
        shop.resume(14_500_000);
        let notes = notes(&shop.summary(20_000_000));
        assert_eq!(notes[0], "Paused for 2.5 s: not in rates");
    }
}
