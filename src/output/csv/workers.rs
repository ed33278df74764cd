//! `PREFIX_workers.csv`: a row for each worker of a run, those that have gone included.
//!
//! Owns its columns. Times are ms and shares are of one, as elsewhere.

use crate::stats::{Strain, Summary, WorkerRow};

use super::super::numbers::{difference_ms, ms, seconds};
use super::super::visible::cell;
use super::rows::table;

const TITLES: [&str; 23] = [
    "Worker",
    "Name",
    "Address",
    "Version",
    "State",
    "Since Second",
    "Last Heard Second",
    "Last Counted Second",
    "Threads",
    "Users",
    "Samples",
    "Missing At Most",
    "CPU",
    "CPU Most",
    "Memory Bytes",
    "Lag 99%",
    "Lag Most",
    "Round Trip",
    "Clock Offset",
    "Clock Error",
    "Busy Seconds",
    "Throttled Seconds",
    "Lagging Seconds",
];

/// The file; `None` without workers.
pub(super) fn workers(summary: &Summary) -> Option<Vec<u8>> {
    if summary.workers.is_empty() {
        return None;
    }
    let content = table(|out| {
        out.write_record(TITLES)?;
        for row in &*summary.workers {
            out.write_record(cells(row))?;
        }
        Ok(())
    });
    Some(content)
}

fn cells(row: &WorkerRow) -> [String; TITLES.len()] {
    let address = row.address.map(|address| address.to_string());
    let strained = |strain| row.strains.of(strain).seconds.to_string();
    let clock = row.clock.map(|clock| {
        [
            ms(clock.round_trip_us),
            difference_ms(clock.offset_us),
            ms(clock.error_us),
        ]
    });
    let clock = clock.map(|figures| figures.map(|figure| figure.to_string()));
    let [round_trip, offset, error] = clock.unwrap_or_default();
    [
        row.name.number.to_string(),
        cell(&row.name.host),
        address.unwrap_or_default(),
        row.version.to_owned(),
        row.state.as_str().to_owned(),
        seconds(row.since_us).to_string(),
        seconds(row.heard_us).to_string(),
        seconds(row.counted_us).to_string(),
        row.threads.to_string(),
        row.users.to_string(),
        row.samples.to_string(),
        row.missing.to_string(),
        row.machine.cpu.to_string(),
        row.most.cpu.to_string(),
        row.machine.rss_bytes.to_string(),
        ms(row.machine.lag_p99_us).to_string(),
        ms(row.most.lag_max_us).to_string(),
        round_trip,
        offset,
        error,
        strained(Strain::Busy),
        strained(Strain::Throttled),
        strained(Strain::Lagging),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::fixture;

    #[test]
    fn a_row_for_each_worker() {
        assert_eq!(workers(&fixture::final_shop()), None);
        let rows = workers(&fixture::with_workers()).expect("there are workers");
        let rows = String::from_utf8(rows).expect("it is text");
        insta::assert_snapshot!(rows.replace("\r\n", "\n"), @r"
        Worker,Name,Address,Version,State,Since Second,Last Heard Second,Last Counted Second,Threads,Users,Samples,Missing At Most,CPU,CPU Most,Memory Bytes,Lag 99%,Lag Most,Round Trip,Clock Offset,Clock Error,Busy Seconds,Throttled Seconds,Lagging Seconds
        0,box,10.0.0.7,0.1.0,left,9,8.9,8.2,2,0,625,0,0.412,0.412,48300000,0.19,1.234,0.4,-3.2,0.201,0,0,0
        1,box,10.0.0.7,0.1.0,left,9,8.9,8.2,2,0,625,0,0.97,0.97,48300000,0.19,31,0.4,-3.2,0.201,7,7,0
        2,box,,0.1.0,lost,9,8.9,8.2,2,0,625,45,0.412,0.412,48300000,0.19,1.234,,,,0,0,0
        ");
    }
}
