//! Locust's tables on a terminal: what is going on every two seconds, everything at the end.
//!
//! The same columns as Locust's, except that times keep three digits below 100 ms and that narrow
//! terminals lose columns instead of wrapping. The caller chooses the stream and its width.

mod notes;
mod report;
mod tables;
mod workers;

use std::io::{self, Write};

use crate::stats::Summary;

pub use self::notes::notes;
use self::report::report;
use self::tables::{Rates, label, main_table};
use super::table::{NARROWEST, wrap};
use super::{Output, OutputError, RunInfo};

/// How often the periodic table is printed.
const PERIOD_US: u64 = 2_000_000;

/// Which tables to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// Every two seconds, and at the end.
    Periodic,
    /// At the end only.
    Final,
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
    fn start(&mut self, _run: &RunInfo) -> Result<(), OutputError> {
        Ok(())
    }

    fn tick(&mut self, summary: &Summary) -> Result<(), OutputError> {
        let periods = summary.now_us / PERIOD_US;
        if self.tables == Tables::Final || periods == self.periods || self.is_broken {
            return Ok(());
        }
        self.periods = periods;
        let mut text = main_table(summary, Rates::Current).render(self.width);
        for line in generation(summary)
            .iter()
            .flat_map(|line| wrap(line, self.width))
        {
            text.push_str(&line);
            text.push('\n');
        }
        text.push('\n');
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

/// Which generation runs, and how many users are still in older ones; `None` without a reload.
fn generation(summary: &Summary) -> Option<String> {
    let newest = &summary.by_generation.last()?.last;
    let behind = match summary.users.behind {
        0 => String::new(),
        1 => "; 1 user still in an older one".to_owned(),
        users => format!("; {users} users still in an older one"),
    };
    Some(format!("generation {}{behind}", label(newest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::fixture;

    #[test]
    fn the_periodic_table_comes_every_two_seconds_with_current_rates() {
        let mut collector = fixture::shop();
        let mut text = Vec::new();
        let mut console = Console::new(&mut text, 100, Tables::Periodic);
        for second in 0..=5 {
            console
                .tick(&collector.summary(second * 1_000_000 + 100))
                .expect("memory");
        }
        let text = String::from_utf8(text).expect("text");
        assert_eq!(text.matches("Aggregated").count(), 2, "at 2 s and 4 s");
        let table = text.split("\n\n").next().expect("a table");
        insta::assert_snapshot!(table, @r"
        Type     Name              # reqs      # fails | Avg ms  Min ms  Max ms  Med ms |   req/s
        --------|----------------|-------|-------------|-------|-------|-------|--------|--------
        GET      /coupons            1000     0(0.00%) |  0.200   0.150   0.249   0.199 |  100.00
        POST     /coupons/1/issue     250   50(20.00%) |   15.4    12.3     263    12.9 |   25.00
                   service                             |   12.8    12.3    13.3    12.8 |
        --------|----------------|-------|-------------|-------|-------|-------|--------|--------
                 Aggregated          1250    50(4.00%) |   3.26   0.150     263   0.212 |  125.00
                   service                             |   2.73   0.150    13.3   0.212 |
        --------|----------------|-------|-------------|-------|-------|-------|--------|--------
        group    checkout             250   50(20.00%) |   13.1    12.6    13.6    13.1 |   25.00
        ");
    }

    #[test]
    fn after_a_reload_the_last_line_says_which_generation_runs() {
        let mut collector = fixture::reloaded(3);
        let mut last = |behind| {
            collector.behind(behind);
            let mut text = Vec::new();
            let mut console = Console::new(&mut text, 60, Tables::Periodic);
            console
                .tick(&collector.summary(15_000_000))
                .expect("memory");
            let text = String::from_utf8(text).expect("text");
            assert!(text.ends_with("\n\n"), "{text:?}");
            text.trim_end().rsplit('\n').next().map(str::to_owned)
        };
        let lines = [0, 1, 12].map(|behind| last(behind).expect("a line"));
        insta::assert_snapshot!(lines.join("\n"), @r"
        generation 3 (3f2a9c1)
        generation 3 (3f2a9c1); 1 user still in an older one
        generation 3 (3f2a9c1); 12 users still in an older one
        ");
    }

    #[test]
    fn a_stream_that_fails_is_reported_once_a_run_and_at_the_end() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut collector = fixture::shop();
        let mut console = Console::new(Broken, 80, Tables::Periodic);
        assert!(console.tick(&collector.summary(2_000_000)).is_err());
        assert!(console.tick(&collector.summary(4_000_000)).is_ok());
        assert!(console.finish(&collector.summary(5_000_000)).is_err());
    }

    #[test]
    fn only_the_final_tables_if_so_asked() {
        let summary = fixture::final_shop();
        let mut text = Vec::new();
        let mut console = Console::new(&mut text, 20, Tables::Final);
        console.start(&fixture::run()).expect("memory");
        console.tick(&summary).expect("memory");
        console.finish(&summary).expect("memory");
        assert_eq!(
            String::from_utf8(text).expect("text"),
            report(&summary, NARROWEST)
        );
    }
}
