//! What is printed when a run has ended: tables, errors, exceptions, and remarks on them.
//!
//! The columns are defined in `tables`; the console decides where the text goes.

use crate::stats::Summary;

use super::super::numbers::share;
use super::super::table::wrap;
use super::notes::{iterations, notes};
use super::tables::{Rates, before_and_after, main_table, own_table, percentile_table};
use super::workers;

/// Everything that is printed at the end.
pub(super) fn report(summary: &Summary, width: usize) -> String {
    let mut text = main_table(summary, Rates::Total).render(width) + "\n";
    if summary.total.requests > 0 || summary.groups.iter().any(|group| group.requests > 0) {
        text.push_str("Response time percentiles (ms)\n");
        text.push_str(&percentile_table(summary).render(width));
        text.push('\n');
    }
    if let Some(table) = before_and_after(summary) {
        text.push_str("Before and after the last reload (response times in ms)\n");
        text.push_str(&table.render(width));
        text.push('\n');
    }
    checks(&mut text, summary, width);
    if let Some(table) = own_table(summary) {
        text.push_str("Counters and metrics\n");
        text.push_str(&table.render(width));
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
    if let Some(table) = workers::table(summary) {
        text.push_str("Workers (CPU, memory and lag: the most of the run)\n");
        text.push_str(&table.render(width));
        text.push('\n');
    }
    for note in std::iter::once(iterations(summary)).chain(notes(summary)) {
        for line in wrap(&note, width) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

/// The checks with their counts; nothing if there are none.
fn checks(text: &mut String, summary: &Summary, width: usize) {
    const COUNTS: usize = 22;
    if summary.checks.is_empty() {
        return;
    }
    let room = width - COUNTS - 1;
    let dashes = "-".repeat(room.min(100));
    text.push_str(&format!(
        "Checks\n{:>8} {:>13} Check\n{:-<COUNTS$}|{dashes}\n",
        "# passed", "# failed", ""
    ));
    for row in &summary.checks {
        let failed = share(row.fails, row.passes + row.fails) * 100.0;
        let fails = format!("{}({failed:.2}%)", row.fails);
        let mut counts = format!("{:>8} {fails:>13}", row.passes);
        for line in wrap(&row.name, room) {
            text.push_str(format!("{counts:<COUNTS$} {line}").trim_end());
            text.push('\n');
            counts.clear();
        }
    }
    text.push('\n');
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

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::*;
    use crate::output::fixture;

    #[test]
    fn the_final_tables_at_120_columns() {
        insta::assert_snapshot!(report(&fixture::final_shop(), 120), @r#"
        Type     Name              # reqs      # fails | Avg ms  Min ms  Max ms  Med ms |   req/s  failures/s
        --------|----------------|-------|-------------|-------|-------|-------|--------|--------|-----------
        GET      /coupons            1000     0(0.00%) |  0.200   0.150   0.249   0.199 |  100.00        0.00
        POST     /coupons/1/issue     250   50(20.00%) |   15.4    12.3     263    12.9 |   25.00        5.00
                   service                             |   12.8    12.3    13.3    12.8 |
        --------|----------------|-------|-------------|-------|-------|-------|--------|--------|-----------
                 Aggregated          1250    50(4.00%) |   3.26   0.150     263   0.212 |  125.00        5.00
                   service                             |   2.73   0.150    13.3   0.212 |
        --------|----------------|-------|-------------|-------|-------|-------|--------|--------|-----------
        group    checkout             250   50(20.00%) |   13.1    12.6    13.6    13.1 |   25.00        5.00

        Response time percentiles (ms)
        Type     Name                  50%    66%    75%    80%    90%    95%    98%    99%  99.9% 99.99%   100% # reqs
        --------|----------------|--------|------|------|------|------|------|------|------|------|------|------|------
        GET      /coupons            0.199  0.215  0.224  0.229  0.239  0.244  0.247  0.248  0.249  0.249  0.249   1000
        POST     /coupons/1/issue     12.9   13.0   13.1   13.2   13.3   13.3   13.3    163    263    263    263    250
                   service            12.8   13.0   13.1   13.1   13.2   13.3   13.3   13.3   13.3   13.3   13.3
        --------|----------------|--------|------|------|------|------|------|------|------|------|------|------|------
                 Aggregated          0.212  0.232  0.243   12.4   12.9   13.1   13.3   13.3    263    263    263   1250
                   service           0.212  0.232  0.243  0.249   12.8   13.1   13.2   13.3   13.3   13.3   13.3
        --------|----------------|--------|------|------|------|------|------|------|------|------|------|------|------
        group    checkout             13.1   13.3   13.4   13.4   13.5   13.6   13.6   13.6   13.6   13.6   13.6    250

        Error report
        # occurrences      Error
        ------------------|----------------------------------------------------------------------------------------------------
        50                 POST /coupons/1/issue: 409 Conflict: "sold out", 0 left

        Exceptions
        # occurrences      Exception
        ------------------|----------------------------------------------------------------------------------------------------
        1                  scripts/hello.rhai:12:5: index out of bounds

        Iterations: 1000 started, 1000 finished, 0 interrupted, 2 missed
        In flight at stop: 3 requests, in no count above
        "#);
    }

    #[test]
    fn narrow_terminals_lose_columns() {
        insta::assert_snapshot!(report(&fixture::final_shop(), 80), @r#"
        Type     Name              # reqs      # fails | Avg ms  Med ms |   req/s
        --------|----------------|-------|-------------|-------|--------|--------
        GET      /coupons            1000     0(0.00%) |  0.200   0.199 |  100.00
        POST     /coupons/1/issue     250   50(20.00%) |   15.4    12.9 |   25.00
                   service                             |   12.8    12.8 |
        --------|----------------|-------|-------------|-------|--------|--------
                 Aggregated          1250    50(4.00%) |   3.26   0.212 |  125.00
                   service                             |   2.73   0.212 |
        --------|----------------|-------|-------------|-------|--------|--------
        group    checkout             250   50(20.00%) |   13.1    13.1 |   25.00

        Response time percentiles (ms)
        Type     Name                  50%    90%    95%    99%  99.9%   100% # reqs
        --------|----------------|--------|------|------|------|------|------|------
        GET      /coupons            0.199  0.239  0.244  0.248  0.249  0.249   1000
        POST     /coupons/1/issue     12.9   13.3   13.3    163    263    263    250
                   service            12.8   13.2   13.3   13.3   13.3   13.3
        --------|----------------|--------|------|------|------|------|------|------
                 Aggregated          0.212   12.9   13.1   13.3    263    263   1250
                   service           0.212   12.8   13.1   13.3   13.3   13.3
        --------|----------------|--------|------|------|------|------|------|------
        group    checkout             13.1   13.5   13.6   13.6   13.6   13.6    250

        Error report
        # occurrences      Error
        ------------------|-------------------------------------------------------------
        50                 POST /coupons/1/issue: 409 Conflict: "sold out", 0 left

        Exceptions
        # occurrences      Exception
        ------------------|-------------------------------------------------------------
        1                  scripts/hello.rhai:12:5: index out of bounds

        Iterations: 1000 started, 1000 finished, 0 interrupted, 2 missed
        In flight at stop: 3 requests, in no count above
        "#);
        insta::assert_snapshot!(report(&fixture::final_shop(), 60), @r#"
        Type     Name              # reqs      # fails | Med ms
        --------|----------------|-------|-------------|--------
        GET      /coupons            1000     0(0.00%) |  0.199
        POST     /coupons/1/issue     250   50(20.00%) |   12.9
                   service                             |   12.8
        --------|----------------|-------|-------------|--------
                 Aggregated          1250    50(4.00%) |  0.212
                   service                             |  0.212
        --------|----------------|-------|-------------|--------
        group    checkout             250   50(20.00%) |   13.1

        Response time percentiles (ms)
        Type     Name                  50%    95%    99%   100%
        --------|----------------|--------|------|------|------
        GET      /coupons            0.199  0.244  0.248  0.249
        POST     /coupons/1/issue     12.9   13.3    163    263
                   service            12.8   13.3   13.3   13.3
        --------|----------------|--------|------|------|------
                 Aggregated          0.212   13.1   13.3    263
                   service           0.212   13.1   13.3   13.3
        --------|----------------|--------|------|------|------
        group    checkout             13.1   13.6   13.6   13.6

        Error report
        # occurrences      Error
        ------------------|-----------------------------------------
        50                 POST /coupons/1/issue: 409 Conflict:
                           "sold out", 0 left

        Exceptions
        # occurrences      Exception
        ------------------|-----------------------------------------
        1                  scripts/hello.rhai:12:5: index out of
                           bounds

        Iterations: 1000 started, 1000 finished, 0 interrupted, 2
        missed
        In flight at stop: 3 requests, in no count above
        "#);
    }

    #[test]
    fn everything_there_is_to_warn_of() {
        insta::assert_snapshot!(report(&fixture::troubled(), 80), @r"
        Type     Name                     # reqs                       # fails | Med ms
        --------|----------|--------------------|------------------------------|--------
                 (other na… 18446744073709551615 18446744073709551615(100.00%) |   1000
                   service                                                     |  0.007
        PROPPAT… /a/very/l… 18446744073709551615 18446744073709551615(100.00%) |   1000
                   service                                                     |  0.007
        GET      /x         18446744073709551615 18446744073709551615(100.00%) |   1000
                   service                                                     |  0.007
        GET      /优惠券/…  18446744073709551615 18446744073709551615(100.00%) |   1000
                   service                                                     |  0.007
        --------|----------|--------------------|------------------------------|--------
                 Aggregated 18446744073709551615 18446744073709551615(100.00%) |   1000
                   service                                                     |  0.007

        Response time percentiles (ms)
        Type     Name                   50%     95%     99%    100%               # reqs
        --------|-----------------|--------|-------|-------|-------|--------------------
                 (other names)         1000 3600810 3600810 4295967 18446744073709551615
                   service            0.007 3600810 3600810 4294967
        PROPPAT… /a/very/long/pat…     1000 3600810 3600810 4295967 18446744073709551615
                   service            0.007 3600810 3600810 4294967
        GET      /x                    1000 3600810 3600810 4295967 18446744073709551615
                   service            0.007 3600810 3600810 4294967
        GET      /优惠券/领取/第…      1000 3600810 3600810 4295967 18446744073709551615
                   service            0.007 3600810 3600810 4294967
        --------|-----------------|--------|-------|-------|-------|--------------------
                 Aggregated            1000 3600810 3600810 4295967 18446744073709551615
                   service            0.007 3600810 3600810 4294967

        Error report
        # occurrences      Error
        ------------------|-------------------------------------------------------------
        1                  (other names): (other errors)
        1                  PROPPATCH!
                           /a/very/long/path/that/no/narrow/terminal/has/room/for:
                           (other errors)
        1                  GET /x: (other errors)
        1                  GET /优惠券/领取/第一批/每人限领一张: 0: the server closed
                           the connection while it sent the body; the server closed the
                           connection while it sent the body; the server closed the
                           connection while it sent the body;

        Exceptions
        # occurrences      Exception
        ------------------|-------------------------------------------------------------
        3                  scripts/a.rhai:1:1: (other errors)
        1                  scripts/a.rhai:1:1: thrown 0

        Iterations: 0 started, 0 finished, 0 interrupted, 0 missed, 1 dropped
        Sent again because a kept-alive connection had closed: 1
        warning: the load generator was late by 12.0 ms (p99; at most 12.0 ms): times
        may be its own rather than the target's; give it more cores or fewer users
        warning: too many names, the later ones share a row; give requests whose URLs
        carry ids a `name:`
        warning: too many different errors, the later ones share a row
        warning: 12 numbers above an hour or 4 GiB were cut
        warning: 8 samples were summed up early because the control thread was busy; no
        total is affected, current percentiles may be
        ");
    }

    #[test]
    fn own_figures_have_a_table_of_their_own() {
        let text = report(&fixture::figures(), 120);
        let table = text.split("\n\n").nth(1).expect("a second table");
        insta::assert_snapshot!(table, @r"
        Counters and metrics
        Type     Name              # or sum       Avg       Min       Max       Med       95%       99% |       /s
        --------|----------------|---------|---------|---------|---------|---------|---------|----------|---------
        counter  coupons               1500                                                             |   750.00
        metric   balance               1000     74.88    -50.00     199.8     74.81     187.4     197.4 |
        metric   rows, first page         1     20.00     20.00     20.00     20.00     20.00     20.00 |
        ");
    }

    /// The paragraph under that title.
    fn paragraph(text: &str, title: &str) -> String {
        let at = text.find(title).expect("the title");
        let text = text[at..].split("\n\n").next();
        text.expect("a paragraph").to_owned()
    }

    #[test]
    fn before_and_after_a_reload() {
        let text = report(&fixture::final_reloaded(2), 80);
        insta::assert_snapshot!(paragraph(&text, "Before and after"), @r"
        Before and after the last reload (response times in ms)
        Type     Name             # reqs     # fails |   Avg    Med    95%    99%    Max
        --------|----------------|------|------------|------|------|------|------|------
        GET      /coupons                            |
                   1 (1f2a9c1)       102    0(0.00%) |  18.7   1.05   1.10    900    900
                   2 (2f2a9c1)       100    0(0.00%) |  2.05   2.05   2.10   2.10   2.10
        POST     /coupons/1/issue                    |
                   2 (2f2a9c1)        20    1(5.00%) |  12.4   12.4   12.4   12.4   12.4
        --------|----------------|------|------------|------|------|------|------|------
                 Aggregated                          |
                   1 (1f2a9c1)       102    0(0.00%) |  18.7   1.05   1.10    900    900
                   2 (2f2a9c1)       120    1(0.83%) |  3.77   2.06   12.4   12.4   12.4
        --------|----------------|------|------------|------|------|------|------|------
        group    checkout                            |
                   2 (2f2a9c1)        20    1(5.00%) |  15.0   15.0   15.1   15.1   15.1
        ");
        let text = report(&fixture::final_reloaded(12), 60);
        insta::assert_snapshot!(paragraph(&text, "Before and after"), @r"
        Before and after the last reload (response times in ms)
        Type     Name             # reqs     # fails |   95%    99%
        --------|----------------|------|------------|------|------
        GET      /coupons                            |
                   11 (11f2a9c)      100    0(0.00%) |  11.1   11.1
                   12 (12f2a9c)      100    0(0.00%) |  12.1   12.1
        POST     /coupons/1/issue                    |
                   11 (11f2a9c)       20    1(5.00%) |  12.4   12.4
                   12 (12f2a9c)       20    1(5.00%) |  12.4   12.4
        --------|----------------|------|------------|------|------
                 Aggregated                          |
                   11 (11f2a9c)      120    1(0.83%) |  12.4   12.4
                   12 (12f2a9c)      120    1(0.83%) |  12.4   12.4
        --------|----------------|------|------------|------|------
        group    checkout                            |
                   11 (11f2a9c)       20    1(5.00%) |  15.1   15.1
                   12 (12f2a9c)       20    1(5.00%) |  15.1   15.1
        ");
        for summary in [fixture::final_shop(), fixture::final_reloaded(1)] {
            assert!(!report(&summary, 80).contains("reload"));
        }
    }

    #[test]
    fn a_run_without_a_request() {
        insta::assert_snapshot!(report(&fixture::nothing(), 80), @r"
        Type     Name        # reqs      # fails | Avg ms  Max ms  Med ms |   req/s
        --------|----------|-------|-------------|-------|-------|--------|--------
                 Aggregated       0     0(0.00%) |      0       0       0 |    0.00

        Iterations: 0 started, 0 finished, 0 interrupted, 0 missed
        ");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for summary in [
            fixture::final_shop(),
            fixture::final_reloaded(4),
            fixture::troubled(),
            fixture::nothing(),
        ] {
            for width in [60, 61, 72, 80, 99, 132, 200] {
                let text = report(&summary, width);
                let wide: Vec<_> = text.lines().filter(|line| line.width() > width).collect();
                assert!(wide.is_empty(), "wider than {width}: {wide:#?}");
            }
        }
    }
}
