//! What scripts are told of a run's figures, wherever they run.
//!
//! Owns the few numbers that `stats()` gives: they go to all machines of a run every second, a
//! summary would be too much for that.

use serde::{Deserialize, Serialize};

use super::summary::{Row, Summary};

/// The figures of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RowFigures {
    /// Requests that ended, failures included.
    pub requests: u64,
    /// Failures among them.
    pub failures: u64,
    /// Requests a second over the whole run.
    pub rps: f64,
    /// Over the last ten seconds.
    pub current_rps: f64,
    /// The mean response time, in µs.
    pub mean_us: f64,
    /// The least and the greatest one.
    pub min_us: u64,
    /// See there.
    pub max_us: u64,
    /// The median, p90, p95 and p99.
    pub quantiles_us: [u64; 4],
}

/// How a whole run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunFigures {
    /// Users that there are.
    pub users: u32,
    /// All users that were initially asked for have been started.
    pub is_spawned: bool,
    /// All requests; `None` before there are figures.
    pub total: Option<RowFigures>,
    /// Rows that scripts look at, by the names they give; those that there are.
    pub rows: Vec<(Box<str>, RowFigures)>,
}

impl From<&Row> for RowFigures {
    fn from(row: &Row) -> RowFigures {
        let times = &row.response;
        RowFigures {
            requests: row.requests,
            failures: row.failures,
            rps: row.rps,
            current_rps: row.current_rps,
            mean_us: times.mean_us,
            min_us: times.min_us,
            max_us: times.max_us,
            quantiles_us: [
                times.p50_us(),
                times.quantiles_us[4],
                times.p95_us(),
                times.p99_us(),
            ],
        }
    }
}

impl Summary {
    /// The figures of the busiest row of that name, alone or with the method before it.
    #[must_use]
    pub fn figures_of(&self, name: &str) -> Option<RowFigures> {
        let named = self.requests.iter().filter(|row| is_named(row, name));
        let busiest = named.max_by_key(|row| row.requests)?;
        Some(RowFigures::from(busiest))
    }
}

fn is_named(row: &Row, name: &str) -> bool {
    let (method, own) = (&*row.key.method, &*row.key.name);
    own == name
        || name
            .strip_prefix(method)
            .and_then(|rest| rest.strip_prefix(' '))
            == Some(own)
}
